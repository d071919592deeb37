"""Who looks at the scenes of the story videos and who likes what, day by day."""

from __future__ import annotations

from typing import Any

import numpy as np

from community_pipelines.samples.calendar import HOUR
from community_pipelines.samples.chance import NONE, random_ids
from community_pipelines.samples.stories.world import World
from community_pipelines.samples.visits import Guests, likes, look_around
from community_pipelines.samples.writing import Writer, packed, uuids

_LIKES_OF_IDEAS, _LIKES_OF_SCENES = 0.3, 0.7
_TAKEN_BACK = 0.05


def write(writer: Writer, world: World) -> None:
    """Writes views and likes; likes that were taken back by `now` are deleted again."""
    guests, views = Guests(world.dice("guests"), world.size.users * 5), 0
    volumes = world.calendar.volumes(world.dice("views"), world.size.views_per_day, 0.3)
    for day, count in enumerate(volumes.tolist()):
        views += writer.write("scene_views", _views(world, day, count, guests), created="created_at")
        writer.progress("views", views, max(views, int(volumes.sum())))
    writer.progress("views", views, views)

    kinds = {"idea": (world.ideas, _LIKES_OF_IDEAS), "scene": (world.scenes, _LIKES_OF_SCENES)}
    liked, taken_back = likes(world.dice("likes"), world.calendar, world.people, kinds, world.size.likes, _TAKEN_BACK)
    writer.write("likes", liked, "likes", created="created_at")
    writer.delete("likes", taken_back)


def _views(world: World, day: int, count: int, guests: Guests) -> dict[str, Any]:
    rng, scenes = world.dice("views of a day", day), world.scenes
    time, scene, user, guest = look_around(rng, world.calendar, day, count, world.people, scenes, guests)
    # Who comes when there is none yet sees the first one within an hour after it was made; the very first is private.
    early = scene == NONE
    time[early] = np.maximum(time[early], scenes.created[1] + time[early] % HOUR)
    scene[early] = 1
    order = np.argsort(time, kind="stable")
    user = user[order]
    return {
        "id": random_ids(rng, count), "scene_id": packed(scenes.ids)[scene[order]],
        "user_id": uuids(packed(world.people.ids)[user], user != NONE),
        "ip_hash": guests.hashes(guest[order], user), "created_at": time[order],
    }  # fmt: skip
