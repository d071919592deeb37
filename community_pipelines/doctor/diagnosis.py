"""What the doctor says: one diagnosis for each thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]
MACHINE = "machine"


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at.

    `platform` is a platform's name, `dagster` for Dagster's storage, or `machine`. A `problem` keeps something
    from working, a `warning` may. `seen` never holds a secret. `advice` is what to do, several lines where there
    is SQL to paste, and empty where there is nothing to do.
    """

    platform: str
    subject: str
    level: Level
    seen: str
    advice: str = ""
