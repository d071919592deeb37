with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

activity as (
    select topic_id, day, scenes
    from {{ ref('topic_activity_daily').render() }}
),

reach as (
    select min(day) - 1 as day_before, max(day) as last_day
    from batch
),

-- All that lies before the batch becomes one row of each topic.
summed as (
    select
        activity.topic_id,
        greatest(activity.day, reach.day_before) as as_of_day,
        cast(sum(activity.scenes) as bigint) as scenes_change
    from activity
    inner join reach on activity.day <= reach.last_day
    where activity.scenes > 0
    group by activity.topic_id, as_of_day
),

running as (
    select
        topic_id,
        as_of_day,
        scenes_change,
        cast(sum(scenes_change) over by_day as bigint) as scenes_total
    from summed
    window by_day as (partition by topic_id order by as_of_day rows unbounded preceding)
),

counters as (
    select
        running.topic_id,
        batch.day,
        running.scenes_change,
        running.scenes_total,
        batch.window_complete
    from running
    inner join batch on running.as_of_day = batch.day
)

select * from counters
