"""The gallery's two tables after a run: each broken state fails the expectation that names it, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from community_pipelines.databases.connections import DatabaseError, connect
from community_pipelines.snapshots.checks import BOUNDS, examine_tables
from community_pipelines.snapshots.options import Options
from community_pipelines.snapshots.project import Project, Scene
from community_pipelines.snapshots.store import Store
from tests.bazaar.gallery import Gallery, make_gallery, migrated
from tests.flows import number

OURS, OTHER, FOREIGN = number(1), number(2), number(3)


# The real judge, and not `new_gallery`, which judges plainly.
@pytest.fixture
def gallery(database: str, tmp_path: Path) -> Gallery:
    """Two templates of ours and one of somebody else, all in order."""
    gallery = make_gallery(migrated(database), tmp_path)
    gallery.add_templates(OURS, OTHER, FOREIGN)
    for template, key, codes in ((OURS, "a", ("x", "é🎬\r\n", "x")), (OTHER, "b", ("x", "y"))):
        gallery.sql(
            "insert into community.template_versions (template_id, project_key, version, content_hash, scenes, bytes) "
            "values (%s, %s, 1, 'hash', %s, 1)",
            (template, key, len(codes)),
        )
        for place, code in enumerate(codes):
            scene = Scene("", None, code, 90)
            gallery.sql(
                "insert into community_template_scenes "
                "(template_id, scene_index, tsx_code, duration, preview_frame, code_hash) "
                "values (%s, %s, %s, %s, %s, %s)",
                (template, place, code, scene.duration, scene.preview_frame(15), scene.code_hash),
            )
    gallery.sql(
        "insert into community_template_scenes (template_id, scene_index, tsx_code, duration, preview_frame, code_hash)"
        " values (%s, 7, '', -1, -1, 'no hash')",
        (FOREIGN,),
    )
    return gallery


def failed(gallery: Gallery) -> list[tuple[str, str, object]]:
    return [(one.column, one.severity, one.observed) for one in examine_tables(gallery.deployment) if not one.success]


def test_tables_in_order_pass_whatever_the_scenes_of_others_are(gallery: Gallery) -> None:
    found = examine_tables(gallery.deployment)
    assert [one for one in found if not one.success] == []
    assert [one.expectation for one in found] == [bound.description for bound in BOUNDS]


def test_empty_tables_pass(database: str, tmp_path: Path) -> None:
    assert failed(make_gallery(migrated(database), tmp_path)) == []


SCENE = f"where template_id = '{OURS}' and scene_index = 1"


@pytest.mark.parametrize(
    ("broken", "column", "observed"),
    [
        (f"update community_template_scenes set scene_index = 5 {SCENE}", "broken_order", 1),
        (f"update community_template_scenes set scene_index = -1 {SCENE}", "broken_order", 1),
        (
            f"update community_template_scenes set scene_index = scene_index + 10 where template_id = '{OTHER}'",
            "broken_order",
            1,
        ),
        (f"update community_template_scenes set tsx_code = tsx_code || ' ' {SCENE}", "wrong_hashes", 1),
        (f"update community_template_scenes set code_hash = null {SCENE}", "wrong_hashes", 1),
        (f"update community_template_scenes set code_hash = upper(code_hash) {SCENE}", "wrong_hashes", 1),
        (f"update community_template_scenes set duration = 0 {SCENE}", "durations", 1),
        (f"update community_template_scenes set duration = -3 {SCENE}", "durations", 1),
        (f"update community_template_scenes set preview_frame = null {SCENE}", "previews", 1),
        (f"update community_template_scenes set preview_frame = -1 {SCENE}", "previews", 1),
        (f"update community_template_scenes set preview_frame = 90 {SCENE}", "previews", 1),
        (f"delete from community_template_scenes where template_id = '{OURS}'", "without_scenes", 1),
        ("update community_templates set status = 'deleted' where slug like '%3'", "statuses", 1),
        ("update community_templates set status = null", "statuses", 3),
        ("update community_templates set visibility = 'private' where slug like '%3'", "visibilities", 1),
        ("update community_templates set visibility = null", "visibilities", 3),
    ],
)
def test_each_error_is_found_and_nothing_else(gallery: Gallery, broken: str, column: str, observed: int) -> None:
    gallery.sql(broken)
    assert failed(gallery) == [(column, "error", observed)]


@pytest.mark.parametrize(
    ("broken", "column"),
    [
        (f"delete from community_template_scenes where template_id = '{FOREIGN}'", "others_without_scenes"),
        ("update community_templates set title = '' where slug like '%3'", "empty_titles"),
        ("update community_templates set title = '  ' where slug like '%3'", "empty_titles"),
        (
            "update community_templates set tags = (select jsonb_agg(n) from generate_series(1, 21) as n) "
            "where slug like '%3'",
            "many_tags",
        ),
    ],
)
def test_each_warning_is_found_and_nothing_else(gallery: Gallery, broken: str, column: str) -> None:
    gallery.sql(broken)
    assert failed(gallery) == [(column, "warning", 1)]


def test_the_same_content_twice_within_a_project_is_found_by_the_code_itself(gallery: Gallery) -> None:
    copy = number(4)
    gallery.add_templates(copy)
    gallery.sql(
        "insert into community_template_scenes (template_id, scene_index, tsx_code, duration, preview_frame, code_hash)"
        " select %s, scene_index, tsx_code, duration, preview_frame, code_hash from community_template_scenes"
        " where template_id = %s",
        (copy, OURS),
    )
    gallery.sql(
        "insert into community.template_versions (template_id, project_key, version, content_hash, scenes, bytes) "
        "values (%s, 'b', 2, 'another', 3, 1)",
        (copy,),
    )
    assert failed(gallery) == []
    gallery.sql("update community.template_versions set project_key = 'a' where template_id = %s", (copy,))
    assert failed(gallery) == [("published_twice", "error", 1)]
    gallery.sql(
        "update community_template_scenes set duration = 91 where template_id = %s and scene_index = 0", (copy,)
    )
    assert failed(gallery) == []


def test_twenty_tags_and_what_is_no_list_of_them_pass(gallery: Gallery) -> None:
    for tags in ("(select jsonb_agg(n) from generate_series(1, 20) as n)", "'{}'", "'\"tag\"'", "'null'", "null"):
        gallery.sql(f"update community_templates set tags = {tags}")
        assert failed(gallery) == []


def test_a_template_of_ours_that_the_app_deleted_is_nobodys_fault(gallery: Gallery) -> None:
    gallery.delete_templates(OURS)
    assert failed(gallery) == []


def test_tables_and_columns_are_found_under_their_names_in_the_database(gallery: Gallery, tmp_path: Path) -> None:
    gallery.sql('alter table community_template_scenes rename to "bazaar-vid_template-scene"')
    gallery.sql('alter table "bazaar-vid_template-scene" rename code_hash to "codeHash"')
    gallery.sql('alter table "bazaar-vid_template-scene" rename template_id to "templateId"')
    gallery.sql("alter table community_templates rename to gallery_template")
    gallery.sql('alter table gallery_template rename id to "templateId"')
    mapped = make_gallery(
        gallery.url,
        tmp_path,
        bazaar={
            "tables": {
                "community_templates": "public.gallery_template",
                "community_template_scenes": "public.bazaar-vid_template-scene",
            },
            "columns": {
                "community_templates": {"id": "templateId"},
                "community_template_scenes": {"code_hash": "codeHash", "template_id": "templateId"},
            },
        },
    )
    assert failed(mapped) == []
    gallery.sql('delete from "bazaar-vid_template-scene" where "templateId" = %s', (OURS,))
    assert failed(mapped) == [("without_scenes", "error", 1)]


def test_a_database_without_our_tables_says_what_to_do(database: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="community migrate"):
        examine_tables(make_gallery(database, tmp_path).deployment)


def test_what_is_published_by_the_store_passes(database: str, tmp_path: Path) -> None:
    gallery = make_gallery(migrated(database), tmp_path)
    scenes = tuple(Scene(f"s{n}", None, f"code {n}\r\n", n + 1) for n in range(3))
    project = Project("export:-:Launch", None, None, "Launch", scenes)
    place = gallery.deployment
    with connect(place.publish_url, place.publish_setting) as connection:
        Store.of(connection, place).publish(connection, project, Options(), 10, (), "run")
    assert gallery.sql("select count(*) from community_template_scenes") == [(3,)]
    assert failed(gallery) == []
