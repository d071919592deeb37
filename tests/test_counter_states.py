"""Counters have days like every step: what a kill left undone is seen, and finished."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from community_pipelines.counters.correct import reconcile
from community_pipelines.flow import plan as planning
from community_pipelines.orchestration import automation
from community_pipelines.platforms.bazaar.spec import COUNTERS
from tests.bazaar.gallery import STEPS, Gallery, make_gallery
from tests.flows import at, day, number

TEMPLATE = number(1)
ASSET = "counters/community_templates"
NOT_COUNTERS = STEPS[:-1]


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    gallery.add_views(TEMPLATE, at(0), 3)
    return gallery


def states(gallery: Gallery, last: int) -> list[str]:
    return [state.state for _, state in sorted(gallery.plan(last).states[ASSET].items())]


def test_a_run_that_was_killed_before_its_counters_is_finished_by_the_next_one(gallery: Gallery) -> None:
    gallery.run(0)
    gallery.add_views(TEMPLATE, at(1), 2)
    gallery.run(1, steps=NOT_COUNTERS)
    assert gallery.counters()[TEMPLATE][0] == 3
    assert states(gallery, 1) == ["done", "stale"]
    (asked,) = gallery.settle(1)
    assert (asked.assets, asked.first, asked.last) == ((STEPS[-1].key,), day(1), day(1))
    assert gallery.counters()[TEMPLATE][0] == 5
    assert states(gallery, 1) == ["done", "done"]


def test_a_correction_that_was_killed_before_it_was_written_down_is_made_again_and_adds_nothing(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # A kill between two transactions, which a signal would hit by chance only.
        patched.setattr("community_pipelines.counters.correct._record", killed)
        with pytest.raises(KeyboardInterrupt):
            gallery.run(0)
    assert gallery.counters()[TEMPLATE][0] == 3
    assert states(gallery, 0) == ["stale"]
    gallery.settle(0)
    assert gallery.counters()[TEMPLATE][0] == 3
    assert states(gallery, 0) == ["done"]


def test_counters_of_days_that_were_never_published_are_missing(gallery: Gallery) -> None:
    assert states(gallery, 0) == ["missing"]
    gallery.settle(0)
    assert states(gallery, 0) == ["done"]


def test_a_report_does_not_stand_for_a_correction(gallery: Gallery) -> None:
    gallery.run(0, steps=NOT_COUNTERS)
    reconcile(gallery.deployment, COUNTERS, "a person", "report")
    assert states(gallery, 0) == ["stale"]
    reconcile(gallery.deployment, COUNTERS, "a person", "apply")
    assert states(gallery, 0) == ["done"]


def test_where_counters_are_only_reported_a_report_is_all_that_is_asked_for(gallery: Gallery) -> None:
    careful = make_gallery(gallery.url, gallery.settings.home, bazaar={"counters": "report"})
    careful.run(0, steps=NOT_COUNTERS)
    assert states(careful, 0) == ["stale"]
    careful.settle(0)
    assert states(careful, 0) == ["done"]
    assert careful.counters()[TEMPLATE][0] == 0


def test_reconciliations_from_before_they_named_their_table_stand_for_all_tables(gallery: Gallery) -> None:
    gallery.run(0)
    gallery.sql("update community.reconciliations set table_name = null")
    assert states(gallery, 0) == ["done"]


def test_a_refused_correction_is_withheld_until_a_later_one_is_not_refused(gallery: Gallery) -> None:
    careful = make_gallery(gallery.url, gallery.settings.home, bazaar={"drift_limit": 0.1})
    gallery.add_views(TEMPLATE, at(0), 500)
    result = careful.run(0)[ASSET, day(0)]
    assert (result.reason or "").startswith("not corrected: ")
    assert states(careful, 0) == ["withheld"]
    assert planning.requests(careful.plan(0), STEPS) == []
    gallery.run(1)
    assert states(careful, 1) == ["stale", "done"]
    careful.settle(1)
    assert states(careful, 1) == ["done", "done"]


def test_the_sensor_asks_for_missing_days_and_leaves_the_newest_one_to_the_night(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.run(0)
    due = automation.due(gallery.settings, gallery.platform, STEPS)
    closed = planning.closed_days(gallery.settings, gallery.deployment)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(closed[-1].year, closed[-1].month, closed[-1].day, tzinfo=UTC) + timedelta(hours=24 + hours)

    monkeypatch.setattr(automation, "datetime", Clock)
    hours = 1
    (asked,) = due(False)
    assert (asked.first, asked.last) == (day(1), closed[-2])
    hours = 3
    (asked,) = due(False)
    assert (asked.first, asked.last) == (day(1), closed[-1])
