"""What a start costs before any work: CPU seconds of whole processes over both samples, every day of them done.

The goals are seconds on a machine that imports Dagster in one second. So that is the floor: machines differ more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import Measurement, Series, command, in_turns, process
from benchmarks.report import Line

IMPORT_DAGSTER = ("-c", "import dagster")
LOAD_LOCATION = ("-c", "from community_pipelines.orchestration.definitions import defs; defs()")


def startup(home: Path, repeat: int) -> list[Line]:
    """Help, a look, a run with nothing to do, and the code location that Dagster loads."""
    # The first run loads the samples and makes all their days.
    command(home, "run")

    def python(arguments: Sequence[str]) -> Measurement:
        return process(home, [sys.executable, *arguments])

    dagster, help_, status, run, location = in_turns(
        repeat,
        lambda: python(IMPORT_DAGSTER),
        lambda: command(home, "--help"),
        lambda: command(home, "status"),
        lambda: command(home, "run"),
        lambda: python(LOAD_LOCATION),
    )

    def line(figure: str, ours: Series, limit: float) -> Line:
        return Line(
            "start", figure, f"{ours.cpu:.2f} s CPU", f"{dagster.cpu:.2f} s CPU", ours.cpu / dagster.cpu, limit=limit
        )

    return [
        line("community --help, against `import dagster`", help_, 0.3),
        line("community status, both samples", status, 1.5),
        line("community run, nothing to do", run, 3),
        line("the code location", location, 2),
    ]
