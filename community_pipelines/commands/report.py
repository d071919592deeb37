"""Tables that people see in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from community_pipelines.commands.terminal import TextConsole, as_text
from community_pipelines.flow.plan import Plan

if TYPE_CHECKING:
    from community_pipelines.orchestration.summary import PlatformSummary, RunSummary

# A file or a pipe has no width: the names of assets fit into this one.
_WIDTH = 100

console = TextConsole(width=None if sys.stdout.isatty() else _WIDTH)
errors = TextConsole(stderr=True)


def say(text: str, style: str = "", end: str = "\n") -> None:
    """A line for people, as it is: one that is to be pasted has no breaks in it."""
    console.print(text, style=style, highlight=False, soft_wrap=True, end=end)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table with right-aligned numbers."""
    built = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], (int, float)) for row in rows)
        built.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        built.add_row(*(shown(cell) for cell in row))
    return built


def shown(value: object) -> str:
    """A value for people: thousands separated, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return str(value)


@contextmanager
def progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on the terminal's error stream; nothing when that is no terminal."""
    with _bars() as bars:
        task = bars.add_task(as_text(text), total=total)
        yield lambda done: bars.update(task, advance=done)


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars, one for each stage that is named; called with the stage, what is done and the total."""
    with _bars() as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(as_text(stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def _bars() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True)


def summary_table(title: str, summary: RunSummary) -> Table:
    """The table at the end of a command: a column for each platform that was run."""
    built = Table(title=title, title_justify="left", title_style="bold")
    built.add_column()
    for name in summary.platforms:
        built.add_column(name, justify="right")
    of_platforms = summary.platforms.values()
    for rows in ([_counted(one) for one in of_platforms], [_spent(one) for one in of_platforms]):
        for name in dict.fromkeys(name for row in rows for name in row):
            built.add_row(name, *(row.get(name, "") for row in rows))
        built.add_section()
    return built


def _counted(of: PlatformSummary) -> dict[str, str]:
    counts = {
        "days": len(of.days - of.withheld),
        "days withheld": len(of.withheld),
        "rows read": of.read,
        "rows accepted": of.accepted,
        "rows quarantined": of.quarantined,
        "metric rows published": of.published,
        "metric rows changed": of.written,
        "metric rows left out": of.left_out,
        "counters corrected": of.corrected,
    }
    return {name: shown(count) for name, count in counts.items()}


def _spent(of: PlatformSummary) -> dict[str, str]:
    stages = {**of.seconds, "all, with Dagster": of.whole}
    return {f"seconds: {stage}": f"{spent:,.1f}" for stage, spent in stages.items()}


def plan_rows(plan: Plan) -> list[tuple[object, ...]]:
    """One row per asset: its closed days by state."""
    return [
        (
            f"{plan.platform}/{asset}",
            len(states),
            *(
                sum(state.state == wanted for state in states.values())
                for wanted in ("done", "stale", "withheld", "missing")
            ),
        )
        for asset, states in plan.states.items()
    ]


def plan_lines(plan: Plan) -> list[str]:
    """What is stale or missing and why, days in few words; assets that have it in common share a line."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for asset, states in plan.states.items():
        reasons: dict[tuple[str, str], list[date]] = {}
        for day, state in sorted(states.items()):
            if state.state in ("stale", "missing"):
                reasons.setdefault((state.state, state.why), []).append(day)
        for (name, why), days in reasons.items():
            groups.setdefault((name, why, day_ranges(days)), []).append(asset)
    lines = []
    for (name, why, days_shown), assets in groups.items():
        where = "every asset" if len(assets) == len(plan.states) > 1 else ", ".join(assets)
        lines.append(f"{name} in {where}: {days_shown}{f' ({why})' if why else ''}")
    return lines


def day_ranges(days: Sequence[date]) -> str:
    """Days in few words: 2026-01-02 to 2026-01-05, 2026-01-09."""
    parts: list[str] = []
    start: date | None = None
    for number, day in enumerate(days):
        start = start or day
        if number + 1 == len(days) or days[number + 1] - day != timedelta(days=1):
            parts.append(str(day) if day == start else f"{start} to {day}")
            start = None
    return ", ".join(parts)
