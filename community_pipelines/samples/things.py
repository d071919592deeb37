"""Things that people make and add to, and moderators close: since when, until when, how popular.

Not here: what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from community_pipelines.samples.calendar import DAY, HOUR, MINUTE, NEVER, Calendar, pauses
from community_pipelines.samples.chance import Flags, Floats, Ints, any_of, met, novelty, pick
from community_pipelines.samples.people import People

_ADDED_TO_ONES_OWN = 0.35


@dataclass(frozen=True)
class Things:
    """Things in the order of their creation, each with what it belongs to (a position) and who made it.

    `moderated` is when one was decided upon at first, `rejected` whether against it; `closed` is when it was hidden,
    removed or locked, NEVER for those that stay, and `closed_as` the state that it then has.
    """

    ids: list[UUID]
    parent: Ints
    user: Ints
    created: Ints
    moderated: Ints
    rejected: Flags
    closed: Ints
    closed_as: list[str]
    appeal: Floats

    def met(self, rng: np.random.Generator, times: Ints, more: Floats | float = 1.0) -> Ints:
        """One that is there and open at each time, the popular ones more often; NONE where there is none."""
        return met(rng, times, self.created, self.appeal * more, self.closed)

    def status(self, now: int) -> list[str]:
        """What each is at a moment."""
        return [as_ if at <= now else "active" for as_, at in zip(self.closed_as, self.closed, strict=True)]

    def changed(self, now: int) -> Ints:
        """When each changed for the last time."""
        decided = np.where(self.moderated <= now, self.moderated, self.created)
        return np.where(self.closed <= now, self.closed, decided)


def closings(
    rng: np.random.Generator, created: Ints, spared: int, share: float, states: tuple[str, ...]
) -> tuple[Ints, list[str]]:
    """When moderators close that share of things, days after they were made, and the state that those then have."""
    chosen = rng.random(len(created)) < share
    chosen[:spared] = False
    closed = np.where(chosen, created + pauses(rng, 60 * HOUR, len(created)), NEVER)
    return closed, any_of(rng, states, len(created))


def additions(
    rng: np.random.Generator, calendar: Calendar, people: People, things: Things, count: int, at_once: float = 0.0
) -> tuple[Ints, Ints, Ints]:
    """Thing, user and time of what people add to things (a comment, a segment), about so many, in no order.

    Those who made a thing add to that share of them at once; what nobody is drawn to gets nothing, nor what is closed.
    """
    begun = np.flatnonzero((rng.random(len(things.ids)) < at_once) & (things.appeal > 0))[:count]
    parts = [(begun, things.user[begun], things.created[begun] + pauses(rng, 4 * MINUTE, len(begun)))]
    for day, some in enumerate(calendar.volumes(rng, (count - len(begun)) / (calendar.days + 1), 0.3).tolist()):
        start = calendar.start(day)
        # What people look at most they do not all add to.
        lively = np.sqrt(things.appeal) * novelty((start + DAY - things.created) / DAY, 1, 0, 8)
        weights = np.where(things.closed > start, lively, 0)
        if not weights.any():
            continue
        chosen, time = pick(rng, weights, some), calendar.times(rng, day, some)
        soonest = things.created[chosen] + HOUR
        time = np.where(time < soonest, soonest + rng.integers(0, 2 * HOUR, some), time)
        own = rng.random(some) < _ADDED_TO_ONES_OWN
        parts.append((chosen, np.where(own, things.user[chosen], people.someone(rng, time)), time))
    thing, user, moment = (np.concatenate(part) for part in zip(*parts, strict=True))
    there = moment < things.closed[thing]
    return thing[there], user[there], moment[there]
