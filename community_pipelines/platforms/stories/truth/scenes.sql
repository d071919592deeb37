-- True counts by key, of rows from {since} on and before {until}.
with segments as (
    select {segments.scene_id} as key,
        count(*) as segment_count,
        sum({segments.duration})::bigint as total_duration,
        count(distinct {segments.user_id}) as contributor_count,
        max({segments.created_at}) as last_segment_at
    from {segments}
    where {segments.status} = 'active'
        and {segments.created_at} >= {since} and {segments.created_at} < {until}
    group by {segments.scene_id}
),
views as (
    select {scene_views.scene_id} as key, count(*) as view_count
    from {scene_views}
    where {scene_views.created_at} >= {since} and {scene_views.created_at} < {until}
    group by {scene_views.scene_id}
),
likes as (
    select {likes.target_id} as key, count(*) as like_count
    from {likes}
    where {likes.target_type} = 'scene'
        and {likes.created_at} >= {since} and {likes.created_at} < {until}
    group by {likes.target_id}
)
select key,
    coalesce(segment_count, 0) as segment_count,
    coalesce(total_duration, 0) as total_duration,
    coalesce(contributor_count, 0) as contributor_count,
    coalesce(view_count, 0) as view_count,
    coalesce(like_count, 0) as like_count,
    last_segment_at
from segments full join views using (key) full join likes using (key)
