"""Connections to PostgreSQL: short, named, closed, and safe behind a transaction pooler.

No session state: what a role or a database sets by default is set for every transaction anew, nothing is prepared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar
from urllib.parse import quote

import psycopg
from psycopg import errors, pq
from psycopg.abc import Params, QueryNoTemplate
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from community_pipelines.errors import ExplainedError

APPLICATION_NAME = "community-pipelines"
T = TypeVar("T")

# A replica that cancels a query, a deadlock, a lock that could not be had in time: taken again.
RETRYABLE = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
# What the state of a database or its server explains; any other error is a fault of this program.
EXPLAINED = (
    psycopg.OperationalError,
    errors.InsufficientPrivilege,
    errors.InvalidSchemaName,
    errors.ReadOnlySqlTransaction,
    errors.UndefinedColumn,
    errors.UndefinedTable,
)
LOCK_TIMEOUT = "10s"


def transaction_settings() -> dict[str, str]:
    """PostgreSQL's settings of every transaction, whatever its role or database sets by default: no wait for a lock
    without an end, and one way to write times."""
    return {
        "lock_timeout": LOCK_TIMEOUT,
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "intervalstyle": "postgres",
    }


class Connection(psycopg.Connection[TupleRow]):
    """A connection whose statements are all in transactions with `transaction_settings`, at read committed unless one
    begins by setting another level. A statement outside `transaction()` is a transaction of its own.
    """

    _inside = False

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        """As psycopg's, with the settings in its first round trip."""
        outermost = not self._inside
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if not outermost:
                yield transaction
                return
            # `set` takes no snapshot, as a query would: the level may still be set after it.
            sets = [f"set local {name} = '{value}'" for name, value in transaction_settings().items()]
            one_by_one = self.pgconn.pipeline_status != pq.PipelineStatus.OFF
            for statement in sets if one_by_one else ["; ".join(sets)]:
                self.unguarded(statement)
            self._inside = True
            try:
                yield transaction
            finally:
                self._inside = False

    def execute(  # type: ignore[override]  # no template strings
        self, query: QueryNoTemplate, params: Params | None = None, *, prepare: bool | None = None, binary: bool = False
    ) -> psycopg.Cursor[TupleRow]:
        """As psycopg's, in a transaction of its own unless one is open."""
        if self._inside:
            return super().execute(query, params, prepare=prepare, binary=binary)
        with self.transaction():
            return super().execute(query, params, prepare=prepare, binary=binary)

    def unguarded(self, query: QueryNoTemplate) -> None:
        """Executes a statement as it is, for those that PostgreSQL takes outside transactions only."""
        super().execute(query)


class DatabaseError(ExplainedError):
    """A database cannot be reached or used; the message names it, without secrets, and what to do."""


def place(url: str) -> str:
    """Where a URL points, for people: host, port and database, never the user's password."""
    parts = conninfo_to_dict(url)
    host = parts.get("host") or "localhost"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{parts.get('dbname') or parts.get('user') or '?'} at {host}{port}"


def said(error: Exception, url: str) -> str:
    """What PostgreSQL or a driver says, on one line, without the password of the URL and the driver's own query."""
    text = (error.diag.message_primary if isinstance(error, psycopg.Error) else None) or str(error)
    password = str(conninfo_to_dict(url).get("password") or "")
    for secret in {password, quote(password, safe="")} - {""}:
        text = text.replace(secret, "***")
    return " ".join(text.split("Query was:")[0].split()).rstrip(".;")


@contextmanager
def connect(url: str, setting: str) -> Iterator[Connection]:
    """A connection; use `connection.transaction()` for what belongs together.

    `setting` is the name of the setting that holds the URL, for the error. Raises DatabaseError, also for what
    fails inside because the server went away, a right is missing or a table is.
    """
    try:
        connection = open_session(url, timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"cannot connect to the database {place(url)}: {said(error, url)}; is it running, and is {setting} right?"
        ) from None
    try:
        with connection:
            yield connection
    except EXPLAINED as error:
        advice = lock_holders(url) if isinstance(error, errors.LockNotAvailable) else _advice(error, setting)
        raise DatabaseError(f"the database {place(url)} says: {said(error, url)}; {advice}") from error


def open_session(url: str, timeout: int) -> Connection:
    """A connection that has to be had within so many seconds; psycopg.OperationalError says why it cannot."""
    connection = Connection.connect(
        url,
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=timeout,
        application_name=APPLICATION_NAME,
        client_encoding="utf8",
    )
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    return connection


def lock_holders(url: str) -> str:
    """After a wait for a lock was given up: who holds locks that others wait for, and what to do, for people.

    The strongest locks of up to three sessions on tables of that database, and advisory ones; who they are is shown as
    far as the connected role may see it.
    """
    try:
        with open_session(url, timeout=5) as connection:
            rows = connection.execute(_HOLDERS).fetchall()
    except psycopg.Error as error:
        return f"who holds the lock could not be asked ({said(error, url)}); run it again when that session has ended"
    if not rows:
        return "whoever held the lock has ended by now: run it again"
    shown = "; ".join(str(text) for text, _ in rows)
    ends = " or ".join(f"select pg_terminate_backend({pid});" for _, pid in rows)
    return f"locks are held by {shown}; run it again when these have ended, or end one: {ends}"


# Reads, which have the first two modes, are in nobody's way.
_HOLDERS = """
    with held as (
        select pid, mode, locktype, relation,
            array_position(
                array[
                    'AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
                    'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
                ],
                mode
            ) as strength
        from pg_locks
        where granted and pid <> pg_backend_pid()
            and database = (select oid from pg_database where datname = current_database())
            and (locktype = 'advisory' or locktype = 'relation' and relation >= 16384)
    ),
    strongest as (
        select distinct on (pid) * from held where strength > 2 order by pid, strength desc, relation
    )
    select
        format(
            'process %s (%s): %s on %s',
            pid,
            concat_ws(
                ', ', 'user ' || usename, nullif(application_name, ''), state,
                'for ' || extract(epoch from date_trunc('second', clock_timestamp() - xact_start))::bigint || ' s'
            ),
            mode,
            case when locktype = 'advisory' then 'a name of its own' else relation::regclass::text end
        ),
        pid
    from strongest left join pg_stat_activity using (pid)
    order by strength desc, xact_start
    limit 3
"""


def _advice(error: psycopg.Error, setting: str) -> str:
    if isinstance(error, errors.InsufficientPrivilege):
        return f"`community doctor` prints what to grant to the role of {setting}"
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return f"it is a replica: {setting} has to name the primary"
    if isinstance(error, errors.ProgrammingError):
        return "`community migrate` creates our own tables, `community doctor` says what else is missing"
    return f"run it again when the server of {setting} answers; what was not finished was not kept"


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """A read-only repeatable-read transaction: every query inside sees the same moment."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        yield


@contextmanager
def writing(connection: Connection, lock: str, **settings: str) -> Iterator[None]:
    """A transaction that holds the advisory lock of that name until it ends; waits for it a limited time.

    `settings` are PostgreSQL's, for this transaction only.
    """
    sets = "set_config(%s, %s, true), " * len(settings)
    with connection.transaction():
        connection.execute(
            f"select {sets}pg_advisory_xact_lock(hashtextextended(%s, 0))".encode(),
            (*chain.from_iterable(settings.items()), f"community:{lock}"),
        )
        yield


def retried(work: Callable[[], T], attempts: int = 6) -> T:
    """Runs a whole transaction again when PostgreSQL says that it may succeed then; waits in between."""
    for attempt in range(1, attempts):
        try:
            return work()
        except RETRYABLE:
            time.sleep(0.2 * 2**attempt)
    return work()
