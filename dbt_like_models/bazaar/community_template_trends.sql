-- What a window holds is the running total at its end less the one before its start, so totals are needed at the
-- windows' edges only: five days for a batch of one day, each day read once for a long one.
with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

metrics as (
    select template_id, day, event_type, count
    from {{ ref('community_metrics_daily').render() }}
),

templates as (
    select id, status, visibility
    from {{ source('bazaar', 'community_templates') }}
),

-- Each edge with the sign that its total has in each window.
edges as (
    select
        batch.day,
        batch.day - steps.days_back as edge_day,
        steps.in_7d,
        steps.in_7d_before,
        steps.in_30d,
        steps.in_30d_before
    from batch
    cross join (
        values (0, 1, 0, 1, 0), (7, -1, 1, 0, 0), (14, 0, -1, 0, 0), (30, 0, 0, -1, 1), (60, 0, 0, 0, -1)
    ) as steps (days_back, in_7d, in_7d_before, in_30d, in_30d_before)
),

edge_days as (
    select distinct edge_day
    from edges
),

reach as (
    select min(edge_day) + 1 as first_day, max(edge_day) as last_day
    from edges
),

read_days as (
    select cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as day
    from reach
),

next_edges as (
    select read_days.day, min(edge_days.edge_day) as edge_day
    from read_days
    inner join edge_days on edge_days.edge_day >= read_days.day
    group by read_days.day
),

between_edges as (
    select
        metrics.template_id,
        next_edges.edge_day,
        sum(metrics.count) filter (where metrics.event_type = 'view') as views,
        sum(metrics.count) filter (where metrics.event_type = 'favorite') as favorites,
        sum(metrics.count) filter (where metrics.event_type = 'use') as uses
    from metrics
    inner join next_edges on metrics.day = next_edges.day
    group by metrics.template_id, next_edges.edge_day
),

seen_templates as (
    select distinct template_id
    from between_edges
),

template_edges as (
    select
        seen_templates.template_id,
        edge_days.edge_day,
        cast(coalesce(between_edges.views, 0) as bigint) as views,
        cast(coalesce(between_edges.favorites, 0) as bigint) as favorites,
        cast(coalesce(between_edges.uses, 0) as bigint) as uses
    from seen_templates
    cross join edge_days
    left join between_edges
        on seen_templates.template_id = between_edges.template_id
        and edge_days.edge_day = between_edges.edge_day
),

running as (
    select
        template_id,
        edge_day,
        cast(sum(views) over by_day as bigint) as views,
        cast(sum(favorites) over by_day as bigint) as favorites,
        cast(sum(uses) over by_day as bigint) as uses
    from template_edges
    window by_day as (partition by template_id order by edge_day rows unbounded preceding)
),

sums as (
    select
        running.template_id,
        edges.day,
        cast(sum(running.views * edges.in_7d) as bigint) as views_7d,
        cast(sum(running.views * edges.in_30d) as bigint) as views_30d,
        cast(sum(running.views * edges.in_7d_before) as bigint) as views_7d_before,
        cast(sum(running.views * edges.in_30d_before) as bigint) as views_30d_before,
        cast(sum(running.favorites * edges.in_7d) as bigint) as favorites_7d,
        cast(sum(running.favorites * edges.in_30d) as bigint) as favorites_30d,
        cast(sum(running.favorites * edges.in_7d_before) as bigint) as favorites_7d_before,
        cast(sum(running.favorites * edges.in_30d_before) as bigint) as favorites_30d_before,
        cast(sum(running.uses * edges.in_7d) as bigint) as uses_7d,
        cast(sum(running.uses * edges.in_30d) as bigint) as uses_30d,
        cast(sum(running.uses * edges.in_7d_before) as bigint) as uses_7d_before,
        cast(sum(running.uses * edges.in_30d_before) as bigint) as uses_30d_before
    from running
    inner join edges on running.edge_day = edges.edge_day
    group by running.template_id, edges.day
),

-- The others are ranked among themselves and that rank is dropped below: cheaper than joining ranks back.
ranked as (
    select
        sums.*,
        coalesce(templates.status = 'active' and templates.visibility = 'public', false) as is_listed,
        rank() over (partition by sums.day, is_listed order by sums.views_7d desc) as rank_7d,
        rank() over (partition by sums.day, is_listed order by sums.views_30d desc) as rank_30d
    from sums
    left join templates on sums.template_id = templates.id
    where
        sums.views_30d + sums.views_30d_before > 0
        or sums.favorites_30d + sums.favorites_30d_before > 0
        or sums.uses_30d + sums.uses_30d_before > 0
),

trends as (
    select
        ranked.template_id,
        ranked.day,
        ranked.views_7d,
        ranked.favorites_7d,
        ranked.uses_7d,
        ranked.views_30d,
        ranked.favorites_30d,
        ranked.uses_30d,
        ranked.uses_7d / nullif(ranked.views_7d, 0) as conversion_7d,
        ranked.uses_30d / nullif(ranked.views_30d, 0) as conversion_30d,
        ranked.views_7d / nullif(ranked.views_7d_before, 0) - 1 as views_change_7d,
        ranked.views_30d / nullif(ranked.views_30d_before, 0) - 1 as views_change_30d,
        ranked.favorites_7d / nullif(ranked.favorites_7d_before, 0) - 1 as favorites_change_7d,
        ranked.favorites_30d / nullif(ranked.favorites_30d_before, 0) - 1 as favorites_change_30d,
        ranked.uses_7d / nullif(ranked.uses_7d_before, 0) - 1 as uses_change_7d,
        ranked.uses_30d / nullif(ranked.uses_30d_before, 0) - 1 as uses_change_30d,
        case when ranked.is_listed then ranked.rank_7d end as rank_7d,
        case when ranked.is_listed then ranked.rank_30d end as rank_30d,
        batch.window_complete
    from ranked
    inner join batch on ranked.day = batch.day
)

select * from trends
