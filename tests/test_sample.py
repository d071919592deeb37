"""The sample gallery: the same rows for the same seed, true to life, loaded as a whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest

from community_pipelines.databases import DatabaseError
from community_pipelines.embedded.sample import SampleError, SampleSize, event_days, is_empty, load
from community_pipelines.migrations import migrate

APP = Path(__file__).parents[1] / "sql" / "bazaar" / "app"
NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
SMALL = SampleSize(templates=50, users=300, days=7, events_per_day=500)
TABLES = (
    '"bazaar-vid_user"',
    '"bazaar-vid_project"',
    "community_templates",
    "community_favorites",
    "community_events",
)

# By the counting rules: users whose last favorite or unfavorite, by time and id, is a favorite.
HELD = """
select user_id, template_id from (
    select distinct on (user_id, template_id) user_id, template_id, event_type
    from community_events
    where event_type in ('favorite', 'unfavorite') and user_id is not null
    order by user_id, template_id, created_at desc, id desc
) as last_word
where event_type = 'favorite'
"""

TRUTH = f"""
select
    template.id,
    template.views_count,
    (select count(*) from community_events where template_id = template.id and event_type = 'view') as views,
    template.uses_count,
    (select count(*) from community_events where template_id = template.id and event_type = 'use') as uses,
    template.favorites_count,
    (select count(*) from ({HELD}) as held where held.template_id = template.id) as favorites
from community_templates as template
"""

# For every pair, each favorite and unfavorite with the one before.
STEPS = """
select
    user_id, template_id, event_type,
    lag(event_type) over (partition by user_id, template_id order by created_at, id) as before
from community_events
where event_type in ('favorite', 'unfavorite') and user_id is not null
"""

ODDITIES = {
    "a favorite taken back": f"select * from ({STEPS}) where event_type = 'unfavorite' and before = 'favorite'",
    "a favorite given again": f"select * from ({STEPS}) where event_type = 'favorite' and before = 'unfavorite'",
    "a double favorite": f"select * from ({STEPS}) where event_type = 'favorite' and before = 'favorite'",
    "an unfavorite without a favorite": f"""select * from ({STEPS})
        where event_type = 'unfavorite' and before is null""",
    "a favorite of nobody": "select * from community_events where event_type = 'favorite' and user_id is null",
    "a user id that is no user": """select * from community_events
        where user_id is not null and user_id not in (select id from "bazaar-vid_user")""",
    "an unknown source": """select * from community_events
        where source not in ('in_app_panel', 'community_site', 'direct')""",
    "no source": "select * from community_events where source is null",
    "no user agent": "select * from community_events where user_agent is null",
    "an unknown event type": """select * from community_events where event_type not in
        ('view', 'favorite', 'unfavorite', 'use', 'mix', 'prompt', 'click')""",
    "a disabled template": "select * from community_templates where status = 'disabled'",
    "an unlisted template": "select * from community_templates where visibility = 'unlisted'",
    "a crawler": "select * from community_events where user_agent ~ 'bot' and user_id is null",
    "an event of the open day": "select * from community_events where created_at >= '2026-03-04+00'",
    **{
        f"the type {kind}": f"select * from community_events where event_type = '{kind}'"
        for kind in ("view", "favorite", "unfavorite", "use", "mix", "prompt", "click")
    },
    **{
        f"the source {source}": f"select * from community_events where source = '{source}'"
        for source in ("in_app_panel", "community_site", "direct")
    },
}


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def number(url: str, query: str) -> int:
    return int(rows(url, f"select count(*) from ({query}) as found")[0][0])


def contents(url: str) -> list[list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return [rows(url, f"select * from {table} order by 1, 2") for table in TABLES]


def told(events: pa.Table, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("events", events)
        return connection.execute(query).fetchall()


@pytest.fixture
def app(database: str) -> str:
    """An empty app database."""
    migrate(database, APP)
    return database


def test_the_same_seed_and_time_give_exactly_the_same_rows_in_every_table(app: str) -> None:
    load(app, SMALL, NOW)
    first = contents(app)
    with psycopg.connect(app) as connection:
        connection.execute(f"truncate {', '.join(TABLES)} cascade".encode())
    load(app, SMALL, NOW)
    assert contents(app) == first


def test_full_days_are_the_same_at_every_hour_of_the_day_after() -> None:
    morning = pa.concat_tables(event_days(SMALL, NOW.replace(hour=1)))
    evening = pa.concat_tables(event_days(SMALL, NOW.replace(hour=23)))
    full = "from events where created_at < '2026-03-04' order by id"
    assert told(morning, f"select * {full}") == told(evening, f"select * {full}")
    assert evening.num_rows > morning.num_rows


def test_the_same_seed_gives_the_same_order_of_arrival_in_which_some_rows_are_days_late() -> None:
    first, again = list(event_days(SMALL, NOW)), list(event_days(SMALL, NOW))
    assert all(one.equals(other) for one, other in zip(first, again, strict=True))
    late = [
        told(table, f"select id from events where created_at < timestamptz '2026-02-25 00:00:00' + interval {day} day")
        for day, table in enumerate(first)
    ]
    assert not late[0]
    assert sum(len(ids) for ids in late) > 3
    assert max(len(ids) for ids in late) < 10


def test_another_seed_gives_other_rows() -> None:
    other = SampleSize(templates=50, users=300, days=7, events_per_day=500, seed=43)
    ids = [set(pa.concat_tables(event_days(size, NOW))["id"].to_pylist()) for size in (SMALL, other)]
    assert not ids[0] & ids[1]


def test_the_sizes_asked_for_are_the_sizes_loaded(app: str) -> None:
    report = load(app, SMALL, NOW)
    assert (report.first_day, report.last_day) == (date(2026, 2, 25), date(2026, 3, 3))
    assert (report.templates, report.users) == (50, 300)
    loaded = [number(app, f"select * from {table}") for table in TABLES]
    assert (loaded[0], loaded[2]) == (300, 50)
    assert (loaded[3], loaded[4]) == (report.favorites, report.events)
    days = dict(rows(app, "select (created_at at time zone 'UTC')::date, count(*) from community_events group by 1"))
    today = days.pop(date(2026, 3, 4))
    assert sorted(days) == [report.first_day + timedelta(days=day) for day in range(7)]
    assert sum(days.values()) == 7 * 500
    assert 0 < today < 700
    assert not number(app, f"select * from community_events where created_at > '{NOW}'")


def test_at_midnight_there_are_only_full_days() -> None:
    tables = list(event_days(SMALL, datetime(2026, 3, 4, tzinfo=UTC)))
    assert [table.num_rows > 0 for table in tables] == [True] * 7 + [False]
    assert sum(table.num_rows for table in tables) == 7 * 500


@pytest.mark.parametrize("oddity", ODDITIES)
def test_the_sample_has(sample: str, oddity: str) -> None:
    assert number(sample, ODDITIES[oddity]) > 0


@pytest.fixture(scope="module")
def sample(postgres: Any) -> str:
    """An app database with a small sample that tests only read."""
    url: str = postgres.url("sample_to_read")
    migrate(url, APP)
    load(url, SMALL, NOW)
    return url


def test_no_event_precedes_its_template_or_its_project(sample: str) -> None:
    early = """select * from community_events as event
        join community_templates as template on template.id = event.template_id
        where event.created_at < template.created_at"""
    unmade = """select * from community_events as event
        join "bazaar-vid_project" as project on project.id = event.project_id
        where event.created_at < project."createdAt" or event.user_id <> project."userId" """
    assert number(sample, early) == 0
    assert number(sample, unmade) == 0
    assert number(sample, "select * from community_templates where updated_at < created_at") == 0


def test_uses_and_mixes_alone_name_a_project_and_scenes(sample: str) -> None:
    found = rows(
        sample,
        """select event_type in ('use', 'mix'), bool_or(project_id is null or scene_count is null),
            bool_or(project_id is not null or scene_count is not null), min(scene_count) > 0
        from community_events group by 1 order by 1""",
    )
    assert found == [(False, True, False, None), (True, False, True, True)]


def test_only_people_who_are_signed_in_do_more_than_look_and_crawlers_never_sign_in(sample: str) -> None:
    deeds = "select * from community_events where event_type in ('use', 'mix', 'prompt', 'unfavorite')"
    assert number(sample, f"{deeds} and user_id is null") == 0
    crawlers = "select * from community_events where user_agent ~ 'bot'"
    assert number(sample, f"{crawlers} and (user_id is not null or event_type not in ('view', 'click'))") <= 1


def test_cached_counters_are_wrong_but_by_far_less_than_a_tenth_of_the_truth(app: str) -> None:
    report = load(app, SampleSize(templates=60, users=1_500, days=10, events_per_day=4_000), NOW)
    found = rows(app, TRUTH)
    off = 0
    for cached, true in ((1, 2), (3, 4), (5, 6)):
        drift = sum(abs(row[cached] - row[true]) for row in found)
        assert 0 < drift < 0.1 * sum(row[true] for row in found)
        assert all(row[cached] >= 0 for row in found)
        off += sum(row[cached] != row[true] for row in found)
    assert report.counters_off == off


def test_favorites_agree_with_the_event_log_but_for_six(app: str) -> None:
    load(app, SampleSize(templates=60, users=1_500, days=10, events_per_day=4_000), NOW)
    users = 'where user_id in (select id from "bazaar-vid_user")'
    logged = set(rows(app, f"select * from ({HELD}) as held {users}"))
    stored = set(rows(app, "select user_id, template_id from community_favorites"))
    assert (len(logged - stored), len(stored - logged)) == (3, 3)
    assert number(app, HELD) > len(logged)


@pytest.mark.parametrize("volume", [60, 150, 400])
def test_unknown_event_types_stay_below_one_percent_of_every_day(volume: int) -> None:
    for seed in range(8):
        size = SampleSize(templates=10, users=30, days=15, events_per_day=volume, seed=seed)
        days = told(
            pa.concat_tables(event_days(size, datetime(2026, 3, 4, tzinfo=UTC))),
            "select avg((event_type in ('share', 'embed'))::int) from events group by created_at::date",
        )
        assert max(share for (share,) in days) <= 0.01


def test_people_follow_the_day_and_the_week_and_look_at_few_templates_most() -> None:
    size = SampleSize(templates=500, users=2_000, days=14, events_per_day=4_000)
    events = pa.concat_tables(event_days(size, datetime(2026, 3, 4, tzinfo=UTC)))
    hours = dict(told(events, "select hour(created_at), count(*) from events group by all"))
    assert min(hours.values()) * 2 < max(hours.values())
    assert hours[16] > 2 * hours[4]
    ((week, weekend),) = told(
        events,
        """select count(*) filter (isodow(created_at) < 6) / 10, count(*) filter (isodow(created_at) > 5) / 4
        from events""",
    )
    assert weekend < week
    templates = [count for (count,) in told(events, "select count(*) n from events group by template_id order by n")]
    assert sum(templates[-50:]) > 0.35 * sum(templates)
    users = [count for (count,) in told(events, "select count(*) n from events group by user_id order by n")]
    assert users[-1] == told(events, "select count(*) from events where user_id is null")[0][0] > 0.4 * sum(users)


def test_viral_templates_have_days_far_above_their_own_middle() -> None:
    size = SampleSize(templates=300, users=1_000, days=40, events_per_day=2_000)
    peaks = told(
        pa.concat_tables(event_days(size, datetime(2026, 3, 4, tzinfo=UTC))),
        """with daily as (select template_id, created_at::date as day, count(*) as events from events group by all)
        select max(events) / median(events) from daily
        group by template_id having max(events) > 50 order by 1 desc""",
    )
    assert peaks[2][0] > 8


def test_templates_appear_all_through_the_window(sample: str) -> None:
    found = rows(sample, "select count(*) from community_templates where created_at >= '2026-02-25+00'")
    assert 20 <= found[0][0] <= 40


def test_a_database_with_rows_is_refused_and_left_as_it_was(app: str) -> None:
    assert is_empty(app)
    load(app, SMALL, NOW)
    assert not is_empty(app)
    before = contents(app)
    with pytest.raises(SampleError, match=r"is not empty \(.*community_events.*\)"):
        load(app, SMALL, NOW)
    assert contents(app) == before


def test_of_two_loads_at_once_one_is_refused(app: str) -> None:
    def attempt(seed: int) -> str:
        try:
            load(app, SampleSize(templates=50, users=300, days=7, events_per_day=500, seed=seed), NOW)
        except SampleError as error:
            return str(error)
        return "loaded"

    with ThreadPoolExecutor(2) as pool:
        ends = sorted(pool.map(attempt, (1, 2)))
    assert ends[0] == "loaded"
    assert "is not empty" in ends[1]
    assert number(app, "select * from community_templates") == 50


def test_a_load_that_breaks_off_leaves_nothing_behind(app: str) -> None:
    def stumble(stage: str, done: int, total: int) -> None:
        if stage == "events" and done > 1_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(app, SMALL, NOW, stumble)
    assert [number(app, f"select * from {table}") for table in TABLES] == [0] * 5
    load(app, SMALL, NOW)


def test_a_database_that_refuses_a_row_is_named_and_left_empty(app: str) -> None:
    with psycopg.connect(app) as connection:
        connection.execute("alter table community_events add check (event_type <> 'mix')")
    with pytest.raises(SampleError, match=r"not loaded into test_\w+ .*nothing was kept.*check constraint"):
        load(app, SMALL, NOW)
    assert is_empty(app)


def test_progress_counts_events_up_to_their_total(app: str) -> None:
    seen: list[tuple[str, int, int]] = []
    report = load(app, SMALL, NOW, lambda *step: seen.append(step))
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == [
        "users",
        "projects",
        "templates",
        "events",
        "favorites and counters",
    ]
    assert all(done <= total for _, done, total in seen)
    events = [(done, total) for stage, done, total in seen if stage == "events"]
    assert events == sorted(events, key=lambda step: step[0])
    assert events[-1] == (report.events, report.events)
    assert events[0][1] == pytest.approx(report.events, rel=0.1)


def test_a_database_without_the_tables_is_told_how_to_get_them(database: str) -> None:
    with pytest.raises(SampleError, match=r"no table community_templates: .*community migrate --platform bazaar --app"):
        is_empty(database)
    with pytest.raises(SampleError, match="no table bazaar-vid_user"):
        load(database, SMALL, NOW)


def test_a_database_out_of_reach_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=f"bazaar at {tmp_path}"):
        load(f"postgresql:///bazaar?host={tmp_path}&user=postgres", SMALL, NOW)


@pytest.mark.parametrize("name", ["templates", "users", "days", "events_per_day"])
def test_a_size_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(SampleError, match=f"{name} must be"):
        SampleSize(**{name: 0})


def test_the_smallest_size_works(app: str) -> None:
    report = load(app, SampleSize(templates=4, users=10, days=1, events_per_day=1), NOW)
    assert (report.templates, report.users) == (4, 10)
    assert report.first_day == report.last_day == date(2026, 3, 3)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(SampleError, match="time zone"):
        event_days(SMALL, datetime(2026, 3, 4))  # noqa: DTZ001
