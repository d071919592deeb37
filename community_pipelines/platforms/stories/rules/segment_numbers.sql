-- The numbers of all segments of those scenes, by scene.
select {segments.scene_id}::text, array_agg({segments.sequence})
from {segments}
where {segments.scene_id} = any(%s::uuid[])
group by 1
