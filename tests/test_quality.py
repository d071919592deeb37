"""Days are judged by Great Expectations, and what it lets pass by itself does not pass here."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from community_pipelines.quality.findings import Finding
from community_pipelines.quality.judge import Bound, QualityError, judge, none_of, suite_of
from tests.community import span

DAYS = span(date(2026, 1, 1), 4)
NULLS = none_of("nulls", "error", "rows without an id")
SHARE = Bound("share", "error", "share of rows in quarantine", 0, 0.01)
VOLUME = Bound("volume", "warning", "rows against the usual", 0.4, 2.5, unknown_passes=True)
BOUNDS = (NULLS, SHARE, VOLUME)
GOOD: dict[str, Any] = {"nulls": 0, "share": 0.0, "volume": 1.0}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """A profile: the given values over good ones, for the first days in turn."""
    return pd.DataFrame([{"day": day, **GOOD, **row} for day, row in zip(DAYS, rows, strict=False)])


def verdicts(found: dict[date, list[Finding]], column: str) -> list[bool]:
    return [finding.success for of_day in found.values() for finding in of_day if finding.column == column]


def test_each_day_is_judged_for_itself() -> None:
    found = judge("each", frame({}, {"nulls": 2}, {"share": 0.02}, {"volume": 9.0}), BOUNDS, DAYS)
    assert verdicts(found, "nulls") == [True, False, True, True]
    assert verdicts(found, "share") == [True, True, False, True]
    assert verdicts(found, "volume") == [True, True, True, False]


def test_a_value_on_the_bound_passes() -> None:
    found = judge("bound", frame({"share": 0.01}, {"share": 0.0100001}), BOUNDS, DAYS[:2])
    assert verdicts(found, "share") == [True, False]


def test_a_day_without_a_value_fails() -> None:
    found = judge("null", frame({"share": None}, {}), BOUNDS, DAYS[:2])
    assert verdicts(found, "share") == [False, True]


def test_a_day_without_a_value_passes_only_where_that_is_said() -> None:
    found = judge("unknown", frame({"volume": None}, {"volume": 99.0}), BOUNDS, DAYS[:2])
    assert verdicts(found, "volume") == [True, False]


def test_a_day_that_the_profile_lacks_fails() -> None:
    found = judge("missing day", frame({}, {}), BOUNDS, DAYS)
    assert verdicts(found, "nulls") == [True, True, False, False]
    assert verdicts(found, "volume") == [True, True, True, True]


def test_an_empty_profile_fails_on_every_day() -> None:
    empty = frame({}).head(0)
    found = judge("empty", empty, BOUNDS, DAYS)
    assert verdicts(found, "nulls") == [False] * 4
    assert list(found) == DAYS


def test_a_day_of_the_profile_that_was_not_asked_for_is_not_judged() -> None:
    found = judge("unasked", frame({"nulls": 1}, {}, {}), BOUNDS, DAYS[1:3])
    assert list(found) == DAYS[1:3]
    assert verdicts(found, "nulls") == [True, True]


def test_a_column_that_the_profile_lacks_is_named() -> None:
    with pytest.raises(QualityError, match="the profile of bazaar/raw has no column share; its checks name it"):
        judge("bazaar/raw", frame({}).drop(columns="share"), BOUNDS, DAYS[:1])


def test_two_rows_of_one_day_are_an_error() -> None:
    twice = pd.concat([frame({}), frame({"nulls": 1})])
    with pytest.raises(pd.errors.MergeError):
        judge("twice", twice, BOUNDS, DAYS[:1])


def test_two_bounds_of_one_column_are_judged_each_for_itself() -> None:
    few, many = Bound("volume", "warning", "too few", low=2), Bound("volume", "error", "too many", high=2)
    found = judge("two", frame({"volume": 1.0}, {"volume": 3.0}), (few, many), DAYS[:2])
    assert [[finding.success for finding in of_day] for of_day in found.values()] == [[False, True], [True, False]]


def test_bounds_that_are_told_apart_by_nothing_but_their_limits_are_judged_each_for_itself() -> None:
    few, many = Bound("volume", "error", "rows", low=2), Bound("volume", "error", "rows", high=2)
    found = judge("same words", frame({"volume": 1.0}, {"volume": 3.0}), (few, many), DAYS[:2])
    assert [[finding.success for finding in of_day] for of_day in found.values()] == [[False, True], [True, False]]


def test_no_bounds_and_no_days_give_no_findings() -> None:
    assert judge("no bounds", frame({}), (), DAYS[:1]) == {DAYS[0]: []}
    assert judge("no days", frame({}).head(0), BOUNDS, []) == {}


def test_one_validation_of_a_window_finds_what_one_of_each_day_finds() -> None:
    profile = frame({"nulls": 3}, {"share": None, "volume": None}, {"share": 0.5, "volume": 0.1}, {})
    window = judge("window", profile, BOUNDS, DAYS)
    for day in DAYS:
        alone = judge("window", profile[profile["day"] == day], BOUNDS, [day])
        assert alone == {day: window[day]}


def test_findings_carry_what_was_seen_and_what_was_expected() -> None:
    profile = frame({"nulls": 7, "share": 0.123456789, "volume": None})
    nulls, share, volume = judge("values", profile, BOUNDS, DAYS[:1])[DAYS[0]]
    assert nulls == Finding("rows without an id", "nulls", "error", False, 7, "= 0")
    assert (share.observed, share.expected) == (0.123457, "≥ 0 and ≤ 0.01")
    assert (volume.observed, volume.severity) == (None, "warning")
    assert type(nulls.observed) is int


def test_numbers_of_any_kind_are_judged_by_their_value() -> None:
    profile = frame({"nulls": True}, {"nulls": 0.0}, {"nulls": -1})
    assert verdicts(judge("kinds", profile.astype({"nulls": object}), BOUNDS, DAYS[:3]), "nulls") == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("bound", "text"),
    [(NULLS, "= 0"), (Bound("a", "error", "", low=1), "≥ 1"), (Bound("a", "error", "", high=0.5), "≤ 0.5")],
)
def test_what_is_expected_is_said_in_few_signs(bound: Bound, text: str) -> None:
    assert bound.expected == text


def test_errors_are_critical_to_great_expectations_and_warnings_are_warnings() -> None:
    severities = [expectation.severity for expectation in suite_of("severities", BOUNDS).expectations]
    assert [str(severity.value) for severity in severities] == ["critical", "critical", "warning"]


def test_judging_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    judge("quiet", frame({}), BOUNDS, DAYS[:1])
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
