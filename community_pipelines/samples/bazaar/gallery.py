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

from community_pipelines.samples import chance
from community_pipelines.samples.bazaar.sample import MOST_OF_ONE_OWNER, GallerySize
from community_pipelines.samples.calendar import DAY, HOUR, NEVER, Calendar
from community_pipelines.samples.chance import Bytes, Flags, Floats, Ints, dice
from community_pipelines.samples.people import Belongings, People, belongings, relieve, sign_up
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import Row

# How many scenes templates have, and how often.
_SCENES = np.array((1, 2, 3, 4, 5, 6, 8, 12))
_SCENES_OFTEN = np.array((0.08, 0.16, 0.24, 0.2, 0.14, 0.09, 0.06, 0.03))


@dataclass(frozen=True)
class Templates:
    """Templates in the order of their creation. `appeal` is how often they are looked at, in any unit.

    `texts` are what they say, `projects` the ids of the projects that become them; `ids` and `slugs` are stand-ins
    until ingest made others.
    """

    ids: Bytes
    slugs: list[str]
    projects: list[UUID]
    project_created: Ints
    created: Ints
    updated: Ints
    owner: Ints
    texts: list[Row]
    appeal: Floats
    usefulness: Floats
    scenes: Ints
    listed: Flags
    disabled_at: Ints

    def weights(self, day: int) -> Floats:
        """How often each template is looked at on the day that starts then; 0 for those not yet made."""
        age = (day + DAY - self.created) / DAY
        return self.appeal * chance.novelty(age, 2.3, 0.7, 6) * np.where(self.disabled_at <= day, 0.02, 1.0)


@dataclass(frozen=True)
class Gallery:
    """One sample: its size, its calendar and everything that does not happen but is.

    `volumes` are the events of each full day, then of today if it were over; `spikes` day x template.
    """

    size: GallerySize
    calendar: Calendar
    people: People
    projects: Belongings
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
    projects = belongings(dice(size.seed, "projects"), people, 0.4, calendar.start(calendar.days))
    return Gallery(size, calendar, people, projects, templates, volumes, spikes)


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
    relieve(rng, owner, created, people, MOST_OF_ONE_OWNER)

    disabled = rng.permutation(prepared)[: max(1, round(prepared * 0.03))]
    disabled_at = np.full(count, NEVER)
    disabled_at[disabled] = rng.integers(opening, today, len(disabled))
    listed = np.ones(count, dtype=np.bool_)
    listed[rng.permutation(count)[: max(1, round(count * 0.03))]] = False
    edited = created + rng.exponential(5 * DAY, count).astype(np.int64)
    updated = np.where((rng.random(count) < 0.5) & (edited < today), edited, created)
    return Templates(
        ids=chance.random_ids(rng, count),
        slugs=[f"template-{number}" for number in range(count)],
        projects=chance.new_ids(rng, count),
        project_created=created - (rng.uniform(0.3, 3, count) * HOUR).astype(np.int64),
        created=created,
        updated=np.where(disabled_at < today, disabled_at, updated),
        owner=owner,
        texts=_texts(size),
        appeal=chance.popularity(rng, count) * np.where(listed, 1.0, 0.15),
        usefulness=rng.lognormal(-0.125, 0.5, count),
        scenes=_SCENES[chance.pick(rng, _SCENES_OFTEN, count)],
        listed=listed,
        disabled_at=disabled_at,
    )


def _texts(size: GallerySize) -> list[Row]:
    rng, known = dice(size.seed, "texts"), words("bazaar")
    categories = list(known["categories"])
    texts = []
    for position in chance.pick(rng, 1.0 / np.arange(2, len(categories) + 2), size.templates):
        about = known["categories"][categories[position]]
        style, subject, form = (
            chance.one_of(rng, some) for some in (known["styles"], about["subjects"], known["forms"])
        )
        opener = chance.one_of(rng, known["openers"]).format(
            style=style.lower(), form=form.lower(), subject=subject.lower()
        )
        opener = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", opener)
        sentences = (
            opener[:1].upper() + opener[1:],
            chance.one_of(rng, known["details"]),
            chance.one_of(rng, known["closers"]),
        )
        description = " ".join(sentence for sentence in sentences if sentence)
        tags = chance.some_of(rng, about["tags"], 2, 4) + chance.some_of(rng, known["style_tags"], 0, 2)
        text = {"title": f"{style} {subject} {form}", "description": description, "category": categories[position]}
        texts.append({**text, "tags": tags})
    return texts
