-- The scenes of a template are as old as it is.
update community_template_scenes as scene
set created_at = story.created_at
from sample_story as story
where story.template_id = scene.template_id
