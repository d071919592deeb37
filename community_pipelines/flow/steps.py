"""What a step of a platform's daily flow promises to the builder in `orchestration/daily.py`.

Only the shapes that pass between the two; the steps themselves are in `raw`, `model` and `counters`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from community_pipelines.quality.findings import Finding

if TYPE_CHECKING:
    import dagster as dg


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


class Step(Protocol[WindowT]):
    """One asset of the flow."""

    @property
    def key(self) -> dg.AssetKey:
        """The asset that the step makes."""
        ...

    def spec(self) -> dg.AssetSpec:
        """The asset as people see it: dependencies, group, kinds, owners, description, column metadata."""
        ...

    def run(self, window: WindowT) -> Iterable[DayResult]:
        """Do the work and report exactly one result for every day of the window."""
        ...
