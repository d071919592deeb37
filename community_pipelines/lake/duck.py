"""DuckDB as this project uses it: sessions in UTC, literals, relations over lists of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def session(**config: str | bool | int | float | list[str]) -> duckdb.DuckDBPyConnection:
    """An in-memory session in UTC without progress bars."""
    import duckdb

    connection = duckdb.connect(config=config)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    return connection


def beside(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Another connection to the same session, for another thread; in UTC too, which it would not be by itself."""
    other = connection.cursor()
    other.execute("set TimeZone = 'UTC'")
    return other


def utc_day(column: str) -> str:
    """The date of a time column, straight from its microseconds.

    In UTC that is the date that a cast gives, and the cast asks a calendar: it takes half the time of a daily count.
    """
    return f"cast(make_timestamp(epoch_us({column})) as date)"


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def parquet(paths: Sequence[Path], columns: Sequence[tuple[str, str]], file_column: str = "") -> str:
    """A relation over those files; an empty one with these columns and types where there are none.

    `file_column` names a further column with the path that the row comes from.
    """
    if paths:
        listed = ", ".join(literal(str(path)) for path in paths)
        named = f", filename = {literal(file_column)}" if file_column else ""
        return f"read_parquet([{listed}], hive_partitioning = false{named})"
    empty = ", ".join(f'null::{type_} as "{name}"' for name, type_ in columns)
    return f"(select {empty} where false)"


def first_row(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
    """The only row of an aggregate. Everything is fetched, so that the session is free for the next query."""
    (row,) = connection.execute(query, list(values)).fetchall()
    return tuple(row)
