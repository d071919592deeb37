"""All care for the partitioned tables of one platform, and the report of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from psycopg import errors

from community_pipelines.databases.connections import Connection, connect, writing
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.files import Lake
from community_pipelines.maintenance.archive import Archive
from community_pipelines.maintenance.cold import ArchiveError
from community_pipelines.maintenance.partitions import (
    Month,
    PartitionError,
    create_month,
    gaps,
    months,
    partitions,
    rows_in,
)
from community_pipelines.maintenance.pins import records
from community_pipelines.platforms.spec import PartitionedTable

MONTHS_AHEAD = 3
# What a person has to look at.
FAULTS = ("conflict", "gap", "stray rows", "refused")


@dataclass(frozen=True)
class Line:
    """What became of one partition, or would: created, kept, archived, detached, dropped, or one of FAULTS."""

    table: str
    partition: str
    what: str
    rows: int | None = None
    why: str = ""


@dataclass(frozen=True)
class Report:
    """All lines, in the order of the work."""

    platform: str
    dry_run: bool
    lines: tuple[Line, ...]

    @property
    def faults(self) -> list[Line]:
        """Lines that a person has to look at."""
        return [line for line in self.lines if line.what in FAULTS]


def maintain(
    deployment: Deployment,
    tables: Sequence[PartitionedTable],
    lake: Lake,
    first_day: date,
    months_ahead: int = MONTHS_AHEAD,
    drop: bool = False,
    dry_run: bool = False,
    expendable: Collection[str] = (),
) -> Report:
    """Makes partitions ahead of time, then archives and detaches old ones; says what is wrong with them.

    `first_day` is the first partition of the lake: older days are not in it, and only archived.

    With `drop`, detached partitions whose archive is verified are dropped; one that holds columns which are not in the
    archive only where `expendable` names these, as `table.column`. With `dry_run` nothing is written, in the
    database or in the lake. Raises PartitionError for a table that is not there or not partitioned, ArchiveError when
    another one is at work, DatabaseError when the primary cannot be used.
    """
    lines: list[Line] = []
    planned: dict[str, list[Month]] = {}
    with connect(deployment.maintain_url, deployment.maintain_setting) as connection:
        # First of all tables: a month that lacks its partition fails inserts, an old one only takes room.
        for one in tables:
            existing = partitions(connection, deployment, one)
            planned[one.table.name] = months(connection, deployment, one, existing, months_ahead)
            lines += _made_ahead(connection, deployment, one, planned[one.table.name], dry_run)
        with _alone(deployment, dry_run):
            for one in tables:
                covered = covered_by(deployment, one, lake, first_day)
                archive = Archive(deployment, one, lake, covered, connection, expendable)
                for step in archive.take_care(drop, dry_run):
                    lines.append(Line(one.table.name, step.partition, step.what, step.rows, step.why))
        for one in tables:
            lines += _faults(connection, deployment, one, [m for m in planned[one.table.name] if not m.fault])
    return Report(deployment.platform.name, dry_run, tuple(lines))


def covered_by(deployment: Deployment, one: PartitionedTable, lake: Lake, first_day: date) -> Callable[[date], bool]:
    """Whether a day is in the lake, or before its first: every stream that copies the table by the same time has its
    file, unbroken."""
    platform = deployment.platform
    names = [s.name for s in platform.streams if (s.table.name, s.time) == (one.table.name, one.time)]

    def covered(day: date) -> bool:
        return bool(names) and (
            day < first_day or all(lake.look("raw", platform.name, name, day)[0] is not None for name in names)
        )

    return covered


@contextmanager
def _alone(deployment: Deployment, dry_run: bool) -> Iterator[None]:
    """Only one archives a platform at a time; the lock has a connection of its own, which does nothing else."""
    if dry_run:
        yield
        return
    name = deployment.platform.name
    with connect(deployment.maintain_url, deployment.maintain_setting) as own:
        entered = False
        try:
            with writing(own, f"maintain:{name}", idle_in_transaction_session_timeout="0"):
                # A portal of the extended protocol keeps its snapshot until the next query, and a detach that is
                # finalized waits for every older snapshot, this one too.
                own.execute("select")
                entered = True
                yield
        except errors.LockNotAvailable:
            if entered:
                raise
            raise ArchiveError(
                f"another `community maintain` is at work on {name}; run it again when that has ended"
            ) from None


def _made_ahead(
    connection: Connection, deployment: Deployment, one: PartitionedTable, wanted: Sequence[Month], dry_run: bool
) -> Iterator[Line]:
    table = one.table.name
    for month in wanted:
        if month.fault:
            yield Line(table, month.name, "conflict", None, month.fault)
        elif month.exists:
            yield Line(table, month.name, "kept", None, f"{month.start:%Y-%m} has its partition")
        elif dry_run:
            yield Line(table, month.name, "would create", None, f"for {month.start:%Y-%m}")
        else:
            try:
                made = create_month(connection, deployment, one, month)
            except PartitionError as error:
                yield Line(table, month.name, "conflict", None, str(error))
            else:
                yield Line(table, month.name, "created" if made else "kept", None, f"for {month.start:%Y-%m}")


def _faults(
    connection: Connection, deployment: Deployment, one: PartitionedTable, planned: Sequence[Month]
) -> Iterator[Line]:
    """What is wrong with the partitions, months that would be created and archived ones being there."""
    table = one.table.name
    existing = partitions(connection, deployment, one)
    for part in existing:
        if part.is_default and (rows := rows_in(connection, part)):
            yield Line(table, part.name, "stray rows", rows, "no partition took them: create their months, move them")
    out = [record.span for record in records(connection, deployment.platform.name, table) if record.detach_began_at]
    for start, end in gaps(existing, [*out, *((month.start, month.end) for month in planned)]):
        why = f"no partition from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, inserts fail there: create it"
        yield Line(table, "", "gap", None, why)
