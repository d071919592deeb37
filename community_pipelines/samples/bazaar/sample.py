"""Declares the gallery's sample, and loads it: projects, templates of them by way of ingest, then what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from community_pipelines.samples.spec import Sample, SampleError, Size, option

if TYPE_CHECKING:
    from community_pipelines.samples.loading import Work

# Ingest publishes a limited number of templates for an owner and day, and it publishes all of these on one.
MOST_OF_ONE_OWNER = 40
_MOST_FOR_EACH_USER = MOST_OF_ONE_OWNER // 2


@dataclass(frozen=True)
class GallerySize(Size):
    """How large the sample is. `events_per_day` is the mean over the full days of the window."""

    templates: int = option(2_000, "How many templates of the gallery.", least=4)
    users: int = option(20_000, "How many users of the gallery.", least=10)
    events_per_day: int = option(16_700, "Events of the gallery a day, about.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.templates > _MOST_FOR_EACH_USER * self.users:
            raise SampleError(
                f"the sample's users must be {-(-self.templates // _MOST_FOR_EACH_USER)} or more for "
                f"{self.templates} templates, and are {self.users}"
            )


def publish_flagged(work: Work) -> None:
    """One run of the job that makes templates, over what is flagged. LaunchError when it failed; what it made stays."""
    from community_pipelines.orchestration.template_snapshots import publish_flagged as publish

    publish(work.settings, work.place.platform, lambda done: work.progress("templates", done, work.size.templates))


def fill(work: Work, publish: Callable[[Work], None] = publish_flagged) -> None:
    """Writes projects and what is flagged of them, has it published, then writes what happened since."""
    from community_pipelines.samples.bazaar import history, projects
    from community_pipelines.samples.bazaar.gallery import build_gallery

    gallery = build_gallery(work.size, work.calendar)
    if not work.resumed:
        with work.begin() as writer:
            projects.write(writer, gallery)
    projects.flag_again(work.place)
    publish(work)
    with work.complete() as writer:
        history.write(writer, projects.published(writer, work.place, gallery))


SAMPLE = Sample(
    title="gallery",
    size=GallerySize,
    tables=(
        "bazaar-vid_user", "bazaar-vid_project", "bazaar-vid_scene", "community_templates",
        "community_template_scenes", "community_favorites", "community_events", "community.publication_requests",
        "community.template_versions",
    ),
    filled_last="community_events",
    counted={"templates": "community_templates", "users": "bazaar-vid_user", "events": "community_events"},
    fill=fill,
)  # fmt: skip
