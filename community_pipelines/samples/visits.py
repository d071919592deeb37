"""How people come and go: visits of several looks, from where and with what, what they hold, rows that arrive late.

Not here: what they do there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from community_pipelines.samples.calendar import DAY, HOUR, SECOND, Calendar, pauses
from community_pipelines.samples.chance import (
    NONE,
    Bytes,
    Flags,
    Floats,
    Ints,
    busyness,
    novelty,
    pick,
    place_of,
    random_ids,
)
from community_pipelines.samples.people import People
from community_pipelines.samples.things import Things
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import packed

Rows = npt.NDArray[np.void]

_SIGNED_IN = 0.45
_LOOKS_PER_VISIT = 2.4
_SEEN_AGAIN = 0.1
_LOOKS_PER_CRAWL = 60


def steps(length: Ints, count: int) -> tuple[Ints, Ints]:
    """For `count` looks: the visit that each belongs to, and its place in that visit, which has so many."""
    ends = np.cumsum(length)
    visit = np.searchsorted(ends, np.arange(count), side="right")
    return visit, np.arange(count) - (ends - length)[visit]


def passed(rng: np.random.Generator, seconds: float, visit: Ints, place: Ints) -> Ints:
    """The time since the beginning of the visit, with pauses of so many seconds between looks."""
    so_far = np.cumsum(pauses(rng, seconds * SECOND, len(visit)))
    begins = so_far[np.flatnonzero(place == 0)]
    return so_far - begins[visit] if len(visit) else so_far


class Agents:
    """User agents by weight: of a desk, of the way, of crawlers. `names` has all of them."""

    def __init__(self) -> None:
        kinds: list[dict[str, float]] = [words()["agents"][kind] for kind in ("desk", "way", "crawlers")]
        self.names = [name for kind in kinds for name in kind]
        self._weights: list[Floats] = [np.array(list(kind.values()), dtype=float) for kind in kinds]
        self._from = np.cumsum([0, *(len(kind) for kind in kinds)])

    def of_people(self, draw: Floats, mobile: Flags) -> Ints:
        """An agent for each number in [0, 1); who keeps the number keeps one for the desk and one for the way."""
        desk, way = (self._from[kind] + place_of(self._weights[kind], draw) for kind in (0, 1))
        chosen: Ints = np.where(mobile, way, desk)
        return chosen

    def of_crawlers(self, draw: Floats) -> Ints:
        """A crawler's agent for each number in [0, 1)."""
        crawlers: Ints = self._from[2] + place_of(self._weights[2], draw)
        return crawlers


class Referrers:
    """Where visitors come from: searches, other sites, and then the kinds of pages of one's own. `urls` has all."""

    def __init__(self, *own: list[str]) -> None:
        kinds: list[list[str]] = [words()["search_referrers"], words()["social_referrers"], *own]
        self.urls = [url for kind in kinds for url in kind]
        self._ends = np.cumsum([0, *(len(kind) for kind in kinds)])

    def some(self, rng: np.random.Generator, count: int) -> list[Ints]:
        """So many of each kind."""
        return [rng.integers(first, end, count) for first, end in pairwise(self._ends)]


class Toggles:
    """What somebody holds (a favorite) or let go of again, as numbers of pairs: what the next day starts from."""

    def __init__(self) -> None:
        self.held = np.zeros(0, np.int64)
        self.let_go = np.zeros(0, np.int64)

    def follow(self, pairs: Ints, when: Ints, given: Flags) -> None:
        """Takes over a day: for every pair the last that was said of it counts."""
        order = np.argsort(when, kind="stable")[::-1]
        keys, last = np.unique(pairs[order], return_index=True)
        kept = given[order][last]
        self.held = np.union1d(np.setdiff1d(self.held, keys[~kept]), keys[kept])
        self.let_go = np.setdiff1d(np.union1d(self.let_go, keys[~kept]), keys[kept])


class Guests:
    """Visitors who do not sign in, known by the hash of their address; some come every day."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self._hashes = pa.array([rng.bytes(32).hex() for _ in range(count)])
        self._often = busyness(rng, count, 1.1)

    def some(self, rng: np.random.Generator, count: int) -> Ints:
        """So many of them, the frequent ones more often."""
        return pick(rng, self._often, count)

    def hashes(self, guests: Ints, users: Ints) -> pa.Array[Any]:
        """Their hashes; null for those who are signed in as a user."""
        return self._hashes.take(pa.array(guests, pa.int64(), mask=users != NONE))


def look_around(
    rng: np.random.Generator, calendar: Calendar, day: int, count: int, people: People, things: Things, guests: Guests
) -> tuple[Ints, Ints, Ints, Ints]:
    """So many looks at things on a day, of visits of some looks each: when, at which, by which user, by which guest.

    The thing is NONE where there is none yet, the user where nobody is signed in.
    """
    end = calendar.start(day) + DAY
    visit, place = steps(rng.geometric(1 / _LOOKS_PER_VISIT, count), count)
    begin = calendar.times(rng, day, count)
    # The looks of a visit follow each other.
    time = np.minimum(begin[visit] + passed(rng, 240, visit, place), end - 1)
    thing = things.met(rng, time, novelty((end - things.created) / DAY, 2.3, 0.5, 8))
    again = np.flatnonzero((rng.random(count) < _SEEN_AGAIN) & (place > 0))
    before = thing[again - 1]
    there = (before != NONE) & (things.created[before] <= time[again]) & (things.closed[before] > time[again])
    thing[again[there]] = before[there]
    user = np.where(rng.random(count) < _SIGNED_IN, people.someone(rng, begin), NONE)[visit]
    return time, thing, user, guests.some(rng, count)[visit]


def once_each(
    rng: np.random.Generator, user: Ints, thing: Ints, when: Ints, count: int, taken_back: float, now: int
) -> tuple[Ints, Flags]:
    """Of what users do to things (like, join) so many, none of them twice, and which were taken back by `now`."""
    _, first = np.unique(thing * (user.max() + 1) + user, return_index=True)
    chosen: Ints = np.sort(rng.permutation(first[thing[first] != NONE])[:count])
    back = when[chosen] + pauses(rng, 5 * HOUR, len(chosen), 1.4)
    return chosen, (rng.random(len(chosen)) < taken_back) & (back <= now)


def likes(
    rng: np.random.Generator,
    calendar: Calendar,
    people: People,
    kinds: Mapping[str, tuple[Things, float]],
    count: int,
    taken_back: float,
) -> tuple[dict[str, Any], Bytes]:
    """Likes as columns, of each kind of things that share, and the ids of those that were taken back by `now`.

    So many stay until today's end.
    """
    drawn = round(count / (1 - taken_back))
    # Some are drawn twice.
    time = calendar.moments(rng, round(drawn * 1.25) + 20)
    kind = pick(rng, np.array([share for _, share in kinds.values()]), len(time))
    target, ids = np.full(len(time), NONE), list[UUID]()
    for number, (things, _) in enumerate(kinds.values()):
        thing = things.met(rng, time[kind == number])
        target[kind == number] = np.where(thing == NONE, NONE, thing + len(ids))
        ids += things.ids
    user = people.someone(rng, time)
    chosen, back = once_each(rng, user, target, time, drawn, taken_back, calendar.now)
    own = random_ids(rng, len(chosen))
    columns = {
        "id": own, "user_id": packed(people.ids)[user[chosen]], "target_type": np.array(list(kinds))[kind[chosen]],
        "target_id": packed(ids)[target[chosen]], "created_at": time[chosen],
    }  # fmt: skip
    return columns, own[back]


def crawl(rng: np.random.Generator, start: int, count: int) -> tuple[Ints, Ints]:
    """So many looks of programs on the day that starts then, as long walks at any hour: whose walk, and when."""
    visit, place = steps(np.minimum(rng.geometric(1 / _LOOKS_PER_CRAWL, count), 600), count)
    since = passed(rng, 5, visit, place)
    lasts = np.zeros(int(visit[-1]) + 1 if count else 0, np.int64)
    np.maximum.at(lasts, visit, since)
    begin = start + (rng.random(len(lasts)) * np.maximum(DAY - lasts - 1, 0)).astype(np.int64)
    return visit, np.minimum(begin[visit] + since, start + DAY - 1)


def first_of_each(keys: Ints, when: Ints, barred: Ints) -> Ints:
    """The positions of the first of each key, but for those that are barred."""
    order = np.argsort(when, kind="stable")
    known, first = np.unique(keys[order], return_index=True)
    chosen: Ints = order[first[~np.isin(known, barred)]]
    return chosen


def arrive(rng: np.random.Generator, times: Ints, end: int, now: int, late: float) -> Ints:
    """When rows of a day that ends then come in: within seconds, that share of them up to three days later.

    What would come after `now` came at once.
    """
    soon = np.minimum(times + rng.exponential(3 * SECOND, len(times)).astype(np.int64), end - 1)
    later = end + (rng.random(len(times)) ** 2 * 3 * DAY).astype(np.int64)
    return np.where((rng.random(len(times)) < late) & (later <= now), later, soon)


def by_arrival(calendar: Calendar, days: Iterable[Rows]) -> Iterator[Rows]:
    """The rows of each day with those of earlier days that come in on it, in their order of arrival.

    Rows have `time` and `arrival`; those of today end at `now`. Memory holds a day and what is late.
    """
    late: dict[int, list[Any]] = defaultdict(list)
    for index, rows in enumerate(days):
        if index == calendar.days:
            rows = rows[rows["time"] <= calendar.now]
        arrived = (rows["arrival"] - calendar.opening) // DAY
        for later in np.unique(arrived[arrived > index]):
            late[int(later)].append(rows[arrived == later])
        rows = np.concatenate([rows[arrived <= index], *late.pop(index, [])])
        yield rows[np.argsort(rows["arrival"], kind="stable")]
