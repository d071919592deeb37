"""The doctor tells servers apart: versions, clocks, poolers, and a replica that was made by a real base backup."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from community_pipelines.doctor import servers
from community_pipelines.doctor.reach import Database
from community_pipelines.embedded import postgres as embedded
from community_pipelines.embedded.postgres import EmbeddedServer, database_url
from tests.patient import Patient, admitted, one, subjects
from tests.pooler import Pooler

ANY = Database("bazaar", "publish", "postgresql:///any", "COMMUNITY_BAZAAR__PUBLISH_URL")
STANDBY_PORT = 5433


@pytest.fixture
def app(postgres: EmbeddedServer, tmp_path: Path) -> Iterator[Patient]:
    with admitted(postgres, tmp_path) as patient:
        yield patient


@dataclass(frozen=True)
class Standby:
    """A running replica of the tests' server."""

    home: Path

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql:///{database}?host={self.home / 'postgres'}&port={STANDBY_PORT}&user={user}"

    def run(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def follow(self, app: Patient) -> None:
        """Waits until all that the primary has written is replayed."""
        ((position,),) = app.run("select pg_current_wal_insert_lsn()")
        deadline = time.monotonic() + 20
        while self.run(f"select pg_last_wal_replay_lsn() >= '{position}'") != [(True,)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="module")
def standby(postgres: EmbeddedServer) -> Iterator[Standby]:
    folder = postgres.home / "postgres"
    user = embedded._owner(postgres.home)
    backup = ["-D", "standby", "-R", "-X", "stream", "-c", "fast", "-h", str(folder), "-U", "postgres"]
    made = embedded._tool("pg_basebackup", backup, user, postgres.home)
    assert made.returncode == 0, made.stdout
    with (folder / "standby" / "postgresql.conf").open("a") as file:
        file.write(f"port = {STANDBY_PORT}\nhot_standby_feedback = off\nwal_receiver_status_interval = 1s\n")
    control = ["-D", "standby", "-w", "-l", "standby.log"]
    started = embedded._tool("pg_ctl", [*control, "start"], user, postgres.home)
    assert started.returncode == 0, started.stdout
    try:
        yield Standby(postgres.home)
    finally:
        embedded._tool("pg_ctl", [*control, "-m", "immediate", "stop"], user, postgres.home)
        shutil.rmtree(folder / "standby")


def test_publishing_needs_a_version_with_merge_and_reading_one_with_snapshots() -> None:
    def level(number: int, writes: bool) -> str:
        return servers.server_version(ANY, number, writes).level

    assert level(150_004, True) == "ok"
    assert level(140_011, True) == "problem"
    assert level(140_011, False) == "ok"
    assert level(120_017, False) == "problem"
    old = servers.server_version(ANY, 140_011, True)
    assert old.seen == "PostgreSQL 14.11, and publishing uses merge, which needs 15"
    assert old.advice == "upgrade that server to PostgreSQL 15 or later"


@pytest.mark.parametrize(
    ("seconds", "level", "seen"),
    [
        (4, "ok", "4.0 s ahead"),
        (-4, "ok", "4.0 s behind"),
        (10, "warning", "10.0 s ahead"),
        (-10, "warning", "10.0 s behind"),
        (1000, "problem", "1000.0 s ahead"),
        (-1000, "problem", "1000.0 s behind"),
    ],
)
def test_a_clock_that_differs_is_a_warning_and_one_by_more_than_the_grace_a_problem(
    app: Patient, monkeypatch: pytest.MonkeyPatch, seconds: int, level: str, seen: str
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=seconds)  # type: ignore[arg-type]

    monkeypatch.setattr(servers, "datetime", Clock)
    clock = app.says("source clock")
    assert clock.level == level
    assert seen in clock.seen


@pytest.mark.parametrize("alternating", [False, True])
def test_a_transaction_pooler_is_noticed_though_nobody_else_uses_it(app: Patient, alternating: bool) -> None:
    with Pooler(app.socket, alternating=alternating) as pooler:
        found = app.examine(bazaar={"source_url": pooler.url(app.name)})
    assert one(found, "source pooler").seen.startswith("a transaction pooler is in between")
    assert subjects(found, "problem", "warning") == set()


def test_a_session_pooler_is_noticed(app: Patient) -> None:
    with Pooler(app.socket, "session") as pooler:
        seen = app.says("source pooler", bazaar={"source_url": pooler.url(app.name)}).seen
    assert "each connection a server process of its own" in seen


def test_no_pooler_is_seen_where_there_is_none(app: Patient) -> None:
    assert app.says("source pooler").seen.startswith("none seen")


def _with_standby(app: Patient, standby: Standby) -> dict[str, Any]:
    standby.follow(app)
    return {"bazaar": {"source_url": standby.url(app.name), "publish_url": app.url}}


def test_a_replica_that_follows_its_primary_is_a_source(app: Patient, standby: Standby) -> None:
    found = app.examine(**_with_standby(app, standby))
    assert subjects(found, "problem") == set()
    assert one(found, "source replica").level == "ok"
    assert one(found, "source replica").seen.startswith("a replica, ")
    assert one(found, "source and publish").seen == "they are one database, or a replica and its primary"
    feedback = one(found, "source replica feedback")
    assert feedback.level == "warning"
    assert "alter system set hot_standby_feedback = on;" in feedback.advice


def test_a_replica_is_no_place_to_publish_to(app: Patient, standby: Standby) -> None:
    standby.follow(app)
    server = app.says("publish server", bazaar={"publish_url": standby.url(app.name)})
    assert server.level == "problem"
    assert server.advice.startswith("set COMMUNITY_BAZAAR__PUBLISH_URL to the primary")


def test_a_replica_that_is_behind_is_a_warning_and_behind_the_grace_a_problem(
    app: Patient, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = _with_standby(app, standby)
    standby.run("select pg_wal_replay_pause()")
    try:
        app.run("create table later ()")
        time.sleep(1.5)
        assert app.says("source replica", **urls).level == "ok"
        monkeypatch.setattr(servers, "LAG_SECONDS", 0.5)
        assert app.says("source replica", **urls).level == "warning"
        behind = app.says("source replica", **urls, grace_minutes=0)
    finally:
        standby.run("select pg_wal_replay_resume()")
    assert behind.level == "problem"
    assert "the nightly run finds its day open" in behind.seen


def test_a_reading_role_that_may_not_see_the_receiver_is_told_which_grant_it_needs(
    app: Patient, standby: Standby
) -> None:
    reader = app.role("reader")
    app.run(f'grant select on all tables in schema public, community to "{reader}"')
    app.run(f'grant usage on schema community to "{reader}"')
    standby.follow(app)
    urls: dict[str, Any] = {"bazaar": {"source_url": standby.url(app.name, reader), "publish_url": app.url}}
    missing = app.says("source replica statistics", **urls)
    assert missing.level == "warning"
    app.paste(missing.advice)
    standby.follow(app)
    assert "bazaar source replica statistics" not in subjects(app.examine(**urls), "ok", "warning", "problem")


def _elsewhere(app: Patient, postgres: EmbeddedServer, tmp_path: Path, source: int | None, publish: int) -> str:
    """The URL of another database whose ledger ends with that correction, beside one that ends with this."""
    add = (
        "insert into community.counter_corrections (platform, table_name, entity_id, counter, before, applied, drift) "
        "select 'bazaar', 'community_templates', 'x', 'views_count', 0, 1, 1 from generate_series(1, {})"
    )
    app.run(add.format(publish))
    name = f"{app.name}_source"
    app.run(f"create database {name} template doctor_template strategy file_copy")
    url = database_url(postgres.home, name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop schema community cascade" if source is None else add.format(source))
    return url


@pytest.mark.parametrize(
    ("source", "publish", "level", "seen"),
    [
        (None, 2, "problem", "does not show the corrections"),
        (1, 2, "problem", "does not show the corrections"),
        (3, 2, "problem", "ahead of publish's"),
        (2, 2, "warning", "the same newest correction (2)"),
    ],
)
def test_a_source_that_is_no_copy_of_publish_is_told_by_the_correction_ledger(
    app: Patient, postgres: EmbeddedServer, tmp_path: Path, source: int | None, publish: int, level: str, seen: str
) -> None:
    url = _elsewhere(app, postgres, tmp_path, source, publish)
    try:
        history = app.says("source and publish", bazaar={"source_url": url, "publish_url": app.url})
    finally:
        app.run(f"drop database {app.name}_source with (force)")
    assert history.level == level
    assert seen in history.seen
    assert "COMMUNITY_BAZAAR__SOURCE_URL" in history.advice


def test_a_role_that_only_reads_by_default_cannot_publish(app: Patient) -> None:
    publisher = app.role("publisher")
    app.run(f'alter role "{publisher}" set default_transaction_read_only = on')
    server = app.says("publish server", bazaar={"publish_url": app.url_of(publisher)})
    assert server.level == "problem"
    app.run(server.advice.partition(";")[0].replace("current_user", f'"{publisher}"'))
    assert app.says("publish server", bazaar={"publish_url": app.url_of(publisher)}).level == "ok"
