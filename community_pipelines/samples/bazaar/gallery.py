"""The sample gallery at rest: its people, their projects, its templates and how busy each day is.

The story: the gallery opens on the first day, filled with the templates that the team had prepared, for users whom the
app already had. Users, templates and traffic grow from then on. Not here: what people do with it (`events`).

Templates are not written by the sample: each has a project of its own, which the project's own ingest publishes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from community_pipelines.samples.bazaar.sample import MOST_OF_ONE_OWNER, GallerySize
from community_pipelines.samples.calendar import DAY, HOUR, NEVER, Calendar
from community_pipelines.samples.chance import (
    Bytes,
    Flags,
    Floats,
    Ints,
    dice,
    new_ids,
    novelty,
    one_of,
    pick,
    popularity,
    random_ids,
    some_of,
)
from community_pipelines.samples.people import People, sign_up
from community_pipelines.samples.words import words

# How many scenes templates have, and how often.
_SCENES = np.array((1, 2, 3, 4, 5, 6, 8, 12))
_SCENES_OFTEN = np.array((0.08, 0.16, 0.24, 0.2, 0.14, 0.09, 0.06, 0.03))


@dataclass(frozen=True)
class Projects:
    """The projects that people keep to themselves, in the order of their owners; each user's begin at `begins`."""

    begins: Ints
    ids: Bytes
    owner: Ints
    created: Ints

    def of(self, users: Ints, times: Ints, draw: Floats) -> Ints:
        """One project for each user, `draw` in [0, 1) choosing among those that exist at that time."""
        first = self.begins[users]
        chosen = first + (draw * (self.begins[users + 1] - first)).astype(np.int64)
        return np.where(self.created[chosen] <= times, chosen, first)


@dataclass(frozen=True)
class Text:
    """What a template says about itself."""

    title: str
    description: str
    category: str
    tags: list[str]


@dataclass(frozen=True)
class Templates:
    """Templates in the order of their creation. `appeal` is how often they are looked at, in any unit.

    `projects` are the ids of the projects that become them. `ids` and `slugs` are stand-ins until ingest made others.
    """

    ids: Bytes
    slugs: list[str]
    projects: list[UUID]
    project_created: Ints
    created: Ints
    updated: Ints
    owner: Ints
    texts: list[Text]
    appeal: Floats
    usefulness: Floats
    scenes: Ints
    listed: Flags
    disabled_at: Ints

    def weights(self, day: int) -> Floats:
        """How often each template is looked at on the day that starts then; 0 for those not yet made."""
        age = (day + DAY - self.created) / DAY
        return self.appeal * novelty(age, 2.3, 0.7, 6) * np.where(self.disabled_at <= day, 0.02, 1.0)


@dataclass(frozen=True)
class Gallery:
    """One sample: its size, its calendar and everything that does not happen but is.

    `volumes` are the events of each full day, then of today if it were over; `spikes` day x template.
    """

    size: GallerySize
    calendar: Calendar
    people: People
    projects: Projects
    templates: Templates
    volumes: Ints
    spikes: Floats

    def dice(self, part: str, *more: int) -> np.random.Generator:
        """Dice of their own for each part."""
        return dice(self.size.seed, part, *more)


def build_gallery(size: GallerySize, calendar: Calendar) -> Gallery:
    """The gallery of that size. The same size (and seed) on the same days is the same gallery."""
    gone = max(3, round(size.users * 0.003))
    people = sign_up(dice(size.seed, "people"), calendar, size.users, before=0.75, gone=gone, today=False)
    templates = _templates(size, calendar, people)
    until = np.where(templates.listed, templates.disabled_at, 0)
    spikes = calendar.spikes(dice(size.seed, "spikes"), templates.created, templates.appeal, until)
    volumes = calendar.volumes(dice(size.seed, "volumes"), size.events_per_day, 0.2, spikes.sum(axis=1))
    return Gallery(size, calendar, people, _projects(size, calendar, people), templates, volumes, spikes)


def _projects(size: GallerySize, calendar: Calendar, people: People) -> Projects:
    """At least one for each user, made on the day of the sign-up."""
    rng, count = dice(size.seed, "projects"), len(people)
    owner = np.sort(np.concatenate((np.arange(count), pick(rng, people.activity, round(count * 0.4)))))
    begins = np.searchsorted(owner, np.arange(count + 1))
    since = people.created[owner]
    made = since + (rng.random(len(owner)) * (calendar.start(calendar.days) - since)).astype(np.int64)
    made[begins[:-1]] = people.created + np.minimum(rng.exponential(3 * HOUR, count), 20 * HOUR).astype(np.int64)
    return Projects(begins, random_ids(rng, len(owner)), owner, made)


def _templates(size: GallerySize, calendar: Calendar, people: People) -> Templates:
    rng, count = dice(size.seed, "templates"), size.templates
    opening, today = calendar.opening, calendar.start(calendar.days)
    prepared = max(2, round(count * 0.4))
    by_team = rng.integers(opening - 42 * DAY, opening - DAY, prepared)
    days = np.bincount(rng.integers(0, calendar.days, count - prepared), minlength=calendar.days)
    new = [calendar.times(rng, day, int(some)) for day, some in enumerate(days)]
    created = np.sort(np.concatenate((by_team, *new)))

    makers = np.where(people.exists & (rng.random(len(people)) < 0.12), rng.pareto(1.1, len(people)), 0)
    makers[0] += 0.5
    owner = people.someone(rng, created, DAY, makers)
    _relieve(rng, owner, created, people)

    disabled = rng.permutation(prepared)[: max(1, round(prepared * 0.03))]
    disabled_at = np.full(count, NEVER)
    disabled_at[disabled] = rng.integers(opening, today, len(disabled))
    listed = np.ones(count, dtype=np.bool_)
    listed[rng.permutation(count)[: max(1, round(count * 0.03))]] = False
    edited = created + rng.exponential(5 * DAY, count).astype(np.int64)
    updated = np.where((rng.random(count) < 0.5) & (edited < today), edited, created)
    return Templates(
        ids=random_ids(rng, count),
        slugs=[f"template-{number}" for number in range(count)],
        projects=new_ids(rng, count),
        project_created=created - (rng.uniform(0.3, 3, count) * HOUR).astype(np.int64),
        created=created,
        updated=np.where(disabled_at < today, disabled_at, updated),
        owner=owner,
        texts=_texts(size),
        appeal=popularity(rng, count) * np.where(listed, 1.0, 0.15),
        usefulness=rng.lognormal(-0.125, 0.5, count),
        scenes=_SCENES[pick(rng, _SCENES_OFTEN, count)],
        listed=listed,
        disabled_at=disabled_at,
    )


def _relieve(rng: np.random.Generator, owner: Ints, created: Ints, people: People) -> None:
    """Gives what an owner has too many of to other users who were there by then, as far as there are any."""
    while True:
        order = np.argsort(owner, kind="stable")
        ranks = np.arange(len(owner)) - np.searchsorted(owner[order], owner[order])
        excess = order[ranks >= MOST_OF_ONE_OWNER]
        if not len(excess):
            return
        full = np.bincount(owner, minlength=len(people)) >= MOST_OF_ONE_OWNER
        owner[excess] = people.someone(rng, created[excess], DAY, np.where(people.exists & ~full, people.activity, 0))


def _texts(size: GallerySize) -> list[Text]:
    rng, known = dice(size.seed, "texts"), words("bazaar")
    categories = list(known["categories"])
    texts = []
    for position in pick(rng, 1.0 / np.arange(2, len(categories) + 2), size.templates):
        about = known["categories"][categories[position]]
        style, subject, form = (one_of(rng, some) for some in (known["styles"], about["subjects"], known["forms"]))
        opener = one_of(rng, known["openers"]).format(style=style.lower(), form=form.lower(), subject=subject.lower())
        opener = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", opener)
        sentences = (opener[:1].upper() + opener[1:], one_of(rng, known["details"]), one_of(rng, known["closers"]))
        description = " ".join(sentence for sentence in sentences if sentence)
        tags = some_of(rng, about["tags"], 2, 4) + some_of(rng, known["style_tags"], 0, 2)
        texts.append(Text(f"{style} {subject} {form}", description, categories[position], tags))
    return texts
