-- Rows (time that decides the day, what it is, what is wrong with it) from {start} on and before {end}: scenes
-- whose bible_version is not that of their newest bible.
select newest.made_at, scene.{scenes.id},
    'bible_version is ' || scene.{scenes.bible_version} || ', the newest bible is version ' || newest.version
from {scenes} as scene
cross join lateral (
    select bible.{scene_bibles.version} as version, bible.{scene_bibles.created_at} as made_at
    from {scene_bibles} as bible
    where bible.{scene_bibles.scene_id} = scene.{scenes.id}
    order by bible.{scene_bibles.version} desc
    limit 1
) as newest
where newest.made_at >= {start} and newest.made_at < {end} and newest.version <> scene.{scenes.bible_version}
