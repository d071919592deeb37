"""A sample gallery in a real database, loaded with ingest in the middle as the command does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from community_pipelines import settings as configuration
from community_pipelines.databases.deployment import deployment
from community_pipelines.embedded.sample import SampleReport, SampleSize, load
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.snapshots.ingest import opened

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
SMALL = SampleSize(templates=50, users=300, days=7, events_per_day=500)

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


def publisher(url: str, **limits: int) -> Callable[[], None]:
    """Ingest, as `load` calls it."""

    def publish() -> None:
        settings = configuration.load(
            home=Path("unused"), bazaar={"source_url": url}, **({"snapshots": limits} if limits else {})
        )
        with opened(settings, deployment(settings, BAZAAR), "test") as ingest:
            for _ in ingest.flagged():
                pass

    return publish


def fill(
    url: str, size: SampleSize = SMALL, now: datetime = NOW, progress: Callable[[str, int, int], None] | None = None
) -> SampleReport:
    """Loads a sample with ingest."""
    return load(url, size, now, publisher(url), progress)
