-- Not in the seed: without it, reading one day scans the whole table.
create index scene_bibles_created_at_idx on public.scene_bibles (created_at);
