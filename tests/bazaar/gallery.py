"""A tiny gallery in a real database, and its daily flow run over a window of days without Dagster."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from community_pipelines import settings as configuration
from community_pipelines.flow.plan import PlatformStep
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.spec import Platform
from tests.declared import GALLERY_STEPS

if TYPE_CHECKING:
    pass
from tests.flows import START, DailyFlow, number
from tests.prepared import prepared

SQL = Path(__file__).parents[2] / "sql" / "bazaar"
STEPS: tuple[PlatformStep, ...] = GALLERY_STEPS
RAW = STEPS[:1]

METRICS = "public.community_metrics_daily"
ACTIVITY = "community.community_template_activity_daily"
TRENDS = "community.community_template_trends"
HISTORY = "community.template_counters_daily"
PUBLISHED = (METRICS, ACTIVITY, TRENDS, HISTORY)
COUNTERS = ("views_count", "favorites_count", "uses_count")

# The counting rules in plain SQL: one row for every template, read from the events alone.
TRUE_COUNTERS = """
select template.id,
    (select count(*) from community_events where template_id = template.id and event_type = 'view'),
    (
        select count(*)
        from (
            select distinct on (user_id) event_type
            from community_events
            where template_id = template.id and user_id is not null and event_type in ('favorite', 'unfavorite')
            order by user_id, created_at desc, id desc
        ) as last_words
        where event_type = 'favorite'
    ),
    (select count(*) from community_events where template_id = template.id and event_type = 'use')
from community_templates as template
order by template.id
"""
CACHED_COUNTERS = "select id, views_count, favorites_count, uses_count from community_templates order by id"


def migrated(url: str) -> str:
    """The same URL, with the app's tables and ours in the database."""
    return prepared(url, "bazaar")


@dataclass(frozen=True)
class Gallery(DailyFlow):
    """A gallery's database with settings of its own."""

    platform: Platform = BAZAAR
    steps: tuple[PlatformStep, ...] = STEPS
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1_000_000))

    def add_users(self, *ids: str) -> None:
        self.sql('insert into "bazaar-vid_user" (id) select unnest(%s::text[])', (list(ids),))

    def add_templates(self, *ids: UUID, status: str = "active", visibility: str = "public") -> None:
        self.sql(
            "insert into community_templates (id, slug, title, status, visibility) "
            "select id, id::text, 'A template', %s, %s from unnest(%s::uuid[]) as id",
            (status, visibility, list(ids)),
        )

    def add_event(
        self,
        template: UUID,
        event_type: str,
        created_at: datetime | str,
        user: str | None = None,
        *,
        id: UUID | None = None,
        source: str | None = "direct",
        scene_count: int | None = None,
        user_agent: str | None = None,
    ) -> UUID:
        """Writes one event; ids grow from call to call unless one is given."""
        event = id or number(next(self._ids))
        self.sql(
            "insert into community_events (id, template_id, user_id, event_type, source, scene_count, user_agent, "
            "created_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            (event, template, user, event_type, source, scene_count, user_agent, created_at),
        )
        return event

    def add_views(self, template: UUID, created_at: datetime, count: int) -> None:
        """Writes that many anonymous views of one moment."""
        self.sql(
            "insert into community_events (template_id, event_type, source, created_at) "
            "select %s, 'view', 'direct', %s from generate_series(1, %s)",
            (template, created_at, count),
        )

    def delete_templates(self, *ids: UUID) -> None:
        self.sql("delete from community_templates where id = any(%s)", (list(ids),))

    def fingerprints(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row that the pipeline publishes with the transaction that wrote it, and every record of it."""
        found = {
            table: self.sql(f"select day, xmin::text, md5(row_to_json(t)::text) from {table} as t order by 1, 3, 2")
            for table in PUBLISHED
        }
        found["publications"] = self.sql("select * from community.publications order by platform, table_name, day")
        found["templates"] = self.sql("select xmin::text, * from community_templates order by id")
        return found

    def counters(self) -> dict[UUID, tuple[int, int, int]]:
        """The cached views, favorites and uses of every template."""
        return {row[0]: tuple(row[1:]) for row in self.sql(CACHED_COUNTERS)}

    def true_counters(self) -> dict[UUID, tuple[int, int, int]]:
        """Views, favorites and uses of every template as the events say."""
        return {row[0]: tuple(row[1:]) for row in self.sql(TRUE_COUNTERS)}


def make_gallery(
    url: str, home: Path, *, platform: Platform = BAZAAR, bazaar: Mapping[str, Any] | None = None, **settings: Any
) -> Gallery:
    """A gallery on a migrated database; counters are applied however large their drift, unless it says otherwise."""
    own = {"source_url": url, "counters": "apply", "drift_limit": 1e9, **(bazaar or {})}
    return Gallery(url, configuration.load(home=home, start_date=START, bazaar=own, **settings), platform)
