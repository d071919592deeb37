"""Fixtures that every test may use: a real PostgreSQL, an empty database, an empty environment."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from community_pipelines.embedded.postgres import EmbeddedServer, database_url, ensure_running, stop
from community_pipelines.orchestration import launch
from tests.bazaar.gallery import Gallery, make_gallery, migrated
from tests.flows import judging_plainly
from tests.stories.stories import Stories, make_stories

# What a crash would lose is of no interest here.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60"}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("COMMUNITY_", "DAGSTER_", "PG")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _ordinary_umask() -> Iterator[None]:
    """What a shell has, also after a command of another test has made this process careful."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """A running PostgreSQL of this test process, stopped and removed at its end."""
    home = Path(tempfile.mkdtemp(prefix="community-test-"))
    try:
        yield ensure_running(home, options=_FAST)
    finally:
        stop(home)
        shutil.rmtree(home)


@pytest.fixture
def database(postgres: EmbeddedServer) -> Iterator[str]:
    """The libpq URL of an empty database of this test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    administration = database_url(postgres.home, "postgres")
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0 strategy file_copy")
        yield database_url(postgres.home, name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def plain_judge() -> Iterator[None]:
    """Judges without Great Expectations, whose import and frames take most of the time of a few rows."""
    with judging_plainly():
        yield


@pytest.fixture
def new_gallery(plain_judge: None, database: str, tmp_path: Path) -> Callable[..., Gallery]:
    """Makes a gallery without rows on this test's database, judged plainly; takes what `make_gallery` takes."""
    return partial(make_gallery, migrated(database), tmp_path)


@pytest.fixture
def stories(plain_judge: None, database: str, tmp_path: Path) -> Stories:
    """A few story videos on this test's database, judged plainly."""
    return make_stories(database, tmp_path)


@pytest.fixture
def dagster_instance(database: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A persistent Dagster instance with the project's configuration, its storage in PostgreSQL."""
    with launch.instance(tmp_path / "home", database) as opened:
        yield opened
