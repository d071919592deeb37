"""What is data is printed as it is: Rich's markup, emoji names and a terminal's commands are only text in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from community_pipelines.commands import report
from community_pipelines.commands.shared import stop_with
from community_pipelines.commands.terminal import TextConsole

TEXTS = ["a [/] b", "[red]brackets[/red]", "[/nothing]", "a path/[day=1]", ":smile:", r"\[x]", "[link=file:///etc]x"]


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch, name: str = "console", is_terminal: bool = False) -> Iterator[io.StringIO]:
    """A wide screen instead of one of the report's two."""
    file = io.StringIO()
    options = {"file": file, "width": 200, "force_terminal": is_terminal, "no_color": True}
    monkeypatch.setattr(report, name, type(getattr(report, name))(**options))
    yield file


WAYS: list[Callable[[str], None]] = [
    report.say,
    lambda text: report.console.print(text),
    lambda text: report.console.print(report.table("title", ("column",), [(text,)])),
    lambda text: report.console.print(report.table(text, ("a column that is wider than the title",), [])),
    lambda text: report.console.print(report.table("title", (text,), [("cell",)])),
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_every_way_to_print_takes_text_for_text(monkeypatch: pytest.MonkeyPatch, text: str, way: int) -> None:
    with screen(monkeypatch) as file:
        WAYS[way](text)
    assert text in file.getvalue()


@pytest.mark.parametrize("text", TEXTS[:3])
def test_a_bar_of_progress_is_named_by_a_text(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with screen(monkeypatch, "errors", is_terminal=True) as file, report.progress(text, 10) as advance:
        advance(5)
    assert text in file.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[2Jgone", r"\x1b[2Jgone"), ("a\rb", r"a\rb"), ("\x9b31m", r"\x9b31m"), ("a\u202eb", r"a\u202eb")],
)
def test_what_a_terminal_would_obey_is_shown_instead(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    for way in WAYS[:3]:
        with screen(monkeypatch) as file:
            way(text)
        assert shown in file.getvalue()
        assert text not in file.getvalue()


def test_letters_of_all_languages_line_ends_and_emoji_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Café 日本 شعر 👩\u200d🚀\nsecond line"
    with screen(monkeypatch) as file:
        report.say(text)
    assert file.getvalue() == f"{text}\n"


def test_every_console_of_the_report_is_such_a_terminal() -> None:
    assert isinstance(report.console, TextConsole)
    assert isinstance(report.errors, TextConsole)


def test_the_message_of_an_error_is_text_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stop_with("a title of \x1b[2J is\ntoo long [/]")
    assert capsys.readouterr().err == "error: a title of \\x1b[2J is\ntoo long [/]\n"
