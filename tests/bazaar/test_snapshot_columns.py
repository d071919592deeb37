"""What a frozen scene and its template carry beside the code: where it comes from, its preview, its description."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from community_pipelines.databases.inspect import SourceError
from community_pipelines.orchestration.definitions import build_definitions
from community_pipelines.orchestration.launch import launch_job
from community_pipelines.orchestration.template_snapshots import run_config
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.snapshots import source
from community_pipelines.snapshots.checks import examine_tables
from community_pipelines.snapshots.options import Options
from tests.bazaar.gallery import Gallery, make_gallery
from tests.bazaar.test_snapshot_ingest import add_project, add_scene, change, everything, publish, statuses, tsx
from tests.community import community
from tests.flows import number
from tests.test_mapped_names import MAPPED_FOR_SNAPSHOTS, RENAMED_FOR_SNAPSHOTS

FIRST, SECOND = str(number(1)), str(number(2))
ADD_COLUMN = "alter table community_template_scenes add column source_scene_id uuid"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery], monkeypatch: pytest.MonkeyPatch) -> Gallery:
    gallery = new_gallery()
    gallery.add_users("ann", "bob")
    add_project(gallery, FIRST, tsx("a"), tsx("b"), tsx("c"))
    monkeypatch.setenv("COMMUNITY_HOME", str(gallery.settings.home))
    monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", gallery.url)
    return gallery


def sources(gallery: Gallery) -> list[tuple[Any, ...]]:
    """Of every frozen scene, what it was copied from: the code of that scene in its project."""
    return gallery.sql(
        """
        select frozen.tsx_code, scene."tsxCode"
        from community_template_scenes as frozen
        left join "bazaar-vid_scene" as scene on scene.id = frozen.source_scene_id
        order by frozen.created_at, frozen.scene_index
        """
    )


def previews(gallery: Gallery) -> list[int]:
    rows = gallery.sql("select preview_frame from community_template_scenes order by template_id, scene_index")
    return [row[0] for row in rows]


def by_command(gallery: Gallery, _: dg.DagsterInstance) -> None:
    result = community("ingest", "--project", FIRST, "--scene", 3, "--scene", 1)
    assert result.exit_code == 0, result.output


def by_job(gallery: Gallery, instance: dg.DagsterInstance) -> None:
    config = run_config(BAZAAR, projects=[FIRST], scenes=[3, 1])
    result = launch_job(build_definitions(gallery.settings), instance, "ingest_template_snapshots", config)
    assert result.success, result.message


@pytest.mark.parametrize("make", [by_command, by_job])
def test_each_scene_names_the_scene_of_the_app_that_it_was_copied_from(
    gallery: Gallery, dagster_instance: dg.DagsterInstance, make: Callable[[Gallery, dg.DagsterInstance], None]
) -> None:
    gallery.sql(ADD_COLUMN)
    make(gallery, dagster_instance)
    assert sources(gallery) == [(tsx("c"), tsx("c")), (tsx("a"), tsx("a"))]
    assert gallery.sql("select description from community_templates") == [(None,)]
    before = everything(gallery)
    make(gallery, dagster_instance)
    assert everything(gallery) == before


@pytest.mark.parametrize("make", [by_command, by_job])
def test_a_column_that_the_app_adds_later_makes_no_new_version_and_changes_no_old_scene(
    gallery: Gallery, dagster_instance: dg.DagsterInstance, make: Callable[[Gallery, dg.DagsterInstance], None]
) -> None:
    make(gallery, dagster_instance)
    gallery.sql(ADD_COLUMN)
    before = everything(gallery)
    make(gallery, dagster_instance)
    assert everything(gallery) == before
    change(gallery, FIRST, tsx("new"))
    make(gallery, dagster_instance)
    assert sources(gallery) == [(tsx("c"), None), (tsx("a"), None), (tsx("new"), tsx("new")), (tsx("new"), tsx("new"))]
    gallery.sql("alter table community_template_scenes drop column source_scene_id")
    before = everything(gallery)
    make(gallery, dagster_instance)
    assert everything(gallery) == before


def test_copies_of_a_scene_in_a_project_are_the_same_content_whichever_row_they_come_from(gallery: Gallery) -> None:
    gallery.sql(ADD_COLUMN)
    publish(gallery, FIRST)
    gallery.sql('update "bazaar-vid_scene" set id = gen_random_uuid()')
    before = everything(gallery)
    assert statuses(publish(gallery, FIRST)) == ["unchanged"]
    assert everything(gallery) == before


def test_a_template_that_was_deleted_and_comes_back_carries_them_too(gallery: Gallery) -> None:
    publish(gallery, FIRST)
    gallery.sql("delete from community_templates")
    gallery.sql(ADD_COLUMN)
    publish(gallery, FIRST, options=Options(after_moderation=True))
    assert sources(gallery) == [(tsx(text), tsx(text)) for text in "abc"]


def test_a_mapped_column_is_written_where_it_is_and_left_out_where_it_is_not(gallery: Gallery, tmp_path: Path) -> None:
    gallery.sql(RENAMED_FOR_SNAPSHOTS)
    bazaar: dict[str, Any] = copy.deepcopy(MAPPED_FOR_SNAPSHOTS)
    bazaar["columns"]["community_template_scenes"]["source_scene_id"] = "sourceSceneId"
    mapped = make_gallery(gallery.url, tmp_path, bazaar=bazaar)
    assert statuses(publish(mapped, FIRST)) == ["created"]
    gallery.sql('alter table "bazaar-vid_community_template_scene" add column "sourceSceneId" uuid')
    gallery.sql("update scenes set code = %s", (tsx("d"),))
    assert statuses(publish(mapped, FIRST)) == ["created"]
    rows = gallery.sql('select "sourceSceneId" is null, count(*) from "bazaar-vid_community_template_scene" group by 1')
    assert sorted(rows) == [(False, 3), (True, 3)]
    assert [one for one in examine_tables(mapped.deployment) if not one.success] == []


def test_a_column_of_that_name_that_holds_something_else_stops_the_run_before_anything_is_written(
    gallery: Gallery,
) -> None:
    gallery.sql("alter table community_template_scenes add column source_scene_id text")
    with pytest.raises(SourceError, match=r'"source_scene_id" of .* is text, uuid is expected'):
        publish(gallery, FIRST)
    assert everything(gallery) == [[], [], []]


def test_a_scene_of_an_export_was_copied_from_a_file_and_names_none_of_the_app(
    gallery: Gallery, tmp_path: Path
) -> None:
    gallery.sql(ADD_COLUMN)
    ((scene,),) = gallery.sql('select id::text from "bazaar-vid_scene" where "order" = 0')
    file = tmp_path / "export.json"
    exported = {"id": scene, "tsxCode": tsx("x"), "duration": 90}
    file.write_text(json.dumps({"project": {"id": FIRST, "title": "Export"}, "scenes": [exported]}))
    folder = tmp_path / "product-launch"
    folder.mkdir()
    (folder / "1.tsx").write_text(tsx("y"))
    for path in (file, folder):
        result = community("ingest", path, "--owner", "ann")
        assert result.exit_code == 0, result.output
    assert sources(gallery) == [(tsx("x"), None), (tsx("y"), None)]
    before = everything(gallery)
    assert "1 unchanged" in community("ingest", file, "--owner", "ann").output
    assert everything(gallery) == before


def test_a_scene_that_is_deleted_while_it_is_copied_rejects_its_template(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.sql(ADD_COLUMN + ' references "bazaar-vid_scene" (id)')
    reading = source.projects

    def deleting(*given: Any) -> Any:
        found = reading(*given)
        gallery.sql('delete from "bazaar-vid_scene" where "order" = 1')
        return found

    monkeypatch.setattr(source, "projects", deleting)
    (outcome,) = publish(gallery, FIRST)
    assert [(one.rule, "a scene of it was deleted meanwhile" in one.message) for one in outcome.findings] == [
        ("source-gone", True)
    ]
    assert everything(gallery) == [[], [], []]


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ("set default 24", [24, 23, 9, 0]),
        ("set default 0", [0, 0, 0, 0]),
        ("set default (20 + 4)", [24, 23, 9, 0]),
        ("set default -1", [0, 0, 0, 0]),
        ("drop default", [15, 15, 9, 0]),
    ],
)
def test_the_preview_is_the_default_of_the_apps_column_or_the_last_frame_of_a_scene_that_ends_before_it(
    gallery: Gallery, default: str, expected: list[int]
) -> None:
    gallery.sql(f"alter table community_template_scenes alter preview_frame {default}")
    gallery.sql('insert into "bazaar-vid_project" (id, "userId", title) values (%s, %s, %s)', (SECOND, "ann", "Short"))
    for place, duration in enumerate((25, 24, 10, 1)):
        add_scene(gallery, SECOND, place, tsx(str(place)), duration)
    assert statuses(publish(gallery, SECOND)) == ["created"]
    assert previews(gallery) == expected
    assert [one for one in examine_tables(gallery.deployment) if not one.success] == []


def test_the_default_is_asked_again_in_each_run(gallery: Gallery) -> None:
    publish(gallery, FIRST)
    gallery.sql("alter table community_template_scenes alter preview_frame set default 30")
    change(gallery, FIRST, tsx("d"))
    publish(gallery, FIRST)
    assert sorted(previews(gallery)) == [15, 15, 15, 30, 30, 30]


@pytest.mark.parametrize("text", [None, "", " \n\t ", "&nbsp;", "<b> </b>"])
def test_a_template_without_a_description_has_none(gallery: Gallery, tmp_path: Path, text: str | None) -> None:
    exported = {"project": {"title": "Export", "description": text}, "scenes": [{"tsxCode": tsx("x"), "duration": 9}]}
    (tmp_path / "export.json").write_text(json.dumps(exported))
    wish = () if text is None else ("--description", text)
    for arguments in ((tmp_path / "export.json",), ("--project", FIRST, *wish)):
        result = community("ingest", *arguments)
        assert result.exit_code == 0, result.output
    assert gallery.sql("select title, description from community_templates order by title") == [
        ("Export", None),
        ("Launch day", None),
    ]
