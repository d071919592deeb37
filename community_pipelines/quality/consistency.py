"""What a day's rows must agree on with the rest of their source, counted by day with some of the offenders.

Here: rules in SQL that a platform declares (`Consistency`), asked in one snapshot of the source, and its examinations
of a day's file, for what SQL cannot say. Rules over one row are expectations of the stream (`profile`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from community_pipelines.databases.connections import Connection, connect, retried, snapshot
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.duck import parquet, session
from community_pipelines.lake.files import day_bounds
from community_pipelines.models.engine import declared_columns
from community_pipelines.platforms.spec import Consistency, Examination, ExaminedDay, Platform, Stream

if TYPE_CHECKING:
    import duckdb

SHOWN = 20


@dataclass(frozen=True)
class Offences:
    """How many rows of a day break a rule, and some of them as (what it is, what is wrong with it)."""

    count: int
    shown: Sequence[tuple[str, str]]


NONE = Offences(0, ())


@dataclass(frozen=True)
class FileOfDay:
    """A day's file with its source: what an examination looks at (`ExaminedDay`)."""

    connection: Connection
    deployment: Deployment
    engine: duckdb.DuckDBPyConnection
    stream: Stream
    day: date
    path: Path

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a DuckDB query over the day's accepted rows, the table `events`."""
        relation = parquet([self.path], declared_columns(self.stream.columns))
        self.engine.execute(f"create or replace view events as select * from {relation}")
        return self.engine.execute(query, parameters).fetchall()

    def ask(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query of the source, with tables and columns in braces and `%s` for parameters."""
        return self.connection.execute(self.deployment.names.fill(query).encode(), parameters).fetchall()

    def strays(self) -> list[tuple[str, str]]:
        """The ids of the source's rows of that day that lie in a default partition, with its name.

        Found by the partition's own constraint: which partition a row is in may only be asked by who may read all
        columns.
        """
        names, table = self.deployment.names, self.stream.table
        default = self.connection.execute(
            "select partdefid::regclass::text, coalesce(pg_get_partition_constraintdef(partdefid), 'true') "
            "from pg_partitioned_table where partrelid = to_regclass(%s) and partdefid <> 0",
            (names.table(table).as_string(),),
        ).fetchone()
        if default is None:
            return []
        strays = self.connection.execute(
            sql.SQL(
                "select {id}::text, %s from {table} where {time} >= %s and {time} < %s and ({outside}) order by 1"
            ).format(
                id=names.column(table, self.stream.id),
                table=names.table(table),
                time=names.column(table, self.stream.time),
                outside=sql.SQL(default[1]),
            ),
            (default[0], *day_bounds(self.day)),
        )
        return strays.fetchall()


def examinations(platform: Platform, stream: Stream) -> tuple[Examination, ...]:
    """The platform's own of that stream, and for a partitioned table whether its rows lie in their months."""
    own = tuple(one for one in platform.examinations if one.stream == stream.name)
    if stream.table.name not in {one.table.name for one in platform.partitioned}:
        return own
    what = f"{stream.name} in a default partition"
    return (*own, Examination(stream.name, f"{stream.name}_without_month", "warning", what, _without_month))


def _without_month(day: ExaminedDay) -> Iterator[tuple[str, str]]:
    for row, partition in day.strays():
        yield row, f"it is in {partition}: no month was there for it"


def inconsistencies(
    deployment: Deployment, rules: Sequence[Consistency], first: date, last: date
) -> dict[str, dict[date, Offences]]:
    """By rule and UTC day from first to last, where there are any, as the source says in one snapshot."""
    if not rules:
        return {}
    start, end = day_bounds(first)[0], day_bounds(last)[1]
    names = deployment.names
    with connect(deployment.source_url, deployment.source_setting) as connection:

        def ask() -> dict[str, dict[date, Offences]]:
            with snapshot(connection):
                return {
                    rule.name: _by_day(
                        connection,
                        names.fill(rule.broken, start=f"'{start:%Y-%m-%d}+00'", end=f"'{end:%Y-%m-%d}+00'"),
                    )
                    for rule in rules
                }

        return retried(ask)


def examined(deployment: Deployment, stream: Stream, files: Mapping[date, Path]) -> dict[str, dict[date, Offences]]:
    """By examination and day of the stream, where there are any."""
    asked = examinations(deployment.platform, stream)
    if not asked:
        return {}
    with connect(deployment.source_url, deployment.source_setting) as connection, session() as engine:
        found: dict[str, dict[date, Offences]] = {}
        for one in asked:
            for day, path in files.items():
                offenders = list(one.look(FileOfDay(connection, deployment, engine, stream, day, path)))
                if offenders:
                    found.setdefault(one.name, {})[day] = Offences(len(offenders), offenders[:SHOWN])
        return found


def _by_day(connection: Connection, broken: str) -> dict[date, Offences]:
    rows = connection.execute(
        sql.SQL(
            """
            select (happened at time zone 'UTC')::date, count(*),
                (array_agg(subject::text order by subject::text, what))[1:{shown}],
                (array_agg(what order by subject::text, what))[1:{shown}]
            from ({broken}) as broken (happened, subject, what)
            group by 1
            """
        ).format(shown=sql.Literal(SHOWN), broken=sql.SQL(broken))
    ).fetchall()
    return {day: Offences(count, list(zip(subjects, whats, strict=True))) for day, count, subjects, whats in rows}
