"""What a step of a platform's daily flow gives to whoever runs it.

Only the shapes that pass between the two; the steps themselves are in `raw`, `model` and `counters`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, TypeVar

from community_pipelines.quality.findings import Finding

# Platform, group and name of an asset.
Key = tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A table for people among a day's metadata."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]

    @property
    def markdown(self) -> str:
        """The same in Markdown; empty cells for None."""
        lines = ["| " + " | ".join(self.header) + " |", "|" + "---|" * len(self.header)]
        for row in self.rows:
            cells = ("" if cell is None else str(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


@dataclass(frozen=True)
class DayResult:
    """What became of one UTC day in one step.

    A day that is not accepted keeps what was published before; `reason` says why in a sentence. `metadata` is
    shown with the day's materialization; its `rows` counts the day's rows.
    """

    day: date
    accepted: bool
    reason: str | None = None
    findings: Sequence[Finding] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Days(Protocol):
    """The window that a run works on."""

    @property
    def days(self) -> Sequence[date]:
        """The UTC days of the window, ascending."""
        ...


WindowT = TypeVar("WindowT", bound=Days, contravariant=True)
