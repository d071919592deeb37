"""The tables that models are published to, as their contracts say.

Here: what a contract wants, what the database has, and the SQL that adds what is missing. Not here: rows
(publish.py), our own records (`sql/pipeline`), the app's tables (`sql/<platform>/app`).

Only adds. What adding cannot do (another type, a renamed column, another grain) is refused, and that table left as it
is. What no contract names is nobody's business here. SQLAlchemy and Alembic are loaded only where a table is not yet
as its contract says: one query tells that.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import errors, sql

from community_pipelines.databases import migrations
from community_pipelines.databases.connections import Connection, open_session
from community_pipelines.databases.migrations import MigrationError
from community_pipelines.models.project import Contract, Model, ModelError
from community_pipelines.platforms.spec import Platform

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations.ops import MigrateOperation

SCHEMA = "community"
# A contract's types as PostgreSQL writes them; the others are called the same.
IN_POSTGRES = {"double": "double precision", "timestamptz": "timestamp with time zone", "varchar": "character varying"}
_TYPES = ("bigint", "boolean", "date", "double", "integer", "timestamptz", "uuid", "varchar")
_TABLES = {"r": "a table", "p": "a partitioned table"}
_OTHERS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_LONGEST_NAME = 63
_NOT_NULL_UNCHECKED = 180_000
_ATTEMPTS = 5

_CATALOG = """
select
    relname,
    relkind::text,
    coalesce(obj_description(pg_class.oid, 'pg_class'), ''),
    array(
        select json_build_array(
            attname, format_type(atttypid, atttypmod), attnotnull, coalesce(col_description(attrelid, attnum), ''),
            atthasdef or attidentity <> '' or attgenerated <> '',
            (
                select conname
                from pg_constraint
                where conrelid = attrelid and contype = 'n' and conkey = array[attnum] and not convalidated
            )
        )
        from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped
        order by attnum
    ),
    array(
        select json_build_array(
            indexes.relname,
            indisprimary,
            indisvalid and indisready,
            array(
                select attname
                from unnest(indkey::int2[]) with ordinality as part (number, place)
                left join pg_attribute on attrelid = indrelid and attnum = part.number
                order by place
            ),
            indpred is null
        )
        from pg_index
        join pg_class as indexes on indexes.oid = indexrelid
        where indrelid = pg_class.oid
    )
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
where nspname = %s and relkind in ('r', 'p', 'v', 'm', 'f')
"""


@dataclass(frozen=True)
class FoundColumn:
    """A column in the database. `filled` means that rows get a value without naming it; `unchecked` is the name of a
    not-null that was declared and not yet compared with the rows."""

    type: str
    not_null: bool
    comment: str
    filled: bool
    unchecked: str | None


@dataclass(frozen=True)
class FoundIndex:
    """An index in the database; `whole` unless it leaves out rows."""

    columns: tuple[str | None, ...]
    valid: bool
    whole: bool


_NO_INDEX = FoundIndex((), True, True)


@dataclass(frozen=True)
class Found:
    """A table, or something else, that is in the database under a name."""

    kind: str
    comment: str
    columns: Mapping[str, FoundColumn]
    key: tuple[str | None, ...]
    indexes: Mapping[str, FoundIndex]


@dataclass(frozen=True)
class Change:
    """What one table lacks: SQL of its transactions, SQL that PostgreSQL takes outside of transactions only, and what
    that does, for people. `before` is what the SQL was made for."""

    table: str
    before: Found | None
    transactions: tuple[str, ...]
    outside: tuple[str, ...]
    does: tuple[str, ...]

    @property
    def sql(self) -> str:
        """All of it, as a script."""
        inside = [f"-- {SCHEMA}.{self.table}\nbegin;\n{one}\ncommit;\n" for one in self.transactions]
        return "\n".join([*inside, *(f"-- {SCHEMA}.{self.table}\n{one}\n" for one in self.outside)])


@dataclass(frozen=True)
class Plan:
    """What is to be done, what is left alone or waits (`notes`), and what cannot be done (`refused`), for people."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    refused: tuple[str, ...]

    def require(self) -> None:
        """Raises MigrationError with all that was refused."""
        if self.refused:
            raise MigrationError("\n".join(self.refused))


def ours(models: Sequence[Model]) -> dict[str, Contract]:
    """The contracts of those models that are published in our own schema, by table."""
    named = [(model.contract.publish.partition("."), model.contract) for model in models]
    return {table: contract for (schema, _, table), contract in named if schema == SCHEMA}


def require_targets(platform: Platform, models: Sequence[Model]) -> None:
    """Raises ModelError unless each model is published to a table of its own: one in our schema, or the app's."""
    declared = {table.name for table in platform.tables}
    models_of: dict[str, list[str]] = {}
    faults = []
    for model in models:
        # A key without a value is None.
        target = str(model.contract.publish or "")
        models_of.setdefault(target, []).append(model.name)
        if target not in declared and not re.fullmatch(rf"{SCHEMA}\.[^.\s]+", target):
            faults.append(
                f"{model.path.with_suffix('.yml')}: {platform.name}/{model.name} is published to "
                f"{target or 'nothing'}, which is neither a table in the schema {SCHEMA} nor one that {platform.name} "
                f"declares: write publish: {SCHEMA}.{model.name}, or the name of the app's table as in sources.yml"
            )
    faults += [
        f"{' and '.join(f'{platform.name}/{name}' for name in names)} are published to one table, {target}, "
        f"where the days of one would replace the other's: give each its own, such as publish: {SCHEMA}.<its name>"
        for target, names in models_of.items()
        if target and len(names) > 1
    ]
    if faults:
        raise ModelError("\n".join(faults))


def day_index(table: str) -> str:
    """The name of the table's index by day."""
    ending = "_day_idx"
    return table[: _LONGEST_NAME - len(ending)] + ending


def table_comment(contract: Contract) -> str:
    """The first sentence of the description."""
    return re.split(r"(?<=[.!?])\s", contract.description, maxsplit=1)[0]


def plan(url: str, platform: str, models: Sequence[Model]) -> Plan:
    """What the database lacks of what the contracts say; changes nothing.

    Raises MigrationError when the database cannot be asked.
    """
    with migrations.session(url) as connection:
        return _plan(connection, url, platform, models)


def migrate(url: str, platform: str, models: Sequence[Model]) -> Plan:
    """Adds what the database lacks and returns what that was, and what was refused; each table by itself.

    Raises MigrationError when SQL fails (the table is left as it was before that transaction), and when the database
    cannot be reached.
    """
    with migrations.session(url) as connection:
        done: list[Change] = []
        for _ in range(_ATTEMPTS):
            made = _plan(connection, url, platform, models)
            now = [change for change in made.changes if _applied(connection, platform, change)]
            done += now
            if len(now) == len(made.changes):
                return replace(made, changes=tuple(done))
    raise MigrationError(f"{platform}: the tables of schema {SCHEMA} keep being changed by others; migrate again")


def text(changes: Sequence[Change]) -> str:
    """All SQL of these changes, as a script; run by hand, it leaves the database as `migrate` would."""
    return "\n".join(change.sql for change in changes)


def _plan(connection: Connection, url: str, platform: str, models: Sequence[Model]) -> Plan:
    contracts = ours(models)
    with migrations.transaction(connection):
        catalog = _catalog(connection)
        notes = [*_gone(connection, platform, contracts, catalog), *_left(platform, contracts, catalog)]
        refused, wanted, waits = [], {}, {}
        for table, contract in contracts.items():
            found = catalog.get(table)
            if faults := list(_faults(table, contract, found)):
                refused += [f"{platform}: {fault} Nothing of this table was changed." for fault in faults]
            elif not _is_as_said(table, contract, found):
                wanted[table] = contract
                waits[table] = [] if found is None else _waiting(connection, table, contract, found)
    lacking = _operations(url, wanted) if wanted else {}
    changes = []
    for table, contract in wanted.items():
        change = _change(
            table, contract, catalog.get(table), lacking.get(table, ()), waits[table], connection.info.server_version
        )
        changes += [change] if change.transactions or change.outside else []
        notes += [
            f"{platform}: column {name} of {SCHEMA}.{table} becomes not null at the next migration after every day was "
            "published with it."
            for name in waits[table]
        ]
    return Plan(tuple(changes), tuple(notes), tuple(refused))


def _catalog(connection: Connection) -> dict[str, Found]:
    return {
        table: Found(
            kind,
            comment,
            {name: FoundColumn(*rest) for name, *rest in columns},
            next((tuple(names) for _, primary, _, names, _ in indexes if primary), ()),
            {name: FoundIndex(tuple(names), valid, whole) for name, _, valid, names, whole in indexes},
        )
        for table, kind, comment, columns, indexes in connection.execute(_CATALOG, [SCHEMA])
    }


def _strict(contract: Contract) -> frozenset[str]:
    """The columns that are never null: as the contract says, and those of the grain, which is the primary key."""
    return frozenset([*contract.grain, *(one.name for one in contract.columns if one.not_null)])


def _type(type_name: str) -> str:
    return IN_POSTGRES.get(type_name, type_name)


def _is_as_said(table: str, contract: Contract, found: Found | None) -> bool:
    """Whether nothing is to be added: columns that the contract does not name may be there, unless rows need them."""
    if found is None or found.kind not in _TABLES or found.comment != table_comment(contract):
        return False
    strict = _strict(contract)
    said = {one.name: (_type(one.type), one.name in strict, one.description, None) for one in contract.columns}
    have = {name: (one.type, one.not_null, one.comment, one.unchecked) for name, one in found.columns.items()}
    index = found.indexes.get(day_index(table), FoundIndex((), False, False))
    return (
        {name: have.get(name) for name in said} == said
        and not _needed(contract, found)
        and found.key == contract.grain
        and (contract.grain[0] == "day" or index == FoundIndex(("day",), True, True))
    )


def _needed(contract: Contract, found: Found) -> list[str]:
    """Columns that the contract no longer names, and without which no row can be written."""
    names = contract.column_names()
    return [name for name, one in found.columns.items() if name not in names and one.not_null and not one.filled]


def _faults(table: str, contract: Contract, found: Found | None) -> Iterator[str]:
    """Why the table cannot be brought to what the contract says by adding, and what to do."""
    name, by_hand = f"{SCHEMA}.{table}", f"alter table {_quoted(SCHEMA, table)}"
    if len(table.encode()) > _LONGEST_NAME:
        yield f"{name} is longer than {_LONGEST_NAME} bytes, PostgreSQL's limit: give the contract a shorter name."
    for column in contract.columns:
        if column.type not in _TYPES:
            yield (
                f"column {column.name} of {name} has the type {column.type} in its contract: expected one of "
                f"{', '.join(_TYPES)}."
            )
    if found is None:
        return
    if found.kind not in _TABLES:
        yield f"{name} is {_OTHERS[found.kind]}, and a table is to be made: rename it, or publish under another name."
        return
    if found.key != contract.grain:
        key = ", ".join(map(str, found.key)) or "none"
        yield (
            f"the primary key of {name} is {key}, the grain of its contract is {', '.join(contract.grain)}: publish "
            "under another name, or rename the table, which keeps its rows, and migrate again."
        )
    for column in contract.columns:
        have = found.columns.get(column.name)
        if have is not None and have.type != _type(column.type):
            yield (
                f"column {column.name} of {name} is {have.type}, its contract says {_type(column.type)}: add a column "
                f"of that type under another name, or change this one by hand ({by_hand} alter column "
                f"{_quoted(column.name)} type …) and migrate again."
            )
    names = contract.column_names()
    # A column that somebody else has added looks the same, unless it is of another type.
    for old, have in found.columns.items():
        new = [one.name for one in contract.columns if one.name not in found.columns and _type(one.type) == have.type]
        if old not in names and new:
            yield (
                f"{name} has {old}, which its contract does not name, and lacks {', '.join(new)}. Where that is a new "
                f"name: {by_hand} rename column {_quoted(old)} to {_quoted(new[0])}; where it is a new column: "
                f"{by_hand} add column {_quoted(new[0])} {have.type}; then migrate again."
            )
            break
    index = found.indexes.get(day_index(table))
    if contract.grain[0] != "day" and index is not None and (index.columns, index.whole) != (("day",), True):
        yield f"index {day_index(table)} of {name} is not one by day: rename it, and migrate again."


def _quoted(*parts: str) -> str:
    return sql.Identifier(*parts).as_string()


def _waiting(connection: Connection, table: str, contract: Contract, found: Found) -> list[str]:
    """Columns that the contract wants not null, and that rows are without, or would be."""
    waiting = []
    for name in sorted(_strict(contract)):
        have = found.columns.get(name)
        if have is None or not have.not_null:
            lacks = sql.SQL("{} is null").format(sql.Identifier(name)) if have else sql.SQL("true")
            query = sql.SQL("select exists (select from {} where {})").format(sql.Identifier(SCHEMA, table), lacks)
            if connection.execute(query).fetchone() == (True,):
                waiting.append(name)
    return waiting


def _gone(
    connection: Connection, platform: str, contracts: Mapping[str, Contract], catalog: Mapping[str, Found]
) -> Iterator[str]:
    """Tables that were published once and that no contract names."""
    if "publications" not in catalog:
        return
    query = "select distinct table_name from community.publications where platform = %s order by 1"
    for (name,) in connection.execute(query, [platform]):
        schema, _, table = name.partition(".")
        if schema == SCHEMA and table in catalog and table not in contracts:
            yield f"{platform}: {name} has no model any more; it is left alone, with its rows."


def _left(platform: str, contracts: Mapping[str, Contract], catalog: Mapping[str, Found]) -> Iterator[str]:
    """Columns that no contract names."""
    for table, contract in contracts.items():
        found = catalog.get(table)
        gone = [name for name in found.columns if name not in contract.column_names()] if found else []
        if gone and found and found.kind in _TABLES:
            yield (
                f"{platform}: {SCHEMA}.{table} has {', '.join(gone)}, which its contract does not name; left alone, "
                "with its values."
            )


def _tables(contracts: Mapping[str, Contract]) -> sa.MetaData:
    """The tables of the contracts."""
    import sqlalchemy as sa
    from sqlalchemy.dialects.postgresql.base import ischema_names

    metadata = sa.MetaData(schema=SCHEMA)
    for table, contract in contracts.items():
        columns = [
            sa.Column(
                one.name,
                sa.TIMESTAMP(timezone=True) if one.type == "timestamptz" else ischema_names[_type(one.type)](),
                nullable=one.name not in _strict(contract),
                comment=one.description,
            )
            for one in contract.columns
        ]
        made = sa.Table(
            table, metadata, *columns, sa.PrimaryKeyConstraint(*contract.grain), comment=table_comment(contract)
        )
        if contract.grain[0] != "day":
            sa.Index(day_index(table), made.c.day)
    return metadata


def _operations(url: str, contracts: Mapping[str, Contract]) -> dict[str, list[MigrateOperation]]:
    """What Alembic finds to do for every table."""
    import sqlalchemy as sa
    from alembic.autogenerate import produce_migrations
    from alembic.migration import MigrationContext
    from alembic.operations.ops import CreateTableOp, ModifyTableOps

    def open_it() -> psycopg.Connection[Any]:
        made = open_session(url, timeout=10)
        made.autocommit = False
        return made

    def concerns(name: str | None, kind: str, _parents: object) -> bool:
        return {"schema": name == SCHEMA, "table": name in contracts}.get(kind, True)

    def is_ours(_one: object, _name: str | None, _kind: str, reflected: bool, compared: object) -> bool:
        return not reflected or compared is not None

    options = {"include_schemas": True, "include_name": concerns, "include_object": is_ours}
    engine = sa.create_engine("postgresql+psycopg://", creator=open_it, poolclass=sa.NullPool, use_native_hstore=False)
    try:
        with engine.connect() as connection, warnings.catch_warnings():
            # Of what others put on a table it does not know everything, which nobody asks it to.
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            # A search path that begins with our schema would make its tables look as if they had none.
            connection.dialect.default_schema_name = "pg_catalog"
            found = produce_migrations(MigrationContext.configure(connection, opts=options), _tables(contracts))
    except sa.exc.DBAPIError as error:
        raise error.orig if isinstance(error.orig, psycopg.Error) else error from None
    lacking: dict[str, list[MigrateOperation]] = {}
    for one in found.upgrade_ops.ops if found.upgrade_ops else ():
        if isinstance(one, (CreateTableOp, ModifyTableOps)):
            lacking.setdefault(one.table_name, []).extend([one] if isinstance(one, CreateTableOp) else one.ops)
    return lacking


def _change(
    table: str,
    contract: Contract,
    before: Found | None,
    lacking: Sequence[MigrateOperation],
    waiting: Sequence[str],
    version: int,
) -> Change:
    """The SQL of what a table lacks. A column that rows are without is added without its not-null, which comes later;
    an index of a table that is there is built beside its writers."""
    from alembic.operations import ops

    first, outside, does = [], [], []
    for one in lacking:
        if isinstance(one, ops.CreateTableOp):
            does.append("made")
        elif isinstance(one, ops.AddColumnOp):
            one.column.nullable = one.column.nullable or one.column.name in waiting
            does.append(f"added column {one.column.name}")
        elif isinstance(one, ops.CreateIndexOp):
            does.append("indexed")
            if before is not None and before.kind == "r":
                one.kw["postgresql_concurrently"], one.if_not_exists = True, True
                outside.append(_rendered(one))
                continue
        elif isinstance(one, ops.CreateTableCommentOp):
            does.append("described")
        elif isinstance(one, ops.AlterColumnOp):
            # A stricter column takes more than one transaction, below.
            one.modify_nullable = one.modify_nullable or None
            if one.modify_nullable:
                does.append(f"column {one.column_name} may be null")
            if one.modify_comment is not False:
                does.append(f"described column {one.column_name}")
            elif not one.modify_nullable:
                continue
        first.append(_rendered(one))
    later: list[str] = []
    if before is not None:
        for name in _needed(contract, before):
            first.append(_rendered(ops.AlterColumnOp(table, name, schema=SCHEMA, modify_nullable=True)))
            does.append(f"column {name}, which the contract does not name, may be null")
        for name in _stricter(contract, before, waiting):
            later += _not_null(table, name, before.columns[name].unchecked, version)
            does.append(f"column {name} is not null")
        if before.indexes.get(day_index(table), _NO_INDEX).valid is False:
            outside.append(_statement("reindex index concurrently {}", sql.Identifier(SCHEMA, day_index(table))))
            does.append("finished its index")
    inside = ["\n".join(first)] if first else []
    return Change(table, before, (*inside, *later), tuple(outside), tuple(does))


def _stricter(contract: Contract, found: Found, waiting: Sequence[str]) -> list[str]:
    """Columns that may be made not null now: no row is without them."""
    names = [name for name in contract.column_names() if name in _strict(contract) and name not in waiting]
    have = {name: found.columns[name] for name in names if name in found.columns}
    return [name for name, one in have.items() if not one.not_null or one.unchecked]


def _not_null(table: str, column: str, unchecked: str | None, version: int) -> list[str]:
    """The transactions that make a column not null while others write: declared first, then compared with the rows."""
    parts = {
        "table": sql.Identifier(SCHEMA, table),
        "column": sql.Identifier(column),
        "name": sql.Identifier(unchecked or f"{table}_{column}_not_null"[:_LONGEST_NAME]),
    }
    validate = "alter table {table} validate constraint {name}"
    if unchecked:
        steps = [[validate]]
    elif version >= _NOT_NULL_UNCHECKED:
        steps = [["alter table {table} add constraint {name} not null {column} not valid"], [validate]]
    else:
        steps = [
            [
                "alter table {table} drop constraint if exists {name}",
                "alter table {table} add constraint {name} check ({column} is not null) not valid",
            ],
            [validate],
            ["alter table {table} alter column {column} set not null", "alter table {table} drop constraint {name}"],
        ]
    return ["\n".join(_statement(one, **parts) for one in step) for step in steps]


def _statement(template: LiteralString, *positional: sql.Identifier, **named: sql.Identifier) -> str:
    return sql.SQL(template).format(*positional, **named).as_string() + ";"


def _rendered(one: MigrateOperation) -> str:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from sqlalchemy.dialects import postgresql

    script = StringIO()
    # With another style of parameters it would double every percent sign of a comment.
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": script})
    Operations(context).invoke(one)
    return script.getvalue().strip()


def _applied(connection: Connection, platform: str, change: Change) -> bool:
    """Runs a change; false, and nothing is done, when the table is no longer what its SQL was made for."""
    try:
        for place, script in enumerate(change.transactions):
            with migrations.transaction(connection, writes=True):
                if place == 0 and _catalog(connection).get(change.table) != change.before:
                    return False
                connection.execute(script.encode())
        for script in change.outside:
            connection.unguarded(script.encode())
    except psycopg.Error as error:
        name = f"{platform}: table {SCHEMA}.{change.table} in database {connection.info.dbname}"
        next_step = "Migrate again; where that says the same, see what `community migrate --dry-run` prints."
        if isinstance(error, errors.InsufficientPrivilege):
            raise MigrationError(f"{name}: {migrations.said(error)}. {migrations.BY_ITS_OWNER}") from error
        raise migrations.explained(error, f"{name}: {migrations.said(error)}.", next_step) from error
    return True
