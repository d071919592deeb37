"""All that the story videos hold at `now` but views and likes, as rows of each table.

Counters are left at what the tables give by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from community_pipelines.samples.chance import some_of
from community_pipelines.samples.people import profiles, provided
from community_pipelines.samples.stories.moderation import Moderation
from community_pipelines.samples.stories.scenes import Course
from community_pipelines.samples.stories.world import TEAM, World
from community_pipelines.samples.words import say, slug, words
from community_pipelines.samples.writing import Row


def tables(world: World) -> Iterator[tuple[str, Any]]:
    """Each table's name and rows, in the order in which the references between them allow."""
    course = Course(world)
    moderation = Moderation(world, course.segments)
    yield from _people(world, moderation)
    yield "topics", [
        {
            "id": topic.id, "name": topic.name, "slug": slug(topic.name), "description": topic.about,
            "is_curated": topic.curated, "display_order": place,
            "created_at": topic.created, "updated_at": topic.created,
        }
        for place, topic in enumerate(world.topics)
    ]  # fmt: skip
    yield "user_topics", world.proposals
    yield "categories", [
        {
            "id": one, "topic_id": topic.id, "name": name, "slug": slug(name), "display_order": place,
            "created_at": topic.created,
        }
        for topic in world.topics
        for place, (name, one) in enumerate(topic.categories.items())
    ]  # fmt: skip
    yield "ideas", _ideas(world)
    yield "scenes", _scenes(world, course)
    yield "jobs", _in_order(course.jobs)
    yield "segments", _in_order(course.segments)
    yield "scene_bibles", course.bibles
    yield "scene_summaries", course.summaries
    yield "moderation_flags", _in_order(moderation.flags)


def _people(world: World, moderation: Moderation) -> Iterator[tuple[str, Any]]:
    rng, people, now = world.dice("users"), world.people, world.calendar.now
    suspended = [moderation.suspended.get(user) for user in range(len(people))]
    gone = [at is not None and at <= now for at in suspended]
    elsewhere, sign_ins = provided(rng, people)
    yield (
        "users",
        {
            **profiles(rng, people, "stories", now),
            # Not a hash: nobody can sign in with it.
            "password_hash": [None if one else "sample, no password fits" for one in elsewhere],
            "role": ["admin" if user == 0 else "moderator" if user < TEAM else "user" for user in range(len(people))],
            "is_active": [not one for one in gone],
            "updated_at": [
                at if over else made for at, over, made in zip(suspended, gone, people.created, strict=True)
            ],
        },
    )
    yield "oauth_accounts", sign_ins


def _ideas(world: World) -> Row:
    rng, ideas, tags, count = world.dice("ideas at rest"), world.ideas, words("stories")["tags"], world.size.ideas
    now, topics = world.calendar.now, [world.topics[topic] for topic in ideas.parent]
    # Some are of no category.
    categories = [[*topic.categories.values(), None] for topic in topics]
    decided = np.where(ideas.rejected, "rejected", "approved")
    return {
        "id": ideas.ids, "user_id": [world.people.ids[user] for user in ideas.user],
        "topic_id": [topic.id for topic in topics],
        "category_id": [known[int(rng.integers(len(known)))] for known in categories],
        "title": [say(rng, "stories", "title") for _ in range(count)],
        "prompt": [say(rng, "stories", "prompt") for _ in range(count)],
        "tags": [some_of(rng, tags, 0, 4) for _ in range(count)],
        "status": ideas.status(now), "moderation_status": np.where(ideas.moderated <= now, decided, "pending"),
        "created_at": ideas.created, "updated_at": ideas.changed(now),
    }  # fmt: skip


def _scenes(world: World, course: Course) -> Row:
    rng, scenes, now, count = world.dice("scenes at rest"), world.scenes, world.calendar.now, world.size.scenes
    newest = {bible["scene_id"]: bible for bible in course.bibles if bible["created_at"] <= now}
    bibles = [newest.get(one, {"version": 1, "created_at": 0}) for one in scenes.ids]
    private = "The team's rehearsals: trial runs of the AI from before the first day."
    return {
        "id": scenes.ids, "idea_id": [world.ideas.ids[idea] for idea in scenes.parent],
        "user_id": [world.people.ids[user] for user in scenes.user],
        "topic_id": [world.topics[topic].id for topic in world.ideas.parent[scenes.parent]],
        "title": ["Rehearsals", *(say(rng, "stories", "title") for _ in range(count - 1))],
        "description": [private, *(say(rng, "stories", "sentence") for _ in range(count - 1))],
        "status": scenes.status(now), "bible_version": [bible["version"] for bible in bibles],
        "created_at": scenes.created,
        "updated_at": np.maximum(scenes.created, [bible["created_at"] for bible in bibles]),
    }  # fmt: skip


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: int(row["created_at"]))
