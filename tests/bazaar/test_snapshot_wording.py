"""Titles, descriptions, tags and slugs as they may stand on a page."""

from __future__ import annotations

import re
from typing import Any

import nh3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from community_pipelines.snapshots.wording import plain_text, slug, tags, title, unknown_formats

TEXTS = [
    ("Tom & Jerry", "Tom & Jerry"),
    ("a < b and b > c", "a < b and b > c"),
    ("<b>bold</b> move", "bold move"),
    ("<script>alert(1)</script>Hello", "Hello"),
    ("<img src=x onerror=alert(1)>Hi", "Hi"),
    ("&lt;script&gt;alert(1)&lt;/script&gt;Hi", "Hi"),
    ("&amp;lt;b&amp;gt;twice", "twice"),
    ("two\nlines\tand\x00 a nul\x07", "two\nlines\tand a nul"),
    ("  around  ", "around"),
    ("Café 🎬 über", "Café 🎬 über"),
    ("", ""),
]


@pytest.mark.parametrize(("typed", "shown"), TEXTS)
def test_markup_is_gone_and_what_was_meant_stays(typed: str, shown: str) -> None:
    assert plain_text(typed) == shown


PARTS = [*"<>&;/ab'\"=! \n\x00é", "lt", "gt", "amp", "script", "#60", "<b>", "</"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=60).map("".join))
@example("&" + "amp;" * 30 + "lt;b>")
def test_cleaning_twice_changes_nothing_and_no_tag_is_left(text: str) -> None:
    once = plain_text(text)
    assert plain_text(once) == once
    assert not re.search(r"<(script|a|b)\b[^>]*>", once)


@pytest.mark.parametrize("layer", ["amp;", "#38;", "#x26;", "AMP"])
def test_a_text_that_is_packed_again_and_again_takes_work_in_proportion_to_its_length(
    monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    def work(layers: int) -> int:
        """Characters that were looked at."""
        sizes: list[int] = []

        def counted(text: str, **options: Any) -> str:
            sizes.append(len(text))
            return clean(text, **options)

        with monkeypatch.context() as patch:
            patch.setattr(nh3, "clean", counted)
            shown = plain_text("&" + layer * layers + "lt;b>")
        assert "<b" not in shown
        return sum(sizes)

    clean = nh3.clean
    assert work(4_000) < 5 * work(1_000)


def test_a_title_is_one_line_of_at_most_255_characters() -> None:
    assert title(" My\n<i>great</i>   video ") == "My great video"
    assert len(title("é" * 400)) == 255
    assert title("a" * 254 + " b") == "a" * 254
    assert title("<b></b> \n") == ""


def test_tags_are_trimmed_lowered_once_each_and_few() -> None:
    assert tags([" Music ", "music", "MUSIC", "", "<b>Pop</b>", "  "]) == ("music", "pop")
    assert tags([f"t{n}" for n in range(30)]) == tuple(f"t{n}" for n in range(20))
    assert tags(["É" * 60]) == ("é" * 50,)


SLUGS = [
    ("Hello, World!", "hello-world"),
    ("Ünïcödé Tïtle", "unicode-title"),
    ("Привет мир", "privet-mir"),
    ("日本", "ri-ben"),
    ("🎬🎬", "template"),
    ("---", "template"),
    ("", "template"),
    ("v2.0 (final)", "v2-0-final"),
]


@pytest.mark.parametrize(("text", "expected"), SLUGS)
def test_a_slug_is_readable_ascii(text: str, expected: str) -> None:
    assert slug(text) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
@example("ß" * 400)
@example("word " * 100)
def test_a_slug_has_room_for_a_version_whatever_the_title_is(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))
    assert len(slug(text)) <= 200


def test_a_long_title_is_cut_after_a_word() -> None:
    assert slug("words " * 100) == "-".join(["words"] * 33)


def test_formats_that_are_unknown_are_named() -> None:
    assert unknown_formats(["landscape", "wide", "square", "portrait", "Square"]) == ["wide", "Square"]
