"""Loads the sample of stories into an empty app database.

Here: the checks before, the partitions and the order in which tables are written. Not here: what the sample consists
of (`sample_stories_world`, `…_scenes`, `…_jobs`, `…_moderation`), its rows at `now` (`…_tables`, `…_visits`), its
cached counters (`…_counters`) and creating tables (migrations).

There are two transactions: everything but views and likes, then these and the counters. A load that ended after the
first one is taken up again: the scene of rehearsals, which is marked as the sample's, says of which sample it is and
when it was begun, until there is a view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import adbc_driver_postgresql.dbapi as adbc

from community_pipelines.databases.connections import connect, place, said
from community_pipelines.embedded.sample_gallery import SampleError
from community_pipelines.embedded.sample_stories_counters import COUNTERS, count_carelessly
from community_pipelines.embedded.sample_stories_moderation import moderate
from community_pipelines.embedded.sample_stories_scenes import run_course
from community_pipelines.embedded.sample_stories_tables import MARK, tables
from community_pipelines.embedded.sample_stories_visits import likes, view_days
from community_pipelines.embedded.sample_stories_world import (
    StoriesSize,
    World,
    build_calendar,
    build_world,
    rehearsal_scene,
)

__all__ = ["SampleError", "StoriesReport", "StoriesSize", "is_empty", "load"]

Progress = Callable[[str, int, int], None]

VIEWS, LIKES = "scene_views", "likes"
_TABLES = (
    "users", "oauth_accounts", "topics", "user_topics", "categories", "ideas", "scenes", "jobs", "segments",
    "scene_bibles", "scene_summaries", "moderation_flags", VIEWS, LIKES,
)  # fmt: skip
_PARTITIONED = ("segments", "jobs")
_MONTHS_AHEAD = 3

_BEGUN = f"""
select id::text, updated_at from public.scenes where description = '{MARK.replace("'", "''")}'
"""

_TAKEN_BACK = "create temporary table sample_taken_back (id uuid primary key) on commit drop"
_TAKE_BACK = """
with taken_back as (
    delete from public.likes as liked using sample_taken_back as back where liked.id = back.id returning liked.*
)
insert into sample_forgotten
select target_id, count(*) from taken_back group by target_id
"""
_FORGOTTEN = "create temporary table sample_forgotten (target_id uuid primary key, likes bigint) on commit drop"


@dataclass(frozen=True)
class StoriesReport:
    """What was loaded. The days are UTC and full, but `jobs` are those of the year before, too, and all include today.

    `counters_off` counts the cached values (one of each topic, three of each idea, six of each scene) that differ
    from what was loaded.
    """

    first_day: date
    last_day: date
    users: int
    scenes: int
    segments: int
    jobs: int
    views: int
    counters_off: int


class _Cursor(Protocol):
    """What psycopg's and ADBC's cursors have in common."""

    def execute(self, query: Any, /) -> Any: ...

    def fetchone(self) -> Any: ...


def is_empty(url: str) -> bool:
    """Whether a sample may go into the app database: no row, or those of an unfinished sample.

    Raises SampleError when a table is missing, and DatabaseError.
    """
    with connect(url, "its URL") as connection, connection.cursor() as cursor:
        filled = _filled(cursor, url)
        return not filled or (VIEWS not in filled and _marked(cursor) is not None)


def load(
    url: str, size: StoriesSize, now: datetime, first_day: date, progress: Progress | None = None
) -> StoriesReport:
    """Fills the app database of a libpq URL with a sample that opens on `first_day`, after a year of rehearsals.

    What was begun with the same size and first day and not finished is gone on with, and ends when it would have
    ended then. The sample ends at `now` (with time zone); the same size and days give the same rows of its past.
    `progress` gets a stage's name, what is done and the total.

    Raises SampleError when a table is missing or has rows, or when the database refuses; DatabaseError when it cannot
    be reached.
    """
    show = progress or _silent
    build_calendar(now, first_day)
    with connect(url, "its URL") as connection, connection.cursor() as check:
        _begun(check, url, size, first_day)
    with _transaction(url, "nothing was kept") as cursor:
        begun = _begun(cursor, url, size, first_day)
        world = build_world(size, begun or now, first_day)
        if begun is None:
            _write_life(cursor, world, show)
    with _transaction(url, "all but views and likes was kept, load it again to go on") as cursor:
        _begun(cursor, url, size, first_day)
        return _write_visits(cursor, world, show)


@contextmanager
def _transaction(url: str, what_is_kept: str) -> Iterator[adbc.Cursor]:
    try:
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            # A second load waits here, and then finds rows.
            cursor.execute("lock table public.scenes in share row exclusive mode")
            yield cursor
            connection.commit()
    except adbc.Error as error:
        raise SampleError(f"the sample was not loaded into {place(url)}, {what_is_kept}: {said(error, url)}") from error


def _write_life(cursor: adbc.Cursor, world: World, progress: Progress) -> None:
    """Writes everything but views, likes and counters."""
    for year, month in world.calendar.months(_MONTHS_AHEAD):
        for table in _PARTITIONED:
            _value(cursor, f"select public.create_monthly_partition('{table}', {year}, {month})::text")
    course = run_course(world)
    for table, rows in tables(world, course, moderate(world, course.segments)):
        cursor.adbc_ingest(table, rows, mode="append", db_schema_name="public")
        cursor.execute(f"analyze public.{table}")
        progress(table.replace("_", " "), rows.num_rows, rows.num_rows)


def _write_visits(cursor: adbc.Cursor, world: World, progress: Progress) -> StoriesReport:
    views = 0
    expected = (world.calendar.days + 1) * world.size.views_per_day
    for rows in view_days(world):
        cursor.adbc_ingest(VIEWS, rows, mode="append", db_schema_name="public")
        views += rows.num_rows
        progress("views", views, max(views, expected))
    progress("views", views, views)

    liked, taken_back = likes(world)
    cursor.adbc_ingest(LIKES, liked, mode="append", db_schema_name="public")
    cursor.execute(_TAKEN_BACK)
    cursor.adbc_ingest("sample_taken_back", taken_back, mode="append", temporary=True)
    cursor.execute(_FORGOTTEN)
    cursor.execute(_TAKE_BACK)
    progress("likes", liked.num_rows, liked.num_rows)

    for table in (VIEWS, LIKES):
        cursor.execute(f"analyze public.{table}")
    off = 0
    for step, table in enumerate(COUNTERS, start=1):
        off += count_carelessly(cursor, table, world.calendar.now)
        progress("counters", step, len(COUNTERS))
    return StoriesReport(
        first_day=world.calendar.first_day,
        last_day=world.calendar.last_day,
        users=_rows(cursor, "users"),
        scenes=_rows(cursor, "scenes"),
        segments=_rows(cursor, "segments"),
        jobs=_rows(cursor, "jobs"),
        views=views,
        counters_off=off,
    )


def _begun(cursor: _Cursor, url: str, size: StoriesSize, first_day: date) -> datetime | None:
    """When the unfinished sample was begun that the database holds; None when it is empty. Raises SampleError."""
    filled = _filled(cursor, url)
    if not filled:
        return None
    marked = _marked(cursor)
    if marked is None or VIEWS in filled:
        raise SampleError(
            f"the database {place(url)} is not empty ({', '.join(filled)}): a sample goes into an empty one only"
        )
    scene, begun = marked
    if scene != str(rehearsal_scene(size, first_day)):
        raise SampleError(
            f"the database {place(url)} is not empty, it holds an unfinished sample of another size or first day: "
            "load that one to its end, or begin with an empty database"
        )
    return begun


def _marked(cursor: _Cursor) -> tuple[str, datetime] | None:
    cursor.execute(_BEGUN)
    marked: tuple[str, datetime] | None = cursor.fetchone()
    return marked


def _filled(cursor: _Cursor, url: str) -> list[str]:
    """Those of the tables that have rows."""
    filled = []
    for table in _TABLES:
        if _value(cursor, f"select to_regclass('public.{table}') is null"):
            raise SampleError(
                f"the database {place(url)} has no table {table}: create the tables first "
                "(community migrate --platform stories --app)"
            )
        if _value(cursor, f"select exists (select from public.{table})"):
            filled.append(table)
    return filled


def _rows(cursor: _Cursor, table: str) -> int:
    return int(_value(cursor, f"select count(*) from public.{table}"))


def _value(cursor: _Cursor, query: str) -> Any:
    cursor.execute(query)
    return cursor.fetchone()[0]


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
