"""Who looks at the scenes of the story videos and who likes what, day by day."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from community_pipelines.samples.calendar import HOUR
from community_pipelines.samples.chance import NONE, random_ids
from community_pipelines.samples.stories.world import World
from community_pipelines.samples.visits import Guests, look_around, once_each
from community_pipelines.samples.writing import Writer, packed, times, uuids

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
    rng, now, scenes = world.dice("views of a day", day), world.calendar.now, world.scenes
    time, scene, user, guest = look_around(rng, world.calendar, day, count, world.people, scenes, guests)
    # Who comes when there is none yet sees the first one within an hour after it was made; the very first is private.
    early = scene == NONE
    time[early] = np.maximum(time[early], scenes.created[1] + time[early] % HOUR)
    scene[early] = 1
    order = np.argsort(time, kind="stable")
    user = user[order]
    rows = pa.table(
        {
            "id": uuids(random_ids(rng, count)),
            "scene_id": uuids(packed(scenes.ids)[scene[order]]),
            "user_id": uuids(packed(world.people.ids)[user], user != NONE),
            "ip_hash": guests.hashes(guest[order], user),
            "created_at": times(time[order], now),
        }
    )
    return rows.filter(pa.array(time[order] <= now))


def _likes(world: World) -> tuple[pa.Table, pa.Table]:
    """The likes up to `now`, and the ids of those that were taken back by then."""
    rng, people, now = world.dice("likes"), world.people, world.calendar.now
    count = round(world.size.likes / (1 - _TAKEN_BACK))
    # Some are drawn twice.
    time = world.calendar.moments(rng, round(count * 1.25) + 20)
    of_scene = rng.random(len(time)) < _LIKES_OF_SCENES
    target = np.where(of_scene, world.scenes.met(rng, time), world.ideas.met(rng, time))
    # Scenes stand behind ideas in the list of both.
    target = np.where(target == NONE, NONE, target + of_scene * len(world.ideas.ids))
    user = people.someone(rng, time)
    chosen, taken_back = once_each(rng, user, target, time, count, _TAKEN_BACK, now)
    ids, of_scene, time = random_ids(rng, len(chosen)), of_scene[chosen], time[chosen]
    rows = pa.table(
        {
            "id": uuids(ids),
            "user_id": uuids(packed(people.ids)[user[chosen]]),
            "target_type": np.where(of_scene, "scene", "idea"),
            "target_id": uuids(packed(world.ideas.ids + world.scenes.ids)[target[chosen]]),
            "created_at": times(time, now),
        }
    )
    return rows.filter(pa.array(time <= now)), pa.table({"id": uuids(ids[taken_back])})
