"""Who looks at the sample's scenes and who likes what, as Arrow tables with the columns of the app's tables.

Here: views day by day, and likes with those that are taken back. Not here: what is looked at
(`sample_stories_world`), and writing to a database (`sample_stories`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from community_pipelines.embedded.sample_events import uuids
from community_pipelines.embedded.sample_gallery import DAY, HOUR, Bytes, Floats, Ints, pick, random_ids, times_of_day
from community_pipelines.embedded.sample_stories_world import MINUTE, World, packed, pauses

_TIME = pa.timestamp("us", tz="UTC")
_SIGNED_IN = 0.45
_VIEWS_PER_VISIT = 2.4
_SEEN_AGAIN = 0.1
_LIKES_OF_SCENES = 0.7
_TAKEN_BACK = 0.05


def view_days(world: World) -> Iterator[pa.Table]:
    """The rows of scene_views, one table for each full day, then today's up to `now`.

    The full days have exactly `days * views_per_day` rows together.
    """
    calendar = world.calendar
    busy = calendar.busy(world.dice(140))
    scale = calendar.days * world.size.views_per_day / busy[:-1].sum()
    volumes = np.diff(np.round(np.cumsum(busy) * scale).astype(np.int64), prepend=0)
    users, scenes = packed(world.people.ids), packed(world.scenes.ids)
    guests = _Guests(world)
    for day, count in enumerate(volumes):
        yield _day(world, day, int(count), users, scenes, guests)


def likes(world: World) -> tuple[pa.Table, pa.Table]:
    """The rows of likes up to `now`, and the ids of those that were taken back by then."""
    rng, size, people = world.dice(150), world.size, world.people
    count = round(size.likes / (1 - _TAKEN_BACK))
    # Some are drawn twice.
    drawn = round(count * 1.25) + 20
    time = world.calendar.moments(rng, drawn)
    of_scene = rng.random(drawn) < _LIKES_OF_SCENES
    target = np.where(
        of_scene,
        _open_target(rng, world.scenes.created, world.scenes.closed, world.scenes.appeal, time),
        _open_target(rng, world.ideas.created, world.ideas.closed, world.ideas.appeal, time),
    )
    user = people.someone(rng, time)
    keys = (target * size.users + user) * 2 + of_scene
    _, first = np.unique(keys, return_index=True)
    first = first[target[first] >= 0]
    chosen = np.sort(rng.permutation(first)[:count])
    ids = random_ids(rng, len(chosen))
    back = time[chosen] + pauses(rng, 5 * HOUR, len(chosen), 1.4)
    taken_back = (rng.random(len(chosen)) < _TAKEN_BACK) & (back <= world.calendar.now)
    here = time[chosen] <= world.calendar.now

    scenes, ideas = packed(world.scenes.ids), packed(world.ideas.ids)
    # Scenes stand behind ideas in the list of both.
    targets = np.concatenate((ideas, scenes))[target[chosen] + of_scene[chosen] * len(ideas)]
    rows = pa.table(
        {
            "id": uuids(ids),
            "user_id": uuids(packed(people.ids)[user[chosen]]),
            "target_type": np.where(of_scene[chosen], "scene", "idea"),
            "target_id": uuids(targets),
            "created_at": pa.array(time[chosen]).cast(_TIME),
        }
    )
    return rows.filter(pa.array(here)), pa.table({"id": uuids(ids[taken_back & here])})


class _Guests:
    """Visitors who do not sign in, known by the hash of their address; some come every day."""

    def __init__(self, world: World) -> None:
        rng = world.dice(141)
        count = world.size.users * 5
        self._hashes = pa.array([rng.bytes(32).hex() for _ in range(count)])
        self._weights: Floats = np.minimum(rng.pareto(1.1, count) + 0.2, 40)

    def some(self, rng: np.random.Generator, count: int) -> Ints:
        """So many of them, the frequent ones more often."""
        return pick(rng, self._weights, count)

    def hashes(self, guests: Ints, known: Ints) -> pa.Array:
        """Their hashes; null for those who are known."""
        return self._hashes.take(pa.array(guests, pa.int64(), mask=known >= 0))


def _day(world: World, day: int, count: int, users: Bytes, scenes: Bytes, guests: _Guests) -> pa.Table:
    rng, calendar = world.dice(142, day), world.calendar
    start = calendar.start(day)
    visit = np.minimum(np.cumsum(rng.random(count) < 1 / _VIEWS_PER_VISIT), count - 1)
    arrival = start + times_of_day(rng, count, (calendar.first_day.weekday() + day) % 7)
    # The views of a visit follow each other.
    time = np.minimum(arrival[visit] + rng.integers(0, 20 * MINUTE, count), start + DAY - 1)
    scene = _open_target(
        rng, world.scenes.created, world.scenes.closed, world.scenes.appeal * _novelty(world, start), time
    )
    _after_opening(world, time, scene)
    again = np.flatnonzero((rng.random(count) < _SEEN_AGAIN) & (np.diff(visit, prepend=-1) == 0))
    earlier = again - 1
    same = (world.scenes.created[scene[earlier]] <= time[again]) & (world.scenes.closed[scene[earlier]] > time[again])
    scene[again[same]] = scene[earlier[same]]

    signed = (rng.random(count) < _SIGNED_IN)[visit]
    user = np.where(signed, world.people.someone(rng, arrival)[visit], -1)
    guest = guests.some(rng, count)[visit]
    order = np.argsort(time, kind="stable")
    rows = pa.table(
        {
            "id": uuids(random_ids(rng, count)),
            "scene_id": uuids(scenes[scene[order]]),
            "user_id": uuids(users[user[order]], user[order] >= 0),
            "ip_hash": guests.hashes(guest[order], user[order]),
            "created_at": pa.array(time[order]).cast(_TIME),
        }
    )
    return rows.filter(pa.array(time[order] <= calendar.now))


def _novelty(world: World, start: int) -> Floats:
    age = np.maximum((start + DAY - world.scenes.created) / DAY, 0)
    novelty: Floats = 0.5 + 2 * np.exp(-age / 8)
    return novelty


def _after_opening(world: World, time: Ints, scene: Ints) -> None:
    """Who comes when there is no scene yet sees the first one within an hour after it was made."""
    early = scene < 0
    # The very first one is the team's own.
    time[early] = np.maximum(time[early], world.scenes.created[1] + time[early] % HOUR)
    scene[early] = 1


def _open_target(rng: np.random.Generator, created: Ints, closed: Ints, weights: Floats, times: Ints) -> Ints:
    """For each time a position of what is there and open by then, as likely as its weight; -1 if there is none."""
    found = np.full(len(times), -1)
    passed = np.cumsum(weights)
    missing = np.arange(len(times))
    # Who hits something closed looks for something else.
    for _ in range(8):
        there = np.searchsorted(created, times[missing], side="right")
        known = np.where(there > 0, passed[np.maximum(there, 1) - 1], 0)
        chosen = np.searchsorted(passed, rng.random(len(missing)) * known, side="right")
        fits = (known > 0) & (closed[np.minimum(chosen, len(closed) - 1)] > times[missing])
        found[missing[fits]] = chosen[fits]
        missing = missing[~fits]
    return found
