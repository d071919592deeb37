"""Loads the sample gallery into an empty app database, in one transaction.

Here: the checks before, the tables that are written, and what a careless app made of its cached counters. Not
here: what the sample consists of (`sample_gallery`, `sample_events`) and creating tables (migrations).

The app of the sample counts carelessly: it adds every favorite and subtracts every unfavorite, first or not,
and loses about one in a hundred increments of views and uses. So the first reconcile has true work to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import pyarrow as pa

from community_pipelines.databases import connect, place
from community_pipelines.embedded import sample_words as words
from community_pipelines.embedded.sample_events import arrivals, event_days, uuids
from community_pipelines.embedded.sample_gallery import (
    DAY,
    Gallery,
    Ints,
    SampleError,
    SampleSize,
    build_gallery,
)

__all__ = ["SampleError", "SampleReport", "SampleSize", "event_days", "is_empty", "load"]

Progress = Callable[[str, int, int], None]
_Columns = dict[str, Any]

USERS, PROJECTS = "bazaar-vid_user", "bazaar-vid_project"
TEMPLATES, FAVORITES, EVENTS = "community_templates", "community_favorites", "community_events"
_TABLES = (USERS, PROJECTS, TEMPLATES, FAVORITES, EVENTS)

_TIME = pa.timestamp("us", tz="UTC")

# A lost increment is a property of its event: the last byte of the id is random, and 3 of 256 are about 1%.
_COUNTS = """
create temporary table sample_counts on commit drop as
select
    template_id,
    count(*) filter (where event_type = 'view') as views,
    count(*) filter (where event_type = 'use') as uses,
    count(*) filter (where event_type = 'view' and get_byte(uuid_send(id), 15) >= 3) as views_kept,
    count(*) filter (where event_type = 'use' and get_byte(uuid_send(id), 15) >= 3) as uses_kept,
    count(*) filter (where event_type = 'favorite')
        - count(*) filter (where event_type = 'unfavorite') as favorites_kept
from community_events
group by template_id
"""

_LAST_WORDS = """
create temporary table sample_last_words on commit drop as
select distinct on (user_id, template_id) user_id, template_id, event_type, created_at
from community_events
where event_type in ('favorite', 'unfavorite') and user_id is not null
order by user_id, template_id, created_at desc, id desc
"""

# What the log says, but for three favorites that the app forgot to store and three that it forgot to remove.
_FAVORITES = """
insert into community_favorites (user_id, template_id, created_at)
with last_words as (
    select
        last_word.*,
        row_number() over (
            partition by last_word.event_type order by md5(last_word.user_id || last_word.template_id::text)
        ) as place
    from sample_last_words as last_word
    join "bazaar-vid_user" as known_user on known_user.id = last_word.user_id
)
select user_id, template_id, created_at
from last_words
where (event_type = 'favorite') = (place > 3)
"""

_COUNTERS = """
update community_templates as template
set views_count = counts.views_kept,
    uses_count = counts.uses_kept,
    favorites_count = greatest(counts.favorites_kept, 0)
from sample_counts as counts
where counts.template_id = template.id
"""

_COUNTERS_OFF = """
with favorites as (
    select template_id, count(*) as favorites
    from sample_last_words
    where event_type = 'favorite'
    group by template_id
)
select
    count(*) filter (where template.views_count <> coalesce(counts.views, 0))
    + count(*) filter (where template.uses_count <> coalesce(counts.uses, 0))
    + count(*) filter (where template.favorites_count <> coalesce(favorites.favorites, 0))
from community_templates as template
left join sample_counts as counts on counts.template_id = template.id
left join favorites on favorites.template_id = template.id
"""


@dataclass(frozen=True)
class SampleReport:
    """What was loaded. The days are UTC and full; `events` includes those of today.

    `counters_off` counts the cached counters (three for each template) that differ from the event log.
    """

    first_day: date
    last_day: date
    templates: int
    users: int
    events: int
    favorites: int
    counters_off: int


class _Cursor(Protocol):
    """What psycopg's and ADBC's cursors have in common."""

    def execute(self, query: Any, /) -> Any: ...

    def fetchone(self) -> Any: ...


def is_empty(url: str) -> bool:
    """Whether the app database has no template and no event. Raises SampleError and DatabaseError."""
    with connect(url, "its URL") as connection, connection.cursor() as cursor:
        return not _filled(cursor, (TEMPLATES, EVENTS), url)


def load(url: str, size: SampleSize, now: datetime, progress: Progress | None = None) -> SampleReport:
    """Fills the app database of a libpq URL with a sample: all of it, or nothing.

    The sample ends at `now` (with time zone); the same size on the same UTC day gives the same rows for its
    full days. `progress` gets a stage's name, what is done and the total. Raises SampleError when a table is
    missing or has rows, or when the database refuses; DatabaseError when it cannot be reached.
    """
    with connect(url, "its URL") as connection, connection.cursor() as check:
        _refuse_filled(check, url)
    gallery = build_gallery(size, now)
    try:
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            # A second load waits here, and then finds rows.
            cursor.execute(f"lock table {TEMPLATES} in share row exclusive mode")
            _refuse_filled(cursor, url)
            report = _fill(cursor, gallery, progress or _silent)
            connection.commit()
            return report
    except adbc.Error as error:
        raise SampleError(f"the sample was not loaded into {place(url)}, nothing was kept: {error}") from error


def users_table(gallery: Gallery) -> pa.Table:
    """The rows of the app's users: those who still have an account."""
    people = gallery.people
    rng = np.random.default_rng([gallery.size.seed, 7])
    first = rng.integers(0, len(words.FIRST_NAMES), len(people.ids))
    last = rng.integers(0, len(words.LAST_NAMES), len(people.ids))
    names = [(words.FIRST_NAMES[one], words.LAST_NAMES[other]) for one, other in zip(first, last, strict=True)]
    mails = [
        f"{one}.{other}.{number}@{words.MAIL_DOMAINS[number % len(words.MAIL_DOMAINS)]}".lower()
        for number, (one, other) in enumerate(names)
    ]
    columns: _Columns = {
        "id": people.ids,
        "name": [f"{one} {other}" for one, other in names],
        "email": mails,
        "createdAt": _times(people.created),
    }
    return pa.table(columns).filter(pa.array(people.exists))


def projects_table(gallery: Gallery) -> pa.Table:
    """The rows of the app's projects, at least one for each user."""
    people = gallery.people
    rng = np.random.default_rng([gallery.size.seed, 8])
    count = len(people.project_owner)
    subjects = [subject for about, _ in words.CATEGORIES.values() for subject in about]
    chosen = zip(rng.integers(0, len(subjects), count), rng.integers(0, len(words.PROJECT_WORDS), count), strict=True)
    columns: _Columns = {
        "id": uuids(people.project_ids),
        "userId": pa.array(people.ids).take(people.project_owner),
        "title": [f"{subjects[subject]} {words.PROJECT_WORDS[word]}" for subject, word in chosen],
        "createdAt": _times(people.project_created),
        "updatedAt": _times(people.project_created),
    }
    return pa.table(columns).filter(pa.array(people.exists[people.project_owner]))


def templates_table(gallery: Gallery) -> pa.Table:
    """The rows of the templates, without their counters; json columns in PostgreSQL's binary form."""
    templates, people, texts = gallery.templates, gallery.people, gallery.templates.texts
    rng = np.random.default_rng([gallery.size.seed, 9])
    count = gallery.size.templates
    formats = (["landscape", "portrait", "square"], ["portrait"], ["landscape", "square"], ["landscape"])
    fitting = rng.choice(len(formats), count, p=(0.7, 0.15, 0.1, 0.05))
    projects = people.project_ids[people.projects_from[templates.owner]]
    pictured = rng.random(count) < 0.96
    columns: _Columns = {
        "id": uuids(templates.ids),
        "slug": [text.slug for text in texts],
        "title": [text.title for text in texts],
        "description": [text.description for text in texts],
        "owner_user_id": pa.array(people.ids).take(templates.owner),
        "source_project_id": uuids(projects, rng.random(count) < 0.9),
        "thumbnail_url": [
            f"{words.CDN}/thumbnails/{text.slug}.jpg" if picture else None
            for text, picture in zip(texts, pictured, strict=True)
        ],
        "supported_formats": [_jsonb(formats[chosen]) for chosen in fitting],
        "tags": [_jsonb(text.tags) for text in texts],
        "category": [text.category for text in texts],
        "visibility": ["public" if listed else "unlisted" for listed in templates.listed],
        "status": ["disabled" if at <= gallery.start(gallery.size.days) else "active" for at in templates.disabled_at],
        "created_at": _times(templates.created),
        "updated_at": _times(templates.updated),
    }
    return pa.table(columns)


def _fill(cursor: adbc.Cursor, gallery: Gallery, progress: Progress) -> SampleReport:
    users = users_table(gallery)
    for stage, table, rows in (
        ("users", USERS, users),
        ("projects", PROJECTS, projects_table(gallery)),
        ("templates", TEMPLATES, templates_table(gallery)),
    ):
        cursor.adbc_ingest(table, rows, mode="append")
        progress(stage, rows.num_rows, rows.num_rows)

    events = 0
    today = (gallery.now - gallery.start(gallery.size.days)) / DAY
    expected = sum(gallery.volumes[:-1]) + round(gallery.volumes[-1] * today)
    for arrived in arrivals(gallery):
        cursor.adbc_ingest(EVENTS, arrived, mode="append")
        events += arrived.num_rows
        progress("events", events, max(events, expected))
    progress("events", events, events)

    for step, statement in enumerate((_COUNTS, _LAST_WORDS, _FAVORITES, _COUNTERS), start=1):
        cursor.execute(statement)
        progress("favorites and counters", step, 4)
    report = SampleReport(
        first_day=gallery.first_day,
        last_day=gallery.last_day,
        templates=gallery.size.templates,
        users=users.num_rows,
        events=events,
        favorites=_number(cursor, "select count(*) from community_favorites"),
        counters_off=_number(cursor, _COUNTERS_OFF),
    )
    for table in _TABLES:
        cursor.execute(f'analyze "{table}"')
    return report


def _refuse_filled(cursor: _Cursor, url: str) -> None:
    filled = _filled(cursor, _TABLES, url)
    if filled:
        raise SampleError(
            f"the database {place(url)} is not empty ({', '.join(filled)}): a sample goes into an empty one only"
        )


def _filled(cursor: _Cursor, tables: tuple[str, ...], url: str) -> list[str]:
    """Those of the tables that have rows."""
    filled = []
    for table in tables:
        cursor.execute(f"select to_regclass('\"{table}\"') is null")
        if cursor.fetchone()[0]:
            raise SampleError(
                f"the database {place(url)} has no table {table}: create the app's tables first "
                "(community migrate --platform bazaar --app)"
            )
        cursor.execute(f'select exists (select from "{table}")')
        if cursor.fetchone()[0]:
            filled.append(table)
    return filled


def _number(cursor: _Cursor, query: str) -> int:
    cursor.execute(query)
    return int(cursor.fetchone()[0])


def _times(microseconds: Ints) -> pa.Array[Any]:
    return pa.array(microseconds).cast(_TIME)


def _jsonb(value: list[str]) -> bytes:
    # PostgreSQL's binary form of jsonb is a version byte before the text.
    return b"\x01" + json.dumps(value).encode()


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
