-- Not in the seed: without it, reading one day scans the whole table.
create index user_topics_created_at_idx on public.user_topics (created_at);
