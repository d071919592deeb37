"""Compares a source with what the platform declares: tables, columns, types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from community_pipelines.databases.connections import Connection, connect
from community_pipelines.databases.deployment import Deployment
from community_pipelines.errors import ExplainedError
from community_pipelines.platforms.spec import Table

# Types of PostgreSQL that a declared type may have; `text` also takes enums.
FITTING = {
    "uuid": {"uuid"},
    "text": {"text", "character varying", "character", "citext"},
    "integer": {"integer", "smallint"},
    "bigint": {"bigint", "integer", "smallint"},
    "timestamptz": {"timestamp with time zone"},
    "timestamp": {"timestamp without time zone"},
    "date": {"date"},
    "boolean": {"boolean"},
    "jsonb": {"jsonb"},
    "integer[]": {"integer[]", "bigint[]", "smallint[]"},
}


class SourceError(ExplainedError):
    """The source is not as declared; the message names every fault, the platform and the setting to change."""


@dataclass(frozen=True)
class Fault:
    """One difference between the source and what is declared, with what to do."""

    table: str
    column: str | None
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}"


def find_faults(connection: Connection, deployment: Deployment, tables: Sequence[Table]) -> list[Fault]:
    """Missing tables and columns, and columns of another type, in that database; an optional column may be missing."""
    return [fault for table in tables for fault in _table_faults(connection, deployment, table)]


def found_in(connection: Connection, deployment: Deployment) -> Deployment:
    """The deployment as that database is: with the optional columns that it has. One query, or none."""
    return as_found(deployment, lambda query: connection.execute(query.encode()).fetchall())


def as_found(deployment: Deployment, ask: Callable[[str], Iterable[tuple[Any, ...]]]) -> Deployment:
    """The same through any driver: `ask` gives the rows of a query. It is not called where no column is optional."""
    names = deployment.names
    wanted = [
        (table.name, column.name, *names.parts(table), names.column_name(table, column.name))
        for table in deployment.platform.all_tables
        for column in table.columns
        if column.optional
    ]
    if not wanted:
        return deployment.having(())
    rows = sql.SQL(", ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(value) for value in row)) for row in wanted
    )
    query = sql.SQL(
        """
        select wanted.of_table, wanted.name
        from (values {}) as wanted (of_table, name, real_schema, real_table, real_name)
        join pg_namespace on nspname = real_schema
        join pg_class on relnamespace = pg_namespace.oid and relname = real_table
        join pg_attribute on attrelid = pg_class.oid and attname = real_name
        where attnum > 0 and not attisdropped
        """
    ).format(rows)
    return deployment.having((table, column) for table, column in ask(query.as_string()))


def default_of(connection: Connection, deployment: Deployment, table: Table, column: str) -> Any:
    """What that database writes where an insert leaves the column out; None where it has no default."""
    row = connection.execute(
        """
        select pg_get_expr(adbin, adrelid)
        from pg_attrdef
        join pg_attribute on attrelid = adrelid and attnum = adnum
        join pg_class on pg_class.oid = adrelid
        join pg_namespace on pg_namespace.oid = relnamespace
        where nspname = %s and relname = %s and attname = %s
        """,
        (*deployment.names.parts(table), deployment.names.column_name(table, column)),
    ).fetchone()
    if row is None:
        return None
    # Evaluated by the database, as each of its inserts does: a default need not be a plain number.
    (value,) = connection.execute(f"select {row[0]}".encode()).fetchone() or (None,)
    return value


def require_tables(deployment: Deployment) -> None:
    """Raises SourceError with every fault of what the daily flow reads; returns when there is none."""
    with connect(deployment.source_url, deployment.source_setting) as connection:
        faults = find_faults(connection, deployment, deployment.platform.tables)
    refuse_faults(deployment, faults)


def refuse_faults(deployment: Deployment, faults: Sequence[Fault]) -> None:
    """Raises SourceError when there is a fault."""
    if faults:
        listed = "\n  ".join(str(fault) for fault in faults)
        raise SourceError(
            f"the source of {deployment.platform.name} is not as declared, nothing was changed:\n  {listed}"
        )


def _table_faults(connection: Connection, deployment: Deployment, table: Table) -> list[Fault]:
    schema, name = deployment.names.parts(table)
    found: dict[str, str] = dict(
        connection.execute(
            """
            select attname, case when typtype = 'e' then 'text' else format_type(atttypid, null) end
            from pg_attribute
            join pg_class on pg_class.oid = attrelid
            join pg_namespace on pg_namespace.oid = relnamespace
            join pg_type on pg_type.oid = atttypid
            where nspname = %s and relname = %s and attnum > 0 and not attisdropped
            """,
            (schema, name),
        ).fetchall()
    )
    setting = deployment.table_setting(table)
    platform = deployment.platform.name
    if not found:
        return [Fault(table.name, None, f'table "{schema}"."{name}" is missing', f"set {setting} to its real name")]
    faults = []
    for column in table.columns:
        real = deployment.names.column_name(table, column.name)
        where = f'column "{real}" of "{schema}"."{name}"'
        mapping = f"[{platform}.columns.{table.name}] {column.name}"
        if real not in found:
            if column.optional:
                continue
            faults.append(Fault(table.name, column.name, f"{where} is missing", f"set {mapping} to its real name"))
        elif found[real] not in FITTING[column.type]:
            faults.append(
                Fault(
                    table.name,
                    column.name,
                    f"{where} is {found[real]}, {column.type} is expected",
                    f"map another column in {mapping}, or change the declared type",
                )
            )
    return faults
