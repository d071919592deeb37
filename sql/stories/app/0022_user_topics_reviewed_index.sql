-- Not in the seed: without it, reading one day scans the whole table.
create index user_topics_reviewed_at_idx on public.user_topics (reviewed_at);
