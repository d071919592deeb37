"""The sample gallery's event log: day after day, in the order in which the rows arrived, as Arrow tables.

Here: what connects days (favorites taken back, given again, given twice), the broken habits of a real log, rows
that arrive late, and the Arrow tables. Not here: a single day's visits (`sample_visits`), writing to a database
(`sample`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from community_pipelines.embedded import sample_words as words
from community_pipelines.embedded.sample_gallery import (
    DAY,
    Bytes,
    Flags,
    Gallery,
    Ints,
    SampleSize,
    build_gallery,
    random_ids,
)
from community_pipelines.embedded.sample_visits import (
    AGENTS,
    CLICK,
    EMBED,
    FAVORITE,
    KINDS,
    NEWSLETTER,
    NONE,
    PANEL,
    REFERRERS,
    SHARE,
    SITE,
    SOURCES,
    UNFAVORITE,
    WIDGET,
    Day,
    Events,
    blank,
    crawler_events,
    pairs,
    people_events,
)

SCHEMA = pa.schema(
    [
        pa.field("id", pa.uuid()),
        pa.field("template_id", pa.uuid()),
        pa.field("user_id", pa.string()),
        pa.field("event_type", pa.string()),
        pa.field("source", pa.string()),
        pa.field("project_id", pa.uuid()),
        pa.field("scene_count", pa.int32()),
        pa.field("referrer", pa.string()),
        pa.field("user_agent", pa.string()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
    ]
)

# Shares of a day's events.
_CRAWLED = 0.075
_TAKEN_BACK = 0.0025
_GIVEN_AGAIN = 0.0006
_GIVEN_TWICE = 0.0004
_NEVER_GIVEN = 0.00012
_NOBODYS = 0.0001
_UNKNOWN_KIND = 0.0002
_UNKNOWN_SOURCE = 0.0003
_NO_SOURCE = 0.003
_NO_AGENT = 0.002
_LATE = 0.003
# The last full day shows every rare thing if it has so many events, and no day has more than one unknown kind
# in so many: well below the 1% of broken rows for which a day would be withheld.
_LARGE_ENOUGH = 150


def event_days(size: SampleSize, now: datetime) -> Iterator[pa.Table]:
    """The events of a sample, one table of SCHEMA per day of arrival: its full days, then today up to `now`.

    A table holds the day's own events and a few of earlier days that came in late, in order of arrival. The
    full days have exactly `size.days * size.events_per_day` events; with `now` at midnight there are no others.
    Memory stays flat. Raises SampleError.
    """
    return arrivals(build_gallery(size, now))


def arrivals(gallery: Gallery) -> Iterator[pa.Table]:
    """As `event_days`, for a gallery that is built already."""
    tables = _Tables(gallery)
    favorites = _Favorites(gallery)
    late: dict[int, list[Events]] = defaultdict(list)
    for index in range(gallery.size.days + 1):
        rows = _day(Day(gallery, index), favorites, rare=index == gallery.size.days - 1)
        if index == gallery.size.days:
            rows = rows[rows["time"] <= gallery.now]
        arrived = (rows["arrival"] - gallery.start(0)) // DAY
        for later in np.unique(arrived[arrived > index]):
            late[int(later)].append(rows[arrived == later])
        rows = np.concatenate([rows[arrived <= index], *late.pop(index, [])])
        yield tables.of(rows[np.argsort(rows["arrival"], kind="stable")])


class _Favorites:
    """Which user holds which template as a favorite, as pairs: what the next day starts from."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self.held = np.zeros(0, np.int64)
        self.let_go = np.zeros(0, np.int64)

    def follow(self, rows: Events) -> None:
        """Takes over a day: for every pair the last of its events counts."""
        told = rows[((rows["kind"] == FAVORITE) | (rows["kind"] == UNFAVORITE)) & (rows["user"] != NONE)]
        told = told[np.argsort(told["time"], kind="stable")][::-1]
        keys, last = np.unique(pairs(self._gallery, told["user"], told["template"]), return_index=True)
        given = told["kind"][last] == FAVORITE
        self.held = np.union1d(np.setdiff1d(self.held, keys[~given]), keys[given])
        self.let_go = np.setdiff1d(np.union1d(self.let_go, keys[~given]), keys[given])


def _day(day: Day, favorites: _Favorites, rare: bool) -> Events:
    """All events that happen on a day, with their ids and times of arrival."""
    rare = rare and day.volume >= _LARGE_ENOUGH
    returning, told = _returning(day, favorites, rare)
    crawled = round(day.volume * _CRAWLED * day.rng.uniform(0.8, 1.2))
    visits = max(0, day.volume - len(returning) - crawled)
    barred = np.union1d(favorites.held, told)
    parts = [returning, crawler_events(day, crawled), people_events(day, visits, barred)]
    rows = np.concatenate(parts)[: day.volume]
    favorites.follow(rows)
    _spoil(day, rows, rare)
    rows["id"] = random_ids(day.rng, len(rows))
    _arrive(day, rows)
    return rows


def _returning(day: Day, favorites: _Favorites, rare: bool) -> tuple[Events, Ints]:
    """Events about favorites of earlier days, and the pairs that they speak of."""
    rng, gallery = day.rng, day.gallery

    def some(share: float, most: int) -> int:
        return min(max(int(rng.poisson(share * day.volume)), int(rare)), most)

    back = some(_TAKEN_BACK, len(favorites.held) // 2)
    twice = some(_GIVEN_TWICE, len(favorites.held) // 2)
    known = rng.choice(favorites.held, back + twice, replace=False)
    again = rng.choice(favorites.let_go, some(_GIVEN_AGAIN, len(favorites.let_go)), replace=False)
    never = some(_NEVER_GIVEN, 1_000)
    wrong = pairs(gallery, day.users(never), day.templates(np.full(never, day.start)))
    wrong = np.setdiff1d(wrong, np.union1d(favorites.held, again))
    told = np.concatenate((known, again, wrong))
    kinds = np.repeat([UNFAVORITE, FAVORITE, FAVORITE, UNFAVORITE], [back, twice, len(again), len(wrong)])

    rows = blank(len(told) + some(_NOBODYS, 1_000))
    rows["time"] = day.times(len(rows))
    rows["source"] = np.where(rng.random(len(rows)) < 0.7, PANEL, SITE)
    rows["kind"][: len(told)] = kinds
    rows["user"][: len(told)] = told // gallery.size.templates
    rows["template"][: len(told)] = told % gallery.size.templates
    nobodys = rows[len(told) :]
    nobodys["kind"] = FAVORITE
    nobodys["source"] = SITE
    nobodys["template"] = day.templates(nobodys["time"])
    rows["agent"] = day.agents(rows["user"], np.zeros(len(rows), np.bool_))
    rows["referrer"] = np.where(rows["source"] == SITE, len(REFERRERS) + rows["template"], NONE)
    return rows, told


def _spoil(day: Day, rows: Events, rare: bool) -> None:
    """What a real log has: kinds and sources that nobody declared, sources and user agents missing."""
    rng = day.rng

    def some(share: float, among: Ints) -> Ints:
        count = max(int(rng.poisson(share * len(rows))), int(rare))
        return rng.choice(among, min(count, len(among)), replace=False)

    anywhere = np.arange(len(rows))
    chosen = some(_NO_SOURCE, anywhere)
    rows["source"][chosen] = NONE
    chosen = some(_UNKNOWN_SOURCE, anywhere)
    rows["source"][chosen] = np.where(rng.random(len(chosen)) < 0.7, NEWSLETTER, WIDGET)
    chosen = some(_NO_AGENT, anywhere)
    rows["agent"][chosen] = NONE
    chosen = some(_UNKNOWN_KIND, np.flatnonzero(rows["kind"] == CLICK))[: len(rows) // _LARGE_ENOUGH]
    rows["kind"][chosen] = np.where(rng.random(len(chosen)) < 0.8, SHARE, EMBED)


def _arrive(day: Day, rows: Events) -> None:
    """Most rows come in within seconds, some days later; what would come after `now` came at once."""
    rng = day.rng
    soon = rows["time"] + (rng.exponential(3e6, len(rows))).astype(np.int64)
    soon = np.minimum(soon, day.end - 1)
    later = day.end + (rng.random(len(rows)) ** 2 * 3 * DAY).astype(np.int64)
    late = (rng.random(len(rows)) < _LATE) & (later <= day.gallery.now)
    rows["arrival"] = np.where(late, later, soon)


class _Tables:
    """Turns rows of positions into Arrow tables."""

    def __init__(self, gallery: Gallery) -> None:
        templates, people = gallery.templates, gallery.people
        pages = [f"{words.SITE}/community/{slug}" for slug in templates.slugs]
        self._templates = templates.ids
        self._projects = people.project_ids
        self._users = pa.array(people.ids)
        self._kinds = pa.array(KINDS)
        self._sources = pa.array(SOURCES)
        self._agents = pa.array(AGENTS)
        self._referrers = pa.array([*REFERRERS, *pages])

    def of(self, rows: Events) -> pa.Table:
        return pa.Table.from_arrays(
            [
                uuids(rows["id"]),
                uuids(self._templates[rows["template"]]),
                _texts(self._users, rows["user"]),
                _texts(self._kinds, rows["kind"]),
                _texts(self._sources, rows["source"]),
                uuids(self._projects[rows["project"]], rows["project"] != NONE),
                pa.array(rows["scenes"], mask=rows["scenes"] == NONE),
                _texts(self._referrers, rows["referrer"]),
                _texts(self._agents, rows["agent"]),
                pa.array(rows["time"]).cast(pa.timestamp("us", tz="UTC")),
            ],
            schema=SCHEMA,
        )


def uuids(ids: Bytes, valid: Flags | None = None) -> pa.ExtensionArray[Any]:
    """16-byte rows as Arrow's UUID type; null where `valid` is false."""
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    storage = pa.Array.from_buffers(pa.binary(16), len(ids), [bits, pa.py_buffer(ids.tobytes())])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def _texts(known: pa.Array[Any], positions: Ints) -> pa.Array[Any]:
    return known.take(pa.array(positions, pa.int64(), mask=positions == NONE))
