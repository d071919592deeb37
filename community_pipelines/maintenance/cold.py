"""The file of an archived partition: written in one snapshot of the primary, and read back to be believed.

The hash is PostgreSQL's, over a text of every whole row: first of the partition, then of a temporary table of the
same shape that the file's bytes were copied into. What becomes of the partition is in `archive.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from psycopg import sql
from psycopg.conninfo import make_conninfo

from community_pipelines.databases import APPLICATION_NAME, Connection, connect, place, said
from community_pipelines.duck import parquet, session
from community_pipelines.lake.extract import batches, prefetched
from community_pipelines.lake.ledger import METADATA_KEY, UNSEALED, DamagedError, LakeError, writing_to
from community_pipelines.lake.seal import seal, verify
from community_pipelines.lake.writer import ARROW_TYPES, code_version
from community_pipelines.maintenance.partitions import Partition
from community_pipelines.platforms.deployment import Deployment

# Settings that a row's text depends on.
_CANONICAL = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
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


class ArchiveError(Exception):
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


def contents_query(table: sql.Composable) -> sql.Composed:
    """SQL for rows and summed hash of a table; to be run where the canonical settings hold."""
    return sql.SQL(
        "select count(*), coalesce(sum(hashtextextended((everything.*)::text, 0)), 0)::text from {} as everything"
    ).format(table)


def make_canonical(connection: Connection) -> None:
    """Sets, for this transaction, what the text of a row depends on."""
    connection.execute(f"select {_SETTINGS}".encode())


def contents(connection: Connection, table: sql.Composable) -> Contents:
    """A table's rows and their hash, in the transaction that is open."""
    make_canonical(connection)
    row = connection.execute(contents_query(table)).fetchone()
    assert row is not None
    return _labelled(row[0], row[1])


def _labelled(rows: int, summed: str) -> Contents:
    return Contents(rows, f"postgresql:{rows}:{summed}")


def copy_out(
    deployment: Deployment, table: str, partition: Partition, days: tuple[date, date], folder: Path
) -> tuple[ColdFile, Path]:
    """Copies all rows and columns of a partition into a new file in `folder`, in one snapshot of the primary.

    Raises ArchiveError when the primary fails, LakeError when the disk does.
    """
    from adbc_driver_postgresql import dbapi

    url = deployment.publish_url
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
    found = _labelled(*rows(contents_query(partition.quoted))[0])
    kept = {name: _KEPT_TYPES.get(type_, "text") for name, type_ in columns}
    schema = pa.schema([pa.field(name, ARROW_TYPES[type_]) for name, type_ in kept.items()])
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
    footer = json.dumps({"kind": "cold", **asdict(cold)}, default=str, sort_keys=True)
    cursor.execute(query.as_string())
    with writing_to(folder, partition.name), pq.ParquetWriter(staged, schema, compression="zstd") as writer:
        for batch in prefetched(batches(cursor)):
            writer.write_batch(batch.cast(schema))
        writer.add_key_value_metadata({METADATA_KEY.decode(): footer})
    with writing_to(folder, partition.name):
        seal(staged)
    return cold, staged


def read_footer(path: Path, shown: Path | None = None) -> ColdFile:
    """What the file says of itself; messages name it as `shown`, where it is read by another name.

    Raises DamagedError for a file that is gone, damaged or not ours.
    """
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
    name = shown or path
    try:
        cold = read_footer(path, name)
        if cold.seal:
            same = verify(path)
        else:
            with connect(deployment.publish_url, deployment.publish_setting) as connection, connection.transaction():
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
    """A table with just the archive's columns: the detached partition, or the table that it was of."""
    (table,) = (one.table for one in deployment.platform.partitioned if one.table.name == cold.table)
    schema, parent = deployment.names.parts(table)
    for candidate in (cold.partition, parent):
        rows = connection.execute(
            """
            select attname::text from pg_attribute join pg_class on pg_class.oid = attrelid
            where relnamespace = to_regnamespace(quote_ident(%s)) and relname = %s and attnum > 0
                and not attisdropped
            order by attnum
            """,
            (schema, candidate),
        ).fetchall()
        if tuple(name for (name,) in rows) == cold.columns:
            return sql.Identifier(schema, candidate)
    return None


def contents_of_file(connection: Connection, shape: sql.Composable, path: Path, columns: Sequence[str]) -> Contents:
    """Reads the file back into a temporary table of that shape and says what PostgreSQL finds in it.

    To be called in a transaction that writes. Raises ArchiveError when PostgreSQL does not take the file's values,
    LakeError when the file cannot be read.
    """
    make_canonical(connection)
    back = sql.Identifier("pg_temp", "archive_read_back")
    connection.execute(sql.SQL("create temporary table archive_read_back (like {}) on commit drop").format(shape))
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        back, sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    )
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
    return contents(connection, back)
