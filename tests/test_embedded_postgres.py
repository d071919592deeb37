"""The local PostgreSQL: one server per state folder, whatever happened to the one before."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from community_pipelines.embedded.postgres import (
    EmbeddedPostgresError,
    database_url,
    ensure_running,
    is_running,
    stop,
)

_FAST = {"fsync": "off"}


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="community-home-"))
    yield folder
    stop(folder)
    shutil.rmtree(folder)


def _server_pid(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def _ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def test_a_server_is_durable_speaks_utc_and_listens_on_its_socket_only(home: Path) -> None:
    url = ensure_running(home).url("bazaar")
    settings = {name: _ask(url, f"show {name}") for name in ("timezone", "fsync", "listen_addresses")}
    assert settings == {"timezone": "UTC", "fsync": "on", "listen_addresses": ""}
    assert int(str(_ask(url, "show max_connections"))) >= 100
    assert (home / "postgres").stat().st_mode & 0o077 == 0


def test_a_database_is_created_once_and_its_url_is_known_before_the_server_runs(home: Path) -> None:
    known = database_url(home, "bazaar")
    server = ensure_running(home, options=_FAST)
    assert server.url("bazaar") == known
    with psycopg.connect(known) as connection:
        connection.execute("create table kept as select 1")
    assert server.url("bazaar") == known
    assert _ask(known, "select count(*) from kept") == 1


def test_a_database_for_event_logs_does_not_wait_for_the_disk(home: Path) -> None:
    server = ensure_running(home, options=_FAST)
    assert _ask(server.url("dagster", durable=False), "show synchronous_commit") == "off"
    assert _ask(server.url("bazaar"), "show synchronous_commit") == "on"


def test_processes_that_start_it_at_once_share_one_server_which_outlives_them(home: Path) -> None:
    code = f"""if True:
        from pathlib import Path
        from community_pipelines.embedded.postgres import ensure_running
        print(ensure_running(Path({str(home)!r}), options={_FAST}).url("bazaar"))
        print(Path({str(home)!r}, "postgres/data/postmaster.pid").read_text().split()[0])
    """
    callers = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        for _ in range(3)
    ]
    said = {caller.communicate()[0] for caller in callers}
    assert said == {f"{database_url(home, 'bazaar')}\n{_server_pid(home)}\n"}
    assert is_running(home)


def test_a_killed_server_is_started_again_though_its_process_id_is_now_another_programs(home: Path) -> None:
    url = ensure_running(home, options=_FAST).url("bazaar")
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 1")
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    user = pid_file.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=user) as other:
        os.kill(_server_pid(home), signal.SIGKILL)
        for file in (pid_file, home / "postgres" / ".s.PGSQL.5432.lock"):
            file.write_text(f"{other.pid}\n" + file.read_text().split("\n", 1)[1])
        try:
            ensure_running(home, options=_FAST)
        finally:
            other.kill()
    assert _ask(url, "select count(*) from kept") == 1


@pytest.mark.parametrize("name", ["x" * 100, "it's, a folder"])
def test_a_folder_whose_path_does_not_suit_a_socket_gets_one_elsewhere(home: Path, name: str) -> None:
    deep = home / name
    url = ensure_running(deep, options=_FAST).url("bazaar")
    assert _ask(url, "select current_database()") == "bazaar"
    assert str(deep) not in url
    stop(deep)
    shutil.rmtree(url.split("host=")[1].split("&")[0])


def test_stopping_ends_open_sessions_and_may_be_repeated(home: Path) -> None:
    url = ensure_running(home, options=_FAST).url("bazaar")
    with psycopg.connect(url) as session:
        stop(home)
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    assert not is_running(home)
    stop(home)


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"did not start(.|\n)*shared_buffers"):
        ensure_running(home, options={**_FAST, "shared_buffers": "plenty"})


def test_a_folder_that_was_never_used_has_nothing_to_stop(tmp_path: Path) -> None:
    stop(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
