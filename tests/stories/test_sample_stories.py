"""The sample of stories: the same rows for the same seed, true to life, and fit to be counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from community_pipelines.platforms.stories.bibles import violations_of_day
from community_pipelines.samples.calendar import make_calendar
from community_pipelines.samples.spec import SampleError
from community_pipelines.samples.stories.life import tables
from community_pipelines.samples.stories.sample import StoriesSize
from tests.sample import number, rows
from tests.stories.sample import FIRST, NOW, SMALL, TABLES, contents, empty, fill, made, world

OPEN = "('queued', 'processing', 'script_ready', 'continuity_checked', 'preview_ready')"
# What must not be found at all: the rows that a check would call an error.
FAULTS = {
    "a job whose stage does not fit its status": """select from jobs where not case status
        when 'queued' then stage = 'pending'
        when 'final_ready' then stage = 'completed'
        when 'failed' then stage <> 'completed'
        when 'cancelled' then stage not in ('completed', 'error')
        else stage not in ('pending', 'completed', 'error') end""",
    "a progress out of bounds": "select from jobs where progress not between 0 and 100",
    "an end that does not fit the status": f"""select from jobs
        where (completed_at is null) <> (status in {OPEN}) or completed_at < coalesce(started_at, created_at)
            or started_at < created_at""",
    "too many retries": "select from jobs where retry_count not between 0 and max_retries",
    "a finished job without a result": "select from jobs where (status = 'final_ready') <> (result_data is not null)",
    "a failure without a code": "select from jobs where (status = 'failed') <> (error_code is not null)",
    "a job without its scene or its bible": """select from jobs where not exists (
        select from scene_bibles as bible where bible.scene_id = jobs.scene_id and version = jobs.bible_version)""",
    "a segment whose job is not its own": """select from segments as segment left join jobs as job
            on job.id = segment.job_id and (job.scene_id, job.user_id) = (segment.scene_id, segment.user_id)
            and job.status = 'final_ready' and job.type = 'continuation'
            and segment.created_at - job.created_at between '20 seconds' and '1 hour'
            and job.result_data ->> 'segmentId' = segment.id::text
            and job.result_data ->> 'videoUrl' = segment.video_url
        where job.id is null""",
    "a segment of a bible that is not there": """select from segments as segment where not exists (
        select from scene_bibles as bible
        where bible.scene_id = segment.scene_id and version = segment.bible_version
            and bible.created_at <= segment.created_at)""",
    "a newest bible that the scene does not know": """select from scenes where bible_version is distinct from (
        select max(version) from scene_bibles where scene_id = scenes.id)""",
    "a gap between versions of a bible": """select from scene_bibles
        group by scene_id having max(version) <> count(*) or min(version) <> 1""",
    "a bible that no segment of its scene brought about": """select from scene_bibles as bible
        where version > 1 and not exists (select from segments where id = created_by_segment_id
            and scene_id = bible.scene_id)""",
    "a summary of a segment that is not there": """select from scene_summaries as summary,
            unnest(segments_covered) as covered
        where not exists (select from segments where scene_id = summary.scene_id and sequence = covered)""",
    "a scene of another topic than its idea's": """select from scenes join ideas on ideas.id = idea_id
        where scenes.topic_id <> ideas.topic_id or scenes.created_at < ideas.created_at""",
    "a category of another topic": """select from ideas join categories on categories.id = category_id
        where categories.topic_id <> ideas.topic_id""",
    "a promotion without approval": """select from user_topics
        where promoted_to_topic_id is not null and status <> 'approved'
            or (status = 'pending') <> (reviewed_at is null)""",
    "a review that does not fit its flag": """select from moderation_flags
        where (status in ('resolved', 'dismissed')) <> (reviewed_at is not null) or reviewed_at < created_at
            or (status = 'resolved') <> (action_taken is not null)""",
    "a flag about nothing": """select from moderation_flags where target_id not in (
        select id from users union select id from ideas union select id from scenes union select id from segments
        union select id from topics)""",
    "something hidden that nobody flagged": """select from (
            select id from segments where status <> 'active'
            union select id from scenes where status <> 'active' and title <> 'Rehearsals'
        ) as closed where id not in (select target_id from moderation_flags where status = 'resolved')""",
    "a view of nobody or of no scene": """select from scene_views as view left join scenes on scenes.id = scene_id
        where (view.user_id is null) = (ip_hash is null) or scenes.id is null
            or view.created_at < scenes.created_at""",
    "a like of nothing": """select from likes where target_id not in (
        select id from scenes where target_type = 'scene' union select id from ideas where target_type = 'idea')""",
    "a deed before its sign-up": """select from users join (
            select user_id, created_at from ideas union all select user_id, created_at from scenes
            union all select user_id, created_at from jobs union all select user_id, created_at from segments
            union all select user_id, created_at from scene_views where user_id is not null
            union all select user_id, created_at from likes union all select user_id, created_at from user_topics
        ) as deed on deed.user_id = users.id where deed.created_at < users.created_at""",
}
ALIVE = {
    **{
        f"a {kind} that is {status}": f"select from jobs where type = '{kind}' and status = '{status}'"
        for kind in ("continuation", "rehearsal")
        for status in ("final_ready", "failed", "cancelled")
    },
    "a regeneration": "select from jobs where type = 'regeneration'",
    "a summary": "select from scene_summaries",
    "a job that is still open": f"select from jobs where status in {OPEN} and created_at > '2026-03-04 15:00+00'",
    "a stuck job": f"select from jobs where status in {OPEN} and created_at < '2026-03-03 15:30+00'",
    "a job that was tried again and finished": "select from jobs where status = 'final_ready' and retry_count > 0",
    "a failed job whose retries are used up": "select from jobs where status = 'failed' and retry_count = max_retries",
    "a job without an idempotency key": "select from jobs where idempotency_key is null",
    "a hidden segment": "select from segments where status = 'hidden'",
    "a removed idea": "select from ideas where status = 'removed' and moderation_status = 'rejected'",
    "a hidden scene": "select from scenes where status = 'hidden' and title <> 'Rehearsals'",
    "a flag of a user": "select from moderation_flags where reporter_id is not null",
    "a flag that was found automatically": "select from moderation_flags where reporter_id is null",
    "a resolved flag": "select from moderation_flags where status = 'resolved'",
    "a dismissed flag": "select from moderation_flags where status = 'dismissed'",
    "a flag that nobody has decided for days": """select from moderation_flags
        where status = 'pending' and created_at < '2026-03-02+00'""",
    "a hidden or removed thing of each kind that is flagged": """select from (select distinct target_type
        from moderation_flags where action_taken in ('content_hidden', 'content_removed')) as kinds
        having count(*) = 3""",
    "an idea of no category": "select from ideas where category_id is null",
    "a job that was cancelled in the queue": "select from jobs where status = 'cancelled' and started_at is null",
    "a job of a year ago": "select from jobs where created_at < '2025-03-01+00'",
    "an address that was never verified": "select from users where not email_verified",
    "a guest who comes again": "select from scene_views where user_id is null group by ip_hash having count(*) > 3",
    "a rejected proposal": "select from user_topics where status = 'rejected'",
    "a promoted proposal": "select from user_topics where promoted_to_topic_id is not null",
    "a view of the open day": "select from scene_views where created_at >= '2026-03-04+00'",
    "a job of the open day": "select from jobs where created_at >= '2026-03-04+00'",
}

TRUTH = {
    "topics": """select id, scene_count,
            (select count(*) from scenes where topic_id = topics.id and status = 'active')
        from topics""",
    "ideas": """select id, scene_count, like_count, view_count,
            (select count(*) from scenes where idea_id = ideas.id and status = 'active'),
            (select count(*) from likes where target_id = ideas.id),
            (select count(*) from scene_views where scene_id in (select id from scenes where idea_id = ideas.id))
        from ideas""",
    "scenes": """select id,
            segment_count, total_duration, contributor_count, last_segment_at, view_count, like_count,
            count(segment.id), coalesce(sum(duration), 0), count(distinct segment.user_id), max(segment.created_at),
            (select count(*) from scene_views where scene_id = scenes.id),
            (select count(*) from likes where target_id = scenes.id)
        from scenes
        left join (select id, scene_id, user_id, created_at, duration from segments where status = 'active') as segment
            on segment.scene_id = scenes.id
        group by scenes.id""".replace("select id,\n", "select scenes.id,\n"),
}


def off(url: str) -> dict[str, list[tuple[Any, Any]]]:
    """Of each table the cached values that differ from the truth, each with it."""
    found = {}
    for table, query in TRUTH.items():
        pairs = [
            pair
            for row in rows(url, query)
            for pair in zip(row[1 : 1 + len(row) // 2], row[1 + len(row) // 2 :], strict=True)
        ]
        found[table] = [(cached, true) for cached, true in pairs if cached != true]
    return found


@pytest.fixture
def app(database: str) -> str:
    """An app database without rows, with our own tables."""
    return made(database)


@pytest.fixture(scope="module")
def sample(postgres: Any) -> str:
    """An app database with a small sample that tests only read."""
    url: str = postgres.url("stories_to_read")
    fill(made(url))
    return url


@pytest.mark.parametrize("fault", FAULTS)
def test_the_sample_has_nowhere(sample: str, fault: str) -> None:
    assert number(sample, FAULTS[fault].replace("select from", "select 1 from", 1)) == 0


@pytest.mark.parametrize("thing", ALIVE)
def test_the_sample_has(sample: str, thing: str) -> None:
    assert number(sample, ALIVE[thing].replace("select from", "select 1 from", 1)) > 0


def test_bibles_are_valid_in_form_and_meaning(sample: str) -> None:
    bibles = [
        {"id": one, "scene_id": scene, "version": version, "data": data}
        for one, scene, version, data in rows(
            sample, "select id::text, scene_id::text, version, data::text from scene_bibles order by 2, 3"
        )
    ]
    segments = dict(rows(sample, "select scene_id::text, array_agg(sequence) from segments group by 1"))
    assert violations_of_day(bibles, {}, segments) == []
    assert max(bible["version"] for bible in bibles) > 10


def test_one_scene_has_a_gap_in_its_segments_and_none_repeats_a_number(sample: str) -> None:
    gaps = """select max(sequence) - count(*) from segments group by scene_id
        having (min(sequence), max(sequence), count(distinct sequence)) <> (1, count(*), count(*))"""
    assert rows(sample, gaps) == [(1,)]


def test_nothing_comes_after_now_or_before_the_first_day_but_for_people_topics_and_rehearsals(sample: str) -> None:
    for table in TABLES[:-1]:
        (times,) = rows(
            sample,
            f"""select string_agg(format('%I > ''{NOW}''', column_name), ' or ') from information_schema.columns
            where table_schema = 'public' and table_name = '{table}' and data_type = 'timestamp with time zone'""",
        )
        assert number(sample, f"select 1 from {table} where {times[0]}") == 0
        if table not in ("users", "oauth_accounts", "topics", "categories", "jobs"):
            assert number(sample, f"select 1 from {table} where created_at < '{FIRST}+00'") == 0
    early = f"select distinct type, scene.status from jobs join scenes as scene on scene.id = scene_id \
        where jobs.created_at < '{FIRST}+00'"
    assert rows(sample, early) == [("rehearsal", "hidden")]
    assert number(sample, "select 1 from segments join scenes on scenes.id = scene_id where title = 'Rehearsals'") == 0
    assert number(sample, f"select 1 from users where created_at < '{FIRST}+00'") > 100


def test_every_month_has_its_partitions_and_the_next_three_do(sample: str) -> None:
    months = [f"2025_{month:02}" for month in range(2, 13)] + [f"2026_{month:02}" for month in range(1, 7)]
    for table in ("segments", "jobs"):
        found = rows(
            sample, f"select inhrelid::regclass::text from pg_inherits where inhparent = '{table}'::regclass order by 1"
        )
        assert [name for (name,) in found] == [f"{table}_{month}" for month in months]
    counts = rows(sample, "select count(*) from jobs where type = 'rehearsal' group by date_trunc('month', created_at)")
    assert len(counts) == 13
    assert sum(count for (count,) in counts) == 13 * 20


def test_counters_are_true_but_for_few_that_are_too_low_or_too_high(app: str) -> None:
    report = fill(app)
    wrong = off(app)
    assert report.counters_off == sum(len(pairs) for pairs in wrong.values())
    for table, counters in (("topics", 1), ("ideas", 3), ("scenes", 6)):
        assert 0 < len(wrong[table]) <= 0.1 * counters * number(app, f"select 1 from {table}") + counters
    numbers = [(cached, true) for pairs in wrong.values() for cached, true in pairs if isinstance(true, int)]
    assert {cached > true for cached, true in numbers} == {False, True}
    times = [(cached, true) for cached, true in wrong["scenes"] if isinstance(true, datetime)]
    assert {cached > true for cached, true in times} == {False, True}
    assert all(cached >= 0 for cached, _ in numbers)


def test_taken_back_likes_are_deleted_and_some_scenes_count_too_many(app: str) -> None:
    seen: list[tuple[str, int, int]] = []
    fill(app, progress=lambda *step: seen.append(step))
    (given,) = (done for stage, done, _ in seen if stage == "likes")
    kept = number(app, "select 1 from likes")
    assert 0.85 * given < kept < given
    high = "select 1 from scenes where like_count > (select count(*) from likes where target_id = scenes.id)"
    assert number(app, high) > 0


def test_the_report_says_what_was_loaded(app: str) -> None:
    report = fill(app)
    assert (report.first_day, report.last_day) == (FIRST, date(2026, 3, 3))
    loaded = ("scenes", "users", "segments", "jobs", "scene_views")
    assert [number(app, f"select 1 from {table}") for table in loaded] == list(report.counted.values())
    assert number(app, "select 1 from scene_views where created_at < '2026-03-04+00'") == 12 * 400
    assert report.counted["segments"] == pytest.approx(900, rel=0.15)


def test_six_in_a_hundred_jobs_fail_and_two_are_cancelled(sample: str) -> None:
    ((failed, cancelled),) = rows(
        sample,
        """select avg((status = 'failed')::int)::float, avg((status = 'cancelled')::int)::float
        from jobs where type <> 'rehearsal'""",
    )
    assert failed == pytest.approx(0.06, abs=0.025)
    assert cancelled == pytest.approx(0.02, abs=0.015)


def test_people_sleep_at_night_and_the_community_grows(sample: str) -> None:
    hours = dict(
        rows(
            sample,
            "select extract(hour from created_at at time zone 'UTC')::int, count(*) from scene_views \
        group by 1",
        )
    )
    assert hours[16] > 2 * hours[4]
    halves = dict(
        rows(
            sample,
            "select created_at < '2026-02-26+00', count(*) from scene_views \
        where created_at < '2026-03-04+00' group by 1",
        )
    )
    assert halves[True] < halves[False]


def test_members_and_guests_look_at_scenes_and_come_again(sample: str) -> None:
    ((views, members, guests, by_members),) = rows(
        sample,
        "select count(*), count(distinct user_id), count(distinct ip_hash), count(user_id) from scene_views",
    )
    assert members > 100 < guests
    assert members + guests < 0.5 * views
    assert 0.3 * views < by_members < 0.6 * views


def rows_at(moment: int, table: str) -> dict[Any, dict[str, Any]]:
    """The rows of a table by their ids, as the sample has them that ends at that moment."""
    later = world()
    found: list[dict[str, Any]] = dict(tables(replace(later, calendar=replace(later.calendar, now=moment))))[table]
    return {row["id"]: row for row in found}


@pytest.mark.parametrize("outcome", ["final_ready", "failed"])
def test_a_job_that_is_not_over_yet_has_neither_end_nor_result_nor_error(outcome: str) -> None:
    now = world().calendar.now
    ended = [row for row in rows_at(now, "jobs").values() if row["status"] == outcome and row["completed_at"] <= now]
    job = next(row for row in ended[-400:] if row["retry_count"])
    moments = (job["started_at"] - 1, job["completed_at"] - 1, job["completed_at"])
    waiting, working, over = (rows_at(moment, "jobs")[job["id"]] for moment in moments)
    assert (waiting["status"], waiting["stage"]) == ("queued", "pending")
    assert waiting["started_at"] > moments[0]
    assert working["stage"] == ("finalization" if outcome == "final_ready" else job["stage"])
    names = ("result_data", "error_code", "error_message", "retry_count")
    for row, moment in ((waiting, moments[0]), (working, moments[1])):
        assert [row[name] for name in names] == [None, None, None, 0]
        assert row["completed_at"] > moment
    assert over == job


def test_a_flag_is_pending_then_in_review_then_decided() -> None:
    now = world().calendar.now
    flags = list(rows_at(now, "moderation_flags").values())
    flag = next(one for one in flags[len(flags) // 2 :] if one["action_taken"])
    moments = (flag["created_at"], flag["reviewed_at"] - 1, flag["reviewed_at"])
    found = [rows_at(moment, "moderation_flags")[flag["id"]] for moment in moments]
    assert [row["status"] for row in found] == ["pending", "reviewing", "resolved"]
    assert [row["reviewed_by"] is not None for row in found] == [False, True, True]
    assert [row["action_taken"] for row in found] == [None, None, flag["action_taken"]]


def test_users_have_made_up_names_and_no_secrets(sample: str) -> None:
    odd = """select 1 from users where email <> username || '@example.org' or username !~ '^user[0-9]+$'
        or password_hash like '$%'"""
    assert number(sample, odd) == 0
    tokens = "select 1 from oauth_accounts where access_token is not null or refresh_token is not null"
    assert number(sample, tokens) == 0 < number(sample, "select 1 from oauth_accounts")
    both = "select 1 from users where (password_hash is null) <> (id in (select user_id from oauth_accounts))"
    assert number(sample, both) == 0


def test_the_same_seed_and_time_give_exactly_the_same_rows_in_every_table(app: str) -> None:
    fill(app)
    first = contents(app)
    empty(app)
    fill(app)
    assert contents(app) == first


def test_another_seed_gives_other_rows() -> None:
    one, other = (world(replace(SMALL, seed=seed)) for seed in (42, 43))
    assert not set(one.ideas.ids) & set(other.ideas.ids)
    assert not set(one.scenes.ids) & set(other.scenes.ids)


@pytest.mark.parametrize("name", ["users", "ideas", "scenes", "segments", "likes", "views_per_day"])
def test_a_size_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(SampleError, match=f"the sample's {name} must be [0-9]+ or more, and is 0"):
        replace(SMALL, **{name: 0})


@pytest.mark.parametrize("seed", range(3))
def test_the_smallest_size_of_a_single_day_works(app: str, seed: int) -> None:
    least = StoriesSize(seed, 20, 10, 5, 10, 1, 1, 1)
    report = fill(app, least, datetime(2026, 3, 4, tzinfo=UTC), date(2026, 3, 3))
    assert report.first_day == report.last_day == date(2026, 3, 3)
    assert report.counted["views"] == 1


def test_a_time_without_zone_and_a_first_day_that_is_not_over_are_refused() -> None:
    with pytest.raises(SampleError, match="time zone"):
        make_calendar(NOW.replace(tzinfo=None), FIRST)
    with pytest.raises(SampleError, match="must be over before 2026-03-04, and is 2026-03-04"):
        make_calendar(NOW, NOW.date())
