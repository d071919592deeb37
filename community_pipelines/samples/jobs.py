"""Jobs: from the queue through stages to an end, some tried again on the way.

Not here: which stages and errors; a platform's `words.yml` has its stages, of each kind of job in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from community_pipelines.samples.calendar import NEVER, SECOND, pause
from community_pipelines.samples.chance import one_of
from community_pipelines.samples.words import words

MAX_RETRIES = 3
_IN_QUEUE = 12

End = Literal["finishes", "fails", "is cancelled", "hangs"]


@dataclass(frozen=True)
class Stage:
    """A stage: how often a job that fails does so in it, status and percent of one that is in it, and the seconds that
    half of them stay below."""

    name: str
    fails: float
    status: str
    percent: int
    seconds: float


@cache
def stages_of(platform: str, kind: str) -> tuple[Stage, ...]:
    """The stages of a platform's jobs of that kind."""
    return tuple(Stage(name, **stage) for name, stage in words(platform)["stages"][kind].items())


@dataclass(frozen=True)
class Run:
    """A job's course: when it left the queue, the stages that it came to with the beginning of each, and its end.

    One that was cancelled in the queue has no stage. Times that do not come are NEVER.
    """

    started: int
    stages: list[tuple[int, Stage]]
    ended: int
    error: str | None
    retries: int

    @property
    def last(self) -> Stage | None:
        """The stage that it ended in."""
        return self.stages[-1][1] if self.stages else None


def run_through(
    rng: np.random.Generator,
    stages: Sequence[Stage],
    created: int,
    end: End,
    errors: Mapping[str, Sequence[str]],
    not_tried_again: Sequence[str],
) -> Run:
    """The course of a job that ends so. `errors` are those of each stage, some of which another try cannot mend."""
    started = at = created + _took(rng, _IN_QUEUE)
    if end == "is cancelled" and rng.random() < 0.5:
        return Run(NEVER, [], at, None, 0)
    stop = None
    if end != "finishes":
        often = np.cumsum([stage.fails for stage in stages])
        stop = stages[int(np.searchsorted(often, rng.random() * often[-1], side="right"))]
    passed, error, retries = [], None, 0
    for stage in stages:
        passed.append((at, stage))
        took = _took(rng, stage.seconds)
        if stage is stop and end == "fails":
            error = one_of(rng, errors[stage.name])
            retries = 0 if error in not_tried_again else MAX_RETRIES
            # Each try waits longer than the one before.
            took += sum(_took(rng, stage.seconds) + 10 * SECOND * 2**number for number in range(retries))
        elif stop is None and rng.random() < 0.02:
            retries = min(retries + 1, MAX_RETRIES)
            took += _took(rng, stage.seconds) + 10 * SECOND
        at = NEVER if stage is stop and end == "hangs" else at + took
        if stage is stop:
            break
    return Run(started, passed, at, error, retries)


def _took(rng: np.random.Generator, median: float) -> int:
    return pause(rng, median * SECOND, 0.5)
