"""A tiny gallery in a real database, and its daily flow run over a window of days without Dagster."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg

from community_pipelines import plan as planning
from community_pipelines import settings as configuration
from community_pipelines.flow import counters as counters_step
from community_pipelines.flow import model as model_step
from community_pipelines.flow import raw as raw_step
from community_pipelines.flow.window import open_window
from community_pipelines.flow_types import DayResult, Finding
from community_pipelines.lake.files import Lake, days_between
from community_pipelines.migrations import migrate
from community_pipelines.plan import Plan, PlatformStep
from community_pipelines.platforms.bazaar import assets
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.deployment import Deployment, deployment
from community_pipelines.platforms.spec import Platform
from community_pipelines.quality.judge import Bound
from community_pipelines.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

SQL = Path(__file__).parents[1] / "sql" / "bazaar"
START = date(2026, 1, 1)
STEPS: tuple[PlatformStep, ...] = assets.STEPS
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


def number(n: int) -> UUID:
    """The n-th id; higher numbers sort later."""
    return UUID(int=n)


def day(n: int) -> date:
    """The n-th day of the gallery, counted from 0."""
    return START + timedelta(days=n)


def at(n: int, clock: str = "12:00") -> datetime:
    """A moment of the n-th day, UTC."""
    return datetime.combine(day(n), time.fromisoformat(clock), UTC)


def migrated(url: str) -> str:
    """The same URL, with the app's tables and ours in the database."""
    migrate(url, SQL / "app")
    migrate(url, SQL / "pipeline")
    return url


@dataclass(frozen=True)
class Gallery:
    """A gallery's database with settings of its own; `source` is another URL to read it by, where there is one."""

    url: str
    settings: Settings
    platform: Platform = BAZAAR
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1_000_000))

    @property
    def deployment(self) -> Deployment:
        return deployment(self.settings, self.platform)

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_folder)

    def sql(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement in a transaction of its own and gives its rows."""
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

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

    def run(
        self,
        first: date | int,
        last: date | int | None = None,
        steps: Iterable[PlatformStep] = STEPS,
        run_id: str | None = None,
    ) -> dict[tuple[str, date], DayResult]:
        """Runs the steps over a window of days, as one run of Dagster does; gives what became of each day."""
        begin = day(first) if isinstance(first, int) else first
        end = begin if last is None else day(last) if isinstance(last, int) else last
        with open_window(self.settings, self.deployment, days_between(begin, end), run_id or uuid4().hex) as window:
            return {(step.asset, result.day): result for step in steps for result in step.run(window)}

    def extract(self, first: int, last: int | None = None) -> dict[date, DayResult]:
        """Runs only the raw step."""
        return {one: result for (_, one), result in self.run(first, last, RAW).items()}

    def plan(self, last: int) -> Plan:
        """What is to be done now, as if the days after `last` were not over."""
        closed_days = planning.closed_days

        def until_last(settings: Settings, deployment: Deployment) -> list[date]:
            return [one for one in closed_days(settings, deployment) if one <= day(last)]

        with patch.object(planning, "closed_days", until_last):
            return planning.make_plan(self.settings, self.deployment, STEPS)

    def settle(self, last: int, rounds: int = 4) -> list[planning.Request]:
        """Makes the runs that the plan asks for until it asks for none; gives all that it asked for."""
        made: list[planning.Request] = []
        for _ in range(rounds):
            asked = planning.requests(self.plan(last), STEPS)
            if not asked:
                return made
            for request in asked:
                self.run(request.first, request.last, [step for step in STEPS if step.key in request.assets])
            made += asked
        raise AssertionError(f"after {rounds} rounds the plan still asks for {asked}")

    def published(self, table: str) -> list[tuple[Any, ...]]:
        """All rows of a published table, in order."""
        return sorted(self.sql(f"select * from {table}"), key=repr)

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


def plain_judge(
    _name: str, frame: pd.DataFrame, bounds: Sequence[Bound], days: Sequence[date]
) -> dict[date, list[Finding]]:
    """What Great Expectations finds, in a few lines: it takes most of the time of a window of a few rows."""
    rows = frame.set_index("day")
    findings: dict[date, list[Finding]] = {}
    for one in days:
        findings[one] = []
        for bound in bounds:
            value = rows.at[one, bound.column]
            number = None if value is None or value != value else float(value)
            low = float("-inf") if bound.low is None else bound.low
            high = float("inf") if bound.high is None else bound.high
            success = bound.unknown_passes if number is None else low <= number <= high
            shown = None if number is None else int(number) if number.is_integer() else round(number, 6)
            findings[one].append(
                Finding(bound.description, bound.column, bound.severity, success, shown, bound.expected)
            )
    return findings


@contextmanager
def judging_plainly() -> Iterator[None]:
    """Lets this process judge by `plain_judge`, which test_property_pipeline.py compares with the real one."""
    with (
        patch.object(raw_step, "judge", plain_judge),
        patch.object(model_step, "judge", plain_judge),
        patch.object(counters_step, "judge", plain_judge),
    ):
        yield
