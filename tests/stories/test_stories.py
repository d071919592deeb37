"""The flow of story videos over a real database: streams that change, rules, metrics, privacy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import patch

import psycopg
import pyarrow.parquet as pq
import pytest

from community_pipelines.doctor.rights import reading_needs
from community_pipelines.flow import plan as planning
from community_pipelines.flow.model import SqlModel
from community_pipelines.lake.files import Lake
from community_pipelines.lake.verified import fault_of
from community_pipelines.maintenance.maintain import maintain
from community_pipelines.maintenance.restore import pinned_days
from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.quality.accounting import account
from community_pipelines.settings import load
from tests.damage import flip
from tests.flows import START, at, day, number
from tests.stories.stories import ANN, BOB, CEM, IDEA, OTHER, SCENE, Stories, failed

JOBS = "raw/jobs"
# What the app's jobs of these tests hold beside what the lake may.
NOT_ARCHIVED = [f"jobs.{name}" for name in ("input_text", "bible_version", "result_data", "idempotency_key")]


def test_a_day_of_everything_is_accepted_and_counted(stories: Stories) -> None:
    stories.add_segment(1, at(0, "09:00"))
    stories.add_segment(2, at(0, "10:00"), BOB)
    stories.add_view(at(0), user=CEM)
    stories.add_view(at(0))
    stories.add_like(at(0), BOB)
    stories.add_like(at(0), BOB, IDEA, "idea")
    results = stories.run(0)
    assert {asset: one.reason for (asset, _), one in results.items() if not one.accepted} == {}
    assert stories.sql("select * from community.scene_activity_daily where scene_id = %s", (SCENE,)) == [
        (SCENE, day(0), 2, 2, 1, 2, 2, 20)
    ]
    assert stories.sql("select day, ideas, scenes, segments, views, likes, contributors "
                       "from community.topic_activity_daily") == [(day(0), 0, 2, 2, 2, 2, 2)]  # fmt: skip
    assert stories.sql("select idea_id, scenes, likes, views from community.idea_activity_daily") == [(IDEA, 2, 1, 2)]
    assert stories.sql("select queued, finished, success_rate from community.job_health_daily") == [(2, 2, 1.0)]
    assert stories.sql("select contributors, new_contributors from community.contributors_daily") == [(2, 2)]


def test_cached_counters_are_corrected_also_the_time_of_the_last_segment(stories: Stories) -> None:
    first, last = at(0, "09:00"), at(0, "10:00:00.123457")
    stories.add_segment(1, first)
    stories.add_segment(2, last, BOB)
    stories.add_segment(3, at(0, "11:00"), CEM, status="hidden")
    stories.add_view(at(0))
    stories.add_like(at(0), BOB)
    stories.sql("update scenes set segment_count = 9, last_segment_at = %s where id = %s", (first, SCENE))
    stories.sql("update scenes set last_segment_at = %s where id = %s", (first, OTHER))
    stories.run(0)
    counters = "select segment_count, total_duration, contributor_count, view_count, like_count, last_segment_at " \
               "from scenes where id = %s"  # fmt: skip
    assert stories.sql(counters, (SCENE,)) == [(2, 20, 2, 1, 1, last)]
    assert stories.sql(counters, (OTHER,)) == [(0, 0, 0, 0, 0, None)]
    assert stories.sql("select scene_count, like_count, view_count from ideas") == [(2, 0, 1)]
    assert stories.sql("select scene_count from topics") == [(2,)]
    ledger = "select entity_id, applied < 0, reason is null from community.counter_corrections where counter = %s " \
             "order by entity_id"  # fmt: skip
    assert stories.sql(ledger, ("last_segment_at",)) == [(str(SCENE), False, True), (str(OTHER), True, False)]
    assert stories.sql(ledger, ("segment_count",)) == [(str(SCENE), True, True)]
    corrections = stories.sql("select count(*) from community.counter_corrections")
    stories.run(0)
    assert stories.sql("select count(*) from community.counter_corrections") == corrections


def test_a_status_that_changes_makes_its_day_stale_at_any_age(stories: Stories) -> None:
    segment = stories.add_segment(1, at(0))
    stories.add_segment(2, at(1))
    stories.settle(2)
    assert stories.settle(2) == []
    stories.sql("update segments set status = 'hidden' where id = %s", (segment,))
    (request, *_) = stories.settle(2)
    assert (request.first, request.last) == (day(0), day(0))
    assert stories.sql("select day, segments from community.scene_activity_daily where segments > 0") == [(day(1), 1)]
    assert stories.sql("select segment_count from scenes where id = %s", (SCENE,)) == [(1,)]


def test_a_day_of_jobs_is_read_again_after_every_close_until_it_has_settled(stories: Stories) -> None:
    stories.add_job(number(500), at(0), error_code="slow")
    stories.run(0, 1)
    ledger = stories.lake.ledger("raw", "stories", "jobs", day(0))
    assert ledger is not None

    def unsettled(closed: int, read: str) -> list[date]:
        """The days to read again when that many are over and all were read at that time."""
        read_at = datetime.fromisoformat(read).replace(tzinfo=UTC)
        days, jobs = [day(n) for n in range(closed)], STORIES.stream("jobs")
        with patch.object(Lake, "look", lambda *_: (replace(ledger, read_at=read_at), "")):
            return list(planning.unsettled_days(stories.lake, "stories", jobs, days, stories.settings))

    assert unsettled(1, "2026-01-02T00:20") == []
    assert unsettled(2, "2026-01-02T00:20") == [day(0), day(1)]
    assert unsettled(2, "2026-01-03T00:20") == []
    assert unsettled(30, "2026-01-03T00:20")[0] == day(0)
    assert unsettled(30, "2026-01-05T00:20")[0] == day(1)
    assert unsettled(30, "2026-01-31T00:20") == []


def test_likes_that_are_taken_back_are_mirrored_at_the_next_extraction(stories: Stories) -> None:
    stories.add_view(at(0))
    stories.add_like(at(0), ANN)
    stories.add_like(at(0), BOB)
    stories.run(0)
    stories.sql("delete from likes where user_id = %s", (ANN,))
    results = stories.run(0)
    assert results["raw/likes", day(0)].accepted
    assert stories.sql("select likes from community.scene_activity_daily") == [(1,)]
    assert stories.sql("select like_count from scenes where id = %s", (SCENE,)) == [(1,)]
    stories.sql("delete from likes")
    assert failed(stories.run(0), "raw/likes") == {}
    assert stories.sql("select like_count from scenes where id = %s", (SCENE,)) == [(0,)]


def test_no_column_that_must_not_be_read_reaches_the_lake(stories: Stories) -> None:
    stories.add_segment(1, at(0))
    stories.add_view(at(0))
    stories.run(0)
    never = {table.name: set(table.never_read) for table in STORIES.tables}
    assert {"email", "password_hash"} <= never["users"]
    for stream in STORIES.streams:
        copied = set(pq.read_schema(stories.lake.path("raw", "stories", stream.name, day(0))).names)
        assert copied == {column.name for column in stream.columns}
        assert not copied & never[stream.table.name]
    for dimension in STORIES.dimensions:
        kept = set(pq.read_schema(stories.lake.dimension("stories", dimension.name)).names)
        assert kept == set(dimension.columns)
        assert not kept & never[dimension.table.name]
    assert all(not {column.name for column in table.columns} & never[table.name] for table in STORIES.tables)
    files = [path for path in stories.settings.lake_folder.rglob("*.parquet") if "stories" in path.parts]
    assert len(files) > len(STORIES.streams)
    secrets = {"access_token", "refresh_token", "email", "password_hash"}
    assert not any(secrets & set(pq.read_schema(path).names) for path in files)


def test_every_column_of_the_app_is_read_or_declared_as_never_read_where_it_is_personal(stories: Stories) -> None:
    personal = ("email", "password", "token", "username", "display_name", "avatar", "bio", "last_login", "ip_")
    listed = stories.sql("select table_name, column_name from information_schema.columns where table_schema = 'public'")
    declared = {table.name: table for table in STORIES.tables}
    for table, column in listed:
        if table in declared and any(column.startswith(word) or f"_{word}" in column for word in personal):
            read = column in {one.name for one in declared[table].columns}
            # A hashed address is how anonymous viewers are told apart.
            assert (table, column) == ("scene_views", "ip_hash") if read else column in declared[table].never_read
    assert not {"oauth_accounts"} & set(declared)


def test_reads_go_to_the_source_by_a_role_that_cannot_write(stories: Stories, database: str, tmp_path: Path) -> None:
    stories.add_segment(1, at(0))
    where = psycopg.conninfo.conninfo_to_dict(database)
    role = f"reader_{where['dbname']}"
    reading = f"postgresql:///{where['dbname']}?host={where['host']}&user={role}"
    models = [step.model for step in stories.steps if isinstance(step, SqlModel)]
    stories.sql(f"create role {role} login")
    try:
        stories.sql(f"grant usage on schema public, community to {role}")
        for need in reading_needs(stories.deployment, models):
            stories.sql(need.grant(role))
        with psycopg.connect(reading) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from likes")
        own = {"source_url": reading, "publish_url": database, "counters": "apply", "drift_limit": 1e9}
        careful = replace(stories, settings=load(home=tmp_path / "careful", start_date=START, stories=own))
        assert {asset: one.reason for (asset, _), one in careful.run(0).items() if not one.accepted} == {}
        assert stories.sql("select segment_count from scenes where id = %s", (SCENE,)) == [(1,)]
    finally:
        stories.sql(f"drop owned by {role}")
        stories.sql(f"drop role {role}")


def test_archiving_a_month_changes_no_number_and_its_days_can_be_computed_anew(stories: Stories) -> None:
    for n in range(0, 31, 3):
        stories.add_job(number(500 + n), at(n), error_code="slow", status="failed", stage="upload",
                        idempotency_key=f"key {n}")  # fmt: skip
    stories.add_view(at(1))
    jobs = [step for step in stories.steps if step.asset == JOBS]
    stories.run(0, 30, jobs)
    stories.run(0, 5)
    before = {table: stories.published(f"community.{table}") for table in ("job_health_daily", "job_failures_daily")}
    assert [row[2] for row in before["job_health_daily"]] == [1, 1]
    counters = stories.sql("select * from scenes order by id")

    report = maintain(stories.deployment, STORIES.partitioned, stories.lake, START, drop=True, expendable=NOT_ARCHIVED)
    assert [line.what for line in report.lines if line.partition == "jobs_2026_01"] == [
        "archived",
        "detached",
        "dropped",
    ]
    assert stories.sql("select count(*) from jobs where created_at < '2026-02-01'") == [(0,)]
    assert pinned_days(stories.deployment, STORIES.stream("jobs")).keys() == {day(n) for n in range(31)}

    plan = stories.plan(5)
    assert plan.days(JOBS, "done") == plan.closed
    stories.run(0, 5)
    stories.lake.path("raw", "stories", "jobs", day(3)).unlink()
    results = stories.run(0, 5)
    assert results[JOBS, day(3)].accepted
    assert {table: stories.published(f"community.{table}") for table in before} == before
    assert stories.sql("select * from scenes order by id") == counters
    with pytest.raises(psycopg.errors.UniqueViolation):
        stories.add_job(number(999), at(40), idempotency_key="key 3")


def test_a_damaged_day_of_an_archive_is_restored_and_a_damaged_archive_keeps_back_only_what_needs_it(
    stories: Stories,
) -> None:
    stories.add_job(number(500), at(0), idempotency_key="key")
    stories.add_job(number(501), at(1), idempotency_key="another key")
    jobs = [step for step in stories.steps if step.asset == JOBS]
    stories.run(0, 30, jobs)
    maintain(stories.deployment, STORIES.partitioned, stories.lake, START, drop=True, expendable=NOT_ARCHIVED)
    archive = stories.lake.root / pinned_days(stories.deployment, STORIES.stream("jobs"))[day(0)]
    file = stories.lake.path("raw", "stories", "jobs", day(1))

    flip(file)
    assert all(result.accepted for result in stories.run(0, 2, jobs).values())
    assert fault_of(file) == ""
    assert pq.read_metadata(file).num_rows == 1

    flip(file)
    flip(archive)
    results = stories.run(0, 2, jobs)
    assert [n for n in range(3) if results[JOBS, day(n)].accepted] == [0, 2]
    assert f"{archive} does not hold the bytes that were written" in str(results[JOBS, day(1)].reason)
    assert stories.plan(2).days(JOBS, "withheld") == [day(1)]
    faults = {row.stream: row.fault for row in account(stories.settings, stories.deployment, verify=True) if row.fault}
    assert faults.keys() == {"jobs", "cold/jobs"}
    assert str(archive) in faults["cold/jobs"]
