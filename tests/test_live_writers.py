"""Counters and days stay true while an app goes on writing, and two known shortcuts do not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import psycopg
import pytest

from community_pipelines.counters import correct
from community_pipelines.counters.correct import reconcile
from community_pipelines.counters.drift import Reconciliation, measure
from community_pipelines.databases.connections import connect
from community_pipelines.platforms.bazaar.spec import COUNTERS
from tests.bazaar.gallery import METRICS, TRUE_COUNTERS, Gallery
from tests.flows import at, day, number
from tests.live_app import LOG

TEMPLATES = [number(n) for n in range(1, 31)]
ROOT = Path(__file__).parents[1]
DRIFT = "update community_templates set views_count = 100, uses_count = 7, favorites_count = 3"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """A gallery whose counters are all wrong at first."""
    gallery = new_gallery(shrink_limit=1)
    gallery.add_templates(*TEMPLATES)
    gallery.add_views(TEMPLATES[0], at(0), 1)
    gallery.sql(DRIFT)
    gallery.sql(LOG)
    return gallery


@contextmanager
def app_at_work(gallery: Gallery, processes: int = 3) -> Iterator[None]:
    """Several processes of the app write as long as the block lasts."""
    stop = gallery.settings.home / "stop"
    stop.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.live_app", gallery.url]
    writers = [subprocess.Popen([*command, str(seed), str(stop)], cwd=ROOT) for seed in range(processes)]
    try:
        while gallery.sql("select count(*) from app_log")[0][0] < 20 * processes:
            assert [writer.poll() for writer in writers] == [None] * processes
            time.sleep(0.05)
        yield
    finally:
        stop.touch()
        codes = [writer.wait(30) for writer in writers]
    assert codes == [0] * processes


def again_and_again(seconds: float, *works: Callable[[], object]) -> None:
    """Does each work in a thread of its own until the time is over, at least twice."""
    over = time.monotonic() + seconds

    def repeat(work: Callable[[], object]) -> None:
        for turn in range(1000):
            if turn >= 2 and time.monotonic() > over:
                return
            work()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(repeat, work) for work in works]:
            done.result()


def wrong(gallery: Gallery) -> int:
    """How many counters are not what the events say."""
    cached, true = gallery.counters(), gallery.true_counters()
    return sum(have != want for id in true for have, want in zip(cached[id], true[id], strict=True))


def test_at_rest_every_counter_is_true_although_no_run_followed_the_last_write(gallery: Gallery) -> None:
    with app_at_work(gallery):
        again_and_again(2, lambda: reconcile(gallery.deployment, COUNTERS, "one", "apply"))
    assert len(gallery.counters()) >= 10
    assert gallery.sql("select count(*) from community.counter_corrections")[0][0] >= 60
    assert wrong(gallery) == 0


def test_nights_and_reconciles_at_once_leave_true_numbers(gallery: Gallery) -> None:
    touched = "select id, updated_at from community_templates"
    first = dict(gallery.sql(touched))

    def night() -> None:
        gallery.run(0, 2)

    def correction() -> None:
        reconcile(gallery.deployment, COUNTERS, "correction", "apply")

    with app_at_work(gallery):
        again_and_again(3, night, night, correction, correction)
    assert wrong(gallery) == 0, "drift was added while the app wrote, by whoever came"
    assert ledger_explains_counters(gallery)
    assert gallery.sql("select count(*) from community.counter_corrections where before + applied < 0") == [(0,)]
    assert dict(gallery.sql(touched)).items() <= first.items()

    night()
    assert wrong(gallery) == 0
    assert ledger_explains_counters(gallery)
    true_days = gallery.sql(
        """
        select template_id, (created_at at time zone 'UTC')::date, event_type, count(*)
        from community_events
        where event_type in ('view', 'favorite', 'use') and created_at < %s
        group by 1, 2, 3
        """,
        (at(3, "00:00"),),
    )
    assert gallery.published(METRICS) == sorted(true_days, key=repr)
    assert {row[1] for row in true_days} == {day(0), day(1), day(2)}


def ledger_explains_counters(gallery: Gallery) -> bool:
    """Whether every counter is what it was at first, plus what the app added, plus what the ledger says."""
    return not gallery.sql(
        """
        with counters as (
            select id, 'views_count' as counter, views_count as cached, 100 as at_first from community_templates
            union all select id, 'uses_count', uses_count, 7 from community_templates
            union all select id, 'favorites_count', favorites_count, 3 from community_templates
        ),
        added as (
            select template_id as id, counter, sum(added) as added from app_log group by 1, 2
        ),
        corrected as (
            select entity_id::uuid as id, counter, sum(applied) as applied
            from community.counter_corrections group by 1, 2
        )
        select *
        from counters left join added using (id, counter) left join corrected using (id, counter)
        where cached <> at_first + coalesce(added, 0) + coalesce(applied, 0)
        """
    )


def naive_recount(gallery: Gallery, meanwhile: Callable[[], object] = lambda: None) -> None:
    """What one would write first: count, then set."""
    with psycopg.connect(gallery.url, autocommit=True) as connection:
        counted = connection.execute(TRUE_COUNTERS.encode()).fetchall()
        meanwhile()
        connection.cursor().executemany(
            "update community_templates set views_count = %s, favorites_count = %s, uses_count = %s where id = %s",
            [(*counts, id) for id, *counts in counted],
        )


def visit(gallery: Gallery) -> None:
    """A visitor's view, as the app writes it."""
    with psycopg.connect(gallery.url) as connection:
        connection.execute(
            "insert into community_events (template_id, event_type, created_at) values (%s, 'view', %s)",
            (TEMPLATES[0], at(0)),
        )
        connection.execute(
            "update community_templates set views_count = views_count + 1 where id = %s", (TEMPLATES[0],)
        )


def test_a_naive_recount_loses_what_is_written_between_counting_and_setting(gallery: Gallery) -> None:
    naive_recount(gallery, meanwhile=lambda: visit(gallery))
    assert gallery.counters()[TEMPLATES[0]] == (1, 0, 0)
    assert gallery.true_counters()[TEMPLATES[0]] == (2, 0, 0)


def test_a_naive_recount_under_the_same_writers_leaves_wrong_counters(gallery: Gallery) -> None:
    with app_at_work(gallery):
        again_and_again(1, lambda: naive_recount(gallery, meanwhile=lambda: time.sleep(0.05)))
    assert wrong(gallery) > 0


def test_a_visit_between_measuring_and_adding_is_not_lost(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, lambda: visit(gallery))
    reconcile(gallery.deployment, COUNTERS, "run", "apply")
    assert gallery.counters()[TEMPLATES[0]] == (2, 0, 0)
    assert wrong(gallery) == 0


def meanwhile(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Does something once between the next measurement and what follows it."""
    left = [work]

    def measured(*values: object) -> Reconciliation:
        found = measure(*values)  # type: ignore[arg-type]
        if left:
            left.pop()()
        return found

    monkeypatch.setattr(correct, "measure", measured)


def test_a_reconcile_that_another_one_overtook_measures_again(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: reconcile(gallery.deployment, COUNTERS, "overtaking", "apply"))
    outcome = reconcile(gallery.deployment, COUNTERS, "overtaken", "apply")
    assert wrong(gallery) == 0
    assert outcome.corrected == 0
    assert outcome.found.newest_correction > 0
    assert gallery.sql("select distinct run_id from community.counter_corrections") == [("overtaking",)]


def apply_without_fence(gallery: Gallery, found: Reconciliation) -> None:
    """Adds a drift as reconcile does, whatever the ledger says by now."""
    with connect(gallery.url, "test") as connection:
        correct._apply(connection, gallery.deployment, COUNTERS, replace(found, newest_correction=ANY), "run")


def test_without_the_ledger_fence_two_reconciles_add_the_drift_twice(gallery: Gallery) -> None:
    gallery.sql("update community_templates set views_count = 0, uses_count = 0, favorites_count = 0")
    gallery.add_views(TEMPLATES[0], at(0), 9)
    found = [measure(gallery.deployment, COUNTERS) for _ in range(2)]
    for one in found:
        apply_without_fence(gallery, one)
    assert gallery.true_counters()[TEMPLATES[0]] == (10, 0, 0)
    assert gallery.counters()[TEMPLATES[0]] == (20, 0, 0)


def test_without_the_ledger_fence_the_same_writers_are_left_with_wrong_counters(gallery: Gallery) -> None:
    measured = threading.Barrier(2)

    def unfenced() -> None:
        found = measure(gallery.deployment, COUNTERS)
        measured.wait(30)
        apply_without_fence(gallery, found)

    with app_at_work(gallery):
        together(unfenced, unfenced)
    assert wrong(gallery) > 0


def test_with_the_ledger_fence_two_reconciles_that_measured_together_leave_true_counters(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = threading.Barrier(2)
    waiting = [measured.wait, measured.wait]

    def measured_together(*values: object) -> Reconciliation:
        found = measure(*values)  # type: ignore[arg-type]
        if waiting:
            waiting.pop()(30)
        return found

    monkeypatch.setattr(correct, "measure", measured_together)
    with app_at_work(gallery):
        together(*[lambda: reconcile(gallery.deployment, COUNTERS, "run", "apply")] * 2)
    assert wrong(gallery) == 0


def together(*works: Callable[[], object]) -> Sequence[object]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(work) for work in works]]
