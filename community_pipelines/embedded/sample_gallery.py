"""The sample gallery at rest: its people, their projects, its templates and how busy each day is.

Here: who and what exists, since when, how popular it is. Not here: what people do with it
(`sample_visits`, `sample_events`), and writing it to a database (`sample`).

The story: the gallery opens on the first day of the window, filled with the templates that the team had
prepared, for users whom the app already had. Users, templates and traffic grow from then on. Everything
follows from the seed and the day of `now`; times are microseconds since 1970 in UTC.

Templates are not written by the sample: each has a project of its own, which the project's own ingest publishes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt

from community_pipelines.embedded import sample_words as words
from community_pipelines.errors import ExplainedError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

HOUR = 3_600_000_000
DAY = 24 * HOUR

# How busy an hour is (UTC): Europe's and America's afternoons overlap at 16 h, the quietest time is 4 h.
_HOURS = (
    0.62, 0.55, 0.48, 0.42, 0.38, 0.38, 0.45, 0.60, 0.78, 0.92, 1.02, 1.08,
    1.14, 1.24, 1.36, 1.45, 1.50, 1.50, 1.46, 1.44, 1.38, 1.22, 1.00, 0.78,
)  # fmt: skip
# At weekends mornings start late and evenings last longer.
_WEEKEND_HOURS = tuple(busy * (0.75 if 5 <= hour < 12 else 1.1) for hour, busy in enumerate(_HOURS))
_WEEKDAYS = (1.02, 1.07, 1.08, 1.05, 0.98, 0.87, 0.93)

# A viral template's course: its share of a normal day's traffic, in parts of the peak.
_SPIKE_COURSE = (0.35, 1.0, 0.72, 0.46, 0.28, 0.15, 0.07)

# How many scenes templates have, and how often.
_SCENES = np.array((1, 2, 3, 4, 5, 6, 8, 12))
_SCENES_OFTEN = np.array((0.08, 0.16, 0.24, 0.2, 0.14, 0.09, 0.06, 0.03))

# Ingest publishes a limited number of templates for an owner and day, and it publishes all of these on one.
_MOST_OF_ONE_OWNER = 40
_MOST_FOR_EACH_USER = _MOST_OF_ONE_OWNER // 2


class SampleError(ExplainedError):
    """The sample cannot be made or loaded; the message says why and what to do."""


@dataclass(frozen=True)
class SampleSize:
    """How large the sample is. `events_per_day` is the mean over the full days of the window."""

    templates: int = 2_000
    users: int = 20_000
    days: int = 60
    events_per_day: int = 16_700
    seed: int = 42

    def __post_init__(self) -> None:
        for name, least in (("templates", 4), ("users", 10), ("days", 1), ("events_per_day", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise SampleError(f"the sample's {name} must be {least} or more, and is {getattr(self, name)}")
        if self.templates > _MOST_FOR_EACH_USER * self.users:
            raise SampleError(
                f"the sample's users must be {-(-self.templates // _MOST_FOR_EACH_USER)} or more for "
                f"{self.templates} templates, and are {self.users}"
            )


@dataclass(frozen=True)
class People:
    """Users in the order of their sign-up, with their projects side by side in one long list.

    `exists` is false for those whose account was deleted since: the log still names them.
    """

    ids: list[str]
    created: Ints
    exists: Flags
    activity: Floats
    projects_from: Ints
    project_ids: Bytes
    project_owner: Ints
    project_created: Ints

    def active(self, before: int) -> int:
        """How many users had signed up early enough to be seen at that time: the first so many."""
        # A day later, so that their first project is there too.
        return max(1, int(np.searchsorted(self.created, before - DAY)))

    def projects_of(self, users: Ints, times: Ints, draw: Floats) -> Ints:
        """One project for each user, `draw` in [0, 1) choosing among those that exist at that time."""
        first = self.projects_from[users]
        count = self.projects_from[users + 1] - first
        chosen = first + (draw * count).astype(np.int64)
        return np.where(self.project_created[chosen] <= times, chosen, first)


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
    projects: Bytes
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
        novelty = 0.7 + 1.6 * np.exp(-np.maximum(age - 1, 0) / 6)
        shown = np.where(self.disabled_at <= day, 0.02, 1.0)
        return np.where(age > 0, self.appeal * novelty * shown, 0.0)


@dataclass(frozen=True)
class Gallery:
    """One sample: its size, its calendar and everything that does not happen but is."""

    size: SampleSize
    first_day: date
    now: int
    people: People
    templates: Templates
    volumes: tuple[int, ...]  # events of each full day, then of today if it were over
    spikes: Floats  # day x template: a viral template's share of a normal day's traffic

    @property
    def last_day(self) -> date:
        """The last full day, which is yesterday."""
        return self.first_day + timedelta(days=self.size.days - 1)

    def start(self, index: int) -> int:
        """The beginning of a day of the window; the index `size.days` is today."""
        return _microseconds(self.first_day + timedelta(days=index))


def build_gallery(size: SampleSize, now: datetime) -> Gallery:
    """The gallery of that size whose last full day is the day before `now`. Raises SampleError.

    The same size (and seed) on the same day is the same gallery, at whatever hour.
    """
    if now.tzinfo is None:
        raise SampleError("the sample's `now` must have a time zone")
    now = now.astimezone(UTC)
    first_day = now.date() - timedelta(days=size.days)
    opening, today = _microseconds(first_day), _microseconds(now.date())
    people = _people(size, opening, today)
    templates = _templates(size, people, opening, today)
    spikes = _spikes(size, templates, opening)
    return Gallery(
        size=size,
        first_day=first_day,
        now=int((now - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)),
        people=people,
        templates=templates,
        volumes=_volumes(size, first_day, spikes.sum(axis=1)),
        spikes=spikes,
    )


def times_of_day(rng: np.random.Generator, count: int, weekday: int) -> Ints:
    """Times since midnight as people spread over a day; `weekday` 0 is Monday."""
    hours = _WEEKEND_HOURS if weekday >= 5 else _HOURS
    minutes = np.arange(24 * 60 + 1)
    busy = np.interp(minutes / 60, np.arange(25), (*hours, hours[0]))
    passed = np.concatenate(([0.0], np.cumsum((busy[1:] + busy[:-1]) / 2)))
    times: Floats = np.interp(rng.random(count) * passed[-1], passed, minutes) * (HOUR / 60)
    return times.astype(np.int64)


def random_ids(rng: np.random.Generator, count: int) -> Bytes:
    """That many random UUIDs (version 4), 16 bytes each."""
    ids = np.frombuffer(rng.bytes(16 * count), dtype=np.uint8).reshape(-1, 16).copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x40
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return ids


def pick(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    """That many positions, each as likely as its weight."""
    return place_of(weights, rng.random(count))


def place_of(weights: Floats, draw: Floats) -> Ints:
    """The position that each number in [0, 1) falls on when the weights lie side by side."""
    passed = np.cumsum(weights)
    # The last one is never reached from within, but rounding may get there.
    chosen: Ints = np.searchsorted(passed[:-1], draw * passed[-1], side="right")
    return chosen


def _microseconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000


def _text_ids(ids: Bytes) -> list[str]:
    digits = ids.tobytes().hex()
    rows = (digits[at : at + 32] for at in range(0, len(digits), 32))
    return [f"{row[:8]}-{row[8:12]}-{row[12:16]}-{row[16:20]}-{row[20:]}" for row in rows]


def _people(size: SampleSize, opening: int, today: int) -> People:
    rng = np.random.default_rng([size.seed, 1])
    gone = max(3, round(size.users * 0.003))
    count = size.users + gone
    later = round(count * 0.25)
    before = opening - (540 * DAY * (1 - np.sqrt(rng.random(count - later)))).astype(np.int64) - 2 * DAY
    created = np.sort(np.concatenate((before, rng.integers(opening, today, later))))
    exists = np.ones(count, dtype=np.bool_)
    exists[rng.choice(np.arange(1, (count - later) // 2 + 1), gone, replace=False)] = False

    # Most people come now and then, a few all day; those who deleted their account had used it.
    activity = np.minimum(rng.pareto(1.3, count) + 0.15, 60)
    activity[~exists] = np.maximum(activity[~exists], 2)

    more = pick(rng, activity, round(count * 0.4))
    owner = np.sort(np.concatenate((np.arange(count), more)))
    projects_from = np.searchsorted(owner, np.arange(count + 1))
    made = created[owner] + (rng.random(len(owner)) * (today - created[owner])).astype(np.int64)
    first = created + np.minimum(rng.exponential(3 * HOUR, count), 20 * HOUR).astype(np.int64)
    made[projects_from[:-1]] = first
    return People(
        ids=_text_ids(random_ids(rng, count)),
        created=created,
        exists=exists,
        activity=activity,
        projects_from=projects_from,
        project_ids=random_ids(rng, len(owner)),
        project_owner=owner,
        project_created=made,
    )


def _templates(size: SampleSize, people: People, opening: int, today: int) -> Templates:
    rng = np.random.default_rng([size.seed, 2])
    count = size.templates
    prepared = max(2, round(count * 0.4))
    days = rng.integers(0, size.days, count - prepared)
    new = opening + days * DAY + times_of_day(rng, len(days), 0)
    created = np.sort(np.concatenate((rng.integers(opening - 42 * DAY, opening - DAY, prepared), new)))

    makers = np.where(people.exists & (rng.random(len(people.ids)) < 0.12), rng.pareto(1.1, len(people.ids)), 0)
    makers[np.flatnonzero(people.exists)[0]] += 0.5
    passed = np.cumsum(makers)
    known = passed[np.maximum(np.searchsorted(people.created, created - DAY), 1) - 1]
    owner = np.searchsorted(passed, rng.random(count) * known, side="right")
    _relieve(rng, owner, created, people)

    hidden = rng.permutation(prepared)
    disabled = hidden[: max(1, round(prepared * 0.03))]
    disabled_at = np.full(count, np.iinfo(np.int64).max)
    disabled_at[disabled] = rng.integers(opening, today, len(disabled))
    listed = np.ones(count, dtype=np.bool_)
    listed[rng.permutation(count)[: max(1, round(count * 0.03))]] = False

    edited = created + rng.exponential(5 * DAY, count).astype(np.int64)
    updated = np.where((rng.random(count) < 0.5) & (edited < today), edited, created)
    projects = np.random.default_rng([size.seed, 10, count, size.users, size.days, size.events_per_day])
    ids = random_ids(rng, count)
    return Templates(
        ids=ids,
        slugs=_text_ids(ids),
        projects=random_ids(projects, count),
        project_created=created - (projects.uniform(0.3, 3, count) * HOUR).astype(np.int64),
        created=created,
        updated=np.where(disabled_at < today, disabled_at, updated),
        owner=owner,
        texts=_texts(size),
        appeal=np.power(rng.permutation(count) + 6.0, -0.9) * np.where(listed, 1.0, 0.15),
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
        excess = order[ranks >= _MOST_OF_ONE_OWNER]
        if not len(excess):
            return
        full = np.bincount(owner, minlength=len(people.ids)) >= _MOST_OF_ONE_OWNER
        passed = np.cumsum(np.where(people.exists & ~full, people.activity, 0))
        known = passed[np.maximum(np.searchsorted(people.created, created[excess] - DAY), 1) - 1]
        owner[excess] = np.searchsorted(passed, rng.random(len(excess)) * known, side="right")


def _spikes(size: SampleSize, templates: Templates, opening: int) -> Floats:
    rng = np.random.default_rng([size.seed, 3])
    shares = np.zeros((size.days + 1, size.templates))
    for _ in range(max(2, round(size.days * 0.2))):
        start = int(rng.integers(0, max(1, size.days - 2)))
        there = (templates.created < opening + start * DAY) & templates.listed
        there &= templates.disabled_at > opening + start * DAY
        peak = rng.uniform(0.03, 0.09)
        # The very popular ones need no luck.
        there &= templates.appeal < np.quantile(templates.appeal, 0.98)
        if not there.any():
            continue
        template = rng.choice(np.flatnonzero(there))
        for offset, part in enumerate(_SPIKE_COURSE[: size.days + 1 - start]):
            shares[start + offset, template] += peak * part * rng.uniform(0.85, 1.15)
    return shares


def _volumes(size: SampleSize, first_day: date, viral: Floats) -> tuple[int, ...]:
    rng = np.random.default_rng([size.seed, 4])
    days = np.arange(size.days + 1)
    week = np.array(_WEEKDAYS)[(first_day.weekday() + days) % 7]
    growth = 0.8 + 0.4 * days / max(1, size.days)
    busy = week * growth * rng.lognormal(0, 0.035, len(days)) * (1 + viral)
    scale = size.days * size.events_per_day / busy[:-1].sum()
    # Rounded on the running sum, so that the full days add up exactly.
    ends = np.round(np.cumsum(busy) * scale).astype(np.int64)
    return tuple(int(volume) for volume in np.diff(ends, prepend=0))


def _texts(size: SampleSize) -> list[Text]:
    rng = np.random.default_rng([size.seed, 5])

    def one(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    def some(options: tuple[str, ...], least: int, most: int) -> list[str]:
        chosen = rng.permutation(len(options))[: int(rng.integers(least, most + 1))]
        return [options[position] for position in chosen]

    categories = list(words.CATEGORIES)
    texts = []
    for position in pick(rng, 1.0 / np.arange(2, len(categories) + 2), size.templates):
        category = categories[position]
        subjects, tags = words.CATEGORIES[category]
        style, subject, form = one(words.STYLES), one(subjects), one(words.FORMS)
        opener = one(words.OPENERS).format(style=style.lower(), form=form.lower(), subject=subject.lower())
        opener = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", opener)
        sentences = (opener[:1].upper() + opener[1:], one(words.DETAILS), one(words.CLOSERS))
        title = f"{style} {subject} {form}"
        description = " ".join(sentence for sentence in sentences if sentence)
        texts.append(Text(title, description, category, some(tags, 2, 4) + some(words.STYLE_TAGS, 0, 2)))
    return texts
