-- Not in the seed: without it, reading one day scans the whole table.
create index community_events_created_idx on public.community_events (created_at);
