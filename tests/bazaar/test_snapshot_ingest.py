"""Template snapshots: what is copied, what stays as it is, what is refused, and who else may be writing."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from community_pipelines.databases.connections import connect
from community_pipelines.snapshots import ingest as ingesting
from community_pipelines.snapshots import source
from community_pipelines.snapshots.ingest import opened
from community_pipelines.snapshots.options import Options
from community_pipelines.snapshots.outcome import Outcome
from community_pipelines.snapshots.project import Project, Scene
from community_pipelines.snapshots.store import Store
from tests.bazaar.gallery import Gallery
from tests.flows import number

FIRST, SECOND = str(number(1)), str(number(2))
PLAIN = Options()


def tsx(text: str = "hello") -> str:
    return f"export default function Scene() {{\n  return <div>{text}</div>;\n}}\n"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_users("ann", "bob")
    return gallery


def add_project(gallery: Gallery, key: str, *codes: str, owner: str = "ann", title: str = "Launch day") -> None:
    gallery.sql('insert into "bazaar-vid_project" (id, "userId", title) values (%s, %s, %s)', (key, owner, title))
    for place, code in enumerate(codes):
        add_scene(gallery, key, place, code)


def add_scene(gallery: Gallery, key: str, place: int, code: str, duration: int = 90, name: str = "") -> None:
    gallery.sql(
        'insert into "bazaar-vid_scene" ("projectId", "order", name, "tsxCode", duration) values (%s, %s, %s, %s, %s)',
        (key, place, name or f"Scene {place}", code, duration),
    )


def change(gallery: Gallery, key: str, code: str) -> None:
    gallery.sql('update "bazaar-vid_scene" set "tsxCode" = %s where "projectId" = %s', (code, key))


def publish(gallery: Gallery, *keys: str, options: Options = PLAIN, dry_run: bool = False) -> list[Outcome]:
    with opened(gallery.settings, gallery.deployment, "run", dry_run) as run:
        return list(run.projects(keys, options))


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [one.status for one in outcomes]


def rules(outcome: Outcome) -> list[tuple[str, int | None]]:
    return [(one.rule, one.line) for one in outcome.findings]


def templates(gallery: Gallery) -> list[tuple[Any, ...]]:
    return gallery.sql("select slug, status from community_templates order by slug")


def everything(gallery: Gallery) -> list[Any]:
    """All that ingest may write, with the transaction that wrote each row."""
    tables = ("community_templates", "community_template_scenes", "community.template_versions")
    return [gallery.sql(f"select xmin::text, * from {table} order by 2") for table in tables]


def test_a_project_becomes_a_template_with_its_scenes_byte_for_byte_in_their_order(gallery: Gallery) -> None:
    codes = [tsx("one").replace("\n", "\r\n"), "\ufeff" + tsx("two 🎬"), tsx("x" * 100_000)]
    gallery.sql('insert into "bazaar-vid_project" (id, "userId", title) values (%s, %s, %s)', (FIRST, "ann", "Launch"))
    for place, (code, duration) in reversed(list(enumerate(zip(codes, (90, 10, 1), strict=True)))):
        add_scene(gallery, FIRST, place * 10, code, duration, f"S{place}")
    (outcome,) = publish(gallery, FIRST)
    hashes = [hashlib.sha256(code.encode()).hexdigest() for code in codes]
    assert (outcome.status, outcome.slug, outcome.scenes, outcome.code_hashes) == (
        "created",
        "launch",
        3,
        tuple(hashes),
    )
    rows = gallery.sql(
        "select scene_index, title, tsx_code, duration, preview_frame, code_hash "
        "from community_template_scenes where template_id = %s order by scene_index",
        (outcome.template_id,),
    )
    assert rows == [
        (0, "S0", codes[0], 90, 15, hashes[0]),
        (1, "S1", codes[1], 10, 9, hashes[1]),
        (2, "S2", codes[2], 1, 0, hashes[2]),
    ]
    assert gallery.sql(
        "select title, owner_user_id, source_project_id::text, visibility, status, supported_formats "
        "from community_templates"
    ) == [("Launch", "ann", FIRST, "public", "active", ["landscape", "portrait", "square"])]


def test_the_same_project_again_writes_nothing(gallery: Gallery) -> None:
    add_project(gallery, FIRST, tsx("a"), tsx("b"))
    (first,) = publish(gallery, FIRST)
    before = everything(gallery)
    (again,) = publish(gallery, FIRST.upper())
    assert (again.status, again.template_id, again.slug) == ("unchanged", first.template_id, first.slug)
    assert everything(gallery) == before


@pytest.mark.parametrize(
    "change_made",
    [
        """update "bazaar-vid_scene" set "tsxCode" = "tsxCode" || ' ' where "order" = 0""",
        'update "bazaar-vid_scene" set duration = duration + 1 where "order" = 1',
        'update "bazaar-vid_scene" set "order" = 1 - "order"',
        'delete from "bazaar-vid_scene" where "order" = 1',
    ],
)
def test_a_change_of_code_duration_order_or_number_makes_a_new_version_beside_the_old_one(
    gallery: Gallery, change_made: str
) -> None:
    add_project(gallery, FIRST, tsx("a"), tsx("b"))
    (first,) = publish(gallery, FIRST)
    scenes = gallery.sql("select xmin::text, * from community_template_scenes where template_id = %s order by id",
                         (first.template_id,))  # fmt: skip
    gallery.sql(change_made)
    (second,) = publish(gallery, FIRST)
    assert (second.status, second.version, second.slug) == ("created", 2, "launch-day-v2")
    assert templates(gallery) == [("launch-day", "active"), ("launch-day-v2", "active")]
    assert scenes == gallery.sql(
        "select xmin::text, * from community_template_scenes where template_id = %s order by id", (first.template_id,)
    )


def test_superseding_disables_the_older_versions_and_a_return_to_one_enables_it_again(gallery: Gallery) -> None:
    add_project(gallery, FIRST, tsx("a"))
    publish(gallery, FIRST)
    change(gallery, FIRST, tsx("b"))
    publish(gallery, FIRST, options=Options(supersede=True))
    assert templates(gallery) == [("launch-day", "disabled"), ("launch-day-v2", "active")]
    reasons = "select version, disabled_reason from community.template_versions order by version"
    assert gallery.sql(reasons) == [(1, "superseded"), (2, None)]
    change(gallery, FIRST, tsx("a"))
    (again,) = publish(gallery, FIRST, options=Options(supersede=True))
    assert (again.status, again.note) == ("unchanged", "enabled again")
    assert templates(gallery) == [("launch-day", "active"), ("launch-day-v2", "disabled")]
    assert gallery.sql(reasons) == [(1, None), (2, "superseded")]


@pytest.mark.parametrize(
    "done", ["update community_templates set status = 'disabled'", "delete from community_templates"]
)
def test_what_a_moderator_hid_or_deleted_comes_back_only_when_a_person_says_so(gallery: Gallery, done: str) -> None:
    add_project(gallery, FIRST, tsx("a"))
    publish(gallery, FIRST)
    gallery.sql(done)
    hidden = templates(gallery)
    (same,) = publish(gallery, FIRST)
    assert (same.status, same.note) == ("unchanged", "its template was hidden or deleted by a moderator")
    assert gallery.sql("select disabled_reason from community.template_versions") == [("moderated",)]
    change(gallery, FIRST, tsx("b"))
    (changed,) = publish(gallery, FIRST, options=Options(supersede=True))
    assert (changed.status, rules(changed)) == ("rejected", [("moderated", None)])
    assert templates(gallery) == hidden
    (allowed,) = publish(gallery, FIRST, options=Options(after_moderation=True))
    assert (allowed.status, allowed.version) == ("created", 2)
    change(gallery, FIRST, tsx("a"))
    (first,) = publish(gallery, FIRST, options=Options(after_moderation=True))
    assert (first.status, first.note) == ("unchanged", "enabled again")
    assert templates(gallery) == [("launch-day", "active"), ("launch-day-v2", "active")]
    assert gallery.sql("select count(*) from community_template_scenes") == [(2,)]


def test_a_bad_scene_rejects_its_template_and_not_its_neighbours(gallery: Gallery) -> None:
    add_project(gallery, FIRST, tsx("a"), "const x = 1;\n" + tsx("b") + "eval('1');\n")
    add_project(gallery, SECOND, tsx("c"))
    bad, good = publish(gallery, FIRST, SECOND)
    assert (bad.status, rules(bad)) == ("rejected", [("eval", 5)])
    assert bad.findings[0].file == "scene 2 (Scene 1)"
    assert good.status == "created"
    assert gallery.sql("select count(*) from community_template_scenes") == [(1,)]


def test_what_cannot_be_published_is_named_and_nothing_is_written(gallery: Gallery) -> None:
    add_project(gallery, FIRST, owner="ann")
    add_project(gallery, SECOND, tsx(), title="<b></b>")
    add_project(gallery, str(number(3)), owner="bob")
    add_scene(gallery, str(number(3)), 0, tsx(), duration=0)
    outcomes = publish(gallery, FIRST, SECOND, str(number(3)), str(number(4)), "not-an-id")
    assert statuses(outcomes) == ["rejected"] * 5
    assert [rules(one)[0][0] for one in outcomes] == [
        "no-scenes", "no-title", "duration", "project-missing", "project-missing",
    ]  # fmt: skip
    assert everything(gallery) == [[], [], []]


def test_a_project_whose_owner_has_no_account_is_rejected(gallery: Gallery) -> None:
    gallery.sql('alter table "bazaar-vid_project" drop constraint "bazaar-vid_project_userId_fkey"')
    add_project(gallery, FIRST, tsx(), owner="gone")
    (outcome,) = publish(gallery, FIRST)
    assert rules(outcome) == [("owner-missing", None)]
    assert "'gone'" in outcome.findings[0].message
    assert everything(gallery) == [[], [], []]


@pytest.mark.parametrize(
    ("limit", "value", "rule"),
    [
        ("scenes_per_template", 1, "too-many-scenes"),
        ("bytes_per_scene", 40, "scene-too-large"),
        ("bytes_per_template", 100, "template-too-large"),
    ],
)
def test_limits_are_configuration(
    gallery: Gallery, new_gallery: Callable[..., Gallery], limit: str, value: int, rule: str
) -> None:
    add_project(gallery, FIRST, tsx("a"), tsx("b"))
    (outcome,) = publish(new_gallery(snapshots={limit: value}), FIRST)
    assert {one for one, _ in rules(outcome)} == {rule}
    assert publish(gallery, FIRST)[0].status == "created"


def test_a_scene_that_takes_too_long_to_look_through_is_an_error_of_its_project_alone(
    gallery: Gallery, new_gallery: Callable[..., Gallery]
) -> None:
    add_project(gallery, FIRST, tsx("a"), tsx("b") + "window.innerWidth;" * 10_000)
    add_project(gallery, SECOND, tsx("c"))
    # A large scene takes far more than this, and a small one far less.
    slow, quick = publish(new_gallery(snapshots={"seconds_per_scene": 0.03}), FIRST, SECOND)
    assert (slow.status, rules(slow)) == ("rejected", [("too-slow", None)])
    assert slow.findings[0].file == "scene 2 (Scene 1)"
    assert quick.status == "created"
    assert publish(gallery, FIRST)[0].status == "created"


def test_templates_of_one_owner_and_day_are_limited(gallery: Gallery, new_gallery: Callable[..., Gallery]) -> None:
    keys = [str(number(n)) for n in range(1, 5)]
    for key in keys[:3]:
        add_project(gallery, key, tsx(key))
    add_project(gallery, keys[3], tsx("other"), owner="bob")
    strict = new_gallery(snapshots={"templates_per_owner_and_day": 2})
    outcomes = publish(strict, *keys)
    assert statuses(outcomes) == ["created", "created", "rejected", "created"]
    assert rules(outcomes[2]) == [("owner-limit", None)]
    gallery.sql("update community.template_versions set created_at = created_at - interval '1 day'")
    assert statuses(publish(strict, keys[2])) == ["created"]


def test_a_dry_run_writes_nothing_and_says_what_the_run_will_do(gallery: Gallery) -> None:
    add_project(gallery, FIRST, tsx("a"))
    add_project(gallery, SECOND, "const x = ;")
    planned = publish(gallery, FIRST, SECOND, dry_run=True)
    assert everything(gallery) == [[], [], []]
    assert publish(gallery, FIRST, SECOND) == planned


def test_wishes_take_the_place_of_what_the_project_says(gallery: Gallery) -> None:
    add_project(gallery, FIRST, tsx("a"), tsx("b"), tsx("c"))
    wishes = Options(
        title="<b>Big</b> News", description="<script>x</script>a < b", tags=(" One ", "one", "TWO"), category="Ads",
        formats=("square",), visibility="unlisted", scenes=(3, 1),
    )  # fmt: skip
    (outcome,) = publish(gallery, FIRST, options=wishes)
    assert (outcome.status, outcome.slug, outcome.scenes) == ("created", "big-news", 2)
    assert gallery.sql(
        "select title, description, tags, category, supported_formats, visibility from community_templates"
    ) == [("Big News", "a < b", ["one", "two"], "Ads", ["square"], "unlisted")]
    assert gallery.sql("select tsx_code from community_template_scenes order by scene_index") == [
        (tsx("c"),),
        (tsx("a"),),
    ]


@pytest.mark.parametrize(
    ("wishes", "rule"),
    [
        (Options(formats=("round",)), "format"),
        (Options(visibility="secret"), "visibility"),
        (Options(scenes=(2,)), "scene-choice"),
        (Options(scenes=(1, 2)), "scene-choice"),
        (Options(scenes=(1, 1)), "scene-choice"),
    ],
)
def test_a_wish_that_cannot_be_met_rejects_the_template(gallery: Gallery, wishes: Options, rule: str) -> None:
    add_project(gallery, FIRST, tsx("a"))
    (outcome,) = publish(gallery, FIRST, options=wishes)
    assert (outcome.status, [one for one, _ in rules(outcome)]) == ("rejected", [rule])


def test_a_template_is_there_with_all_its_scenes_or_not_at_all(gallery: Gallery) -> None:
    add_project(gallery, FIRST, tsx("a"), tsx("b"))
    gallery.sql("alter table community_template_scenes add check (scene_index < 1)")
    with pytest.raises(psycopg.errors.CheckViolation):
        publish(gallery, FIRST)
    assert everything(gallery) == [[], [], []]
    gallery.sql("alter table community_template_scenes drop constraint community_template_scenes_scene_index_check")
    assert statuses(publish(gallery, FIRST)) == ["created"]


def test_jobs_that_publish_one_project_at_once_make_one_template(gallery: Gallery) -> None:
    add_project(gallery, FIRST, *(tsx(str(n)) for n in range(3)))
    together = threading.Barrier(6)

    def job(_: int) -> Outcome:
        together.wait()
        return publish(gallery, FIRST)[0]

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(job, range(6)))
    assert sorted(statuses(outcomes)) == ["created"] + ["unchanged"] * 5
    assert len({one.template_id for one in outcomes}) == 1
    assert gallery.sql("select count(*) from community_template_scenes") == [(3,)]


def test_jobs_that_publish_one_title_at_once_all_get_a_slug_of_their_own(gallery: Gallery) -> None:
    keys = [str(number(n)) for n in range(1, 7)]
    gallery.add_users(*(f"owner{n}" for n in range(6)))
    for n, key in enumerate(keys):
        add_project(gallery, key, tsx(), owner=f"owner{n}", title="Café & Söhne 🎬")
    together = threading.Barrier(len(keys))

    def job(key: str) -> Outcome:
        together.wait()
        return publish(gallery, key)[0]

    with ThreadPoolExecutor(len(keys)) as pool:
        outcomes = list(pool.map(job, keys))
    assert statuses(outcomes) == ["created"] * 6
    slugs = {one.slug for one in outcomes}
    assert len(slugs) == 6
    assert "cafe-sohne" in slugs
    assert [one.slug for one in publish(gallery, *keys)] == [one.slug for one in outcomes]


def test_projects_that_changed_are_found_by_their_own_time_or_that_of_a_scene(gallery: Gallery) -> None:
    for n in range(1, 4):
        add_project(gallery, str(number(n)), tsx(str(n)), title=f"P{n}")
    gallery.sql("""update "bazaar-vid_project" set "updatedAt" = '2026-01-01'""")
    gallery.sql("""update "bazaar-vid_scene" set "updatedAt" = '2026-01-01'""")
    gallery.sql("""update "bazaar-vid_project" set "updatedAt" = '2026-01-05' where id = %s""", (FIRST,))
    gallery.sql("""update "bazaar-vid_scene" set "updatedAt" = '2026-01-05' where "projectId" = %s""", (SECOND,))
    with opened(gallery.settings, gallery.deployment, "run") as run:
        from datetime import UTC, datetime

        found = list(run.changed_since(datetime(2026, 1, 5, tzinfo=UTC), PLAIN))
    assert [one.title for one in found] == ["P1", "P2"]


def test_pages_and_groups_lose_nobody_and_keep_the_order(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PAGE", 3)
    monkeypatch.setattr(ingesting, "_GROUP_BYTES", 100)
    keys = [str(number(n)) for n in range(1, 9)]
    for n, key in enumerate(keys):
        add_project(gallery, key, "const = 1" if n == 4 else tsx(str(n)), title=f"P{n}")
    outcomes = publish(gallery, *keys)
    assert [one.project for one in outcomes] == keys
    assert statuses(outcomes) == ["rejected" if n == 4 else "created" for n in range(8)]


def test_workers_find_what_this_process_finds(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    add_project(gallery, FIRST, tsx("a"), "localStorage.clear();\n" + tsx("b"))
    here = publish(gallery, FIRST, dry_run=True)
    monkeypatch.setattr(ingesting, "_ALONE_BYTES", 0)
    assert publish(gallery, FIRST, dry_run=True) == here
    assert rules(here[0]) == [("browser-storage", 1)]


def test_flagged_projects_are_published_once_and_the_request_says_what_became_of_it(gallery: Gallery) -> None:
    add_project(gallery, FIRST, tsx("a"))
    gallery.sql(
        "insert into community.publication_requests (project_key, options) values "
        """(%s, '{"title": "Flagged"}'), (%s, '{}'), (%s, '{"colour": 1}')""",
        (FIRST, SECOND, FIRST),
    )
    with opened(gallery.settings, gallery.deployment, "run") as run:
        outcomes = list(run.flagged())
        assert list(run.flagged()) == []
    assert sorted(statuses(outcomes)) == ["created", "rejected", "rejected"]
    assert gallery.sql(
        "select status, detail -> 'findings' -> 0 ->> 'rule', done_at is not null "
        "from community.publication_requests order by id"
    ) == [("created", None, True), ("rejected", "project-missing", True), ("rejected", "options", True)]
    assert templates(gallery) == [("flagged", "active")]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(codes=st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_any_code_survives_byte_for_byte(gallery: Gallery, codes: list[str]) -> None:
    key = str(uuid.uuid4())
    scenes = tuple(Scene(str(place), None, code, 1) for place, code in enumerate(codes))
    project = Project(key, None, None, "Any", scenes, formats=("square",))
    with connect(gallery.url, "its URL") as connection:
        written = Store.of(connection, gallery.deployment).publish(connection, project, PLAIN, 10, [], "run")
    rows = gallery.sql(
        "select convert_to(tsx_code, 'UTF8'), code_hash from community_template_scenes "
        "where template_id = %s order by scene_index",
        (written.template_id,),
    )
    assert rows == [(code.encode(), hashlib.sha256(code.encode()).hexdigest()) for code in codes]
