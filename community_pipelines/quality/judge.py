"""One Great Expectations suite judges a frame of one row per day.

Three traps are closed here: a NULL passes most expectations, an empty frame passes all, and a missing column
fails without saying which days.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from community_pipelines.platforms.data_tests import DataTest, Severity
from community_pipelines.quality.findings import Finding

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.expectations.expectation import Expectation


class QualityError(Exception):
    """A suite cannot judge the profile it was given; the message names the column."""


@dataclass(frozen=True)
class Bound:
    """One expectation over one column of the profile, kept as plain facts until a suite is built.

    The value of a day must lie in [low, high]. `error` withholds the day, `warning` reports. `unknown_passes`
    says that a day without a value is in order (too little history, say).
    """

    column: str
    severity: Severity
    description: str
    low: float | None = None
    high: float | None = None
    unknown_passes: bool = False

    @property
    def expected(self) -> str:
        """What is expected, for people."""
        if self.low is not None and self.low == self.high:
            return f"= {self.low:g}"
        parts = [f"≥ {self.low:g}"] if self.low is not None else []
        parts += [f"≤ {self.high:g}"] if self.high is not None else []
        return " and ".join(parts)


def none_of(column: str, severity: Severity, description: str) -> Bound:
    """The value must be 0."""
    return Bound(column, severity, description, 0, 0)


def bound_of(test: DataTest) -> Bound:
    """What a data test expects of its measure: to be within the range, or no row that breaks it. A day without a value
    passes, as a null does in dbt."""
    if test.kind != "day_in_range":
        return none_of(test.name, test.severity, test.description)
    low, high = test.argument("low"), test.argument("high")
    return Bound(test.name, test.severity, test.description, low, high, unknown_passes=True)


@cache
def _frames() -> Any:
    """Where a frame is handed to Great Expectations, without files and without progress bars."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("profiles")
    return source.add_dataframe_asset("profile").add_batch_definition_whole_dataframe("window")


@cache
def _expectation_class() -> Any:
    from great_expectations.compatibility.pydantic import PrivateAttr
    from great_expectations.expectations import ExpectColumnValuesToBeBetween

    class ExpectDaysToBeWithin(ExpectColumnValuesToBeBetween):  # type: ignore[misc]
        """The same expectation, which builds its configuration once: it is asked for a hundred times."""

        _built: Any = PrivateAttr(default=None)

        @property
        def configuration(self) -> Any:
            if self._built is None:
                self._built = super().configuration
            return self._built

    return ExpectDaysToBeWithin


def _expectation(number: int, bound: Bound) -> Expectation:
    expectation: Expectation = _expectation_class()(
        column=bound.column,
        min_value=bound.low,
        max_value=bound.high,
        severity="critical" if bound.severity == "error" else "warning",
        meta={"description": bound.description, "bound": number},
    )
    return expectation


def suite_of(name: str, bounds: Sequence[Bound]) -> ExpectationSuite:
    """The Great Expectations suite of those bounds."""
    from great_expectations.core.expectation_suite import ExpectationSuite

    return ExpectationSuite(
        name=name, expectations=[_expectation(number, bound) for number, bound in enumerate(bounds)]
    )


def judge(name: str, frame: pd.DataFrame, bounds: Sequence[Bound], days: Sequence[date]) -> dict[date, list[Finding]]:
    """Judges every day of `days` and gives its findings, one for each bound.

    `frame` has one row per day, a column `day` and the columns that the bounds name. A day without a row, and
    a value that is missing where `unknown_passes` is not said, fails. Raises QualityError for a column that
    the profile lacks.
    """
    import pandas as pd

    absent = sorted({bound.column for bound in bounds} - set(frame.columns))
    if absent:
        raise QualityError(f"the profile of {name} has no column {', '.join(absent)}; its checks name it")
    spine = pd.DataFrame({"day": [day.isoformat() for day in days]})
    rows = frame.assign(day=[pd.Timestamp(day).date().isoformat() for day in frame["day"]])
    profile = spine.merge(rows, on="day", how="left", validate="one_to_one")
    with _old_objects_left_alone():
        failing = _failing_days(name, profile, bounds)
    indexed = profile.set_index("day")
    findings: dict[date, list[Finding]] = {day: [] for day in days}
    for day in days:
        for bound, failed in zip(bounds, failing, strict=True):
            value = indexed.at[day.isoformat(), bound.column]
            unknown = bool(pd.isna(value)) if not isinstance(value, (list, str)) else False
            success = day.isoformat() not in failed and (bound.unknown_passes or not unknown)
            findings[day].append(
                Finding(bound.description, bound.column, bound.severity, success, _shown(value), bound.expected)
            )
    return findings


def _failing_days(name: str, profile: pd.DataFrame, bounds: Sequence[Bound]) -> list[set[str]]:
    if not bounds or profile.empty:
        return [set() for _ in bounds]
    from great_expectations.core.expectation_suite import ExpectationSuite

    numbers = profile.assign(**{bound.column: profile[bound.column].astype("float64") for bound in bounds})
    batch = _frames().get_batch({"dataframe": numbers})
    suite = suite_of(name, bounds)
    outcomes = _outcomes(name, bounds, batch.validate(suite, result_format="BOOLEAN_ONLY"))
    broken = [one for one in suite.expectations if not outcomes[one.meta["bound"]].success]
    failing: list[set[str]] = [set() for _ in bounds]
    if not broken:
        return failing
    # Which days they are is asked of the few that failed: for all of them it would take three times as long.
    result = batch.validate(
        ExpectationSuite(name=name, expectations=broken),
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["day"]},
    )
    for number, outcome in _outcomes(name, bounds, result).items():
        listed = outcome.result.get("unexpected_index_list") or []
        if not listed:
            raise QualityError(f"{name}: {bounds[number].column} failed without naming days: {outcome.result}")
        failing[number] = {entry["day"] for entry in listed}
    return failing


@contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    # Judging makes many objects; looking through all that was imported for garbage then takes longer than judging.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _outcomes(name: str, bounds: Sequence[Bound], result: Any) -> dict[int, Any]:
    """What Great Expectations says of each bound, by its number."""
    outcomes = {one.expectation_config.meta["bound"]: one for one in result.results}
    for number, outcome in outcomes.items():
        if outcome.exception_info.get("raised_exception"):
            raise QualityError(f"{name}: {bounds[number].column} could not be judged: {outcome.exception_info}")
    return outcomes


def _shown(value: Any) -> object:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return None if value != value else int(value) if value.is_integer() else round(value, 6)
    return value
