"""What becomes of the scenes of the story videos: jobs that continue them, segments, bibles, summaries, as rows.

Every version of a bible is valid against the schema of seed 002, keeps the ids of the version before, and speaks only
of segments that exist.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np

from community_pipelines.samples.calendar import MINUTE, SECOND, pause
from community_pipelines.samples.chance import endless_ids, one_of, some_of
from community_pipelines.samples.stories import jobs
from community_pipelines.samples.stories.world import World
from community_pipelines.samples.things import additions
from community_pipelines.samples.words import say, words
from community_pipelines.samples.writing import Row, jsonb

# Scenes are summarized whenever they have grown by so many segments.
_SUMMARIZED = 5
# Of all jobs of the open community about 6% fail and 2% are cancelled.
_FAILS, _CANCELLED, _GIVES_UP, _REGENERATED = 0.072, 0.022, 0.3, 0.1
# So many jobs are still open at `now`.
_UNDER_WAY = 6
# After which share of all additions a job hangs.
_STUCK_AFTER = (0.35, 0.6, 0.8)
# Most scenes begin at once. Some additions fail or are cancelled and given up.
_BEGUN, _TRIED = 0.92, 1.03
_MOST_CHARACTERS = 7


class Course:
    """All that was made in the scenes until today's end, and the jobs that made it or failed to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = endless_ids(world.dice("ids"))
        self.jobs: list[Row] = list(jobs.rehearsals(world, self.ids))
        self.segments: list[Row] = []
        self.bibles: list[Row] = []
        self.summaries: list[Row] = []
        tried = round(world.size.segments * _TRIED)
        scene, user, time = additions(
            world.dice("additions"), world.calendar, world.people, world.scenes, tried, at_once=_BEGUN
        )
        hangs = set(np.argsort(time, kind="stable")[[int(len(time) * share) for share in _STUCK_AFTER]].tolist())
        order = np.lexsort((time, scene))
        begins = np.searchsorted(scene[order], np.arange(world.size.scenes + 1))
        longest = int(np.argmax(np.diff(begins)))
        for number in range(world.size.scenes):
            story = _Story(self, number, skips=number == longest)
            for addition in order[begins[number] : begins[number + 1]].tolist():
                story.add(int(user[addition]), int(time[addition]), addition in hangs)
        self._under_way()

    def _under_way(self) -> None:
        """Jobs that are still open at `now`, in the scenes that somebody added to last."""
        rng, now = self.world.dice("under way"), self.world.calendar.now
        latest = {bible["scene_id"]: bible["version"] for bible in self.bibles if bible["created_at"] <= now}
        made = sorted((one for one in self.segments if one["created_at"] <= now), key=lambda one: one["created_at"])
        grown = {segment["scene_id"]: segment for segment in made}
        for scene, segment in sorted(grown.items(), key=lambda one: one[1]["created_at"])[-_UNDER_WAY:]:
            at = max(now - int(rng.integers(2, 150)) * SECOND, segment["created_at"] + SECOND)
            about = {
                "id": next(self.ids), "scene_id": scene, "user_id": segment["user_id"],
                "input_text": say(rng, "stories", "sentence"), "bible_version": latest[scene],
            }  # fmt: skip
            # Without an end they stay open at whatever `now`.
            self.jobs.append(jobs.job(self.world, rng, about, jobs.CONTINUATION, jobs.STUCK, min(at, now))[0])


def _urls(folder: str) -> dict[str, str]:
    files = {"videoUrl": "video.mp4", "hlsPlaylistUrl": "index.m3u8", "thumbnailUrl": "thumbnail.jpg"}
    return {kind: f"{folder}/{file}" for kind, file in files.items()}


class _Story:
    """One scene as it grows. A story that skips has no segment 3: a bug of the app took the number twice."""

    def __init__(self, course: Course, scene: int, skips: bool) -> None:
        world = course.world
        self._course, self._world, self._skips, self._id = course, world, skips, world.scenes.ids[scene]
        self._rng = world.dice("story", scene)
        self._bible = _Bible(self._rng, world.topics[int(world.ideas.parent[world.scenes.parent[scene]])].name.lower())
        self._sequence, self._summarized, self._free = 0, 0, 0
        self._segments: list[Row] = []
        self._keep_bible(None, int(world.scenes.created[scene]))

    def add(self, user: int, time: int, hangs: bool) -> None:
        """Somebody adds to the scene. A scene has one job at a time, so later ones wait for it."""
        rng, author, text = self._rng, self._world.people.ids[user], say(self._rng, "stories", "sentence")
        self._free = max(time, self._free + MINUTE)
        if hangs:
            # It is taken for lost after a while.
            self._course.jobs.append(
                jobs.job(self._world, rng, self._about(author, text), jobs.CONTINUATION, jobs.STUCK, self._free)[0]
            )
            self._free += 30 * MINUTE
        while not self._continue(author, text):
            if rng.random() < _GIVES_UP:
                return
            self._free += pause(rng, 3 * MINUTE)
        if rng.random() < _REGENERATED:
            self._regenerate(self._segments[-1])
        if len(self._segments) - self._summarized == _SUMMARIZED:
            self._summarize(author)

    def _about(self, user: UUID, text: str) -> Row:
        known = {"scene_id": self._id, "user_id": user, "bible_version": self._bible.version}
        return {**known, "id": next(self._course.ids), "input_text": text}

    def _job(self, user: UUID, text: str, kind: str, outcome: str, result: Any, context: Any = None) -> Row:
        """A job that begins when the scene is free, and keeps it until its end."""
        row, self._free = jobs.job(
            self._world, self._rng, self._about(user, text), kind, outcome, self._free, result, context
        )
        self._course.jobs.append(row)
        return row

    def _outcome(self) -> str:
        draw = self._rng.random()
        return jobs.FAILED if draw < _FAILS else jobs.CANCELLED if draw < _FAILS + _CANCELLED else jobs.FINISHED

    def _continue(self, user: UUID, text: str) -> bool:
        """Whether the job made a segment."""
        rng, known, outcome, one = self._rng, words("stories"), self._outcome(), next(self._course.ids)
        folder, version = f"{known['cdn']}/scenes/{self._id}/{one}", self._bible.version
        result = {**_urls(folder), "segmentId": str(one), "bibleVersion": version}
        recent = [str(segment["id"]) for segment in self._segments[-3:]]
        row = self._job(
            user, text, jobs.CONTINUATION, outcome, result, {"bibleVersion": version, "recentSegments": recent}
        )
        if outcome != jobs.FINISHED:
            return False
        self._sequence += 2 if self._skips and self._sequence == 2 else 1
        seconds = int(rng.integers(4, 13))
        script = f"{one_of(rng, known['shots'])} {text} {one_of(rng, known['turns'])}"
        segment = {
            "id": one, "scene_id": self._id, "user_id": user, "job_id": row["id"], "sequence": self._sequence,
            "input_text": text, "expanded_script": script, "video_url": result["videoUrl"],
            "hls_playlist_url": result["hlsPlaylistUrl"], "thumbnail_url": result["thumbnailUrl"],
            "duration": seconds, "resolution": "1080p" if rng.random() < 0.8 else "720p",
            "file_size": int(seconds * rng.uniform(0.6e6, 1.1e6)), "bible_version": version, "status": "active",
            # The job is over when its segment is there.
            "created_at": self._free - int(rng.uniform(0.05, 0.5) * SECOND),
        }  # fmt: skip
        self._segments.append(segment)
        self._course.segments.append(segment)
        if rng.random() < 0.9:
            self._bible.grow(self._sequence)
            self._keep_bible(one, segment["created_at"])
        return True

    def _regenerate(self, segment: Row) -> None:
        """Another take, of which the author keeps the first one."""
        self._free += pause(self._rng, 5 * MINUTE)
        folder = f"{words('stories')['cdn']}/scenes/{self._id}/{segment['id']}/take-2"
        result = {**_urls(folder), "segmentId": str(segment["id"]), "kept": False}
        self._job(segment["user_id"], segment["input_text"], jobs.REGENERATION, self._outcome(), result)

    def _summarize(self, user: UUID) -> None:
        one, covered = next(self._course.ids), [segment["sequence"] for segment in self._segments[self._summarized :]]
        outcome = jobs.FINISHED if self._rng.random() < 0.97 else jobs.FAILED
        text = f"Segments {covered[0]} to {covered[-1]}"
        self._free += SECOND
        self._job(user, text, jobs.SUMMARY, outcome, {"summaryId": str(one), "segmentsCovered": covered})
        self._summarized = len(self._segments)
        if outcome == jobs.FINISHED:
            at = self._free - SECOND // 10
            said = " ".join(event["event"] for event in self._bible.data["timeline"]["majorEvents"][-3:])
            row = {"id": one, "scene_id": self._id, "summary": f"{text}: {said}", "segments_covered": covered}
            self._course.summaries.append({**row, "created_at": at, "updated_at": at})

    def _keep_bible(self, segment: UUID | None, at: int) -> None:
        one = next(self._course.ids)
        row = {"id": one, "scene_id": self._id, "version": self._bible.version}
        data = jsonb(self._bible.data)
        self._course.bibles.append({**row, "data": data, "created_at": at, "created_by_segment_id": segment})


class _Bible:
    """The bible of one scene at its newest version, which `data` holds in the seed's form."""

    def __init__(self, rng: np.random.Generator, genre: str) -> None:
        self._rng = rng
        self._names = some_of(rng, words("stories")["called"], _MOST_CHARACTERS, _MOST_CHARACTERS)
        self.data: dict[str, Any] = {**say(rng, "stories", "bible"), "characters": [], "plotThreads": []}
        setting = self.data["setting"]
        setting["worldRules"] = [setting["worldRules"]]
        setting["locations"] = [{"name": setting["primaryLocation"], "description": setting["locations"]}]
        self.data["timeline"]["majorEvents"] = []
        self.data["styleGuide"]["genre"] = genre
        for _ in range(int(rng.integers(1, 4))):
            self._appear()
        self._open_thread()

    @property
    def version(self) -> int:
        """The newest version's number."""
        return int(self.data["version"])

    def grow(self, sequence: int) -> None:
        """The next version, which the segment of that number brings about."""
        rng, characters, timeline = self._rng, self.data["characters"], self.data["timeline"]
        self.data["version"] += 1
        if len(characters) < _MOST_CHARACTERS and rng.random() < 0.25:
            self._appear()["introducedInSegment"] = sequence
        active = [character for character in characters if character["isActive"]]
        who = one_of(rng, active)
        event = f"{who['canonicalName']} {say(rng, 'stories', 'deeds')}."
        turn = one_of(rng, words("stories")["turns"])
        timeline["majorEvents"].append({"segmentNumber": sequence, "event": event, "consequences": turn})
        timeline["currentPoint"] = f"After segment {sequence}."
        if len(active) > 1 and rng.random() < 0.04:
            who["isActive"] = False
        open_threads = [thread for thread in self.data["plotThreads"] if thread["status"] == "active"]
        if open_threads and rng.random() < 0.2:
            open_threads[0]["status"] = "resolved" if rng.random() < 0.8 else "abandoned"
        if rng.random() < 0.2:
            self._open_thread()

    def _appear(self) -> dict[str, Any]:
        rng, known, characters = self._rng, words("stories"), self.data["characters"]
        character: dict[str, Any] = {
            "entityId": f"char_{rng.bytes(4).hex()}", "canonicalName": self._names[len(characters)], "aliases": [],
            "traits": some_of(rng, known["traits"], 2, 2), "relationships": [], "isActive": True,
        }  # fmt: skip
        if characters:
            other, relation = one_of(rng, characters)["entityId"], one_of(rng, known["relations"])
            character["relationships"].append({"targetEntityId": other, "relationshipType": relation})
        characters.append(character)
        return character

    def _open_thread(self) -> None:
        threads, noun = self.data["plotThreads"], one_of(self._rng, words("stories")["nouns"]).lower()
        threads.append({"id": f"thread_{len(threads) + 1}", "description": f"Whose {noun} is it?", "status": "active"})
