with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

events as (
    select id, template_id, user_id, event_type, created_at
    from {{ source('bazaar', 'community_events').render() }}
),

metrics as (
    select template_id, day, event_type, count
    from {{ ref('community_metrics_daily').render() }}
),

reach as (
    select min(day) - 1 as day_before, max(day) as last_day
    from batch
),

favorite_events as (
    select
        id,
        template_id,
        user_id,
        created_at,
        case when event_type = 'favorite' then 1 else 0 end as is_favorite
    from events
    where event_type in ('favorite', 'unfavorite') and user_id is not null
),

-- A second favorite changes nothing, and neither does an unfavorite that follows none.
favorite_changes as (
    select
        template_id,
        cast(created_at as date) as day,
        is_favorite - lag(is_favorite, 1, 0) over (
            partition by template_id, user_id order by created_at, id
        ) as favorites_change
    from favorite_events
),

changes as (
    select template_id, day, 0 as views_change, favorites_change, 0 as uses_change
    from favorite_changes
    union all
    select
        template_id,
        day,
        case when event_type = 'view' then count else 0 end as views_change,
        0 as favorites_change,
        case when event_type = 'use' then count else 0 end as uses_change
    from metrics
),

-- All that lies before the batch becomes one row of each template.
summed as (
    select
        changes.template_id,
        greatest(changes.day, reach.day_before) as as_of_day,
        cast(sum(changes.views_change) as bigint) as views_change,
        cast(sum(changes.favorites_change) as bigint) as favorites_change,
        cast(sum(changes.uses_change) as bigint) as uses_change
    from changes
    inner join reach on changes.day <= reach.last_day
    group by changes.template_id, as_of_day
),

running as (
    select
        template_id,
        as_of_day,
        views_change,
        favorites_change,
        uses_change,
        cast(sum(views_change) over by_day as bigint) as views_total,
        cast(sum(favorites_change) over by_day as bigint) as favorites_total,
        cast(sum(uses_change) over by_day as bigint) as uses_total
    from summed
    window by_day as (partition by template_id order by as_of_day rows unbounded preceding)
),

counters as (
    select
        running.template_id,
        batch.day,
        running.views_change,
        running.favorites_change,
        running.uses_change,
        running.views_total,
        running.favorites_total,
        running.uses_total,
        batch.window_complete
    from running
    inner join batch on running.as_of_day = batch.day
    where running.views_change <> 0 or running.favorites_change <> 0 or running.uses_change <> 0
)

select * from counters
