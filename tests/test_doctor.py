"""The doctor reaches every database, looks at the machine, and one thing that is wrong stops no other check."""

from __future__ import annotations

import fcntl
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from community_pipelines.doctor import reach
from community_pipelines.doctor.diagnosis import MACHINE
from community_pipelines.doctor.examine import examine
from community_pipelines.doctor.machine import examine_machine, leftovers
from community_pipelines.embedded.postgres import EmbeddedServer, ensure_running, stop
from community_pipelines.lake.files import Lake
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.settings import load
from tests.patient import FIRST, Patient, admitted, one, subjects

SECRET = "secret/p@ss+word"


@pytest.fixture
def app(postgres: EmbeddedServer, tmp_path: Path) -> Iterator[Patient]:
    with admitted(postgres, tmp_path) as patient:
        yield patient


@contextmanager
def asking_passwords(app: Patient, role: str) -> Iterator[None]:
    """The server wants that role's password."""
    rules = app.server.home / "postgres" / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f'local all "{role}" scram-sha-256\n{before}')
    app.run("select pg_reload_conf()")
    try:
        yield
    finally:
        rules.write_text(before)
        app.run("select pg_reload_conf()")


def test_a_sound_installation_has_no_problem_and_no_warning(app: Patient) -> None:
    found = app.examine()
    assert subjects(found, "problem", "warning") == set()
    assert {
        "machine settings",
        "machine versions",
        "machine home folder",
        "machine lake folder",
        "dagster storage",
        "dagster storage version",
        "bazaar source version",
        "bazaar source clock",
        "bazaar source pooler",
        "bazaar source replica",
        "bazaar source tables",
        "bazaar source rights",
        "bazaar time index of community_events",
        "bazaar oldest row of community_events",
        "bazaar publish server",
        "bazaar migrations",
        "bazaar schema community",
        "bazaar definer functions",
        "bazaar publish rights",
        "bazaar day index of community_metrics_daily",
        "bazaar minimum grants",
    } <= subjects(found, "ok")


def test_every_warning_and_problem_says_what_to_do(app: Patient) -> None:
    app.run(
        "drop schema community cascade",
        "drop index community_events_created_idx",
        "drop table community_favorites",
        "drop index community_metrics_daily_day_idx",
    )
    found = [*app.examine(), *app.examine(bazaar={"publish_url": "postgresql://nobody@127.0.0.1:1/none"})]
    told = [d for d in found if d.level != "ok"]
    assert len(told) > 5
    assert all(d.advice for d in told)


@pytest.mark.parametrize("which", ["source_url", "publish_url"])
def test_a_wrong_password_is_named_and_never_shown(app: Patient, which: str) -> None:
    role = app.role("guarded")
    app.run(f"alter role \"{role}\" password 'another'")
    url = f"postgresql://{role}:{quote(SECRET, safe='')}@/{app.name}?host={app.socket.parent}"
    with asking_passwords(app, role):
        found = app.examine(bazaar={which: url})
    connection = one(found, f"{which.removesuffix('_url')} connection")
    assert connection.level == "problem"
    assert "password authentication failed" in connection.seen
    assert connection.advice == f"correct the user or the password in COMMUNITY_BAZAAR__{which.upper()}"
    text = repr(found)
    assert SECRET not in text
    assert quote(SECRET, safe="") not in text


@pytest.mark.parametrize(
    ("url", "seen", "advice"),
    [
        ("postgresql://me:secret@127.0.0.1:1/app", "refused", "start the server, or correct host and port"),
        ("postgresql:///app?host=/nowhere", "No such file or directory", "correct the socket folder"),
        ("postgresql://me:secret@127.0.0.1/app?sslmode=secret", "sslmode", "correct sslmode"),
    ],
)
def test_a_server_that_is_not_there_is_a_problem_with_what_to_correct(
    app: Patient, url: str, seen: str, advice: str
) -> None:
    connection = app.says("source connection", bazaar={"source_url": url})
    assert connection.level == "problem"
    assert seen in connection.seen
    assert advice in connection.advice
    assert "COMMUNITY_BAZAAR__SOURCE_URL" in connection.advice
    assert "secret@" not in repr(connection)


def test_a_database_and_a_role_that_do_not_exist_are_named(app: Patient) -> None:
    database = app.says("source connection", bazaar={"source_url": app.url.replace(app.name, "nothing")})
    assert 'database "nothing" does not exist' in database.seen
    role = app.says("source connection", bazaar={"source_url": app.url_of("nobody")})
    assert 'role "nobody" does not exist' in role.seen
    assert role.advice == "create it, or correct COMMUNITY_BAZAAR__SOURCE_URL"


def test_a_server_that_never_answers_is_given_up_within_seconds(app: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:secret@127.0.0.1:{silent.getsockname()[1]}/app"
        started = time.monotonic()
        connection = app.says("publish connection", bazaar={"publish_url": url})
        assert time.monotonic() - started < 8
    assert "timeout" in connection.seen
    assert "firewall" in connection.advice


def test_an_unreachable_database_stops_no_check_of_the_others(app: Patient) -> None:
    nowhere = "postgresql://me:secret@127.0.0.1:1/app"
    without_publish = app.examine(bazaar={"publish_url": nowhere})
    assert subjects(without_publish, "problem") == {"bazaar publish connection"}
    assert "bazaar oldest row of community_events" in subjects(without_publish, "ok")
    without_source = app.examine(bazaar={"source_url": nowhere, "publish_url": app.url})
    assert subjects(without_source, "problem") == {"bazaar source connection"}
    assert "bazaar publish rights" in subjects(without_source, "ok")
    without_storage = app.examine(database_url=nowhere)
    assert subjects(without_storage, "problem") == {"dagster storage connection"}
    assert "bazaar publish rights" in subjects(without_storage, "ok")
    without_any = app.examine(database_url=nowhere, bazaar={"source_url": nowhere})
    assert "bazaar minimum grants" in subjects(without_any, "ok")
    assert "machine lake folder" in subjects(without_any, "ok")


def test_a_check_that_waits_for_a_lock_is_given_up_and_the_next_is_made(
    app: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "STATEMENT_SECONDS", 1)
    with psycopg.connect(app.url) as blocking:
        blocking.execute("lock table community_events in access exclusive mode")
        found = app.examine()
    oldest = one(found, "oldest row of community_events")
    assert (oldest.level, oldest.seen) == ("warning", "no answer within 1 s")
    assert one(found, "publish rights").level == "ok"


def test_a_mapping_of_something_that_is_not_declared_is_a_problem_of_that_platform(app: Patient) -> None:
    found = app.examine(bazaar={"tables": {"community_evnts": "public.x"}})
    wrong = one(found, "settings")
    assert wrong.level == "problem"
    assert "community_evnts" in wrong.seen
    assert "machine versions" in subjects(found, "ok")


def test_a_model_that_cannot_be_loaded_is_a_problem_of_its_platform(
    app: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "bazaar").mkdir(parents=True)
    (tmp_path / "models" / "bazaar" / "lonely.sql").write_text("select 1")
    monkeypatch.setattr("community_pipelines.doctor.examine.MODELS_FOLDER", tmp_path / "models")
    monkeypatch.setattr("community_pipelines.doctor.examine.load_model", _loading_from(tmp_path / "models"))
    models = app.says("models")
    assert models.level == "problem"
    assert "no contract, no load" in models.seen


def _loading_from(folder: Path) -> Any:
    from community_pipelines.models.project import load_model

    return lambda platform, name: load_model(platform, name, folder)


def test_a_local_server_that_was_never_made_is_not_made_by_the_doctor(tmp_path: Path) -> None:
    settings = load(home=tmp_path / "home", start_date=FIRST)
    found = examine(settings, [BAZAAR])
    assert one(found, "local PostgreSQL").advice == "make run"
    assert one(found, "local PostgreSQL", "dagster").level == "warning"
    assert not settings.home.exists()


def test_the_local_server_is_started_and_examined_where_it_was_made() -> None:
    # Not a folder of pytest's, which the server's own user may not pass.
    home = Path(tempfile.mkdtemp(prefix="community-test-"))
    try:
        ensure_running(home, {"fsync": "off"})
        stop(home)
        found = examine(load(home=home, start_date=FIRST), [BAZAAR])
    finally:
        stop(home)
        shutil.rmtree(home)
    assert one(found, "storage", "dagster").level == "ok"
    assert subjects(found, "problem") == {"bazaar source tables", "bazaar migrations"}
    migrations = one(found, "migrations")
    assert "bazaar/app/0001_users.sql" in migrations.seen
    assert migrations.advice.startswith("community migrate --platform bazaar --app")
    assert "minimum grants" not in {d.subject for d in found}


def test_a_first_day_in_the_future_is_a_problem(app: Patient) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert app.says("first day", MACHINE, start_date=tomorrow).advice == "set COMMUNITY_START_DATE to a past day"


def test_dagsters_storage_needs_a_role_that_can_make_its_tables_or_write_them(app: Patient) -> None:
    role = app.role("keeper")
    storage = app.settings().database_url
    assert storage is not None
    url = storage.get_secret_value()
    with psycopg.connect(url, autocommit=True) as connection:
        as_role = {"database_url": url.replace("user=postgres", f"user={role}")}
        empty = app.says("storage", "dagster", **as_role)
        assert (empty.level, f'role "{role}" may not create' in empty.seen) == ("problem", True)
        connection.execute(empty.advice)
        assert app.says("storage", "dagster", **as_role).level == "ok"
        connection.execute("create table event_logs (id bigint)")
        there = app.says("storage", "dagster", **as_role)
        assert (there.level, f'role "{role}" may not write' in there.seen) == ("problem", True)
        connection.execute(there.advice.partition("\n")[2])
        assert app.says("storage", "dagster", **as_role).level == "ok"


def test_little_room_on_the_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(home=tmp_path)

    def level(free: float, total: float) -> str:
        usage = SimpleNamespace(free=free * 10**9, total=total * 10**9)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
        return one(list(examine_machine(settings)), "lake disk", MACHINE).level

    assert level(50, 100) == "ok"
    assert level(9, 100) == "warning"
    assert level(4, 20) == "warning"


def test_a_lake_that_cannot_be_written_is_a_problem_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = list(examine_machine(load(home=tmp_path, lake=tmp_path / "file" / "lake")))
    lake = one(found, "lake folder", MACHINE)
    assert lake.level == "problem"
    assert "COMMUNITY_LAKE" in lake.advice
    assert one(found, "home folder", MACHINE).level == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_package_that_is_missing_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def versions() -> Any:
        return one(list(examine_machine(load(home=tmp_path))), "versions", MACHINE)

    for name in ("python 3.", "dagster ", "duckdb ", "great-expectations ", "pyarrow "):
        assert name in versions().seen
    monkeypatch.setattr("community_pipelines.doctor.machine.PACKAGES", ("pyarrow", "no-such-package"))
    assert versions().level == "problem"
    assert versions().seen == "not installed: no-such-package"


def test_what_a_killed_run_left_is_named_and_a_running_one_is_left_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with lake.staging("bazaar", "running") as folder:
        assert list(leftovers(tmp_path)) == []
        killed, removed = folder.with_name("killed"), folder.with_name("removed")
        killed.mkdir()
        (killed / "lock").write_text("")
        removed.mkdir()
        found = {Path(d.seen.split()[0]).name: d for d in leftovers(tmp_path)}
    assert set(found) == {"killed", "removed"}
    assert {one.advice for one in found.values()} == {"the platform's next run removes it"}
    with (killed / "lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_the_doctor_asks_cannot_write(app: Patient) -> None:
    database = reach.Database("bazaar", "publish", app.url, "COMMUNITY_BAZAAR__PUBLISH_URL")
    with reach.opened(database) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reach.ask(connection, "create table made (id integer)")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reach.ask(connection, "delete from community_events returning id")
        assert reach.ask(connection, "select 1") == [(1,)]


def test_a_webhook_that_gets_no_alert_is_a_problem(tmp_path: Path) -> None:
    def said(**more: Any) -> str:
        settings = load(home=tmp_path, webhook_url="http://127.0.0.1/secret", **more)
        return one(examine(settings, []), "webhook", MACHINE).level

    assert said() == "problem"
    assert said(webhook_local=True) == "ok"
