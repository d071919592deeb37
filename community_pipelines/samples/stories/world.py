"""The story videos at rest: their people, topics, ideas and scenes: since when, until when, how popular.

The story: for a year the team prepares the platform. People sign up for it, topics are chosen, and the AI is tried in
rehearsals whose videos are thrown away. On the first day it opens; all that counters count happens from then on.

Everything is made until today's end; what comes after `now` is left out when it is written. Not here: what becomes of
scenes (`scenes`), who looks at them (`visits`), the rows of tables (`life`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from community_pipelines.samples.calendar import HOUR, LEISURE, MINUTE, NEVER, Calendar, pauses
from community_pipelines.samples.chance import dice, met, new_ids, one_of, pick, popularity
from community_pipelines.samples.people import People, sign_up
from community_pipelines.samples.stories.sample import StoriesSize
from community_pipelines.samples.things import Things, closings
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import Row, state_at

# The team: the first one is the admin, the others are moderators.
TEAM = 6
_PROMOTED = 3
# The team is alone with its ideas in the first hours.
_QUIET = 2 * HOUR


@dataclass(frozen=True)
class Topic:
    """A topic; `created` is when it was chosen, or when a proposal was promoted to it."""

    id: UUID
    name: str
    about: str
    categories: dict[str, UUID]
    curated: bool
    created: int


@dataclass(frozen=True)
class World:
    """One sample, but for what happens in it."""

    size: StoriesSize
    calendar: Calendar
    people: People
    topics: list[Topic]
    proposals: list[Row]
    ideas: Things
    scenes: Things

    def dice(self, part: str, *more: int) -> np.random.Generator:
        """Dice of their own for each part."""
        return dice(self.size.seed, part, *more)


def build_world(size: StoriesSize, calendar: Calendar) -> World:
    """The world of that size."""
    calendar = replace(calendar, week=LEISURE)
    people = sign_up(dice(size.seed, "people"), calendar, size.users, before=0.55, founders=TEAM)
    topics, proposals = _topics(size, calendar, people)
    ideas = _ideas(size, calendar, people, topics)
    return World(size, calendar, people, topics, proposals, ideas, _scenes(size, calendar, people, ideas))


def _topics(size: StoriesSize, calendar: Calendar, people: People) -> tuple[list[Topic], list[Row]]:
    rng, known = dice(size.seed, "topics"), words("stories")
    chosen = calendar.moments_before(rng, len(known["topics"])).tolist()
    topics = []
    for at, (name, text) in zip(chosen, known["topics"].items(), strict=True):
        one, *ids = new_ids(rng, 1 + len(text["categories"]))
        topics.append(Topic(one, name, text["about"], dict(zip(text["categories"], ids, strict=True)), True, at))
    times = calendar.moments(rng, max(12, size.users // 40))
    reviewed = times + pauses(rng, 20 * HOUR, len(times))
    proposals = []
    for number, (user, created, decided, draw) in enumerate(
        zip(people.someone(rng, times), times.tolist(), reviewed.tolist(), rng.random(len(times)), strict=True)
    ):
        one, other = new_ids(rng, 2)
        name = known["proposals"][number % len(known["proposals"])]
        # The first ones are promoted, so that ideas can follow.
        topic = Topic(other, name, "Proposed by the community.", {}, False, decided) if number < _PROMOTED else None
        topics += [topic] if topic else []
        status = "approved" if topic or draw < 0.45 else "rejected" if draw < 0.92 else "pending"
        at = NEVER if status == "pending" else decided
        status = state_at(calendar.now, "pending", (at, status))
        reviewer, reason = people.ids[int(rng.integers(1, TEAM))], one_of(rng, known["rejections"])
        proposals.append({
            "id": one, "user_id": people.ids[user], "name": name, "status": status,
            "reviewed_by": None if status == "pending" else reviewer, "reviewed_at": at,
            "rejection_reason": reason if status == "rejected" else None,
            "promoted_to_topic_id": topic.id if topic and status == "approved" else None, "created_at": created,
        })  # fmt: skip
    return topics, proposals


def _ideas(size: StoriesSize, calendar: Calendar, people: People, topics: list[Topic]) -> Things:
    rng, count, opening = dice(size.seed, "ideas"), size.ideas, calendar.opening
    prepared = max(3, count // 30)
    by_team = opening + MINUTE + np.sort(rng.integers(0, HOUR, prepared))
    by_team[0] = opening + MINUTE
    created = np.concatenate((by_team, calendar.moments(rng, count - prepared, quiet=_QUIET)))
    user = people.someone(rng, created)
    user[:prepared] = rng.integers(0, TEAM, prepared)
    topic = pick(rng, 1.0 / np.arange(3, len(topics) + 3), count)
    unknown = np.array([one.created for one in topics])[topic] > created
    topic[unknown] = rng.integers(0, sum(one.curated for one in topics), int(unknown.sum()))

    rejected = rng.random(count) < 0.03
    rejected[:prepared] = False
    moderated = created + pauses(rng, 3 * HOUR, count)
    moderated[:prepared] = created[:prepared]
    closed, closed_as = closings(rng, created, prepared, 0.03, ("hidden", "removed"))
    return Things(
        ids=new_ids(rng, count),
        parent=topic,
        user=user,
        created=created,
        moderated=moderated,
        rejected=rejected,
        closed=np.where(rejected, moderated, closed),
        closed_as=["removed" if no else as_ for no, as_ in zip(rejected, closed_as, strict=True)],
        appeal=popularity(rng, count, 0.8),
    )


def _scenes(size: StoriesSize, calendar: Calendar, people: People, ideas: Things) -> Things:
    rng, count = dice(size.seed, "scenes"), size.scenes
    created = calendar.moments(rng, count, quiet=_QUIET)
    # The private scene is there before everything else of the first day but for the idea that it belongs to.
    created[0] = calendar.opening + HOUR + 2 * MINUTE
    idea = met(rng, created - 30 * MINUTE, ideas.created, ideas.appeal)
    # The first idea is the team's and stays open.
    idea[(ideas.closed[idea] <= created) | ideas.rejected[idea]] = 0
    idea[0] = 0
    user = np.where(rng.random(count) < 0.4, ideas.user[idea], people.someone(rng, created))
    user[0] = 0
    closed, closed_as = closings(rng, created, 1, 0.04, ("hidden", "hidden", "removed", "locked"))
    closed[0], closed_as[0] = created[0], "hidden"
    appeal = popularity(rng, count)
    appeal[0] = 0
    nobody = np.zeros(count, dtype=np.bool_)
    return Things(new_ids(rng, count), idea, user, created, created, nobody, closed, closed_as, appeal)
