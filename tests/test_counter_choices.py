"""An owner chooses by which rule a counter is kept; what the other rule says is always shown beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from community_pipelines.counters.correct import reconcile
from community_pipelines.counters.drift import Alternative, measure
from community_pipelines.platforms.bazaar.spec import COUNTERS
from tests.bazaar.gallery import STEPS, Gallery, make_gallery
from tests.community import community, unwrapped
from tests.flows import at, day, number
from tests.test_counters import forge

FIRST, SECOND, THIRD = number(1), number(2), number(3)
ASSET = "counters/community_templates"
SETTING = "COMMUNITY_BAZAAR__FAVORITES"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """The first template has 3 favorites by events and 2 by rows, the second 0 and 1, the third 1 and 1."""
    gallery = new_gallery(shrink_limit=1)
    gallery.add_users("ann", "bob", "cem")
    gallery.add_templates(FIRST, SECOND, THIRD)
    gallery.sql("alter table community_favorites drop constraint community_favorites_user_id_fkey")
    gallery.add_views(FIRST, at(0), 4)
    gallery.add_event(FIRST, "favorite", at(0, "09:00"), "ann")
    gallery.add_event(FIRST, "favorite", at(0, "10:00"), "ann")
    gallery.add_event(FIRST, "favorite", at(0), "its row was not written")
    gallery.add_event(FIRST, "favorite", at(0), "cem")
    gallery.add_event(THIRD, "favorite", at(0), "bob")
    add_rows(gallery, (FIRST, "ann"), (FIRST, "bob"), (FIRST, "deleted since"), (SECOND, "cem"), (THIRD, "bob"))
    return gallery


def add_rows(gallery: Gallery, *favorites: tuple[object, str]) -> None:
    for template, user in favorites:
        gallery.sql("insert into community_favorites (template_id, user_id) values (%s, %s)", (template, user))


def choosing(gallery: Gallery, home: Path, favorites: str | None, **own: Any) -> Gallery:
    chosen = {} if favorites is None else {"favorites": favorites}
    return make_gallery(gallery.url, home, bazaar={**chosen, **own}, shrink_limit=1)


def favorites(gallery: Gallery) -> list[int]:
    return [favorites for _, favorites, _ in gallery.counters().values()]


def observed(result: Any, column: str) -> object:
    (found,) = [finding.observed for finding in result.findings if finding.column == column]
    return found


@pytest.mark.parametrize(
    ("chosen", "expected", "other"),
    [(None, [3, 0, 1], "rows"), ("events", [3, 0, 1], "rows"), ("rows", [2, 1, 1], "events")],
)
def test_the_chosen_rule_corrects_the_counter_and_a_run_shows_the_other_one(
    gallery: Gallery, tmp_path: Path, chosen: str | None, expected: list[int], other: str
) -> None:
    result = choosing(gallery, tmp_path, chosen).run(0)[ASSET, day(0)]
    assert result.accepted
    assert favorites(gallery) == expected
    assert gallery.counters()[FIRST][0] == 4
    name = chosen or "events"
    totals = {"events": 4, "rows": 4}
    assert result.metadata[f"favorites_count by {name}, as {SETTING} says"] == totals[name]
    assert result.metadata[f"favorites_count by {other}"] == totals[other]
    assert result.metadata["favorites_count: entities that differ"] == 2
    shown = result.metadata["favorites_count: largest differences"].markdown.splitlines()
    pairs = {"events": ("3 | 2", "0 | 1"), "rows": ("2 | 3", "1 | 0")}[name]
    assert shown[0] == f"| entity | by {name} | by {other} |"
    assert shown[2:] == [f"| {FIRST} | {pairs[0]} |", f"| {SECOND} | {pairs[1]} |"]
    assert observed(result, "totals_off_truth") == 0
    assert observed(result, "remaining_drift") == 0


def test_the_check_that_both_rules_agree_stays_a_warning(gallery: Gallery, tmp_path: Path) -> None:
    for chosen in ("events", "rows"):
        result = choosing(gallery, tmp_path, chosen).run(0)[ASSET, day(0)]
        assert result.accepted
        (found,) = [finding for finding in result.findings if finding.column == "favorites_agree"]
        assert (found.severity, found.success, found.observed) == ("warning", False, 2)


def test_the_largest_differences_come_first_and_equal_entities_are_not_among_them(gallery: Gallery) -> None:
    for n in range(4):
        gallery.add_event(SECOND, "favorite", at(0), f"user {n}")
    assert measure(gallery.deployment, COUNTERS).alternatives == (
        Alternative("favorites_count", SETTING, "events", 8, "rows", 4, [(str(SECOND), 4, 1), (str(FIRST), 3, 2)]),
    )


def test_by_rows_newest_totals_of_favorites_are_not_compared_and_all_others_are(
    gallery: Gallery, tmp_path: Path
) -> None:
    by_rows = choosing(gallery, tmp_path, "rows")
    assert observed(by_rows.run(0)[ASSET, day(0)], "totals_off_truth") == 0
    forge(by_rows.lake.path("models", "bazaar", "template_counters_daily", day(0)), "favorites_total", 9)
    steps = [step for step in STEPS if step.asset == ASSET]
    assert observed(by_rows.run(0, steps=steps)[ASSET, day(0)], "totals_off_truth") == 0
    by_events = choosing(gallery, tmp_path, "events")
    assert observed(by_events.run(0, steps=steps)[ASSET, day(0)], "totals_off_truth") == 2
    forge(by_rows.lake.path("models", "bazaar", "template_counters_daily", day(0)), "uses_total", 9)
    assert observed(by_rows.run(0, steps=steps)[ASSET, day(0)], "totals_off_truth") == 2


def test_by_rows_a_pruned_or_emptied_source_of_events_lowers_no_counter(gallery: Gallery, tmp_path: Path) -> None:
    by_rows = choosing(gallery, tmp_path, "rows")
    gallery.add_views(FIRST, at(1), 2)
    by_rows.run(0, 1)
    gallery.sql("delete from community_events where created_at < %s", (at(1, "00:00"),))
    assert "it has been pruned" in str(reconcile(by_rows.deployment, COUNTERS, "run", "apply").refused)
    gallery.sql("delete from community_events")
    assert "the source is empty" in str(reconcile(by_rows.deployment, COUNTERS, "run", "apply").refused)
    assert gallery.counters() == {FIRST: (6, 2, 0), SECOND: (0, 1, 0), THIRD: (0, 1, 0)}


@pytest.mark.parametrize(("chosen", "other"), [("events", "rows"), ("rows", "events")])
def test_reconcile_and_status_show_both_rules(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, other: str
) -> None:
    names = {
        "HOME": str(tmp_path), "DATABASE_URL": gallery.url, "BAZAAR__SOURCE_URL": gallery.url,
        "BAZAAR__FAVORITES": chosen,
    }  # fmt: skip
    for name, value in names.items():
        monkeypatch.setenv(f"COMMUNITY_{name}", value)
    by_name = {"events": [3, 0], "rows": [2, 1]}
    line = f"community_templates.favorites_count: 4 by {chosen} ({SETTING}), 4 by {other}; they differ for 2 entities"
    totals = {
        "counter": "favorites_count", "setting": SETTING, "chosen": chosen, "chosen_total": 4, "other": other,
        "other_total": 4, "entities_different": 2,
    }  # fmt: skip

    said = unwrapped(community("reconcile", "bazaar").output)
    assert line in said
    assert "community_templates.favorites_count: the largest of 2 differences" in said
    for n, template in enumerate((FIRST, SECOND)):
        assert f"│ {template} │ {by_name[chosen][n]} │ {by_name[other][n]} │" in said
    found = json.loads(community("reconcile", "bazaar", "--json").stdout)["community_templates"]
    (alternative,) = found["alternatives"]
    assert alternative.pop("differences") == [
        {"entity": str(template), chosen: by_name[chosen][n], other: by_name[other][n]}
        for n, template in enumerate((FIRST, SECOND))
    ]
    assert alternative == totals
    drifts = {one["entity"]: one["truth"] for one in found["drifts"] if one["counter"] == "favorites_count"}
    assert [drifts.get(str(template), 0) for template in (FIRST, SECOND)] == by_name[chosen]

    assert line in unwrapped(community("status", "--thorough").output)
    counters = json.loads(community("status", "--thorough", "--json").stdout)["bazaar"]["counters"][
        "community_templates"
    ]
    assert counters["alternatives"] == [totals]


def test_a_misspelt_choice_stops_a_command_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_BAZAAR__FAVORITES", "row")
    result = community("reconcile", "bazaar")
    assert result.exit_code == 2
    said = unwrapped(result.output)
    assert "COMMUNITY_BAZAAR__FAVORITES" in said
    assert "'events' or 'rows'" in said
