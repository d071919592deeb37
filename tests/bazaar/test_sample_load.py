"""Loading the sample: into an empty database only, and gone on with where it broke off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from community_pipelines.databases.connections import DatabaseError
from community_pipelines.databases.migrations import migrate
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.samples.bazaar.sample import SAMPLE
from community_pipelines.samples.spec import SampleError
from tests.bazaar.gallery import SQL, migrated
from tests.sample import DAYS, NOW, SMALL, contents, counts, empty, empty_for, fill, number, publisher


def is_empty(url: str) -> bool:
    return empty_for(url, BAZAAR, SAMPLE)


@pytest.fixture
def app(database: str) -> str:
    """An app database without rows, with our own tables."""
    return migrated(database)


def test_a_database_with_rows_is_refused_and_left_as_it_was(app: str) -> None:
    assert is_empty(app)
    fill(app)
    assert not is_empty(app)
    before = contents(app)
    with pytest.raises(SampleError, match=r"is not empty \(.*community_events.*\)"):
        fill(app)
    assert contents(app) == before


def test_a_gallery_of_somebody_else_without_events_is_refused(app: str) -> None:
    with psycopg.connect(app) as connection:
        connection.execute("insert into community_templates (slug, title) values ('one', 'One')")
    assert not is_empty(app)
    with pytest.raises(SampleError, match=r"is not empty \(community_templates\)"):
        fill(app)


@pytest.mark.parametrize("seeds", [(1, 2), (1, 1)])
def test_of_two_loads_at_once_one_is_refused(app: str, seeds: tuple[int, int]) -> None:
    def attempt(seed: int) -> str:
        try:
            fill(app, replace(SMALL, seed=seed))
        except SampleError as error:
            return str(error)
        return "loaded"

    with ThreadPoolExecutor(2) as pool:
        ends = sorted(pool.map(attempt, seeds))
    assert ends[0] == "loaded"
    assert "is not empty" in ends[1]
    assert number(app, "select * from community_templates") == 50
    assert number(app, "select * from community_events where created_at < '2026-03-04+00'") == 3_500


def test_a_load_that_breaks_off_at_first_leaves_nothing_behind(app: str) -> None:
    def stumble(stage: str, done: int, total: int) -> None:
        if stage == "scenes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(app, progress=stumble)
    assert not any(counts(app))


@pytest.mark.parametrize("end", ["before ingest", "within ingest", "after ingest", "within events"])
def test_a_load_that_breaks_off_later_is_gone_on_with_also_the_day_after(app: str, end: str) -> None:
    def publish() -> None:
        if end == "within ingest":
            publisher(app, templates_per_owner_and_day=1)()
            assert 0 < number(app, "select * from community_templates") < 50
        elif end != "before ingest":
            publisher(app)()
        if end != "within events":
            raise KeyboardInterrupt

    def stumble(stage: str, done: int, total: int) -> None:
        if stage == "events" and done > 1_000:
            raise KeyboardInterrupt

    fill(app)
    unbroken = contents(app)
    empty(app)
    with pytest.raises(KeyboardInterrupt):
        fill(app, progress=stumble, publish=publish)
    assert is_empty(app)
    assert number(app, "select * from community_events") == 0
    report = fill(app, now=NOW + timedelta(days=1))
    assert report.last_day == date(2026, 3, 3)
    assert contents(app) == unbroken


@pytest.mark.parametrize("other", [{"seed": 43}, {"users": 301}, {"days": 8}, {"events_per_day": 501}])
def test_an_unfinished_sample_of_another_size_is_refused_and_left_as_it_was(app: str, other: dict[str, int]) -> None:
    with pytest.raises(SampleError, match="were not published"):
        fill(app, publish=lambda: None)
    before = contents(app)
    sizes = {name: number for name, number in other.items() if name != "days"}
    with pytest.raises(SampleError, match="an unfinished sample of another size"):
        fill(app, replace(SMALL, **sizes), days=other.get("days", DAYS))
    assert contents(app) == before


def test_templates_that_were_not_published_are_counted_and_flagged_again(app: str) -> None:
    with pytest.raises(SampleError, match=r"^50 of the sample's 50 templates were not published"):
        fill(app, publish=lambda: None)
    with pytest.raises(SampleError, match=r"^(\d+) of the sample's 50 templates were not published") as raised:
        fill(app, publish=publisher(app, templates_per_owner_and_day=1))
    rejected = number(app, "select * from community.publication_requests where status = 'rejected'")
    assert int(str(raised.value).split()[0]) == rejected > 0
    assert fill(app).counted["templates"] == 50


def test_a_database_that_refuses_a_row_is_named_and_left_as_it_was(app: str) -> None:
    with psycopg.connect(app) as connection:
        connection.execute("alter table community_events add check (event_type <> 'mix')")
        connection.execute("""alter table "bazaar-vid_scene" add constraint none check (false)""")
    with pytest.raises(SampleError, match=r"not loaded into test_\w+ .*nothing was kept.*check constraint"):
        fill(app)
    assert not any(counts(app))
    with psycopg.connect(app) as connection:
        connection.execute("""alter table "bazaar-vid_scene" drop constraint none""")
    with pytest.raises(SampleError, match=r"not loaded into test_\w+ .*load it again to go on.*check constraint"):
        fill(app)
    assert number(app, "select * from community_events") == 0
    assert is_empty(app)


def test_progress_counts_events_up_to_their_total(app: str) -> None:
    seen: list[tuple[str, int, int]] = []
    report = fill(app, progress=lambda *step: seen.append(step))
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == [
        "users",
        "projects",
        "scenes",
        "templates",
        "events",
        "favorites",
        "counters",
    ]
    assert all(done <= total for _, done, total in seen)
    events = [(done, total) for stage, done, total in seen if stage == "events"]
    assert events == sorted(events, key=lambda step: step[0])
    assert events[-1] == (report.counted["events"],) * 2
    assert events[0][1] == pytest.approx(report.counted["events"], rel=0.1)


def test_a_database_without_the_tables_is_told_how_to_get_them(database: str) -> None:
    with pytest.raises(SampleError, match=r"no table bazaar-vid_user: .*community migrate --platform bazaar --app"):
        is_empty(database)
    with pytest.raises(SampleError, match="no table bazaar-vid_user"):
        fill(database)
    migrate(database, SQL / "app")
    with pytest.raises(SampleError, match=r"no table community\.publication_requests"):
        fill(database)


def test_a_database_out_of_reach_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=f"bazaar at {tmp_path}"):
        fill(f"postgresql:///bazaar?host={tmp_path}&user=postgres")
