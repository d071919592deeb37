"""What becomes of the sample's scenes: jobs that continue them, segments, versions of bibles, summaries.

Here: who adds to which scene and when, and what each addition leaves behind. Not here: a job's own course
(`sample_stories_jobs`), what a bible says (`sample_stories_bibles`), moderation (`sample_stories_moderation`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from community_pipelines.embedded import sample_stories_words as words
from community_pipelines.embedded.sample_gallery import DAY, HOUR, Ints, pick, times_of_day
from community_pipelines.embedded.sample_stories_bibles import Bible
from community_pipelines.embedded.sample_stories_jobs import (
    CANCELLED,
    CONTINUATION,
    FAILED,
    FINISHED,
    REGENERATION,
    STUCK,
    SUMMARY,
    Job,
    finished,
    new_job,
    rehearsals,
    sentence,
)
from community_pipelines.embedded.sample_stories_world import MINUTE, SECOND, World, new_id, one_of, pauses

# Scenes are summarized whenever they have grown by so many segments.
_SUMMARIZED = 5
# Of all jobs of the open community about 6% fail and 2% are cancelled.
_FAILS = 0.072
_CANCELLED = 0.022
_GIVES_UP = 0.3
_REGENERATED = 0.1
# So many jobs are still open at `now`.
_UNDER_WAY = 6
# After which share of all additions a job hangs.
_STUCK_AFTER = (0.35, 0.6, 0.8)


@dataclass(frozen=True)
class Segment:
    """One segment of a scene; `scene` is a position in the world's scenes, `made_with` the bible's version."""

    id: UUID
    scene: int
    user: UUID
    job: UUID
    sequence: int
    input_text: str
    script: str
    folder: str
    seconds: int
    resolution: str
    bytes: int
    made_with: int
    created: int


@dataclass(frozen=True)
class BibleVersion:
    """One version of a scene's bible; the first one is there before any segment."""

    id: UUID
    scene: int
    version: int
    data: str
    segment: UUID | None
    created: int


@dataclass(frozen=True)
class Summary:
    """What some segments of a scene were condensed to."""

    id: UUID
    scene: int
    text: str
    covered: list[int]
    created: int


@dataclass
class Course:
    """All that was made in the sample's scenes until today's end, and the jobs that made it or failed to."""

    jobs: list[Job] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    bibles: list[BibleVersion] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)


def run_course(world: World) -> Course:
    """Everything that happens in the scenes of a world, and the rehearsals before."""
    course = Course(jobs=rehearsals(world))
    scene, user, time = _additions(world)
    hangs = set(np.argsort(time, kind="stable")[[int(len(time) * share) for share in _STUCK_AFTER]].tolist())
    order = np.lexsort((time, scene))
    begins = np.searchsorted(scene[order], np.arange(world.size.scenes + 1))
    longest = int(np.argmax(np.diff(begins)))
    for number in range(world.size.scenes):
        story = _Story(world, course, number, skips=number == longest)
        for addition in order[begins[number] : begins[number + 1]]:
            story.add(int(user[addition]), int(time[addition]), addition in hangs)
    course.jobs += _under_way(world, course)
    return course


def title(rng: np.random.Generator) -> str:
    """What an idea or a scene is called."""
    name = f"The {one_of(rng, words.ADJECTIVES)} {one_of(rng, words.NOUNS)}"
    return f"{name} of {one_of(rng, words.PLACES)}" if rng.random() < 0.6 else name


def _additions(world: World) -> tuple[Ints, Ints, Ints]:
    """Scene, user and time of all that people want to add, in no order: most scenes begin at once."""
    rng, scenes, calendar = world.dice(120), world.scenes, world.calendar
    started = np.flatnonzero(rng.random(world.size.scenes) < 0.92)
    started = started[started > 0][: world.size.segments]
    first = scenes.created[started] + pauses(rng, 4 * MINUTE, len(started))
    all_scenes, users, times = [started], [scenes.user[started]], [first]
    # Some additions fail or are cancelled and given up.
    wanted = round((world.size.segments - len(started)) * 1.03)
    busy = calendar.busy(rng)
    ends = np.round(np.cumsum(busy) / busy.sum() * wanted).astype(np.int64)
    for day, count in enumerate(np.diff(ends, prepend=0)):
        start = calendar.start(day)
        age = (start + DAY - scenes.created) / DAY
        # What people look at most they do not all continue.
        lively = np.sqrt(scenes.appeal) * np.exp(-np.maximum(age - 1, 0) / 8)
        weights = np.where((age > 0) & (scenes.closed > start), lively, 0)
        if not weights.any():
            continue
        chosen = pick(rng, weights, int(count))
        weekday = (calendar.first_day.weekday() + day) % 7
        time = start + times_of_day(rng, int(count), weekday)
        soonest = scenes.created[chosen] + HOUR + rng.integers(0, 2 * HOUR, int(count))
        time = np.where(time < scenes.created[chosen] + HOUR, soonest, time)
        own = rng.random(int(count)) < 0.35
        all_scenes.append(chosen)
        users.append(np.where(own, scenes.user[chosen], world.people.someone(rng, time)))
        times.append(time)
    scene, user, moment = (np.concatenate(parts) for parts in (all_scenes, users, times))
    # Nobody adds to what moderators closed.
    there = moment < scenes.closed[scene]
    return scene[there], user[there], moment[there]


def _under_way(world: World, course: Course) -> list[Job]:
    """Jobs that are still open at `now`, in the scenes that somebody added to last."""
    rng, now = world.dice(122), world.calendar.now
    latest = {bible.scene: bible.version for bible in course.bibles if bible.created <= now}
    grown = {segment.scene: segment for segment in sorted(course.segments, key=_made) if segment.created <= now}
    jobs = []
    for scene, segment in sorted(grown.items(), key=lambda one: one[1].created)[-_UNDER_WAY:]:
        at = max(now - int(rng.integers(2, 150)) * SECOND, segment.created + SECOND)
        # Without an end they stay open at whatever `now`.
        job = new_job(
            rng, world.scenes.ids[scene], segment.user, CONTINUATION, STUCK, min(at, now), sentence(rng), latest[scene]
        )
        jobs.append(job)
    return jobs


def _made(segment: Segment) -> int:
    return segment.created


class _Story:
    """One scene as it grows. A story that skips has no segment 3: a bug of the app took the number twice."""

    def __init__(self, world: World, course: Course, scene: int, skips: bool) -> None:
        self._world, self._course, self._scene, self._skips = world, course, scene, skips
        self._id = world.scenes.ids[scene]
        self._rng = world.dice(121, scene)
        topic = world.topics[int(world.ideas.topic[world.scenes.idea[scene]])]
        self._bible = Bible(self._rng, topic.name.lower())
        self._sequence = 0
        self._segments: list[Segment] = []
        self._summarized = 0
        self._free = 0
        self._keep_bible(None, int(world.scenes.created[scene]))

    def add(self, user: int, time: int, hangs: bool) -> None:
        """Somebody adds to the scene. A scene has one job at a time, so later ones wait for it."""
        rng, author = self._rng, self._world.people.ids[user]
        text = sentence(rng)
        at = max(time, self._free + MINUTE)
        if hangs:
            # It is taken for lost after a while.
            self._course.jobs.append(self._job(author, CONTINUATION, STUCK, at, text))
            at += 30 * MINUTE
        while True:
            draw = rng.random()
            outcome = FAILED if draw < _FAILS else CANCELLED if draw < _FAILS + _CANCELLED else FINISHED
            job = self._job(author, CONTINUATION, outcome, at, text)
            self._free = job.ended
            if outcome == FINISHED:
                break
            self._course.jobs.append(job)
            if rng.random() < _GIVES_UP:
                return
            at = job.ended + int(pauses(rng, 3 * MINUTE, 1)[0])
        self._continue(job)
        if rng.random() < _REGENERATED:
            self._regenerate(self._segments[-1])
        if len(self._segments) - self._summarized == _SUMMARIZED:
            self._summarize(author)

    def _job(self, user: UUID, kind: str, outcome: str, at: int, text: str) -> Job:
        return new_job(self._rng, self._id, user, kind, outcome, at, text, self._bible.version)

    def _continue(self, job: Job) -> None:
        rng = self._rng
        self._sequence += 2 if self._skips and self._sequence == 2 else 1
        segment_id = new_id(rng)
        seconds = int(rng.integers(4, 13))
        segment = Segment(
            id=segment_id,
            scene=self._scene,
            user=job.user,
            job=job.id,
            sequence=self._sequence,
            input_text=job.input_text,
            script=f"{one_of(rng, words.SHOTS)} {job.input_text} {one_of(rng, words.TURNS)}",
            folder=f"{words.CDN}/scenes/{self._id}/{segment_id}",
            seconds=seconds,
            resolution="1080p" if rng.random() < 0.8 else "720p",
            bytes=int(seconds * rng.uniform(0.6e6, 1.1e6)),
            made_with=self._bible.version,
            # The job is over when its segment is there.
            created=job.ended - int(rng.uniform(0.05, 0.5) * SECOND),
        )
        context = {
            "bibleVersion": self._bible.version,
            "recentSegments": [str(recent.id) for recent in self._segments[-3:]],
        }
        self._segments.append(segment)
        self._course.segments.append(segment)
        if rng.random() < 0.9:
            self._bible.grow(segment.sequence)
            self._keep_bible(segment.id, segment.created)
        result = {**_urls(segment.folder), "segmentId": str(segment.id), "bibleVersion": self._bible.version}
        self._course.jobs.append(finished(job, result, context))

    def _regenerate(self, segment: Segment) -> None:
        """Another take, of which the author keeps the first one."""
        at = self._free + int(pauses(self._rng, 5 * MINUTE, 1)[0])
        draw = self._rng.random()
        outcome = FAILED if draw < _FAILS else CANCELLED if draw < _FAILS + _CANCELLED else FINISHED
        job = self._job(segment.user, REGENERATION, outcome, at, segment.input_text)
        self._free = job.ended
        result = {**_urls(f"{segment.folder}/take-2"), "segmentId": str(segment.id), "kept": False}
        self._course.jobs.append(finished(job, result) if outcome == FINISHED else job)

    def _summarize(self, user: UUID) -> None:
        covered = [segment.sequence for segment in self._segments[self._summarized :]]
        outcome = FINISHED if self._rng.random() < 0.97 else FAILED
        text = f"Segments {covered[0]} to {covered[-1]}"
        job = self._job(user, SUMMARY, outcome, self._free + SECOND, text)
        self._free = job.ended
        self._summarized = len(self._segments)
        if outcome == FAILED:
            self._course.jobs.append(job)
            return
        said = " ".join(event["event"] for event in self._bible.data["timeline"]["majorEvents"][-3:])
        summary = Summary(new_id(self._rng), self._scene, f"{text}: {said}", covered, job.ended - SECOND // 10)
        self._course.summaries.append(summary)
        self._course.jobs.append(finished(job, {"summaryId": str(summary.id), "segmentsCovered": covered}))

    def _keep_bible(self, segment: UUID | None, created: int) -> None:
        self._course.bibles.append(
            BibleVersion(new_id(self._rng), self._scene, self._bible.version, self._bible.text(), segment, created)
        )


def _urls(folder: str) -> dict[str, str]:
    return {
        "videoUrl": f"{folder}/video.mp4",
        "hlsPlaylistUrl": f"{folder}/index.m3u8",
        "thumbnailUrl": f"{folder}/thumbnail.jpg",
    }
