"""A source that is a streaming replica: what it has not replayed is not there yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from community_pipelines.counters.correct import CounterError, reconcile
from community_pipelines.embedded import postgres as embedded
from community_pipelines.embedded.postgres import EmbeddedServer, database_url
from community_pipelines.lake.extract import OpenDayError, SourceReader
from community_pipelines.platforms.bazaar.spec import COUNTERS
from tests.bazaar.gallery import METRICS, Gallery, make_gallery, migrated
from tests.declared import COMMUNITY_EVENTS
from tests.flows import START, at, day, number

TEMPLATE = number(1)
pytestmark = pytest.mark.usefixtures("plain_judge")


@dataclass(frozen=True)
class Replica:
    """A hot standby of the tests' server, which reads over its own socket."""

    folder: Path
    primary: str

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql:///{database}?host={self.folder}&user={user}"

    def sql(self, query: str) -> Any:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            row = cursor.fetchone() if cursor.description else None
        return row and row[0]

    def pause(self) -> None:
        self.sql("select pg_wal_replay_pause()")
        until(lambda: self.sql("select pg_get_wal_replay_pause_state()") == "paused")

    def resume(self) -> None:
        self.sql("select pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Waits until it has replayed all that was committed on the primary."""
        with psycopg.connect(self.primary, autocommit=True) as connection:
            row = connection.execute("select pg_logical_emit_message(false, 'test', '', true)::text").fetchone()
        assert row is not None
        until(lambda: self.sql(f"select pg_last_wal_replay_lsn() >= '{row[0]}'::pg_lsn"))


def until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def replica(postgres: EmbeddedServer) -> Iterator[Replica]:
    folder = Path(tempfile.mkdtemp(prefix="community-replica-"))
    data = folder / "data"
    owner = embedded._owner(postgres.home)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    socket = str(embedded._socket_dir(postgres.home))

    def tool(name: str, *arguments: str) -> None:
        root = os.geteuid() == 0
        with (folder / f"{name}.out").open("w") as output:
            subprocess.run(
                [embedded._programs() / name, *arguments],
                check=True,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=owner.pw_uid if root else None,
                group=owner.pw_gid if root else None,
                extra_groups=[] if root else None,
            )

    tool("pg_basebackup", "-h", socket, "-U", "postgres", "-D", str(data), "-R", "-c", "fast", "--no-sync")
    with (data / "postgresql.conf").open("a") as handle:
        handle.write(f"unix_socket_directories = '{folder}'\nwal_receiver_status_interval = 1\n")
    tool("pg_ctl", "-D", "data", "-l", "log", "-w", "start")
    try:
        yield Replica(folder, database_url(postgres.home, "postgres"))
    finally:
        tool("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def gallery(database: str, tmp_path: Path, replica: Replica) -> Gallery:
    """A gallery that is read from the replica and written on the primary, by a role that can only read."""
    name = psycopg.conninfo.conninfo_to_dict(migrated(database))["dbname"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            """
            do $$ begin
                if to_regrole('reader') is null then
                    create role reader login;
                    grant pg_read_all_stats to reader;
                end if;
            end $$;
            grant usage on schema public, community to reader;
            grant select on all tables in schema public, community to reader
            """
        )
    gallery = make_gallery(
        database, tmp_path, bazaar={"source_url": replica.url(str(name), "reader"), "publish_url": database}
    )
    gallery.add_templates(TEMPLATE)
    replica.catch_up()
    return gallery


def test_a_replica_is_read_and_the_primary_is_written(gallery: Gallery, replica: Replica) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    replica.catch_up()
    results = gallery.run(0)
    assert all(result.accepted for result in results.values())
    assert gallery.published(METRICS) == [(TEMPLATE, day(0), "view", 1)]
    assert gallery.counters()[TEMPLATE] == (1, 0, 0)
    with psycopg.connect(str(gallery.deployment.source_url)) as connection:
        assert connection.execute("select pg_is_in_recovery()").fetchone() == (True,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("delete from community_events")


def test_a_day_that_the_replica_has_not_replayed_past_is_open(gallery: Gallery, replica: Replica) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    replica.catch_up()
    replica.pause()
    try:
        time.sleep(0.1)
        over = datetime.now(UTC) - at(1, "00:00")
        gallery.add_event(TEMPLATE, "view", at(0))
        until(lambda: replica.sql("select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"))
        with SourceReader(gallery.deployment) as source:
            folder = gallery.settings.home
            with pytest.raises(OpenDayError, match=f"community_events for {START}.*has replayed only until"):
                source.day(COMMUNITY_EVENTS, START, folder, "run", over)
            replica.resume()
            replica.catch_up()
            staged = source.day(COMMUNITY_EVENTS, START, folder, "run", over)
        assert staged.ledger.accepted == 2
    finally:
        replica.resume()


def test_a_window_that_the_replica_has_not_replayed_past_is_refused_and_no_day_of_it_counts_as_closed(
    gallery: Gallery, replica: Replica
) -> None:
    replica.pause()
    try:
        gallery.add_event(TEMPLATE, "view", at(0))
        until(lambda: replica.sql("select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"))
        with SourceReader(gallery.deployment) as source:
            moment = source.moment()
        assert moment.seen_until < moment.now
        grace = (moment.now - at(1, "00:00")) / timedelta(minutes=1)
        behind = Gallery(gallery.url, gallery.settings.model_copy(update={"grace_minutes": grace}))
        with pytest.raises(OpenDayError, match=f"bazaar: {day(0)} is not closed before"):
            behind.run(0)
        assert day(0) not in behind.plan(0).closed
        replica.resume()
        replica.catch_up()
        assert day(0) in behind.plan(0).closed
        assert all(result.accepted for result in behind.run(0).values())
    finally:
        replica.resume()


def test_a_replica_that_lost_its_primary_knows_nothing_after_its_last_transaction(
    gallery: Gallery, replica: Replica
) -> None:
    primary = replica.sql("show primary_conninfo").replace("'", "''")
    replica.sql("alter system set primary_conninfo = ''")
    replica.sql("select pg_reload_conf()")
    try:
        until(lambda: replica.sql("select count(*) from pg_stat_wal_receiver") == 0)
        before = datetime.now(UTC)
        gallery.add_event(TEMPLATE, "view", at(0))
        with SourceReader(gallery.deployment) as source:
            assert source.moment().seen_until < before
    finally:
        replica.sql(f"alter system set primary_conninfo = '{primary}'")
        replica.sql("select pg_reload_conf()")
    replica.catch_up()


def test_a_quiet_primary_does_not_keep_days_open(gallery: Gallery, replica: Replica) -> None:
    """Nothing is committed, and yet the replica knows that it has everything."""
    before = datetime.now(UTC)
    with psycopg.connect(gallery.url, autocommit=True) as connection:
        connection.execute("select pg_log_standby_snapshot()")
    replica.catch_up()
    with SourceReader(gallery.deployment) as source:
        until(lambda: source.moment().seen_until > before)


def test_drift_measured_on_a_replica_that_lags_behind_a_correction_is_never_added(
    gallery: Gallery, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    gallery.add_views(TEMPLATE, at(0), 5)
    replica.catch_up()
    replica.pause()
    try:
        assert reconcile(gallery.deployment, COUNTERS, "first", "apply").corrected == 1
        assert gallery.counters()[TEMPLATE] == (5, 0, 0)
        with pytest.raises(CounterError, match="the replica does not replay the ledger; check its lag"):
            reconcile(gallery.deployment, COUNTERS, "second", "apply")
        assert gallery.counters()[TEMPLATE] == (5, 0, 0)
    finally:
        replica.resume()
    replica.catch_up()
    assert reconcile(gallery.deployment, COUNTERS, "third", "apply").corrected == 0
    assert gallery.counters()[TEMPLATE] == (5, 0, 0)
    assert gallery.sql("select run_id, applied from community.counter_corrections") == [("first", 5)]
