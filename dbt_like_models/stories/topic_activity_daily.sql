with ideas as (
    select topic_id, status, created_at
    from {{ source('stories', 'ideas') }}
),

scenes as (
    select topic_id, status, created_at
    from {{ source('stories', 'scenes') }}
),

segments as (
    select scene_id, user_id, status, created_at
    from {{ source('stories', 'segments') }}
),

likes as (
    select target_type, target_id, created_at
    from {{ source('stories', 'likes') }}
),

scene_activity as (
    select scene_id, day, views, likes, segments
    from {{ ref('scene_activity_daily') }}
),

scene_topics as (
    select id, topic_id
    from {{ source('stories', 'dim_scenes') }}
),

idea_topics as (
    select id, topic_id
    from {{ source('stories', 'dim_ideas') }}
),

shared as (
    select topic_id, cast(created_at as date) as day, count(*) as ideas
    from ideas
    where status = 'active'
    group by topic_id, day
),

started as (
    select topic_id, cast(created_at as date) as day, count(*) as scenes
    from scenes
    where status = 'active'
    group by topic_id, day
),

liked_ideas as (
    select target_id as idea_id, cast(created_at as date) as day, count(*) as likes
    from likes
    where target_type = 'idea'
    group by idea_id, day
),

-- Before the join, so that a topic is looked up once for each scene and user, not for each segment.
scene_contributors as (
    select distinct scene_id, user_id, cast(created_at as date) as day
    from segments
    where status = 'active'
),

topic_contributors as (
    select scene_topics.topic_id, scene_contributors.day, count(distinct scene_contributors.user_id) as contributors
    from scene_contributors
    inner join scene_topics on scene_contributors.scene_id = scene_topics.id
    group by scene_topics.topic_id, scene_contributors.day
),

parts as (
    select topic_id, day, ideas, 0 as scenes, 0 as segments, 0 as views, 0 as likes, 0 as contributors
    from shared
    union all
    select topic_id, day, 0 as ideas, scenes, 0 as segments, 0 as views, 0 as likes, 0 as contributors
    from started
    union all
    select
        scene_topics.topic_id,
        scene_activity.day,
        0 as ideas,
        0 as scenes,
        scene_activity.segments,
        scene_activity.views,
        scene_activity.likes,
        0 as contributors
    from scene_activity
    inner join scene_topics on scene_activity.scene_id = scene_topics.id
    union all
    select
        idea_topics.topic_id,
        liked_ideas.day,
        0 as ideas,
        0 as scenes,
        0 as segments,
        0 as views,
        liked_ideas.likes,
        0 as contributors
    from liked_ideas
    inner join idea_topics on liked_ideas.idea_id = idea_topics.id
    union all
    select topic_id, day, 0 as ideas, 0 as scenes, 0 as segments, 0 as views, 0 as likes, contributors
    from topic_contributors
),

activity as (
    select
        topic_id,
        day,
        cast(sum(ideas) as bigint) as ideas,
        cast(sum(scenes) as bigint) as scenes,
        cast(sum(segments) as bigint) as segments,
        cast(sum(views) as bigint) as views,
        cast(sum(likes) as bigint) as likes,
        cast(sum(contributors) as bigint) as contributors
    from parts
    group by topic_id, day
)

select * from activity
