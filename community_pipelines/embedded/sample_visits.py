"""One day of visits to the sample gallery: people who look around, and crawlers that walk through it.

Here: drawing a day's visits as rows of positions. Not here: what connects days (`sample_events`) and what is
visited (`sample_gallery`).

People come in visits and look at a few templates one after the other. A look is a view, perhaps followed by a
click, a prompt, a favorite, a use or a mix; only those who are signed in do more than view and click.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt

from community_pipelines.embedded import sample_words as words
from community_pipelines.embedded.sample_gallery import (
    DAY,
    Flags,
    Floats,
    Gallery,
    Ints,
    pick,
    place_of,
    times_of_day,
)

KINDS = ("view", "click", "prompt", "favorite", "unfavorite", "use", "mix", "share", "embed")
VIEW, CLICK, PROMPT, FAVORITE, UNFAVORITE, USE, MIX, SHARE, EMBED = range(len(KINDS))
SOURCES = ("in_app_panel", "community_site", "direct", "newsletter", "partner_widget")
PANEL, SITE, DIRECT, NEWSLETTER, WIDGET = range(len(SOURCES))
NONE = -1

_WEIGHTED_AGENTS = (*words.DESKTOP_AGENTS, *words.MOBILE_AGENTS, *words.CRAWLER_AGENTS)
AGENTS = tuple(agent for agent, _ in _WEIGHTED_AGENTS)
_AGENT_WEIGHTS = np.array([float(weight) for _, weight in _WEIGHTED_AGENTS])
_MOBILE_FROM = len(words.DESKTOP_AGENTS)
_CRAWLERS_FROM = _MOBILE_FROM + len(words.MOBILE_AGENTS)

# Followed by one page for each template.
REFERRERS = (
    *words.SEARCH_REFERRERS,
    *words.SOCIAL_REFERRERS,
    *words.SITE_REFERRERS,
    *words.PANEL_REFERRERS,
)
_SOCIAL_FROM = len(words.SEARCH_REFERRERS)
_SITE_FROM = _SOCIAL_FROM + len(words.SOCIAL_REFERRERS)
_PANEL_FROM = _SITE_FROM + len(words.SITE_REFERRERS)

# An event as positions in the lists of templates, users, …; NONE stands for null. Times in microseconds, UTC.
EVENT = np.dtype(
    [
        ("id", "u1", (16,)),
        ("time", "i8"),
        ("arrival", "i8"),
        ("template", "i4"),
        ("user", "i4"),
        ("project", "i4"),
        ("scenes", "i4"),
        ("referrer", "i4"),
        ("agent", "i2"),
        ("kind", "i1"),
        ("source", "i1"),
    ]
)
Events = npt.NDArray[np.void]

_SECOND = 1_000_000.0
_LOOKS_PER_VISIT = 3.2
# Fewer than there are, so that more looks are drawn than needed.
_EVENTS_PER_LOOK = 1.2
_LOOKS_PER_CRAWL = 60


class Day:
    """One day of a gallery: its dice and who and what can be met on it."""

    def __init__(self, gallery: Gallery, index: int) -> None:
        self.gallery = gallery
        self.rng = np.random.default_rng([gallery.size.seed, 1_000 + index])
        self.start = gallery.start(index)
        self.end = self.start + DAY
        self.volume = gallery.volumes[index]
        self.spikes: Floats = gallery.spikes[index]
        self._weekday = (gallery.first_day + timedelta(days=index)).weekday()
        self._weights = gallery.templates.weights(self.start)
        self._there = int(np.searchsorted(gallery.templates.created, self.start))
        self._active = gallery.people.active(self.start)

    def times(self, count: int) -> Ints:
        """Moments of this day as people spread over it."""
        return self.start + times_of_day(self.rng, count, self._weekday)

    def users(self, count: int) -> Ints:
        """Users who signed up before this day, the busy ones more often."""
        return pick(self.rng, self.gallery.people.activity[: self._active], count)

    def templates(self, times: Ints) -> Ints:
        """A template for each time that exists by then, the popular ones more often."""
        chosen = pick(self.rng, self._weights, len(times))
        early = np.flatnonzero(self.gallery.templates.created[chosen] > times)
        chosen[early] = pick(self.rng, self._weights[: self._there], len(early))
        return chosen

    def listed_templates(self, count: int) -> Ints:
        """Templates that a crawler finds: all that are listed, one as often as the other."""
        listed = self.gallery.templates.listed[: self._there]
        return pick(self.rng, np.where(listed, 1.0, 1e-9), count)

    def agents(self, users: Ints, mobile: Flags) -> Ints:
        """A user agent for each visitor; users keep theirs, one for the desk and one for the way."""
        desk = pick(self.rng, _AGENT_WEIGHTS[:_MOBILE_FROM], len(users))
        way = _MOBILE_FROM + pick(self.rng, _AGENT_WEIGHTS[_MOBILE_FROM:_CRAWLERS_FROM], len(users))
        known = users != NONE
        own = np.random.default_rng([self.gallery.size.seed, 6]).random((2, len(self.gallery.people.ids)))
        desk[known] = place_of(_AGENT_WEIGHTS[:_MOBILE_FROM], own[0][users[known]])
        way[known] = _MOBILE_FROM + place_of(_AGENT_WEIGHTS[_MOBILE_FROM:_CRAWLERS_FROM], own[1][users[known]])
        return np.where(mobile, way, desk)


def blank(count: int) -> Events:
    """That many events in which everything is null."""
    rows = np.zeros(count, EVENT)
    for name in ("user", "project", "scenes", "referrer", "agent", "source"):
        rows[name] = NONE
    return rows


def pairs(gallery: Gallery, users: Ints, templates: Ints) -> Ints:
    """One number for each pair of a user and a template."""
    return users.astype(np.int64) * gallery.size.templates + templates


def people_events(day: Day, count: int, barred: Ints) -> Events:
    """That many events of people's visits; the pairs in `barred` (held already) get no new favorite."""
    looks = _looks(day, int(count / _EVENTS_PER_LOOK) + 80)
    rng, gallery = day.rng, day.gallery
    total = len(looks)
    signed = looks["user"] != NONE
    useful = gallery.templates.usefulness[looks["template"]]
    times: dict[int, Ints] = {}
    done: dict[int, Flags] = {}
    for kind, chance, seconds in (
        (CLICK, np.where(signed, 0.32, 0.24), 8),
        (PROMPT, signed * 0.045, 40),
        (FAVORITE, signed * useful * 0.05, 15),
        (USE, signed * useful * 0.055, 60),
        (MIX, signed * useful * 0.02, 75),
    ):
        times[kind] = looks["time"] + _pause(rng, seconds, total)
        done[kind] = (rng.random(total) < chance) & (times[kind] < day.end)

    asked = np.flatnonzero(done[FAVORITE])
    asked = asked[np.argsort(times[FAVORITE][asked], kind="stable")]
    keys = pairs(gallery, looks["user"][asked], looks["template"][asked])
    _, first = np.unique(keys, return_index=True)
    fresh = first[~np.isin(keys[first], barred)]
    given = np.zeros(total, dtype=np.bool_)
    given[asked[fresh]] = True
    done[FAVORITE] = given

    # A double click, and a change of mind.
    again = times[FAVORITE] + (rng.uniform(0.2, 3, total) * _SECOND).astype(np.int64)
    doubled = given & (rng.random(total) < 0.02) & (again < day.end)
    regret = again + _pause(rng, 60, total)
    regretted = given & (rng.random(total) < 0.04) & (regret < day.end)

    # The looks that fit whole, then bare views, so that the day has exactly its number of events.
    steps = [(kind, done[kind], times[kind]) for kind in done]
    steps += [(FAVORITE, doubled, again), (UNFAVORITE, regretted, regret)]
    events = 1 + sum(flags.astype(np.int64) for _, flags, _ in steps)
    passed = np.cumsum(events)
    whole = int(np.searchsorted(passed, count, side="right"))
    missing = count - (int(passed[whole - 1]) if whole else 0)

    parts = [looks[: whole + missing]]
    for kind, flags, at in steps:
        rows = np.flatnonzero(flags[:whole])
        part = looks[rows]
        part["kind"] = kind
        part["time"] = at[rows]
        page = np.where(part["source"] == PANEL, part["referrer"], len(REFERRERS) + part["template"])
        part["referrer"] = page
        if kind in (USE, MIX):
            _into_projects(day, part)
        parts.append(part)
    return np.concatenate(parts)


def crawler_events(day: Day, count: int) -> Events:
    """That many events of crawlers: long walks at any hour, nobody signed in, hardly ever a click."""
    rng = day.rng
    length = np.minimum(rng.geometric(1 / _LOOKS_PER_CRAWL, count), 600)
    visit, place = _steps(length, count)
    crawls = int(visit[-1]) + 1 if count else 0
    passed = _running(_pause(rng, 5, count), visit, place)
    lasts = np.zeros(crawls, np.int64)
    np.maximum.at(lasts, visit, passed)
    start = day.start + (rng.random(crawls) * np.maximum(DAY - lasts - 1, 0)).astype(np.int64)
    rows = blank(count)
    rows["time"] = np.minimum(start[visit] + passed, day.end - 1)
    rows["template"] = day.listed_templates(count)
    rows["kind"] = np.where(rng.random(count) < 0.03, CLICK, VIEW)
    rows["source"] = np.where(rng.random(crawls) < 0.8, SITE, DIRECT)[visit]
    rows["agent"] = (_CRAWLERS_FROM + pick(rng, _AGENT_WEIGHTS[_CRAWLERS_FROM:], crawls))[visit]
    return rows


def _looks(day: Day, count: int) -> Events:
    """Views in the order of their visits; somewhat fewer than `count`, as some fall past midnight."""
    rng = day.rng
    share = day.spikes.sum() / (1 + day.spikes.sum())
    # Who follows a link to a viral template looks at that one only, so more visits than looks are such.
    share = share * _LOOKS_PER_VISIT / (1 - share + share * _LOOKS_PER_VISIT)
    viral = rng.random(count) < share
    visit, place = _steps(np.where(viral, 1, rng.geometric(1 / _LOOKS_PER_VISIT, count)), count)
    visits = int(visit[-1]) + 1
    viral = viral[:visits]

    signed = rng.random(visits) < np.where(viral, 0.15, 0.5)
    user = np.where(signed, day.users(visits), NONE)
    draw = rng.random(visits)
    source = np.where(draw < 0.72, SITE, DIRECT)
    inside = signed & ~viral
    source[inside] = np.select([draw < 0.62, draw < 0.92], [PANEL, SITE], DIRECT)[inside]
    mobile = (source != PANEL) & (rng.random(visits) < np.where(signed, 0.15, 0.42))

    rows = blank(count)
    time = day.times(visits)[visit] + _running(_pause(rng, 30, count), visit, place)
    rows["time"] = time
    rows["template"] = day.templates(time)
    if day.spikes.any():
        hit = viral[visit]
        rows["template"][hit] = pick(rng, day.spikes, int(hit.sum()))
    rows["user"] = user[visit]
    rows["source"] = source[visit]
    rows["agent"] = day.agents(user, mobile)[visit]
    rows["referrer"] = _referrers(rng, rows["source"], viral[visit], place)
    return rows[time < day.end]


def _referrers(rng: np.random.Generator, source: Ints, viral: Flags, place: Ints) -> Ints:
    count, draw = len(source), rng.random(len(source))
    search = rng.integers(0, _SOCIAL_FROM, count)
    social = rng.integers(_SOCIAL_FROM, _SITE_FROM, count)
    site = rng.integers(_SITE_FROM, _PANEL_FROM, count)
    panel = rng.integers(_PANEL_FROM, len(REFERRERS), count)
    entry = np.select([draw < 0.45, draw < 0.65, draw < 0.85], [search, social, site], NONE)
    return np.select(
        [source == PANEL, place > 0, viral, source == SITE],
        [np.where(draw < 0.6, panel, NONE), site, np.where(draw < 0.8, social, NONE), entry],
        NONE,
    )


def _into_projects(day: Day, rows: Events) -> None:
    """Uses take all scenes of a template into one of the user's projects, mixes take some."""
    templates, people = day.gallery.templates, day.gallery.people
    rows["project"] = people.projects_of(rows["user"], rows["time"], day.rng.random(len(rows)))
    scenes = templates.scenes[rows["template"]]
    some = 1 + (day.rng.random(len(rows)) * scenes).astype(np.int64)
    rows["scenes"] = np.where(rows["kind"] == MIX, some, scenes)


def _steps(length: Ints, count: int) -> tuple[Ints, Ints]:
    """For `count` looks: the visit that each belongs to, and its place in that visit."""
    ends = np.cumsum(length)
    visit = np.searchsorted(ends, np.arange(count), side="right")
    return visit, np.arange(count) - (ends - length)[visit]


def _running(pauses: Ints, visit: Ints, place: Ints) -> Ints:
    """The time passed since the beginning of the visit: the pauses before each look, added up."""
    passed = np.cumsum(pauses)
    begins = passed[np.flatnonzero(place == 0)]
    return passed - begins[visit] if len(pauses) else passed


def _pause(rng: np.random.Generator, seconds: float, count: int) -> Ints:
    pauses: Floats = rng.lognormal(np.log(seconds), 0.9, count) * _SECOND
    return pauses.astype(np.int64)
