"""Projects from export files: code survives byte for byte, and what cannot be read is said with its place."""

from __future__ import annotations

import codecs
import json
import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community_pipelines.settings import SnapshotSettings
from community_pipelines.snapshots.exports import DEFAULT_DURATION, Unreadable, read_exports
from community_pipelines.snapshots.project import Finding, Project

KEY = "0d0c9a5e-8f2b-4b1e-9a53-6b6f0c1d2e3f"
CODE = "export default function Scene() {\n  return <div />;\n}\n"
ANY_CODE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def read(path: Path, owner: str | None = None, most_bytes: int = 10_000) -> list[Project | Unreadable]:
    return list(read_exports(path, owner, SnapshotSettings(bytes_per_scene=most_bytes)))


def project(path: Path, owner: str | None = None) -> Project:
    (found,) = read(path, owner)
    assert isinstance(found, Project), found
    return found


def findings(path: Path, most_bytes: int = 10_000) -> list[Finding]:
    """What is wrong with the only export there."""
    (found,) = read(path, most_bytes=most_bytes)
    assert isinstance(found, Unreadable), found
    return list(found.findings)


def rules(path: Path) -> list[tuple[str, str]]:
    return [(one.file, one.rule) for one in findings(path)]


def scene(code: Any = CODE, duration: Any = 90, **more: Any) -> dict[str, Any]:
    return {"tsxCode": code, "duration": duration, **more}


def export(*scenes: Any, **about: Any) -> dict[str, Any]:
    return {"project": {"title": "Launch", **about}, "scenes": list(scenes or [scene()])}


def write(path: Path, *exports: Any) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in exports))
    return path


def folder(path: Path, **files: str | bytes) -> Path:
    """A folder of files, named like `intro_tsx` for `intro.tsx`."""
    path.mkdir()
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        (path / ".".join(name.rsplit("_", 1)).removeprefix("n")).write_bytes(data)
    return path


@given(ANY_CODE)
def test_any_code_survives_byte_for_byte_whatever_file_it_comes_in(code: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        one = folder(place / "folder", intro_tsx=code)
        plain = place / "plain.json"
        plain.write_bytes(json.dumps(export(scene(code)), ensure_ascii=False).encode())
        lines = write(place / "lines.ndjson", export(scene(code)), export(scene(code + "\r\n")))
        assert project(one).scenes[0].encoded == code.encode()
        assert project(plain).scenes[0].encoded == code.encode()
        found = [each.scenes[0].encoded for each in read(lines) if isinstance(each, Project)]
        assert found == [code.encode(), code.encode() + b"\r\n"]


@pytest.mark.parametrize("code", ["a\r\nb\r\n", "a\rb", "\ufeffa", "a\u2028b\x85c\x0c", ""])
def test_line_ends_and_a_byte_order_mark_in_a_tsx_file_are_kept(tmp_path: Path, code: str) -> None:
    assert project(folder(tmp_path / "one", a_tsx=code)).scenes[0].encoded == code.encode()


def test_a_json_export_gives_the_project_with_all_that_was_asked_for(tmp_path: Path) -> None:
    data = export(
        scene("b", 20, order=2, name="End", props={}), scene("a", 10, order=1, name="Intro"),
        id=KEY, userId="ann", description="About", tags=["x", "y"], category="Ads",
        supportedFormats=["square"], visibility="unlisted", fps=30,
    )  # fmt: skip
    found = project(write(tmp_path / "export.json", data))
    assert (found.key, found.project_id, found.owner, found.title) == (KEY, KEY, "ann", "Launch")
    assert (found.description, found.tags, found.category) == ("About", ("x", "y"), "Ads")
    assert (found.formats, found.visibility) == (("square",), "unlisted")
    assert [(one.file, one.name, one.code, one.duration) for one in found.scenes] == [
        ("export.json scene 2 (Intro)", "Intro", "a", 10),
        ("export.json scene 1 (End)", "End", "b", 20),
    ]


def test_scenes_without_any_order_stay_as_they_are_in_the_file(tmp_path: Path) -> None:
    found = project(write(tmp_path / "export.json", export(scene("b"), scene("a"), scene("c"))))
    assert [one.code for one in found.scenes] == ["b", "a", "c"]


def test_a_project_without_an_id_is_known_by_its_owner_and_title(tmp_path: Path) -> None:
    path = write(tmp_path / "export.json", export())
    assert (project(path).key, project(path).project_id, project(path).owner) == ("export:-:Launch", None, None)
    assert (project(path, "ann").key, project(path, "ann").owner) == ("export:ann:Launch", "ann")


def test_a_json_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(codecs.BOM_UTF8 + json.dumps(export()).encode())
    assert project(path).title == "Launch"


@pytest.mark.parametrize(
    ("data", "file"),
    [
        ([], "export.json"),
        ({"project": [], "scenes": []}, "export.json"),
        (export("no scene"), "export.json scene 1"),
        (export({"duration": 90}), "export.json scene 1"),
        (export({"tsxCode": CODE}), "export.json scene 1"),
        (export(scene(name=7)), "export.json scene 1"),
        (export(scene(order="1")), "export.json scene 1"),
        (export(scene(duration=True)), "export.json scene 1"),
        (export(scene(duration=1.5)), "export.json scene 1"),
        (export(scene(duration=2**31)), "export.json scene 1"),
        (export(scene(order=1), scene(order=1)), "export.json"),
        (export(scene(order=1), scene()), "export.json"),
        (export(tags=[1]), "export.json"),
        (export(id="17"), "export.json"),
        (export(id="{" + KEY + "}"), "export.json"),
        (export(id=7), "export.json"),
    ],
)
def test_an_export_of_another_form_is_refused_at_the_scene_or_project_that_is_wrong(
    tmp_path: Path, data: Any, file: str
) -> None:
    assert rules(write(tmp_path / "export.json", data)) == [(file, "export-format")]


def test_all_that_is_wrong_with_an_export_is_said_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "export.json", export({}, scene(), scene(duration=None, name="End")))
    assert [(one.file, one.message.split(":")[0]) for one in findings(path)] == [
        ("export.json scene 1", "tsxCode"),
        ("export.json scene 1", "duration"),
        ("export.json scene 3 (End)", "duration"),
    ]


def test_a_broken_line_is_named_and_its_neighbours_are_read(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    good = [json.dumps(export(title=title)).encode() for title in "ABC"]
    path.write_bytes(
        b"\n".join([good[0], b'{"project": nothing}', b"", good[1], b'{"a": "\xff"}', b'{"scenes": []}', good[2]])
    )
    found = read(path)
    assert [one.title for one in found if isinstance(one, Project)] == ["A", "B", "C"]
    wrong = [(one.label, one.findings[0]) for one in found if isinstance(one, Unreadable)]
    assert [(label, one.rule, one.line, one.column) for label, one in wrong] == [
        ("all.jsonl:2", "json", 2, 13),
        ("all.jsonl:5", "encoding", 5, None),
        ("all.jsonl:6", "export-format", None, None),
    ]
    assert f"byte {path.read_bytes().index(0xFF)} " in wrong[1][1].message


def test_a_utf_16_file_of_lines_is_refused_once(tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    path.write_bytes((json.dumps(export()) + "\n").encode("utf-16") * 3)
    assert [one.rule for one in findings(path)] == ["encoding"]


def test_a_folder_of_scenes_is_one_project_in_the_natural_order_of_its_files(tmp_path: Path) -> None:
    path = folder(tmp_path / "product-launch", n10_tsx="ten", readme_md="")
    for name in ("2-middle.tsx", "1_intro.tsx", "3d-logo.tsx", ".hidden.tsx"):
        (path / name).write_text(name)
    found = project(path, "ann")
    assert (found.title, found.key, found.project_id) == ("Product launch", "export:ann:Product launch", None)
    assert [(one.file, one.name) for one in found.scenes] == [
        ("product-launch/1_intro.tsx", "intro"),
        ("product-launch/2-middle.tsx", "middle"),
        ("product-launch/3d-logo.tsx", "3d-logo"),
        ("product-launch/10.tsx", "10"),
    ]


def test_names_that_differ_only_in_zeros_or_case_have_one_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder(tmp_path / "one")
    for name in ("01-a.tsx", "1-a.tsx", "1-A.tsx", "1²2.tsx"):
        (path / name).write_text("")
    listed = sorted(path.iterdir())
    orders = []
    for listing in (listed, listed[::-1]):
        monkeypatch.setattr(Path, "iterdir", lambda _, listing=listing: iter(listing))
        orders.append([one.file for one in project(path).scenes])
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    ("code", "duration"),
    [
        ("// duration: 90\n", 90),
        ("\ufeff// Duration:45\r\nrest", 45),
        ("// Intro\n\n// duration: 12 \n", 12),
        ("const a = 1;\n// duration: 90\n", DEFAULT_DURATION),
        ("// 90\n", DEFAULT_DURATION),
    ],
)
def test_a_leading_comment_says_how_long_a_scene_is(tmp_path: Path, code: str, duration: int) -> None:
    assert project(folder(tmp_path / "one", a_tsx=code)).scenes[0].duration == duration
    assert DEFAULT_DURATION == 150


@pytest.mark.parametrize("said", ["3s", "1.5", "1,000", "", "9" * 5000, "-4"])
def test_a_duration_that_is_no_number_of_frames_is_refused(tmp_path: Path, said: str) -> None:
    (found,) = findings(folder(tmp_path / "one", a_tsx=f"// A scene\n// duration: {said}\n"))
    assert (found.file, found.rule, found.line) == ("one/a.tsx", "export-format", 2)


def test_a_project_file_beside_the_scenes_says_what_they_do_not(tmp_path: Path) -> None:
    about = {"title": "T", "tags": ["a"], "userId": "ann", "id": KEY, "formats": ["square"], "durations": {"a.tsx": 7}}
    path = folder(tmp_path / "one", a_tsx="// duration: 90", b_tsx="", project_json=json.dumps(about))
    found = project(path)
    assert (found.key, found.owner, found.title, found.tags, found.formats) == (KEY, "ann", "T", ("a",), ("square",))
    assert [one.duration for one in found.scenes] == [7, 150]


@pytest.mark.parametrize("about", [[], {"durations": []}, {"durations": {"a.tsx": "7"}}, {"title": 1}])
def test_a_project_file_of_another_form_is_refused(tmp_path: Path, about: Any) -> None:
    path = folder(tmp_path / "one", a_tsx="", project_json=json.dumps(about))
    assert [one.rule for one in findings(path)] == ["export-format"]


def test_every_export_of_a_folder_is_read_in_order(tmp_path: Path) -> None:
    write(tmp_path / "10.json", export(title="ten"))
    write(tmp_path / "2.ndjson", export(title="two"), export(title="three"))
    write(tmp_path / ".hidden.json", {})
    write(tmp_path / "notes.txt", {})
    folder(tmp_path / "scenes", a_tsx="")
    folder(tmp_path / "empty")
    folder(tmp_path / "hidden")
    (tmp_path / "hidden" / ".a.tsx").write_text("")
    assert [one.title if isinstance(one, Project) else one for one in read(tmp_path)] == [
        "two", "three", "ten", "Scenes",
    ]  # fmt: skip


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    (found,) = findings(folder(tmp_path / "empty", readme_md=""))
    assert found.file == "empty"
    assert ".tsx" in found.message
    assert ".ndjson" in found.message


@pytest.mark.parametrize(
    ("data", "words", "line"),
    [
        (b"a\nb\xff", "byte 3 ", 2),
        (codecs.BOM_UTF8 + b"a\n\xe9t\xe9", "byte 5 ", 2),
        ("ab".encode("utf-16"), "UTF-16", 1),
        (codecs.BOM_UTF16_BE + "ab".encode("utf-16-be"), "UTF-16", 1),
    ],
)
@pytest.mark.parametrize("name", ["folder", "export.json"])
def test_what_is_no_utf_8_is_refused_with_the_byte_and_line(
    tmp_path: Path, data: bytes, words: str, line: int, name: str
) -> None:
    path = tmp_path / name
    if name == "folder":
        folder(path, a_tsx=data)
    else:
        path.write_bytes(data)
    (found,) = findings(path)
    assert (found.file, found.rule, found.line) == ("folder/a.tsx" if name == "folder" else name, "encoding", line)
    assert words in found.message


def test_code_that_a_database_cannot_hold_is_refused_with_line_and_column(tmp_path: Path) -> None:
    (found,) = findings(folder(tmp_path / "one", a_tsx="a\nbé\0c"))
    assert (found.file, found.rule, found.line, found.column) == ("one/a.tsx", "nul-character", 2, 3)
    (found,) = findings(write(tmp_path / "export.json", export(scene("a\n\ud800", name="I"))))
    assert (found.file, found.rule, found.line, found.column) == ("export.json scene 1 (I)", "lone-surrogate", 2, 1)


@pytest.mark.parametrize("wrong", ["a\0", "a\ud800"])
@pytest.mark.parametrize("key", ["title", "description", "category", "userId", "visibility", "tags", "formats", "name"])
def test_no_text_that_a_database_cannot_hold_comes_through(tmp_path: Path, wrong: str, key: str) -> None:
    value = [wrong] if key in ("tags", "formats") else wrong
    data = export(scene(name=wrong)) if key == "name" else export(**{key: value})
    (found,) = findings(write(tmp_path / "export.json", data))
    assert found.rule == ("nul-character" if "\0" in wrong else "lone-surrogate")
    found.file.encode()


def test_a_file_name_that_is_no_utf_8_can_be_said_and_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", a_tsx="")
    (path / os.fsdecode(b"b\xff.tsx")).write_bytes(b"")
    (found,) = findings(path)
    assert found.rule == "lone-surrogate"
    assert found.file.encode() == b"one/b\\udcff.tsx"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [('{\n  "project": ,}', 2, 14), ("", 1, 1), ("[" * 100_000, 1, None), ("1" * 5000, 1, None)],
)
def test_what_is_no_json_is_refused_with_line_and_column(
    tmp_path: Path, text: str, line: int, column: int | None
) -> None:
    path = tmp_path / "export.json"
    path.write_text(text)
    (found,) = findings(path)
    assert (found.file, found.rule, found.line, found.column) == ("export.json", "json", line, column)


def test_a_scene_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", a_tsx="x" * 11)
    assert isinstance(read(path, most_bytes=11)[0], Project)
    (found,) = findings(path, most_bytes=10)
    assert (found.file, found.rule) == ("one/a.tsx", "too-large")


@pytest.mark.parametrize("name", ["gone.json", "gone.ndjson", "gone", "x" * 300, "x" * 300 + ".json", "a\0.json"])
def test_a_path_that_is_not_there_is_unreadable(tmp_path: Path, name: str) -> None:
    assert [one.rule for one in findings(tmp_path / name)] == ["unreadable"]


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.tsx"])
def test_a_folder_named_like_a_file_is_unreadable_with_the_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (found,) = findings(tmp_path)
    assert (found.file, found.rule) == (f"{tmp_path.name}/{name}" if name == "a.tsx" else name, "unreadable")
    assert "directory" in found.message


def test_a_scene_that_vanished_is_said_and_never_left_out(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", a_tsx="")
    (path / "b.tsx").symlink_to("nowhere")
    assert rules(path) == [("one/b.tsx", "unreadable")]


def test_a_pipe_is_unreadable_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tsx")
    assert rules(tmp_path) == [(f"{tmp_path.name}/a.tsx", "unreadable")]


def test_what_the_system_forbids_is_unreadable_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder(tmp_path / "closed", a_tsx="")
    write(tmp_path / "export.json", export())
    iterdir, stat = Path.iterdir, Path.stat

    def refuse(path: Path) -> None:
        # Root may read everything, so that the refusal has to be played.
        if path == closed or closed in path.parents:
            raise PermissionError(13, "Permission denied")

    def refusing_iterdir(path: Path) -> Any:
        refuse(path)
        return iterdir(path)

    def refusing_stat(path: Path, **more: Any) -> os.stat_result:
        if closed in path.parents:
            refuse(path)
        return stat(path, **more)

    monkeypatch.setattr(Path, "iterdir", refusing_iterdir)
    monkeypatch.setattr(Path, "stat", refusing_stat)
    refused, read_one = read(tmp_path)
    assert isinstance(read_one, Project)
    assert isinstance(refused, Unreadable)
    assert [(one.rule, one.message) for one in refused.findings] == [
        ("unreadable", "cannot be read: Permission denied")
    ]
    assert [one.rule for one in findings(closed / "a.json")] == ["unreadable"]


def test_a_single_scene_file_says_that_its_folder_is_expected(tmp_path: Path) -> None:
    folder(tmp_path / "one", a_tsx="")
    (found,) = findings(tmp_path / "one" / "a.tsx")
    assert (found.rule, "folder" in found.message) == ("export-format", True)


def test_exports_are_read_one_by_one(tmp_path: Path) -> None:
    write(tmp_path / "a.json", export(title="A"))
    write(tmp_path / "b.json", export(title="B"))
    found = read_exports(tmp_path, None, SnapshotSettings())
    first = next(found)
    write(tmp_path / "b.json", export(title="C"))
    assert [one.title for one in (first, *found) if isinstance(one, Project)] == ["A", "C"]


class TestTheOwner:
    """The person at the keyboard wins over what a file says of itself."""

    def test_who_is_named_for_an_export_owns_it_and_a_warning_says_that_the_file_differs(self, tmp_path: Path) -> None:
        path = write(tmp_path / "export.json", export(userId="ann"))
        found = project(path, "bob")
        assert (found.owner, found.key) == ("bob", "export:bob:Launch")
        (warning,) = found.warnings
        assert (warning.rule, warning.severity, warning.file) == ("other-owner", "warning", "export.json")
        assert "'ann'" in warning.message
        assert "'bob'" in warning.message

    def test_so_does_a_project_file_beside_scenes(self, tmp_path: Path) -> None:
        path = folder(tmp_path / "one", a_tsx="", project_json=json.dumps({"userId": "ann"}))
        found = project(path, "bob")
        assert (found.owner, [one.rule for one in found.warnings]) == ("bob", ["other-owner"])

    @pytest.mark.parametrize(("said", "owner"), [("ann", None), ("ann", "ann"), (None, "ann")])
    def test_where_they_agree_or_one_is_silent_nothing_is_said(
        self, tmp_path: Path, said: str | None, owner: str | None
    ) -> None:
        found = project(write(tmp_path / "export.json", export(userId=said)), owner)
        assert (found.owner, found.warnings) == ("ann", ())


class TestLimits:
    """What is too long or too large is an error of its project alone, and is not read into memory."""

    LONG = "x" * 1_000_000

    @pytest.mark.parametrize(
        ("data", "rule"),
        [
            (export(title=LONG), "too-long"),
            (export(description=LONG), "too-long"),
            (export(category=LONG), "too-long"),
            (export(visibility=LONG), "too-long"),
            (export(userId=LONG), "too-long"),
            (export(tags=[LONG]), "too-long"),
            (export(tags=["a"] * 100_000), "too-long"),
            (export(formats=[LONG]), "too-long"),
            (export(id=LONG), "export-format"),
            (export(scene(name=LONG)), "too-long"),
            (export(scene(order=LONG)), "export-format"),
            (export(scene(duration=LONG)), "export-format"),
            (export(*[scene("")] * 101), "too-many-scenes"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_the_next_export_of_the_folder_is_read_and_the_message_is_short(
        self, tmp_path: Path, data: Any, rule: str
    ) -> None:
        write(tmp_path / "1.json", data)
        write(tmp_path / "2.ndjson", data, export())
        first, second, good = read(tmp_path)
        for wrong in (first, second):
            assert isinstance(wrong, Unreadable)
            assert [one.rule for one in wrong.findings] == [rule]
            assert len(wrong.findings[0].message) < 200
        assert isinstance(good, Project)

    def test_what_is_only_long_is_still_read(self, tmp_path: Path) -> None:
        tags = ["t" * 60] * 30
        found = project(write(tmp_path / "a.json", export(*[scene("")] * 100, title="é" * 500, tags=tags)))
        assert (len(found.title), len(found.tags), len(found.scenes)) == (500, 30, 100)

    def test_a_line_that_is_too_long_is_passed_over_without_being_held(self, tmp_path: Path) -> None:
        path = tmp_path / "all.ndjson"
        good = json.dumps(export()).encode()
        path.write_bytes(good + b"\n" + b'{"a": "' + b"x" * 8_000_000 + b'"}\n' + good + b"\n" + b"y" * 40_000)
        limits = SnapshotSettings(bytes_per_template=1_000)
        tracemalloc.start()
        first, long, last, end = read_exports(path, None, limits)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert isinstance(first, Project)
        assert isinstance(last, Project)
        for wrong, line in ((long, 2), (end, 4)):
            assert isinstance(wrong, Unreadable)
            assert [(one.rule, one.line) for one in wrong.findings] == [("too-large", line)]
        assert peak < 5_000_000

    def test_a_file_of_json_that_is_too_large_is_not_held(self, tmp_path: Path) -> None:
        path = tmp_path / "large.json"
        with path.open("wb") as file:
            file.truncate(10_000_000_000)
        assert rules(path) == [("large.json", "too-large")]

    def test_a_file_that_does_not_say_how_large_it_is_is_read_no_further_than_its_limit(self, tmp_path: Path) -> None:
        endless = Path("/proc/self/maps")
        assert endless.stat().st_size == 0
        folder(tmp_path / "one")
        (tmp_path / "one" / "a.json").symlink_to(endless)
        (found,) = list(read_exports(tmp_path / "one" / "a.json", None, SnapshotSettings(bytes_per_template=1)))
        assert isinstance(found, Unreadable)
        assert [one.rule for one in found.findings] == ["too-large"]

    def test_far_more_code_than_a_template_may_hold_is_not_read_to_its_end(self, tmp_path: Path) -> None:
        path = folder(tmp_path / "one")
        for number in range(50):
            (path / f"{number}.tsx").write_text("x" * 1_000)
        limits = SnapshotSettings(bytes_per_template=2_000)
        (found,) = list(read_exports(path, None, limits))
        assert isinstance(found, Unreadable)
        assert [(one.rule, one.message) for one in found.findings] == [
            ("template-too-large", "more than 5,000 bytes of code, at most 2,000")
        ]

    @pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.tsx"])
    def test_a_pipe_or_a_device_is_named_and_never_waited_for(self, tmp_path: Path, name: str) -> None:
        os.mkfifo(tmp_path / name)
        assert [rule for _, rule in rules(tmp_path)] == ["unreadable"]
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to("/dev/zero")
        # Named by a person, so that the link is followed.
        path = tmp_path if name == "a.tsx" else tmp_path / name
        assert [rule for _, rule in rules(path)] == ["unreadable"]


class TestLinks:
    """Below what a person named, nothing leads to another file of this machine."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        path = folder(tmp_path / "outside", a_tsx="secret")
        write(path / "export.json", export(title="secret"))
        write(path / "export.ndjson", export(title="secret"))
        return path

    @pytest.mark.parametrize("name", ["export.json", "export.ndjson", ""])
    def test_a_link_in_a_folder_is_refused_by_its_name_and_the_rest_is_read(
        self, tmp_path: Path, outside: Path, name: str
    ) -> None:
        inside = folder(tmp_path / "inside")
        write(inside / "good.json", export())
        (inside / (name or "a-folder")).symlink_to(outside / name)
        refused, good = sorted(read(inside), key=lambda one: isinstance(one, Project))
        assert isinstance(good, Project)
        assert isinstance(refused, Unreadable)
        assert [(one.file, one.rule) for one in refused.findings] == [(name or "a-folder", "unreadable")]
        assert "symbolic link" in refused.findings[0].message

    @pytest.mark.parametrize("name", ["b.tsx", "project.json"])
    @pytest.mark.parametrize("target", ["outside/a.tsx", "one/a.tsx", "nowhere"])
    def test_a_link_in_a_project_refuses_the_project_wherever_it_leads(
        self, tmp_path: Path, outside: Path, name: str, target: str
    ) -> None:
        path = folder(tmp_path / "one", a_tsx="")
        (path / name).symlink_to(tmp_path / target)
        assert rules(path) == [(f"one/{name}", "unreadable")]
        assert "symbolic link" in findings(path)[0].message

    def test_a_link_that_a_person_names_is_followed(self, tmp_path: Path, outside: Path) -> None:
        (tmp_path / "link.json").symlink_to(outside / "export.json")
        (tmp_path / "link").symlink_to(outside)
        assert project(tmp_path / "link.json").title == "secret"
        assert project(tmp_path / "link").scenes[0].code == "secret"
