"""The jobs of the sample of stories: from the queue through the AI's stages to their end, or what they are before it.

Here: how long each stage takes, where jobs fail and are tried again, what a job is at a moment, and the rehearsals
of the year before. Not here: why a job is started and what it makes (`sample_stories_scenes`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np

from community_pipelines.embedded import sample_stories_words as words
from community_pipelines.embedded.sample_stories_world import MINUTE, NEVER, SECOND, TEAM, World, new_id, one_of

CONTINUATION, REGENERATION, SUMMARY, REHEARSAL = "continuation", "regeneration", "summary", "rehearsal"
FINISHED, FAILED, CANCELLED, STUCK = "final_ready", "failed", "cancelled", "stuck"

MAX_RETRIES = 3
# What another try cannot mend.
_NOT_TRIED_AGAIN = ("CONTENT_POLICY", "BIBLE_VERSION_CONFLICT")
_FAILED_OFTEN = {
    "script_expansion": 0.25,
    "continuity_validation": 0.15,
    "video_generation": 0.42,
    "upload": 0.1,
    "finalization": 0.08,
}
# stage → status and percent of a job that is in it
_IN_STAGE = {
    "script_expansion": ("processing", 10),
    "continuity_validation": ("script_ready", 30),
    "video_generation": ("continuity_checked", 50),
    "upload": ("preview_ready", 85),
    "finalization": ("preview_ready", 95),
}
_VIDEO_SECONDS = {
    "script_expansion": 22,
    "continuity_validation": 9,
    "video_generation": 130,
    "upload": 14,
    "finalization": 4,
}
# type → the seconds that half of its jobs stay below in each stage
_STAGE_SECONDS = {
    CONTINUATION: _VIDEO_SECONDS,
    REGENERATION: {**_VIDEO_SECONDS, "script_expansion": 6, "video_generation": 150},
    SUMMARY: {"script_expansion": 18, "finalization": 1},
    REHEARSAL: {**_VIDEO_SECONDS, "video_generation": 260},
}
_MESSAGES = {FINISHED: "Done.", FAILED: "The last try failed.", CANCELLED: "Cancelled by the author."}


@dataclass(frozen=True)
class Job:
    """One job's whole life; `stages` are those that it came to, each with the time at which it left it.

    A stuck job never leaves its last stage. Times that do not come are NEVER.
    """

    id: UUID
    scene: UUID
    user: UUID
    kind: str
    input_text: str
    bible_version: int
    created: int
    started: int
    ended: int
    outcome: str
    stages: tuple[tuple[str, int], ...]
    error: str | None
    retries: int
    key: str | None
    context: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


@dataclass(frozen=True)
class JobState:
    """What a job's row says at a moment."""

    status: str
    stage: str
    progress: int
    message: str
    started: int
    ended: int
    over: bool


def state(job: Job, now: int) -> JobState:
    """What the row of a job says that was queued before `now`."""
    if job.ended <= now:
        # Who cancels a job in the queue cancels it before it has a stage.
        last = job.stages[-1][0] if job.stages else "pending"
        progress = _IN_STAGE[last][1] if job.stages else 0
        if job.outcome == FINISHED:
            last, progress = "completed", 100
        return JobState(job.outcome, last, progress, _MESSAGES[job.outcome], job.started, job.ended, True)
    if job.started > now:
        return JobState("queued", "pending", 0, "Waiting.", NEVER, NEVER, False)
    stage = next(stage for stage, left in job.stages if left > now)
    status, progress = _IN_STAGE[stage]
    if job.kind == SUMMARY:
        status = "processing"
    return JobState(status, stage, progress, f"In {stage.replace('_', ' ')}.", job.started, NEVER, False)


def new_job(
    rng: np.random.Generator,
    scene: UUID,
    user: UUID,
    kind: str,
    outcome: str,
    created: int,
    input_text: str,
    bible_version: int,
) -> Job:
    """A job that ends so. Finished ones have no result yet: give it with `finished`."""
    job = Job(
        id=new_id(rng),
        scene=scene,
        user=user,
        kind=kind,
        input_text=input_text,
        bible_version=bible_version,
        created=created,
        started=NEVER,
        ended=NEVER,
        outcome=outcome,
        stages=(),
        error=None,
        retries=0,
        # An old version of the app sends none.
        key=f"{kind}-{rng.bytes(12).hex()}" if rng.random() < 0.92 else None,
    )
    waited = created + _seconds(rng, 12)
    if outcome == CANCELLED and rng.random() < 0.5:
        return replace(job, ended=waited)
    return _through_stages(rng, replace(job, started=waited))


def finished(job: Job, result: dict[str, Any], context: dict[str, Any] | None = None) -> Job:
    """The job with what came out of it."""
    return replace(job, result=result, context=context)


def rehearsals(world: World) -> list[Job]:
    """The trial runs of the year before, all of the team and of its private scene; their videos are thrown away."""
    rng = world.dice(110)
    months = max(1, round((world.calendar.first_day - world.calendar.year_from).days / 30.4))
    jobs = []
    for created in world.calendar.moments_before(rng, months * world.size.rehearsals_per_month):
        outcome = str(rng.choice((FINISHED, FAILED, CANCELLED), p=(0.8, 0.14, 0.06)))
        # The last ones shall be over when the doors open.
        started = min(int(created), world.calendar.opening - 90 * MINUTE)
        user = world.people.ids[int(rng.integers(TEAM))]
        job = new_job(rng, world.scenes.ids[0], user, REHEARSAL, outcome, started, sentence(rng), 1)
        result = {"discarded": True, "durationSeconds": int(rng.integers(4, 12))}
        jobs.append(finished(job, result) if outcome == FINISHED else job)
    return jobs


def sentence(rng: np.random.Generator) -> str:
    """What an author writes for the AI to continue with."""
    deed = one_of(rng, words.DEEDS).format(noun=one_of(rng, words.NOUNS).lower())
    return f"{one_of(rng, words.CALLED)} {deed}. {one_of(rng, words.TURNS)}"


def _through_stages(rng: np.random.Generator, job: Job) -> Job:
    """The job with its stages, up to the one where it fails, is cancelled or stays."""
    seconds = _STAGE_SECONDS[job.kind]
    names = list(seconds)
    stop = None
    if job.outcome != FINISHED:
        often = np.array([_FAILED_OFTEN[name] for name in names])
        stop = names[int(rng.choice(len(names), p=often / often.sum()))]
    at = job.started
    stages: list[tuple[str, int]] = []
    error, retries = None, 0
    for name in names:
        took = _seconds(rng, seconds[name])
        if name == stop and job.outcome == FAILED:
            error = one_of(rng, words.ERRORS[name])
            retries = 0 if error in _NOT_TRIED_AGAIN else MAX_RETRIES
            # Each try waits longer than the one before.
            took += sum(_seconds(rng, seconds[name]) + 10 * SECOND * 2**number for number in range(retries))
        elif stop is None and rng.random() < 0.02:
            retries = min(retries + 1, MAX_RETRIES)
            took += _seconds(rng, seconds[name]) + 10 * SECOND
        at += took
        if name == stop:
            left = NEVER if job.outcome == STUCK else at
            return replace(job, stages=(*stages, (name, left)), ended=left, error=error, retries=retries)
        stages.append((name, at))
    return replace(job, stages=tuple(stages), ended=at, retries=retries)


def _seconds(rng: np.random.Generator, median: float) -> int:
    return int(rng.lognormal(np.log(median), 0.5) * SECOND)
