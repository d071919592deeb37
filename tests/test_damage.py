"""A damaged file is that day's state: nothing is made of it, no other day is stopped, and it is made anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from community_pipelines.databases.connections import connect
from community_pipelines.lake.late import late_days
from community_pipelines.lake.verified import fault_of
from community_pipelines.orchestration.automation import sample_verified, state_checks
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.quality import accounting, withheld
from community_pipelines.quality.accounting import account
from community_pipelines.quality.verification import PARTS, verify_sample
from community_pipelines.quality.withheld import Withheld
from tests.bazaar.gallery import METRICS, STEPS, TRENDS, Gallery
from tests.damage import flip, truncate
from tests.declared import COMMUNITY_EVENTS
from tests.flows import at, day, number

TEMPLATE = number(1)
RAW = "raw/community_events"
DAILY = "metrics/community_metrics_daily"
TREND = "metrics/community_template_trends"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    return gallery


def raw(gallery: Gallery, n: int) -> Path:
    return gallery.lake.path("raw", "bazaar", "community_events", day(n))


def known(gallery: Gallery) -> dict[tuple[str, date], Withheld]:
    with connect(gallery.url, "test") as connection:
        return withheld.current(connection, "bazaar")


@pytest.mark.parametrize("damage", [flip, truncate])
def test_the_days_that_reach_back_to_a_damaged_file_are_kept_back_and_no_others(
    gallery: Gallery, damage: Callable[[Path], None]
) -> None:
    for n in (0, 58, 59, 60, 61):
        gallery.add_event(TEMPLATE, "view", at(n))
    gallery.run(0, 61)
    old = gallery.lake.path("models", "bazaar", "community_metrics_daily", day(1))
    good = old.read_bytes()
    damage(old)
    before = {row for row in gallery.published(TRENDS) if row[1] < day(61)}
    for n in range(58, 62):
        gallery.add_event(TEMPLATE, "view", at(n))

    results = gallery.run(58, 61, STEPS[:4])
    assert [n for n in range(58, 62) if results[TREND, day(n)].accepted] == [61]
    for n in (58, 59, 60):
        reason = str(results[TREND, day(n)].reason)
        assert reason.startswith(f"{DAILY} {day(1)}: {old} ")
        assert f"`community backfill bazaar --from {day(1)} --to {day(1)}` makes it anew" in reason
    assert all(results[DAILY, day(n)].accepted for n in range(58, 62))
    assert {row for row in gallery.published(TRENDS) if row[1] < day(61)} == before
    assert _views(gallery) == [1, 2, 3, 8]
    assert list(known(gallery)) == [(DAILY, day(1))]
    results = gallery.run(0, 61, STEPS[3:4])
    assert [n for n in range(62) if results[TREND, day(n)].accepted] == [0, 61], "on both sides of what is kept back"

    plan = gallery.plan(61)
    assert plan.days(DAILY, "stale") == [day(1)]
    assert plan.states[DAILY][day(1)].why.startswith("damaged: ")
    # Of a footer that cannot be read nobody knows whether anything else has changed.
    assert plan.days(TREND, "withheld") == [day(n) for n in (range(58, 61) if damage is flip else range(1, 61))]
    assert plan.days(RAW, "done") == plan.closed
    gallery.settle(61)
    assert fault_of(old) == ""
    assert pq.read_table(old).equals(pq.read_table(_as_file(gallery, good)))
    assert known(gallery) == {}
    assert _views(gallery) == [2, 4, 6, 8]


def _views(gallery: Gallery) -> list[int]:
    """Views in seven days, from the 59th day on."""
    return [row[0] for row in gallery.sql(f"select views_7d from {TRENDS} where day >= %s order by day", (day(58),))]


def _as_file(gallery: Gallery, content: bytes) -> Path:
    path = gallery.settings.home / "as.parquet"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("damage", [flip, truncate])
def test_nothing_is_published_from_a_damaged_file_and_the_next_run_makes_it_anew(
    gallery: Gallery, damage: Callable[[Path], None]
) -> None:
    gallery.add_views(TEMPLATE, at(0), 5)
    gallery.add_views(TEMPLATE, at(1), 5)
    gallery.run(0, 1)
    before = gallery.fingerprints()
    damage(raw(gallery, 0))
    results = gallery.run(0, 1, STEPS[1:3])
    kept = {asset: result for (asset, one), result in results.items() if one == day(0)}
    assert not any(result.accepted for result in kept.values())
    assert all(result.accepted for (_, one), result in results.items() if one == day(1))
    assert str(kept["metrics/community_metrics_daily"].reason).startswith(f"{RAW} {day(0)}: {raw(gallery, 0)} ")
    assert gallery.fingerprints() == before
    assert [(entry.asset, entry.day, entry.releasable) for entry in known(gallery).values()] == [(RAW, day(0), False)]

    plan = gallery.plan(1)
    assert plan.days(RAW, "stale") == [day(0)]
    assert str(raw(gallery, 0)) in plan.states[RAW][day(0)].why
    gallery.settle(1)
    assert fault_of(raw(gallery, 0)) == ""
    assert known(gallery) == {}
    assert {key: rows for key, rows in gallery.fingerprints().items() if key != "templates"} == {
        key: rows for key, rows in before.items() if key != "templates"
    }


@pytest.mark.parametrize("kind", ["raw", "quarantine", "models"])
def test_the_same_content_takes_the_place_of_a_damaged_file(gallery: Gallery, kind: str) -> None:
    gallery.add_views(TEMPLATE, at(0), 200)
    gallery.add_event(TEMPLATE, "poke", at(0))
    gallery.run(0)
    name = "community_metrics_daily" if kind == "models" else "community_events"
    path = gallery.lake.root / kind / "bazaar" / name / f"day={day(0)}" / "data.parquet"
    good, inode = pq.read_table(path, partitioning=None), path.stat().st_ino
    gallery.run(0)
    assert path.stat().st_ino == inode, "a sound file stays"
    flip(path)
    assert fault_of(path)
    assert all(result.accepted for result in gallery.run(0).values())
    assert fault_of(path) == ""
    assert pq.read_table(path, partitioning=None).equals(good)


@pytest.mark.parametrize("damage", [flip, truncate])
def test_a_damaged_day_before_the_sources_oldest_row_stays_as_it_is_until_its_loss_is_accepted(
    gallery: Gallery, damage: Callable[[Path], None]
) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.add_event(TEMPLATE, "view", at(1))
    gallery.run(0, 1)
    before = gallery.published(METRICS)
    gallery.sql("delete from community_events where created_at < %s", (at(1, "00:00"),))
    damage(raw(gallery, 0))
    content = raw(gallery, 0).read_bytes()
    result = gallery.run(0)[RAW, day(0)]
    assert not result.accepted
    assert "the day lies before the source's oldest row" in str(result.reason)
    assert str(raw(gallery, 0)) in str(result.reason)
    # What came after it is told that the day is doubtful, once.
    gallery.settle(1)
    assert gallery.settle(1) == []
    assert gallery.plan(1).days(RAW, "withheld") == [day(0)]
    assert raw(gallery, 0).read_bytes() == content
    assert gallery.published(METRICS) == before
    gallery.run(0, 1, STEPS[1:])
    assert gallery.settle(1) == []
    assert gallery.published(METRICS) == before

    with connect(gallery.url, "test") as connection:
        assert withheld.release(connection, "bazaar", day(0), "tester", "the rows are lost") == [RAW]
    gallery.settle(1)
    assert [row[1] for row in gallery.published(METRICS)] == [day(1)]
    assert known(gallery) == {}


def test_a_damaged_day_with_late_rows_is_read_again(gallery: Gallery) -> None:
    events = [gallery.add_event(TEMPLATE, "view", at(0)) for _ in range(3)]
    gallery.extract(0)
    gallery.sql("delete from community_events where id = %s", (events[0],))
    assert late_days(gallery.deployment, COMMUNITY_EVENTS, gallery.lake, [day(0)]) == {}
    flip(raw(gallery, 0))
    gallery.sql("delete from community_events where id = %s", (events[1],))
    assert list(late_days(gallery.deployment, COMMUNITY_EVENTS, gallery.lake, [day(0)])) == [day(0)]


@pytest.fixture
def stored(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A file of each kind that a run keeps, of a gallery that has nothing to do."""
    monkeypatch.setattr(accounting, "LOOK_AGAIN_SECONDS", 0)
    gallery.add_views(TEMPLATE, at(0), 200)
    gallery.add_event(TEMPLATE, "poke", at(0))
    gallery.add_views(TEMPLATE, at(1), 20)
    for _ in range(3):
        gallery.add_event(TEMPLATE, "poke", at(1))
    gallery.run(0, 1)
    found = {file.kind: file.path for file in gallery.lake.everything("bazaar")}
    assert sorted(found) == ["dimensions", "models", "quarantine", "raw", "withheld"]
    return {**{str(kind): path for kind, path in found.items()}, "raw": raw(gallery, 0)}


def _sample(gallery: Gallery) -> list[str]:
    return [
        fault
        for n in range(PARTS)
        for fault in verify_sample(gallery.deployment, gallery.lake, date(2026, 5, 1) + timedelta(days=n))
    ]


@pytest.mark.parametrize("kind", ["raw", "quarantine", "models", "withheld", "dimensions"])
def test_a_flip_in_a_file_that_nobody_reads_is_found_by_the_sample_and_by_account(
    gallery: Gallery, stored: dict[str, Path], kind: str
) -> None:
    assert _sample(gallery) == []
    assert [row.fault for row in account(gallery.settings, gallery.deployment, verify=True) if row.fault] == []
    start = set(known(gallery))
    flip(stored[kind], 12)
    (fault,) = _sample(gallery)
    assert fault.startswith(str(stored[kind]))
    (row,) = [row for row in account(gallery.settings, gallery.deployment, verify=True) if row.fault]
    assert str(stored[kind]) in row.fault
    recorded = set(known(gallery)) - start
    assert recorded == ({(_asset(stored[kind]), row.day)} if kind in ("raw", "quarantine", "models") else set())
    for asset, one in recorded:
        assert gallery.plan(1).days(asset, "stale") == [one]
    gallery.run(0, 1)
    assert fault_of(stored[kind]) == ""
    assert set(known(gallery)) == start


def _asset(path: Path) -> str:
    kind, name = path.parts[-5], path.parts[-3]
    return BAZAAR.asset(kind, name)


def test_the_nightly_check_fails_with_the_name_of_what_is_damaged(
    gallery: Gallery, stored: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, sample) = state_checks(gallery.settings, BAZAAR)
    assert sample.alone
    monkeypatch.setattr("community_pipelines.quality.verification.PARTS", 1)
    result = sample.judge()
    assert result.passed, result.description
    flip(stored["raw"])
    result = sample.judge()
    assert not result.passed
    assert str(stored["raw"]) in str(result.description)
    many = sample_verified(sample.spec.asset_key, lambda today: [f"file {n}" for n in range(25)]).judge()
    assert "and 5 more" in str(many.description)
