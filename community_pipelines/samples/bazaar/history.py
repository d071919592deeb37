"""What became of the gallery's templates since they were made: their age and state, events, favorites."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from community_pipelines.samples.bazaar.events import arrivals
from community_pipelines.samples.bazaar.gallery import Gallery
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import Writer, statement, times, uuids

_PICTURED = 0.96


def write(writer: Writer, gallery: Gallery) -> None:
    """Writes all of it; the gallery's templates have the ids that ingest gave them."""
    writer.execute(statement("bazaar", "story"))
    writer.copy("sample_story", _story(gallery), temporary=True)
    writer.execute(statement("bazaar", "backdate_templates"))
    writer.execute(statement("bazaar", "backdate_scenes"))

    calendar, events = gallery.calendar, 0
    over = (calendar.now - calendar.start(calendar.days)) / (calendar.start(1) - calendar.start(0))
    expected = int(gallery.volumes[:-1].sum() + gallery.volumes[-1] * over)
    for arrived in arrivals(gallery):
        writer.copy("community_events", arrived)
        events += arrived.num_rows
        writer.progress("events", events, max(events, expected))
    writer.progress("events", events, events)
    writer.execute(statement("bazaar", "favorites"))
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
            "thumbnail": [
                f"{words('bazaar')['cdn']}/thumbnails/{slug}.jpg" if luck < _PICTURED else None
                for slug, luck in zip(
                    templates.slugs, gallery.dice("pictures").random(len(templates.slugs)), strict=True
                )
            ],
        }
    )
