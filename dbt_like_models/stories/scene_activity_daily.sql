with views as (
    select scene_id, user_id, ip_hash, created_at
    from {{ source('stories', 'scene_views') }}
),

likes as (
    select target_type, target_id, created_at
    from {{ source('stories', 'likes') }}
),

segments as (
    select scene_id, user_id, duration, status, created_at
    from {{ source('stories', 'segments') }}
),

viewed as (
    select
        scene_id,
        cast(created_at as date) as day,
        count(*) as views,
        count(distinct user_id) + count(distinct ip_hash) filter (where user_id is null) as viewers
    from views
    group by scene_id, day
),

liked as (
    select target_id as scene_id, cast(created_at as date) as day, count(*) as likes
    from likes
    where target_type = 'scene'
    group by scene_id, day
),

added as (
    select
        scene_id,
        cast(created_at as date) as day,
        count(*) as segments,
        count(distinct user_id) as contributors,
        coalesce(sum(duration), 0) as seconds
    from segments
    where status = 'active'
    group by scene_id, day
),

parts as (
    select scene_id, day, views, viewers, 0 as likes, 0 as segments, 0 as contributors, 0 as seconds
    from viewed
    union all
    select scene_id, day, 0 as views, 0 as viewers, likes, 0 as segments, 0 as contributors, 0 as seconds
    from liked
    union all
    select scene_id, day, 0 as views, 0 as viewers, 0 as likes, segments, contributors, seconds
    from added
),

activity as (
    select
        scene_id,
        day,
        cast(sum(views) as bigint) as views,
        cast(sum(viewers) as bigint) as viewers,
        cast(sum(likes) as bigint) as likes,
        cast(sum(segments) as bigint) as segments,
        cast(sum(contributors) as bigint) as contributors,
        cast(sum(seconds) as bigint) as seconds
    from parts
    group by scene_id, day
)

select * from activity
