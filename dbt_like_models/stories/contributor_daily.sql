-- The day's own segments are counted; of all earlier ones only a user's first matters.
with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

segments as (
    select scene_id, user_id, duration, status, created_at
    from {{ source('stories', 'segments') }}
),

history as (
    select user_id, status, created_at
    from {{ source('stories', 'segments').render() }}
),

first_segments as (
    select user_id, min(created_at) as created_at
    from history
    where status = 'active'
    group by user_id
),

contributed as (
    select
        user_id,
        cast(created_at as date) as day,
        count(*) as segments,
        count(distinct scene_id) as scenes,
        coalesce(sum(duration), 0) as seconds
    from segments
    where status = 'active'
    group by user_id, day
),

contributors as (
    select
        contributed.user_id,
        contributed.day,
        contributed.segments,
        contributed.scenes,
        cast(contributed.seconds as bigint) as seconds,
        cast(first_segments.created_at as date) = contributed.day as is_first_day,
        batch.window_complete
    from contributed
    inner join first_segments on contributed.user_id = first_segments.user_id
    inner join batch on contributed.day = batch.day
)

select * from contributors
