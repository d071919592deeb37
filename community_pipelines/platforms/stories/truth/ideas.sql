-- True counts by key, of rows from {since} on and before {until}.
with scenes as (
    select {scenes.idea_id} as key, count(*) as scene_count
    from {scenes}
    where {scenes.status} = 'active'
        and {scenes.created_at} >= {since} and {scenes.created_at} < {until}
    group by {scenes.idea_id}
),
likes as (
    select {likes.target_id} as key, count(*) as like_count
    from {likes}
    where {likes.target_type} = 'idea'
        and {likes.created_at} >= {since} and {likes.created_at} < {until}
    group by {likes.target_id}
),
views_of_scenes as (
    select {scene_views.scene_id} as scene_id, count(*) as views
    from {scene_views}
    where {scene_views.created_at} >= {since} and {scene_views.created_at} < {until}
    group by {scene_views.scene_id}
),
views as (
    select scene.{scenes.idea_id} as key, sum(views_of_scenes.views)::bigint as view_count
    from {scenes} as scene
    join views_of_scenes on views_of_scenes.scene_id = scene.{scenes.id}
    group by scene.{scenes.idea_id}
)
select key,
    coalesce(scene_count, 0) as scene_count,
    coalesce(like_count, 0) as like_count,
    coalesce(view_count, 0) as view_count
from scenes full join likes using (key) full join views using (key)
