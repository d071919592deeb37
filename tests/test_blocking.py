"""A withheld day holds back what reads it, and nothing else; a missing day casts doubt on what reads it alone."""

from __future__ import annotations

import dagster as dg
import pytest

from community_pipelines.flow.counters import Counters
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.plan import PlatformStep
from tests.flows import at, day, number
from tests.stories.stories import ANN, OTHER, SCENE, STEPS, Stories


def readers(*assets: str) -> set[str]:
    """The assets that read one of these, whatever lies in between."""
    found = set(assets)
    for step in STEPS:
        if found & set(step.upstream):
            found.add(step.asset)
    return found - set(assets)


@pytest.fixture
def busy(stories: Stories) -> Stories:
    """Two days on which something happens everywhere."""
    for n in (0, 1):
        stories.add_segment(n + 1, at(n, "09:00"))
        stories.add_view(at(n))
        stories.add_like(at(n), ANN, target=SCENE if n else OTHER)
        stories.add_flag(number(600 + n), at(n))
    return stories


def held_back(stories: Stories, first: int, last: int) -> dict[int, set[str]]:
    """What a run keeps back, by day."""
    found: dict[int, set[str]] = {}
    for (asset, one), result in stories.run(first, last).items():
        if not result.accepted:
            found.setdefault((one - day(0)).days, set()).add(asset)
    return found


def test_a_broken_bible_holds_back_bibles_and_no_number(busy: Stories) -> None:
    busy.sql("update scene_bibles set data = '{}' where scene_id = %s", (SCENE,))
    assert held_back(busy, 0, 1) == {0: {"raw/scene_bibles"}}
    assert busy.sql("select count(*) from community.scene_activity_daily") == [(3,)]
    assert busy.sql("select view_count from scenes where id = %s", (SCENE,)) == [(2,)]
    plan = busy.plan(1)
    assert {asset: plan.days(asset, "withheld") for asset in plan.states if plan.days(asset, "withheld")} == {
        "raw/scene_bibles": [day(0)]
    }
    assert all(plan.days(asset, "done") == [day(0), day(1)] for asset in plan.states if asset != "raw/scene_bibles")


def test_a_scene_whose_topic_is_not_its_ideas_is_odd_and_holds_nothing_back(busy: Stories) -> None:
    topic = number(11)
    busy.sql("insert into topics (id, name, slug, created_at) values (%s, 'Sea', 'sea', '2025-12-31')", (topic,))
    busy.sql("update scenes set topic_id = %s where id = %s", (topic, SCENE))
    assert held_back(busy, 0, 1) == {}


def test_segments_in_a_state_that_no_count_knows_hold_back_just_what_reads_segments(busy: Stories) -> None:
    busy.sql("alter table segments drop constraint if exists segments_status_check")
    busy.sql("update segments set status = 'lost' where sequence = 1")
    follow = readers("raw/segments")
    assert "metrics/scene_activity_daily" in follow
    assert "counters/scenes" in follow
    assert "metrics/job_health_daily" not in follow
    assert held_back(busy, 0, 1) == {0: {"raw/segments", *follow}}
    plan = busy.plan(1)
    assert {asset for asset in plan.states if plan.days(asset, "withheld")} == {"raw/segments", *follow}


def test_every_step_says_what_it_reads_and_reads_only_what_comes_before_it() -> None:
    from community_pipelines.flow.flows import FLOWS

    for flow in FLOWS:
        before: set[str] = set()
        for step in flow.steps:
            assert set(step.upstream) <= before, step.asset
            assert bool(step.upstream) == isinstance(step, (SqlModel, Counters)), step.asset
            before.add(step.asset)


@pytest.mark.parametrize(
    ("stream", "incomplete"),
    [("users", set()), ("segments", {"contributor_daily", "contributors_daily", "scene_counters_daily"})],
)
def test_a_missing_day_marks_only_what_reads_it(busy: Stories, stream: str, incomplete: set[str]) -> None:
    busy.run(0, 1)
    busy.lake.path("raw", "stories", stream, day(0)).unlink()
    plan = busy.plan(1)
    assert {asset for asset in plan.states if plan.days(asset, "stale")} <= readers(f"raw/{stream}")
    models: list[PlatformStep] = [step for step in STEPS if not step.asset.startswith("raw/")]
    busy.run(1, steps=models)
    marked = {
        table
        for table in ("contributors_daily", "contributor_daily", "scene_counters_daily", "moderation_daily")
        if busy.sql(f"select 1 from community.{table} where day = %s and not window_complete", (day(1),))
    }
    assert marked == incomplete


def test_two_assets_that_withhold_one_day_are_both_named(busy: Stories) -> None:
    from community_pipelines.orchestration.daily import _fail_if_withheld

    busy.sql("update scene_bibles set data = '{}' where scene_id = %s", (SCENE,))
    busy.sql("update jobs set completed_at = started_at - interval '1 h' where created_at < %s", (day(1),))
    results = busy.run(0)
    withheld = {
        dg.AssetKey(step.key): {
            one: result for (asset, one), result in results.items() if asset == step.asset and not result.accepted
        }
        for step in STEPS
    }
    with pytest.raises(Exception, match="1 day is withheld") as failure:
        _fail_if_withheld(withheld)
    lines = str(failure.value.description).splitlines()[1:]  # type: ignore[attr-defined]
    assert [line.split(": ")[0] for line in lines] == [
        f"{day(0)} by stories/raw/jobs",
        f"{day(0)} by stories/raw/scene_bibles",
    ]
