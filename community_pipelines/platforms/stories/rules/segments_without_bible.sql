-- Rows (time that decides the day, what it is, what is wrong with it) from {start} on and before {end}: segments
-- made by a version of the bible that is not there.
select segment.{segments.created_at}, segment.{segments.id},
    'version ' || segment.{segments.bible_version} || ' of the bible of scene ' || segment.{segments.scene_id}
        || ' is not there'
from {segments} as segment
where segment.{segments.created_at} >= {start} and segment.{segments.created_at} < {end}
    and not exists (
        select from {scene_bibles} as bible
        where bible.{scene_bibles.scene_id} = segment.{segments.scene_id}
            and bible.{scene_bibles.version} = segment.{segments.bible_version}
    )
