"""What the roles of a platform need, what they lack, and the statements that grant it.

A right is on columns, never on rows: which rows of an app's table a role may change takes policies or triggers on that
table, and those are its owner's to make. `for key share` and `for no key update` take a lock on a row, for which
PostgreSQL wants update on one of its columns: that on a counter is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from community_pipelines.databases.connections import Connection
from community_pipelines.databases.deployment import Deployment
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.reach import Database, ask
from community_pipelines.models.project import Model
from community_pipelines.platforms.spec import ENTITY_KEY, Platform, Table

READER = "community_reader"
PUBLISHER = "community_publisher"
KEEPER = "community_keeper"
DATABASE = "app"
SCHEMA = "community"
_ADD, _ALTER, _REPLACE = ("select", "insert"), ("select", "insert", "update"), ("select", "insert", "update", "delete")
OWN_TABLES: Mapping[str, tuple[str, ...]] = {
    "archived_partitions": ("select",),
    "counter_corrections": _ADD,
    "deletions_seen": _ALTER,
    "left_out_entities": _REPLACE,
    "migrations": _ADD,
    "publications": _ALTER,
    "publication_requests": ("select", "update"),
    "reconciliations": _ADD,
    "template_versions": _ALTER,
    "withheld_days": _ALTER,
}
# Those that only some platforms have, by the field of the platform that says so.
_ONLY_WITH = {
    "archived_partitions": "partitioned",
    "publication_requests": "snapshots",
    "template_versions": "snapshots",
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


@dataclass(frozen=True)
class SnapshotNeeds:
    """What the reading and the publishing role need for `community ingest`, beside `own_needs`, and what the publishing
    role needs only to disable or enable a template that is there."""

    reading: list[Need]
    publishing: list[Need]
    changing: list[Need]


def snapshot_needs(deployment: Deployment) -> SnapshotNeeds:
    """What template snapshots need; nothing where they are not made for the platform."""
    snapshots, names = deployment.platform.snapshots, deployment.names
    if snapshots is None:
        return SnapshotNeeds([], [], [])

    def need(table: Table, **privileges: Iterable[str]) -> Need:
        made = Need(*names.parts(table))
        for privilege, columns in privileges.items():
            made.add(privilege, *(names.column_name(table, column) for column in columns))
        return made

    def every(table: Table) -> list[str]:
        return [column.name for column in names.present(table)]

    reading = [need(table, select=every(table)) for table in (snapshots.users, snapshots.projects, snapshots.scenes)]
    rows, scenes = snapshots.templates, snapshots.template_scenes
    publishing = [need(snapshots.users, select=["id"]), need(snapshots.projects, select=["id", "userId"])]
    publishing += [need(table, select=every(table), insert=every(table)) for table in (rows, scenes)]
    return SnapshotNeeds(reading, publishing, [need(rows, update=snapshots.changes)])


def own_needs(platform: Platform, models: Sequence[Model]) -> list[Need]:
    """What the publishing role needs of the tables that `migrate` makes, where another role made them."""
    needs = [
        Need(SCHEMA, name, {privilege: [] for privilege in kinds})
        for name, kinds in OWN_TABLES.items()
        if name not in _ONLY_WITH or getattr(platform, _ONLY_WITH[name])
    ]
    for model in models:
        schema, dot, name = model.contract.publish.partition(".")
        if dot:
            needs.append(Need(schema, name, {privilege: [] for privilege in _REPLACE}))
    return needs


def care_needs(deployment: Deployment) -> list[Need]:
    """What the care role needs of our own tables; of the app's it has to be the owner."""
    if not deployment.platform.partitioned:
        return []
    return [Need(SCHEMA, "archived_partitions", {privilege: [] for privilege in _ALTER})]


@dataclass(frozen=True)
class Roles:
    """Who the printed statements are for: quoted roles, and the quoted databases that are read and written."""

    reader: str = READER
    publisher: str = PUBLISHER
    keeper: str = KEEPER
    source: str = DATABASE
    primary: str = DATABASE


def minimum_grants(
    deployment: Deployment, models: Sequence[Model], roles: Roles, of_owners: Sequence[str], care_setting: str = ""
) -> str:
    """The statements that give the roles all they need and nothing else.

    `of_owners` make the care role one that may act as the owners of partitioned tables; `care_setting` is the setting
    that is to name it, where none is set yet.
    """
    reader, publisher, keeper = roles.reader, roles.publisher, roles.keeper
    reading, publishing = _together(reading_needs(deployment, models)), publishing_needs(deployment, models)
    snapshots, care = snapshot_needs(deployment), care_needs(deployment)
    lines = [
        f"-- {reader} reads the app; where the roles are missing: create role … login password '…';",
        f"grant connect on database {roles.source} to {reader};",
        *_usage(reading, reader),
        *(need.grant(reader) for need in reading if need.schema != SCHEMA),
        f"-- {publisher} writes what is published, and owns the schema {SCHEMA}",
        f"grant connect, temporary on database {roles.primary} to {publisher};",
        f"create schema if not exists {SCHEMA} authorization {publisher};",
        *_usage(publishing, publisher),
        *(need.grant(publisher) for need in publishing),
    ]
    if snapshots.publishing:
        more_reading, more_publishing = _beyond(snapshots.reading, reading), _beyond(snapshots.publishing, publishing)
        lines += [
            "-- only where `community ingest` is used: new templates and scenes, nothing that is there",
            *_usage(more_reading, reader),
            *(need.grant(reader) for need in more_reading),
            *_usage(more_publishing, publisher),
            *(need.grant(publisher) for need in more_publishing),
            "-- only where it is used with --supersede or --after-moderation: the status of any template, since grants "
            "know columns and no rows",
            *(need.grant(publisher) for need in snapshots.changing),
        ]
    if care:
        tables = ", ".join(deployment.names.table(one.table).as_string() for one in deployment.platform.partitioned)
        missing = f"; set {care_setting} to it, or {publisher} needs the same" if care_setting else ""
        lines += [
            f"-- {keeper} makes and archives partitions of {tables}, as their owner may{missing}",
            f"grant connect, temporary on database {roles.primary} to {keeper};",
            *dict.fromkeys(of_owners),
        ]
    return "\n".join(
        [
            *lines,
            "-- after `community migrate`",
            *_usage(reading, reader, of_schema=SCHEMA),
            *(need.grant(reader) for need in reading if need.schema == SCHEMA),
            *_usage(care, keeper, of_schema=SCHEMA),
            *(need.grant(keeper) for need in care),
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


def _beyond(needs: Iterable[Need], granted: Iterable[Need]) -> list[Need]:
    """What those needs want that others have not asked for, one need for each table."""
    had = {(need.schema, need.table): need.privileges for need in granted}
    found = []
    for need in _together(needs):
        privileges = had.get((need.schema, need.table), {})
        more = Need(need.schema, need.table)
        for privilege, columns in need.privileges.items():
            if new := [column for column in columns if column not in privileges.get(privilege, [])]:
                more.add(privilege, *new)
        if more.privileges:
            found.append(more)
    return found


def _usage(needs: Sequence[Need], role: str, of_schema: str | None = None) -> list[str]:
    schemas = {need.schema for need in needs if (need.schema == SCHEMA) == (of_schema == SCHEMA)}
    return [f"grant usage on schema {sql.Identifier(schema).as_string()} to {role};" for schema in sorted(schemas)]
