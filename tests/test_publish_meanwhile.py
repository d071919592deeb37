"""Publishing while the app deletes, the lake changes, another run publishes, or the end comes too early."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from community_pipelines.databases.connections import Connection, DatabaseError
from community_pipelines.models import publish as publishing
from community_pipelines.models.publish import Published, PublishError
from tests.bazaar.gallery import METRICS, Gallery
from tests.flows import day, number
from tests.publishing import FIRST, SECOND, THIRD, Interruption, publish, published, put, records, until_waiting


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(FIRST, SECOND, THIRD)
    return gallery


@pytest.mark.parametrize("commits", [True, False])
def test_publishing_waits_for_a_deletion_that_is_under_way(gallery: Gallery, commits: bool) -> None:
    put(gallery, 0, (FIRST, "view", 3), (SECOND, "view", 2))
    with psycopg.connect(gallery.url) as app:
        app.execute("delete from community_templates where id = %s", (SECOND,))
        thread = threading.Thread(target=publish, args=(gallery,))
        thread.start()
        until_waiting(gallery)
        if commits:
            app.commit()
        else:
            app.rollback()
        thread.join()
    kept = [(FIRST, "view", 3)] if commits else [(FIRST, "view", 3), (SECOND, "view", 2)]
    assert published(gallery) == kept
    assert records(gallery)[0][1:3] == ((1, 1) if commits else (2, 0))


@pytest.mark.parametrize("foreign_key", [True, False])
def test_a_deletion_waits_until_its_days_are_published(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, foreign_key: bool
) -> None:
    if not foreign_key:
        gallery.sql(f"alter table {METRICS} drop constraint community_metrics_daily_template_id_fkey")
    put(gallery, 0, (FIRST, "view", 3), (SECOND, "view", 2))
    thread = threading.Thread(target=gallery.delete_templates, args=(SECOND,))

    def delete_meanwhile() -> None:
        thread.start()
        until_waiting(gallery)

    Interruption(monkeypatch, delete_meanwhile)
    assert publish(gallery) == [Published(day(0), 2, 0, True)]
    thread.join()
    left = [] if foreign_key else [(SECOND, "view", 2)]
    assert published(gallery) == [(FIRST, "view", 3), *left]


def test_the_apps_counters_go_on_while_days_are_published(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    put(gallery, 0, (FIRST, "view", 3))
    increment = "set local lock_timeout = '1s'; update community_templates set views_count = views_count + 1"
    interruption = Interruption(monkeypatch, lambda: gallery.sql(increment))
    publish(gallery)
    assert interruption.left == 0
    assert gallery.counters()[FIRST] == (1, 0, 0)


def test_a_day_replaced_in_the_lake_while_it_is_published_is_taken_again(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(gallery, 0, (FIRST, "view", 3))
    put(gallery, 1, (FIRST, "view", 1))
    Interruption(monkeypatch, lambda: put(gallery, 1, (SECOND, "view", 9)))
    publish(gallery, 0, 1)
    assert published(gallery, 0) == [(FIRST, "view", 3)]
    assert published(gallery, 1) == [(SECOND, "view", 9)]
    assert publish(gallery, 0, 1) == [Published(day(n), 1, 0, False) for n in (0, 1)]


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB opens a path again for every query, and between a query's plan and its rows."""
    templates = [number(n) for n in range(100, 400)]
    gallery.add_templates(*templates)
    put(gallery, 0, *[(template, "view", 1) for template in templates])
    copy = publishing._copy
    contents: list[object] = []

    def replaced_meanwhile(connection: Connection, *values: object) -> None:
        if not contents:
            put(gallery, 0, (FIRST, "view", 1))
        copy(connection, *values)  # type: ignore[arg-type]
        contents.append(connection.execute(f"select count(*), sum(count)::int from {METRICS}".encode()).fetchone())

    monkeypatch.setattr(publishing, "_copy", replaced_meanwhile)
    publish(gallery)
    assert contents == [(300, 300), (1, 1)]
    assert published(gallery) == [(FIRST, "view", 1)]


def test_a_day_that_is_replaced_again_and_again_keeps_its_old_numbers(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(gallery, 0, (FIRST, "view", 1))
    publish(gallery)
    before = gallery.fingerprints()
    counts = iter(range(2, 100))
    put(gallery, 0, (FIRST, "view", next(counts)))
    Interruption(monkeypatch, lambda: put(gallery, 0, (FIRST, "view", next(counts))), times=100)
    with pytest.raises(PublishError, match="was replaced in the lake 5 times while being published"):
        publish(gallery)
    assert gallery.fingerprints() == before


def test_two_publishes_of_the_same_days_at_once_give_what_one_gives(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        put(gallery, n, (FIRST, "view", n + 1), (SECOND, "view", 1))
    other = threading.Thread(target=lambda: outcomes.extend(publish(gallery, 2, 1, 0, run_id="other")))
    outcomes: list[Published] = []

    def start_other() -> None:
        other.start()
        until_waiting(gallery)

    Interruption(monkeypatch, start_other)
    assert all(one.written for one in publish(gallery, 0, 1, 2))
    other.join()
    assert outcomes == [Published(day(n), 2, 0, False) for n in (2, 1, 0)]
    assert [published(gallery, n)[0] for n in range(3)] == [(FIRST, "view", n + 1) for n in range(3)]
    assert [run for *_, run in records(gallery)] == ["run", "run", "run"]


def test_a_lost_connection_leaves_the_old_numbers(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    put(gallery, 0, (FIRST, "view", 1))
    publish(gallery)
    before = gallery.fingerprints()
    put(gallery, 0, (FIRST, "view", 2))
    Interruption(
        monkeypatch,
        lambda: gallery.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        ),
    )
    with pytest.raises(DatabaseError, match="what was not finished was not kept"):
        publish(gallery)
    assert gallery.fingerprints() == before
    assert publish(gallery) == [Published(day(0), 1, 0, True)]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.bazaar.gallery import make_gallery
from tests.publishing import publish
from community_pipelines.models import publish as publishing

replace = publishing._replace

def stopped(*values):
    replace(*values)
    print("written", flush=True)
    sys.stdin.read()

publishing._replace = stopped
publish(make_gallery(sys.argv[2], Path(sys.argv[3])))
"""


def test_a_killed_publish_leaves_the_old_numbers_and_holds_up_nobody(gallery: Gallery) -> None:
    put(gallery, 0, (FIRST, "view", 1))
    publish(gallery)
    before = gallery.fingerprints()
    put(gallery, 0, (FIRST, "view", 2))
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", KILLED, root, gallery.url, str(gallery.settings.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert gallery.fingerprints() == before
    assert publish(gallery) == [Published(day(0), 1, 0, True)]
    assert published(gallery) == [(FIRST, "view", 2)]
