"""Days that have to be read again, found by comparing fingerprints: a row arrived late, changed, or moved away.

A row that is gone from its day and still there by its id has moved: the day that lost it is stale, as is the day that
gained it. A deletion alone never makes a day stale: where rows are gone altogether, the source's fingerprint is
remembered in `community.deletions_seen`, so that the ids are compared once and not every night.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType

from psycopg import sql

from community_pipelines.databases.connections import Connection, connect, retried, snapshot
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.duck import first_row, literal, session
from community_pipelines.lake.files import Lake, day_bounds
from community_pipelines.lake.ledger import DamagedError, Ledger
from community_pipelines.lake.moved import still_there
from community_pipelines.lake.queries import row_state
from community_pipelines.platforms.spec import Stream

Fingerprint = tuple[int, int]
# What was judged before lost ids were looked for on other days is judged again.
RULE = 2


def source_fingerprints(
    connection: Connection, deployment: Deployment, stream: Stream, first: date, last: date
) -> dict[date, Fingerprint]:
    """Count and xor of id hashes of every UTC day from first to last that has rows, computed in PostgreSQL."""
    time = deployment.names.column(stream.table, stream.time)
    zoned = stream.table.column(stream.time).type == "timestamptz"
    low, high = day_bounds(first)[0], day_bounds(last)[1]
    rows = connection.execute(
        sql.SQL(
            """
            select ({day})::date, count(*), coalesce(bit_xor(hashtextextended({state}, 0)), 0)
            from {table} where {time} >= %s and {time} < %s group by 1
            """
        ).format(
            day=sql.SQL("{} at time zone 'UTC'").format(time) if zoned else time,
            state=row_state(deployment, stream),
            table=deployment.names.table(stream.table),
            time=time,
        ),
        (low, high) if zoned else (low.replace(tzinfo=None), high.replace(tzinfo=None)),
    ).fetchall()
    return {day: (int(count), int(xor)) for day, count, xor in rows}


def late_days(
    deployment: Deployment,
    stream: Stream,
    lake: Lake,
    days: Sequence[date],
    kept_back: Mapping[date, Fingerprint] = MappingProxyType({}),
) -> dict[date, Fingerprint]:
    """The days among `days` (ascending) that have to be read again, with the source's fingerprint.

    A day with a file has to when the source holds a row that the file lacks; a day in `kept_back`, which was
    withheld with that fingerprint, when the source has changed since.
    """
    if not days:
        return {}
    platform = deployment.platform.name
    with connect(deployment.source_url, deployment.source_setting) as source:

        def compare() -> dict[date, Fingerprint]:
            with snapshot(source):
                return source_fingerprints(source, deployment, stream, days[0], days[-1])

        now = retried(compare)
    different: dict[date, tuple[Ledger, Fingerprint]] = {}
    stale = {day: now.get(day, (0, 0)) for day, then in kept_back.items() if now.get(day, (0, 0)) != then}
    for day in days:
        ledger = None if day in kept_back else lake.look("raw", platform, stream.name, day)[0]
        if ledger is not None and now.get(day, (0, 0)) != tuple(ledger.fingerprint):
            different[day] = (ledger, now.get(day, (0, 0)))
    with connect(deployment.publish_url, deployment.publish_setting) as primary:
        known = _deletions_seen(primary, platform, stream.name)
        for day, (ledger, present) in different.items():
            # What was seen before this file was read says nothing about it.
            state, seen_at = known.get(day, (None, datetime.min.replace(tzinfo=UTC)))
            if state == present and seen_at > ledger.read_at:
                continue
            if present[0] > ledger.fingerprint[0] or _has_other_rows(deployment, stream, lake, day):
                stale[day] = present
            else:
                _remember_deletion(primary, platform, stream.name, day, present)
    return stale


def _has_other_rows(deployment: Deployment, stream: Stream, lake: Lake, day: date) -> bool:
    """Whether the source's day holds a row that neither the file nor its quarantine has in that state, or whether a
    row that they have is on another day, or on none, by now.

    Damaged files have none that is known.
    """
    try:
        return _compared(deployment, stream, lake, day)
    except DamagedError:
        return True


def _compared(deployment: Deployment, stream: Stream, lake: Lake, day: date) -> bool:
    import pyarrow as pa

    names = deployment.names
    zoned = stream.table.column(stream.time).type == "timestamptz"
    low, high = day_bounds(day)
    query = sql.SQL("select {id}::text, {state} from {table} where {time} >= %s and {time} < %s").format(
        id=names.column(stream.table, stream.id),
        state=row_state(deployment, stream),
        table=names.table(stream.table),
        time=names.column(stream.table, stream.time),
    )
    bounds = (low, high) if zoned else (low.replace(tzinfo=None), high.replace(tzinfo=None))
    name = (deployment.platform.name, stream.name, [day])
    with (
        lake.pinned("raw", *name) as accepted,
        lake.pinned("quarantine", *name) as broken,
        connect(deployment.source_url, deployment.source_setting) as source,
        session() as engine,
    ):
        listed = ", ".join(literal(str(path)) for path in accepted + broken)
        found = source.execute(query, bounds).fetchall()
        ids, states = ([row[column] for row in found] for column in (0, 1))
        engine.register("present", pa.table({"id": pa.array(ids, pa.string()), "state": pa.array(states, pa.string())}))
        columns = "".join(f", coalesce({name}::varchar, '')" for name in stream.fingerprinted)
        engine.execute(
            f"""
            create temp table known as
            select {stream.id}::varchar as id, concat_ws('|', {stream.id}::varchar{columns}) as state
            from read_parquet([{listed}], hive_partitioning = false, union_by_name = true)
            """
        )
        if any(first_row(engine, "select count(*) from present anti join known using (state)")):
            return True
        gone = engine.execute(
            "select distinct id from known anti join present using (id) where id is not null"
        ).fetchall()
    return still_there(deployment, stream, [row[0] for row in gone]) > 0


def _deletions_seen(connection: Connection, platform: str, stream: str) -> dict[date, tuple[Fingerprint, datetime]]:
    rows = connection.execute(
        """
        select day, source_rows, source_ids_xor, seen_at
        from community.deletions_seen
        where platform = %s and stream = %s and rule = %s
        """,
        (platform, stream, RULE),
    ).fetchall()
    return {day: ((count, xor), seen_at) for day, count, xor, seen_at in rows}


def _remember_deletion(connection: Connection, platform: str, stream: str, day: date, present: Fingerprint) -> None:
    connection.execute(
        """
        insert into community.deletions_seen (platform, stream, day, source_rows, source_ids_xor, rule)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (platform, stream, day) do update set
            source_rows = excluded.source_rows, source_ids_xor = excluded.source_ids_xor, rule = excluded.rule,
            seen_at = now()
        """,
        (platform, stream, day, *present, RULE),
    )


def days_with_deletions(deployment: Deployment, stream: Stream) -> list[date]:
    """The days whose files have rows that were gone from the source when they were last compared."""
    with connect(deployment.publish_url, deployment.publish_setting) as primary:
        return sorted(_deletions_seen(primary, deployment.platform.name, stream.name))


def compare_again(deployment: Deployment, stream: Stream, days: Collection[date]) -> None:
    """Forgets the deletions of those days: what was deleted there is on another day now, so they are compared anew."""
    with connect(deployment.publish_url, deployment.publish_setting) as primary:
        primary.execute(
            "update community.deletions_seen set rule = null where platform = %s and stream = %s and day = any(%s)",
            (deployment.platform.name, stream.name, list(days)),
        )
