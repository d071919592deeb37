"""Loads a sample into an empty app database: the checks before, two transactions, what is counted at the end.

There are two transactions, so that what takes long, or needs what was written before, can come after the first one. A
load that ended between them is taken up again: until the second one ends a table `community.unfinished_sample` says of
which size the sample is and when it was begun. Not here: what is written, and creating tables (migrations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol

import adbc_driver_postgresql.dbapi as adbc
import numpy as np

from community_pipelines.databases.connections import connect, said
from community_pipelines.databases.connections import place as where
from community_pipelines.databases.deployment import Deployment
from community_pipelines.samples.calendar import Calendar, make_calendar
from community_pipelines.samples.chance import dice
from community_pipelines.samples.counters import count_carelessly
from community_pipelines.samples.spec import Sample, SampleError, Size
from community_pipelines.samples.writing import Writer
from community_pipelines.settings import Settings

Progress = Callable[[str, int, int], None]

_MARK = "community.unfinished_sample"
# A second load waits here, and then finds rows.
_LOCK = "select pg_advisory_xact_lock(hashtext('community sample'))::text"


@dataclass(frozen=True)
class Report:
    """What was loaded. The days are UTC and full; what is counted includes today.

    `counters_off` counts the cached counters that differ from their truth.
    """

    title: str
    first_day: date
    last_day: date
    counted: dict[str, int]
    counters_off: int

    @property
    def line(self) -> str:
        """All of it, for people."""
        things = ", ".join(f"{count:,} {name}" for name, count in self.counted.items())
        return (
            f"sample {self.title}: {things} from {self.first_day} to {self.last_day} and today; "
            f"{self.counters_off:,} cached counters are off"
        )


class _Cursor(Protocol):
    """What psycopg's and ADBC's cursors have in common."""

    def execute(self, query: Any, /) -> Any: ...

    def fetchone(self) -> Any: ...


@dataclass
class Work:
    """One load: what a platform's `fill` needs to know, and its two transactions.

    `resumed` says that `begin` was done by an earlier load, and must not be done again.
    """

    sample: Sample
    settings: Settings
    place: Deployment
    size: Any
    calendar: Calendar
    resumed: bool
    progress: Progress
    counters_off: int = 0
    counted: dict[str, int] = field(default_factory=dict)

    def dice(self, part: str, *more: int) -> np.random.Generator:
        """Dice of their own for each part of the sample."""
        return dice(self.size.seed, part, *more)

    @contextmanager
    def begin(self) -> Iterator[Writer]:
        """The first transaction; what it wrote is kept when a later step fails."""
        with self._transaction("nothing was kept") as writer:
            if _filled(writer.cursor, self.sample, self.place):
                raise _not_empty(writer.cursor, self.sample, self.place)
            yield writer
            begun = datetime.fromtimestamp(self.calendar.now / 1e6, UTC)
            writer.execute(
                f"create table {_MARK} as select timestamptz '{begun}' as begun, "
                f"date '{self.calendar.first_day}' as first_day, '{self.size!r}'::text as size"
            )

    @contextmanager
    def complete(self) -> Iterator[Writer]:
        """The last transaction: at its end cached counters are set, and the sample is finished."""
        with self._transaction("what was begun was kept, load it again to go on") as writer:
            if _mark(writer.cursor) is None and _filled(writer.cursor, self.sample, self.place):
                raise _not_empty(writer.cursor, self.sample, self.place)
            yield writer
            self.counters_off = count_carelessly(writer, self.place)
            writer.execute(f"drop table if exists {_MARK}")
            for table in self.sample.tables:
                writer.execute(f"analyze {_quoted(table)}")
            for name, table in self.sample.counted.items():
                self.counted[name] = int(writer.value(f"select count(*) from {_quoted(table)}"))

    @contextmanager
    def _transaction(self, what_is_kept: str) -> Iterator[Writer]:
        url = self.place.source_url
        try:
            with adbc.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute(_LOCK)
                yield Writer(cursor, self.calendar.now, self.progress)
                connection.commit()
        except adbc.Error as error:
            message = f"the sample was not loaded into {where(url)}, {what_is_kept}: {said(error, url)}"
            raise SampleError(message) from error


def is_empty(sample: Sample, place: Deployment) -> bool:
    """Whether a sample may go into the app database: no row, or those of an unfinished sample.

    Raises SampleError when a table is missing, and DatabaseError.
    """
    with connect(place.source_url, place.source_setting) as connection, connection.cursor() as cursor:
        return not _filled(cursor, sample, place) or _mark(cursor) is not None


def load(
    sample: Sample,
    settings: Settings,
    place: Deployment,
    size: Size,
    now: datetime,
    opening: date | int,
    progress: Progress | None = None,
) -> Report:
    """Fills an app database with a sample that opens on that day, or so many full days before `now`.

    What was begun with the same size and first day and not finished is gone on with, and ends when it would have ended
    then. The sample ends at `now` (with time zone); the same size and days give the same rows for its full days.
    `progress` gets a stage's name, what is done and the total.

    Raises SampleError when a table is missing or has rows, or when the database refuses; DatabaseError when it cannot
    be reached.
    """
    calendar = make_calendar(now, opening)
    with connect(place.source_url, place.source_setting) as connection, connection.cursor() as check:
        filled, mark = _filled(check, sample, place), _mark(check)
        if filled and mark is None:
            raise _not_empty(check, sample, place)
    if mark is not None:
        begun, first_day, of_size = mark
        calendar = make_calendar(begun, opening)
        if (first_day, of_size) != (calendar.first_day, repr(size)):
            raise SampleError(
                f"the database {where(place.source_url)} is not empty, it holds an unfinished sample of another size "
                "or first day: load that one to its end, or begin with an empty database"
            )
    work = Work(sample, settings, place, size, calendar, mark is not None, progress or _silent)
    sample.fill(work)
    return Report(sample.title, calendar.first_day, calendar.last_day, work.counted, work.counters_off)


def _mark(cursor: _Cursor) -> tuple[datetime, date, str] | None:
    """When the unfinished sample was begun that the database holds, its first day and its size."""
    if _value(cursor, f"select to_regclass('{_MARK}') is null"):
        return None
    cursor.execute(f"select begun, first_day, size from {_MARK}")
    mark: tuple[datetime, date, str] = cursor.fetchone()
    return mark


def _filled(cursor: _Cursor, sample: Sample, place: Deployment) -> list[str]:
    """Those of the tables that have rows."""
    filled = []
    for table in sample.tables:
        if _value(cursor, f"select to_regclass('{_quoted(table)}') is null"):
            raise SampleError(
                f"the database {where(place.source_url)} has no table {table}: create the tables first "
                f"(community migrate --platform {place.platform.name} --app)"
            )
        if _value(cursor, f"select exists (select from {_quoted(table)})"):
            filled.append(table)
    return filled


def _not_empty(cursor: _Cursor, sample: Sample, place: Deployment) -> SampleError:
    filled = ", ".join(_filled(cursor, sample, place))
    return SampleError(
        f"the database {where(place.source_url)} is not empty ({filled}): a sample goes into an empty one only"
    )


def _quoted(table: str) -> str:
    schema, _, name = table.rpartition(".")
    return f'{schema or "public"}."{name}"'


def _value(cursor: _Cursor, query: str) -> Any:
    cursor.execute(query)
    return cursor.fetchone()[0]


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
