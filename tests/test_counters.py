"""Cached counters: drift is added and never set, or refused with a reason, and every change is in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.counters.correct import Outcome, reconcile
from community_pipelines.counters.drift import Drift, measure
from community_pipelines.lake.ledger import UNSEALED, read_ledger
from community_pipelines.lake.seal import seal
from community_pipelines.platforms.bazaar.spec import COUNTERS
from tests.bazaar.gallery import HISTORY, STEPS, TRENDS, Gallery, make_gallery
from tests.flows import at, day, number
from tests.publishing import until_waiting

FIRST, SECOND = number(1), number(2)
ASSET = "counters/community_templates"
NO_DRIFT = {"drift_limit": 0, "drift_limit_absolute": 0}


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery(shrink_limit=1)
    gallery.add_users("ann", "bob", "cem")
    gallery.add_templates(FIRST, SECOND)
    return gallery


def apply(gallery: Gallery, run_id: str = "run") -> Outcome:
    return reconcile(gallery.deployment, COUNTERS, run_id, "apply")


def cache(gallery: Gallery, template: object, views: int = 0, favorites: int = 0, uses: int = 0) -> None:
    gallery.sql(
        "update community_templates set views_count = %s, favorites_count = %s, uses_count = %s where id = %s",
        (views, favorites, uses, template),
    )


def corrections(gallery: Gallery) -> list[tuple[Any, ...]]:
    return gallery.sql(
        "select run_id, entity_id, counter, before, drift, applied from community.counter_corrections order by id"
    )


def test_drift_is_added_and_written_into_the_ledger(gallery: Gallery) -> None:
    gallery.add_views(FIRST, at(0), 5)
    gallery.add_event(FIRST, "favorite", at(0), "ann")
    gallery.add_event(SECOND, "use", at(0), "ann")
    cache(gallery, FIRST, views=2, favorites=4)
    cache(gallery, SECOND, uses=1)
    outcome = apply(gallery)
    assert (outcome.corrected, outcome.refused, outcome.found.drift_total) == (2, None, 6)
    assert gallery.counters() == {FIRST: (5, 1, 0), SECOND: (0, 0, 1)} == gallery.true_counters()
    assert corrections(gallery) == [
        ("run", str(FIRST), "views_count", 2, 3, 3),
        ("run", str(FIRST), "favorites_count", 4, -3, -3),
    ]
    assert apply(gallery).corrected == 0
    assert len(corrections(gallery)) == 2


def test_every_reconciliation_is_recorded(gallery: Gallery) -> None:
    gallery.add_views(FIRST, at(0), 5)
    reconcile(gallery.deployment, COUNTERS, "look", "report")
    apply(gallery)
    apply(gallery)
    rows = gallery.sql(
        "select run_id, mode, newest_correction, entities, entities_off, drift_total, truth_total, corrected, refused "
        "from community.reconciliations order by id"
    )
    assert rows == [
        ("look", "report", 0, 2, 1, 5, 5, 0, None),
        ("run", "apply", 0, 2, 1, 5, 5, 1, None),
        ("run", "apply", 1, 2, 0, 0, 5, 0, None),
    ]


def test_a_counter_never_becomes_negative_and_the_ledger_says_what_was_added(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add_views(FIRST, at(0), 2)
    cache(gallery, FIRST, views=7)
    found = measure(gallery.deployment, COUNTERS)
    cache(gallery, FIRST, views=3)
    monkeypatch.setattr("community_pipelines.counters.correct.measure", lambda *_: found)
    apply(gallery)
    assert gallery.counters()[FIRST] == (0, 0, 0)
    assert corrections(gallery) == [("run", str(FIRST), "views_count", 3, -5, -3)]


def test_an_increment_between_the_snapshot_and_the_correction_is_kept(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add_views(FIRST, at(0), 5)
    cache(gallery, FIRST, views=2)
    found = measure(gallery.deployment, COUNTERS)
    gallery.add_event(FIRST, "view", at(0))
    gallery.sql("update community_templates set views_count = views_count + 1 where id = %s", (FIRST,))
    monkeypatch.setattr("community_pipelines.counters.correct.measure", lambda *_: found)
    apply(gallery)
    assert gallery.counters()[FIRST] == (6, 0, 0) == gallery.true_counters()[FIRST]


def test_the_ledger_says_what_a_counter_was_just_before_although_the_app_had_it_locked(gallery: Gallery) -> None:
    gallery.add_views(FIRST, at(0), 5)
    with psycopg.connect(gallery.url) as app, ThreadPoolExecutor(1) as pool:
        app.execute("update community_templates set views_count = views_count + 1 where id = %s", (FIRST,))
        outcome = pool.submit(apply, gallery)
        until_waiting(gallery)
        app.commit()
        assert outcome.result().corrected == 1
    assert gallery.counters()[FIRST] == (6, 0, 0)
    assert corrections(gallery) == [("run", str(FIRST), "views_count", 1, 5, 5)]


def test_the_apps_updated_at_is_left_alone(gallery: Gallery) -> None:
    query = "select id, updated_at, created_at, title from community_templates order by id"
    before = gallery.sql(query)
    gallery.add_views(FIRST, at(0), 5)
    assert apply(gallery).corrected == 1
    assert gallery.sql(query) == before


def test_templates_without_drift_are_not_written(gallery: Gallery) -> None:
    gallery.add_views(FIRST, at(0), 5)
    untouched = "select xmin::text from community_templates where id = %s"
    before = gallery.sql(untouched, (SECOND,))
    apply(gallery)
    assert gallery.sql(untouched, (SECOND,)) == before


def test_report_mode_changes_no_counter(gallery: Gallery) -> None:
    gallery.add_views(FIRST, at(0), 5)
    before = gallery.fingerprints()
    outcome = reconcile(gallery.deployment, COUNTERS, "run", "report")
    assert outcome.found.drifts == [Drift(str(FIRST), "views_count", 0, 5)]
    assert (outcome.corrected, outcome.refused) == (0, None)
    assert gallery.fingerprints() == before
    assert corrections(gallery) == []


def test_an_external_database_is_only_reported_until_a_person_says_apply(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add_views(FIRST, at(0), 5)
    cautious = make_gallery(gallery.url, tmp_path, bazaar={"counters": None})
    result = cautious.run(0)[ASSET, day(0)]
    assert result.accepted
    assert (result.metadata["mode"], result.metadata["drift"], result.metadata["drift remaining"]) == ("report", 5, 5)
    assert cautious.counters()[FIRST] == (0, 0, 0)
    result = gallery.run(0)[ASSET, day(0)]
    assert (result.metadata["mode"], result.metadata["corrected"], result.metadata["drift remaining"]) == (
        "apply",
        1,
        0,
    )
    assert gallery.counters()[FIRST] == (5, 0, 0)


def test_a_drift_over_the_limit_is_refused_with_what_to_do(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add_views(FIRST, at(0), 10)
    cache(gallery, FIRST, views=7)
    careful = make_gallery(gallery.url, tmp_path, bazaar={"drift_limit": 0.2, "drift_limit_absolute": 2})
    result = careful.run(0)[ASSET, day(0)]
    assert not result.accepted
    assert result.reason == (
        "not corrected: the total drift of 3 is more than 20% of the truth (10; COMMUNITY_BAZAAR__DRIFT_LIMIT) and "
        "more than 2 (COMMUNITY_BAZAAR__DRIFT_LIMIT_ABSOLUTE); look at `community reconcile bazaar`, and if it is "
        "right raise COMMUNITY_BAZAAR__DRIFT_LIMIT_ABSOLUTE to 3 or COMMUNITY_BAZAAR__DRIFT_LIMIT to 0.30"
    )
    assert careful.counters()[FIRST] == (7, 0, 0)
    assert corrections(careful) == []
    assert careful.sql("select corrected, refused is not null from community.reconciliations") == [(0, True)]
    cache(careful, FIRST, views=8)
    assert careful.run(0)[ASSET, day(0)].accepted
    assert careful.counters()[FIRST] == (10, 0, 0)


@pytest.mark.parametrize(("views", "absolute", "corrected"), [(100, None, 1), (101, None, 0), (3, 3, 1), (1, 0, 0)])
def test_where_the_truth_is_0_a_drift_is_corrected_up_to_a_number(
    gallery: Gallery, tmp_path: Path, views: int, absolute: int | None, corrected: int
) -> None:
    cache(gallery, FIRST, views=views)
    own = {"drift_limit": 0.2} if absolute is None else {"drift_limit": 0.2, "drift_limit_absolute": absolute}
    careful = make_gallery(gallery.url, tmp_path, bazaar=own)
    outcome = apply(careful)
    assert outcome.corrected == corrected
    assert careful.counters()[FIRST] == (0 if corrected else views, 0, 0)
    assert (outcome.refused is None) == bool(corrected)
    if outcome.refused:
        assert "is more than 20% of the truth (0; COMMUNITY_BAZAAR__DRIFT_LIMIT)" in outcome.refused
        assert outcome.refused.endswith(f"if it is right raise COMMUNITY_BAZAAR__DRIFT_LIMIT_ABSOLUTE to {views}")


def test_an_emptied_or_pruned_source_is_refused_although_little_would_be_lowered(
    gallery: Gallery, tmp_path: Path
) -> None:
    careful = make_gallery(gallery.url, tmp_path, bazaar={"drift_limit_absolute": 1000})
    gallery.add_views(FIRST, at(0), 3)
    gallery.add_views(FIRST, at(2), 2)
    careful.run(0, 2)
    gallery.sql("delete from community_events where created_at < %s", (at(1),))
    assert "it has been pruned" in str(apply(careful).refused)
    gallery.sql("delete from community_events")
    assert "the source is empty" in str(apply(careful).refused)
    assert careful.counters()[FIRST] == (5, 0, 0)


@pytest.mark.parametrize(
    ("cached", "truth", "named"), [(71, 100, "0.29"), (1, 3, "0.67"), (0, 1, "1.00"), (7, 1, "6.00")]
)
def test_the_limits_that_the_refusal_names_are_large_enough(
    gallery: Gallery, tmp_path: Path, cached: int, truth: int, named: str
) -> None:
    gallery.add_views(FIRST, at(0), truth)
    cache(gallery, FIRST, views=cached)
    refused = str(apply(make_gallery(gallery.url, tmp_path, bazaar=NO_DRIFT)).refused)
    assert refused.endswith(f"COMMUNITY_BAZAAR__DRIFT_LIMIT to {named}")
    raised = make_gallery(gallery.url, tmp_path, bazaar={**NO_DRIFT, "drift_limit": float(named)})
    assert apply(raised).corrected == 1


def test_refused_corrections_make_no_day_of_a_model_incomplete_or_stale(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add_views(FIRST, at(0), 10)
    careful = make_gallery(gallery.url, tmp_path, bazaar=NO_DRIFT)
    assert not careful.run(0, 1)[ASSET, day(0)].accepted
    assert careful.settle(1) == []
    careful.run(1)
    assert careful.sql(f"select window_complete from {TRENDS}") == [(True,), (True,)]


def test_a_pruned_source_is_refused(gallery: Gallery) -> None:
    gallery.add_views(FIRST, at(0), 3)
    gallery.add_views(FIRST, at(2), 2)
    gallery.run(0, 2)
    gallery.sql("delete from community_events where created_at < %s", (at(1),))
    outcome = apply(gallery)
    assert outcome.corrected == 0
    assert str(outcome.refused) == (
        "the source begins at 2026-01-03 but numbers are published from 2026-01-01 on: it has been pruned, and "
        "counting community_templates in it would lower the counters"
    )
    gallery.sql("delete from community_events")
    assert "the source is empty but numbers are published from 2026-01-01" in str(apply(gallery).refused)
    assert gallery.counters()[FIRST] == (5, 0, 0)


@pytest.mark.parametrize(
    ("events", "favorites"),
    [
        ([("favorite", "10:00")], 1),
        ([("favorite", "10:00"), ("favorite", "11:00")], 1),
        ([("favorite", "10:00"), ("unfavorite", "11:00")], 0),
        ([("unfavorite", "11:00"), ("favorite", "10:00")], 0),
        ([("unfavorite", "10:00"), ("favorite", "11:00")], 1),
        ([("unfavorite", "10:00"), ("unfavorite", "11:00")], 0),
        ([("favorite", "10:00"), ("unfavorite", "10:00")], 0),
        ([("unfavorite", "10:00"), ("favorite", "10:00")], 1),
        ([("favorite", "10:00"), ("unfavorite", "11:00"), ("favorite", "11:00:00.000001")], 1),
    ],
)
def test_favorites_are_users_whose_last_word_by_time_then_id_is_a_favorite(
    gallery: Gallery, events: list[tuple[str, str]], favorites: int
) -> None:
    for event_type, clock in events:
        gallery.add_event(FIRST, event_type, at(0, clock), "ann")
    gallery.add_event(FIRST, "favorite", at(0), None)
    gallery.add_event(FIRST, "favorite", at(0), "bob")
    gallery.add_event(SECOND, "unfavorite", at(0, "23:00"), "ann")
    result = gallery.run(0)
    assert gallery.counters() == {FIRST: (0, favorites + 1, 0), SECOND: (0, 0, 0)} == gallery.true_counters()
    assert gallery.sql(f"select favorites_total from {HISTORY} where template_id = %s", (FIRST,)) == [(favorites + 1,)]
    off = [f.observed for f in result[ASSET, day(0)].findings if f.column == "totals_off_truth"]
    assert off == [0]


def test_templates_where_events_and_favorites_disagree_are_named(gallery: Gallery) -> None:
    favorite = "insert into community_favorites (user_id, template_id) values (%s, %s)"
    gallery.add_event(FIRST, "favorite", at(0), "ann")
    gallery.add_event(FIRST, "favorite", at(0), "deleted user")
    gallery.sql(favorite, ("ann", FIRST))
    assert gallery.run(0)[ASSET, day(0)].accepted
    assert "favorites_agree" not in gallery.run(0)[ASSET, day(0)].metadata
    gallery.add_event(FIRST, "favorite", at(0), "bob")
    gallery.sql(favorite, ("cem", SECOND))
    result = gallery.run(0)[ASSET, day(0)]
    assert result.accepted
    shown = result.metadata["favorites_agree"].markdown
    assert shown.splitlines()[2:] == [f"| {FIRST} | 2 | 1 |", f"| {SECOND} | 0 | 1 |"]
    (finding,) = [f for f in result.findings if f.column == "favorites_agree"]
    assert (finding.severity, finding.success, finding.observed) == ("warning", False, 2)


def test_counters_and_history_agree_day_by_day(gallery: Gallery) -> None:
    for n in range(3):
        gallery.add_views(FIRST, at(n), n + 1)
    gallery.add_event(FIRST, "favorite", at(0), "ann")
    gallery.add_event(FIRST, "unfavorite", at(2), "ann")
    gallery.run(0, 2)
    rows = gallery.sql(f"select * from {HISTORY} order by day")
    assert rows == [
        (FIRST, day(0), 1, 1, 0, 1, 1, 0, True),
        (FIRST, day(1), 2, 0, 0, 3, 1, 0, True),
        (FIRST, day(2), 3, -1, 0, 6, 0, 0, True),
    ]
    assert gallery.counters()[FIRST] == (6, 0, 0)


def test_totals_that_do_not_add_up_are_an_error_of_their_day(gallery: Gallery) -> None:
    for n in range(3):
        gallery.add_views(FIRST, at(n), 1)
    gallery.run(0, 2)
    wrong = gallery.lake.path("models", "bazaar", "template_counters_daily", day(1))
    forge(wrong, "views_total", 5)
    results = gallery.run(2, 2, [step for step in STEPS if step.asset == ASSET])
    assert "totals that are not the total before plus the day's change: 1" in str(results[ASSET, day(2)].reason)


def forge(path: Path, column: str, value: int) -> None:
    """Sets a column in a day file, which is sealed like one that was written so."""
    footer = replace(read_ledger(path), seal=UNSEALED).to_metadata()
    table = pq.read_table(path)
    changed = table.set_column(table.column_names.index(column), column, pa.array([value] * table.num_rows))
    pq.write_table(changed.replace_schema_metadata(footer), path)
    seal(path)


def test_a_template_that_is_deleted_before_the_correction_is_passed_over(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add_views(FIRST, at(0), 5)
    gallery.add_views(SECOND, at(0), 2)
    found = measure(gallery.deployment, COUNTERS)
    gallery.delete_templates(FIRST)
    monkeypatch.setattr("community_pipelines.counters.correct.measure", lambda *_: found)
    assert apply(gallery).corrected == 1
    assert [row[1] for row in corrections(gallery)] == [str(SECOND)]


def test_all_of_a_measurement_is_read_in_one_snapshot_that_cannot_write(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add_views(FIRST, at(0), 1)
    execute = psycopg.Connection.execute
    seen = []

    def noted(connection: Any, query: Any, *values: Any, **options: Any) -> Any:
        cursor = execute(connection, query, *values, **options)
        if "from" in str(query) and "community" in str(query):
            state = execute(connection, "show transaction_isolation").fetchone()
            seen.append((state, execute(connection, "show transaction_read_only").fetchone()))
            gallery_write()
        return cursor

    def gallery_write() -> None:
        with monkeypatch.context() as unpatched:
            unpatched.setattr(psycopg.Connection, "execute", execute)
            gallery.add_event(FIRST, "view", at(0))

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Connection, "execute", noted)
        found = measure(gallery.deployment, COUNTERS, at(1))
    assert len(seen) >= 3
    assert set(seen) == {(("repeatable read",), ("on",))}
    assert found.truths[str(FIRST)]["views_count"] == found.truths_until[str(FIRST)]["views_count"] == 1
