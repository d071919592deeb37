"""Monthly partitions of a table: which there are, which months lack one, and making those.

Here: reading the catalog, planning, creating, and what is wrong with the partitions. Not here: taking old ones
away (`archive.py`). Bounds are UTC whatever the session's time zone is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg import errors, sql

from community_pipelines.databases.connections import Connection, retried, snapshot, writing
from community_pipelines.databases.deployment import Deployment
from community_pipelines.errors import ExplainedError
from community_pipelines.platforms.spec import PartitionedTable

# Creating a partition locks its table: the app's inserts wait behind it no longer than that.
LOCK_TIMEOUT = "3s"
LONGEST_NAME = 63
_BOUNDS = re.compile(r"FOR VALUES FROM \((?P<start>.+)\) TO \((?P<end>.+)\)")
_OPEN = ("MINVALUE", "MAXVALUE", "'-infinity'", "'infinity'")


class PartitionError(ExplainedError):
    """A table's partitions are not what they should be; the message names the table and what to do."""


@dataclass(frozen=True)
class Partition:
    """One partition as it is. It holds `start` <= time < `end`, UTC; None where it has no such bound.

    `detaching` is true after a detach that was begun and not finished.
    """

    schema: str
    name: str
    start: datetime | None
    end: datetime | None
    is_default: bool = False
    detaching: bool = False

    @property
    def quoted(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)

    @property
    def days(self) -> tuple[date, date] | None:
        """First and last day that it holds; None when it does not hold whole days of UTC."""
        bounds = (self.start, self.end)
        if self.start is None or self.end is None or any(b is not None and b.timestamp() % 86_400 for b in bounds):
            return None
        return self.start.date(), (self.end - timedelta(days=1)).date()

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether it holds any time of [start, end)."""
        after = self.start is not None and self.start >= end
        before = self.end is not None and self.end <= start
        return not (self.is_default or after or before)


@dataclass(frozen=True)
class Month:
    """A month that must have a partition. `fault` says why it cannot be made, and what to do."""

    name: str
    start: datetime
    end: datetime
    exists: bool = False
    fault: str = ""


def month_of(moment: datetime, later: int = 0) -> datetime:
    """The first moment of that time's month in UTC, or of the month so many months later (negative: earlier)."""
    utc = moment.astimezone(UTC)
    years, month = divmod(utc.month - 1 + later, 12)
    return datetime(utc.year + years, month + 1, 1, tzinfo=UTC)


def clock(connection: Connection) -> datetime:
    """The database's clock, UTC, in whatever style its sessions write dates."""
    row = connection.execute("select extract(epoch from now())::float8").fetchone()
    assert row is not None
    return datetime.fromtimestamp(row[0], UTC)


def partitions(connection: Connection, deployment: Deployment, one: PartitionedTable) -> list[Partition]:
    """The table's partitions by their bounds, the default one last.

    Raises PartitionError for a table that is not there, or not partitioned by ranges of its time alone.
    """
    with snapshot(connection):
        _check_table(connection, deployment, one)
        rows = connection.execute(
            """
            select space.nspname, part.relname, pg_get_expr(part.relpartbound, part.oid), inhdetachpending
            from pg_inherits
            join pg_class as part on part.oid = inhrelid
            join pg_namespace as space on space.oid = part.relnamespace
            join pg_class as parent on parent.oid = inhparent
            where parent.relnamespace = to_regnamespace(quote_ident(%s)) and parent.relname = %s
            """,
            deployment.names.parts(one.table),
        ).fetchall()
    found = [_partition(schema, name, bound, detaching) for schema, name, bound, detaching in rows]
    earliest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda part: (part.is_default, part.start or earliest, part.name))


def _check_table(connection: Connection, deployment: Deployment, one: PartitionedTable) -> None:
    schema, name = deployment.names.parts(one.table)
    row = connection.execute(
        """
        select partstrat = 'r' and partnatts = 1, attname
        from pg_class
        left join pg_partitioned_table on partrelid = pg_class.oid
        left join pg_attribute on attrelid = pg_class.oid and attnum = partattrs[0]
        where relnamespace = to_regnamespace(quote_ident(%s)) and relname = %s
        """,
        (schema, name),
    ).fetchone()
    where = f"{deployment.platform.name}: the table {schema}.{name}"
    if row is None:
        raise PartitionError(f"{where} is not there; map it with {deployment.table_setting(one.table)}")
    time = deployment.names.column_name(one.table, one.time)
    if row != (True, time):
        raise PartitionError(
            f"{where} is not partitioned by range of {time} alone, so it has no months to care for; "
            f"map another table with {deployment.table_setting(one.table)}"
        )


def _partition(schema: str, name: str, bound: str, detaching: bool) -> Partition:
    match = _BOUNDS.fullmatch(bound)
    if match is None:
        return Partition(schema, name, None, None, is_default=True, detaching=detaching)
    return Partition(schema, name, _moment(match["start"]), _moment(match["end"]), detaching=detaching)


def _moment(bound: str) -> datetime | None:
    if bound in _OPEN:
        return None
    moment = datetime.fromisoformat(bound.strip("'"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def months(
    connection: Connection, deployment: Deployment, one: PartitionedTable, existing: Sequence[Partition], ahead: int
) -> list[Month]:
    """The months that must have a partition: that of the database's clock and so many after it; changes nothing."""
    schema, table = deployment.names.parts(one.table)
    now = clock(connection)
    wanted = []
    for later in range(ahead + 1):
        start = month_of(now, later)
        wanted.append(Month(f"{table}_{start:%Y_%m}", start, month_of(start, 1)))
    taken = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace(quote_ident(%s)) and relname = any(%s)",
        (schema, [month.name for month in wanted]),
    ).fetchall()
    return [_judged(month, schema, existing, {name for (name,) in taken}) for month in wanted]


def _judged(month: Month, schema: str, existing: Sequence[Partition], taken: set[str]) -> Month:
    name, start, end = month.name, month.start, month.end
    for part in existing:
        if not part.overlaps(start, end):
            continue
        if part.detaching:
            fault = f"{part.name} is being detached; end that with alter table … detach partition … finalize"
            return Month(name, start, end, fault=fault)
        if (part.start, part.end) == (start, end):
            return Month(part.name, start, end, exists=True)
        fault = (
            f"{part.name} holds {_shown(part.start)} to {_shown(part.end)} UTC, which is not this month alone; "
            "detach it, create the months and move its rows into them"
        )
        return Month(name, start, end, fault=fault)
    fault = ""
    if name in taken:
        fault = f"{schema}.{name} exists and is no partition of the table; attach it, or rename it"
    if len(name.encode()) > LONGEST_NAME:
        fault = f"the name {name} is longer than PostgreSQL's {LONGEST_NAME} bytes; create this month by hand"
    return Month(name, start, end, fault=fault)


def _shown(moment: datetime | None) -> str:
    return "any time" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def create_statement(deployment: Deployment, one: PartitionedTable, month: Month) -> sql.Composed:
    """SQL that makes the month's partition."""
    schema, _ = deployment.names.parts(one.table)
    return sql.SQL("create table {} partition of {} for values from ({}) to ({})").format(
        sql.Identifier(schema, month.name),
        deployment.names.table(one.table),
        sql.Literal(f"{month.start:%Y-%m-%d %H:%M:%S}+00"),
        sql.Literal(f"{month.end:%Y-%m-%d %H:%M:%S}+00"),
    )


def create_month(connection: Connection, deployment: Deployment, one: PartitionedTable, month: Month) -> bool:
    """Makes the month's partition; False when somebody else made it meanwhile.

    Raises PartitionError when PostgreSQL refuses it.
    """
    schema, table = deployment.names.parts(one.table)

    def create() -> bool:
        with writing(connection, f"partitions:{schema}.{table}", lock_timeout=LOCK_TIMEOUT):
            there = connection.execute(
                """
                select 1 from pg_inherits
                join pg_class as part on part.oid = inhrelid
                join pg_class as parent on parent.oid = inhparent
                where parent.relnamespace = to_regnamespace(quote_ident(%s)) and parent.relname = %s
                    and part.relname = %s
                """,
                (schema, table, month.name),
            ).fetchone()
            if there is None:
                connection.execute(create_statement(deployment, one, month))
                # Of another owner than its table it would stop the app's next change of that table.
                owner = owner_of(connection, schema, table)
                if owner is not None and not owner.is_us:
                    statement = sql.SQL("alter table {} owner to {}")
                    connection.execute(statement.format(sql.Identifier(schema, month.name), sql.Identifier(owner.role)))
            return there is None

    try:
        return retried(create)
    except errors.CheckViolation:
        raise PartitionError(
            f"rows of {month.start:%Y-%m} lie in the default partition of {schema}.{table}; "
            "move them out of it, create the month, and put them back"
        ) from None
    except (errors.InvalidObjectDefinition, errors.DuplicateTable) as error:
        raise PartitionError(f"{error.diag.message_primary}; run it again to see what overlaps") from None


@dataclass(frozen=True)
class Owner:
    """The role that owns a table (by its number): whether it is the connected one, or one whose rights that has."""

    table: int
    role: str
    is_us: bool
    is_ours: bool
    is_superuser: bool


def owner_of(connection: Connection, schema: str, table: str) -> Owner | None:
    """Who owns the table; None when it is not there."""
    row = connection.execute(
        """
        select pg_class.oid::bigint, rolname, rolname = current_user, pg_has_role(relowner, 'usage'), rolsuper
        from pg_class join pg_roles on pg_roles.oid = relowner
        where relnamespace = to_regnamespace(quote_ident(%s)) and relname = %s
        """,
        (schema, table),
    ).fetchone()
    return None if row is None else Owner(*row)


def gaps(existing: Sequence[Partition], others: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The times after the oldest partition and before the newest that have none, UTC.

    `others` are times that count as there: archived partitions, and those that would be created.
    """
    earliest, latest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    spans = [(part.start or earliest, part.end or latest) for part in existing if not part.is_default]
    if not spans:
        return []
    reached = min(start for start, _ in spans)
    found = []
    for start, end in sorted([*spans, *others]):
        if start > reached:
            found.append((reached, start))
        reached = max(reached, end)
    return found


def rows_in(connection: Connection, partition: Partition) -> int:
    """How many rows it holds."""
    row = connection.execute(sql.SQL("select count(*) from {}").format(partition.quoted)).fetchone()
    assert row is not None
    return int(row[0])
