"""The sample of stories at rest: its calendar, its people, topics, proposals, ideas and scenes.

Here: who and what exists, since when, until when, how popular it is. Not here: what becomes of a scene
(`sample_stories_scenes`), who looks at it (`sample_stories_visits`), and writing it to a database (`sample_stories`).

The story: for a year the team prepares the platform. People sign up for it, topics are chosen, and the AI is tried
in rehearsals whose videos are thrown away. On the first day it opens; all that counters count happens from then on.

Everything follows from the size, the first day and the day of `now`, and is made until that day's end. Whoever
writes it to a database leaves out what comes after `now`. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import numpy as np

from community_pipelines.embedded import sample_stories_words as words
from community_pipelines.embedded.sample_gallery import DAY, HOUR, Bytes, Floats, Ints, SampleError, pick, times_of_day

MINUTE = HOUR // 60
SECOND = MINUTE // 60
# Later than any sample ends.
NEVER = int(np.iinfo(np.int64).max)

# The team: the first one is the admin, the others are moderators.
TEAM = 6
_PROMOTED = 3

_WEEKDAYS = (0.93, 0.92, 0.95, 0.97, 1.02, 1.12, 1.09)


@dataclass(frozen=True)
class StoriesSize:
    """How large the sample is. All are totals from the first day on, but for what names a day or a month."""

    users: int = 3_000
    ideas: int = 4_000
    scenes: int = 2_500
    segments: int = 12_000
    likes: int = 15_000
    views_per_day: int = 5_000
    rehearsals_per_month: int = 300
    seed: int = 42

    def __post_init__(self) -> None:
        least = {"users": 20, "ideas": 10, "scenes": 5, "segments": 10, "seed": 0}
        for field in fields(self):
            value, minimum = getattr(self, field.name), least.get(field.name, 1)
            if value < minimum:
                raise SampleError(f"the sample's {field.name} must be {minimum} or more, and is {value}")


@dataclass(frozen=True)
class Calendar:
    """From the first month of the year before to the end of today; `days` are the full days from the first one on."""

    year_from: date
    first_day: date
    days: int
    now: int

    @property
    def last_day(self) -> date:
        """The last full day, which is yesterday."""
        return self.first_day + timedelta(days=self.days - 1)

    @property
    def opening(self) -> int:
        """The beginning of the first day."""
        return _microseconds(self.first_day)

    def start(self, index: int) -> int:
        """The beginning of a day; the index `days` is today."""
        return self.opening + index * DAY

    def busy(self, rng: np.random.Generator) -> Floats:
        """How much happens on each day from the first one to today: it grows, and more on days off."""
        return _busy(rng, self.first_day, self.days + 1, 0.7, 1.3)

    def moments(self, rng: np.random.Generator, count: int) -> Ints:
        """That many moments from the first day to the end of today, sorted."""
        return _spread(rng, self.first_day, self.busy(rng), count)

    def moments_before(self, rng: np.random.Generator, count: int) -> Ints:
        """That many moments of the year before, sorted."""
        days = (self.first_day - self.year_from).days
        return _spread(rng, self.year_from, _busy(rng, self.year_from, days, 0.5, 1.5), count)

    def months(self, ahead: int) -> list[tuple[int, int]]:
        """Year and month of all its months and of so many after today's."""
        today = self.last_day + timedelta(days=1)
        first, last = (day.year * 12 + day.month - 1 for day in (self.year_from, today))
        return [(month // 12, month % 12 + 1) for month in range(first, last + ahead + 1)]


@dataclass(frozen=True)
class People:
    """Users in the order of their sign-up, the team first."""

    ids: list[UUID]
    created: Ints
    activity: Floats

    def someone(self, rng: np.random.Generator, times: Ints) -> Ints:
        """A user for each time who had signed up an hour before, the busy ones more often."""
        passed = np.cumsum(self.activity)
        known = passed[np.maximum(np.searchsorted(self.created, times - HOUR), TEAM) - 1]
        chosen: Ints = np.searchsorted(passed, rng.random(len(times)) * known, side="right")
        return chosen


@dataclass(frozen=True)
class Topic:
    """A topic; `created` is when it was chosen, or when a proposal was promoted to it."""

    id: UUID
    name: str
    description: str
    categories: tuple[str, ...]
    curated: bool
    created: int


@dataclass(frozen=True)
class Proposal:
    """A topic that a user proposed. Without a decision `reviewed` is NEVER."""

    id: UUID
    user: int
    name: str
    created: int
    reviewed: int
    approved: bool
    promoted_to: UUID | None


@dataclass(frozen=True)
class Ideas:
    """Ideas in the order of their creation, the team's first. `category` counts within the topic.

    `closed` is when one was hidden or removed, `moderated` when it was decided upon at first.
    """

    ids: list[UUID]
    topic: Ints
    category: Ints
    user: Ints
    created: Ints
    moderated: Ints
    rejected: Ints
    closed: Ints
    closed_as: list[str]
    appeal: Floats


@dataclass(frozen=True)
class Scenes:
    """Scenes in the order of their creation; the first one is the team's private scene of rehearsals."""

    ids: list[UUID]
    idea: Ints
    user: Ints
    created: Ints
    closed: Ints
    closed_as: list[str]
    appeal: Floats


@dataclass(frozen=True)
class World:
    """One sample, but for what happens in it."""

    size: StoriesSize
    calendar: Calendar
    people: People
    topics: list[Topic]
    proposals: list[Proposal]
    ideas: Ideas
    scenes: Scenes

    def dice(self, number: int, *more: int) -> np.random.Generator:
        """Dice of their own for each part of the sample."""
        return np.random.default_rng([self.size.seed, number, *more])


def build_world(size: StoriesSize, now: datetime, first_day: date) -> World:
    """The world of that size that opens on the first day. Raises SampleError when there is no full day before `now`."""
    calendar = build_calendar(now, first_day)
    people = _people(size, calendar)
    topics, proposals = _topics(size, calendar, people)
    ideas = _ideas(size, calendar, people, topics)
    scenes = _scenes(size, calendar, people, ideas)
    return World(size, calendar, people, topics, proposals, ideas, scenes)


def build_calendar(now: datetime, first_day: date) -> Calendar:
    """The calendar of a sample that ends at `now`. Raises SampleError."""
    if now.tzinfo is None:
        raise SampleError("the sample's `now` must have a time zone")
    now = now.astimezone(UTC)
    days = (now.date() - first_day).days
    if days < 1:
        raise SampleError(f"the sample's first day must be over before {now.date()}, and is {first_day}")
    return Calendar(
        year_from=first_day.replace(year=first_day.year - 1, day=1),
        first_day=first_day,
        days=days,
        now=int((now - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)),
    )


def rehearsal_scene(size: StoriesSize, first_day: date) -> UUID:
    """The id of the scene of rehearsals: it says of which size and first day a sample is."""
    digest = hashlib.sha256(repr((size, first_day.isoformat())).encode()).digest()
    return UUID(bytes=digest[:16], version=4)


def new_id(rng: np.random.Generator) -> UUID:
    """A random UUID (version 4)."""
    return UUID(bytes=rng.bytes(16), version=4)


def packed(ids: list[UUID]) -> Bytes:
    """The ids as rows of 16 bytes."""
    return np.frombuffer(b"".join(one.bytes for one in ids), dtype=np.uint8).reshape(-1, 16)


def one_of(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    """One of the options, each as likely as the other."""
    return options[int(rng.integers(len(options)))]


def pauses(rng: np.random.Generator, median: int, count: int, spread: float = 0.9) -> Ints:
    """Times that pass before something happens: half of them are shorter than the median, some much longer."""
    drawn: Floats = rng.lognormal(np.log(median), spread, count)
    return drawn.astype(np.int64)


def _microseconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000


def _busy(rng: np.random.Generator, first: date, days: int, begin: float, end: float) -> Floats:
    week = np.array(_WEEKDAYS)[(first.weekday() + np.arange(days)) % 7]
    busy: Floats = week * np.linspace(begin, end, days) * rng.lognormal(0, 0.05, days)
    return busy


def _spread(rng: np.random.Generator, first: date, busy: Floats, count: int) -> Ints:
    ends = np.round(np.cumsum(busy) / busy.sum() * count).astype(np.int64)
    days = [
        _microseconds(first) + index * DAY + times_of_day(rng, int(some), (first.weekday() + index) % 7)
        for index, some in enumerate(np.diff(ends, prepend=0))
    ]
    return np.sort(np.concatenate(days))


def _people(size: StoriesSize, calendar: Calendar) -> People:
    rng = np.random.default_rng([size.seed, 101])
    before = round((size.users - TEAM) * 0.55)
    team = _microseconds(calendar.year_from) + np.arange(TEAM) * HOUR
    created = np.concatenate(
        (team, calendar.moments_before(rng, before), calendar.moments(rng, size.users - TEAM - before))
    )
    return People(
        ids=[new_id(rng) for _ in range(size.users)],
        created=np.sort(created),
        activity=np.minimum(rng.pareto(1.3, size.users) + 0.15, 60),
    )


def _topics(size: StoriesSize, calendar: Calendar, people: People) -> tuple[list[Topic], list[Proposal]]:
    rng = np.random.default_rng([size.seed, 102])
    chosen = np.sort(calendar.moments_before(rng, len(words.TOPICS)))
    topics = [
        Topic(new_id(rng), name, about, categories, True, int(at))
        for at, (name, (about, categories)) in zip(chosen, words.TOPICS.items(), strict=True)
    ]
    times = calendar.moments(rng, max(12, size.users // 40))
    reviewed = times + pauses(rng, 20 * HOUR, len(times))
    draws = rng.random(len(times))
    proposals = []
    for number, (user, created, decided, draw) in enumerate(
        zip(people.someone(rng, times), times, reviewed, draws, strict=True)
    ):
        name = words.PROPOSALS[number % len(words.PROPOSALS)]
        # The first ones are promoted, so that ideas can follow.
        promoted = number < _PROMOTED
        topic = Topic(new_id(rng), name, "Proposed by the community.", (), False, int(decided)) if promoted else None
        if topic:
            topics.append(topic)
        undecided = not promoted and draw > 0.92
        proposals.append(
            Proposal(
                id=new_id(rng),
                user=int(user),
                name=name,
                created=int(created),
                reviewed=NEVER if undecided else int(decided),
                approved=promoted or draw < 0.45,
                promoted_to=topic.id if topic else None,
            )
        )
    return topics, proposals


def _ideas(size: StoriesSize, calendar: Calendar, people: People, topics: list[Topic]) -> Ideas:
    rng = np.random.default_rng([size.seed, 103])
    prepared = max(3, size.ideas // 30)
    by_team = calendar.opening + MINUTE + np.sort(rng.integers(0, HOUR, prepared))
    by_team[0] = calendar.opening + MINUTE
    later = calendar.moments(rng, size.ideas - prepared)
    early = later < calendar.opening + 2 * HOUR
    later[early] = calendar.opening + 2 * HOUR + rng.integers(0, HOUR, int(early.sum()))
    created = np.concatenate((by_team, np.sort(later)))
    user = people.someone(rng, created)
    user[:prepared] = rng.integers(0, TEAM, prepared)
    topic = pick(rng, 1.0 / np.arange(3, len(topics) + 3), size.ideas)
    curated = sum(one.curated for one in topics)
    unknown = np.array([one.created for one in topics])[topic] > created
    topic[unknown] = rng.integers(0, curated, int(unknown.sum()))
    categories = np.array([len(one.categories) for one in topics])[topic]

    rejected = np.flatnonzero(rng.random(size.ideas) < 0.03)
    rejected = rejected[rejected >= prepared]
    moderated = created + pauses(rng, 3 * HOUR, size.ideas)
    moderated[:prepared] = created[:prepared]
    closed, closed_as = _closings(rng, created, prepared, 0.03, ("hidden", "removed"))
    closed[rejected] = moderated[rejected]
    for one in rejected:
        closed_as[one] = "removed"
    return Ideas(
        ids=[new_id(rng) for _ in range(size.ideas)],
        topic=topic,
        category=np.where(categories > 0, (rng.random(size.ideas) * 1.3 * categories).astype(np.int64), 0),
        user=user,
        created=created,
        moderated=moderated,
        rejected=np.isin(np.arange(size.ideas), rejected).astype(np.int64),
        closed=closed,
        closed_as=closed_as,
        appeal=np.power(rng.permutation(size.ideas) + 6.0, -0.8),
    )


def _scenes(size: StoriesSize, calendar: Calendar, people: People, ideas: Ideas) -> Scenes:
    rng = np.random.default_rng([size.seed, 104])
    created = calendar.moments(rng, size.scenes)
    early = created < calendar.opening + 2 * HOUR
    created[early] = calendar.opening + 2 * HOUR + rng.integers(0, HOUR, int(early.sum()))
    created = np.sort(created)
    # The private scene is there before everything else of the first day but for the idea that it belongs to.
    created[0] = calendar.opening + HOUR + 2 * MINUTE

    passed = np.cumsum(ideas.appeal)
    known = passed[np.searchsorted(ideas.created, created - 30 * MINUTE, side="right") - 1]
    idea = np.searchsorted(passed, rng.random(size.scenes) * known, side="right")
    # The first idea is the team's and stays open.
    idea[(ideas.closed[idea] <= created) | (ideas.rejected[idea] > 0)] = 0
    idea[0] = 0
    user = np.where(rng.random(size.scenes) < 0.4, ideas.user[idea], people.someone(rng, created))
    user[0] = 0
    closed, closed_as = _closings(rng, created, 1, 0.04, ("hidden", "hidden", "removed", "locked"))
    closed[0], closed_as[0] = created[0], "hidden"
    ids = [rehearsal_scene(size, calendar.first_day), *(new_id(rng) for _ in range(size.scenes - 1))]
    appeal = np.power(rng.permutation(size.scenes) + 6.0, -0.9)
    appeal[0] = 0
    return Scenes(ids, idea, user, created, closed, closed_as, appeal)


def _closings(
    rng: np.random.Generator, created: Ints, spared: int, share: float, states: tuple[str, ...]
) -> tuple[Ints, list[str]]:
    """When moderators close some of them, days after they were made, and the state that those then have."""
    count = len(created)
    chosen = rng.random(count) < share
    chosen[:spared] = False
    closed = np.where(chosen, created + pauses(rng, 60 * HOUR, count), NEVER)
    return closed, [states[place] for place in rng.integers(0, len(states), count)]
