"""Loading the sample of stories: into an empty database only, and gone on with where it broke off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from community_pipelines.databases.connections import DatabaseError
from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.samples.spec import SampleError
from community_pipelines.samples.stories.sample import SAMPLE
from tests.sample import empty_for, number
from tests.stories.sample import FIRST, NOW, SMALL, TABLES, contents, empty, fill, made


def is_empty(url: str) -> bool:
    return empty_for(url, STORIES, SAMPLE)


@pytest.fixture
def app(database: str) -> str:
    """An app database without rows, with our own tables."""
    return made(database)


def test_a_database_with_rows_is_refused_and_left_as_it_was(app: str) -> None:
    assert is_empty(app)
    fill(app)
    assert not is_empty(app)
    before = contents(app)
    with pytest.raises(SampleError, match=r"is not empty \(.*scene_views.*\)"):
        fill(app)
    assert contents(app) == before


def test_somebody_elses_rows_are_refused(app: str) -> None:
    with psycopg.connect(app) as connection:
        connection.execute("insert into topics (name, slug) values ('One', 'one')")
    assert not is_empty(app)
    with pytest.raises(SampleError, match=r"is not empty \(topics\)"):
        fill(app)


def test_a_load_that_breaks_off_at_first_leaves_nothing_behind(app: str) -> None:
    def stumble(stage: str, done: int, total: int) -> None:
        if stage == "segments":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(app, progress=stumble)
    assert not any(number(app, f"select 1 from {table}") for table in TABLES)
    assert number(app, "select 1 from pg_inherits where inhparent = 'jobs'::regclass") == 0


@pytest.mark.parametrize("stage", ["views", "counters"])
def test_a_load_that_breaks_off_later_is_gone_on_with_also_the_day_after(app: str, stage: str) -> None:
    def stumble(reached: str, done: int, total: int) -> None:
        if reached == stage:
            raise KeyboardInterrupt

    fill(app)
    unbroken = contents(app)
    empty(app)
    with pytest.raises(KeyboardInterrupt):
        fill(app, progress=stumble)
    assert is_empty(app)
    assert number(app, "select 1 from segments") > 0 == number(app, "select 1 from scene_views")
    report = fill(app, now=NOW + timedelta(days=1))
    assert report.last_day == date(2026, 3, 3)
    assert contents(app) == unbroken


@pytest.mark.parametrize("other", [{"seed": 43}, {"users": 301}, {"likes": 801}])
def test_an_unfinished_sample_of_another_size_is_refused(app: str, other: dict[str, int]) -> None:
    def stumble(stage: str, done: int, total: int) -> None:
        if stage == "views":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(app, progress=stumble)
    before = contents(app)
    with pytest.raises(SampleError, match="an unfinished sample of another size or first day"):
        fill(app, replace(SMALL, **other))
    with pytest.raises(SampleError, match="an unfinished sample of another size or first day"):
        fill(app, first_day=FIRST + timedelta(days=1))
    assert contents(app) == before


def test_of_two_loads_at_once_one_is_refused(app: str) -> None:
    def attempt(_: int) -> str:
        try:
            fill(app)
        except SampleError as error:
            return str(error)
        return "loaded"

    with ThreadPoolExecutor(2) as pool:
        ends = sorted(pool.map(attempt, range(2)))
    assert ends[0] == "loaded"
    assert "is not empty" in ends[1]
    assert number(app, "select 1 from scene_views where created_at < '2026-03-04+00'") == 12 * 400


def test_a_database_that_refuses_a_row_is_named_and_left_as_it_was(app: str) -> None:
    with psycopg.connect(app) as connection:
        connection.execute("alter table scene_bibles add constraint none check (version < 2)")
    with pytest.raises(SampleError, match=r"not loaded into test_\w+ .*nothing was kept.*check constraint"):
        fill(app)
    assert is_empty(app)
    assert number(app, "select 1 from users") == 0


def test_a_database_without_the_tables_is_told_how_to_get_them(database: str) -> None:
    with pytest.raises(SampleError, match=r"no table users: .*community migrate --platform stories --app"):
        fill(database)


def test_a_database_out_of_reach_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=f"stories at {tmp_path}"):
        fill(f"postgresql:///stories?host={tmp_path}&user=postgres")
