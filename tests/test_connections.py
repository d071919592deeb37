"""What a role, a database, an environment or another session may do to our connections: nothing that lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from adbc_driver_postgresql import dbapi
from sqlalchemy import create_engine, text

from community_pipelines.counters.drift import measure
from community_pipelines.databases import connections as databases
from community_pipelines.databases.connections import DatabaseError, connect, snapshot
from community_pipelines.embedded.postgres import EmbeddedServer
from community_pipelines.lake.extract import ExtractError, SourceReader
from community_pipelines.lake.late import late_days
from community_pipelines.orchestration.launch import instance_home
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.bazaar.gallery import Gallery
from tests.declared import COMMUNITY_EVENTS
from tests.flows import at, day, number
from tests.stories.stories import BOB, CACHED_COUNTERS, SCENE, TRUE_COUNTERS, Stories

TEMPLATE = number(1)
DEFAULTS = {
    "datestyle": "'German'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'Pacific/Kiritimati'",
    "default_transaction_isolation": "'serializable'",
    "client_encoding": "'latin1'",
    "lock_timeout": "0",
}


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    return gallery


def set_defaults(url: str, of: str) -> None:
    """Another German database: times, intervals, zone, isolation and encoding by its own lights."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in DEFAULTS.items():
            connection.execute(f"alter {of} set {name} = {value}".encode())


@pytest.fixture(params=["database", "role"])
def german(request: pytest.FixtureRequest, database: str) -> Iterator[None]:
    """The test's database, or the role, with defaults of its own from now on."""
    with psycopg.connect(database) as connection:
        of = f"database {connection.info.dbname}" if request.param == "database" else "role postgres"
    set_defaults(database, of)
    yield
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"alter {of} reset all".encode())


def test_defaults_of_a_role_or_database_change_no_number_of_a_gallery(gallery: Gallery, german: None) -> None:
    gallery.add_users("zoë")
    for n, clock in ((0, "00:00"), (0, "23:59"), (1, "13:00"), (2, "00:30")):
        gallery.add_event(TEMPLATE, "view", at(n, clock))
        gallery.add_event(TEMPLATE, "favorite", at(n, clock), user="zoë")
    gallery.settle(2)
    assert [row[0] for row in gallery.sql("select sum(views) from community.community_template_activity_daily")] == [4]
    assert gallery.counters() == gallery.true_counters()
    with psycopg.connect(gallery.url, autocommit=True) as connection:
        connection.execute("alter role postgres reset all")
        connection.execute(f"alter database {connection.info.dbname} reset all".encode())
    before = gallery.fingerprints()
    plan = gallery.plan(2)
    assert all(plan.days(asset, "done") == plan.closed for asset in plan.states)
    gallery.run(0, 2)
    assert gallery.fingerprints() == before, "computed again with the server's own defaults, everything is the same"


def test_counters_that_are_times_are_corrected_whatever_the_style_of_dates(stories: Stories, german: None) -> None:
    stories.add_segment(1, at(0, "10:00"))
    stories.add_segment(2, at(1, "23:30"), user=BOB)
    stories.add_view(at(1))
    stories.sql("update scenes set last_segment_at = null, view_count = 40 where id = %s", (SCENE,))
    stories.settle(1)
    with connect(stories.url, "test") as connection:
        cached, truth = (connection.execute(query.encode()).fetchall() for query in (CACHED_COUNTERS, TRUE_COUNTERS))
    assert cached == truth


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for locks are short; ten seconds a try would be most of the tests' time."""
    monkeypatch.setattr(databases, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.mark.usefixtures("impatient")
def test_no_read_of_the_source_waits_for_ever_and_the_error_says_who_holds_the_lock(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.run(0)
    gallery.add_event(TEMPLATE, "view", at(0))
    place = gallery.deployment
    reads: list[Callable[[], object]] = [
        lambda: gallery.extract(0),
        lambda: gallery.plan(0),
        lambda: late_days(place, COMMUNITY_EVENTS, gallery.lake, [day(0)]),
        lambda: measure(place, BAZAAR.counter_tables[0]),
    ]
    with SourceReader(place) as source:
        reads += [lambda: source.oldest(COMMUNITY_EVENTS), lambda: source.without_day(COMMUNITY_EVENTS)]
        with psycopg.connect(gallery.url, application_name="a migration") as other:
            other.execute("lock table community_events in access exclusive mode")
            holder = f"process {other.info.backend_pid} (user postgres, a migration, idle in transaction, for "
            for read in reads:
                with pytest.raises((ExtractError, DatabaseError)) as raised:
                    read()
                assert holder in str(raised.value)
                assert "AccessExclusiveLock on community_events" in str(raised.value)
                assert f"select pg_terminate_backend({other.info.backend_pid});" in str(raised.value)
            other.rollback()
        for read in reads:
            read()


@pytest.mark.usefixtures("impatient")
def test_an_app_that_writes_is_in_no_readers_way(gallery: Gallery) -> None:
    with psycopg.connect(gallery.url) as app:
        app.execute("update community_templates set title = 'Another'")
        app.execute("insert into community_events (template_id, event_type) values (%s, 'view')", (TEMPLATE,))
        assert gallery.extract(0)[day(0)].accepted


def test_a_read_goes_on_once_the_lock_is_free(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    monkeypatch.setattr(databases, "LOCK_TIMEOUT", "300ms")
    locked, tried = threading.Event(), threading.Event()

    def lock() -> None:
        with psycopg.connect(gallery.url) as other:
            other.execute("lock table community_events in access exclusive mode")
            locked.set()
            tried.wait(0.6)

    holder = threading.Thread(target=lock)
    holder.start()
    locked.wait()
    assert gallery.extract(0)[day(0)].accepted
    holder.join()


def test_every_statement_has_the_settings_also_those_of_one_transaction_and_of_a_snapshot(database: str) -> None:
    ask = (
        "select current_setting('datestyle'), current_setting('timezone'), current_setting('lock_timeout'), "
        "current_setting('transaction_isolation')"
    )
    set_defaults(database, "role postgres")
    try:
        with connect(database, "test") as connection:
            assert connection.execute(ask).fetchone() == ("ISO, YMD", "UTC", "10s", "read committed")
            with connection.transaction(), connection.transaction():
                assert connection.execute(ask).fetchone() == ("ISO, YMD", "UTC", "10s", "read committed")
            with snapshot(connection):
                assert connection.execute(ask).fetchone() == ("ISO, YMD", "UTC", "10s", "repeatable read")
            with connection.pipeline(), connection.transaction():
                assert connection.execute(ask).fetchone() == ("ISO, YMD", "UTC", "10s", "read committed")
            with pytest.raises(ZeroDivisionError), connection.transaction():
                _ = 1 / 0
            assert connection.execute(ask).fetchone() == ("ISO, YMD", "UTC", "10s", "read committed")
            (moment,) = connection.execute("select timestamptz '2026-01-02 03:04:05+00'").fetchone() or (None,)
            assert (moment.date(), moment.hour) == (date(2026, 1, 2), 3)
            assert connection.execute("select 1").fetchall() == [(1,)]
    finally:
        with psycopg.connect(database, autocommit=True) as own:
            own.execute("alter role postgres reset all")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGHOST", "nowhere.invalid"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "6543"),
        ("PGUSER", "nobody"),
        ("PGDATABASE", "nothing"),
        ("PGOPTIONS", "-c default_transaction_read_only=on"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGCLIENTENCODING", "latin1"),
    ],
)
def test_the_environment_of_libpq_does_not_reach_the_embedded_server(
    postgres: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    url = postgres.url("environment")
    ask = "select current_database(), current_user::text, current_setting('transaction_read_only')"
    said = ("environment", "postgres", "off")
    with connect(url, "test") as connection:
        assert connection.execute(ask).fetchone() == said
    with dbapi.connect(url) as other, other.cursor() as cursor:
        cursor.execute(ask)
        assert cursor.fetchone() == said
    if name == "PGHOSTADDR":
        return  # SQLAlchemy leaves values out that are empty, and no other value stands for none
    storage = instance_home(tmp_path, url)["COMMUNITY_DATABASE_URL"]
    engine = create_engine(storage)
    with engine.connect() as dagster:
        assert tuple(dagster.execute(text(ask)).one()) == said
    engine.dispose()
