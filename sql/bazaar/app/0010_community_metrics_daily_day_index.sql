-- Not in the seed: whole days are replaced, and its primary key begins with the template.
create index community_metrics_daily_day_idx on public.community_metrics_daily (day);
