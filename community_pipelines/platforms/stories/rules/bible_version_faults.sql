-- Rows (time that decides the day, what it is, what is wrong with it) from {start} on and before {end}: bible
-- versions that repeat or follow no version before.
select bible.{scene_bibles.created_at}, bible.{scene_bibles.scene_id},
    case when repeats.there then 'version ' || bible.{scene_bibles.version} || ' is there twice'
        else 'version ' || bible.{scene_bibles.version} || ' follows no version '
            || bible.{scene_bibles.version} - 1 end
from {scene_bibles} as bible
cross join lateral (
    select exists (
        select from {scene_bibles} as other
        where other.{scene_bibles.scene_id} = bible.{scene_bibles.scene_id}
            and other.{scene_bibles.version} = bible.{scene_bibles.version}
            and other.{scene_bibles.id} <> bible.{scene_bibles.id}
    ) as there
) as repeats
where bible.{scene_bibles.created_at} >= {start} and bible.{scene_bibles.created_at} < {end}
    and (
        repeats.there
        or bible.{scene_bibles.version} < 1
        or bible.{scene_bibles.version} > 1 and not exists (
            select from {scene_bibles} as before
            where before.{scene_bibles.scene_id} = bible.{scene_bibles.scene_id}
                and before.{scene_bibles.version} = bible.{scene_bibles.version} - 1
        )
    )
