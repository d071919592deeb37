"""A small gallery for tests: an app database with events, a lake, and what is published from them."""

from __future__ import annotations

import hashlib
import resource
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from community_pipelines.cli import main
from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.embedded.postgres import EmbeddedServer, database_url
from community_pipelines.flow.plan import PlatformStep
from community_pipelines.flow.steps import DayResult
from community_pipelines.flow.window import Window, open_window
from community_pipelines.lake.files import Lake, days_between
from community_pipelines.models.project import load_model
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.declared import MODELS_FOLDER
from community_pipelines.settings import Settings, load
from tests.declared import GALLERY_STEPS as STEPS
from tests.prepared import prepared

PUBLISHED = {
    "community_metrics_daily": "template_id, day, event_type",
    "community.community_template_activity_daily": "template_id, day",
    "community.community_template_trends": "template_id, day",
    "community.template_counters_daily": "template_id, day",
}
METRICS = (
    "metrics/community_metrics_daily",
    "metrics/community_template_activity_daily",
    "metrics/community_template_trends",
)
RAW = "raw/community_events"
CHAIN = (RAW, *METRICS, "counters/template_counters_daily", "counters/community_templates")

_EVENTS = """
insert into community_events (id, template_id, user_id, event_type, source, created_at)
select
    md5(%(salt)s || '/' || %(day)s || '/' || n)::uuid,
    md5('template ' || n %% %(templates)s)::uuid,
    case when n %% 4 > 0 then 'user ' || n %% 7 end,
    coalesce(%(event_type)s, (array['view', 'view', 'favorite', 'view', 'use', 'unfavorite', 'click'])[1 + n %% 7]),
    (array['in_app_panel', 'community_site', 'direct'])[1 + n %% 3],
    (%(day)s || ' 00:00+00')::timestamptz + n * interval '1 day' / (%(count)s + 1)
from generate_series(1, %(count)s) as n
"""

_TRUE_COUNTERS = """
update community_templates set
    views_count = (select count(*) from community_events where template_id = community_templates.id
        and event_type = 'view'),
    uses_count = (select count(*) from community_events where template_id = community_templates.id
        and event_type = 'use')
"""


@dataclass(frozen=True)
class Community:
    """One app database with its lake. `storage` is Dagster's, where the test runs commands."""

    url: str
    home: Path
    first: date
    storage: str = ""
    templates: int = 5
    bazaar: dict[str, Any] = field(default_factory=dict)

    def settings(self, **more: Any) -> Settings:
        """The settings of this community, with others where they are given."""
        names: dict[str, Any] = {
            "home": self.home,
            "start_date": self.first,
            "bazaar": {"source_url": self.url, "counters": "apply", "drift_limit": 10, **self.bazaar},
        }
        return load(**{**names, **more})

    def place(self, **more: Any) -> Deployment:
        """Where its databases are."""
        return deployment(self.settings(**more), BAZAAR)

    def environment(self, monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
        """The same settings in the environment, for commands."""
        names = {
            "HOME": str(self.home),
            "START_DATE": str(self.first),
            "DATABASE_URL": self.storage,
            "BAZAAR__SOURCE_URL": self.url,
            "BAZAAR__COUNTERS": "apply",
            "BAZAAR__DRIFT_LIMIT": "10",
        }
        for name, value in {**names, **more}.items():
            monkeypatch.setenv(f"COMMUNITY_{name}", value)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query gives; nothing for a statement without rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def create(self) -> Community:
        """Makes the tables, ours too, and the users and templates."""
        prepared(self.url, "bazaar")
        self.rows("insert into \"bazaar-vid_user\" (id) select 'user ' || n from generate_series(0, 6) as n")
        self.rows(
            """
            insert into community_templates (id, slug, title)
            select md5('template ' || n)::uuid, 'template-' || n, 'Template ' || n
            from generate_series(0, %s - 1) as n
            """,
            self.templates,
        )
        return self

    def add_events(
        self, days: Sequence[date], count: int = 40, event_type: str | None = None, salt: str = "first"
    ) -> None:
        """That many events on each day: all types in turn, or of the given one. The same salt gives the same ids."""
        with psycopg.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.executemany(
                _EVENTS,
                [
                    {
                        "salt": salt,
                        "day": str(day),
                        "count": count,
                        "templates": self.templates,
                        "event_type": event_type,
                    }
                    for day in days
                ],
            )

    def count_truly(self) -> None:
        """Sets the app's cached views and uses to the truth, as an app that counts well has them."""
        self.rows(_TRUE_COUNTERS)

    @contextmanager
    def window(self, days: Sequence[date], run_id: str = "run", **more: Any) -> Iterator[Window]:
        """What the steps of one run share."""
        settings = self.settings(**more)
        with open_window(settings, deployment(settings, BAZAAR), days, run_id) as opened:
            yield opened

    def run(
        self, days: Sequence[date], run_id: str = "run", steps: Sequence[PlatformStep] = STEPS, **more: Any
    ) -> dict[str, dict[date, DayResult]]:
        """Runs the steps over those days, without Dagster: the results by asset and day."""
        with self.window(days, run_id, **more) as window:
            return {step.asset: {result.day: result for result in step.run(window)} for step in steps}

    def published(self, days: Sequence[date] = ()) -> dict[str, str]:
        """A hash of every published table (of those days, or of all) and of the cached counters."""
        found = {
            table: self._hash(f"select * from {table} where %s or day = any(%s) order by {key}", not days, list(days))
            for table, key in PUBLISHED.items()
        }
        counters = "select id, views_count, favorites_count, uses_count, updated_at from community_templates order by 1"
        return found if days else {**found, "counters": self._hash(counters)}

    def _hash(self, query: str, *values: object) -> str:
        return hashlib.sha256(repr(self.rows(query, *values)).encode()).hexdigest()

    def raw_file(self, day: date) -> Path:
        """The lake's file of that day's events."""
        return Lake(self.home / "lake").path("raw", "bazaar", "community_events", day)

    def lake_files(self) -> dict[str, tuple[int, int]]:
        """Every file of the lake that readers see, with its size and time of change."""
        lake = self.home / "lake"
        found = (path for kind in ("raw", "quarantine", "models") for path in (lake / kind).rglob("*.parquet"))
        return {str(path.relative_to(lake)): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def day_after(day: date, days: int = 1) -> date:
    """The day that many days later."""
    return day + timedelta(days=days)


def span(first: date, days: int) -> list[date]:
    """That many days from the first on."""
    return days_between(first, day_after(first, days - 1))


def steady_grace() -> tuple[int, date]:
    """Grace minutes by which the newest closed day stays the same for twelve hours, and that day.

    With the grace of a real installation a test that runs at midnight would see a day close.
    """
    now = datetime.now(UTC)
    minutes = now.hour * 60 + now.minute + 12 * 60
    return minutes, (now - timedelta(minutes=minutes)).date() - timedelta(days=1)


def community(*arguments: object) -> Result:
    """Runs the command `community` in this process. A traceback is a failure of the test, whatever the exit code."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def open_to_others(folder: Path) -> list[str]:
    """Every file and folder with a bit for group or others, but the state folder itself."""
    return [
        f"{path} {stat.S_IMODE(path.lstat().st_mode):04o}"
        for path in sorted(folder.rglob("*"))
        if path.lstat().st_mode & 0o077 and not path.is_symlink() and not stat.S_ISSOCK(path.lstat().st_mode)
    ]


def unwrapped(text: str) -> str:
    """Text of a terminal on one line, so that a test does not depend on where lines break."""
    return " ".join(text.split())


@contextmanager
def administration(server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    """A connection to the server's own database, to create and drop others."""
    with psycopg.connect(database_url(server.home, "postgres"), autocommit=True) as connection:
        yield connection


@contextmanager
def nothing_lost(gallery: Community) -> Iterator[None]:
    """What is published, and every file that readers see, is the same afterwards."""
    published, files = gallery.published(), gallery.lake_files()
    yield
    assert gallery.published() == published
    assert gallery.lake_files() == files


@contextmanager
def full_disk(largest: int) -> Iterator[None]:
    """No file of this process may grow beyond that many bytes: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def other_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the gallery's models in that folder, loaded by this process in the place of the real ones."""
    shutil.copytree(MODELS_FOLDER, folder / "models")
    monkeypatch.setattr(load_model.__wrapped__, "__defaults__", (folder / "models",))
    load_model.cache_clear()
    yield folder / "models" / "bazaar"
    load_model.cache_clear()


def wait_until(fulfilled: Callable[[], bool], seconds: float = 120) -> None:
    """Waits for it; fails the test when it does not come to pass."""
    deadline = time.monotonic() + seconds
    while not fulfilled():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
