"""The file of an archived partition: written in one snapshot of the primary, and read back to be believed.

It holds the columns that the lake may hold, those of the table's streams: what was declared never to leave the app is
not in it. The hash is PostgreSQL's, over a text of every row's columns in the file: first of the partition, then of a
temporary table of the same types that the file's bytes were copied into. What becomes of the partition is in
`archive.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from community_pipelines.databases.connections import (
    APPLICATION_NAME,
    Connection,
    connect,
    place,
    said,
    transaction_settings,
)
from community_pipelines.databases.deployment import Deployment
from community_pipelines.errors import ExplainedError
from community_pipelines.lake.duck import parquet, session
from community_pipelines.lake.extract import batches, prefetched
from community_pipelines.lake.ledger import METADATA_KEY, UNSEALED, DamagedError, LakeError, writing_to
from community_pipelines.lake.seal import seal, verify
from community_pipelines.lake.writer import arrow_types, code_version
from community_pipelines.maintenance.partitions import Partition

if TYPE_CHECKING:
    import pyarrow as pa

# Settings that a row's text depends on.
_CANONICAL = {**transaction_settings(), "extra_float_digits": "1", "bytea_output": "hex"}
_SETTINGS = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _CANONICAL.items())
# Types that Parquet has, too; a column of any other type is kept as PostgreSQL's text of it.
_KEPT_TYPES = {
    "uuid": "uuid",
    "text": "text",
    "integer": "integer",
    "bigint": "bigint",
    "boolean": "boolean",
    "date": "date",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
_COPY_ROWS = 10_000


class ArchiveError(ExplainedError):
    """A partition cannot be archived, detached or dropped; the message names it and what to do."""


@dataclass(frozen=True)
class Contents:
    """What rows are, in any order: how many, and the sum of their hashes (so repeats count)."""

    rows: int
    content_hash: str


@dataclass(frozen=True)
class ColdFile:
    """What a file says of itself in its footer: the partition, its first and last day, when it was read, UTC."""

    platform: str
    table: str
    partition: str
    first_day: date
    last_day: date
    rows: int
    content_hash: str
    columns: tuple[str, ...]
    read_at: datetime
    code_version: str
    seal: str = ""

    @property
    def contents(self) -> Contents:
        """Its rows and their hash."""
        return Contents(self.rows, self.content_hash)


def may_leave(deployment: Deployment, table: str) -> frozenset[str]:
    """The columns of a table that the lake may hold, by their names in the database: those that its streams copy."""
    return frozenset(
        deployment.names.column_name(stream.table, column.name)
        for stream in deployment.platform.streams
        if stream.table.name == table
        for column in stream.columns
    )


def contents_query(table: sql.Composable, columns: Sequence[str]) -> sql.Composed:
    """SQL for rows and summed hash of a table's columns; to be run where the canonical settings hold."""
    return sql.SQL("select count(*), coalesce(sum(hashtextextended(row({})::text, 0)), 0)::text from {}").format(
        _listed(columns), table
    )


def _listed(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in columns)


def make_canonical(connection: Connection) -> None:
    """Sets, for this transaction, what the text of a row depends on."""
    connection.execute(f"select {_SETTINGS}".encode())


def contents(connection: Connection, table: sql.Composable, columns: Sequence[str]) -> Contents:
    """A table's rows and the hash of those columns, in the transaction that is open."""
    make_canonical(connection)
    row = connection.execute(contents_query(table, columns)).fetchone()
    assert row is not None
    return _labelled(row[0], row[1])


def _labelled(rows: int, summed: str) -> Contents:
    return Contents(rows, f"postgresql:{rows}:{summed}")


def copy_out(
    deployment: Deployment, table: str, partition: Partition, days: tuple[date, date], folder: Path
) -> tuple[ColdFile, Path]:
    """Copies all rows of a partition into a new file in `folder`, in one snapshot of the primary: the columns that may
    leave the app.

    Raises ArchiveError when the primary fails, LakeError when the disk does.
    """
    from adbc_driver_postgresql import dbapi

    url = deployment.maintain_url
    try:
        named = make_conninfo(url, application_name=APPLICATION_NAME, connect_timeout=10)
        # Not in autocommit mode: outside a transaction, the driver's statements do not survive a pooler.
        with dbapi.connect(named) as connection, connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            return _copy_out(cursor, deployment, table, partition, days, folder)
    except dbapi.Error as error:
        raise ArchiveError(
            f"{partition.name} could not be copied from {place(url)}: {said(error, url)}; "
            "nothing was changed, run it again"
        ) from None


def _copy_out(
    cursor: Any, deployment: Deployment, table: str, partition: Partition, days: tuple[date, date], folder: Path
) -> tuple[ColdFile, Path]:
    import pyarrow as pa

    def rows(query: sql.Composable) -> list[tuple[Any, ...]]:
        cursor.execute(query.as_string())
        fetched: list[tuple[Any, ...]] = cursor.fetchall()
        return fetched

    rows(sql.SQL("select " + _SETTINGS))
    ((read_at,),) = rows(sql.SQL("select clock_timestamp()"))
    columns = rows(
        sql.SQL(
            """
            select attname::text, format_type(atttypid, atttypmod) from pg_attribute
            where attrelid = {}::regclass and attnum > 0 and not attisdropped order by attnum
            """
        ).format(sql.Literal(partition.quoted.as_string()))
    )
    allowed = may_leave(deployment, table)
    kept = {name: _KEPT_TYPES.get(type_, "text") for name, type_ in columns if name in allowed}
    found = _labelled(*rows(contents_query(partition.quoted, list(kept)))[0])
    schema = pa.schema([pa.field(name, arrow_types()[type_]) for name, type_ in kept.items()])
    staged = folder / f"{partition.name}.parquet"
    query = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(
            sql.SQL("{0}::text as {0}" if type_ == "text" else "{}").format(sql.Identifier(name))
            for name, type_ in kept.items()
        ),
        partition.quoted,
    )
    cold = ColdFile(
        platform=deployment.platform.name,
        table=table,
        partition=partition.name,
        first_day=days[0],
        last_day=days[1],
        rows=found.rows,
        content_hash=found.content_hash,
        columns=tuple(kept),
        read_at=read_at.astimezone(UTC),
        code_version=code_version(),
        seal=UNSEALED,
    )
    cursor.execute(query.as_string())
    _write(staged, schema, (batch.cast(schema) for batch in prefetched(batches(cursor))), cold)
    return cold, staged


def _write(path: Path, schema: pa.Schema, rows: Iterable[pa.RecordBatch], cold: ColdFile) -> None:
    import pyarrow.parquet as pq

    footer = json.dumps({"kind": "cold", **asdict(cold)}, default=str, sort_keys=True)
    with writing_to(path.parent, cold.partition), pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)
        writer.add_key_value_metadata({METADATA_KEY.decode(): footer})
    with writing_to(path.parent, cold.partition):
        seal(path)


def without(
    connection: Connection, deployment: Deployment, path: Path, columns: Collection[str], folder: Path
) -> tuple[ColdFile, Path]:
    """The archive once more, in `folder`, without those columns: for one whose table is gone.

    Raises ArchiveError when PostgreSQL finds other rows in it than were archived, or has no table like it any more.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    old = read_footer(path)
    kept = [name for name in old.columns if name not in columns]
    staged = folder / path.name
    with connection.transaction():
        shape = _shape(connection, deployment, old)
        if shape is None:
            raise ArchiveError(f"{path.name} has columns that its table has no more, so it cannot be read back")
        whole = contents_of_file(connection, shape, path, old.columns)
        found = contents(connection, _BACK, kept)
    if whole != old.contents:
        raise ArchiveError(f"{path.name} does not hold the rows that were archived; bring it back from a backup")
    cold = replace(
        old, rows=found.rows, content_hash=found.content_hash, columns=tuple(kept), code_version=code_version(),
        seal=UNSEALED,
    )  # fmt: skip
    with pq.ParquetFile(path) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in kept])
        _write(staged, schema, file.iter_batches(columns=kept), cold)
    with connection.transaction():
        back = contents_of_file(connection, shape, staged, kept)
    if back != found:
        raise ArchiveError(f"{path.name} without {', '.join(columns)} has other rows; nothing was changed")
    return cold, staged


def read_footer(path: Path, shown: Path | None = None) -> ColdFile:
    """What the file says of itself; messages name it as `shown`, where it is read by another name.

    Raises DamagedError for a file that is gone, damaged or not ours.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
        data = json.loads(metadata.metadata[METADATA_KEY])
        if data.pop("kind") != "cold" or metadata.num_rows != data["rows"]:
            raise ValueError("another kind of file, or rows are missing")
        for name in ("first_day", "last_day"):
            data[name] = date.fromisoformat(data[name])
        read_at = datetime.fromisoformat(data.pop("read_at"))
        return ColdFile(**{**data, "columns": tuple(data["columns"]), "read_at": read_at})
    except (OSError, pa.ArrowException, ValueError, TypeError, KeyError) as error:
        shown = shown or path
        raise DamagedError(
            f"{shown} is not the archive that it should be ({error}); bring it back from a backup"
        ) from None


def archive_fault(deployment: Deployment, path: Path, shown: Path | None = None) -> str:
    """Why the archive is not to be believed, by the name `shown`; empty when it is.

    One without a seal is read back into PostgreSQL, as when it was made; where its table has other columns by now, it
    only has to be readable.
    """
    import duckdb

    name = shown or path
    try:
        cold = read_footer(path, name)
        if cold.seal:
            same = verify(path)
        else:
            with connect(deployment.maintain_url, deployment.maintain_setting) as connection, connection.transaction():
                shape = _shape(connection, deployment, cold)
                same = shape is None or contents_of_file(connection, shape, path, cold.columns) == cold.contents
            with session(threads=1) as engine:
                engine.execute(f"select count(hash(rows)) from {parquet([path], [])} as rows").fetchall()
    except DamagedError as error:
        return str(error)
    except (LakeError, ArchiveError, OSError, duckdb.Error) as error:
        return f"{name} cannot be read ({str(error).splitlines()[0]}); bring it back from a backup"
    return "" if same else f"{name} does not hold the bytes that were written; bring it back from a backup"


def _shape(connection: Connection, deployment: Deployment, cold: ColdFile) -> sql.Identifier | None:
    """A table with the archive's columns: the detached partition, or the table that it was of."""
    (table,) = (one.table for one in deployment.platform.partitioned if one.table.name == cold.table)
    schema, parent = deployment.names.parts(table)
    for candidate in (cold.partition, parent):
        rows = connection.execute(
            """
            select attname::text from pg_attribute join pg_class on pg_class.oid = attrelid
            where relnamespace = to_regnamespace(quote_ident(%s)) and relname = %s and attnum > 0
                and not attisdropped
            """,
            (schema, candidate),
        ).fetchall()
        if {name for (name,) in rows} >= set(cold.columns):
            return sql.Identifier(schema, candidate)
    return None


_BACK = sql.Identifier("pg_temp", "archive_read_back")


def contents_of_file(connection: Connection, shape: sql.Composable, path: Path, columns: Sequence[str]) -> Contents:
    """Reads the file back into a temporary table with those columns of that shape; says what PostgreSQL finds in it.

    To be called in a transaction that writes. Raises ArchiveError when PostgreSQL does not take the file's values,
    LakeError when the file cannot be read.
    """
    import duckdb
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    make_canonical(connection)
    listed = _listed(columns)
    # Not `like`: constraints on columns that the file lacks would come with it.
    connection.execute(
        sql.SQL("create temporary table archive_read_back on commit drop as select {} from {} with no data").format(
            listed, shape
        )
    )
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(_BACK, listed)
    with session(threads=1) as engine:
        try:
            texts = engine.sql(f"select columns(*)::varchar from {parquet([path], [])}").to_arrow_reader(_COPY_ROWS)
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for batch in texts:
                    text = BytesIO()
                    pa_csv.write_csv(batch, text, pa_csv.WriteOptions(include_header=False))
                    copy.write(text.getbuffer())
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise LakeError(f"{path} cannot be read back ({reason}); bring it back from a backup") from None
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
            raise ArchiveError(
                f"{path.name} cannot be read back into PostgreSQL ({error.diag.message_primary}), so it is no archive; "
                "the partition stays as it is"
            ) from None
    return contents(connection, _BACK, columns)
