"""A sample of stories in a real database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg

from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.samples.calendar import make_calendar
from community_pipelines.samples.loading import Progress, Report
from community_pipelines.samples.stories.sample import SAMPLE, StoriesSize
from community_pipelines.samples.stories.world import World, build_world
from tests.prepared import prepared
from tests.sample import load, rows

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
FIRST = date(2026, 2, 20)
SMALL = StoriesSize(
    users=300, ideas=150, scenes=120, segments=900, likes=800, views_per_day=400, rehearsals_per_month=20
)
TABLES = (
    "users", "oauth_accounts", "topics", "user_topics", "categories", "ideas", "scenes", "jobs", "segments",
    "scene_bibles", "scene_summaries", "moderation_flags", "scene_views", "likes", "job_idempotency_keys",
)  # fmt: skip


def fill(
    url: str,
    size: StoriesSize = SMALL,
    now: datetime = NOW,
    first_day: date = FIRST,
    progress: Progress | None = None,
) -> Report:
    """Loads a sample."""
    return load(url, STORIES, SAMPLE, size, now, first_day, progress)


def world(size: StoriesSize = SMALL) -> World:
    """What a sample is made of."""
    return build_world(size, make_calendar(NOW, FIRST))


def made(url: str) -> str:
    """The URL, with the tables of the app and our own created."""
    return prepared(url, "stories")


def contents(url: str) -> list[list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return [rows(url, f"select to_jsonb(t)::text as row from {table} as t order by 1") for table in TABLES]


def empty(url: str) -> None:
    """Removes all rows."""
    with psycopg.connect(url) as connection:
        connection.execute(f"truncate {', '.join(TABLES)} cascade".encode())
