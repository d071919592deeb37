with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

activity as (
    select idea_id, day, scenes, likes
    from {{ ref('idea_activity_daily').render() }}
),

scene_activity as (
    select scene_id, day, views
    from {{ ref('scene_activity_daily').render() }}
),

scene_ideas as (
    select id, idea_id
    from {{ source('stories', 'dim_scenes') }}
),

reach as (
    select min(day) - 1 as day_before, max(day) as last_day
    from batch
),

-- All that lies before the batch becomes one row of each scene, and so less is looked up.
scene_views as (
    select
        scene_activity.scene_id,
        greatest(scene_activity.day, reach.day_before) as as_of_day,
        sum(scene_activity.views) as views
    from scene_activity
    inner join reach on scene_activity.day <= reach.last_day
    where scene_activity.views > 0
    group by scene_activity.scene_id, as_of_day
),

-- A scene's views are those of the idea that it has now, as ideas.view_count counts them.
changes as (
    select
        scene_ideas.idea_id,
        scene_views.as_of_day,
        0 as scenes_change,
        0 as likes_change,
        scene_views.views as views_change
    from scene_views
    inner join scene_ideas on scene_views.scene_id = scene_ideas.id
    union all
    select
        activity.idea_id,
        greatest(activity.day, reach.day_before) as as_of_day,
        activity.scenes as scenes_change,
        activity.likes as likes_change,
        0 as views_change
    from activity
    inner join reach on activity.day <= reach.last_day
    where activity.scenes > 0 or activity.likes > 0
),

summed as (
    select
        idea_id,
        as_of_day,
        cast(sum(scenes_change) as bigint) as scenes_change,
        cast(sum(likes_change) as bigint) as likes_change,
        cast(sum(views_change) as bigint) as views_change
    from changes
    group by idea_id, as_of_day
),

running as (
    select
        idea_id,
        as_of_day,
        scenes_change,
        likes_change,
        views_change,
        cast(sum(scenes_change) over by_day as bigint) as scenes_total,
        cast(sum(likes_change) over by_day as bigint) as likes_total,
        cast(sum(views_change) over by_day as bigint) as views_total
    from summed
    window by_day as (partition by idea_id order by as_of_day rows unbounded preceding)
),

counters as (
    select
        running.idea_id,
        batch.day,
        running.scenes_change,
        running.likes_change,
        running.views_change,
        running.scenes_total,
        running.likes_total,
        running.views_total,
        batch.window_complete
    from running
    inner join batch on running.as_of_day = batch.day
)

select * from counters
