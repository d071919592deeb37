"""A sample gallery in a real database, loaded with ingest in the middle as the command does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa

from community_pipelines import settings as configuration
from community_pipelines.databases.deployment import deployment
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.spec import Platform
from community_pipelines.samples import loading
from community_pipelines.samples.bazaar.events import arrivals
from community_pipelines.samples.bazaar.gallery import build_gallery
from community_pipelines.samples.bazaar.sample import SAMPLE, GallerySize
from community_pipelines.samples.bazaar.sample import fill as fill_gallery
from community_pipelines.samples.calendar import make_calendar
from community_pipelines.samples.loading import Progress, Report, Work
from community_pipelines.samples.spec import Sample, Size
from community_pipelines.snapshots.ingest import opened

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
SMALL = GallerySize(templates=50, users=300, events_per_day=500)
DAYS = 7

# Every table that a sample or ingest writes → its columns in which no two loads agree.
TABLES = {
    '"bazaar-vid_user"': (),
    '"bazaar-vid_project"': (),
    '"bazaar-vid_scene"': (),
    "community_templates": (),
    "community_template_scenes": ("id",),
    "community_favorites": (),
    "community_events": (),
    "community.template_versions": ("created_at",),
    "community.publication_requests": ("id", "done_at", "detail"),
}


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows that a query finds, in a transaction of its own."""
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def number(url: str, query: str) -> int:
    """How many rows a query finds."""
    return int(rows(url, f"select count(*) from ({query}) as found")[0][0])


def counts(url: str) -> list[int]:
    """How many rows each table has."""
    return [number(url, f"select * from {table}") for table in TABLES]


def contents(url: str) -> list[list[tuple[Any, ...]]]:
    """All rows of all tables, but for what no two loads have in common."""
    return [
        rows(url, f"select (to_jsonb(t) - array{list(chance)}::text[])::text as row from {table} as t order by 1")
        for table, chance in TABLES.items()
    ]


def empty(url: str) -> None:
    """Removes all rows."""
    with psycopg.connect(url) as connection:
        connection.execute(f"truncate {', '.join(TABLES)} cascade".encode())


def load(
    url: str,
    platform: Platform,
    sample: Sample,
    size: Size,
    now: datetime,
    opening: date | int,
    progress: Progress | None = None,
) -> Report:
    """Loads a sample into the app database of a URL."""
    settings = configuration.load(home=Path("unused"), **{platform.name: {"source_url": url}})
    return loading.load(sample, settings, deployment(settings, platform), size, now, opening, progress)


def empty_for(url: str, platform: Platform, sample: Sample) -> bool:
    """Whether a sample may go into the app database of a URL."""
    settings = configuration.load(home=Path("unused"), **{platform.name: {"source_url": url}})
    return loading.is_empty(sample, deployment(settings, platform))


def publisher(url: str, **limits: int) -> Callable[[], None]:
    """Ingest without Dagster, as a sample calls it."""

    def publish() -> None:
        settings = configuration.load(
            home=Path("unused"), bazaar={"source_url": url}, **({"snapshots": limits} if limits else {})
        )
        with opened(settings, deployment(settings, BAZAAR), "test") as ingest:
            for _ in ingest.flagged():
                pass

    return publish


def fill(
    url: str,
    size: GallerySize = SMALL,
    now: datetime = NOW,
    progress: Progress | None = None,
    *,
    days: int = DAYS,
    publish: Callable[[], None] | None = None,
) -> Report:
    """Loads a sample gallery with ingest, or with what takes its place."""

    def published(work: Work) -> None:
        (publish or publisher(url))()

    return load(url, BAZAAR, replace(SAMPLE, fill=partial(fill_gallery, publish=published)), size, now, days, progress)


def event_days(size: GallerySize, now: datetime, days: int = DAYS) -> Iterator[pa.Table]:
    """The events of a sample gallery, one table for each day of arrival."""
    return arrivals(build_gallery(size, make_calendar(now, days)))
