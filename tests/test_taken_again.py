"""What is published or corrected twice, at once or after a conflict, is there once; unknown values are values."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from community_pipelines.counters.correct import Outcome, reconcile
from community_pipelines.models import publish as publishing
from community_pipelines.models.project import load_model
from community_pipelines.models.publish import Published
from community_pipelines.platforms.bazaar.spec import COUNTERS
from tests.bazaar.gallery import METRICS, TRENDS, Gallery
from tests.community import wait_until
from tests.flows import at, day
from tests.publishing import FIRST, SECOND, publish, published, put, records

# Numbers of a sequence that are taken stay taken when a transaction is rolled back.
FAILING_ONCE = """
create sequence attempts;
create function fail_once() returns trigger language plpgsql as $$
begin
    if nextval('attempts') = 1 then
        raise exception 'not this time' using errcode = '{error}';
    end if;
    return new;
end
$$;
create trigger fails before {writing} on {table} for each statement execute function fail_once()
"""


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(FIRST, SECOND)
    return gallery


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, noted and not made: nothing changes in them."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def apply(gallery: Gallery, run_id: str = "run") -> Outcome:
    return reconcile(gallery.deployment, COUNTERS, run_id, "apply")


def corrections(gallery: Gallery) -> list[tuple[object, ...]]:
    return gallery.sql("select before, drift, applied from community.counter_corrections order by id")


@pytest.mark.parametrize("error", ["40001", "40P01"], ids=["conflict", "deadlock"])
def test_days_whose_transaction_conflicts_are_published_by_the_next_attempt(
    gallery: Gallery, pauses: list[float], error: str
) -> None:
    put(gallery, 0, (FIRST, "view", 3))
    put(gallery, 1, (FIRST, "view", 5))
    gallery.sql(FAILING_ONCE.format(error=error, writing="insert", table=METRICS))
    assert publish(gallery, 0, 1) == [Published(day(n), 1, 0, True) for n in (0, 1)]
    assert [published(gallery, n) for n in (0, 1)] == [[(FIRST, "view", 3)], [(FIRST, "view", 5)]]
    assert records(gallery) == [(day(n), 1, 0, None, "run") for n in (0, 1)]
    assert len(pauses) == 1


@pytest.mark.parametrize("error", ["40001", "40P01"], ids=["conflict", "deadlock"])
def test_drift_whose_transaction_conflicts_is_added_once_by_the_next_attempt(
    gallery: Gallery, pauses: list[float], error: str
) -> None:
    gallery.add_views(FIRST, at(0), 5)
    gallery.add_event(FIRST, "use", at(0))
    gallery.sql(FAILING_ONCE.format(error=error, writing="update", table="community_templates"))
    assert apply(gallery).corrected == 2
    assert gallery.counters() == gallery.true_counters()
    assert corrections(gallery) == [(0, 5, 5), (0, 1, 1)]
    assert len(pauses) == 1


def test_drift_that_two_reconciliations_measured_is_added_by_one_of_them(gallery: Gallery) -> None:
    gallery.add_views(FIRST, at(0), 5)
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with psycopg.connect(gallery.url) as app, ThreadPoolExecutor(2) as pool:
        app.execute("select 1 from community_templates where id = %s for update", (FIRST,))
        both = [pool.submit(apply, gallery, run_id) for run_id in ("one", "other")]
        wait_until(lambda: gallery.sql(waiting) == [(2,)])
        app.rollback()
        assert sorted(one.result().corrected for one in both) == [0, 1]
    assert gallery.counters()[FIRST] == (5, 0, 0)
    assert corrections(gallery) == [(0, 5, 5)]


def test_a_counter_that_the_app_never_set_counts_from_0(gallery: Gallery) -> None:
    gallery.sql("alter table community_templates alter views_count drop not null, alter views_count drop default")
    gallery.sql("update community_templates set views_count = null")
    gallery.add_views(FIRST, at(0), 5)
    assert apply(gallery).corrected == 1
    assert gallery.counters() == {FIRST: (5, 0, 0), SECOND: (None, 0, 0)}
    assert corrections(gallery) == [(0, 5, 5)]


def test_a_value_that_becomes_known_or_unknown_is_published_although_nothing_else_of_its_row_changed(
    gallery: Gallery,
) -> None:
    gallery.add_views(FIRST, at(0), 5)
    gallery.run(0)
    query = f"select rank_7d, conversion_7d, views_change_7d from {TRENDS} where template_id = %s"
    before = gallery.sql(query, (FIRST,))
    ((rank, _, change),) = before
    assert rank is not None
    assert change is None
    for values in ("rank_7d = null", "views_change_7d = 7"):
        gallery.sql(f"update {TRENDS} set {values} where template_id = %s", (FIRST,))
        gallery.sql("delete from community.publications")
        model = load_model("bazaar", "community_template_trends")
        (one,) = publishing.publish(gallery.deployment, model, gallery.lake, [day(0)], "run", 100)
        assert one.written
        assert gallery.sql(query, (FIRST,)) == before
