"""The table in the terminal, the JSON file, and the machine that the figures belong to."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.table import Table
from rich.text import Text

from community_pipelines.commands.terminal import TextConsole

console = TextConsole(width=None if sys.stdout.isatty() else 120)


@dataclass(frozen=True)
class Line:
    """One figure against its limit.

    `value` is in `unit`: x (ratio of the medians), s (seconds more than the floor) or MB. `ours` and `floor` say
    what it was made of. A line without a limit is only reported.
    """

    stage: str
    figure: str
    ours: str
    floor: str
    value: float | None
    unit: str = "x"
    limit: float | None = None
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None where there is none."""
        return None if self.limit is None or self.value is None else self.value <= self.limit

    def shown(self, value: float | None) -> str:
        """A value in the line's unit."""
        if value is None:
            return ""
        text = {"x": f"{value:.2f}x", "s": f"{value:+.1f} s", "MB": f"{value:.0f} MB"}
        return text[self.unit]


def table(title: str, lines: Sequence[Line]) -> Table:
    """All lines, with what is missed in red."""
    built = Table(title=title, title_justify="left", title_style="bold")
    for name in ("stage", "figure", "ours", "floor"):
        built.add_column(name, overflow="fold")
    for name in ("measured", "limit", ""):
        built.add_column(name, justify="right")
    for number, line in enumerate(lines):
        met = Text("") if line.met is None else Text("met", "green") if line.met else Text("missed", "bold red")
        first = number == 0 or lines[number - 1].stage != line.stage
        limit = "" if line.limit is None else f"≤ {line.shown(line.limit).lstrip('+')}"
        built.add_row(
            line.stage if first else "", line.figure, line.ours, line.floor, line.shown(line.value), limit, met
        )
    return built


def machine() -> dict[str, object]:
    """The machine, as far as the figures depend on it."""
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def write(path: Path, lines: Sequence[Line], facts: Mapping[str, object]) -> None:
    """Writes everything as JSON, with each line's limit and whether it is met."""
    data = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "lines": [{**asdict(line), "met": line.met} for line in lines],
    }
    path.write_text(json.dumps(data, indent=2) + "\n")
