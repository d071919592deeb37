"""What judging gives: one expectation's verdict on one day. Not here: how days are judged (`judge`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One expectation judged on one day. Errors withhold the day, warnings report."""

    expectation: str
    column: str
    severity: Literal["error", "warning"]
    success: bool
    observed: object
    expected: str
