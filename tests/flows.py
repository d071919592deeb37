"""A platform's daily flow over a real database, run over a window of days without Dagster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg

from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.flow import counters as counters_step
from community_pipelines.flow import model as model_step
from community_pipelines.flow import plan as planning
from community_pipelines.flow import raw as raw_step
from community_pipelines.flow.plan import Plan, PlatformStep
from community_pipelines.flow.raw import Raw
from community_pipelines.flow.steps import DayResult
from community_pipelines.flow.window import open_window
from community_pipelines.lake.files import Lake, days_between
from community_pipelines.platforms.spec import Platform
from community_pipelines.quality.findings import Finding
from community_pipelines.quality.judge import Bound
from community_pipelines.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

START = date(2026, 1, 1)


def number(n: int) -> UUID:
    """The n-th id; higher numbers sort later."""
    return UUID(int=n)


def day(n: int) -> date:
    """The n-th day of the gallery, counted from 0."""
    return START + timedelta(days=n)


def at(n: int, clock: str = "12:00") -> datetime:
    """A moment of the n-th day, UTC."""
    return datetime.combine(day(n), time.fromisoformat(clock), UTC)


@dataclass(frozen=True)
class DailyFlow:
    """A platform's database with settings of its own, and the steps of its flow."""

    url: str
    settings: Settings
    platform: Platform
    steps: tuple[PlatformStep, ...]

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

    def run(
        self,
        first: date | int,
        last: date | int | None = None,
        steps: Iterable[PlatformStep] | None = None,
        run_id: str | None = None,
    ) -> dict[tuple[str, date], DayResult]:
        """Runs the steps over a window of days, as one run of Dagster does; gives what became of each day."""
        begin = day(first) if isinstance(first, int) else first
        end = begin if last is None else day(last) if isinstance(last, int) else last
        with open_window(self.settings, self.deployment, days_between(begin, end), run_id or uuid4().hex) as window:
            return {(step.asset, result.day): result for step in steps or self.steps for result in step.run(window)}

    def extract(self, first: int, last: int | None = None) -> dict[date, DayResult]:
        """Runs only the raw steps."""
        return {
            one: result
            for (_, one), result in self.run(
                first, last, [step for step in self.steps if isinstance(step, Raw)]
            ).items()
        }

    def plan(self, last: int, thorough: bool = True) -> Plan:
        """What is to be done now, as if the days after `last` were not over; as far as it is known, if not thorough."""
        closed_at = planning.days_closed_at

        def until_last(settings: Settings, moment: datetime) -> list[date]:
            return [one for one in closed_at(settings, moment) if one <= day(last)]

        with patch.object(planning, "days_closed_at", until_last):
            if thorough:
                return planning.make_plan(self.settings, self.deployment, self.steps)
            return planning.known_plan(self.settings, self.deployment, self.steps)

    def settle(self, last: int, rounds: int = 4) -> list[planning.Request]:
        """Makes the runs that the plan asks for until it asks for none; gives all that it asked for."""
        made: list[planning.Request] = []
        for _ in range(rounds):
            asked = planning.requests(self.plan(last), self.steps)
            if not asked:
                return made
            for request in asked:
                self.run(request.first, request.last, [step for step in self.steps if step.key in request.assets])
            made += asked
        raise AssertionError(f"after {rounds} rounds the plan still asks for {asked}")

    def published(self, table: str) -> list[tuple[Any, ...]]:
        """All rows of a published table, in order."""
        return sorted(self.sql(f"select * from {table}"), key=repr)


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
