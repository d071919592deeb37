"""Connections to PostgreSQL: short, named, closed, and safe behind a transaction pooler.

No session state: time zones are written into the SQL, settings are `set local`, nothing is prepared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar
from urllib.parse import quote

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

APPLICATION_NAME = "community-pipelines"
Connection = psycopg.Connection[TupleRow]
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


class DatabaseError(Exception):
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
    """A connection in autocommit mode; use `connection.transaction()` for what belongs together.

    `setting` is the name of the setting that holds the URL, for the error. Raises DatabaseError, also for what
    fails inside because the server went away, a right is missing or a table is.
    """
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=10,
            application_name=APPLICATION_NAME,
        )
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"cannot connect to the database {place(url)}: {said(error, url)}; is it running, and is {setting} right?"
        ) from None
    try:
        with connection:
            yield connection
    except EXPLAINED as error:
        raise DatabaseError(f"the database {place(url)} says: {said(error, url)}; {_advice(error, setting)}") from error


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
    given = {"lock_timeout": LOCK_TIMEOUT, **settings}
    sets = ", ".join(["set_config(%s, %s, true)"] * len(given))
    with connection.transaction():
        connection.execute(
            f"select {sets}, pg_advisory_xact_lock(hashtextextended(%s, 0))".encode(),
            (*chain.from_iterable(given.items()), f"community:{lock}"),
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
