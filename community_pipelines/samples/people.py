"""Who there is: people in the order of their sign-up, how busy they are, what they are called.

Not here: what a platform knows about them besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from community_pipelines.samples.calendar import HOUR, Calendar, microseconds
from community_pipelines.samples.chance import Flags, Floats, Ints, any_of, busyness, new_ids
from community_pipelines.samples.words import words


@dataclass(frozen=True)
class People:
    """Users in the order of their sign-up, the founders first.

    `exists` is false for those whose account was deleted since: what they did may still name them.
    """

    ids: list[UUID]
    created: Ints
    exists: Flags
    activity: Floats
    founders: int

    def __len__(self) -> int:
        return len(self.ids)

    def someone(self, rng: np.random.Generator, times: Ints, after: int = HOUR, shares: Floats | None = None) -> Ints:
        """A user for each time who had signed up so long before, the busy ones more often (or by `shares`)."""
        passed = np.cumsum(self.activity if shares is None else shares)
        known = passed[np.maximum(np.searchsorted(self.created, times - after), self.founders) - 1]
        chosen: Ints = np.searchsorted(passed, rng.random(len(times)) * known, side="right")
        return chosen


def sign_up(
    rng: np.random.Generator,
    calendar: Calendar,
    count: int,
    before: float,
    founders: int = 1,
    gone: int = 0,
    today: bool = True,
) -> People:
    """So many people, that share of them in the year before the first day; `gone` more have left again.

    Those of today are there until its end, unless nobody shall sign up today.
    """
    total = count + gone
    early = round((total - founders) * before)
    first = microseconds(calendar.year_from) + np.arange(founders) * HOUR
    later = calendar.moments(rng, total - founders - early, today=today)
    created = np.concatenate((first, calendar.moments_before(rng, early), later))
    exists = np.ones(total, dtype=np.bool_)
    exists[rng.choice(np.arange(founders, max(early // 2, gone) + founders), gone, replace=False)] = False
    activity = busyness(rng, total)
    # Those who left had used it.
    activity[~exists] = np.maximum(activity[~exists], 2)
    return People(new_ids(rng, total), np.sort(created), exists, activity, founders)


def full_names(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """First and last names."""
    known = words()
    return list(zip(any_of(rng, known["first_names"], count), any_of(rng, known["last_names"], count), strict=True))
