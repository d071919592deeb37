-- Rows (time that decides the day, what it is, what is wrong with it) from {start} on and before {end}: segments
-- whose number repeats or follows no number before.
select segment.{segments.created_at}, segment.{segments.scene_id},
    case when repeats.there then 'segment ' || segment.{segments.sequence} || ' is there twice'
        else 'segment ' || segment.{segments.sequence} || ' follows no segment '
            || segment.{segments.sequence} - 1 end
from {segments} as segment
cross join lateral (
    select exists (
        select from {segments} as other
        where other.{segments.scene_id} = segment.{segments.scene_id}
            and other.{segments.sequence} = segment.{segments.sequence}
            and other.{segments.id} <> segment.{segments.id}
    ) as there
) as repeats
where segment.{segments.created_at} >= {start} and segment.{segments.created_at} < {end}
    and (
        repeats.there
        or segment.{segments.sequence} < 1
        or segment.{segments.sequence} > 1 and not exists (
            select from {segments} as before
            where before.{segments.scene_id} = segment.{segments.scene_id}
                and before.{segments.sequence} = segment.{segments.sequence} - 1
        )
    )
