-- Ingest made all of them just now, active and without a picture.
update community_templates as template
set created_at = story.created_at,
    updated_at = story.updated_at,
    status = story.status,
    thumbnail_url = story.thumbnail
from sample_story as story
where story.template_id = template.id
