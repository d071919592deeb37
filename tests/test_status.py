"""What `status` knows: without comparing, without a source, without any database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import dagster as dg
import psycopg
import pytest

from community_pipelines.databases.connections import DatabaseError
from community_pipelines.flow import plan as planning
from community_pipelines.flow.plan import STATES, Plan, make_plan
from community_pipelines.lake.compared import Compared, last_comparison, remember_comparison
from community_pipelines.orchestration.nightly import last_nightly_run
from tests.bazaar.gallery import Gallery, make_gallery
from tests.community import community
from tests.flows import at, day, number

TEMPLATE = number(1)
RAW = "raw/community_events"
NOWHERE = "postgresql:///app?host=/nowhere"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    for n in range(3):
        gallery.add_event(TEMPLATE, "view", at(n))
    gallery.settle(2)
    return gallery


def states(plan: Plan) -> dict[str, dict[str, list[object]]]:
    return {asset: {state: list(plan.days(asset, state)) for state in STATES} for asset in plan.states}


def test_late_rows_are_those_that_the_last_comparison_found(gallery: Gallery) -> None:
    before = gallery.plan(2)
    known = gallery.plan(2, thorough=False)
    assert states(known) == states(before)
    assert known.compared_at == before.compared_at
    assert known.notes == []

    gallery.add_event(TEMPLATE, "view", at(1))
    assert gallery.plan(2, thorough=False).days(RAW, "stale") == []
    found = gallery.plan(2)
    known = gallery.plan(2, thorough=False)
    assert found.days(RAW, "stale") == known.days(RAW, "stale") == [day(1)]
    assert known.states[RAW][day(1)] == found.states[RAW][day(1)], "the same run is asked for, so it runs once"
    assert known.compared_at == found.compared_at
    assert known.compared_at is not None
    assert abs(datetime.now(UTC) - known.compared_at) < timedelta(minutes=1)

    gallery.run(1)
    assert gallery.plan(2, thorough=False).days(RAW, "stale") == []


def test_a_late_day_that_was_withheld_since_is_not_asked_for_again(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(1))
    assert gallery.plan(2).days(RAW, "stale") == [day(1)]
    gallery.add_event(TEMPLATE, "vieww", at(1), source="broken")
    gallery.run(1)
    assert gallery.plan(2, thorough=False).days(RAW, "withheld") == [day(1)]
    assert gallery.plan(2).days(RAW, "withheld") == [day(1)]
    assert gallery.plan(2, thorough=False).days(RAW, "withheld") == [day(1)]


def test_a_day_that_is_equal_again_or_archived_since_is_not_late(gallery: Gallery) -> None:
    event = gallery.add_event(TEMPLATE, "view", at(1))
    assert gallery.plan(2).days(RAW, "stale") == [day(1)]
    gallery.sql("delete from community_events where id = %s", (event,))
    place = gallery.deployment
    compared = make_plan(gallery.settings, place, gallery.steps, compare=[day(1)])
    assert compared.states[RAW][day(1)].state == "done", "what was just compared counts"
    assert make_plan(gallery.settings, place, gallery.steps, compare=[]).states[RAW][day(1)].state == "stale"
    with patch.object(planning, "pinned_days", lambda deployment, stream: {day(1): None}):
        assert make_plan(gallery.settings, place, gallery.steps, compare=[]).states[RAW][day(1)].state == "done"


def test_a_comparison_that_cannot_be_kept_is_a_note(gallery: Gallery) -> None:
    folder = gallery.lake.compared("bazaar").parent
    shutil.rmtree(folder)
    folder.write_text("in the way")
    plan = gallery.plan(2)
    assert plan.days(RAW, "done") == [day(n) for n in range(3)]
    (note,) = plan.notes
    assert note.startswith("cannot write what was found late in bazaar into ")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": "yesterday", "late": {}}', '{"at": 1}'])
def test_a_comparison_that_cannot_be_read_is_none(gallery: Gallery, text: str) -> None:
    path = gallery.lake.compared("bazaar")
    path.write_text(text)
    assert last_comparison(gallery.lake, "bazaar") is None
    assert gallery.plan(2, thorough=False).compared_at is None
    remember_comparison(gallery.lake, "bazaar", Compared(at(3), {"community_events": {day(1): (2, -5)}}))
    assert last_comparison(gallery.lake, "bazaar") == Compared(at(3), {"community_events": {day(1): (2, -5)}})
    assert list(gallery.lake.foreign()) == []


def test_it_reads_no_table_of_the_source(gallery: Gallery) -> None:
    with psycopg.connect(gallery.url) as other:
        for table in ("community_events", "community_templates", "community_favorites"):
            other.execute(f"lock table {table} in access exclusive mode".encode())
        assert gallery.plan(2, thorough=False).days(RAW, "done") == [day(n) for n in range(3)]


def test_without_a_source_it_shows_what_is_known_and_names_it(gallery: Gallery) -> None:
    away = make_gallery(gallery.url, gallery.settings.home, bazaar={"source_url": NOWHERE, "publish_url": gallery.url})
    known = away.plan(2, thorough=False)
    assert states(known) == states(gallery.plan(2, thorough=False))
    (note,) = known.notes
    assert note.startswith("the source does not answer, so days are closed by this machine's clock: cannot connect to ")
    assert "COMMUNITY_BAZAAR__SOURCE_URL" in note
    with pytest.raises(DatabaseError):
        away.plan(2)


def test_without_any_database_it_shows_what_the_lake_knows(gallery: Gallery) -> None:
    away = make_gallery(NOWHERE, gallery.settings.home)
    known = away.plan(3, thorough=False)
    assert len(known.notes) == 2
    assert known.notes[1].startswith("this is what the lake knows; what is published and withheld is not known: ")
    assert known.days(RAW, "done") == [day(n) for n in range(3)]
    assert known.days(RAW, "missing") == [day(3)]
    assert known.days("metrics/community_metrics_daily", "done") == [day(n) for n in range(3)]
    assert "counters/community_templates" not in known.states


def test_the_command_ends_well_without_any_database(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(gallery.settings.home))
    monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", NOWHERE)
    monkeypatch.setenv("COMMUNITY_DATABASE_URL", NOWHERE)
    result = community("status", "--json")
    assert result.exit_code == 2, result.output
    data = json.loads(result.stdout)["bazaar"]
    assert data["assets"][RAW]["done"] == [str(day(n)) for n in range(3)]
    assert len(data["not_known"]) == 4
    assert any(note.startswith("the last nightly run is not known: ") for note in data["not_known"])
    assert any(note.startswith("the drift of community_templates is not known: ") for note in data["not_known"])
    shown = community("status")
    assert shown.exit_code == 2
    assert "this is what the lake knows" in shown.output
    assert community("status", "--thorough").exit_code == 2


def test_the_newest_nightly_run_is_the_one_that_dagster_knows(
    dagster_instance: dg.DagsterInstance, database: str
) -> None:
    def ran(platform: str, partition: str) -> str:
        @dg.op
        def nothing() -> None:
            pass

        @dg.job(name=f"{platform}_nightly")
        def job() -> None:
            nothing()

        tags = {"dagster/schedule_name": f"{platform}_nightly", "dagster/partition": partition}
        return job.execute_in_process(instance=dagster_instance, tags=tags).run_id

    assert last_nightly_run(database, "test", "bazaar") is None
    ran("bazaar", "2026-01-01")
    ran("stories", "2026-01-03")
    record = dagster_instance.get_run_record_by_id(ran("bazaar", "2026-01-02"))
    assert record is not None
    assert last_nightly_run(database, "test", "bazaar") == {
        "status": "SUCCESS",
        "day": "2026-01-02",
        "at": record.create_timestamp.astimezone(UTC).isoformat(timespec="seconds"),
    }


def test_before_dagster_has_made_its_tables_there_was_no_nightly_run(database: str) -> None:
    assert last_nightly_run(database, "test", "bazaar") is None
