"""The jobs of the story videos, from the queue through the AI's stages to their end, as rows that say what is now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from community_pipelines.samples.calendar import MINUTE, NEVER, SECOND, pauses
from community_pipelines.samples.chance import new_ids, one_of
from community_pipelines.samples.stories.world import TEAM, World, sentence
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import Row, state_at

CONTINUATION, REGENERATION, SUMMARY, REHEARSAL = "continuation", "regeneration", "summary", "rehearsal"
FINISHED, FAILED, CANCELLED, STUCK = "final_ready", "failed", "cancelled", "stuck"

_MAX_RETRIES = 3
# What another try cannot mend.
_NOT_TRIED_AGAIN = ("CONTENT_POLICY", "BIBLE_VERSION_CONFLICT")
# stage → how often a job fails in it, status and percent of one that is in it, the seconds that half of them stay below
_STAGES = {
    "script_expansion": (0.25, "processing", 10, 22),
    "continuity_validation": (0.15, "script_ready", 30, 9),
    "video_generation": (0.42, "continuity_checked", 50, 130),
    "upload": (0.1, "preview_ready", 85, 14),
    "finalization": (0.08, "preview_ready", 95, 4),
}
# type → the seconds of its stages, where they are others
_SECONDS = {
    REGENERATION: {"script_expansion": 6, "video_generation": 150},
    REHEARSAL: {"video_generation": 260},
    SUMMARY: {"script_expansion": 18, "finalization": 1},
}
_MESSAGES = {FINISHED: "Done.", FAILED: "The last try failed.", CANCELLED: "Cancelled by the author."}


def job(
    world: World,
    rng: np.random.Generator,
    about: Row,
    kind: str,
    outcome: str,
    created: int,
    result: Any = None,
    context: Any = None,
) -> tuple[Row, int]:
    """The row of a job that ends so, as it is at `now`, and when it ends (NEVER when it is stuck).

    `about` is what the caller knows: scene, user, text, bible. `result` is what comes out of it if it finishes.
    """
    now = world.calendar.now
    (one,) = new_ids(rng, 1)
    # An old version of the app sends none.
    key = f"{kind}-{rng.bytes(12).hex()}" if rng.random() < 0.92 else None
    started = created + _seconds(rng, 12)
    stages: list[tuple[str, int]] = []
    error, retries, ended = None, 0, started
    # Who cancels a job in the queue cancels it before it has a stage.
    if outcome != CANCELLED or rng.random() >= 0.5:
        stages, error, retries, ended = _through_stages(rng, kind, outcome, started)
    else:
        started = NEVER
    steps: list[tuple[int, tuple[str, str, int, str]]] = []
    since = started
    for stage, left in stages:
        _, status, progress, _ = _STAGES[stage]
        status = "processing" if kind == SUMMARY else status
        steps.append((since, (status, stage, progress, f"In {stage.replace('_', ' ')}.")))
        since = left
    last, progress = (stages[-1][0], _STAGES[stages[-1][0]][2]) if stages else ("pending", 0)
    last, progress = ("completed", 100) if outcome == FINISHED else (last, progress)
    steps.append((ended, (outcome, last, progress, _MESSAGES.get(outcome, ""))))
    status, stage, progress, message = state_at(now, ("queued", "pending", 0, "Waiting."), *steps)
    over = ended <= now
    row = {
        "id": one, **about, "type": kind, "status": status, "stage": stage, "progress": progress, "message": message,
        "context_data": context if outcome == FINISHED else None,
        "result_data": result if over and outcome == FINISHED else None,
        "error_code": error if over else None, "error_message": f"{stage}: {error}" if over and error else None,
        "retry_count": retries if over else 0, "max_retries": _MAX_RETRIES, "created_at": created,
        "started_at": started, "completed_at": ended, "idempotency_key": key,
    }  # fmt: skip
    return row, ended


def rehearsals(world: World) -> Iterator[Row]:
    """The trial runs of the year before, all of the team and of its private scene; their videos are thrown away."""
    rng, calendar = world.dice("rehearsals"), world.calendar
    months = max(1, round((calendar.first_day - calendar.year_from).days / 30.4))
    for created in calendar.moments_before(rng, months * world.size.rehearsals_per_month).tolist():
        draw, user = rng.random(), world.people.ids[int(rng.integers(TEAM))]
        outcome = FINISHED if draw < 0.8 else FAILED if draw < 0.94 else CANCELLED
        about = {"scene_id": world.scenes.ids[0], "user_id": user, "input_text": sentence(rng), "bible_version": 1}
        result = {"discarded": True, "durationSeconds": int(rng.integers(4, 12))}
        # The last ones shall be over when the doors open.
        yield job(world, rng, about, REHEARSAL, outcome, min(created, calendar.opening - 90 * MINUTE), result)[0]


def _through_stages(
    rng: np.random.Generator, kind: str, outcome: str, at: int
) -> tuple[list[tuple[str, int]], str | None, int, int]:
    """The stages with the time at which each is left, up to the one where the job fails, is cancelled or stays; its
    error, how often it was tried again, and its end."""
    own = _SECONDS.get(kind, {})
    seconds = own if kind == SUMMARY else {name: stage[3] for name, stage in _STAGES.items()} | own
    names, stop = list(seconds), None
    if outcome != FINISHED:
        often = np.array([_STAGES[name][0] for name in names])
        stop = names[int(rng.choice(len(names), p=often / often.sum()))]
    stages: list[tuple[str, int]] = []
    error, retries = None, 0
    for name in names:
        took = _seconds(rng, seconds[name])
        if name == stop and outcome == FAILED:
            error = one_of(rng, words("stories")["errors"][name])
            retries = 0 if error in _NOT_TRIED_AGAIN else _MAX_RETRIES
            # Each try waits longer than the one before.
            took += sum(_seconds(rng, seconds[name]) + 10 * SECOND * 2**number for number in range(retries))
        elif stop is None and rng.random() < 0.02:
            retries = min(retries + 1, _MAX_RETRIES)
            took += _seconds(rng, seconds[name]) + 10 * SECOND
        at = NEVER if name == stop and outcome == STUCK else at + took
        stages.append((name, at))
        if name == stop:
            break
    return stages, error, retries, at


def _seconds(rng: np.random.Generator, median: float) -> int:
    return int(pauses(rng, median * SECOND, 1, 0.5)[0])
