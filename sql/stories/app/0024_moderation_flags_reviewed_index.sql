-- Not in the seed: without it, reading one day scans the whole table.
create index moderation_flags_reviewed_at_idx on public.moderation_flags (reviewed_at);
