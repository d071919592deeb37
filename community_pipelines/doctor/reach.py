"""Reaching a configured database, and asking it without ever holding it up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from community_pipelines.databases.connections import Connection, open_session, place, said
from community_pipelines.doctor.diagnosis import Diagnosis

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10

# What libpq's messages contain, and what helps; the first that fits counts.
_ADVICE = (
    ("password authentication failed", "correct the user or the password in {setting}"),
    ("no password supplied", "put the password into {setting}"),
    (
        "no pg_hba.conf entry",
        "let this machine in, in the server's pg_hba.conf, or connect with TLS (?sslmode=require)",
    ),
    ("connection refused", "start the server, or correct host and port in {setting}; a firewall refuses likewise"),
    ("no such file or directory", "start the server, or correct the socket folder in {setting}"),
    ("timeout", "check that the host is up and that no firewall drops the port, or correct {setting}"),
    ("translate host name", "correct the host in {setting}, or check this machine's DNS"),
    ("too many", "close sessions on the server, or raise its max_connections"),
    ("remaining connection slots", "close sessions on the server, or raise its max_connections"),
    ("is starting up", "wait until the server has started, then look again"),
    ("does not exist", "create it, or correct {setting}"),
    ("permission denied", "grant the role connect on that database, or correct {setting}"),
    ("ssl", "correct sslmode or the certificates in {setting}"),
)


@dataclass(frozen=True)
class Database:
    """One configured database. `purpose` is what it is for, `setting` holds its URL (a secret)."""

    platform: str
    purpose: str
    url: str = field(repr=False)
    setting: str

    def says(self, error: psycopg.Error) -> str:
        """The error on one line, without the password."""
        return said(error, self.url)


def named(url: str) -> tuple[str | None, str | None]:
    """The role and the database that a URL names."""
    given = {key: str(value) for key, value in conninfo_to_dict(url).items() if value}
    return given.get("user"), given.get("dbname") or given.get("user")


@contextmanager
def opened(database: Database) -> Iterator[Connection]:
    """A connection for `ask`. Raises psycopg.Error when it cannot be had within seconds."""
    with open_session(database.url, timeout=CONNECT_SECONDS) as connection:
        yield connection


def ask(
    connection: Connection,
    query: LiteralString | sql.SQL | sql.Composed,
    values: Sequence[object] | Mapping[str, object] | None = None,
) -> list[tuple[Any, ...]]:
    """The rows of a query, in a read-only transaction of its own that ends within seconds."""
    with connection.transaction():
        connection.execute("set transaction read only")
        connection.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(f"{STATEMENT_SECONDS}s")))
        return connection.execute(query, values).fetchall()


def unreachable(database: Database, error: psycopg.Error) -> Diagnosis:
    """Says why there is no connection, and what helps."""
    text = database.says(error)
    advice = next((a for words, a in _ADVICE if words in text.lower()), "check that it runs, and {setting}")
    return Diagnosis(
        database.platform,
        f"{database.purpose} connection",
        "problem",
        f"cannot connect to {place(database.url)}: {text}",
        advice.format(setting=database.setting),
    )


def unanswered(database: Database, subject: str, error: psycopg.Error) -> Diagnosis:
    """Says that a check got no answer, and why."""
    if isinstance(error, errors.QueryCanceled):
        return Diagnosis(
            database.platform,
            subject,
            "warning",
            f"no answer within {STATEMENT_SECONDS} s",
            "look again when the server is less busy; a missing index makes this slow, too",
        )
    return Diagnosis(
        database.platform,
        subject,
        "problem",
        f"could not be checked: {database.says(error)}",
        "settle what the other findings name, then look again",
    )
