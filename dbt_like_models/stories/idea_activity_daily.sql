with scenes as (
    select idea_id, status, created_at
    from {{ source('stories', 'scenes') }}
),

likes as (
    select target_type, target_id, created_at
    from {{ source('stories', 'likes') }}
),

scene_activity as (
    select scene_id, day, views
    from {{ ref('scene_activity_daily') }}
),

scene_ideas as (
    select id, idea_id
    from {{ source('stories', 'dim_scenes') }}
),

started as (
    select idea_id, cast(created_at as date) as day, count(*) as scenes
    from scenes
    where status = 'active'
    group by idea_id, day
),

liked as (
    select target_id as idea_id, cast(created_at as date) as day, count(*) as likes
    from likes
    where target_type = 'idea'
    group by idea_id, day
),

parts as (
    select idea_id, day, scenes, 0 as likes, 0 as views
    from started
    union all
    select idea_id, day, 0 as scenes, likes, 0 as views
    from liked
    union all
    select scene_ideas.idea_id, scene_activity.day, 0 as scenes, 0 as likes, scene_activity.views
    from scene_activity
    inner join scene_ideas on scene_activity.scene_id = scene_ideas.id
    where scene_activity.views > 0
),

activity as (
    select
        idea_id,
        day,
        cast(sum(scenes) as bigint) as scenes,
        cast(sum(likes) as bigint) as likes,
        cast(sum(views) as bigint) as views
    from parts
    group by idea_id, day
)

select * from activity
