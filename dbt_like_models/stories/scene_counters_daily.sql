with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

segments as (
    select scene_id, user_id, status, created_at
    from {{ source('stories', 'segments').render() }}
),

activity as (
    select scene_id, day, views, likes, segments, seconds
    from {{ ref('scene_activity_daily').render() }}
),

reach as (
    select min(day) - 1 as day_before, max(day) as last_day
    from batch
),

-- Who contributes again on a later day is counted already.
first_contributions as (
    select scene_id, user_id, cast(min(created_at) as date) as day
    from segments
    where status = 'active' and user_id is not null
    group by scene_id, user_id
),

changes as (
    select
        scene_id,
        day,
        segments as segments_change,
        seconds as duration_change,
        0 as contributors_change,
        views as views_change,
        likes as likes_change
    from activity
    union all
    select
        scene_id,
        day,
        0 as segments_change,
        0 as duration_change,
        1 as contributors_change,
        0 as views_change,
        0 as likes_change
    from first_contributions
),

-- All that lies before the batch becomes one row of each scene.
summed as (
    select
        changes.scene_id,
        greatest(changes.day, reach.day_before) as as_of_day,
        cast(sum(changes.segments_change) as bigint) as segments_change,
        cast(sum(changes.duration_change) as bigint) as duration_change,
        cast(sum(changes.contributors_change) as bigint) as contributors_change,
        cast(sum(changes.views_change) as bigint) as views_change,
        cast(sum(changes.likes_change) as bigint) as likes_change
    from changes
    inner join reach on changes.day <= reach.last_day
    group by changes.scene_id, as_of_day
),

running as (
    select
        scene_id,
        as_of_day,
        segments_change,
        duration_change,
        contributors_change,
        views_change,
        likes_change,
        cast(sum(segments_change) over by_day as bigint) as segments_total,
        cast(sum(duration_change) over by_day as bigint) as duration_total,
        cast(sum(contributors_change) over by_day as bigint) as contributors_total,
        cast(sum(views_change) over by_day as bigint) as views_total,
        cast(sum(likes_change) over by_day as bigint) as likes_total
    from summed
    window by_day as (partition by scene_id order by as_of_day rows unbounded preceding)
),

counters as (
    select
        running.scene_id,
        batch.day,
        running.segments_change,
        running.duration_change,
        running.contributors_change,
        running.views_change,
        running.likes_change,
        running.segments_total,
        running.duration_total,
        running.contributors_total,
        running.views_total,
        running.likes_total,
        batch.window_complete
    from running
    inner join batch on running.as_of_day = batch.day
)

select * from counters
