"""A state folder and databases that the version before has made go on, and nothing that is done is done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from community_pipelines.flow import plan as planning
from community_pipelines.lake.ledger import METADATA_KEY, read_ledger
from tests.bazaar.gallery import METRICS, STEPS, Gallery
from tests.flows import at, day, number
from tests.stories.stories import Stories

TEMPLATE = number(1)


def written_before(path: Path, changes: Mapping[str, Any]) -> None:
    """Writes a day file anew as the version before wrote it: without a seal."""
    rows = pq.read_table(path, partitioning=None)
    ledger = json.loads((pq.read_metadata(path).metadata or {})[METADATA_KEY])
    del ledger["seal"]
    ledger["measures"].pop("without_day", None)
    rows = rows.replace_schema_metadata({METADATA_KEY: json.dumps({**ledger, **changes}).encode()})
    pq.write_table(rows, path, compression="zstd")


@pytest.fixture
def before(new_gallery: Callable[..., Gallery]) -> Gallery:
    """Three days, as the version before leaves them: fingerprints of ids alone, no seals, no new columns."""
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    for n in range(3):
        gallery.add_views(TEMPLATE, at(n), 3)
        gallery.add_event(TEMPLATE, "share", at(n))
    gallery = replace(gallery, settings=gallery.settings.model_copy(update={"quarantine_limit": 1}))
    gallery.run(0, 2)
    ids: dict[date, list[int]] = {
        one: [rows, xor]
        for one, rows, xor in gallery.sql(
            "select (created_at at time zone 'UTC')::date, count(*), bit_xor(hashtextextended(id::text, 0)) "
            "from community_events group by 1"
        )
    }
    for n in range(3):
        for kind in ("raw", "quarantine"):
            path = gallery.lake.path(kind, "bazaar", "community_events", day(n))
            written_before(path, {"fingerprint": ids[day(n)]})
        for step in STEPS[1:-1]:
            written_before(gallery.lake.path("models", "bazaar", step.key[-1], day(n)), {})
    for dimension in gallery.platform.dimensions:
        path = gallery.lake.dimension("bazaar", dimension.name)
        rows = pq.read_table(path, partitioning=None)
        pq.write_table(rows.replace_schema_metadata(None), path)
    gallery.sql("update community.reconciliations set table_name = null")
    gallery.sql("update community.deletions_seen set rule = 1")
    return gallery


def test_nothing_that_is_done_is_done_again(before: Gallery) -> None:
    assert not read_ledger(before.lake.path("raw", "bazaar", "community_events", day(0))).seal
    plan = before.plan(2)
    assert planning.requests(plan, STEPS) == []
    assert all(plan.days(asset, "done") == plan.closed for asset in plan.states)


def test_a_day_is_read_and_counted_from_files_of_both_versions(before: Gallery) -> None:
    before.add_views(TEMPLATE, at(3), 2)
    results = before.run(3)
    assert all(result.accepted for result in results.values())
    assert before.sql("select views_total, window_complete from community.template_counters_daily where day = %s",
                      (day(3),)) == [(11, True)]  # fmt: skip
    assert planning.requests(before.plan(3), STEPS) == []


def test_what_changes_afterwards_is_found(before: Gallery) -> None:
    before.add_event(TEMPLATE, "view", at(0))
    ((event,), *_) = before.sql(
        "select id from community_events where created_at = %s and event_type = 'view'", (at(1),)
    )
    before.sql("update community_events set created_at = %s where id = %s", (at(2), event))
    assert before.plan(2).days("raw/community_events", "stale") == [day(0), day(1), day(2)]
    before.settle(2)
    assert dict(before.sql(f"select day, count from {METRICS}")) == {day(0): 4, day(1): 2, day(2): 4}
    assert read_ledger(before.lake.path("raw", "bazaar", "community_events", day(0))).seal


def test_streams_whose_states_were_fingerprinted_differently_are_not_read_again(stories: Stories) -> None:
    stories.add_segment(1, at(0))
    stories.add_view(at(0))
    stories.run(0, 6)
    for stream in stories.platform.streams:
        for n in range(7):
            path = stories.lake.path("raw", "stories", stream.name, day(n))
            rows = read_ledger(path).fingerprint[0]
            written_before(path, {"fingerprint": [rows, 12345 if rows else 0]})
    plan = stories.plan(6)
    assert {asset: plan.days(asset, "stale") for asset in plan.states if plan.days(asset, "stale")} == {}
