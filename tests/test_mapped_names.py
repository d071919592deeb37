"""A gallery whose tables and columns have other names, as production's have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from community_pipelines.databases.inspect import SourceError
from community_pipelines.snapshots.checks import examine_tables
from community_pipelines.snapshots.options import Options
from tests.bazaar.gallery import Gallery, make_gallery
from tests.bazaar.test_snapshot_ingest import add_project, publish, statuses, tsx
from tests.flows import at, day, number

FIRST, SECOND = number(1), number(2)
ASSET = "counters/community_templates"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_users("ann", "bob")
    gallery.add_templates(FIRST, SECOND)
    return gallery


MAPPED = {
    "tables": {
        "community_templates": "public.bazaar-vid_community_template",
        "community_events": "public.bazaar-vid_community_event",
        "community_favorites": "public.bazaar-vid_community_favorite",
        "community_metrics_daily": "public.bazaar-vid_community_metric_daily",
    },
    "columns": {
        "community_templates": {
            "views_count": "viewsCount",
            "favorites_count": "favoritesCount",
            "uses_count": "usesCount",
        },
        "community_favorites": {"user_id": "userId", "template_id": "templateId"},
        "community_metrics_daily": {"template_id": "templateId", "event_type": "eventType"},
        "community_events": {
            "template_id": "templateId",
            "user_id": "userId",
            "event_type": "eventType",
            "project_id": "projectId",
            "scene_count": "sceneCount",
            "user_agent": "userAgent",
            "created_at": "createdAt",
        },
    },
}


RENAMED = """
alter table community_templates rename to "bazaar-vid_community_template";
alter table "bazaar-vid_community_template" rename views_count to "viewsCount";
alter table "bazaar-vid_community_template" rename favorites_count to "favoritesCount";
alter table "bazaar-vid_community_template" rename uses_count to "usesCount";
alter table community_favorites rename to "bazaar-vid_community_favorite";
alter table "bazaar-vid_community_favorite" rename user_id to "userId";
alter table "bazaar-vid_community_favorite" rename template_id to "templateId";
alter table community_metrics_daily rename to "bazaar-vid_community_metric_daily";
alter table "bazaar-vid_community_metric_daily" rename template_id to "templateId";
alter table "bazaar-vid_community_metric_daily" rename event_type to "eventType";
alter table community_events rename to "bazaar-vid_community_event";
alter table "bazaar-vid_community_event" rename template_id to "templateId";
alter table "bazaar-vid_community_event" rename user_id to "userId";
alter table "bazaar-vid_community_event" rename event_type to "eventType";
alter table "bazaar-vid_community_event" rename project_id to "projectId";
alter table "bazaar-vid_community_event" rename scene_count to "sceneCount";
alter table "bazaar-vid_community_event" rename user_agent to "userAgent";
alter table "bazaar-vid_community_event" rename created_at to "createdAt";
"""


def test_a_gallery_with_other_names_needs_only_configuration(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add_views(FIRST, at(0), 4)
    gallery.add_event(FIRST, "favorite", at(0), "ann")
    gallery.add_event(SECOND, "use", at(1), "bob")
    gallery.sql(RENAMED)
    with pytest.raises(SourceError, match=r'table "public"."community_events" is missing; set \[bazaar.tables\]'):
        gallery.run(0, 1)
    mapped = make_gallery(gallery.url, tmp_path, bazaar=MAPPED)
    results = mapped.run(0, 1)
    assert all(result.accepted for result in results.values())
    assert "favorites_agree" in results[ASSET, day(0)].metadata
    counters = gallery.sql(
        'select "viewsCount", "favoritesCount", "usesCount" from "bazaar-vid_community_template" order by id'
    )
    assert counters == [(4, 1, 0), (0, 0, 1)]
    metrics = gallery.sql('select day, "eventType", count from "bazaar-vid_community_metric_daily" order by 1, 2')
    assert metrics == [(day(0), "favorite", 1), (day(0), "view", 4), (day(1), "use", 1)]
    gallery.sql(
        'insert into "bazaar-vid_community_event" ("templateId", "eventType", "createdAt") values (%s, %s, %s)',
        (SECOND, "view", at(0)),
    )
    assert mapped.settle(1) != []
    newest = "select entity_id, counter, applied from community.counter_corrections order by id desc limit 1"
    assert mapped.sql(newest) == [(str(SECOND), "views_count", 1)]
    gallery.sql(
        'insert into "bazaar-vid_community_favorite" ("userId", "templateId") values (%s, %s), (%s, %s)',
        ("ann", SECOND, "bob", SECOND),
    )
    by_rows = make_gallery(gallery.url, tmp_path, bazaar={**MAPPED, "favorites": "rows"})
    assert by_rows.run(1)[ASSET, day(1)].accepted
    favorites = 'select "favoritesCount" from "bazaar-vid_community_template" order by id'
    assert gallery.sql(favorites) == [(0,), (2,)]


RENAMED_FOR_SNAPSHOTS = """
alter table "bazaar-vid_user" rename to people;
alter table people rename id to "personId";
alter table "bazaar-vid_project" rename to projects;
alter table projects rename "userId" to owner;
alter table "bazaar-vid_scene" rename to scenes;
alter table scenes rename "order" to place;
alter table scenes rename "tsxCode" to code;
alter table community_templates rename to "bazaar-vid_community_template";
alter table "bazaar-vid_community_template" rename owner_user_id to "ownerUserId";
alter table "bazaar-vid_community_template" rename status to state;
alter table community_template_scenes rename to "bazaar-vid_community_template_scene";
alter table "bazaar-vid_community_template_scene" rename tsx_code to "tsxCode";
"""
MAPPED_FOR_SNAPSHOTS = {
    "tables": {
        "users": "public.people",
        "projects": "public.projects",
        "scenes": "public.scenes",
        "community_templates": "public.bazaar-vid_community_template",
        "community_template_scenes": "public.bazaar-vid_community_template_scene",
    },
    "columns": {
        "users": {"id": "personId"},
        "projects": {"userId": "owner"},
        "scenes": {"order": "place", "tsxCode": "code"},
        "community_templates": {"owner_user_id": "ownerUserId", "status": "state"},
        "community_template_scenes": {"tsx_code": "tsxCode"},
    },
}


def test_templates_are_made_where_every_table_has_another_name(gallery: Gallery, tmp_path: Path) -> None:
    key = str(number(9))
    add_project(gallery, key, tsx("a"), tsx("b"))
    gallery.sql(RENAMED_FOR_SNAPSHOTS)
    with pytest.raises(SourceError, match=r"is missing; set \[bazaar.tables\]"):
        publish(gallery, key)
    mapped = make_gallery(gallery.url, tmp_path, bazaar=MAPPED_FOR_SNAPSHOTS)
    assert statuses(publish(mapped, key)) == ["created"]
    gallery.sql("update scenes set code = %s where place = 1", (tsx("c"),))
    assert statuses(publish(mapped, key, options=Options(supersede=True))) == ["created"]
    rows = gallery.sql('select slug, "ownerUserId", state from "bazaar-vid_community_template" order by slug')
    assert rows[-2:] == [("launch-day", "ann", "disabled"), ("launch-day-v2", "ann", "active")]
    codes = 'select distinct "tsxCode" from "bazaar-vid_community_template_scene" order by 1'
    assert gallery.sql(codes) == [(tsx("a"),), (tsx("b"),), (tsx("c"),)]
    assert [one for one in examine_tables(mapped.deployment) if not one.success and one.severity == "error"] == []
