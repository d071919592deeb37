-- The bibles (scene, version, text) of those scenes and versions.
select bible.{scene_bibles.scene_id}::text, bible.{scene_bibles.version}, bible.{scene_bibles.data}::text
from unnest(%s::uuid[], %s::integer[]) as wanted (scene, version)
join {scene_bibles} as bible
    on bible.{scene_bibles.scene_id} = wanted.scene and bible.{scene_bibles.version} = wanted.version
