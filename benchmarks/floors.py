"""The floors: the least that any program must do for the same result. Each gives the seconds that it took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date

import duckdb
from psycopg import Cursor, sql

from benchmarks.data import all_days, folder_beside, models, settings_here
from community_pipelines.databases.connections import connect
from community_pipelines.lake.files import Lake, day_bounds
from community_pipelines.models.engine import Engine
from community_pipelines.models.inputs import Inputs
from community_pipelines.models.publish import target_column, target_table
from community_pipelines.platforms.bazaar.spec import BAZAAR

# How the bytes of a COPY are handed over: more at once is not faster.
CHUNK = 1 << 20


def copy_and_drop(days: int) -> dict[str, float]:
    """COPY BINARY of the stream's columns, a day at a time, read and dropped."""
    settings, place = settings_here()
    names = place.names
    events = BAZAAR.table("community_events")
    columns = sql.SQL(", ").join(names.column(events, column.name) for column in events.columns)
    with connect(place.source_url, place.source_setting) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        size = 0
        for day in all_days(settings, days):
            with cursor.copy(_day_copy(columns, names.table(BAZAAR.table("community_events")), day)) as copy:
                for data in copy:
                    size += len(data)
        return {"seconds": time.perf_counter() - started, "bytes": size}


def _day_copy(columns: sql.Composable, table: sql.Identifier, day: date) -> sql.Composed:
    first, end = day_bounds(day)
    return sql.SQL(
        "copy (select {} from {} where created_at >= {} and created_at < {}) to stdout (format binary)"
    ).format(columns, table, sql.Literal(first.isoformat()), sql.Literal(end.isoformat()))


def bare_duckdb(days: int) -> dict[str, float]:
    """Every model's SQL over the whole window as one query, typed into DuckDB as it comes, to one Parquet file."""
    settings, _ = settings_here()
    window = all_days(settings, days)
    lake = Lake(settings.lake_folder)
    with folder_beside(settings) as folder:
        with Engine(BAZAAR, lake, settings.memory_limit, settings.start_date, folder) as engine:
            inputs = Inputs(BAZAAR, lake, settings.start_date)
            texts = [(model.name, engine.sql(model, window, inputs)) for model in models()]
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            started = time.perf_counter()
            taken = {}
            for name, text in texts:
                before = time.perf_counter()
                connection.execute(f"copy ({text}) to '{folder / name}.parquet' (format parquet)")
                taken[name] = time.perf_counter() - before
            return {"seconds": time.perf_counter() - started, **taken}


def bare_copy() -> dict[str, float]:
    """COPY BINARY of every published row, in the order of the days, into an empty copy of its table.

    The copy has the table's indexes and foreign keys: the app's own, which PostgreSQL checks row by row for anyone
    who writes there. `without_foreign_keys` is the same without them.
    """
    _, place = settings_here()
    checked = unchecked = 0.0
    count = 0
    with connect(place.publish_url, place.publish_setting) as connection, connection.cursor() as cursor:
        for model in models():
            table = target_table(place, model)
            rows = sql.SQL(
                "copy (select * from {table} order by {day}, hashtext({entity}::text)) to stdout (format binary)"
            ).format(
                table=table,
                day=target_column(place, model, "day"),
                entity=target_column(place, model, model.contract.grain[0]),
            )
            with cursor.copy(rows) as copy:
                data = b"".join(copy)
            seconds = _into_copy(cursor, table, data, [])
            count += cursor.rowcount
            found = cursor.execute(
                "select pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass and contype = 'f'",
                (table.as_string(),),
            ).fetchall()
            keys = [sql.SQL(definition) for (definition,) in found]
            unchecked += seconds
            checked += _into_copy(cursor, table, data, keys) if keys else seconds
        cursor.execute("drop table floor_copy")
    return {"seconds": checked, "without_foreign_keys": unchecked, "rows": count}


def _into_copy(cursor: Cursor, table: sql.Identifier, data: bytes, keys: Sequence[sql.SQL]) -> float:
    cursor.execute("drop table if exists floor_copy")
    cursor.execute(sql.SQL("create table floor_copy (like {} including all)").format(table))
    for key in keys:
        cursor.execute(sql.SQL("alter table floor_copy add {}").format(key))
    cursor.execute("checkpoint")
    started = time.perf_counter()
    with cursor.copy("copy floor_copy from stdin (format binary)") as copy:
        for start in range(0, len(data), CHUNK):
            copy.write(data[start : start + CHUNK])
    return time.perf_counter() - started
