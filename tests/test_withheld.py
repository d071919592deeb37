"""A bad day is withheld alone: the others go out, its old numbers stay, and a person can release it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from community_pipelines.embedded.postgres import EmbeddedServer
from community_pipelines.flow.plan import make_plan, requests
from community_pipelines.models.project import load_model
from community_pipelines.orchestration.automation import day_partitions
from community_pipelines.orchestration.storage import dagster_instance
from tests.community import CHAIN, RAW, Community, community, day_after, other_models, span, steady_grace, unwrapped
from tests.declared import GALLERY_STEPS as STEPS

DAYS = span(date(2026, 1, 1), 3)
BAD = DAYS[1]

TRUE_METRICS = """
select template_id, (created_at at time zone 'UTC')::date as day, event_type, count(*)
from community_events
where event_type in ('view', 'favorite', 'use') and created_at < %s::date + 1
group by 1, 2, 3
order by 1, 2, 3
"""


def partitions(community: Community, days: list[date]) -> dict[str, tuple[int, list[str]]]:
    """For every asset of the chain how many days Dagster shows as materialized, and which as failed."""
    found = {}
    definition = day_partitions(days[0])
    with dagster_instance(community.settings(database_url=community.storage)) as instance:
        for asset in CHAIN:
            key = dg.AssetKey(["bazaar", *asset.split("/")])
            status = get_and_update_asset_status_cache_value(instance, key, definition)
            assert status is not None
            materialized = status.deserialize_materialized_partition_subsets(definition)
            failed = status.deserialize_failed_partition_subsets(definition)
            found[asset] = (len(set(materialized.get_partition_keys())), sorted(failed.get_partition_keys()))
    return found


def test_one_bad_day_of_sixty_is_withheld_alone_and_goes_out_when_it_is_released(
    database: str, postgres: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace, last = steady_grace()
    days = span(day_after(last, -59), 60)
    bad, good = days[40], [*days[:40], *days[41:]]
    gallery = Community(database, tmp_path / "home", days[0], postgres.url("dagster_of_sixty")).create()
    gallery.environment(monkeypatch, GRACE_MINUTES=str(grace))
    gallery.add_events([*days, day_after(last)])
    gallery.count_truly()
    gallery.run(days)
    old, old_metrics = gallery.published([bad]), gallery.rows(TRUE_METRICS, bad)

    # All days change, and one of them gets 2 of 44 rows that nobody can count.
    gallery.add_events(days, 2, "view", salt="late")
    gallery.add_events([bad], 2, "vieww", salt="broken")
    run = community("backfill", "bazaar", "--from", days[0], "--to", days[-1])

    said = unwrapped(run.output)
    reason = "share of rows in quarantine: 0.045455 (expected ≥ 0 and ≤ 0.01)"
    assert run.exit_code == 1
    assert f"{bad} by bazaar/raw/community_events: {reason}" in said
    assert "│ days │ 59 │ │ days withheld │ 1 │" in said
    assert f'community release bazaar {bad} --reason "…"' in said
    assert gallery.published([bad]) == old
    assert partitions(gallery, days) == dict.fromkeys(CHAIN, (59, [str(bad)]))
    metrics = gallery.rows("select * from community_metrics_daily order by 1, 2, 3")
    truth = gallery.rows(TRUE_METRICS, last)
    assert [row for row in metrics if row[1] != bad] == [row for row in truth if row[1] != bad]
    assert [row for row in metrics if row[1] == bad] == [row for row in old_metrics if row[1] == bad]
    incomplete = "select distinct day from community.community_template_trends where not window_complete order by day"
    assert [row[0] for row in gallery.rows(incomplete)] == days[41:]

    status = community("status", "--json")
    assert status.exit_code == 1
    data = json.loads(status.stdout)["bazaar"]
    assert [(entry["asset"], entry["day"], entry["why"]) for entry in data["withheld"]] == [(RAW, str(bad), reason)]
    assert {asset: states["withheld"] for asset, states in data["assets"].items()} == {
        asset: [str(bad)] for asset in CHAIN
    }
    assert all(len(states["done"]) == 59 for states in data["assets"].values())
    shown = unwrapped(community("status").output)
    assert f"bazaar/{RAW} {bad} is withheld: {reason}" in shown
    assert f'community release bazaar {bad} --reason "…"' in shown
    nothing = community("run")
    assert "Nothing to do: every closed day is done or withheld." in nothing.output
    assert nothing.exit_code == 1

    released = community("release", "bazaar", bad, "--reason", "two rows of a test, 42 others are right")
    assert released.exit_code == 0
    assert f"released bazaar/{RAW} {bad}" in released.output
    assert "is released, its next run publishes it: two rows of a test" in unwrapped(community("status").output)
    healed = community("run")
    assert healed.exit_code == 0, healed.output
    assert gallery.rows("select * from community_metrics_daily order by 1, 2, 3") == truth
    assert gallery.rows(incomplete) == []
    assert partitions(gallery, days) == dict.fromkeys(CHAIN, (60, []))
    assert len(good) == 59
    assert community("status").exit_code == 0
    assert "Nothing to do: every closed day is done." in community("run").output


@pytest.fixture
def gallery(database: str, tmp_path: Path) -> Community:
    """Three days of 100 events each, of which nothing is published yet."""
    made = Community(database, tmp_path / "home", DAYS[0]).create()
    made.add_events(DAYS, 100)
    made.count_truly()
    return made


def spoil(gallery: Community, rows: int, salt: str = "broken") -> None:
    gallery.add_events([BAD], rows, "vieww", salt=salt)


@pytest.mark.parametrize(("limit", "withheld"), [(0.01, False), (0.0099, True)])
def test_a_day_is_withheld_when_more_than_the_configured_share_is_in_quarantine(
    gallery: Community, limit: float, withheld: bool
) -> None:
    gallery.rows("update community_events set event_type = 'vieww' where id = %s", gallery.rows(
        "select id from community_events where created_at::date = %s limit 1", BAD)[0][0])  # fmt: skip
    result = gallery.run(DAYS, steps=STEPS[:1], quarantine_limit=limit)[RAW]
    assert result[BAD].metadata["quarantined"] == 1
    assert result[BAD].metadata["read"] == 100
    assert [day for day in DAYS if not result[day].accepted] == ([BAD] if withheld else [])


def test_a_release_is_void_when_the_day_has_changed_since(gallery: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.environment(monkeypatch)
    spoil(gallery, 5)
    gallery.run(DAYS, steps=STEPS[:2])
    assert community("release", "bazaar", BAD, "--reason", "known").exit_code == 0
    gallery.add_events([BAD], 1, "view", salt="one more")
    raw = gallery.run([BAD], steps=STEPS[:1])[RAW][BAD]
    assert not raw.accepted
    (entry,) = make_plan(gallery.settings(), gallery.place(), STEPS, compare=DAYS).withheld.values()
    assert not entry.released
    assert community("release", "bazaar", BAD, "--reason", "known as well").exit_code == 0
    assert gallery.run([BAD], steps=STEPS[:1])[RAW][BAD].accepted


def test_a_release_says_nothing_about_other_faults_of_the_day(
    gallery: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.environment(monkeypatch)
    gallery.run(DAYS, steps=STEPS[:1])
    gallery.rows("delete from community_events where created_at::date = %s and event_type = 'view'", BAD)
    spoil(gallery, 5)
    withheld = gallery.run(DAYS, steps=STEPS[:1], shrink_limit=0.9)[RAW][BAD]
    assert "shrunk" not in (withheld.reason or "")
    assert community("release", "bazaar", BAD, "--reason", "five broken rows").exit_code == 0

    again = gallery.run(DAYS, steps=STEPS[:1])[RAW][BAD]
    assert (again.reason or "").startswith("shrunk: ")
    released = [finding for finding in again.findings if "(released: five broken rows)" in finding.expectation]
    assert [(finding.column, finding.severity) for finding in released] == [("quarantined_share", "warning")]


def test_a_withheld_day_is_asked_for_again_only_when_its_source_has_changed(gallery: Community) -> None:
    spoil(gallery, 5)
    gallery.run(DAYS)

    def due() -> list[tuple[date, date]]:
        plan = make_plan(gallery.settings(), gallery.place(), STEPS)
        plan.closed = DAYS
        plan.states = {asset: {day: states[day] for day in DAYS} for asset, states in plan.states.items()}
        return [(request.first, request.last) for request in requests(plan, STEPS)]

    assert due() == []
    gallery.rows("delete from community_events where event_type = 'vieww'")
    gallery.add_events([BAD], 1, "view", salt="one more")
    assert due() == [(BAD, BAD)]
    assert gallery.run([BAD])[RAW][BAD].accepted


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with other_models(tmp_path, monkeypatch) as folder:
        yield folder


# Changes of a model's SQL that break its contract on one day.
ON_BAD = f"cast(created_at as date) = date '{BAD}'"
COUNT = "count(*) as count"


@pytest.mark.parametrize(
    ("changes", "why", "offending"),
    [
        (
            {"event_type, created": f"if({ON_BAD} and event_type = 'use', 'USE', event_type) as event_type, created",
             "('view', 'favorite', 'use')": "('view', 'favorite', 'use', 'USE')"},
            "rows with another event_type: ",
            "| USE |",
        ),
        (
            {COUNT: f"if(day = date '{BAD}' and event_type = 'use', null, count(*)) as count"},
            "rows without count: ",
            "| use |  |",
        ),
        (
            {"event_type, created_at": f"event_type, created_at, if({ON_BAD}, source, '') as split",
             "by template_id, day, event_type": "by template_id, day, event_type, split"},
            "rows that repeat template_id, day, event_type: ",
            "| favorite | 1 |",
        ),
    ],
    ids=["value", "null", "grain"],
)  # fmt: skip
def test_a_result_that_breaks_its_contract_is_withheld_with_the_rows_that_do_and_cannot_be_released(
    gallery: Community,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    why: str,
    offending: str,
) -> None:
    gallery.environment(monkeypatch)
    gallery.run(DAYS, steps=STEPS[:3])
    old, good = gallery.published([BAD]), gallery.published([DAYS[0]])
    gallery.add_events(DAYS, 1, "view", salt="late")
    model = models / "community_metrics_daily.sql"
    text = changed = model.read_text()
    for before, after in changes.items():
        assert before in changed
        changed = changed.replace(before, after)
    model.write_text(changed)
    load_model.cache_clear()

    results = gallery.run(DAYS, steps=STEPS[:3])
    broken = results["metrics/community_metrics_daily"][BAD]
    assert (broken.reason or "").startswith(why)
    assert offending in broken.metadata["offending rows"].markdown
    assert results[RAW][BAD].accepted
    # What does not read the broken model goes out.
    now = gallery.published([BAD])
    assert [asset for asset, days in results.items() if not days[BAD].accepted] == ["metrics/community_metrics_daily"]
    assert [table for table in old if now[table] == old[table]] == [
        "community_metrics_daily",
        "community.community_template_trends",
        "community.template_counters_daily",
    ]
    assert gallery.published([DAYS[0]]) != good

    refused = community("release", "bazaar", BAD, "--reason", "it does not matter")
    assert refused.exit_code == 1
    assert f"bazaar/metrics/community_metrics_daily {BAD} cannot be released: {why}" in refused.output
    shown = unwrapped(community("status").output)
    assert f"mend the cause, then: community backfill bazaar --from {BAD} --to {BAD}" in shown

    model.write_text(text)
    load_model.cache_clear()
    assert all(result[BAD].accepted for result in gallery.run(DAYS, steps=STEPS[:3]).values())
    assert gallery.published([BAD])["community_metrics_daily"] != old["community_metrics_daily"]


def test_a_result_of_another_type_withholds_every_day_and_names_the_column(gallery: Community, models: Path) -> None:
    gallery.run(DAYS)
    old = gallery.published()
    model = models / "community_metrics_daily.sql"
    model.write_text(model.read_text().replace("count(*) as count", "count(*)::varchar as count"))
    load_model.cache_clear()
    results = gallery.run(DAYS)["metrics/community_metrics_daily"]
    assert all("count is varchar, the contract says bigint" in (result.reason or "") for result in results.values())
    assert gallery.published() == old


def test_a_model_of_a_day_that_was_never_extracted_is_not_computed(gallery: Community) -> None:
    results = gallery.run(DAYS[:1], steps=STEPS[1:])
    reasons = {result.reason for of_asset in results.values() for result in of_asset.values()}
    assert reasons == {f"community_events has no accepted file for {DAYS[0]}; run it first"}
    assert gallery.rows("select * from community_metrics_daily") == []
