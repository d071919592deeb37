"""Who there is: people in the order of their sign-up, how busy they are, what they are called, what belongs to them.

Not here: what a platform knows about them besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from community_pipelines.samples.calendar import DAY, HOUR, Calendar, microseconds
from community_pipelines.samples.chance import Bytes, Flags, Floats, Ints, any_of, busyness, new_ids, pick, random_ids
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


def profiles(rng: np.random.Generator, people: People, platform: str, now: int) -> dict[str, Any]:
    """What most apps know about their users, as columns; names are two of a platform's words, a few say more."""
    count, known = len(people), words(platform)
    names = zip(any_of(rng, known["adjectives"], count), any_of(rng, known["nouns"], count), strict=True)
    numbers = range(1, count + 1)
    return {
        "id": people.ids, "created_at": people.created,
        "email": [f"user{number}@example.org" for number in numbers], "email_verified": rng.random(count) < 0.9,
        "username": [f"user{number}" for number in numbers], "display_name": [" ".join(name) for name in names],
        "bio": any_of(rng, known["bios"] + [None] * 12, count),
        "last_login_at": people.created + (np.sqrt(rng.random(count)) * (now - people.created)).astype(np.int64),
    }  # fmt: skip


def provided(rng: np.random.Generator, people: People, share: float = 0.3) -> tuple[Flags, dict[str, Any]]:
    """Who signs in through another provider instead of a password, that share, and these sign-ins as columns."""
    elsewhere = rng.random(len(people)) < share
    chosen = np.flatnonzero(elsewhere)
    return elsewhere, {
        "id": random_ids(rng, len(chosen)), "user_id": [people.ids[user] for user in chosen],
        "provider": np.where(rng.random(len(chosen)) < 0.75, "google", "github"),
        "provider_id": [rng.bytes(8).hex() for _ in chosen], "created_at": people.created[chosen],
    }  # fmt: skip


@dataclass(frozen=True)
class Belongings:
    """What people keep to themselves, such as projects, in the order of their owners; each user's begin at `begins`."""

    begins: Ints
    ids: Bytes
    owner: Ints
    created: Ints

    def of(self, users: Ints, times: Ints, draw: Floats) -> Ints:
        """One for each user, `draw` in [0, 1) choosing among those that exist at that time."""
        first = self.begins[users]
        chosen = first + (draw * (self.begins[users + 1] - first)).astype(np.int64)
        return np.where(self.created[chosen] <= times, chosen, first)


def belongings(rng: np.random.Generator, people: People, more: float, until: int) -> Belongings:
    """At least one for each user, made within a day of the sign-up; the busy ones have more, that share of all people.

    All are made before `until`, as people signed up before it.
    """
    count = len(people)
    owner = np.sort(np.concatenate((np.arange(count), pick(rng, people.activity, round(count * more)))))
    begins = np.searchsorted(owner, np.arange(count + 1))
    since = people.created[owner]
    made = since + (rng.random(len(owner)) * (until - since)).astype(np.int64)
    first = people.created + np.minimum(rng.exponential(3 * HOUR, count), 20 * HOUR).astype(np.int64)
    made[begins[:-1]] = np.minimum(first, until - 1)
    return Belongings(begins, random_ids(rng, len(owner)), owner, made)


def relieve(rng: np.random.Generator, owner: Ints, created: Ints, people: People, most: int) -> None:
    """Gives what an owner has too many of to other users who were there a day before, as far as there are any."""
    while True:
        order = np.argsort(owner, kind="stable")
        ranks = np.arange(len(owner)) - np.searchsorted(owner[order], owner[order])
        excess = order[ranks >= most]
        if not len(excess):
            return
        full = np.bincount(owner, minlength=len(people)) >= most
        owner[excess] = people.someone(rng, created[excess], DAY, np.where(people.exists & ~full, people.activity, 0))
