"""The gallery's event log: day after day, in the order in which the rows arrived, as Arrow tables.

People come in visits and look at a few templates one after the other. A look is a view, perhaps followed by a click, a
prompt, a favorite, a use or a mix; only those who are signed in do more than view and click. Crawlers walk through all.
What connects days are favorites, which are taken back, given again, given twice. And the log has what real ones have:
kinds and sources that nobody declared, values missing, rows that arrive late.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from community_pipelines.samples.bazaar.gallery import Gallery
from community_pipelines.samples.calendar import DAY, SECOND, pauses
from community_pipelines.samples.chance import NONE, Flags, Floats, Ints, few, met, pick, random_ids
from community_pipelines.samples.visits import (
    Agents,
    Referrers,
    Rows,
    Toggles,
    arrive,
    by_arrival,
    crawl,
    first_of_each,
    passed,
    steps,
)
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import texts, times, uuids

KINDS = ("view", "click", "prompt", "favorite", "unfavorite", "use", "mix", "share", "embed")
VIEW, CLICK, PROMPT, FAVORITE, UNFAVORITE, USE, MIX, SHARE, EMBED = range(len(KINDS))
SOURCES = ("in_app_panel", "community_site", "direct", "newsletter", "partner_widget")
PANEL, SITE, DIRECT, NEWSLETTER, WIDGET = range(len(SOURCES))

# An event as positions in the lists of templates, users, …; NONE stands for null.
_EVENT = np.dtype(
    [
        ("id", "u1", (16,)), ("time", "i8"), ("arrival", "i8"), ("template", "i4"), ("user", "i4"), ("project", "i4"),
        ("scenes", "i4"), ("referrer", "i4"), ("agent", "i2"), ("kind", "i1"), ("source", "i1"),
    ]
)  # fmt: skip

# Shares of a day's events.
_CRAWLED = 0.075
_TAKEN_BACK, _GIVEN_AGAIN, _GIVEN_TWICE, _NEVER_GIVEN, _NOBODYS = 0.0025, 0.0006, 0.0004, 0.00012, 0.0001
_UNKNOWN_KIND, _UNKNOWN_SOURCE, _NO_SOURCE, _NO_AGENT, _LATE = 0.0002, 0.0003, 0.003, 0.002, 0.003
# The last full day shows every rare thing if it has so many events, and no day has more than one unknown kind
# in so many: well below the 1% of broken rows for which a day would be withheld.
_LARGE_ENOUGH = 150

_LOOKS_PER_VISIT = 3.2
# Fewer than there are, so that more looks are drawn than needed.
_EVENTS_PER_LOOK = 1.2


def arrivals(gallery: Gallery) -> Iterator[pa.Table]:
    """The events, one table per day of arrival: the full days, then today up to `now`.

    A table holds the day's own events and a few of earlier days that came in late, in order of arrival. The full days
    have exactly `days * events_per_day` events; with `now` at midnight there are no others. Memory stays flat.
    """
    world = _World(gallery)
    held = Toggles()
    days = (_Day(world, index, held).events() for index in range(gallery.calendar.days + 1))
    return (world.table(rows) for rows in by_arrival(gallery.calendar, days))


class _World:
    """What all days share: the lists that events point into."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.agents = Agents()
        self.own_agents = gallery.dice("agents").random(len(gallery.people))
        known = words("bazaar")
        inside = [[known["site"] + page for page in known[kind]] for kind in ("site_referrers", "panel_referrers")]
        self.referrers = Referrers(*inside)
        # One page for each template follows.
        self.pages = len(self.referrers.urls)
        pages = [f"{known['site']}/community/{slug}" for slug in gallery.templates.slugs]
        lists = {
            "user": [str(one) for one in gallery.people.ids], "kind": KINDS, "source": SOURCES,
            "agent": self.agents.names, "referrer": self.referrers.urls + pages,
        }  # fmt: skip
        self._texts = {name: pa.array(values) for name, values in lists.items()}

    def pairs(self, users: Ints, templates: Ints) -> Ints:
        """One number for each pair of a user and a template."""
        return users.astype(np.int64) * self.gallery.size.templates + templates

    def table(self, rows: Rows) -> pa.Table:
        """Rows of positions as what they point to."""
        user, kind, source, agent, referrer = (texts(known, rows[name]) for name, known in self._texts.items())
        template, project = self.gallery.templates.ids[rows["template"]], self.gallery.projects.ids[rows["project"]]
        return pa.table(
            {
                "id": uuids(rows["id"]), "template_id": uuids(template), "user_id": user, "event_type": kind,
                "source": source, "project_id": uuids(project, rows["project"] != NONE),
                "scene_count": pa.array(rows["scenes"], mask=rows["scenes"] == NONE), "referrer": referrer,
                "user_agent": agent, "created_at": times(rows["time"], self.gallery.calendar.now),
            }
        )  # fmt: skip


class _Day:
    """One day: its dice, who and what can be met on it, and all that happens."""

    def __init__(self, world: _World, index: int, favorites: Toggles) -> None:
        gallery = world.gallery
        self._world, self._index, self._favorites, self._gallery = world, index, favorites, gallery
        self._rng = gallery.dice("day", index)
        self._start, self._volume = gallery.calendar.start(index), int(gallery.volumes[index])
        self._end = self._start + DAY
        self._spikes = gallery.spikes[index]
        self._weights = gallery.templates.weights(self._start)
        self._rare = int(index == gallery.calendar.days - 1 and self._volume >= _LARGE_ENOUGH)

    def events(self) -> Rows:
        """All events that happen on the day, with their ids and times of arrival."""
        returning, spoken_of = self._returning()
        crawled = round(self._volume * _CRAWLED * self._rng.uniform(0.8, 1.2))
        visits = max(0, self._volume - len(returning) - crawled)
        barred = np.union1d(self._favorites.held, spoken_of)
        rows = np.concatenate([returning, self._crawlers(crawled), self._people(visits, barred)])[: self._volume]
        told = rows[np.isin(rows["kind"], (FAVORITE, UNFAVORITE)) & (rows["user"] != NONE)]
        pairs = self._world.pairs(told["user"], told["template"])
        self._favorites.follow(pairs, told["time"], told["kind"] == FAVORITE)
        self._spoil(rows)
        rows["id"] = random_ids(self._rng, len(rows))
        rows["arrival"] = arrive(self._rng, rows["time"], self._end, self._gallery.calendar.now, _LATE)
        return rows

    def _returning(self) -> tuple[Rows, Ints]:
        """Events about favorites of earlier days, and the pairs that they speak of."""
        rng, held, let_go, volume = self._rng, self._favorites.held, self._favorites.let_go, self._volume
        back = few(rng, _TAKEN_BACK * volume, held, self._rare)[: len(held) // 2]
        twice = few(rng, _GIVEN_TWICE * volume, np.setdiff1d(held, back), self._rare)
        again = few(rng, _GIVEN_AGAIN * volume, let_go, self._rare)
        never = max(int(rng.poisson(_NEVER_GIVEN * volume)), self._rare)
        noon = np.full(never, self._start)
        wrong = self._world.pairs(self._gallery.people.someone(rng, noon, DAY), self._templates(noon))
        wrong = np.setdiff1d(wrong, np.union1d(held, again))
        told = np.concatenate((back, twice, again, wrong))

        rows = self._blank(len(told) + max(int(rng.poisson(_NOBODYS * volume)), self._rare))
        rows["time"] = self._times(len(rows))
        rows["source"] = np.where(rng.random(len(rows)) < 0.7, PANEL, SITE)
        rows["kind"][: len(told)] = np.repeat(
            [UNFAVORITE, FAVORITE, FAVORITE, UNFAVORITE], [len(back), len(twice), len(again), len(wrong)]
        )
        rows["user"][: len(told)] = told // self._gallery.size.templates
        rows["template"][: len(told)] = told % self._gallery.size.templates
        nobodys = rows[len(told) :]
        nobodys["kind"], nobodys["source"] = FAVORITE, SITE
        nobodys["template"] = self._templates(nobodys["time"])
        rows["agent"] = self._agents(rows["user"], np.zeros(len(rows), np.bool_))
        rows["referrer"] = np.where(rows["source"] == SITE, self._world.pages + rows["template"], NONE)
        return rows, told

    def _people(self, count: int, barred: Ints) -> Rows:
        """That many events of people's visits; the pairs in `barred` (held already) get no new favorite."""
        looks = self._looks(int(count / _EVENTS_PER_LOOK) + 80)
        rng, total, end = self._rng, len(looks), self._end
        signed = looks["user"] != NONE
        useful = signed * self._gallery.templates.usefulness[looks["template"]]
        deeds: list[tuple[int, Flags, Ints]] = []
        for kind, chance, seconds in (
            (CLICK, np.where(signed, 0.32, 0.24), 8),
            (PROMPT, signed * 0.045, 40),
            (FAVORITE, useful * 0.05, 15),
            (USE, useful * 0.055, 60),
            (MIX, useful * 0.02, 75),
        ):
            at = looks["time"] + pauses(rng, seconds * SECOND, total)
            done = (rng.random(total) < chance) & (at < end)
            if kind == FAVORITE:
                asked = np.flatnonzero(done)
                keys = self._world.pairs(looks["user"][asked], looks["template"][asked])
                done = np.isin(np.arange(total), asked[first_of_each(keys, at[asked], barred)])
                # A double click, and a change of mind.
                again = at + rng.uniform(0.2 * SECOND, 3 * SECOND, total).astype(np.int64)
                regret = again + pauses(rng, 60 * SECOND, total)
                deeds.append((FAVORITE, done & (rng.random(total) < 0.02) & (again < end), again))
                deeds.append((UNFAVORITE, done & (rng.random(total) < 0.04) & (regret < end), regret))
            deeds.append((kind, done, at))

        # The looks that fit whole, then bare views, so that the day has exactly its number of events.
        so_far = np.cumsum(1 + sum(done.astype(np.int64) for _, done, _ in deeds))
        whole = int(np.searchsorted(so_far, count, side="right"))
        parts = [looks[: whole + count - (int(so_far[whole - 1]) if whole else 0)]]
        for kind, done, at in deeds:
            chosen = np.flatnonzero(done[:whole])
            part = looks[chosen]
            part["kind"], part["time"] = kind, at[chosen]
            page = self._world.pages + part["template"]
            part["referrer"] = np.where(part["source"] == PANEL, part["referrer"], page)
            if kind in (USE, MIX):
                self._into_projects(part)
            parts.append(part)
        return np.concatenate(parts)

    def _into_projects(self, rows: Rows) -> None:
        """Uses take all scenes of a template into one of the user's projects, mixes take some."""
        rng, gallery = self._rng, self._gallery
        rows["project"] = gallery.projects.of(rows["user"], rows["time"], rng.random(len(rows)))
        scenes = gallery.templates.scenes[rows["template"]]
        some = 1 + (rng.random(len(rows)) * scenes).astype(np.int64)
        rows["scenes"] = np.where(rows["kind"] == MIX, some, scenes)

    def _looks(self, count: int) -> Rows:
        """Views in the order of their visits; somewhat fewer than `count`, as some fall past midnight."""
        rng = self._rng
        share = self._spikes.sum() / (1 + self._spikes.sum())
        # Who follows a link to a viral template looks at that one only, so more visits than looks are such.
        share = share * _LOOKS_PER_VISIT / (1 - share + share * _LOOKS_PER_VISIT)
        viral = rng.random(count) < share
        visit, place = steps(np.where(viral, 1, rng.geometric(1 / _LOOKS_PER_VISIT, count)), count)
        visits = int(visit[-1]) + 1
        viral, draw, begin = viral[:visits], rng.random(visits), self._times(visits)
        signed = rng.random(visits) < np.where(viral, 0.15, 0.5)
        user = np.where(signed, self._gallery.people.someone(rng, np.full(visits, self._start), DAY), NONE)
        inside = np.select([draw < 0.62, draw < 0.92], [PANEL, SITE], DIRECT)
        source = np.where(signed & ~viral, inside, np.where(draw < 0.72, SITE, DIRECT))
        mobile = (source != PANEL) & (rng.random(visits) < np.where(signed, 0.15, 0.42))

        rows = self._blank(count)
        time = begin[visit] + passed(rng, 30, visit, place)
        rows["time"], rows["user"], rows["source"] = time, user[visit], source[visit]
        rows["template"] = self._templates(time)
        if self._spikes.any():
            hit = viral[visit]
            rows["template"][hit] = pick(rng, self._spikes, int(hit.sum()))
        rows["agent"] = self._agents(user, mobile)[visit]
        rows["referrer"] = self._referrers(rows["source"], viral[visit], place)
        return rows[time < self._end]

    def _crawlers(self, count: int) -> Rows:
        """That many events of crawlers: long walks at any hour, nobody signed in, hardly ever a click."""
        rng = self._rng
        visit, time = crawl(rng, self._start, count)
        crawls = int(visit[-1]) + 1 if count else 0
        rows = self._blank(count)
        rows["time"] = time
        # They find all that is listed, one as often as the other.
        listed = np.where(self._gallery.templates.listed, 1.0, 1e-9)
        rows["template"] = met(rng, np.full(count, self._start), self._gallery.templates.created, listed)
        rows["kind"] = np.where(rng.random(count) < 0.03, CLICK, VIEW)
        rows["source"] = np.where(rng.random(crawls) < 0.8, SITE, DIRECT)[visit]
        rows["agent"] = self._world.agents.of_crawlers(rng.random(crawls))[visit]
        return rows

    def _referrers(self, source: Ints, viral: Flags, place: Ints) -> Ints:
        rng, count = self._rng, len(source)
        draw = rng.random(count)
        search, social, site, panel = self._world.referrers.some(rng, count)
        entry = np.select([draw < 0.45, draw < 0.65, draw < 0.85], [search, social, site], NONE)
        return np.select(
            [source == PANEL, place > 0, viral, source == SITE],
            [np.where(draw < 0.6, panel, NONE), site, np.where(draw < 0.8, social, NONE), entry],
            NONE,
        )

    def _spoil(self, rows: Rows) -> None:
        """What a real log has: kinds and sources that nobody declared, sources and user agents missing."""
        rng, count, anywhere = self._rng, len(rows), np.arange(len(rows))
        rows["source"][few(rng, _NO_SOURCE * count, anywhere, self._rare)] = NONE
        chosen = few(rng, _UNKNOWN_SOURCE * count, anywhere, self._rare)
        rows["source"][chosen] = np.where(rng.random(len(chosen)) < 0.7, NEWSLETTER, WIDGET)
        rows["agent"][few(rng, _NO_AGENT * count, anywhere, self._rare)] = NONE
        clicks = np.flatnonzero(rows["kind"] == CLICK)
        chosen = few(rng, _UNKNOWN_KIND * count, clicks, self._rare)[: count // _LARGE_ENOUGH]
        rows["kind"][chosen] = np.where(rng.random(len(chosen)) < 0.8, SHARE, EMBED)

    def _blank(self, count: int) -> Rows:
        rows = np.zeros(count, _EVENT)
        for name in ("user", "project", "scenes", "referrer", "agent", "source"):
            rows[name] = NONE
        return rows

    def _times(self, count: int) -> Ints:
        return self._gallery.calendar.times(self._rng, self._index, count)

    def _templates(self, moments: Ints) -> Ints:
        return met(self._rng, moments, self._gallery.templates.created, self._weights)

    def _agents(self, users: Ints, mobile: Flags) -> Ints:
        """A user agent for each visitor; users keep theirs."""
        draw: Floats = np.where(users == NONE, self._rng.random(len(users)), self._world.own_agents[users])
        return self._world.agents.of_people(draw, mobile)
