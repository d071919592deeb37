"""Archiving that is killed, cancelled or written into: run again, it comes to the same end. On a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from community_pipelines.lake.files import Lake
from community_pipelines.maintenance import archive as archiving
from community_pipelines.maintenance.archive import Archive
from community_pipelines.maintenance.cold import read_footer
from tests.upkeep import (
    OLD,
    OLD_PART,
    Killed,
    Upkeep,
    cold_file,
    jobs_in,
    kill,
    make_upkeep_with_old_jobs,
    pins,
    said,
)


@pytest.fixture
def upkeep(database: str, tmp_path: Path) -> Upkeep:
    return make_upkeep_with_old_jobs(database, tmp_path / "lake")


def test_the_days_are_pinned_before_they_leave_the_table(upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(monkeypatch, Archive, "_alter", "before")
    with pytest.raises(Killed):
        upkeep.maintain()
    assert len(pins(upkeep)) == 1


STEPS = [
    (archiving, "copy_out", ""),
    (archiving, "contents_of_file", ""),
    (Lake, "swap", ""),
    (archiving, "write_record", ""),
    (Archive, "_mark", "detach_began_at"),
    (Archive, "_alter", ""),
    (Archive, "_mark", "detached_at"),
    (Archive, "_drop", ""),
    (Archive, "_mark", "dropped_at"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "name", "only"), STEPS, ids=[f"{name} {only}".strip() for _, name, only in STEPS])
def test_a_run_that_was_killed_is_finished_by_the_next_one(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, only: str, when: str
) -> None:
    jobs = jobs_in(upkeep, OLD_PART)
    with monkeypatch.context() as patched:
        kill(patched, owner, name, when, only)
        with pytest.raises(Killed):
            upkeep.maintain(drop=True)
    if OLD_PART in upkeep.tables_there():
        assert jobs_in(upkeep, OLD_PART) == jobs
    upkeep.maintain(drop=True)
    state = upkeep.state()
    assert OLD_PART not in state["partitions"]
    assert OLD_PART not in state["tables"]
    ((partition, _, _, rows, _, _, *done),) = state["records"]
    assert (partition, rows, done) == (OLD_PART, 20, [True, True, True])
    (file,) = state["files"].values()
    assert sorted((str(r["id"]), r["input_text"], r["message"], r["context_data"]) for r in file) == jobs
    assert len(state["keys"]) == 40
    assert state["staged"] == []
    upkeep.maintain(drop=True)
    assert upkeep.state() == state


def wait_for(upkeep: Upkeep, query: str) -> None:
    for _ in range(200):
        if upkeep.sql(query)[0][0]:
            return
        time.sleep(0.05)
    raise TimeoutError(query)


def test_a_detach_that_was_cancelled_half_way_is_finished(upkeep: Upkeep) -> None:
    with psycopg.connect(upkeep.url) as reader, ThreadPoolExecutor(1) as pool:
        reader.execute("select count(*) from public.jobs")
        run = pool.submit(upkeep.maintain)
        wait_for(upkeep, "select count(*) = 1 from pg_inherits where inhdetachpending")
        upkeep.sql("select pg_cancel_backend(pid) from pg_stat_activity where query like 'alter table%concurrently'")
        assert run.exception() is not None
    assert upkeep.sql("select count(*) from pg_inherits where inhdetachpending") == [(1,)]
    assert said(upkeep.maintain(), "detached") == [(OLD_PART, "detached")]
    assert OLD_PART not in upkeep.partitions()


def test_a_detach_that_somebody_else_left_half_done_is_refused(upkeep: Upkeep) -> None:
    with psycopg.connect(upkeep.url) as reader, ThreadPoolExecutor(1) as pool:
        reader.execute("select count(*) from public.jobs")
        run = pool.submit(upkeep.sql, f"alter table public.jobs detach partition {OLD_PART} concurrently")
        wait_for(upkeep, "select count(*) = 1 from pg_inherits where inhdetachpending")
        upkeep.sql("select pg_cancel_backend(pid) from pg_stat_activity where query like 'alter table%concurrently'")
        assert run.exception() is not None
    (fault,) = [line for line in upkeep.maintain().faults if line.what == "refused"]
    assert "somebody else began to detach it" in fault.why
    assert OLD_PART in upkeep.partitions()


def writing_when(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, times: int, after: bool
) -> Callable[[], int]:
    """Adds a job to the old month before or after each of the first calls of that function."""
    original, done = getattr(owner, name), [0]

    def writes(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs) if after else None
        if done[0] < times:
            done[0] += 1
            upkeep.add_jobs(OLD, 1, f"late {done[0]} ")
        return result if after else original(*args, **kwargs)

    monkeypatch.setattr(owner, name, writes)
    return lambda: done[0]


def test_a_row_that_came_after_the_copy_is_archived_too(upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch) -> None:
    writing_when(upkeep, monkeypatch, archiving, "write_record", 1, after=True)
    report = upkeep.maintain(drop=True)
    assert [what for _, what in said(report, "archived", "detached", "dropped")] == [
        "archived",
        "archived",
        "detached",
        "dropped",
    ]
    assert not [line for line in report.lines if "while it was detached" in line.why]
    assert read_footer(cold_file(upkeep)).rows == 21


def test_a_row_that_was_changed_after_the_copy_is_archived_as_it_is(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        kill(patched, archiving, "write_record", "after")
        with pytest.raises(Killed):
            upkeep.maintain()
    upkeep.sql(f"update public.jobs set status = 'cancelled' where idempotency_key = '{OLD} key 7'")
    upkeep.maintain(drop=True)
    assert "cancelled" in pq.read_table(cold_file(upkeep))["status"].to_pylist()


def test_a_row_that_came_while_detaching_is_archived_from_the_detached_table(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing_when(upkeep, monkeypatch, Archive, "_alter", 1, after=False)
    report = upkeep.maintain()
    assert [what for _, what in said(report, "archived", "detached")] == ["archived", "archived", "detached"]
    assert read_footer(cold_file(upkeep)).rows == 21
    assert len(pins(upkeep)) == 1


def test_a_partition_that_is_written_to_all_the_time_is_not_detached(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = writing_when(upkeep, monkeypatch, archiving, "write_record", 99, after=True)
    (fault,) = [line for line in upkeep.maintain().faults if line.what == "refused"]
    assert f"changed each of {count()} times" in fault.why
    assert OLD_PART in upkeep.partitions()
    assert pins(upkeep) == []


def test_an_archive_is_not_replaced_by_one_with_fewer_rows(upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        kill(patched, archiving, "write_record", "after")
        with pytest.raises(Killed):
            upkeep.maintain()
    upkeep.sql(f"delete from public.jobs where idempotency_key = '{OLD} key 7'")
    (fault,) = [line for line in upkeep.maintain().faults if line.what == "refused"]
    assert "it has 19 rows now and had 20 when it was archived" in fault.why
    assert read_footer(cold_file(upkeep)).rows == 20
    assert OLD_PART in upkeep.partitions()


def test_a_file_that_was_damaged_before_the_detach_is_written_again(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        kill(patched, archiving, "write_record", "after")
        with pytest.raises(Killed):
            upkeep.maintain()
    cold_file(upkeep).write_bytes(b"PAR1")
    assert said(upkeep.maintain(drop=True), "archived", "dropped") == [(OLD_PART, "archived"), (OLD_PART, "dropped")]
    assert read_footer(cold_file(upkeep)).rows == 20
