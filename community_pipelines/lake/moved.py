"""Rows that left their day, and ids that two days have: a row is counted on the day where the source has it now.

A row that is gone from its day and still there by its id has moved; one that is there no more was deleted. Where
PostgreSQL does not guarantee that ids are unique, an id is one row, on the earliest of its days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from community_pipelines.databases.connections import connect, retried, snapshot
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.duck import literal
from community_pipelines.lake.files import Lake
from community_pipelines.lake.queries import has_day
from community_pipelines.platforms.spec import Stream

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Repeats:
    """What other days have of a day's ids.

    `counted_elsewhere` are ids that count on an earlier day and are duplicates on this one; `of` says which days these
    are, with the content hashes that their files had. `also_on` are later days whose files still have ids that count
    on this one.
    """

    counted_elsewhere: tuple[str, ...] = ()
    of: Mapping[date, str] = field(default_factory=dict)
    also_on: tuple[date, ...] = ()

    def notes(self) -> dict[str, object]:
        """What a ledger keeps of it."""
        of = {str(day): content_hash for day, content_hash in self.of.items()}
        also_on = [str(day) for day in self.also_on]
        return {name: noted for name, noted in (("repeats_of", of), ("also_on", also_on)) if noted}


NO_REPEATS = Repeats()


def ids_of(paths: Sequence[Path], stream: Stream) -> str:
    """SQL for the ids, as text, that those files of a stream have; rows without an id have none."""
    listed = ", ".join(literal(str(path)) for path in paths)
    if not paths:
        return "(select null::varchar as id where false)"
    return (
        f"(select distinct {stream.id}::varchar as id from read_parquet([{listed}], hive_partitioning = false, "
        f"union_by_name = true) where {stream.id} is not null)"
    )


def vanished(
    engine: duckdb.DuckDBPyConnection, stream: Stream, before: Sequence[Path], after: Sequence[Path]
) -> list[str]:
    """The ids that the files of a day had before and have no more."""
    rows = engine.execute(f"select id from {ids_of(before, stream)} anti join {ids_of(after, stream)} using (id)")
    return [row[0] for row in rows.fetchall()]


def still_there(deployment: Deployment, stream: Stream, ids: Sequence[str]) -> int:
    """How many of those ids the source has, on whatever day, or on none."""
    if not ids:
        return 0
    names = deployment.names
    query = sql.SQL(
        "select count(*) from unnest(%s::text[]) as given (id) "
        "where exists (select from {table} as present where present.{id} = given.id::{type})"
    ).format(
        table=names.table(stream.table),
        id=names.column(stream.table, stream.id),
        type=sql.SQL(stream.table.column(stream.id).type),
    )
    with connect(deployment.source_url, deployment.source_setting) as source:

        def ask() -> int:
            with snapshot(source):
                row = source.execute(query, (list(ids),)).fetchone()
                assert row is not None
                return int(row[0])

        return retried(ask)


def days_of(deployment: Deployment, stream: Stream, ids: Iterable[str]) -> dict[str, list[date]]:
    """The UTC days on which the source has rows of those ids, ascending."""
    names = deployment.names
    time = names.column(stream.table, stream.time)
    zoned = stream.table.column(stream.time).type == "timestamptz"
    query = sql.SQL(
        "select {id}::text, array_agg(distinct ({day})::date) from {table} "
        "where {id} = any(%s::{type}[]) and {has_day} group by 1"
    ).format(
        id=names.column(stream.table, stream.id),
        day=sql.SQL("{} at time zone 'UTC'").format(time) if zoned else time,
        has_day=has_day(deployment, stream),
        table=names.table(stream.table),
        type=sql.SQL(stream.table.column(stream.id).type),
    )
    with connect(deployment.source_url, deployment.source_setting) as source:

        def ask() -> dict[str, list[date]]:
            with snapshot(source):
                return {key: sorted(days) for key, days in source.execute(query, (list(ids),)).fetchall()}

        return retried(ask)


def on_other_days(
    engine: duckdb.DuckDBPyConnection,
    stream: Stream,
    staged: Mapping[date, Path],
    others: Mapping[date, Path],
    among_themselves: bool,
) -> dict[date, dict[str, set[date]]]:
    """By staged day its ids that other days have, each with these days.

    `others` are day files of the lake; with `among_themselves` the staged days are compared with each other, too.
    """

    def listed(files: Mapping[date, Path]) -> str:
        days = ", ".join(f"({literal(str(path))}, date {literal(str(day))})" for day, path in files.items())
        paths = ", ".join(literal(str(path)) for path in files.values())
        return (
            f"(select {stream.id} as id, named.day from read_parquet([{paths}], hive_partitioning = false, "
            f"filename = '_file') as rows join (values {days}) as named(path, day) on named.path = rows._file)"
        )

    found: dict[date, dict[str, set[date]]] = {}
    pairs: list[tuple[date, str, date]] = []
    if others and staged:
        pairs += engine.execute(
            f"select distinct new.day, new.id::varchar, old.day "
            f"from {listed(staged)} as new join {listed(others)} as old using (id)"
        ).fetchall()
    if among_themselves and len(staged) > 1:
        repeated = engine.execute(
            f"select id::varchar, list(distinct day) from {listed(staged)} where id is not null "
            "group by id having min(day) <> max(day)"
        ).fetchall()
        pairs += [(one, key, other) for key, days in repeated for one in days for other in days if one != other]
    for day, key, other in pairs:
        found.setdefault(day, {}).setdefault(key, set()).add(other)
    return found


def repeats(
    of_day: Mapping[str, Set[date]],
    day: date,
    in_source: Mapping[str, Sequence[date]],
    content_hashes: Mapping[date, str],
) -> Repeats:
    """What is to be done about a day's ids that other days' files have, too, by the days on which the source has them.

    Of the days that have a file, the earliest on which the source has an id is the one where it counts.
    """
    elsewhere, of, also_on = [], {}, set()
    for key, others in sorted(of_day.items()):
        real = [one for one in in_source.get(key, ()) if one == day or one in others]
        if not real:
            continue
        if real[0] == day:
            also_on |= set(real[1:])
        elif day in real:
            elsewhere.append(key)
            of[real[0]] = content_hashes[real[0]]
    return Repeats(tuple(elsewhere), of, tuple(sorted(also_on)))


def days_to_read_again(lake: Lake, platform: str, stream: str, days: Sequence[date]) -> dict[date, str]:
    """The days whose files have an id that counts on another day by now, or lack one that counts here again; with what
    tells one such state from another."""
    looked = {day: lake.look("raw", platform, stream, day)[0] for day in days}
    ledgers = {day: ledger for day, ledger in looked.items() if ledger is not None}
    found = {}
    for day, ledger in ledgers.items():
        for noted, content_hash in ledger.measures.get("repeats_of", {}).items():
            other = ledgers.get(date.fromisoformat(noted))
            if other is None or other.content_hash != content_hash:
                found[day] = f"repeats:{noted}:{other.content_hash if other else '-'}"
        for noted in ledger.measures.get("also_on", ()):
            other = ledgers.get(date.fromisoformat(noted))
            if other is not None and other.read_at < ledger.read_at:
                found[other.day] = f"repeats:{day}:{ledger.content_hash}"
    return found
