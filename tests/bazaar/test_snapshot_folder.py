"""A folder of exports, published: what is wrong with one of them concerns none of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from community_pipelines.snapshots.ingest import opened
from community_pipelines.snapshots.options import Options
from community_pipelines.snapshots.outcome import Outcome
from tests.bazaar.gallery import Gallery
from tests.bazaar.test_snapshot_exports import export, scene, write
from tests.bazaar.test_snapshot_ingest import add_project, publish, rules, statuses, tsx
from tests.community import community
from tests.flows import number

PROJECT = str(number(1))


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery], monkeypatch: pytest.MonkeyPatch) -> Gallery:
    gallery = new_gallery()
    gallery.add_users("ann", "bob")
    monkeypatch.setenv("COMMUNITY_HOME", str(gallery.settings.home))
    monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", gallery.url)
    return gallery


def good(title: str, **about: Any) -> dict[str, Any]:
    return export(scene(tsx(title)), title=title, **about)


def ingested(gallery: Gallery, path: Path, owner: str | None = "ann", **wishes: Any) -> list[Outcome]:
    with opened(gallery.settings, gallery.deployment, "run") as run:
        return list(run.exports(path, owner, Options(**wishes)))


def published(gallery: Gallery) -> list[tuple[Any, ...]]:
    return gallery.sql(
        "select template.title, version.project_key, template.owner_user_id, template.source_project_id::text "
        "from community_templates as template join community.template_versions as version "
        "on version.template_id = template.id order by 1"
    )


@pytest.mark.parametrize("title", ["Save 50% [/] today", "[/red]", ":smile: [red]x[/red]"])
def test_brackets_in_a_title_are_a_title_like_any_other(gallery: Gallery, tmp_path: Path, title: str) -> None:
    write(tmp_path / "1.json", good(title))
    write(tmp_path / "2.json", export(scene("eval('1')"), title=title))
    result = community("ingest", tmp_path / "1.json", "--owner", "ann")
    assert (result.exit_code, title in result.output) == (0, True), result.output
    result = community("ingest", tmp_path / "2.json", "--owner", "ann")
    assert (result.exit_code, title in result.output) == (1, True), result.output


def test_an_over_long_title_is_refused_and_the_rest_of_the_folder_is_published(
    gallery: Gallery, tmp_path: Path
) -> None:
    write(tmp_path / "1.json", good("before"))
    write(tmp_path / "2.json", good("x" * 1_000_000))
    write(tmp_path / "3.json", good("after"))
    result = community("ingest", tmp_path, "--owner", "ann")
    assert result.exit_code == 1
    assert "2.json error too-long: title: 1,000,000 characters, at most 500" in result.output
    assert len(result.output) < 3_000
    assert [row[0] for row in published(gallery)] == ["after", "before"]


def test_a_scene_that_is_cut_off_in_its_middle_is_refused_and_the_rest_of_the_folder_is_published(
    gallery: Gallery, tmp_path: Path
) -> None:
    write(tmp_path / "1.json", good("before"))
    whole = (
        "export default () => {\n  const top = 1;\n  return <div>{rows.map((row) => <p>{top * row}</p>)}</div>;\n};\n"
    )
    write(tmp_path / "2.json", export(scene(whole[: whole.index("p>)")]), title="cut"))
    write(tmp_path / "3.json", good("after"))
    outcomes = ingested(gallery, tmp_path)
    assert statuses(outcomes) == ["created", "rejected", "created"]
    assert "syntax" in [rule for rule, _ in rules(outcomes[1])]
    assert [row[0] for row in published(gallery)] == ["after", "before"]


def test_what_a_column_of_the_app_does_not_hold_is_an_error_of_that_project_alone(
    gallery: Gallery, tmp_path: Path
) -> None:
    gallery.sql("alter table community_templates alter column title type varchar(10)")
    write(tmp_path / "all.ndjson", good("one"), good("a longer title"), good("two"))
    outcomes = ingested(gallery, tmp_path / "all.ndjson")
    assert statuses(outcomes) == ["created", "rejected", "created"]
    assert rules(outcomes[1]) == [("not-taken", None)]
    assert "too long for type" in outcomes[1].findings[0].message
    assert [row[0] for row in published(gallery)] == ["one", "two"]


def test_what_is_published_is_of_the_person_who_was_named_for_it(gallery: Gallery, tmp_path: Path) -> None:
    write(tmp_path / "export.json", good("Launch", userId="bob"))
    result = community("ingest", tmp_path / "export.json", "--owner", "ann")
    assert result.exit_code == 0
    assert "export.json warning other-owner: the file names the owner 'bob': it is 'ann''s" in result.output
    assert published(gallery) == [("Launch", "export:ann:Launch", "ann", None)]


class TestAFileThatNamesAProject:
    """An id in a file is what its writer says: it opens nobody's project."""

    @pytest.mark.parametrize(("said", "owner"), [(None, "ann"), ("bob", "ann"), ("ann", None), (None, None)])
    def test_that_of_somebody_else_is_left_alone_and_the_export_is_a_project_of_its_own(
        self, gallery: Gallery, tmp_path: Path, said: str | None, owner: str | None
    ) -> None:
        add_project(gallery, PROJECT, tsx("mine"), owner="bob")
        publish(gallery, PROJECT)
        write(tmp_path / "export.json", good("Other", id=PROJECT, userId=said))
        (outcome,) = ingested(gallery, tmp_path / "export.json", owner, supersede=True)
        assert (outcome.status, outcome.version) == ("created", 1)
        assert "other-project" in [rule for rule, _ in rules(outcome)]
        whose = owner or said
        assert published(gallery) == [
            ("Launch day", PROJECT, "bob", PROJECT),
            ("Other", f"export:{whose or '-'}:Other", whose, None),
        ]
        assert gallery.sql("select status from community_templates") == [("active",)] * 2

    def test_that_of_its_owner_gets_a_version_as_before(self, gallery: Gallery, tmp_path: Path) -> None:
        add_project(gallery, PROJECT, tsx("mine"))
        publish(gallery, PROJECT)
        write(tmp_path / "export.json", good("Other", id=PROJECT))
        (outcome,) = ingested(gallery, tmp_path / "export.json", "ann")
        assert (outcome.version, rules(outcome)) == (2, [])
        assert published(gallery)[1] == ("Other", PROJECT, "ann", PROJECT)

    def test_one_that_the_app_does_not_know_is_the_name_of_the_export(self, gallery: Gallery, tmp_path: Path) -> None:
        write(tmp_path / "export.json", good("Other", id=PROJECT))
        assert rules(ingested(gallery, tmp_path / "export.json")[0]) == []
        assert published(gallery) == [("Other", PROJECT, "ann", None)]


def test_a_request_with_an_over_long_wish_is_rejected_and_the_next_one_is_taken(gallery: Gallery) -> None:
    add_project(gallery, PROJECT, tsx("a"))
    gallery.sql(
        "insert into community.publication_requests (project_key, options) values (%s, %s::jsonb), (%s, '{}')",
        (PROJECT, json.dumps({"title": "x" * 1_000_000}), PROJECT),
    )
    with opened(gallery.settings, gallery.deployment, "run") as run:
        outcomes = list(run.flagged())
    assert sorted(statuses(outcomes)) == ["created", "rejected"]
    assert max(len(one.message) for outcome in outcomes for one in outcome.findings) < 300
