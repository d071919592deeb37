"""The sample gallery: the same rows for the same seed, true to life, its templates published by ingest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from community_pipelines.samples.bazaar.gallery import build_gallery
from community_pipelines.samples.bazaar.sample import GallerySize
from community_pipelines.samples.calendar import make_calendar
from community_pipelines.samples.spec import SampleError
from tests.bazaar.gallery import migrated
from tests.sample import NOW, SMALL, contents, empty, event_days, fill, number, rows

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
    "a template without a picture": "select * from community_templates where thumbnail_url is null",
    "a project of somebody who publishes nothing": """select * from "bazaar-vid_project" where "userId" not in
        (select owner_user_id from community_templates)""",
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


def told(events: pa.Table, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("events", events)
        return connection.execute(query).fetchall()


@pytest.fixture
def app(database: str) -> str:
    """An app database without rows, with our own tables."""
    return migrated(database)


def test_the_same_seed_and_time_give_exactly_the_same_rows_in_every_table(app: str) -> None:
    fill(app)
    first = contents(app)
    empty(app)
    fill(app)
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
    other = replace(SMALL, seed=43)
    ids = [set(pa.concat_tables(event_days(size, NOW))["id"].to_pylist()) for size in (SMALL, other)]
    assert not ids[0] & ids[1]


def test_the_sizes_asked_for_are_the_sizes_loaded(app: str) -> None:
    report = fill(app)
    assert (report.first_day, report.last_day) == (date(2026, 2, 25), date(2026, 3, 3))
    assert (report.counted["templates"], report.counted["users"]) == (50, 300)
    tables = ("community_templates", '"bazaar-vid_user"', "community_events")
    assert [number(app, f"select * from {table}") for table in tables] == list(report.counted.values())
    assert number(app, "select * from community_favorites") > 20
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
    fill(migrated(url))
    return url


def test_every_template_is_the_frozen_copy_of_a_project_of_its_own(sample: str) -> None:
    copies = """select template.id, scene."order", scene."tsxCode", scene.name, scene.duration,
            template.owner_user_id, template.title
        from community_templates as template
        join "bazaar-vid_project" as project on project.id = template.source_project_id
            and (project."userId", project.title) = (template.owner_user_id, template.title)
        join "bazaar-vid_scene" as scene on scene."projectId" = project.id"""
    frozen = """select template_id, scene_index, tsx_code, scene.title, duration, owner_user_id, template.title
        from community_template_scenes as scene join community_templates as template on template.id = template_id"""
    assert number(sample, f"{copies} except {frozen}") == number(sample, f"{frozen} except {copies}") == 0
    assert number(sample, frozen) == number(sample, 'select * from "bazaar-vid_scene"') > 100
    assert number(sample, "select distinct source_project_id from community_templates") == 50


def test_templates_say_what_was_flagged_with_their_projects(sample: str) -> None:
    said = """select jsonb_build_object('title', title, 'description', description, 'tags', tags, 'category', category,
            'formats', supported_formats, 'visibility', visibility)
        from community_templates where source_project_id::text = project_key"""
    requests = f"select options = ({said}), status from community.publication_requests where requested_by = 'sample'"
    assert rows(sample, requests) == [(True, "created")] * 50
    assert number(sample, "select distinct supported_formats from community_templates") > 2


def test_templates_are_as_old_as_the_story_says_and_some_hours_younger_than_their_projects(sample: str) -> None:
    ages = """select template.created_at - project."createdAt" as age
        from community_templates as template join "bazaar-vid_project" as project on project.id = source_project_id"""
    assert rows(sample, f"select min(age) > '15 minutes', max(age) < '4 hours' from ({ages})") == [(True, True)]
    assert rows(sample, "select max(created_at) < '2026-03-04+00' from community_templates") == [(True,)]
    younger = """select * from community_template_scenes as scene join community_templates as template
        on template.id = scene.template_id where scene.created_at <> template.created_at"""
    assert number(sample, younger) == 0
    assert number(sample, "select * from community_templates where thumbnail_url ~ ('/' || slug || '.jpg$')") > 40


def test_visitors_come_from_the_pages_that_ingest_named(sample: str) -> None:
    page = "'https://bazaar.example/community/' || template.slug"
    told = f"""select referrer = {page}, count(*) > 100
        from community_events join community_templates as template on template.id = template_id
        where event_type in ('use', 'favorite', 'click') and source = 'community_site' and user_agent !~ 'bot'
        group by 1"""
    assert (True, True) in rows(sample, told)


def test_who_uses_a_template_takes_all_its_scenes(sample: str) -> None:
    uses = "select * from community_events as event where event_type = 'use'"
    scenes = "(select count(*) from community_template_scenes where template_id = event.template_id)"
    assert number(sample, f"{uses} and scene_count <> {scenes}") == 0 < number(sample, uses)


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
    report = fill(app, GallerySize(templates=60, users=1_500, events_per_day=4_000), days=10)
    found = rows(app, TRUTH)
    off = 0
    for cached, true in ((1, 2), (3, 4), (5, 6)):
        drift = sum(abs(row[cached] - row[true]) for row in found)
        assert 0 < drift < 0.1 * sum(row[true] for row in found)
        assert all(row[cached] >= 0 for row in found)
        off += sum(row[cached] != row[true] for row in found)
    assert report.counters_off == off


def test_favorites_agree_with_the_event_log_but_for_six(app: str) -> None:
    fill(app, GallerySize(templates=60, users=1_500, events_per_day=4_000), days=10)
    users = 'where user_id in (select id from "bazaar-vid_user")'
    logged = set(rows(app, f"select * from ({HELD}) as held {users}"))
    stored = set(rows(app, "select user_id, template_id from community_favorites"))
    assert (len(logged - stored), len(stored - logged)) == (3, 3)
    assert number(app, HELD) > len(logged)


@pytest.mark.parametrize("volume", [60, 150, 400])
def test_unknown_event_types_stay_below_one_percent_of_every_day(volume: int) -> None:
    for seed in range(8):
        size = GallerySize(templates=10, users=30, events_per_day=volume, seed=seed)
        days = told(
            pa.concat_tables(event_days(size, datetime(2026, 3, 4, tzinfo=UTC), 15)),
            "select avg((event_type in ('share', 'embed'))::int) from events group by created_at::date",
        )
        assert max(share for (share,) in days) <= 0.01


def test_people_follow_the_day_and_the_week_and_look_at_few_templates_most() -> None:
    size = GallerySize(templates=500, users=2_000, events_per_day=4_000)
    events = pa.concat_tables(event_days(size, datetime(2026, 3, 4, tzinfo=UTC), 14))
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
    size = GallerySize(templates=300, users=1_000, events_per_day=2_000)
    peaks = told(
        pa.concat_tables(event_days(size, datetime(2026, 3, 4, tzinfo=UTC), 40)),
        """with daily as (select template_id, created_at::date as day, count(*) as events from events group by all)
        select max(events) / median(events) from daily
        group by template_id having max(events) > 50 order by 1 desc""",
    )
    assert peaks[2][0] > 8


def test_templates_appear_all_through_the_window(sample: str) -> None:
    found = rows(sample, "select count(*) from community_templates where created_at >= '2026-02-25+00'")
    assert 20 <= found[0][0] <= 40


def test_nobody_owns_more_templates_than_ingest_takes_of_one_owner_on_a_day() -> None:
    for size in (GallerySize(), GallerySize(templates=400, users=20)):
        gallery = build_gallery(size, make_calendar(NOW, 60))
        people, templates = gallery.people, gallery.templates
        assert 20 < np.bincount(templates.owner).max() <= 40
        assert people.exists[templates.owner].all()
    late = people.created[templates.owner] > templates.project_created
    assert late.sum() == 0


def test_more_templates_than_its_users_may_own_are_refused() -> None:
    assert GallerySize(templates=200, users=10)
    with pytest.raises(SampleError, match="users must be 11 or more for 201 templates, and are 10"):
        GallerySize(templates=201, users=10)


@pytest.mark.parametrize("name", ["templates", "users", "events_per_day"])
def test_a_size_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(SampleError, match=f"{name} must be"):
        GallerySize(**{name: 0})


def test_the_smallest_size_works(app: str) -> None:
    report = fill(app, GallerySize(templates=4, users=10, events_per_day=1), days=1)
    assert (report.counted["templates"], report.counted["users"]) == (4, 10)
    assert report.first_day == report.last_day == date(2026, 3, 3)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(SampleError, match="time zone"):
        event_days(SMALL, datetime(2026, 3, 4))  # noqa: DTZ001


def test_a_window_without_a_full_day_is_refused() -> None:
    with pytest.raises(SampleError, match="days must be 1 or more, and are 0"):
        event_days(SMALL, NOW, 0)
