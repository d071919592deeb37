"""The moderation of the story videos, as rows: who flags what, and what becomes of it.

Not here: which ideas and scenes moderators close and when, as the world says it; each has a flag here that led to it.
"""

from __future__ import annotations

from uuid import UUID

import numpy as np

from community_pipelines.samples.calendar import HOUR, MINUTE, NEVER, pause
from community_pipelines.samples.chance import endless_ids, one_of
from community_pipelines.samples.stories.world import TEAM, World
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import Row, state_at

_ACTIONS = {"hidden": "content_hidden", "removed": "content_removed", "locked": "scene_locked"}
# What moderators do about the flags that do not close anything: nothing, or a word with the author.
_DISMISSED, _NEVER_DECIDED = 0.7, 1 / 30
_FLAGGED_SEGMENTS, _FLAGGED_THINGS, _FLAGGED_USERS, _FLAGGED_TOPICS = 0.03, 0.02, 0.006, 3


class Moderation:
    """All flags until today's end, and when which user (by position) was suspended; segments are closed in place."""

    def __init__(self, world: World, segments: list[Row]) -> None:
        self._world = world
        self._rng = rng = world.dice("moderation")
        self._ids = endless_ids(world.dice("flags"))
        self.flags: list[Row] = []
        self.suspended: dict[int, int] = {}
        for kind, things in (("idea", world.ideas), ("scene", world.scenes)):
            for one, created, closed, closed_as in list(
                zip(things.ids, things.created.tolist(), things.closed.tolist(), things.closed_as, strict=True)
            )[1:]:
                if closed != NEVER:
                    self._closed(kind, one, created, closed, closed_as)
                elif rng.random() < _FLAGGED_THINGS:
                    self._tolerated(kind, one, created)
        for segment in segments:
            if rng.random() < _FLAGGED_SEGMENTS:
                self._about_segment(segment)
        for user in range(TEAM, world.size.users):
            if rng.random() < _FLAGGED_USERS:
                self._about_user(user)
        for place, topic in enumerate(world.topics[:_FLAGGED_TOPICS]):
            at = world.calendar.opening + int(rng.integers(1, 24 * HOUR))
            # The first one is forgotten in every sample.
            self._tolerated("topic", topic.id, at, 1.0 if place == 0 else _NEVER_DECIDED)

    def _about_segment(self, segment: Row) -> None:
        created = segment["created_at"]
        if self._rng.random() < 0.55:
            self._tolerated("segment", segment["id"], created)
            return
        closed_as = "hidden" if self._rng.random() < 0.7 else "removed"
        closed = created + self._some(9 * HOUR)
        segment["status"] = state_at(self._world.calendar.now, "active", (closed, closed_as))
        self._closed("segment", segment["id"], created, closed, closed_as)

    def _about_user(self, user: int) -> None:
        one, since = (
            self._world.people.ids[user],
            max(int(self._world.people.created[user]), self._world.calendar.opening),
        )
        if self._rng.random() < 0.6:
            self._tolerated("user", one, since)
            return
        created = since + self._some(40 * HOUR)
        reviewed = created + self._some(5 * HOUR)
        if suspended := self._rng.random() < 0.4:
            self.suspended[user] = reviewed
        self._flag("user", one, created, reviewed, "user_suspended" if suspended else "user_warned")

    def _closed(self, kind: str, target: UUID, created: int, closed: int, closed_as: str) -> None:
        """The flags, one or more, that led to a target being closed."""
        for _ in range(1 + int(self._rng.random() < 0.2)):
            flagged = created + int((closed - created) * self._rng.uniform(0.05, 0.9))
            self._flag(kind, target, flagged, closed, _ACTIONS[closed_as])

    def _tolerated(self, kind: str, target: UUID, created: int, forgotten: float = _NEVER_DECIDED) -> None:
        """A flag that closes nothing; one in thirty is never decided."""
        flagged = created + self._some(6 * HOUR)
        reviewed = NEVER if self._rng.random() < forgotten else flagged + self._some(7 * HOUR)
        self._flag(kind, target, flagged, reviewed, None if self._rng.random() < _DISMISSED else "user_warned")

    def _flag(self, kind: str, target: UUID, created: int, reviewed: int, action: str | None) -> None:
        """A flag as it is at `now`; without an action it is dismissed."""
        rng, people, now, known = self._rng, self._world.people, self._world.calendar.now, words("stories")
        # Without a reporter it was found automatically.
        automatic = kind in ("idea", "scene", "segment") and rng.random() < 0.35
        reporter = None if automatic else people.ids[int(people.someone(rng, np.array([created]))[0])]
        # What nobody ever decides is not taken up either.
        taken_up = NEVER if reviewed == NEVER else created + int((reviewed - created) * rng.uniform(0.2, 0.9))
        status = state_at(now, "pending", (taken_up, "reviewing"), (reviewed, "resolved" if action else "dismissed"))
        text = None if automatic or rng.random() < 0.5 else one_of(rng, known["flag_texts"])
        reviewer = people.ids[int(rng.integers(1, TEAM))]
        self.flags.append({
            "id": next(self._ids), "target_type": kind, "target_id": target, "reporter_id": reporter,
            "reason": one_of(rng, known["flag_reasons"]), "description": text, "status": status,
            "reviewed_by": None if status == "pending" else reviewer, "reviewed_at": reviewed,
            "action_taken": action if status == "resolved" else None, "created_at": created,
        })  # fmt: skip

    def _some(self, median: int) -> int:
        return MINUTE + pause(self._rng, median, 1.1)
