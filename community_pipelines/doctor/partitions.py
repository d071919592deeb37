"""Partition care: may its role do it, and are this month and the next one there?"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from community_pipelines.databases.connections import Connection
from community_pipelines.databases.deployment import Deployment
from community_pipelines.doctor.diagnosis import Diagnosis, Level
from community_pipelines.doctor.reach import Database, ask
from community_pipelines.doctor.rights import role_name
from community_pipelines.maintenance.partitions import Owner, PartitionError, months, owner_of, partitions
from community_pipelines.platforms.spec import PartitionedTable


def ownership(
    database: Database, connection: Connection, deployment: Deployment, one: PartitionedTable
) -> Iterator[Diagnosis]:
    """Whether the care role may make and detach partitions: PostgreSQL wants the table's owner for that."""
    subject = f"owner of {one.table.name}"
    schema, name = deployment.names.parts(one.table)
    table, owner = _quoted(schema, name), owner_of(connection, schema, name)
    if owner is None:
        return  # the declared tables name it already
    role = role_name(connection)
    if not owner.is_ours:
        seen = f"role {role} may not act as the owner of {table}: `community maintain` cannot run"
        advice = [f"set {deployment.setting('maintain_url')} to a role that may, or:", _membership(owner, table, role)]
        yield Diagnosis(database.platform, subject, "warning", seen, "\n".join(advice))
    elif strange := _partitions_of_others(connection, owner):
        seen = f"role {role} may not act as the owner of {len(strange)} partitions of {table}: they are not archived"
        yield Diagnosis(database.platform, subject, "warning", seen, "\n".join(strange))
    elif closed := _closed_functions(connection, owner):
        seen = f"the owner of {table} may not execute what its triggers run: no new partition gets them"
        yield Diagnosis(database.platform, subject, "warning", seen, "\n".join(closed))
    else:
        seen = f"role {role} may act as the owner of {table}"
        yield Diagnosis(database.platform, subject, "ok", seen)


def owners_grants(
    reached: Connection | Diagnosis, deployment: Deployment, one: PartitionedTable, keeper: str
) -> list[str]:
    """What makes a role (quoted) one that cares for the table: the rights of its owner, and what its triggers need."""
    schema, name = deployment.names.parts(one.table)
    table = _quoted(schema, name)
    owner = None if isinstance(reached, Diagnosis) else owner_of(reached, schema, name)
    if isinstance(reached, Diagnosis) or owner is None:
        return [f"-- grant the role that owns {table} to {keeper};"]
    membership = [] if _quoted(owner.role) == keeper else [_membership(owner, table, keeper)]
    return membership + _closed_functions(reached, owner)


def _membership(owner: Owner, table: str, keeper: str) -> str:
    if owner.is_superuser:
        # A superuser's rights are for nobody else.
        return f"-- {table} and its partitions belong to the superuser {_quoted(owner.role)}: give them another owner"
    return f"grant {_quoted(owner.role)} to {keeper};"


def _closed_functions(connection: Connection, owner: Owner) -> list[str]:
    rows = ask(
        connection,
        """
        select distinct format('%%I.%%I(%%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid))
        from pg_trigger
        join pg_proc on pg_proc.oid = tgfoid
        join pg_namespace on pg_namespace.oid = pronamespace
        where tgrelid = %s and not tgisinternal and not has_function_privilege(%s, pg_proc.oid, 'execute')
        order by 1
        """,
        (owner.table, owner.role),
    )
    return [f"grant execute on function {function} to {_quoted(owner.role)};" for (function,) in rows]


def _partitions_of_others(connection: Connection, owner: Owner) -> list[str]:
    rows = ask(
        connection,
        """
        select nspname, relname
        from pg_inherits
        join pg_class on pg_class.oid = inhrelid
        join pg_namespace on pg_namespace.oid = relnamespace
        where inhparent = %s and not pg_has_role(relowner, 'usage')
        order by 1, 2
        """,
        (owner.table,),
    )
    return [f"alter table {_quoted(*names)} owner to {_quoted(owner.role)};" for names in rows]


def _quoted(*names: str) -> str:
    return sql.Identifier(*names).as_string()


def next_months(
    database: Database, connection: Connection, deployment: Deployment, one: PartitionedTable
) -> Diagnosis | None:
    """Whether this month and the next have their partitions: where one lacks, inserts will fail."""
    subject = f"partitions of {one.table.name}"
    if owner_of(connection, *deployment.names.parts(one.table)) is None:
        return None
    try:
        wanted = months(connection, deployment, one, partitions(connection, deployment, one), 1)
    except PartitionError as error:
        return Diagnosis(database.platform, subject, "warning", str(error), "mend that; until then nobody cares for it")
    lacking = [month for month in wanted if not month.exists]
    if not lacking:
        return Diagnosis(database.platform, subject, "ok", f"this month and {wanted[-1].start:%Y-%m} have theirs")
    seen = f"no partition for {' and '.join(f'{month.start:%Y-%m}' for month in lacking)}: inserts into it fail"
    faults = [month.fault for month in lacking if month.fault]
    advice = "; ".join([*faults, f"community maintain --platform {database.platform}"])
    level: Level = "problem" if wanted[0] in lacking else "warning"
    return Diagnosis(database.platform, subject, level, seen, advice)
