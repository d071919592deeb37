"""How people come and go: visits of several looks, guests who never sign in, rows that arrive late.

Not here: what they look at (`chance.met`) and what they do there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from community_pipelines.samples.calendar import DAY, SECOND, Calendar, pauses
from community_pipelines.samples.chance import NONE, Flags, Floats, Ints, busyness, pick, place_of
from community_pipelines.samples.words import words

Rows = npt.NDArray[np.void]


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
