"""Rows as Arrow columns, and into a table by COPY. A column's type is the table's own.

Rows are dicts, or columns by name; an array of Arrow stays as it is. Times are microseconds since 1970 (UTC), ids UUIDs
or 16 bytes each, JSON is what it holds (or that by `jsonb`). Not here: what the rows say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import pyarrow as pa

from community_pipelines.samples.chance import NONE, Bytes, Flags, Ints

TIME = pa.timestamp("us", tz="UTC")
Row = dict[str, Any]
T = TypeVar("T")

_TYPES = {
    "int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64(), "float8": pa.float64(), "bool": pa.bool_(),
    "_text": pa.list_(pa.string()), "_int4": pa.list_(pa.int32()),
}  # fmt: skip
_COLUMNS = """
select attname, typname
from pg_attribute join pg_type on pg_type.oid = atttypid
where attrelid = to_regclass('{}') and attnum > 0
"""


class Writer:
    """Writes rows in one transaction, and says how far it is. What comes after `now` has not happened yet."""

    def __init__(self, cursor: adbc.Cursor, now: int, progress: Any) -> None:
        self.cursor, self.now, self.progress = cursor, now, progress

    def write(self, table: str, rows: Sequence[Row] | Mapping[str, Any], stage: str = "", created: str = "") -> int:
        """Copies rows, but for those whose `created` is later than `now`; gives their number."""
        schema, name = place(table)
        if not rows:
            return 0
        columns = rows if isinstance(rows, Mapping) else {key: [row[key] for row in rows] for key in rows[0]}
        self.cursor.execute(_COLUMNS.format(f'{schema}."{name}"'))
        kinds = dict(self.cursor.fetchall())
        arrow = pa.table({key: column(kinds[key], values, self.now) for key, values in columns.items()})
        if created:
            arrow = arrow.filter(arrow[created].is_valid())
        self.copy(table, arrow)
        if stage:
            self.cursor.execute(f'analyze {schema}."{name}"')
            self.progress(stage, arrow.num_rows, arrow.num_rows)
        return int(arrow.num_rows)

    def copy(self, table: str, rows: pa.Table, temporary: bool = False) -> None:
        """Copies what is made of Arrow arrays already."""
        schema, name = place(table)
        where: dict[str, Any] = {"temporary": True} if temporary else {"db_schema_name": schema}
        self.cursor.adbc_ingest(name, rows, mode="append", **where)

    def delete(self, table: str, ids: Bytes) -> None:
        """Deletes rows by their ids."""
        schema, name = place(table)
        self.execute("create temporary table sample_deleted (id uuid primary key) on commit drop")
        self.copy("sample_deleted", pa.table({"id": uuids(ids)}), temporary=True)
        self.execute(f'delete from {schema}."{name}" as one using sample_deleted as gone where one.id = gone.id')
        self.execute("drop table sample_deleted")

    def execute(self, statement: str) -> None:
        """Executes a statement."""
        self.cursor.execute(statement)

    def value(self, query: str) -> Any:
        """The only value that a query gives."""
        self.cursor.execute(query)
        found = self.cursor.fetchone()
        return found[0] if found else None


def statement(platform: str, name: str) -> str:
    """The SQL of that name beside a platform's code."""
    return (Path(__file__).parent / platform / f"{name}.sql").read_text(encoding="utf-8")


def place(table: str) -> tuple[str, str]:
    """Schema and name of a table, which is in public unless it says so."""
    schema, _, name = table.rpartition(".")
    return schema or "public", name


def column(kind: str, values: Any, now: int) -> pa.Array[Any]:
    """Values as PostgreSQL's binary form of a type wants them."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if kind == "uuid":
        if isinstance(values, np.ndarray):
            return uuids(values)
        return uuids(packed(values), np.array([one is not None for one in values], dtype=np.bool_))
    if kind == "timestamptz":
        return times(values, now)
    if kind == "jsonb":
        return pa.array([one if one is None or isinstance(one, bytes) else jsonb(one) for one in values], pa.binary())
    return pa.array(values, _TYPES.get(kind, pa.string()))


def jsonb(value: Any) -> bytes:
    """What a column of JSON holds, as it is at this moment: a version byte stands before the text."""
    return b"\x01" + json.dumps(value).encode()


def state_at(now: int, first: T, *later: tuple[int, T]) -> T:
    """The last of the states, each with the moment from which on it is so, that had begun by `now`."""
    return next((state for moment, state in reversed(later) if moment <= now), first)


def packed(ids: Sequence[UUID | None]) -> Bytes:
    """The ids as rows of 16 bytes; zeros for none."""
    nothing = bytes(16)
    return np.frombuffer(b"".join(one.bytes if one else nothing for one in ids), dtype=np.uint8).reshape(-1, 16)


def uuids(ids: Bytes, valid: Flags | None = None) -> pa.ExtensionArray[Any]:
    """16-byte rows as Arrow's UUID type; null where `valid` is false."""
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    storage = pa.Array.from_buffers(pa.binary(16), len(ids), [bits, pa.py_buffer(ids.tobytes())])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def times(microseconds: Any, now: int) -> pa.Array[Any]:
    """Times; null for what comes after `now`."""
    moments: Ints = np.asarray(microseconds, dtype=np.int64)
    return pa.array(moments, mask=moments > now).cast(TIME)


def texts(known: pa.Array[Any], positions: Ints) -> pa.Array[Any]:
    """The texts at these positions; null for NONE."""
    return known.take(pa.array(positions, pa.int64(), mask=positions == NONE))
