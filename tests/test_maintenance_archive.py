"""Old partitions: copied, compared, detached, dropped. On a real PostgreSQL."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from psycopg import errors

from community_pipelines.lake.ledger import METADATA_KEY
from community_pipelines.maintenance import archive as archiving
from community_pipelines.maintenance import cold
from community_pipelines.maintenance.cold import archive_fault, read_footer
from tests.upkeep import (
    OLD,
    OLD_JOBS,
    OLD_PART,
    RECENT,
    Upkeep,
    cold_file,
    falsify,
    jobs_in,
    make_upkeep_with_old_jobs,
    part,
    pins,
    said,
    this_month,
)


@pytest.fixture
def upkeep(database: str, tmp_path: Path) -> Upkeep:
    return make_upkeep_with_old_jobs(database, tmp_path / "lake")


def test_a_month_older_than_six_is_archived_and_detached_and_its_table_stays(upkeep: Upkeep) -> None:
    before = jobs_in(upkeep, OLD_PART)
    report = upkeep.maintain()
    assert said(report, "archived", "detached") == [(OLD_PART, "archived"), (OLD_PART, "detached")]
    assert not [line for line in report.faults if line.partition == OLD_PART]
    assert OLD_PART not in upkeep.partitions()
    assert jobs_in(upkeep, OLD_PART) == before
    rows = pq.read_table(cold_file(upkeep)).to_pylist()
    assert sorted((str(r["id"]), r["input_text"], r["message"], r["context_data"]) for r in rows) == before
    footer = read_footer(cold_file(upkeep))
    assert (footer.rows, footer.first_day) == (20, this_month(OLD).date())
    assert footer.last_day == this_month(OLD + 1).date() - timedelta(days=1)
    columns = upkeep.sql(f"select attname from pg_attribute where attrelid = '{OLD_PART}'::regclass and attnum > 0")
    assert {name for (name,) in columns} == set(footer.columns)
    assert upkeep.files("staging") == []
    again = upkeep.maintain()
    assert [(line.partition, line.what) for line in again.lines if line.partition == OLD_PART] == [(OLD_PART, "kept")]


def test_months_that_are_not_due_and_tables_kept_for_ever_stay(upkeep: Upkeep) -> None:
    segments = upkeep.partitions("segments")
    upkeep.maintain(drop=True)
    assert upkeep.partitions("segments") == segments
    assert part("jobs", RECENT) in upkeep.partitions()


def test_a_partition_that_ended_exactly_six_months_ago_is_due(upkeep: Upkeep) -> None:
    upkeep.add_month("jobs", -7)
    upkeep.cover(-7)
    assert (part("jobs", -7), "detached") in said(upkeep.maintain())


def test_the_partition_is_dropped_only_when_that_is_wished(upkeep: Upkeep) -> None:
    upkeep.maintain()
    assert OLD_PART in upkeep.tables_there()
    assert said(upkeep.maintain(drop=True), "dropped") == [(OLD_PART, "dropped")]
    assert OLD_PART not in upkeep.tables_there()
    assert said(upkeep.maintain(drop=True), "gone") == [(OLD_PART, "gone")]


def test_one_run_goes_all_the_way_to_the_drop(upkeep: Upkeep) -> None:
    assert said(upkeep.maintain(drop=True), "archived", "detached", "dropped") == [
        (OLD_PART, "archived"),
        (OLD_PART, "detached"),
        (OLD_PART, "dropped"),
    ]


def test_idempotency_keys_stay_taken_after_detach_and_drop(upkeep: Upkeep) -> None:
    keys = upkeep.sql("select * from public.job_idempotency_keys order by 1")
    for drop in (False, True):
        upkeep.maintain(drop=drop)
        assert upkeep.sql("select * from public.job_idempotency_keys order by 1") == keys
        with pytest.raises(errors.UniqueViolation):
            upkeep.sql(
                "insert into public.jobs (scene_id, user_id, input_text, bible_version, idempotency_key) "
                "values (gen_random_uuid(), gen_random_uuid(), 'again', 1, %s)",
                [f"{OLD} key 3"],
            )


def test_the_days_of_a_detached_partition_are_pinned_to_its_file(upkeep: Upkeep) -> None:
    assert pins(upkeep) == []
    upkeep.maintain()
    first, last, file = pins(upkeep)[0]
    assert (first, last) == (this_month(OLD).date(), this_month(OLD + 1).date() - timedelta(days=1))
    assert upkeep.lake.root / file == cold_file(upkeep)


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(upkeep: Upkeep) -> None:
    before, files = upkeep.state(), upkeep.files(".")
    report = upkeep.maintain(drop=True, dry_run=True)
    assert (OLD_PART, "would archive and detach") in said(report)
    assert (upkeep.state(), upkeep.files(".")) == (before, files)
    upkeep.maintain()
    before, files = upkeep.state(), upkeep.files(".")
    assert said(upkeep.maintain(drop=True, dry_run=True), "would drop") == [(OLD_PART, "would drop")]
    assert (upkeep.state(), upkeep.files(".")) == (before, files)


def test_a_day_that_is_not_in_the_lake_keeps_its_partition_and_is_named(upkeep: Upkeep) -> None:
    missing = this_month(OLD).date() + timedelta(days=9)
    upkeep.lake.path("raw", "stories", "jobs", missing).unlink()
    (fault,) = [line for line in upkeep.maintain().faults if line.what == "refused"]
    assert (fault.partition, f"the first is {missing}" in fault.why) == (OLD_PART, True)
    assert f"community backfill stories --from {missing} --to {missing}" in fault.why
    assert OLD_PART in upkeep.partitions()
    assert upkeep.files("cold") == []


def test_a_detached_table_that_was_emptied_by_hand_is_not_dropped_and_keeps_its_archive(upkeep: Upkeep) -> None:
    upkeep.maintain()
    upkeep.sql(f"delete from {OLD_PART} where idempotency_key = '{OLD} key 7'")
    (fault,) = [line for line in upkeep.maintain(drop=True).faults if line.what == "refused"]
    assert "it has 19 rows, the file 20 and the record 20" in fault.why
    assert OLD_PART in upkeep.tables_there()


def test_a_file_whose_rows_are_others_is_found_by_reading_it_back(upkeep: Upkeep) -> None:
    upkeep.maintain()
    falsify(cold_file(upkeep))
    (fault,) = [line for line in upkeep.maintain(drop=True).faults if line.what == "refused"]
    assert "it has 20 rows, the file 20 and the record 20, and they are not the same" in fault.why
    assert OLD_PART in upkeep.tables_there()


def test_a_copy_whose_rows_are_others_is_no_archive(upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_out = cold.copy_out

    def badly(*args: Any) -> Any:
        footer, staged = copy_out(*args)
        falsify(staged)
        return footer, staged

    monkeypatch.setattr(archiving, "copy_out", badly)
    (fault,) = [line for line in upkeep.maintain().faults if line.what == "refused"]
    assert "the file read back has 20 rows" in fault.why
    assert OLD_PART in upkeep.partitions()
    assert upkeep.files("cold") == []


def test_a_value_that_parquet_lacks_keeps_the_partition(upkeep: Upkeep) -> None:
    upkeep.sql(f"update public.jobs set completed_at = 'infinity' where idempotency_key = '{OLD} key 7'")
    (fault,) = [line for line in upkeep.maintain(drop=True).faults if line.what == "refused"]
    assert "infinite times" in fault.why or "cannot be read back" in fault.why
    assert OLD_PART in upkeep.partitions()
    assert upkeep.files("cold") == []
    assert upkeep.state()["records"] == []


def test_a_damaged_file_keeps_the_table(upkeep: Upkeep) -> None:
    upkeep.maintain()
    path = cold_file(upkeep)
    path.write_bytes(path.read_bytes()[:-100])
    for drop in (False, True):
        (fault,) = [line for line in upkeep.maintain(drop=drop).faults if line.what == "refused"]
        assert "is not the archive that it should be" in fault.why
    assert OLD_PART in upkeep.tables_there()


def test_a_file_that_is_gone_after_the_drop_is_reported(upkeep: Upkeep) -> None:
    upkeep.maintain(drop=True)
    cold_file(upkeep).unlink()
    (fault,) = [line for line in upkeep.maintain().faults if line.what == "refused"]
    assert "bring the file back from a backup" in fault.why


def test_a_default_partition_stops_detaching_and_is_named(upkeep: Upkeep) -> None:
    upkeep.sql("create table public.jobs_other partition of public.jobs default")
    (fault,) = [line for line in upkeep.maintain().faults if line.what == "refused"]
    assert "detach jobs_other" in fault.why


def test_a_view_on_the_partition_stops_the_drop_and_says_so(upkeep: Upkeep) -> None:
    upkeep.sql(f"create view public.old_jobs as select id from {OLD_PART}")
    (fault,) = [line for line in upkeep.maintain(drop=True).faults if line.what == "refused"]
    assert "old_jobs" in fault.why
    assert OLD_PART in upkeep.tables_there()


def test_a_partition_that_is_attached_again_is_archived_again(upkeep: Upkeep) -> None:
    upkeep.maintain()
    start, end = f"{this_month(OLD):%Y-%m-%d} 00:00+00", f"{this_month(OLD + 1):%Y-%m-%d} 00:00+00"
    upkeep.sql(f"alter table public.jobs attach partition {OLD_PART} for values from ('{start}') to ('{end}')")
    upkeep.add_jobs(OLD, 2, "again ")
    assert said(upkeep.maintain(drop=True), "archived", "dropped") == [(OLD_PART, "archived"), (OLD_PART, "dropped")]
    assert read_footer(cold_file(upkeep)).rows == 22


def test_two_at_once_come_to_the_same_end(upkeep: Upkeep) -> None:
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: upkeep.maintain(OLD_JOBS, drop=True), range(2)))
    assert sorted(
        what for report in reports for _, what in said(report, "archived", "detached", "dropped", "gone")
    ) == [
        "archived",
        "detached",
        "dropped",
        "gone",
    ]
    assert len(upkeep.state()["files"]) == 1


def test_a_session_of_another_time_zone_archives_the_same(upkeep: Upkeep) -> None:
    upkeep.everywhere("timezone", "Asia/Kolkata")
    upkeep.everywhere("datestyle", "German")
    assert (OLD_PART, "dropped") in said(upkeep.maintain(drop=True))
    assert read_footer(cold_file(upkeep)).first_day == this_month(OLD).date()


def test_archived_months_are_no_gaps_and_missing_ones_are(upkeep: Upkeep) -> None:
    upkeep.add_month("jobs", OLD - 1)
    (gap,) = [line for line in upkeep.maintain().faults if line.what == "gap"]
    assert f"{this_month(OLD + 1):%Y-%m-%d} 00:00 to {this_month(RECENT):%Y-%m-%d} 00:00" in gap.why


def test_an_archive_is_verified_by_its_seal_and_one_from_before_by_what_postgresql_reads_back(upkeep: Upkeep) -> None:
    upkeep.maintain()
    path = cold_file(upkeep)
    assert archive_fault(upkeep.deployment, path) == ""
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        assert archive_fault(upkeep.deployment, path).startswith(str(path)), at
    path.write_bytes(whole)

    footer = json.loads(pq.read_metadata(path).metadata[METADATA_KEY])
    footer.pop("seal")
    rows = pq.read_table(path)
    with pq.ParquetWriter(path, rows.schema) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(footer)})
    assert archive_fault(upkeep.deployment, path) == ""
    assert (OLD_PART, "dropped") in said(upkeep.maintain(drop=True))
    assert archive_fault(upkeep.deployment, path) == ""
    falsify(path)
    assert f"{path} does not hold the bytes that were written" in archive_fault(upkeep.deployment, path)
