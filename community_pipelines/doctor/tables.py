"""The tables: are they as declared, migrated and indexed, and does the lake begin where they do?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Literal

from psycopg import sql

from community_pipelines.databases import migrations
from community_pipelines.databases.connections import Connection
from community_pipelines.databases.deployment import Deployment
from community_pipelines.databases.inspect import find_faults, found_in
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.reach import Database, ask
from community_pipelines.models import published_tables
from community_pipelines.models.project import Model
from community_pipelines.platforms.spec import Stream, Table
from community_pipelines.shipped import shipped

SQL_FOLDER = shipped("sql")
LONGEST_NAME = 63
# From here on an index that is a thousandth of the size is worth a thought.
MANY_ROWS = 50_000_000
IN_ORDER = 0.99


def declared(database: Database, connection: Connection, deployment: Deployment) -> Iterator[Diagnosis]:
    """Tables and columns that are missing or of another type."""
    subject = f"{database.purpose} tables"
    faults = find_faults(connection, deployment, deployment.platform.tables)
    for fault in faults:
        yield Diagnosis(database.platform, subject, "problem", fault.what, fault.advice)
    if not faults:
        count = len(deployment.platform.tables)
        seen = f"all {count} declared tables are there, with their columns"
        seen += _without(connection, deployment, deployment.platform.tables)
        yield Diagnosis(database.platform, subject, "ok", seen)


def declared_for_snapshots(database: Database, connection: Connection, deployment: Deployment) -> Iterator[Diagnosis]:
    """Tables and columns that template snapshots need; a warning, since the daily flow goes on without them."""
    subject = f"{database.purpose} tables of template snapshots"
    snapshots = deployment.platform.snapshots
    if snapshots is None:
        return
    faults = find_faults(connection, deployment, snapshots.tables)
    for fault in faults:
        advice = f"{fault.advice}; without it `community ingest` cannot run, all else can"
        yield Diagnosis(database.platform, subject, "warning", fault.what, advice)
    if not faults:
        seen = "all are there, with their columns" + _without(connection, deployment, snapshots.tables)
        yield Diagnosis(database.platform, subject, "ok", seen)


def _without(connection: Connection, deployment: Deployment, tables: Sequence[Table]) -> str:
    """The optional columns that the database lacks, by their names there, as the end of a sentence."""
    names = found_in(connection, deployment).names
    absent = [
        ".".join(f'"{part}"' for part in (*names.parts(table), names.column_name(table, column.name)))
        for table in tables
        for column in table.columns
        if not names.has(table, column)
    ]
    return f"; this app has no {', '.join(dict.fromkeys(absent))}, which is optional" if absent else ""


def migrated(database: Database, app: bool, models: Sequence[Model]) -> tuple[Diagnosis, bool]:
    """Whether the SQL files, with `app` also the app's, are applied and unchanged, and the published tables as their
    contracts say; and whether any is not."""
    platform, subject = database.platform, "migrations"
    pending: list[migrations.Migration] = []
    try:
        for folder in ([SQL_FOLDER / platform / "app"] if app else []) + [SQL_FOLDER / "pipeline"]:
            pending += migrations.pending(database.url, folder)
        tables = published_tables.plan(database.url, platform, models)
        tables.require()
    except migrations.MigrationError as error:
        advice = f"settle that, then `community migrate --platform {platform}`"
        return Diagnosis(platform, subject, "problem", str(error), advice), False
    if not pending and not tables.changes:
        return Diagnosis(platform, subject, "ok", " ".join(["all are applied", *tables.notes])), False
    names = [f"{one.folder}/{one.name}" for one in pending]
    names += [f"table {published_tables.SCHEMA}.{one.table}: {', '.join(one.does)}" for one in tables.changes]
    seen = f"not applied: {', '.join(names)}"
    more = " --app" if any(one.folder.endswith("/app") for one in pending) else ""
    advice = f"community migrate --platform {platform}{more}  (with --dry-run it prints the SQL)"
    return Diagnosis(platform, subject, "problem", seen, advice), True


def time_index(database: Database, connection: Connection, deployment: Deployment, stream: Stream) -> Diagnosis:
    """Whether a day of the stream is found by an index."""
    names = deployment.names
    schema, table = names.parts(stream.table)
    column = names.column_name(stream.table, stream.time)
    subject = f"time index of {stream.name}"
    found = _indexes(connection, schema, table, column)
    kinds = {method for method, valid in found.values() if valid}
    if "btree" in kinds:
        return Diagnosis(database.platform, subject, "ok", f'"{column}" has a btree index')
    statements = _index_statements(connection, schema, table, column, found)
    why = "btree, because each run also asks for the oldest row, which a brin index cannot tell without a full scan"
    if "brin" in kinds:
        seen = f'"{column}" has a brin index only: days are found, the oldest row takes a scan of the whole table'
        return Diagnosis(database.platform, subject, "warning", seen, f"-- {why}\n{statements}")
    seen = f'no index begins with "{column}" of "{schema}"."{table}": every day is a scan of the whole table'
    advice = f"on the primary, outside a transaction ({why}):\n{statements}"
    if _is_large_and_in_order(connection, schema, table, column):
        brin = _create_index(schema, table, column, "brin")
        advice += f"\n-- or, a thousandth of its size, for days alone (rows lie in time order here):\n-- {brin}"
    return Diagnosis(database.platform, subject, "warning", seen, advice)


def day_index(database: Database, connection: Connection, deployment: Deployment, model: Model) -> Diagnosis:
    """Whether a published day is found by an index in the app's table."""
    table = deployment.platform.table(model.contract.publish)
    schema, name = deployment.names.parts(table)
    column = deployment.names.column_name(table, "day")
    subject = f"day index of {table.name}"
    found = _indexes(connection, schema, name, column)
    if any(valid for _, valid in found.values()):
        return Diagnosis(database.platform, subject, "ok", f'"{column}" has an index')
    statements = _index_statements(connection, schema, name, column, found)
    seen = f'no index begins with "{column}" of "{schema}"."{name}": publishing a day scans the whole table'
    why = "btree, because days are replaced at any age, so that rows do not lie in their order"
    return Diagnosis(
        database.platform, subject, "warning", seen, f"on the primary, outside a transaction ({why}):\n{statements}"
    )


def start(database: Database, connection: Connection, deployment: Deployment, stream: Stream, first: date) -> Diagnosis:
    """Whether the source holds rows from before the first partition."""
    subject = f"oldest row of {stream.name}"
    oldest = oldest_row(connection, deployment, stream.table, stream.time)
    if oldest is None:
        return Diagnosis(database.platform, subject, "ok", "the table is empty")
    seen = f"the oldest row is of {oldest:%Y-%m-%d}, the lake begins at {first}"
    if oldest.date() >= first:
        return Diagnosis(database.platform, subject, "ok", seen)
    advice = (
        f"set COMMUNITY_START_DATE={oldest:%Y-%m-%d}, and `community backfill {database.platform}` the days before; or "
        "leave it: counters are counted in the source, but daily numbers and totals begin with the lake"
    )
    return Diagnosis(database.platform, subject, "warning", f"{seen}: older rows are not in the lake", advice)


def oldest_row(connection: Connection, deployment: Deployment, table: Table, column: str) -> datetime | None:
    """The least time (UTC) of a table; None when it is empty."""
    names = deployment.names
    query = sql.SQL("select min({}) from {}").format(names.column(table, column), names.table(table))
    oldest: datetime | None = ask(connection, query)[0][0]
    if oldest is None:
        return None
    return oldest.replace(tzinfo=UTC) if oldest.tzinfo is None else oldest.astimezone(UTC)


def _indexes(connection: Connection, schema: str, table: str, column: str) -> dict[str, tuple[str, bool]]:
    """Indexes over all rows whose first column that is: quoted name → (btree or brin, whether it is usable)."""
    rows = ask(
        connection,
        """
        select format('%%I.%%I', nspname, indexes.relname), amname, indisvalid and indisready
        from pg_index
        join pg_class as tables on tables.oid = indrelid
        join pg_namespace on pg_namespace.oid = tables.relnamespace
        join pg_class as indexes on indexes.oid = indexrelid
        join pg_am on pg_am.oid = indexes.relam
        join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where nspname = %s and tables.relname = %s and attname = %s and indpred is null and amname in ('btree', 'brin')
        """,
        (schema, table, column),
    )
    return {name: (method, usable) for name, method, usable in rows}


def _index_statements(
    connection: Connection, schema: str, table: str, column: str, found: dict[str, tuple[str, bool]]
) -> str:
    drops = [
        f"drop index concurrently {name};  -- left invalid by an attempt that failed"
        for name, (_, usable) in found.items()
        if not usable
    ]
    kinds = ask(
        connection,
        "select relkind from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
        "where nspname = %s and relname = %s",
        (schema, table),
    )
    kind = kinds[0][0] if kinds else "r"
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if kind == "p":
        return "\n".join([*drops, *_on_partitions(connection, schema, table, column)])
    if kind in ("v", "f"):
        return f'-- "{schema}"."{table}" is a view or a foreign table: index the table that it reads'
    return "\n".join([*drops, _create_index(schema, table, column, "btree")])


def _on_partitions(connection: Connection, schema: str, table: str, column: str) -> Iterator[str]:
    # A partitioned table takes no index concurrently; its partitions do, and are attached to an empty one.
    parent = sql.Identifier(_index_name(table, column)).as_string()
    whole = sql.Identifier(schema, table).as_string()
    yield f"create index {parent} on only {whole} ({sql.Identifier(column).as_string()});"
    leaves = ask(
        connection,
        """
        select nspname, relname
        from pg_partition_tree(%s::regclass)
        join pg_class on pg_class.oid = relid
        join pg_namespace on pg_namespace.oid = relnamespace
        where isleaf
        order by relname
        """,
        (whole,),
    )
    for leaf_schema, leaf in leaves:
        yield _create_index(leaf_schema, leaf, column, "btree")
        child = sql.Identifier(leaf_schema, _index_name(leaf, column)).as_string()
        yield f"alter index {sql.Identifier(schema).as_string()}.{parent} attach partition {child};"


def _create_index(schema: str, table: str, column: str, method: Literal["btree", "brin"]) -> str:
    statement = sql.SQL("create index concurrently {name} on {table} using {method} ({column});").format(
        name=sql.Identifier(_index_name(table, column)),
        table=sql.Identifier(schema, table),
        method=sql.SQL(method),
        column=sql.Identifier(column),
    )
    return statement.as_string()


def _index_name(table: str, column: str) -> str:
    ending = f"_{column}_idx"
    room = LONGEST_NAME - len(ending.encode())
    return table.encode()[: max(room, 1)].decode(errors="ignore") + ending


def _is_large_and_in_order(connection: Connection, schema: str, table: str, column: str) -> bool:
    found = ask(
        connection,
        """
        select reltuples, correlation
        from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        join pg_stats on schemaname = nspname and tablename = relname and attname = %s
        where nspname = %s and relname = %s
        """,
        (column, schema, table),
    )
    return any(rows >= MANY_ROWS and (order or 0) >= IN_ORDER for rows, order in found)
