"""Late rows make their day stale at any age; deletions alone do not; the plan asks for just what is stale."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from community_pipelines.databases.connections import Connection, connect
from community_pipelines.flow import plan as planning
from community_pipelines.lake import late
from community_pipelines.lake.files import days_between
from tests.bazaar.gallery import HISTORY, METRICS, RAW, STEPS, TRENDS, Gallery, make_gallery
from tests.declared import COMMUNITY_EVENTS
from tests.flows import START, at, day, number

TEMPLATE = number(1)
MODELS = (
    "metrics/community_metrics_daily",
    "metrics/community_template_activity_daily",
    "metrics/community_template_trends",
    "counters/template_counters_daily",
)


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery(shrink_limit=1)
    gallery.add_templates(TEMPLATE)
    return gallery


def late_days(gallery: Gallery, last: int) -> set[date]:
    """The days from the first to `last` that the source has late rows for."""
    days = days_between(START, day(last))
    return set(late.late_days(gallery.deployment, COMMUNITY_EVENTS, gallery.lake, days))


def test_a_row_that_arrives_late_is_found_at_any_age(gallery: Gallery) -> None:
    gallery.extract(0, 70)
    assert late_days(gallery, 70) == set()
    for n in (0, 3, 70):
        gallery.add_event(TEMPLATE, "view", at(n))
    assert late_days(gallery, 70) == {day(0), day(3), day(70)}


def test_a_row_that_commits_after_its_day_was_read_is_late(gallery: Gallery) -> None:
    with connect(gallery.url, "test") as app, app.transaction():
        app.execute(
            "insert into community_events (template_id, event_type, created_at) values (%s, 'view', %s)",
            (TEMPLATE, at(0)),
        )
        gallery.extract(0)
    assert late_days(gallery, 0) == {day(0)}


def test_two_deletions_and_one_insertion_on_a_day_are_a_late_row(gallery: Gallery) -> None:
    gone = [gallery.add_event(TEMPLATE, "view", at(0)) for _ in range(3)][:2]
    gallery.extract(0)
    gallery.sql("delete from community_events where id = any(%s)", (gone,))
    assert late_days(gallery, 0) == set()
    gallery.add_event(TEMPLATE, "view", at(0))
    assert late_days(gallery, 0) == {day(0)}


def test_a_deletion_alone_makes_no_day_stale_and_is_compared_once(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = gallery.add_event(TEMPLATE, "view", at(0))
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.add_event(TEMPLATE, "view", at(1))
    gallery.extract(0, 1)
    gallery.sql("delete from community_events where id = %s or created_at >= %s", (event, at(1)))
    compared = []
    compare = late._has_other_rows

    def noted(*values: object) -> bool:
        compared.append(values[-1])
        return compare(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(late, "_has_other_rows", noted)
    assert late_days(gallery, 1) == set()
    assert late_days(gallery, 1) == set()
    assert compared == [day(0), day(1)]


def test_the_next_extract_mirrors_the_deletion(gallery: Gallery) -> None:
    event = gallery.add_event(TEMPLATE, "view", at(0))
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.run(0)
    gallery.sql("delete from community_events where id = %s", (event,))
    assert gallery.settle(0) == []
    assert [row[3] for row in gallery.published(METRICS)] == [2]
    gallery.run(0)
    assert [row[3] for row in gallery.published(METRICS)] == [1]


def test_a_deleted_row_that_comes_back_after_another_extract_is_late(gallery: Gallery) -> None:
    first, second, third = (gallery.add_event(TEMPLATE, "view", at(0)) for _ in range(3))
    gallery.extract(0)
    gallery.sql("delete from community_events where id = %s", (third,))
    assert late_days(gallery, 0) == set()
    gallery.sql("delete from community_events where id = %s", (second,))
    fourth = gallery.add_event(TEMPLATE, "view", at(0))
    gallery.extract(0)
    gallery.sql("delete from community_events where id = %s", (fourth,))
    gallery.add_event(TEMPLATE, "view", at(0), id=second)
    assert first
    assert late_days(gallery, 0) == {day(0)}


def test_rows_in_quarantine_and_repeated_ids_are_not_taken_for_late_rows(gallery: Gallery) -> None:
    gallery.sql("alter table community_events drop constraint community_events_pkey")
    gallery.add_views(TEMPLATE, at(0), 300)
    gallery.add_event(TEMPLATE, "share", at(0))
    gallery.add_event(TEMPLATE, "view", at(0), id=number(7))
    gallery.add_event(TEMPLATE, "view", at(0), id=number(7))
    assert gallery.extract(0)[day(0)].accepted
    assert late_days(gallery, 0) == set()
    assert gallery.sql("select * from community.deletions_seen") == []
    gallery.add_event(TEMPLATE, "view", at(0), id=number(7))
    assert late_days(gallery, 0) == {day(0)}


def test_the_plan_asks_for_the_stale_days_and_then_for_those_that_depend_on_them(gallery: Gallery) -> None:
    for n in range(8):
        gallery.add_event(TEMPLATE, "view", at(n))
    gallery.run(0, 7)
    assert planning.requests(gallery.plan(7), STEPS) == []
    gallery.add_event(TEMPLATE, "view", at(1))
    gallery.add_event(TEMPLATE, "use", at(2))
    gallery.add_event(TEMPLATE, "use", at(5))

    plan = gallery.plan(7)
    assert plan.days("raw/community_events", "stale") == [day(1), day(2), day(5)]
    assert [plan.days(asset, "stale") for asset in MODELS] == [[], [], [], []]
    asked = planning.requests(plan, STEPS)
    assert [(request.first, request.last) for request in asked] == [(day(1), day(2)), (day(5), day(5))]
    assert all(request.assets == tuple(step.key for step in STEPS) for request in asked)
    for request in asked:
        assert all(result.accepted for result in gallery.run(request.first, request.last).values())

    plan = gallery.plan(7)
    assert plan.days("raw/community_events", "stale") == []
    assert plan.days("metrics/community_metrics_daily", "stale") == []
    assert plan.days("metrics/community_template_trends", "stale") == [day(3), day(4), day(6), day(7)]
    assert plan.days("counters/template_counters_daily", "stale") == [day(3), day(4), day(6), day(7)]
    asked = planning.requests(plan, STEPS)
    assert [(request.first, request.last) for request in asked] == [(day(3), day(4)), (day(6), day(7))]
    assert all(RAW[0].key not in request.assets for request in asked)

    gallery.settle(7)
    assert planning.requests(gallery.plan(7), STEPS) == []
    assert [row[2:4] for row in gallery.sql(f"select * from {TRENDS} order by day")][-1] == (8, 0)
    assert gallery.sql(f"select views_total, uses_total from {HISTORY} order by day desc limit 1") == [(9, 2)]


def test_trends_depend_on_60_days_and_no_more(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.run(0, 62)
    gallery.add_event(TEMPLATE, "view", at(1))
    gallery.run(1)
    stale = gallery.plan(62).days("metrics/community_template_trends", "stale")
    assert stale == days_between(day(2), day(60))


def test_a_late_row_asks_again_with_another_version_when_more_arrive(gallery: Gallery) -> None:
    gallery.run(0)
    gallery.add_event(TEMPLATE, "view", at(0))
    (first,) = planning.requests(gallery.plan(0), STEPS)
    assert planning.requests(gallery.plan(0), STEPS) == [first]
    gallery.add_event(TEMPLATE, "view", at(0))
    (second,) = planning.requests(gallery.plan(0), STEPS)
    assert first.version != second.version


def test_a_withheld_day_that_becomes_good_is_complete_in_the_run_that_accepts_it(gallery: Gallery) -> None:
    strict = make_gallery(gallery.url, gallery.settings.home, quarantine_limit=0.1)
    strict.add_views(TEMPLATE, at(0), 2)
    event = strict.add_event(TEMPLATE, "share", at(0))
    assert not strict.run(0, 1)["raw/community_events", day(0)].accepted
    assert strict.published(METRICS) == []
    strict.sql("update community_events set event_type = 'view' where id = %s", (event,))
    strict.run(0, 1)
    assert [row[3] for row in strict.published(METRICS)] == [3]
    assert strict.sql(f"select window_complete from {TRENDS} order by day") == [(True,), (True,)]
    assert planning.requests(strict.plan(1), STEPS) == []


def test_days_are_compared_in_one_snapshot(gallery: Gallery) -> None:
    gallery.extract(0, 1)
    compared: list[bool] = []
    read = late.source_fingerprints

    def noted(connection: Connection, *values: object) -> dict[date, late.Fingerprint]:
        row = connection.execute("show transaction_isolation").fetchone()
        compared.append(row == ("repeatable read",))
        return read(connection, *values)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(late, "source_fingerprints", noted)
        late_days(gallery, 1)
    assert compared == [True]
