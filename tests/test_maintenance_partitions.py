"""Months that are made ahead of time, and what is wrong with partitions, on a real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from community_pipelines.maintenance.maintain import Line
from community_pipelines.maintenance.partitions import Partition, PartitionError, gaps, month_of
from tests.upkeep import ALL_SEGMENTS, OLD_JOBS, Upkeep, make_upkeep, part, said, this_month


@pytest.fixture
def upkeep(database: str, tmp_path: Path) -> Upkeep:
    return make_upkeep(database, tmp_path / "lake")


def add_job(upkeep: Upkeep, at: str) -> None:
    upkeep.sql(
        "insert into public.jobs (scene_id, user_id, input_text, bible_version, created_at) "
        f"values (gen_random_uuid(), gen_random_uuid(), 'text', 1, '{at}')"
    )


def bounds(later: int) -> str:
    start, end = this_month(later), this_month(later + 1)
    return f"FOR VALUES FROM ('{start:%Y-%m-%d} 00:00:00+00') TO ('{end:%Y-%m-%d} 00:00:00+00')"


@pytest.mark.parametrize(
    ("month", "later", "expected"),
    [
        ("2026-11", 0, "2026-11"),
        ("2026-11", 2, "2027-01"),
        ("2026-12", 1, "2027-01"),
        ("2026-01", -1, "2025-12"),
        ("2026-06", -18, "2024-12"),
    ],
)
def test_months_are_counted_over_the_ends_of_years(month: str, later: int, expected: str) -> None:
    assert f"{month_of(datetime.fromisoformat(f'{month}-15T12:00+00:00'), later):%Y-%m}" == expected


def test_the_month_of_a_moment_is_that_of_utc() -> None:
    assert month_of(datetime.fromisoformat("2026-12-01T01:00+02:00")) == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_months_made_in_a_session_of_another_time_zone_begin_and_end_at_midnight_of_utc(
    upkeep: Upkeep, zone: str
) -> None:
    upkeep.everywhere("timezone", zone)
    upkeep.everywhere("datestyle", "German")
    assert upkeep.sql("show timezone") == [(zone,)]
    report = upkeep.maintain(months=3)
    for table in ("jobs", "segments"):
        assert said(report, "created").count((part(table, 3), "created")) == 1
    upkeep.everywhere("datestyle", "ISO")
    assert upkeep.partitions() == {part("jobs", later): bounds(later) for later in range(4)}
    assert upkeep.partitions("segments") == {part("segments", later): bounds(later) for later in range(4)}


def test_a_job_at_midnight_of_the_first_of_next_month_finds_its_partition(upkeep: Upkeep) -> None:
    upkeep.maintain(months=1)
    add_job(upkeep, f"{this_month(1):%Y-%m-%d} 00:00:00+00")
    add_job(upkeep, f"{this_month(1):%Y-%m-%d} 00:00:00+00:01")
    assert upkeep.sql("select tableoid::regclass::text from public.jobs order by 1") == [
        (part("jobs", 0),),
        (part("jobs", 1),),
    ]
    with pytest.raises(errors.CheckViolation):
        add_job(upkeep, f"{this_month(2):%Y-%m-%d} 00:00:00+00")


def test_a_second_run_keeps_what_the_first_one_made(upkeep: Upkeep) -> None:
    assert len(said(upkeep.maintain(months=2))) == 6
    before = upkeep.state()
    again = upkeep.maintain(months=2)
    assert said(again) == []
    assert not again.faults
    assert upkeep.state() == before


def test_a_month_that_the_app_made_is_kept(upkeep: Upkeep) -> None:
    upkeep.add_month("jobs", 0)
    assert said(upkeep.maintain(OLD_JOBS, months=1)) == [(part("jobs", 1), "created")]


def test_two_at_once_make_every_month_once(upkeep: Upkeep) -> None:
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: upkeep.maintain(months=5), range(4)))
    created = [line for report in reports for line in said(report, "created")]
    assert len(created) == len(set(created)) == 12
    assert not any(report.faults for report in reports)


def test_a_dry_run_shows_the_months_and_makes_none(upkeep: Upkeep) -> None:
    report = upkeep.maintain(months=1, dry_run=True)
    assert said(report) == [(part(t, n), "would create") for t in ("jobs", "segments") for n in (0, 1)]
    assert upkeep.partitions() == {}
    assert not upkeep.lake.root.exists()


def test_a_quoted_table_of_another_name_gets_its_months(upkeep: Upkeep) -> None:
    upkeep.sql('create table public."story Job" (created_at timestamp not null) partition by range (created_at)')
    mapped = Upkeep(upkeep.url, upkeep.lake, {"jobs": "public.story Job"})
    assert said(mapped.maintain(OLD_JOBS, months=0)) == [(part("story Job", 0), "created")]
    assert said(mapped.maintain(OLD_JOBS, months=0)) == []
    upkeep.sql('insert into public."story Job" values (%s)', [f"{this_month():%Y-%m-%d}"])


def test_a_month_that_lies_in_a_wider_partition_is_a_conflict_and_the_others_are_made(upkeep: Upkeep) -> None:
    start, end = f"{this_month(1):%Y-%m-%d} 00:00+00", f"{this_month(3):%Y-%m-%d} 00:00+00"
    upkeep.sql(f"create table public.jobs_wide partition of public.jobs for values from ('{start}') to ('{end}')")
    report = upkeep.maintain(OLD_JOBS, months=3)
    assert said(report) == [
        (part("jobs", 0), "created"),
        (part("jobs", 1), "conflict"),
        (part("jobs", 2), "conflict"),
        (part("jobs", 3), "created"),
    ]
    assert "jobs_wide holds" in report.faults[0].why
    assert "detach it, create the months" in report.faults[0].why


def test_bounds_that_were_made_in_local_time_are_a_conflict(upkeep: Upkeep) -> None:
    start, end = f"{this_month():%Y-%m-%d} 00:00+05:30", f"{this_month(1):%Y-%m-%d} 00:00+05:30"
    upkeep.sql(f"create table public.jobs_here partition of public.jobs for values from ('{start}') to ('{end}')")
    (fault,) = upkeep.maintain(OLD_JOBS, months=0).faults
    assert fault.what == "conflict"
    assert "18:30" in fault.why


def test_a_table_that_has_the_name_of_a_month_is_a_conflict(upkeep: Upkeep) -> None:
    upkeep.sql(f"create table public.{part('jobs', 0)} (like public.jobs)")
    (fault,) = upkeep.maintain(OLD_JOBS, months=0).faults
    assert (fault.what, "is no partition of the table" in fault.why) == ("conflict", True)


def test_rows_in_a_default_partition_are_reported_with_their_number(upkeep: Upkeep) -> None:
    upkeep.sql("create table public.jobs_other partition of public.jobs default")
    assert not upkeep.maintain(OLD_JOBS, months=0).faults
    add_job(upkeep, f"{this_month(1):%Y-%m-%d} 00:00+00")
    report = upkeep.maintain(OLD_JOBS, months=0)
    assert [(line.partition, line.what, line.rows) for line in report.faults] == [("jobs_other", "stray rows", 1)]
    (conflict, stray) = upkeep.maintain(OLD_JOBS, months=1).faults
    assert (conflict.what, stray.what) == ("conflict", "stray rows")
    assert "move them out of it" in conflict.why


def test_a_month_that_is_missing_between_others_is_a_gap(upkeep: Upkeep) -> None:
    upkeep.add_month("segments", -3)
    upkeep.add_month("segments", -1)
    report = upkeep.maintain(ALL_SEGMENTS, months=0, dry_run=True)
    (gap,) = report.faults
    assert isinstance(gap, Line)
    assert f"{this_month(-2):%Y-%m-%d} 00:00 to {this_month(-1):%Y-%m-%d} 00:00 UTC" in gap.why
    upkeep.add_month("segments", -2)
    assert not upkeep.maintain(ALL_SEGMENTS, months=0).faults


def test_archived_months_are_no_gap() -> None:
    months = [datetime(2026, n, 1, tzinfo=UTC) for n in range(1, 6)]
    existing = [Partition("public", "a", months[0], months[1]), Partition("public", "b", months[3], months[4])]
    assert gaps(existing, []) == [(months[1], months[3])]
    assert gaps(existing, [(months[1], months[2])]) == [(months[2], months[3])]
    assert gaps(existing, [(months[1], months[3])]) == []
    assert gaps([], [(months[0], months[1])]) == []


def test_open_ended_partitions_overlap_what_is_on_their_side() -> None:
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert Partition("public", "a", None, second).overlaps(first, second)
    assert not Partition("public", "a", None, first).overlaps(first, second)
    assert Partition("public", "a", first, None).overlaps(first, second)
    assert not Partition("public", "a", second, None).overlaps(first, second)
    assert not Partition("public", "a", None, None, is_default=True).overlaps(first, second)


def test_a_table_that_is_not_partitioned_is_named(upkeep: Upkeep) -> None:
    mapped = Upkeep(upkeep.url, upkeep.lake, {"jobs": "public.scenes"})
    with pytest.raises(PartitionError, match=r"public\.scenes is not partitioned by range of created_at"):
        mapped.maintain(OLD_JOBS)


def test_a_table_that_is_not_there_is_named_with_its_setting(upkeep: Upkeep) -> None:
    mapped = Upkeep(upkeep.url, upkeep.lake, {"jobs": "public.nothing"})
    with pytest.raises(PartitionError, match=r"public\.nothing is not there; map it with \[stories.tables\] jobs"):
        mapped.maintain(OLD_JOBS)


def test_an_app_that_holds_the_table_for_a_while_only_delays_its_month(upkeep: Upkeep) -> None:
    with psycopg.connect(upkeep.url) as app, ThreadPoolExecutor(1) as pool:
        app.execute("lock table public.jobs in row exclusive mode")
        made = pool.submit(upkeep.maintain, OLD_JOBS, months=0)
        with pytest.raises(TimeoutError):
            made.result(timeout=1)
        app.commit()
        assert said(made.result()) == [(part("jobs", 0), "created")]
