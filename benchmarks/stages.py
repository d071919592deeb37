"""What is compared with what, and the limit of each figure. One function for each stage of the issue's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.processes import Measurement, Series, command, in_turns, work
from benchmarks.report import Line

# Days of the small gallery, and its events in a day.
YEAR = 365
SMALL_DAY = 300
PEAK = 400


@dataclass(frozen=True)
class Large:
    """The gallery of many events in few days, loaded into a state folder."""

    home: Path
    rows: int
    days: int


@dataclass(frozen=True)
class Small:
    """The gallery of few events in many days, all of them done, and its first day."""

    home: Path
    first: date


def extract(large: Large, repeat: int) -> list[Line]:
    """Our copy of the source's days into the lake, against reading the same rows and dropping them."""
    days = large.days
    floor, ours, one_day = in_turns(
        repeat,
        lambda: work(large.home, "copy_and_drop", days=days),
        lambda: work(large.home, "extract", days=days),
        lambda: work(large.home, "extract", days=1),
    )
    name = f"extract, {days} days, {large.rows:,} rows"
    return [
        Line(name, "time against COPY BINARY, read and dropped", *_compared(ours, floor), 2.0),
        Line(name, "peak memory", _mb(ours), "", ours.peak_mb, "MB", PEAK),
        Line(name, f"peak memory against 1 day ({one_day.fact('rows'):,.0f} rows)", _mb(ours), _mb(one_day),
             ours.peak_mb / one_day.peak_mb, "x", 1.25),
    ]  # fmt: skip


def models(large: Large, repeat: int) -> list[Line]:
    """All models in one session, against the same SQL as one query each in bare DuckDB with its defaults."""
    floor, ours = in_turns(
        repeat,
        lambda: work(large.home, "bare_duckdb", days=large.days),
        lambda: work(large.home, "run_models", days=large.days),
    )
    name = f"models, {large.days} days, {large.rows:,} rows"
    each = [
        Line(name, f"  {model}", f"{ours.fact(model):.2f} s", f"{floor.fact(model):.2f} s",
             ours.fact(model) / floor.fact(model))
        for model in ours.runs[0].facts
    ]  # fmt: skip
    return [
        Line(name, "time against one bare DuckDB query per model", *_compared(ours, floor), 0.8),
        *each,
        Line(name, "peak memory", _mb(ours), _mb(floor), ours.peak_mb, "MB", PEAK),
    ]


def quality(large: Large, repeat: int) -> list[Line]:
    """Profiles and judgements of all assets, against the models' own time in the same run of the chain."""

    def anew() -> Measurement:
        work(large.home, "forget", days=large.days)
        return work(large.home, "steps", days=large.days)

    (chain,) = in_turns(repeat, anew)
    name = f"quality, {large.days} days, {large.rows:,} rows"
    ours, floor = chain.fact("quality"), chain.fact("models")
    gx = chain.fact("great_expectations_import")
    stages = ", ".join(
        f"{stage} {chain.fact(stage):.1f}" for stage in ("extract", "models", "quality", "publish", "counters")
    )
    return [
        Line(name, "time against the models' own", f"{ours:.2f} s", f"{floor:.2f} s", ours / floor, "x", 0.5),
        Line(name, "importing Great Expectations, once in a process", f"{gx:.1f} s", "", None),
        Line(name, f"the whole chain in one process (seconds: {stages})", f"{chain.seconds:.1f} s", "", None),
        Line(name, "peak memory of that process, with Dagster and Great Expectations", _mb(chain), "",
             chain.peak_mb, "MB"),
    ]  # fmt: skip


def publish(large: Large, repeat: int) -> list[Line]:
    """All models' rows into empty days, against a bare COPY of the same rows into empty copies of the tables."""
    ours, floor = in_turns(
        repeat,
        lambda: work(large.home, "publish_models", days=large.days),
        lambda: work(large.home, "bare_copy"),
    )
    name = f"publish, {floor.fact('rows'):,.0f} rows"
    unchecked = floor.fact("without_foreign_keys")
    return [
        Line(name, "time against COPY into an empty copy of each table", *_compared(ours, floor), 1.5),
        Line(name, "  against a copy without the app's foreign keys", f"{ours.seconds:.2f} s", f"{unchecked:.2f} s",
             ours.seconds / unchecked),
        _against(name, "nothing changed", ours.fact("unchanged"), floor.seconds),
        _against(name, "5% of the rows changed", ours.fact("changed"), floor.seconds),
    ]  # fmt: skip


def night(small: Small, repeat: int) -> list[Line]:
    """`community backfill` of the last day as a Dagster run, against its stages without Dagster."""
    return _dagster(small, repeat, "Dagster, one night", YEAR - 1, 12)


def year(small: Small, repeat: int) -> list[Line]:
    """The same for all days of a year as one run."""
    return _dagster(small, repeat, f"Dagster, a window of {YEAR} days", 0, 40)


def _dagster(small: Small, repeat: int, name: str, first: int, limit: float) -> list[Line]:
    days = [small.first + timedelta(days=number) for number in (first, YEAR - 1)]

    def anew(run: Callable[[], Measurement]) -> Measurement:
        work(small.home, "forget", days=YEAR, first=first)
        return run()

    stages, launched = in_turns(
        repeat,
        lambda: anew(lambda: work(small.home, "steps", days=YEAR, first=first)),
        lambda: anew(lambda: command(small.home, "backfill", "bazaar", "--from", str(days[0]), "--to", str(days[1]))),
    )
    # The stages' modules describe assets, so they import Dagster; without Dagster that time would not be spent.
    own = stages.median(lambda run: run.wall - float(run.facts["dagster_import"]))
    return [
        Line(name, "whole processes, imports included", f"{launched.wall:.1f} s", f"{own:.1f} s",
             launched.wall - own, "s", limit),
        Line(name, "peak memory of the run", _mb(launched), _mb(stages), launched.peak_mb, "MB"),
    ]  # fmt: skip


def _compared(ours: Series, floor: Series) -> tuple[str, str, float, str]:
    return f"{ours.seconds:.2f} s", f"{floor.seconds:.2f} s", ours.seconds / floor.seconds, "x"


def _against(name: str, figure: str, ours: float, floor: float) -> Line:
    return Line(name, figure, f"{ours:.2f} s", f"{floor:.2f} s", ours / floor)


def _mb(series: Series) -> str:
    return f"{series.peak_mb:.0f} MB"
