"""Databases with a platform's tables, as `community migrate --app` leaves them."""

from __future__ import annotations

from pathlib import Path

import psycopg

from community_pipelines.migrations import files, migrate, text
from community_pipelines.models import published_tables
from community_pipelines.models.project import load_models

SQL = Path(__file__).parents[1] / "sql"
PIPELINE = SQL / "pipeline"
_SCRIPTS: dict[str, str] = {}


def prepared(url: str, platform: str) -> str:
    """The same URL; the empty database gets the app's tables and ours, by the script that `--dry-run` prints: a
    tenth of the time of migrating, which leaves the same (test_published_tables.py)."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_script(url, platform).encode())
    return url


def with_ours(url: str, platform: str) -> None:
    """Our own tables are added to the app's, as `community migrate` does it."""
    migrate(url, PIPELINE)
    published_tables.migrate(url, platform, load_models(platform))


def _script(empty: str, platform: str) -> str:
    if platform not in _SCRIPTS:
        tables = published_tables.plan(empty, platform, load_models(platform)).changes
        parts = [text(files(SQL / platform / "app")), text(files(PIPELINE)), published_tables.text(tables)]
        _SCRIPTS[platform] = "\n".join(parts)
    return _SCRIPTS[platform]
