"""The job `ingest_template_snapshots` on a real Dagster instance, and the command that does the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from community_pipelines.orchestration.definitions import build_definitions
from community_pipelines.orchestration.launch import LaunchResult, launch_job
from community_pipelines.orchestration.template_snapshots import run_config
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.bazaar.gallery import Gallery
from tests.bazaar.test_snapshot_ingest import add_project, templates, tsx
from tests.community import community
from tests.flows import number

# As Dagster stores them.
JOB = "ingest_template_snapshots"
TEMPLATES = dg.AssetKey(["bazaar", "snapshots", "community_templates"])
FIRST, SECOND = str(number(1)), str(number(2))


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery], monkeypatch: pytest.MonkeyPatch) -> Gallery:
    gallery = new_gallery()
    gallery.add_users("ann", "bob")
    add_project(gallery, FIRST, tsx("a"), tsx("b"), title="Good one")
    add_project(gallery, SECOND, "eval('1');\n" + tsx("c"), title="Bad one")
    monkeypatch.setenv("COMMUNITY_HOME", str(gallery.settings.home))
    monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", gallery.url)
    return gallery


def launch(gallery: Gallery, instance: dg.DagsterInstance, **config: Any) -> LaunchResult:
    return launch_job(build_definitions(gallery.settings), instance, JOB, run_config(BAZAAR, **config))


def events(instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
    found = instance.get_records_for_run(run_id, of_type=kind).records
    return [record.event_log_entry.get_dagster_event() for record in found]


def test_each_new_template_is_a_materialization_and_a_rejected_project_fails_the_run(
    gallery: Gallery, dagster_instance: dg.DagsterInstance
) -> None:
    result = launch(gallery, dagster_instance, projects=[FIRST, SECOND])
    assert not result.success
    assert result.message is not None
    assert result.message.startswith("1 rejected, 1 created, 0 unchanged:\nBad one: scene 1 (Scene 0):1:1 eval: ")
    (event,) = events(dagster_instance, result.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
    shown = {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}
    (row,) = gallery.sql("select template_id::text, content_hash, bytes from community.template_versions")
    assert (shown["template"], shown["content hash"], shown["bytes"]) == row
    hashes = [row[0] for row in gallery.sql("select code_hash from community_template_scenes order by scene_index")]
    assert (shown["slug"], shown["scenes"], shown["code hashes"]) == ("good-one", 2, hashes)
    (observed,) = events(dagster_instance, result.run_id, dg.DagsterEventType.ASSET_OBSERVATION)
    assert observed.asset_key == TEMPLATES
    checks = events(dagster_instance, result.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    assert {one.asset_check_evaluation_data.check_name: one.asset_check_evaluation_data.passed for one in checks} == {
        "audit": True,
        "watch": True,
    }


def test_a_second_run_succeeds_and_says_that_nothing_is_new(
    gallery: Gallery, dagster_instance: dg.DagsterInstance
) -> None:
    assert launch(gallery, dagster_instance, projects=[FIRST]).success
    again = launch(gallery, dagster_instance, projects=[FIRST])
    assert again.success
    (event,) = events(dagster_instance, again.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
    said = event.step_materialization_data.materialization.description or ""
    assert said.startswith("nothing new: ")
    assert "1 unchanged" in said


def test_a_damaged_copy_fails_the_audit_and_the_run(gallery: Gallery, dagster_instance: dg.DagsterInstance) -> None:
    launch(gallery, dagster_instance, projects=[FIRST])
    gallery.sql("update community_template_scenes set tsx_code = tsx_code || ' ' where scene_index = 1")
    result = launch(gallery, dagster_instance, projects=[FIRST])
    assert not result.success
    checks = events(dagster_instance, result.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    assert {one.asset_check_evaluation_data.check_name: one.asset_check_evaluation_data.passed for one in checks} == {
        "audit": False,
        "watch": True,
    }


def test_a_run_without_a_word_publishes_what_is_flagged_or_nothing(
    gallery: Gallery, dagster_instance: dg.DagsterInstance
) -> None:
    assert launch(gallery, dagster_instance).success
    assert templates(gallery) == []
    gallery.sql("insert into community.publication_requests (project_key) values (%s)", (FIRST,))
    assert launch(gallery, dagster_instance).success
    assert templates(gallery) == [("good-one", "active")]


@pytest.mark.parametrize(
    "config",
    [{"title": "x"}, {"supersede": True}, {"projects": [FIRST], "flagged": True}, {"changed_since": "yesterday"}],
)
def test_a_run_that_does_not_say_which_projects_fails_with_what_to_do(
    gallery: Gallery, dagster_instance: dg.DagsterInstance, config: dict[str, Any]
) -> None:
    result = launch(gallery, dagster_instance, **config)
    assert not result.success
    assert result.message is not None
    assert "give one of projects, changed_since and flagged" in result.message or "like 2026-01-31" in result.message
    assert templates(gallery) == []


def test_the_schedule_asks_for_a_run_only_when_a_project_is_flagged(
    gallery: Gallery, dagster_instance: dg.DagsterInstance
) -> None:
    defs = build_definitions(gallery.settings)
    schedule = defs.resolve_schedule_def("bazaar_flagged_projects")

    def tick() -> Any:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        context = dg.build_schedule_context(dagster_instance, scheduled_execution_time=moment)
        return schedule.evaluate_tick(context)

    assert tick().run_requests == []
    gallery.sql("insert into community.publication_requests (project_key) values (%s)", (FIRST,))
    (request,) = tick().run_requests
    assert launch_job(defs, dagster_instance, JOB, request.run_config).success
    assert templates(gallery) == [("good-one", "active")]
    assert tick().run_requests == []


class TestTheCommand:
    def test_a_dry_run_shows_a_table_and_the_places_of_what_was_found(self, gallery: Gallery) -> None:
        result = community("ingest", "--project", FIRST, "--project", SECOND, "--dry-run")
        assert result.exit_code == 1, result.output
        assert "would be created" in result.output
        assert "scene 1 (Scene 0):1:1 error eval" in result.output
        assert "1 would be created, 0 unchanged, 1 rejected" in result.output
        assert templates(gallery) == []

    def test_for_a_program_it_prints_every_outcome_with_its_findings(self, gallery: Gallery) -> None:
        result = community("ingest", "--project", FIRST, "--project", SECOND, "--json")
        good, bad = json.loads(result.output)
        assert (result.exit_code, good["status"], good["slug"]) == (1, "created", "good-one")
        (finding,) = bad["findings"]
        assert {name: finding[name] for name in ("file", "line", "column", "rule")} == {
            "file": "scene 1 (Scene 0)",
            "line": 1,
            "column": 1,
            "rule": "eval",
        }

    def test_a_folder_of_three_scenes_is_published(self, gallery: Gallery, tmp_path: Path) -> None:
        folder = tmp_path / "product-launch"
        folder.mkdir()
        for number_, text in ((10, "last"), (2, "second"), (1, "first")):
            (folder / f"{number_}-{text}.tsx").write_bytes(tsx(text).encode())
        result = community("ingest", folder, "--owner", "ann", "--tag", "Launch", "--scene", 3, "--scene", 1)
        assert result.exit_code == 0, result.output
        assert gallery.sql("select slug, title, owner_user_id, tags from community_templates") == [
            ("product-launch", "Product launch", "ann", ["launch"])
        ]
        assert gallery.sql("select scene_index, tsx_code from community_template_scenes order by 1") == [
            (0, tsx("last")),
            (1, tsx("first")),
        ]
        again = community("ingest", folder, "--owner", "ann", "--scene", 3, "--scene", 1)
        assert (again.exit_code, "1 unchanged" in again.output) == (0, True)

    @pytest.mark.parametrize("arguments", [(), ("--flagged", "--project", FIRST), ("--flagged", "--title", "x")])
    def test_it_wants_to_know_which_projects(self, gallery: Gallery, arguments: tuple[str, ...]) -> None:
        result = community("ingest", *arguments)
        assert result.exit_code == 2
        assert "Error: " in result.output
