"""Tables that people see in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from community_pipelines.commands.terminal import TextConsole, as_text
from community_pipelines.flow.plan import Plan
from community_pipelines.models.gone import SWEPT

if TYPE_CHECKING:
    import dagster as dg

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


@dataclass
class PlatformSummary:
    """What the runs of one command did on one platform, added up from their events."""

    days: set[str] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    published: int = 0
    written: int = 0
    left_out: int = 0
    corrected: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    whole: float = 0.0
    _corrections_seen: set[tuple[str, dg.AssetKey]] = field(default_factory=set)

    def add(self, event: dg.DagsterEvent, key: dg.AssetKey, run_id: str) -> None:
        """Takes the materialization of a day."""
        materialization = event.step_materialization_data.materialization
        facts = {name: value.value for name, value in materialization.metadata.items()}
        self.days.add(str(materialization.partition))
        if key.path[1] == "raw":
            self.read += int(_number(facts.get("read")))
            self.accepted += int(_number(facts.get("dagster/partition_row_count")))
            self.quarantined += int(_number(facts.get("quarantined")))
        elif "published" in facts:
            self.published += int(_number(facts["published"]))
            self.written += int(_number(facts["published"])) if facts.get("changed") else 0
            self.left_out += int(_number(facts.get("left out"))) if facts.get("changed") else 0
        elif "corrected" in facts and (run_id, key) not in self._corrections_seen:
            self._corrections_seen.add((run_id, key))
            self.corrected += int(_number(facts["corrected"]))

    @property
    def counted(self) -> dict[str, str]:
        """What is shown of it, by name."""
        counts = {
            "days": len(self.days - self.withheld),
            "days withheld": len(self.withheld),
            "rows read": self.read,
            "rows accepted": self.accepted,
            "rows quarantined": self.quarantined,
            "metric rows published": self.published,
            "metric rows changed": self.written,
            "metric rows left out": self.left_out,
            "counters corrected": self.corrected,
        }
        return {name: shown(count) for name, count in counts.items()}

    @property
    def spent(self) -> dict[str, str]:
        """The seconds of each stage and of all, by name."""
        stages = {**self.seconds, "all, with Dagster": self.whole}
        return {f"seconds: {stage}": f"{spent:,.1f}" for stage, spent in stages.items()}


@dataclass
class RunSummary:
    """What the runs of one command did, by platform."""

    platforms: dict[str, PlatformSummary] = field(default_factory=dict)

    def see(self, event: dg.DagsterEvent, run_id: str) -> bool:
        """Takes one event; True when it settles one day of one asset."""
        import dagster as dg

        from community_pipelines.orchestration.daily import AUDIT

        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.check_name != AUDIT:
                return False
            if not check.passed:
                self._of(check.asset_key).withheld.add(str(check.partition))
            return True
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            self._of(event.asset_key).add(event, event.asset_key, run_id)
        if event.event_type == dg.DagsterEventType.ASSET_OBSERVATION and event.asset_key is not None:
            facts = event.asset_observation_data.asset_observation.metadata
            self._of(event.asset_key).left_out += int(_number(facts[SWEPT].value)) if SWEPT in facts else 0
        return False

    def add_seconds(self, platform: str, seconds: Mapping[str, float], whole: float) -> None:
        """Adds one run's seconds by stage, and those of the whole run."""
        of = self.platforms.setdefault(platform, PlatformSummary())
        for stage, spent in seconds.items():
            of.seconds[stage] = of.seconds.get(stage, 0.0) + spent
        of.whole += whole

    def table(self, title: str) -> Table:
        """The table at the end of a command: a column for each platform that was run."""
        built = Table(title=title, title_justify="left", title_style="bold")
        built.add_column()
        for name in self.platforms:
            built.add_column(name, justify="right")
        for rows in ([one.counted for one in self.platforms.values()], [one.spent for one in self.platforms.values()]):
            for name in dict.fromkeys(name for row in rows for name in row):
                built.add_row(name, *(row.get(name, "") for row in rows))
            built.add_section()
        return built

    def _of(self, key: dg.AssetKey) -> PlatformSummary:
        return self.platforms.setdefault(key.path[0], PlatformSummary())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


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
