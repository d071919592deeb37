"""What became of the gallery's templates since they were made: their age and state, events, favorites."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from community_pipelines.samples.bazaar.events import arrivals
from community_pipelines.samples.bazaar.gallery import Gallery
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import Writer, times, uuids

_PICTURED = 0.96

_STORY = """
create temporary table sample_story (
    template_id uuid primary key,
    created_at timestamptz,
    updated_at timestamptz,
    status text,
    pictured boolean
) on commit drop
"""
# Ingest made all of them just now, active and without a picture.
_BACKDATE_TEMPLATES = f"""
update community_templates as template
set created_at = story.created_at,
    updated_at = story.updated_at,
    status = story.status,
    thumbnail_url = case when pictured then '{words("bazaar")["cdn"]}/thumbnails/' || template.slug || '.jpg' end
from sample_story as story
where story.template_id = template.id
"""
_BACKDATE_SCENES = """
update community_template_scenes as scene
set created_at = story.created_at
from sample_story as story
where story.template_id = scene.template_id
"""
# What the log says, but for three favorites that the app forgot to store and three that it forgot to remove.
_FAVORITES = """
insert into community_favorites (user_id, template_id, created_at)
with last_words as (
    select distinct on (user_id, template_id) user_id, template_id, event_type, created_at
    from community_events
    where event_type in ('favorite', 'unfavorite') and user_id is not null
    order by user_id, template_id, created_at desc, id desc
),
placed as (
    select
        last_word.*,
        row_number() over (partition by event_type order by md5(user_id || template_id::text)) as place
    from last_words as last_word
    join "bazaar-vid_user" as known_user on known_user.id = last_word.user_id
)
select user_id, template_id, created_at
from placed
where (event_type = 'favorite') = (place > 3)
"""


def write(writer: Writer, gallery: Gallery) -> None:
    """Writes all of it; the gallery's templates have the ids that ingest gave them."""
    writer.execute(_STORY)
    writer.copy("sample_story", _story(gallery), temporary=True)
    writer.execute(_BACKDATE_TEMPLATES)
    writer.execute(_BACKDATE_SCENES)

    calendar, events = gallery.calendar, 0
    over = (calendar.now - calendar.start(calendar.days)) / (calendar.start(1) - calendar.start(0))
    expected = int(gallery.volumes[:-1].sum() + gallery.volumes[-1] * over)
    for arrived in arrivals(gallery):
        writer.copy("community_events", arrived)
        events += arrived.num_rows
        writer.progress("events", events, max(events, expected))
    writer.progress("events", events, events)
    writer.execute(_FAVORITES)
    writer.progress("favorites", 1, 1)


def _story(gallery: Gallery) -> pa.Table:
    """For each template what ingest cannot know."""
    templates, now = gallery.templates, gallery.calendar.now
    today = gallery.calendar.start(gallery.calendar.days)
    return pa.table(
        {
            "template_id": uuids(templates.ids),
            "created_at": times(templates.created, now),
            "updated_at": times(templates.updated, now),
            "status": np.where(templates.disabled_at <= today, "disabled", "active"),
            "pictured": gallery.dice("pictures").random(len(templates.texts)) < _PICTURED,
        }
    )
