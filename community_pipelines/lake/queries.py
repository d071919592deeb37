"""SQL for a stream's rows in its source: a day of them, what tells one from another, which of them have a day.

Only the text of queries; who asks them, in which snapshot, is in `extract.py`, `late.py`, `moved.py` and `counters/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from psycopg import sql

from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.files import day_bounds
from community_pipelines.platforms.spec import Column, Stream, Table

# The column that a day's query gives beside those of the stream.
FINGERPRINT = "_fingerprint"
# No row has a day beyond these, be its time infinite or before Christ.
FIRST_TIME, END_OF_TIMES = sql.Literal("0001-01-02"), sql.Literal("9999-12-30")


def oldest_query(deployment: Deployment, stream: Stream) -> sql.Composed:
    """SQL for the time of the oldest row; times that belong to no day are left out."""
    return sql.SQL("select min({})::timestamptz from {} where {}").format(
        _time(deployment, stream), deployment.names.table(stream.table), has_day(deployment, stream)
    )


def unique_id_query(deployment: Deployment, stream: Stream) -> sql.Composed:
    """SQL for whether PostgreSQL itself guarantees that no id repeats, and whether it guarantees that none is null."""
    names = deployment.names
    # An index of a table does not cover the tables that inherit from it; one of a partitioned table does.
    return sql.SQL(
        """
        select count(*) > 0, coalesce(bool_and(attnotnull), false)
        from pg_index
        join pg_class on pg_class.oid = indrelid
        join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where indrelid = {}::regclass and indisunique and indisvalid and indpred is null
            and indnkeyatts = 1 and attname = {} and (relkind = 'p' or not relhassubclass)
        """
    ).format(
        sql.Literal(names.table(stream.table).as_string()),
        sql.Literal(names.column_name(stream.table, stream.id)),
    )


def once_order(deployment: Deployment, stream: Stream) -> sql.Composed:
    """SQL for the order in which the first row of each id is the one that counts, here and in the truth of counters.

    It is the earliest one that belongs to a day; among rows of one moment the columns that are copied decide, as text.
    """
    names = deployment.names
    others = (
        column.name for column in stream.columns if column.name not in (stream.id, stream.time) and not column.optional
    )
    return sql.SQL(", ").join(
        [
            names.column(stream.table, stream.id),
            sql.SQL("({}) is not true").format(has_day(deployment, stream)),
            names.column(stream.table, stream.time),
            *(sql.SQL('{}::text collate "C"').format(names.column(stream.table, name)) for name in others),
        ]
    )


def has_day(deployment: Deployment, stream: Stream) -> sql.Composed:
    """SQL for whether a row's time belongs to a day."""
    return sql.SQL("{time} >= {first} and {time} < {end}").format(
        time=deployment.names.column(stream.table, stream.time), first=FIRST_TIME, end=END_OF_TIMES
    )


def _time(deployment: Deployment, stream: Stream) -> sql.Composable:
    column = stream.table.column(stream.time)
    return _as_timestamptz(deployment.names.column(stream.table, stream.time), column)


def _as_timestamptz(name: sql.Composable, column: Column) -> sql.Composable:
    return sql.SQL("({} at time zone 'UTC')").format(name) if column.type == "timestamp" else name


def row_state(deployment: Deployment, stream: Stream) -> sql.Composable:
    """SQL for what makes a row another row: its id, and the columns that may change, as one text."""
    id_text = sql.SQL("{}::text").format(deployment.names.column(stream.table, stream.id))
    if not stream.fingerprinted:
        return id_text
    states = (
        sql.SQL("coalesce({}::text, '')").format(deployment.names.column(stream.table, name))
        for name in stream.fingerprinted
    )
    return sql.SQL("concat_ws('|', {})").format(sql.SQL(", ").join([id_text, *states]))


def selected(deployment: Deployment, table: Table, column: Column) -> sql.Composed:
    """SQL for a column as it is copied; null where the database lacks an optional one."""
    name: sql.Composable = deployment.names.column(table, column.name)
    if not deployment.names.has(table, column):
        name = sql.SQL("null::{}").format(sql.SQL(column.type))
    alias = sql.Identifier(column.name)
    if column.type in ("text", "jsonb"):
        return sql.SQL("{}::text as {}").format(name, alias)
    return sql.SQL("{} as {}").format(_as_timestamptz(name, column), alias)


def _in_day(deployment: Deployment, stream: Stream, day: date) -> sql.Composed:
    start, end = day_bounds(day)
    column = stream.table.column(stream.time)
    name = deployment.names.column(stream.table, stream.time)
    shown = "%Y-%m-%d %H:%M:%S" + ("+00" if column.type == "timestamptz" else "")
    return sql.SQL("{name} >= {start}::{type} and {name} < {end}::{type}").format(
        name=name,
        start=sql.Literal(start.strftime(shown)),
        end=sql.Literal(end.strftime(shown)),
        type=sql.SQL(column.type),
    )


def day_query(deployment: Deployment, stream: Stream, day: date, elsewhere: Sequence[str] | None) -> sql.Composed:
    """SQL for the rows of a day; given ids that count `elsewhere`, without these, and each id once."""
    distinct = elsewhere is not None
    once = sql.SQL("distinct on ({}) " if distinct else "").format(deployment.names.column(stream.table, stream.id))
    order = sql.SQL(" order by {}" if distinct else "").format(once_order(deployment, stream))
    left_out = sql.SQL(" and ({}) is not true" if elsewhere else "").format(
        _is_one_of(deployment, stream, elsewhere or ())
    )
    return sql.SQL("select {}{}, hashtextextended({}, 0) as {} from {} where {}{}{}").format(
        once,
        sql.SQL(", ").join(selected(deployment, stream.table, c) for c in stream.columns),
        row_state(deployment, stream),
        sql.Identifier(FINGERPRINT),
        deployment.names.table(stream.table),
        _in_day(deployment, stream, day),
        left_out,
        order,
    )


def counted_query(deployment: Deployment, stream: Stream, day: date, elsewhere: Sequence[str]) -> sql.Composed:
    """SQL for the rows of a day, how many of them repeat an id of that or of an earlier day, and the fingerprint."""
    return sql.SQL(
        """
        select count(*), count(*) filter (where copy > 1 or elsewhere), coalesce(bit_xor(fingerprint), 0)
        from (
            select hashtextextended({state}, 0) as fingerprint, row_number() over (partition by {id}) as copy,
                coalesce({elsewhere}, false) as elsewhere
            from {table}
            where {in_day}
        ) as rows
        """
    ).format(
        state=row_state(deployment, stream),
        id=deployment.names.column(stream.table, stream.id),
        elsewhere=_is_one_of(deployment, stream, elsewhere),
        table=deployment.names.table(stream.table),
        in_day=_in_day(deployment, stream, day),
    )


def _is_one_of(deployment: Deployment, stream: Stream, ids: Sequence[str]) -> sql.Composed:
    return sql.SQL("{} = any({}::{}[])").format(
        deployment.names.column(stream.table, stream.id),
        sql.Literal(list(ids)),
        sql.SQL(stream.table.column(stream.id).type),
    )


def without_day_query(deployment: Deployment, stream: Stream) -> sql.Composed:
    """SQL for the rows without a time, at an infinite one, outside the calendar, and more than a day ahead of now.

    It is written so that an index by time finds them.
    """
    return sql.SQL(
        """
        select count(*) filter (where {time} is null),
            count(*) filter (where not isfinite({time})),
            count(*) filter (where isfinite({time}) and not ({has_day})),
            count(*) filter (where {has_day})
        from {table}
        where {time} is null or {time} < {first} or {time} >= {end} or {zoned} > now() + interval '1 day'
        """
    ).format(
        time=deployment.names.column(stream.table, stream.time),
        has_day=has_day(deployment, stream),
        zoned=_time(deployment, stream),
        first=FIRST_TIME,
        end=END_OF_TIMES,
        table=deployment.names.table(stream.table),
    )
