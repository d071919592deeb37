-- True counts by key, of rows from {since} on and before {until}.
select {scenes.topic_id} as key, count(*) as scene_count
from {scenes}
where {scenes.status} = 'active'
    and {scenes.created_at} >= {since} and {scenes.created_at} < {until}
group by {scenes.topic_id}
