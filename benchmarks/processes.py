"""Starts a piece of work in a fresh process and measures it: seconds and peak memory.

Peak memory is what `wait4` says of the finished child (`ru_maxrss`: the largest resident set that it ever had,
interpreter and imports included). PostgreSQL's server processes are not in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Any

from community_pipelines.settings import process_environment

PROJECT = Path(__file__).resolve().parents[1]


class BenchmarkError(Exception):
    """A measured process failed; the message ends with what it printed."""


@dataclass(frozen=True)
class Measurement:
    """One process. `seconds` is what the work said of itself, `wall` the life of the whole process, `cpu` what
    it spent of the processors (seconds, the system's for it included)."""

    seconds: float
    wall: float
    peak_mb: float
    cpu: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """The same work measured several times."""

    runs: Sequence[Measurement]

    def median(self, of: Callable[[Measurement], float]) -> float:
        """The median of one figure of its runs."""
        return median(of(run) for run in self.runs)

    @property
    def seconds(self) -> float:
        """The median of what the work took, without starting Python and importing."""
        return self.median(lambda run: run.seconds)

    @property
    def wall(self) -> float:
        """The median life of the whole process."""
        return self.median(lambda run: run.wall)

    @property
    def cpu(self) -> float:
        """The median CPU seconds of the whole process."""
        return self.median(lambda run: run.cpu)

    @property
    def peak_mb(self) -> float:
        """The largest peak of all runs, in units of 10^6 bytes: a limit holds for every run."""
        return max(run.peak_mb for run in self.runs)

    def fact(self, name: str) -> float:
        """The median of a number that the work reported."""
        return self.median(lambda run: float(run.facts[name]))


def work(home: Path, name: str, **arguments: Any) -> Measurement:
    """Runs a function of `benchmarks.work` in a fresh process over one state folder."""
    # As a program of its own and no module, which worker processes of the work would import again.
    argv = [sys.executable, "-c", "from benchmarks.work import main; main()", name, json.dumps(arguments)]
    measured, printed = _run(argv, home)
    facts = json.loads(printed.splitlines()[-1])
    return replace(measured, seconds=facts.pop("seconds", measured.wall), facts=facts)


def command(home: Path, *arguments: str) -> Measurement:
    """Runs the `community` command in a fresh process over one state folder."""
    return process(home, [str(Path(sys.executable).with_name("community")), *arguments])


def process(home: Path, argv: Sequence[str]) -> Measurement:
    """Runs a program in a fresh process over one state folder."""
    return _run(argv, home)[0]


def in_turns(repeat: int, *tasks: Callable[[], Measurement]) -> list[Series]:
    """Measures every task that many times, taking turns, so that all see the same noise of the machine."""
    runs: list[list[Measurement]] = [[] for _ in tasks]
    for _ in range(repeat):
        for taken, task in zip(runs, tasks, strict=True):
            taken.append(task())
    return [Series(taken) for taken in runs]


def _run(argv: Sequence[str], home: Path) -> tuple[Measurement, str]:
    # The folder is the only setting: no variable and no file of the person who measures reaches the work.
    inherited = process_environment({}).items()
    environment = {name: value for name, value in inherited if not name.startswith(("COMMUNITY_", "DAGSTER_"))}
    environment |= {"COMMUNITY_HOME": str(home), "PYTHONPATH": str(PROJECT)}
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        started = time.perf_counter()
        child = subprocess.Popen(argv, env=environment, cwd=home, stdout=output, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        printed, complaints = output.read(), errors.read()
    if child.returncode != 0:
        raise BenchmarkError(f"{' '.join(argv)} ended with {child.returncode}:\n{(printed + complaints)[-4000:]}")
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measurement(wall, wall, peak / 1e6, usage.ru_utime + usage.ru_stime), printed
