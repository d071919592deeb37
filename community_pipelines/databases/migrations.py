"""Applies the numbered SQL files of a folder to a database, each file once and never changed after.

Here: reading such a folder, its record in `community.migrations`, applying what is missing. Not here: the
SQL itself (`sql/<platform>/app` and `sql/pipeline`), which database a folder is meant for, and published tables,
which follow their contracts (models/published_tables.py).

A file, the record with its checksum and the lock share one transaction, so a failing file leaves nothing
behind, runs that meet wait for each other, and a transaction pooler in between does no harm.

A folder may hold `retired.sha256`: files of other folders that databases of before were made with and that are gone.
Where one was applied, the file of the same name in this folder is recorded instead of applied.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from community_pipelines.databases.connections import Connection, open_session
from community_pipelines.errors import ExplainedError

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")

_SCHEMA = """\
create schema if not exists community;
comment on schema community is 'Written by community-pipelines: published metrics and its own records.';
"""

_HISTORY = """\
create table if not exists community.migrations (
    folder text not null,
    number integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    primary key (folder, number)
);
comment on table community.migrations is 'SQL files that were applied to this database.';
comment on column community.migrations.folder is 'Folder of the file, such as bazaar/app or sql/pipeline.';
comment on column community.migrations.number is 'Number in the file''s name.';
comment on column community.migrations.name is 'Name of the file.';
comment on column community.migrations.checksum is 'SHA-256 of the file, with line ends as \\n.';
comment on column community.migrations.applied_at is 'When the transaction that applied the file began.';
"""

_LOCK_SECONDS = 60
_LOCK = "select pg_advisory_xact_lock(hashtextextended('community.migrations', 0))"

BY_ITS_OWNER = "Have its owner or a database administrator run what `community migrate --dry-run` prints."
_MAY_CREATE = (
    "Have a database administrator let this role create in that schema; where the schema is missing: create schema "
    "community authorization <this role>."
)
_NEXT_STEP: dict[type[psycopg.Error], str] = {
    errors.InsufficientPrivilege: "Have a database administrator grant it; `community doctor` prints what to grant.",
    errors.ReadOnlySqlTransaction: "This server only reads: set the platform's publish URL to the primary.",
    errors.LockNotAvailable: f"Another session holds a lock for {_LOCK_SECONDS} s: migrate again once it ended.",
}


class MigrationError(ExplainedError):
    """The files cannot be applied; the message names the file and the database, and says what to do."""


@dataclass(frozen=True)
class Migration:
    """One SQL file. `checksum` is the SHA-256 of its text with line ends as \\n.

    `instead_of` names the retired file that has made the same in this database; then `sql` does nothing.
    """

    number: int
    name: str
    path: Path
    sql: str
    checksum: str
    instead_of: str = ""

    @property
    def folder(self) -> str:
        """The history that the file belongs to: its folder, such as `bazaar/app` or `sql/pipeline`."""
        return _history_of(self.path.parent)


@dataclass(frozen=True)
class Applied:
    """The record of a file that was applied; `applied_at` is UTC."""

    number: int
    name: str
    checksum: str
    applied_at: datetime


def files(folder: Path) -> list[Migration]:
    """The migrations of a folder, in order.

    Raises MigrationError when a `.sql` file is not named NNNN_name.sql, when the numbers do not run from 0001
    without a gap, and when there is no file at all.
    """
    found = []
    for path in sorted(folder.resolve().glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path}: rename it to NNNN_name.sql (four digits; lower case, digits and _)")
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MigrationError(f"{path}: cannot be read as UTF-8 text ({error})") from error
        checksum = hashlib.sha256(content.encode()).hexdigest()
        found.append(Migration(int(match[1]), path.name, path, content, checksum))
    if not found:
        raise MigrationError(f"{folder}: holds no NNNN_name.sql file; check the path")
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(f"{migration.path}: expected the number {expected:04d}; renumber without gaps")
    return found


def applied(url: str, folder: Path) -> list[Applied]:
    """The records of a folder's files in a database, in order; empty when nothing was applied yet.

    Raises MigrationError when the database cannot be read.
    """
    with session(url) as connection, transaction(connection):
        return _records(connection, _history_of(folder))


def pending(url: str, folder: Path, absent: Sequence[str] = ()) -> list[Migration]:
    """The files of a folder that a database still lacks, in order; changes nothing.

    Raises MigrationError as `migrate` does.
    """
    migrations = files(folder)
    with session(url) as connection, transaction(connection):
        return _missing(connection, migrations, absent)


def migrate(url: str, folder: Path, absent: Sequence[str] = ()) -> list[Migration]:
    """Apply the files that a database still lacks, in order, and return those that this call applied.

    `absent` names tables (`schema.table` or `table`) that must not exist before the folder's first file is
    applied: an app that made its own tables keeps them.

    Raises MigrationError when an applied file was changed, renamed or removed, when one of `absent` exists,
    when a file fails (the files before it stay applied), and when the database cannot be reached.
    """
    migrations = files(folder)
    done: list[Migration] = []
    with session(url) as connection:
        while True:
            with transaction(connection, writes=True):
                missing = _missing(connection, migrations, absent)
                if not missing:
                    return done
                _apply(connection, missing[0])
            done.append(missing[0])


def app_tables_present(url: str, tables: Sequence[str]) -> list[str]:
    """Which of these tables or views exist, in the given order and spelling.

    A name is `schema.table`, or `table` for one on the connection's search path. The part after the first dot
    is the table's exact name, without quotes, such as `public.bazaar-vid_community_event`.
    """
    with session(url) as connection, transaction(connection):
        return _present(connection, tables)


def text(migrations: Sequence[Migration]) -> str:
    """All SQL that applying these files would run, as a script that also records them.

    Running the script by hand leaves the database as `migrate` would.
    """
    if not migrations:
        return ""
    parts = [f"-- community.migrations, unless it exists\nbegin;\n{_SCHEMA}{_HISTORY}commit;\n"]
    for migration in migrations:
        record = _record(migration).as_string(None)
        header = f"-- {migration.folder}/{migration.name}"
        parts.append(f"{header}\nbegin;\n{migration.sql.rstrip()}\n\n{record};\ncommit;\n")
    return "\n".join(parts)


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    # As bytes without parameters the whole file is one simple query, where % and ; are left alone.
    try:
        connection.execute(migration.sql.encode())
        connection.execute(_record(migration))
    except psycopg.Error as error:
        position = int(error.diag.statement_position or 0)
        line = f", line {migration.sql.count(chr(10), 0, position) + 1}" if position else ""
        what = f"{migration.path}{line}: {said(error)}, in database {connection.info.dbname}."
        if isinstance(error, errors.InsufficientPrivilege):
            raise MigrationError(f"{what} Nothing of this file was kept. {BY_ITS_OWNER}") from error
        next_step = "Remove what it ran into or correct the file, then migrate again."
        raise explained(error, f"{what} Nothing of this file was kept.", next_step) from error


def _record(migration: Migration) -> sql.Composed:
    values = (migration.folder, migration.number, migration.name, migration.checksum)
    return sql.SQL("insert into community.migrations (folder, number, name, checksum) values ({})").format(
        sql.SQL(", ").join(sql.Literal(value) for value in values)
    )


def _missing(connection: psycopg.Connection, migrations: Sequence[Migration], absent: Sequence[str]) -> list[Migration]:
    database, folder = connection.info.dbname, migrations[0].folder
    records = _records(connection, folder)
    if not records and (present := _present(connection, absent)):
        raise MigrationError(
            f"database {database} already holds {', '.join(present)}, which {folder} did not make: they "
            f"belong to its app. Migrate without --app, which leaves them alone."
        )
    by_number = {migration.number: migration for migration in migrations}
    for record in records:
        migration = by_number.pop(record.number, None)
        if migration is None or migration.name != record.name:
            raise MigrationError(
                f"{folder}/{record.name} was applied to database {database} but is gone from "
                f"{migrations[0].path.parent}: restore it, or use the version of the project that has it."
            )
        if migration.checksum != record.checksum:
            raise MigrationError(
                f"{migration.path} was changed after it was applied to database {database} on "
                f"{record.applied_at:%Y-%m-%d %H:%M} UTC: restore it (git checkout) and write the change as "
                f"a new file, {len(migrations) + 1:04d}_name.sql."
            )
    done = _retired(connection, migrations[0].path.parent) if by_number else {}
    return [_recorded_only(one, done.get(_title(one.name), "")) for one in by_number.values()]


def _retired(connection: psycopg.Connection, folder: Path) -> dict[str, str]:
    """The retired files that were applied: name without its number → folder and name."""
    listed = folder / "retired.sha256"
    if not listed.exists():
        return {}
    checksums = {name: checksum for checksum, name in map(str.split, listed.read_text().splitlines())}
    done = {}
    for history in sorted({name.rpartition("/")[0] for name in checksums}):
        for record in _records(connection, history):
            name = f"{history}/{record.name}"
            if checksums.get(name) != record.checksum:
                raise MigrationError(
                    f"{name} was applied to database {connection.info.dbname} on {record.applied_at:%Y-%m-%d %H:%M} "
                    f"UTC with a text that is not listed in {listed}: what it made is not known here. Correct its "
                    "record in community.migrations where the tables are as that file makes them, or use the version "
                    "of the project that has it."
                )
            done[_title(record.name)] = name
    return done


def _title(name: str) -> str:
    return name.partition("_")[2]


def _recorded_only(migration: Migration, retired: str) -> Migration:
    if not retired:
        return migration
    return replace(migration, sql=f"-- {retired} has made this here\n", instead_of=retired)


def _records(connection: psycopg.Connection, folder: str) -> list[Applied]:
    if not _present(connection, ["community.migrations"]):
        return []
    rows = connection.execute(
        "select number, name, checksum, applied_at from community.migrations where folder = %s order by number",
        [folder],
    )
    return [Applied(*row) for row in rows]


def _present(connection: psycopg.Connection, tables: Sequence[str]) -> list[str]:
    # Not to_regclass: it raises when the role may not use the schema.
    found: set[str] = set()
    names = [table.partition(".")[2] or table for table in tables]
    for schema, name, visible in connection.execute(
        "select nspname, relname, pg_table_is_visible(pg_class.oid) from pg_class "
        "join pg_namespace on pg_namespace.oid = relnamespace "
        "where relname = any(%s) and relkind in ('r', 'p', 'v', 'm', 'f')",
        [names],
    ):
        found.add(f"{schema}.{name}")
        if visible:
            found.add(name)
    return [table for table in tables if table in found]


def _history_of(folder: Path) -> str:
    return "/".join(folder.resolve().parts[-2:])


@contextmanager
def session(url: str) -> Iterator[Connection]:
    """A session of its own; every database error in it becomes a MigrationError."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # The parser's message may quote a part of the password.
        raise MigrationError(
            "the database URL is not valid: expected postgresql://user:password@host:5432/database"
        ) from None
    try:
        with open_session(url, timeout=int(given.get("connect_timeout") or 10)) as connection:
            yield connection
    except psycopg.Error as error:
        what = f"database {given.get('dbname', given.get('user', '?'))}: {said(error)}."
        next_step = "Check that the server runs and that the URL names the right host, database and role."
        raise explained(error, what, next_step) from error


@contextmanager
def transaction(connection: psycopg.Connection, writes: bool = False) -> Iterator[None]:
    """One transaction; one that writes also holds the lock and has the history table."""
    with connection.transaction():
        if writes:
            connection.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'")
            connection.execute(_LOCK)
            # Asked first, because `if not exists` fails for a role that may use what is there but not create.
            lacks_schema = connection.execute("select to_regnamespace('community')").fetchone() == (None,)
            lacks_history = not _present(connection, ["community.migrations"])
            try:
                if lacks_schema:
                    connection.execute(_SCHEMA.encode())
                if lacks_history:
                    connection.execute(_HISTORY.encode())
            except errors.InsufficientPrivilege as error:
                raise MigrationError(f"database {connection.info.dbname}: {said(error)}. {_MAY_CREATE}") from error
        yield


def said(error: psycopg.Error) -> str:
    """What PostgreSQL says, on one line."""
    return error.diag.message_primary or " ".join(str(error).split("\n\t")[0].split())


def explained(error: psycopg.Error, what: str, next_step: str) -> MigrationError:
    """The error for people; `next_step` is said where its kind alone does not tell a better one."""
    for kind, advice in _NEXT_STEP.items():
        if isinstance(error, kind):
            next_step = advice
    return MigrationError(f"{what} {next_step}")
