"""The moderation of the sample of stories: who flags what, and what becomes of it.

Here: flags about ideas, scenes, segments, users and topics, and the segments and users that a decision concerns.
Not here: which ideas and scenes moderators close and when, as the world says it; each has a flag here that led to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from community_pipelines.embedded import sample_stories_words as words
from community_pipelines.embedded.sample_gallery import HOUR, Ints
from community_pipelines.embedded.sample_stories_scenes import Segment
from community_pipelines.embedded.sample_stories_world import MINUTE, NEVER, TEAM, World, new_id, one_of, pauses

_ACTIONS = {"hidden": "content_hidden", "removed": "content_removed", "locked": "scene_locked"}
# What moderators do about half of the flags that do not close anything: nothing, or a word with the author.
_DISMISSED = 0.7
_FLAGGED_SEGMENTS = 0.03
_FLAGGED_SCENES = 0.02
_FLAGGED_IDEAS = 0.02
_FLAGGED_USERS = 0.006
_FLAGGED_TOPICS = 3


@dataclass(frozen=True)
class Flag:
    """One flag; without a reporter it was found automatically. An undecided one has `reviewed` NEVER."""

    id: UUID
    target_type: str
    target: UUID
    reporter: UUID | None
    reason: str
    description: str | None
    created: int
    taken_up: int
    reviewed: int
    reviewer: UUID
    status: str
    action: str | None


@dataclass
class Moderation:
    """All flags until today's end, and when which segment and user (by position) was closed, and how."""

    flags: list[Flag] = field(default_factory=list)
    segments: dict[UUID, tuple[int, str]] = field(default_factory=dict)
    suspended: dict[int, int] = field(default_factory=dict)


def flag_status(flag: Flag, now: int) -> str:
    """What a flag's row says at a moment."""
    if flag.reviewed <= now:
        return flag.status
    return "reviewing" if flag.taken_up <= now else "pending"


def moderate(world: World, segments: list[Segment]) -> Moderation:
    """The flags about everything that a world and its segments hold."""
    return _Moderators(world).work(segments)


class _Moderators:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.dice(130)
        self._done = Moderation()

    def work(self, segments: list[Segment]) -> Moderation:
        world, rng = self._world, self._rng
        ideas, scenes = world.ideas, world.scenes
        for kind, ids, created, closed, closed_as, share in (
            ("idea", ideas.ids, ideas.created, ideas.closed, ideas.closed_as, _FLAGGED_IDEAS),
            ("scene", scenes.ids, scenes.created, scenes.closed, scenes.closed_as, _FLAGGED_SCENES),
        ):
            for number in range(1, len(ids)):
                if closed[number] != NEVER:
                    self._closed(kind, ids[number], int(created[number]), int(closed[number]), closed_as[number])
                elif rng.random() < share:
                    self._tolerated(kind, ids[number], int(created[number]))
        for segment in segments:
            if rng.random() < _FLAGGED_SEGMENTS:
                self._about_segment(segment)
        self._about_users()
        for topic in world.topics[:_FLAGGED_TOPICS]:
            self._tolerated("topic", topic.id, world.calendar.opening + int(rng.integers(1, 24 * HOUR)))
        self._done.flags.sort(key=lambda flag: flag.created)
        return self._done

    def _about_segment(self, segment: Segment) -> None:
        if self._rng.random() < 0.55:
            self._tolerated("segment", segment.id, segment.created)
            return
        closed_as = "hidden" if self._rng.random() < 0.7 else "removed"
        closed = segment.created + self._some(9 * HOUR)
        self._done.segments[segment.id] = (closed, closed_as)
        self._closed("segment", segment.id, segment.created, closed, closed_as)

    def _about_users(self) -> None:
        world, rng = self._world, self._rng
        for user in range(TEAM, world.size.users):
            if rng.random() >= _FLAGGED_USERS:
                continue
            since = max(int(world.people.created[user]), world.calendar.opening)
            if rng.random() < 0.6:
                self._tolerated("user", world.people.ids[user], since)
                continue
            created = since + self._some(40 * HOUR)
            reviewed = created + self._some(5 * HOUR)
            suspended = rng.random() < 0.4
            if suspended:
                self._done.suspended[user] = reviewed
            action = "user_suspended" if suspended else "user_warned"
            self._flag("user", world.people.ids[user], created, reviewed, "resolved", action)

    def _closed(self, kind: str, target: UUID, created: int, closed: int, closed_as: str) -> None:
        """The flags, one or more, that led to a target being closed."""
        for _ in range(1 + int(self._rng.random() < 0.2)):
            flagged = created + int((closed - created) * self._rng.uniform(0.05, 0.9))
            self._flag(kind, target, flagged, closed, "resolved", _ACTIONS[closed_as])

    def _tolerated(self, kind: str, target: UUID, created: int) -> None:
        """A flag that closes nothing; one in thirty is never decided."""
        flagged = created + self._some(6 * HOUR)
        reviewed = NEVER if self._rng.random() < 1 / 30 else flagged + self._some(7 * HOUR)
        if self._rng.random() < _DISMISSED:
            self._flag(kind, target, flagged, reviewed, "dismissed", None)
        else:
            self._flag(kind, target, flagged, reviewed, "resolved", "user_warned")

    def _flag(self, kind: str, target: UUID, created: int, reviewed: int, status: str, action: str | None) -> None:
        rng, people = self._rng, self._world.people
        automatic = kind in ("idea", "scene", "segment") and rng.random() < 0.35
        reporter = None if automatic else people.ids[int(people.someone(rng, np.array([created]))[0])]
        # What nobody ever decides is not taken up either.
        taken_up = NEVER if reviewed == NEVER else created + int((reviewed - created) * rng.uniform(0.2, 0.9))
        self._done.flags.append(
            Flag(
                id=new_id(rng),
                target_type=kind,
                target=target,
                reporter=reporter,
                reason=one_of(rng, words.FLAG_REASONS),
                description=None if automatic or rng.random() < 0.5 else one_of(rng, words.FLAG_TEXTS),
                created=created,
                taken_up=taken_up,
                reviewed=reviewed,
                reviewer=people.ids[int(rng.integers(1, TEAM))],
                status=status,
                action=action,
            )
        )

    def _some(self, median: int) -> int:
        drawn: Ints = pauses(self._rng, median, 1, 1.1)
        return MINUTE + int(drawn[0])
