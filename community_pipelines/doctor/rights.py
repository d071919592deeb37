"""What the two roles of a platform need, what they lack, and the statements that grant it.

`for key share` and `for no key update` take a lock on a row, for which PostgreSQL wants update on one of its
columns: that on a counter is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from community_pipelines.databases import Connection
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.reach import Database, ask
from community_pipelines.models.project import Model
from community_pipelines.platforms.deployment import Deployment
from community_pipelines.platforms.spec import ENTITY_KEY, Table

READER = "community_reader"
PUBLISHER = "community_publisher"
SCHEMA = "community"
_ADD, _ALTER, _REPLACE = ("select", "insert"), ("select", "insert", "update"), ("select", "insert", "update", "delete")
OWN_TABLES: Mapping[str, tuple[str, ...]] = {
    "counter_corrections": _ADD,
    "deletions_seen": _ALTER,
    "left_out_entities": _REPLACE,
    "migrations": _ADD,
    "publications": _ALTER,
    "publication_requests": _ALTER,
    "reconciliations": _ADD,
    "template_versions": _ALTER,
    "withheld_days": _ALTER,
}


@dataclass
class Need:
    """What a role may have to do with one table: privilege → columns, none for the whole table."""

    schema: str
    table: str
    privileges: dict[str, list[str]] = field(default_factory=dict)

    def add(self, privilege: str, *columns: str) -> None:
        """Adds columns to a privilege, each once."""
        known = self.privileges.setdefault(privilege, [])
        known += [column for column in dict.fromkeys(columns) if column not in known]

    def grant(self, role: str) -> str:
        """The statement that grants it; `role` is quoted already."""
        parts = []
        for privilege, columns in self.privileges.items():
            listed = sql.SQL(", ").join(sql.Identifier(column) for column in columns).as_string()
            parts.append(f"{privilege} ({listed})" if columns else privilege)
        return f"grant {', '.join(parts)} on {sql.Identifier(self.schema, self.table).as_string()} to {role};"


def reading_needs(deployment: Deployment, models: Sequence[Model]) -> list[Need]:
    """What the reading role needs: the declared columns of what is not published, and the correction ledger.

    Here and below, of the optional columns those that the deployment was found to have.
    """
    names = deployment.names
    published = {model.contract.publish for model in models}
    needs = []
    for table in deployment.platform.tables:
        if table.name not in published:
            need = Need(*names.parts(table))
            need.add("select", *(names.column_name(table, column.name) for column in names.present(table)))
            needs.append(need)
    ledger = Need(SCHEMA, "counter_corrections")
    ledger.add("select", "id", "platform", "table_name")
    return [*needs, ledger]


def publishing_needs(deployment: Deployment, models: Sequence[Model]) -> list[Need]:
    """What the publishing role needs of the app's tables; those in the schema `community` are `own_needs`."""
    platform, names = deployment.platform, deployment.names
    needs: dict[tuple[str, str], Need] = {}
    entities = [platform.table(name) for name in dict.fromkeys(model.contract.entity_table for model in models) if name]
    for table in entities:
        need = needs.setdefault(names.parts(table), Need(*names.parts(table)))
        need.add("select", names.column_name(table, ENTITY_KEY))
    for counters in platform.counter_tables:
        need = needs.setdefault(names.parts(counters.table), Need(*names.parts(counters.table)))
        columns = [names.column_name(counters.table, counter.column) for counter in counters.counters]
        need.add("select", names.column_name(counters.table, counters.key), *columns)
        need.add("update", *columns)
    for table in entities:
        # Locking a row against deletion takes the right to update any one of its columns.
        if "update" not in needs[names.parts(table)].privileges:
            needs[names.parts(table)].add("update", names.column_name(table, ENTITY_KEY))
    for model in models:
        if "." not in model.contract.publish:
            table = platform.table(model.contract.publish)
            need = Need(*names.parts(table))
            columns = [names.column_name(table, name) for name in model.contract.column_names()]
            for privilege in ("select", "insert", "update"):
                need.add(privilege, *columns)
            need.add("delete")
            needs[need.schema, need.table] = need
    return list(needs.values())


def snapshot_needs(deployment: Deployment) -> tuple[list[Need], list[Need]]:
    """What the reading and the publishing role need for `community ingest`, beside `own_needs`; none where it is not
    made for the platform."""
    snapshots, names = deployment.platform.snapshots, deployment.names
    if snapshots is None:
        return [], []

    def need(table: Table, **privileges: Iterable[str]) -> Need:
        made = Need(*names.parts(table))
        for privilege, columns in privileges.items():
            made.add(privilege, *(names.column_name(table, column) for column in columns))
        return made

    def every(table: Table) -> list[str]:
        return [column.name for column in names.present(table)]

    reading = [need(table, select=every(table)) for table in (snapshots.users, snapshots.projects, snapshots.scenes)]
    rows, scenes = snapshots.templates, snapshots.template_scenes
    publishing = [need(table, select=["id"]) for table in (snapshots.users, snapshots.projects)]
    publishing.append(need(rows, select=every(rows), insert=every(rows), update=snapshots.changes))
    publishing.append(need(scenes, select=every(scenes), insert=every(scenes)))
    return reading, publishing


def own_needs(models: Sequence[Model]) -> list[Need]:
    """What the publishing role needs of the tables that `migrate` makes, where another role made them."""
    needs = [Need(SCHEMA, name, {privilege: [] for privilege in kinds}) for name, kinds in OWN_TABLES.items()]
    for model in models:
        schema, dot, name = model.contract.publish.partition(".")
        if dot:
            needs.append(Need(schema, name, {privilege: [] for privilege in _REPLACE}))
    return needs


def minimum_grants(deployment: Deployment, models: Sequence[Model], reader: str, publisher: str, database: str) -> str:
    """The statements that give the two roles all they need and nothing else; the names are quoted already."""
    quoted = sql.Identifier(database).as_string()
    for_reading, for_publishing = snapshot_needs(deployment)
    reading = _together([*reading_needs(deployment, models), *for_reading])
    publishing = _together([*publishing_needs(deployment, models), *for_publishing])
    return "\n".join(
        [
            f"-- {reader} reads the app; where the roles are missing: create role … login password '…';",
            f"grant connect on database {quoted} to {reader};",
            *_usage(reading, reader),
            *(need.grant(reader) for need in reading if need.schema != SCHEMA),
            f"-- {publisher} writes what is published, and owns the schema {SCHEMA}",
            f"grant connect, temporary on database {quoted} to {publisher};",
            f"create schema if not exists {SCHEMA} authorization {publisher};",
            *_usage(publishing, publisher),
            *(need.grant(publisher) for need in publishing),
            "-- after `community migrate`",
            *_usage(reading, reader, of_schema=SCHEMA),
            *(need.grant(reader) for need in reading if need.schema == SCHEMA),
        ]
    )


def rights(database: Database, connection: Connection, needs: Sequence[Need], subject: str) -> Diagnosis:
    """Compares what the connected role may do with its needs. Tables and columns that are missing are left out."""
    role = role_name(connection)
    lacking, schemas = [], []
    for need in needs:
        may_use, held = _held(connection, need)
        if not may_use and need.schema not in schemas:
            schemas.append(need.schema)
        missing = Need(need.schema, need.table)
        for privilege, columns in need.privileges.items():
            names = columns or [""]
            not_held = [name for name in names if held.get((privilege, name)) is False]
            if not_held:
                missing.add(privilege, *(name for name in not_held if name))
        if missing.privileges:
            lacking.append(missing)
    if not lacking and not schemas:
        return Diagnosis(database.platform, subject, "ok", f"role {role} may do what is needed")
    what = [f'use schema "{schema}"' for schema in schemas]
    what += [f'{" and ".join(need.privileges)} on "{need.schema}"."{need.table}"' for need in lacking]
    grants = [f"grant usage on schema {sql.Identifier(schema).as_string()} to {role};" for schema in schemas]
    return Diagnosis(
        database.platform,
        subject,
        "problem",
        f"role {role} may not {', '.join(what)}",
        "\n".join(["have the owner of these tables run:", *grants, *(need.grant(role) for need in lacking)]),
    )


def own_schema(database: Database, connection: Connection, pending: bool) -> Diagnosis:
    """Whether the publishing role can use the schema `community`, create in it, and make temporary tables."""
    role, subject = role_name(connection), f"schema {SCHEMA}"
    ((exists, may_use, may_create, may_make, temporary, name),) = ask(
        connection,
        """
        select oid is not null,
            coalesce(has_schema_privilege(oid, 'usage'), false),
            coalesce(has_schema_privilege(oid, 'create'), false),
            has_database_privilege(current_database(), 'create'),
            has_database_privilege(current_database(), 'temporary'),
            quote_ident(current_database())
        from (select to_regnamespace('community')::oid as oid) as found
        """,
    )
    grants = [] if temporary else [f"grant temporary on database {name} to {role};"]
    if not exists:
        seen, made = f"schema {SCHEMA} is missing", may_make
        grants += [] if may_make else [f"create schema {SCHEMA} authorization {role};"]
    else:
        seen, made = f"schema {SCHEMA} is there", may_use and (may_create or not pending)
        grants += [] if may_use and may_create else [f"grant usage, create on schema {SCHEMA} to {role};"]
    if not made:
        seen += f", and role {role} may not {'use' if exists and not may_use else 'create in' if exists else 'make'} it"
    if not temporary:
        seen += f"; role {role} may make no temporary tables, which publishing needs"
    if not made or not temporary:
        return Diagnosis(database.platform, subject, "problem", seen, "\n".join(["have the owner run:", *grants]))
    if grants:
        later = "for later migrations, or have a role that may create run `community migrate --dry-run`'s SQL:"
        return Diagnosis(
            database.platform, subject, "warning", f"{seen}, and role {role} may not create in it",
            "\n".join([later, *grants]),
        )  # fmt: skip
    return Diagnosis(database.platform, subject, "ok", seen)


def storage_rights(database: Database, connection: Connection) -> Diagnosis:
    """Whether Dagster can make its tables, or write the ones that are there."""
    role = role_name(connection)
    ((schema, creates, present, writes),) = ask(
        connection,
        """
        select quote_ident(current_schema()), has_schema_privilege(current_schema(), 'create'),
            to_regclass('event_logs') is not null,
            coalesce(has_table_privilege(to_regclass('event_logs')::oid, 'insert'), false)
        """,
    )
    if writes or (creates and not present):
        seen = "Dagster's tables are there" if present else "empty; Dagster makes its tables at its first start"
        return Diagnosis(database.platform, database.purpose, "ok", seen)
    if present:
        seen = f"role {role} may not write Dagster's tables"
        advice = f"use the role that owns them, or:\ngrant all on all tables in schema {schema} to {role};"
        advice += f"\ngrant all on all sequences in schema {schema} to {role};"
    else:
        seen = f"role {role} may not create Dagster's tables"
        advice = f"grant usage, create on schema {schema or 'public'} to {role};"
    return Diagnosis(database.platform, database.purpose, "problem", seen, advice)


def hidden_rows(database: Database, connection: Connection, needs: Sequence[Need]) -> Iterator[Diagnosis]:
    """Names tables whose row-level security hides rows from the reading role: they would never be counted."""
    tables = {(need.schema, need.table) for need in needs}
    found = ask(
        connection,
        "select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
        "where relrowsecurity and row_security_active(pg_class.oid)",
    )
    for schema, table in sorted(tables & {(row[0], row[1]) for row in found}):
        yield Diagnosis(
            database.platform,
            f"{database.purpose} row security",
            "warning",
            f'policies of "{schema}"."{table}" may hide rows from role {role_name(connection)}: they are never counted',
            f"alter role {role_name(connection)} bypassrls;  -- or give it a policy: using (true)",
        )


def role_name(connection: Connection) -> str:
    """The connected role, quoted."""
    return str(ask(connection, "select quote_ident(current_user)")[0][0])


def _held(connection: Connection, need: Need) -> tuple[bool, dict[tuple[str, str], bool]]:
    rows = ask(
        connection,
        """
        select has_schema_privilege(pg_namespace.oid, 'usage'), wanted.privilege, wanted.name,
            case when wanted.name = '' then has_table_privilege(pg_class.oid, wanted.privilege)
                else has_column_privilege(pg_class.oid, attnum, wanted.privilege) end
        from unnest(%(privileges)s::text[], %(columns)s::text[]) as wanted (privilege, name)
        cross join pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        left join pg_attribute on attrelid = pg_class.oid and attname = wanted.name and attnum > 0
        where nspname = %(schema)s and relname = %(table)s and (wanted.name = '' or attnum is not null)
        """,
        {
            "privileges": [privilege for privilege, columns in need.privileges.items() for _ in columns or [""]],
            "columns": [column for columns in need.privileges.values() for column in columns or [""]],
            "schema": need.schema,
            "table": need.table,
        },
    )
    return all(row[0] for row in rows), {(row[1], row[2]): bool(row[3]) for row in rows}


def _together(needs: Iterable[Need]) -> list[Need]:
    """One need for each table."""
    found: dict[tuple[str, str], Need] = {}
    for need in needs:
        one = found.setdefault((need.schema, need.table), Need(need.schema, need.table))
        for privilege, columns in need.privileges.items():
            one.add(privilege, *columns)
    return list(found.values())


def _usage(needs: Sequence[Need], role: str, of_schema: str | None = None) -> list[str]:
    schemas = {need.schema for need in needs if (need.schema == SCHEMA) == (of_schema == SCHEMA)}
    return [f"grant usage on schema {sql.Identifier(schema).as_string()} to {role};" for schema in sorted(schemas)]
