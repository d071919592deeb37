"""Loads the sample gallery into an empty app database: projects, their templates by way of ingest, and events.

Here: the checks before, the tables that are written, and what a careless app made of its cached counters. Not
here: what the sample consists of (`sample_gallery`, `sample_events`), its rows at rest (`sample_tables`),
publishing projects as templates (`snapshots`, called by whoever calls `load`) and creating tables (migrations).

There are two transactions, since ingest lies between them. A load that ended after the first one is taken up
again: the requests to publish, which are marked as the sample's, say so until there is an event.

The app of the sample counts carelessly: it adds every favorite and subtracts every unfavorite, first or not,
and loses about one in a hundred increments of views and uses. So the first reconcile has true work to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import numpy as np

from community_pipelines.databases.connections import connect, place, said
from community_pipelines.embedded import sample_words as words
from community_pipelines.embedded.sample_events import arrivals, event_days
from community_pipelines.embedded.sample_gallery import DAY, Gallery, SampleError, SampleSize, build_gallery
from community_pipelines.embedded.sample_tables import (
    REQUESTED_BY,
    project_keys,
    projects_table,
    requests_table,
    scenes_table,
    story_table,
    users_table,
)

__all__ = ["SampleError", "SampleReport", "SampleSize", "event_days", "is_empty", "load"]

Progress = Callable[[str, int, int], None]

USERS, PROJECTS, SCENES = "bazaar-vid_user", "bazaar-vid_project", "bazaar-vid_scene"
TEMPLATES, FAVORITES, EVENTS = "community_templates", "community_favorites", "community_events"
TEMPLATE_SCENES = "community_template_scenes"
# Our own, in the schema community.
REQUESTS, VERSIONS = "publication_requests", "template_versions"
_APP_TABLES = (USERS, PROJECTS, SCENES, TEMPLATES, TEMPLATE_SCENES, FAVORITES, EVENTS)
_OWN_TABLES = (REQUESTS, VERSIONS)
# What a first stage and ingest leave empty.
_LAST_FILLED = (FAVORITES, EVENTS)

_BEGUN = f"select min(requested_at) from community.publication_requests where requested_by = '{REQUESTED_BY}'"
_KEYS = f"select project_key from community.publication_requests where requested_by = '{REQUESTED_BY}'"

# Whoever takes up a sample again wants to see what was rejected tried again.
_FLAG_AGAIN = f"""
update community.publication_requests as request
set done_at = null, status = null, detail = null
where requested_by = '{REQUESTED_BY}'
    and done_at is not null
    and not exists (select from community.template_versions where project_key = request.project_key)
"""

_PUBLISHED = f"""
select version.project_key, template.id::text, template.slug
from community.template_versions as version
join community_templates as template on template.id = version.template_id
where version.project_key in ({_KEYS})
"""

_STORY = """
create temporary table sample_story (
    template_id uuid primary key,
    created_at timestamptz,
    updated_at timestamptz,
    status text,
    pictured boolean
) on commit drop
"""

# Ingest made all of them just now, active and without a picture.
_BACKDATE_TEMPLATES = f"""
update community_templates as template
set created_at = story.created_at,
    updated_at = story.updated_at,
    status = story.status,
    thumbnail_url = case when story.pictured then '{words.CDN}/thumbnails/' || template.slug || '.jpg' end
from sample_story as story
where story.template_id = template.id
"""

_BACKDATE_SCENES = """
update community_template_scenes as scene
set created_at = story.created_at
from sample_story as story
where story.template_id = scene.template_id
"""

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
    """Whether a sample may go into the app database: no event, and no template or those of an unfinished sample.

    Raises SampleError when a table is missing, and DatabaseError.
    """
    with connect(url, "its URL") as connection, connection.cursor() as cursor:
        filled = _filled(cursor, url)
        return EVENTS not in filled and (TEMPLATES not in filled or _value(cursor, _BEGUN) is not None)


def load(
    url: str, size: SampleSize, now: datetime, publish: Callable[[], None], progress: Progress | None = None
) -> SampleReport:
    """Fills the app database of a libpq URL with a sample.

    `publish` is called in between and publishes what is flagged in `community.publication_requests`. What was
    begun with the same size and not finished is gone on with, and ends when it would have ended then.

    The sample ends at `now` (with time zone); the same size on the same UTC day gives the same rows for its
    full days. `progress` gets a stage's name, what is done and the total. Raises SampleError when a table is
    missing or has rows, when templates were not published, or when the database refuses; DatabaseError when it
    cannot be reached.
    """
    show = progress or _silent
    with connect(url, "its URL") as connection, connection.cursor() as check:
        _begun(check, url)
    with _transaction(url, "nothing was kept") as cursor:
        begun = _begun(cursor, url)
        gallery = build_gallery(size, begun or now)
        if begun is None:
            _write_projects(cursor, gallery, show)
        else:
            _refuse_other(cursor, gallery, url)
            cursor.execute(_FLAG_AGAIN)
    publish()
    with _transaction(url, "its projects and templates were kept, load it again to go on") as cursor:
        _begun(cursor, url)
        gallery = _with_ids(cursor, gallery, url)
        show("templates", size.templates, size.templates)
        return _write_history(cursor, gallery, show)


@contextmanager
def _transaction(url: str, what_is_kept: str) -> Iterator[adbc.Cursor]:
    try:
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            # A second load waits here, and then finds rows.
            cursor.execute(f"lock table {TEMPLATES} in share row exclusive mode")
            yield cursor
            connection.commit()
    except adbc.Error as error:
        raise SampleError(f"the sample was not loaded into {place(url)}, {what_is_kept}: {said(error, url)}") from error


def _write_projects(cursor: adbc.Cursor, gallery: Gallery, progress: Progress) -> None:
    for stage, table, rows in (
        ("users", USERS, users_table(gallery)),
        ("projects", PROJECTS, projects_table(gallery)),
        ("scenes", SCENES, scenes_table(gallery)),
    ):
        cursor.adbc_ingest(table, rows, mode="append")
        cursor.execute(f'analyze "{table}"')
        progress(stage, rows.num_rows, rows.num_rows)
    cursor.adbc_ingest(REQUESTS, requests_table(gallery), mode="append", db_schema_name="community")


def _with_ids(cursor: adbc.Cursor, gallery: Gallery, url: str) -> Gallery:
    """The gallery with its templates' true ids and slugs. Raises SampleError when ingest did not make them all."""
    cursor.execute(_PUBLISHED)
    made = {key: (UUID(template).bytes, slug) for key, template, slug in cursor.fetchall()}
    keys = project_keys(gallery.templates)
    missing = [key for key in keys if key not in made]
    if missing:
        raise SampleError(
            f"{len(missing)} of the sample's {len(keys)} templates were not published into {place(url)}: "
            f"community.publication_requests says why in the column detail (project {missing[0]}, for one); "
            "load the sample again to go on"
        )
    ids = np.frombuffer(b"".join(made[key][0] for key in keys), dtype=np.uint8).reshape(-1, 16)
    slugs = [made[key][1] for key in keys]
    return replace(gallery, templates=replace(gallery.templates, ids=ids, slugs=slugs))


def _write_history(cursor: adbc.Cursor, gallery: Gallery, progress: Progress) -> SampleReport:
    cursor.execute(_STORY)
    cursor.adbc_ingest("sample_story", story_table(gallery), mode="append", temporary=True)
    cursor.execute(_BACKDATE_TEMPLATES)
    cursor.execute(_BACKDATE_SCENES)

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
        users=gallery.size.users,
        events=events,
        favorites=int(_value(cursor, "select count(*) from community_favorites")),
        counters_off=int(_value(cursor, _COUNTERS_OFF)),
    )
    for table in _APP_TABLES:
        cursor.execute(f'analyze "{table}"')
    return report


def _begun(cursor: _Cursor, url: str) -> datetime | None:
    """When the unfinished sample was begun that the database holds; None when it is empty. Raises SampleError."""
    filled = _filled(cursor, url)
    if not filled:
        return None
    begun: datetime | None = _value(cursor, _BEGUN)
    if begun is None or set(filled) & set(_LAST_FILLED):
        raise SampleError(
            f"the database {place(url)} is not empty ({', '.join(filled)}): a sample goes into an empty one only"
        )
    return begun


def _refuse_other(cursor: adbc.Cursor, gallery: Gallery, url: str) -> None:
    cursor.execute(_KEYS)
    # The ids of the projects follow from the whole size.
    if {key for (key,) in cursor.fetchall()} != set(project_keys(gallery.templates)):
        raise SampleError(
            f"the database {place(url)} is not empty, it holds an unfinished sample of another size: load that one "
            "to its end, or begin with an empty database"
        )


def _filled(cursor: _Cursor, url: str) -> list[str]:
    """Those of the tables that have rows."""
    tables = [(name, f'"{name}"') for name in _APP_TABLES]
    tables += [(f"community.{name}", f"community.{name}") for name in _OWN_TABLES]
    filled = []
    for name, quoted in tables:
        if _value(cursor, f"select to_regclass('{quoted}') is null"):
            raise SampleError(
                f"the database {place(url)} has no table {name}: create the tables first "
                "(community migrate --platform bazaar --app)"
            )
        if _value(cursor, f"select exists (select from {quoted})"):
            filled.append(name)
    return filled


def _value(cursor: _Cursor, query: str) -> Any:
    cursor.execute(query)
    return cursor.fetchone()[0]


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
