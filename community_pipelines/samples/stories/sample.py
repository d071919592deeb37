"""Declares the sample of the story videos, and loads it: everything but views and likes, then these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from community_pipelines.samples.spec import Sample, Size, number, option

if TYPE_CHECKING:
    from community_pipelines.samples.loading import Work

_PARTITIONED = ("segments", "jobs")
_MONTHS_AHEAD = 3


@dataclass(frozen=True)
class StoriesSize(Size):
    """How large the sample is. All are totals from the first day on, but for what names a day or a month."""

    users: int = number(3_000, least=20)
    ideas: int = number(4_000, least=10)
    scenes: int = option(2_500, "How many scenes of the story videos.", least=5)
    segments: int = number(12_000, least=10)
    likes: int = number(15_000)
    views_per_day: int = number(5_000)
    rehearsals_per_month: int = number(300)


def fill(work: Work) -> None:
    """Writes it all."""
    from community_pipelines.samples.stories import life, visits
    from community_pipelines.samples.stories.world import build_world

    world = build_world(work.size, work.calendar)
    if not work.resumed:
        with work.begin() as writer:
            for year, month in world.calendar.months(_MONTHS_AHEAD):
                for table in _PARTITIONED:
                    writer.value(f"select public.create_monthly_partition('{table}', {year}, {month})::text")
            for table, rows in life.tables(world):
                writer.write(table, rows, table.replace("_", " "), created="created_at")
    with work.complete() as writer:
        visits.write(writer, world)


SAMPLE = Sample(
    title="story videos",
    size=StoriesSize,
    tables=(
        "users", "oauth_accounts", "topics", "user_topics", "categories", "ideas", "scenes", "jobs", "segments",
        "scene_bibles", "scene_summaries", "moderation_flags", "scene_views", "likes",
    ),
    filled_last="scene_views",
    counted={name: name for name in ("scenes", "users", "segments", "jobs")} | {"views": "scene_views"},
    fill=fill,
)  # fmt: skip
