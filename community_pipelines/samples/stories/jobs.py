"""The jobs of the story videos, from the queue through the AI's stages to their end, as rows that say what is now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np

from community_pipelines.samples.calendar import MINUTE
from community_pipelines.samples.jobs import MAX_RETRIES, End, run_through, stages_of
from community_pipelines.samples.stories.world import TEAM, World
from community_pipelines.samples.words import say, words
from community_pipelines.samples.writing import Row, state_at

CONTINUATION, REGENERATION, SUMMARY, REHEARSAL = "continuation", "regeneration", "summary", "rehearsal"
FINISHED, FAILED, CANCELLED, STUCK = "final_ready", "failed", "cancelled", "stuck"

# What another try cannot mend.
_NOT_TRIED_AGAIN = ("CONTENT_POLICY", "BIBLE_VERSION_CONFLICT")
_ENDS: dict[str, End] = {FINISHED: "finishes", FAILED: "fails", CANCELLED: "is cancelled", STUCK: "hangs"}
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

    `about` is what the caller knows: its id, scene, user, text and bible. `result` is what comes of it if it finishes.
    """
    now = world.calendar.now
    # An old version of the app sends none.
    key = f"{kind}-{about['id'].hex}" if rng.random() < 0.92 else None
    run = run_through(
        rng, stages_of("stories", kind), created, _ENDS[outcome], words("stories")["errors"], _NOT_TRIED_AGAIN
    )
    ended, error, last = run.ended, run.error, run.last
    at_end = (last.name, last.percent) if last else ("pending", 0)
    stage_and_progress = ("completed", 100) if outcome == FINISHED else at_end
    steps = [
        (at, (stage.status, stage.name, stage.percent, f"In {stage.name.replace('_', ' ')}."))
        for at, stage in run.stages
    ]
    final = (outcome, *stage_and_progress, _MESSAGES.get(outcome, ""))
    status, stage, progress, message = state_at(now, ("queued", "pending", 0, "Waiting."), *steps, (ended, final))
    over = ended <= now
    row = {
        **about, "type": kind, "status": status, "stage": stage, "progress": progress,
        "message": message, "context_data": context if outcome == FINISHED else None,
        "result_data": result if over and outcome == FINISHED else None,
        "error_code": error if over else None, "error_message": f"{stage}: {error}" if over and error else None,
        "retry_count": run.retries if over else 0, "max_retries": MAX_RETRIES, "created_at": created,
        "started_at": run.started, "completed_at": ended, "idempotency_key": key,
    }  # fmt: skip
    return row, ended


def rehearsals(world: World, ids: Iterator[UUID]) -> Iterator[Row]:
    """The trial runs of the year before, all of the team and of its private scene; their videos are thrown away."""
    rng, calendar = world.dice("rehearsals"), world.calendar
    months = max(1, round((calendar.first_day - calendar.year_from).days / 30.4))
    for created in calendar.moments_before(rng, months * world.size.rehearsals_per_month).tolist():
        draw, user = rng.random(), world.people.ids[int(rng.integers(TEAM))]
        outcome = FINISHED if draw < 0.8 else FAILED if draw < 0.94 else CANCELLED
        about: Row = {"id": next(ids), "scene_id": world.scenes.ids[0], "user_id": user}
        about |= {"input_text": say(rng, "stories", "sentence"), "bible_version": 1}
        result = {"discarded": True, "durationSeconds": int(rng.integers(4, 12))}
        # The last ones shall be over when the doors open.
        yield job(world, rng, about, REHEARSAL, outcome, min(created, calendar.opening - 90 * MINUTE), result)[0]
