"""A stories database with jobs and segments for tests of upkeep: months of rows, raw day files, what is left after."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment, Names
from community_pipelines.lake.files import Lake, days_between
from community_pipelines.lake.ledger import METADATA_KEY, Ledger
from community_pipelines.maintenance.maintain import Line, Report, maintain
from community_pipelines.maintenance.partitions import month_of
from community_pipelines.maintenance.pins import archived_days
from community_pipelines.platforms.spec import Column, PartitionedTable, Platform, Stream, Table
from community_pipelines.settings import PlatformSettings
from tests.prepared import prepared

_JOBS_TEXT = ("type", "status", "stage", "message", "input_text", "error_code", "error_message", "idempotency_key")
_JOBS_NUMBERS = ("progress", "bible_version", "retry_count", "max_retries")
# All that a job has, so that values of every kind are archived.
JOBS = Table(
    "jobs",
    "public.jobs",
    "AI jobs.",
    (
        *(Column(name, "uuid", "An id.") for name in ("id", "scene_id", "user_id")),
        *(Column(name, "text", "A text.") for name in _JOBS_TEXT),
        *(Column(name, "integer", "A number.") for name in _JOBS_NUMBERS),
        *(Column(name, "jsonb", "JSON.") for name in ("context_data", "result_data")),
        *(Column(name, "timestamptz", "A time.") for name in ("created_at", "started_at", "completed_at")),
    ),
)
SEGMENTS = Table("segments", "public.segments", "Parts.", (Column("created_at", "timestamptz", "When it was added."),))
OLD_JOBS = PartitionedTable(JOBS, "created_at", 6)
ALL_SEGMENTS = PartitionedTable(SEGMENTS, "created_at", None)
STREAM = Stream(JOBS, "Jobs.", JOBS.columns, "id", "created_at", "id", ())
PLATFORM = Platform(
    name="stories",
    title="Stories",
    description="Stories with upkeep.",
    tables=(JOBS, SEGMENTS),
    streams=(STREAM,),
    dimensions=(),
    counter_tables=(),
    watched="jobs",
    partitioned=(OLD_JOBS, ALL_SEGMENTS),
)

# Values that a copy gets wrong easily: nothing and empty, quotes, line ends, backslashes, keys in an order.
_JOB = """
insert into public.jobs
    (scene_id, user_id, input_text, bible_version, message, context_data, created_at, idempotency_key)
select gen_random_uuid(), gen_random_uuid(),
    (array['plain', '', 'a "quote", a\nline and \\N', 'ümläut 😀'])[1 + n %% 4], n,
    case when n %% 2 = 0 then '' end,
    case when n %% 3 > 0 then jsonb_build_object('z', n, 'a', array[1.50, null], 'text', E'"\\n') end,
    %(start)s + n * interval '7 hours 0.123456 seconds', %(key)s || n
from generate_series(0, %(count)s - 1) as n
"""


def this_month(later: int = 0) -> datetime:
    """The first moment of this month in UTC, or of one so many months later."""
    return month_of(datetime.now(UTC), later)


def part(table: str, later: int) -> str:
    """The name of a month's partition."""
    return f"{table}_{this_month(later):%Y_%m}"


OLD = -8
OLD_PART = part("jobs", OLD)
RECENT = -6


@dataclass(frozen=True)
class Upkeep:
    """One stories database with its lake."""

    url: str
    lake: Lake
    tables: dict[str, str] = field(default_factory=dict)
    platform: Platform = PLATFORM

    @cached_property
    def deployment(self) -> Deployment:
        names = Names(self.platform, self.tables, {})
        return Deployment(self.platform, self.url, self.url, names, PlatformSettings())

    def sql(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def everywhere(self, setting: str, value: str) -> None:
        """Every new session of the database has that setting."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"alter database {connection.info.dbname} set {setting} = '{value}'".encode())

    def add_month(self, table: str, later: int) -> None:
        month = this_month(later)
        self.sql("select public.create_monthly_partition(%s, %s, %s)", (table, month.year, month.month))

    def add_jobs(self, later: int, count: int = 20, key: str = "key ") -> None:
        self.sql(_JOB, {"start": this_month(later), "count": count, "key": f"{later} {key}"})

    def cover(self, later: int, without: date | None = None) -> None:
        """Raw day files of a whole month; their rows are of no interest here."""
        first, after = this_month(later).date(), this_month(later + 1).date()
        for day in days_between(first, after - timedelta(days=1)):
            if day != without:
                self._raw_day(day)

    def _raw_day(self, day: date) -> None:
        path = self.lake.path("raw", "stories", "jobs", day)
        path.parent.mkdir(parents=True)
        ledger = Ledger("raw", "stories", "jobs", day, 0, "", "", "", "", datetime.now(UTC))
        pq.write_table(pa.table({"id": pa.array([], pa.string())}).replace_schema_metadata(ledger.to_metadata()), path)

    def maintain(
        self,
        *tables: PartitionedTable,
        months: int = 1,
        drop: bool = False,
        dry_run: bool = False,
        expendable: Collection[str] = (),
    ) -> Report:
        chosen, first_day = tables or self.platform.partitioned, date(2020, 1, 1)
        return maintain(self.deployment, chosen, self.lake, first_day, months, drop, dry_run, expendable)

    def partitions(self, table: str = "jobs") -> dict[str, str]:
        """The bounds of every partition, in UTC."""
        with psycopg.connect(self.url) as connection:
            connection.execute("set timezone = 'UTC'")
            rows = connection.execute(
                "select relname, pg_get_expr(relpartbound, pg_class.oid) from pg_inherits "
                "join pg_class on pg_class.oid = inhrelid where inhparent = to_regclass(%s) order by 1",
                (table,),
            ).fetchall()
        return dict(rows)

    def tables_there(self) -> list[str]:
        return [name for (name,) in self.sql("select tablename from pg_tables where schemaname = 'public' order by 1")]

    def state(self) -> dict[str, Any]:
        """All that a run leaves behind, without the times at which it was done."""
        return {
            "partitions": self.partitions(),
            "tables": self.tables_there(),
            "records": self.sql(
                "select partition_name, first_day, last_day, rows, content_hash, file, detach_began_at is not null, "
                "detached_at is not null, dropped_at is not null from community.archived_partitions order by 1"
            ),
            "keys": self.sql("select * from public.job_idempotency_keys order by 1"),
            "files": {str(path): pq.read_table(path).to_pylist() for path in self.files("cold")},
            "staged": self.files("staging"),
        }

    def files(self, folder: str) -> list[Path]:
        return sorted(path for path in (self.lake.root / folder).rglob("*") if path.is_file())


def make_upkeep(url: str, lake: Path) -> Upkeep:
    """The app's tables and ours, without partitions."""
    return Upkeep(prepared(url, "stories"), Lake(lake))


def said(report: Report, *whats: str) -> list[tuple[str, str]]:
    """What was done with which partition, without those that are merely kept; or only those of that kind."""
    lines: list[Line] = [one for one in report.lines if (one.what in whats if whats else one.what != "kept")]
    return [(one.partition, one.what) for one in lines]


def make_upkeep_with_old_jobs(url: str, lake: Path) -> Upkeep:
    """One month of jobs that is due, the next one missing, one that is not due yet."""
    made = make_upkeep(url, lake)
    for later in range(OLD, 2):
        made.add_month("segments", later)
        if later != OLD + 1:
            made.add_month("jobs", later)
    made.add_jobs(OLD)
    made.add_jobs(RECENT)
    made.cover(OLD)
    return made


class Killed(BaseException):
    """Ends a run where a signal would."""


def pins(upkeep: Upkeep) -> list[tuple[date, date, Path]]:
    with connect(upkeep.url, "the test") as connection:
        return archived_days(connection, "stories", "jobs")


def cold_file(upkeep: Upkeep) -> Path:
    return upkeep.lake.root / "cold" / "stories" / "jobs" / f"{OLD_PART}.parquet"


def jobs_in(upkeep: Upkeep, table: str) -> list[tuple[Any, ...]]:
    return upkeep.sql(f"select id::text, input_text, message, context_data::text from {table} order by id")


def kill(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: str, only: str = "") -> None:
    """Ends the run before or after a call of that function; with `only`, of a call that has that argument."""
    original = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if only and only not in args:
            return original(*args, **kwargs)
        if when == "before":
            raise Killed
        original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(owner, name, dying)


def falsify(path: Path) -> None:
    """Other texts under the same footer."""
    table = pq.read_table(path)
    changed = table.set_column(
        table.schema.get_field_index("input_text"), table.schema.field("input_text"), [["wrong"] * table.num_rows]
    )
    footer = pq.read_metadata(path).metadata[METADATA_KEY]
    with pq.ParquetWriter(path, changed.schema) as writer:
        writer.write_table(changed)
        writer.add_key_value_metadata({METADATA_KEY: footer})
