"""Who looks at the scenes of the story videos and who likes what, day by day."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from community_pipelines.samples.calendar import DAY, HOUR, pauses
from community_pipelines.samples.chance import NONE, Ints, novelty, random_ids
from community_pipelines.samples.stories.world import World
from community_pipelines.samples.visits import Guests, passed, steps
from community_pipelines.samples.writing import Writer, packed, times, uuids

_SIGNED_IN = 0.45
_VIEWS_PER_VISIT = 2.4
_SEEN_AGAIN = 0.1
_LIKES_OF_SCENES = 0.7
_TAKEN_BACK = 0.05

_TAKE_BACK = "delete from public.likes as liked using sample_taken_back as back where liked.id = back.id"


def write(writer: Writer, world: World) -> None:
    """Writes views and likes; likes that were taken back by `now` are deleted again."""
    guests, views = Guests(world.dice("guests"), world.size.users * 5), 0
    volumes = world.calendar.volumes(world.dice("views"), world.size.views_per_day, 0.3)
    for day, count in enumerate(volumes.tolist()):
        rows = _views(world, day, count, guests)
        writer.copy("scene_views", rows)
        views += rows.num_rows
        writer.progress("views", views, max(views, int(volumes.sum())))
    writer.progress("views", views, views)

    liked, taken_back = _likes(world)
    writer.copy("likes", liked)
    writer.execute("create temporary table sample_taken_back (id uuid primary key) on commit drop")
    writer.copy("sample_taken_back", taken_back, temporary=True)
    writer.execute(_TAKE_BACK)
    writer.progress("likes", liked.num_rows, liked.num_rows)


def _views(world: World, day: int, count: int, guests: Guests) -> pa.Table:
    rng, calendar, scenes, people = world.dice("views of a day", day), world.calendar, world.scenes, world.people
    end = calendar.start(day) + DAY
    visit, place = steps(rng.geometric(1 / _VIEWS_PER_VISIT, count), count)
    begin = calendar.times(rng, day, count)
    # The views of a visit follow each other.
    time = np.minimum(begin[visit] + passed(rng, 240, visit, place), end - 1)
    scene = scenes.met(rng, time, novelty((end - scenes.created) / DAY, 2.3, 0.5, 8))
    # Who comes when there is none yet sees the first one within an hour after it was made; the very first is private.
    early = scene == NONE
    time[early] = np.maximum(time[early], scenes.created[1] + time[early] % HOUR)
    scene[early] = 1
    again = np.flatnonzero((rng.random(count) < _SEEN_AGAIN) & (place > 0))
    before = scene[again - 1]
    still = (scenes.created[before] <= time[again]) & (scenes.closed[before] > time[again])
    scene[again[still]] = before[still]

    signed = rng.random(count) < _SIGNED_IN
    user = np.where(signed, people.someone(rng, begin), NONE)[visit]
    guest = guests.some(rng, count)[visit]
    order = np.argsort(time, kind="stable")
    user, now = user[order], calendar.now
    rows = pa.table(
        {
            "id": uuids(random_ids(rng, count)),
            "scene_id": uuids(packed(scenes.ids)[scene[order]]),
            "user_id": uuids(packed(people.ids)[user], user != NONE),
            "ip_hash": guests.hashes(guest[order], user),
            "created_at": times(time[order], now),
        }
    )
    return rows.filter(pa.array(time[order] <= now))


def _likes(world: World) -> tuple[pa.Table, pa.Table]:
    """The likes up to `now`, and the ids of those that were taken back by then."""
    rng, size, people, now = world.dice("likes"), world.size, world.people, world.calendar.now
    count = round(size.likes / (1 - _TAKEN_BACK))
    # Some are drawn twice.
    drawn = round(count * 1.25) + 20
    time = world.calendar.moments(rng, drawn)
    of_scene = rng.random(drawn) < _LIKES_OF_SCENES
    target = np.where(of_scene, world.scenes.met(rng, time), world.ideas.met(rng, time))
    user = people.someone(rng, time)
    _, first = np.unique((target * size.users + user) * 2 + of_scene, return_index=True)
    chosen: Ints = np.sort(rng.permutation(first[target[first] != NONE])[:count])
    ids, time, of_scene = random_ids(rng, len(chosen)), time[chosen], of_scene[chosen]
    back = time + pauses(rng, 5 * HOUR, len(chosen), 1.4)
    taken_back = (rng.random(len(chosen)) < _TAKEN_BACK) & (back <= now)
    # Scenes stand behind ideas in the list of both.
    targets = packed(world.ideas.ids + world.scenes.ids)[target[chosen] + of_scene * len(world.ideas.ids)]
    rows = pa.table(
        {
            "id": uuids(ids),
            "user_id": uuids(packed(people.ids)[user[chosen]]),
            "target_type": np.where(of_scene, "scene", "idea"),
            "target_id": uuids(targets),
            "created_at": times(time, now),
        }
    )
    return rows.filter(pa.array(time <= now)), pa.table({"id": uuids(ids[taken_back])})
