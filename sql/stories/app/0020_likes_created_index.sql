-- Not in the seed: without it, reading one day scans the whole table.
create index likes_created_at_idx on public.likes (created_at);
