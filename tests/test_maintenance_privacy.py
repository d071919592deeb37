"""What must not leave the app is in no archive: it stays in the app's database until somebody lets go of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from community_pipelines.doctor.archives import wide_archives
from community_pipelines.lake.files import Lake, days_between
from community_pipelines.lake.verified import Verified
from community_pipelines.maintenance.archive import Archive
from community_pipelines.maintenance.cold import archive_fault, may_leave, read_footer
from community_pipelines.maintenance.restore import restored_day
from community_pipelines.platforms.stories.spec import STORIES
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
    this_month,
)

# What the jobs of these tests hold beside what the lake may.
HELD = ["message", "input_text", "bible_version", "context_data", "idempotency_key"]
EXPENDABLE = [f"jobs.{column}" for column in HELD]


@pytest.fixture
def before(database: str, tmp_path: Path) -> Upkeep:
    """As the version before archived: every column."""
    return make_upkeep_with_old_jobs(database, tmp_path / "lake")


@pytest.fixture
def upkeep(before: Upkeep) -> Upkeep:
    """The same database and lake, by what the stories declare."""
    return replace(before, platform=STORIES)


def refusals(upkeep: Upkeep, *expendable: str, dry_run: bool = False) -> list[str]:
    """Why nothing was dropped."""
    report = upkeep.maintain(drop=True, dry_run=dry_run, expendable=expendable)
    return [line.why for line in report.faults if line.what == "refused"]


def columns(upkeep: Upkeep) -> set[str]:
    return set(pq.read_schema(cold_file(upkeep)).names)


def days_of_archive(upkeep: Upkeep, tmp_path: Path) -> int:
    """The rows of all its days, restored as the daily flow restores them."""
    stream, lake, rows = STORIES.stream("jobs"), Lake(upkeep.lake.root), 0
    ((first, last, file),) = pins(upkeep)
    for day in days_between(first, last):
        folder = tmp_path / f"restored {day}"
        folder.mkdir(exist_ok=True)
        (folder / "pins").mkdir(exist_ok=True)
        verified = Verified(folder / "pins")
        rows += restored_day(upkeep.deployment, stream, day, lake, file, folder, "run", verified).ledger.accepted
    return rows


def test_the_archive_holds_what_the_lake_may_and_the_table_keeps_all(upkeep: Upkeep, tmp_path: Path) -> None:
    jobs = jobs_in(upkeep, OLD_PART)
    assert said(upkeep.maintain(), "archived", "detached") == [(OLD_PART, "archived"), (OLD_PART, "detached")]
    assert columns(upkeep) == may_leave(upkeep.deployment, "jobs")
    for table in STORIES.partitioned:
        assert not columns(upkeep) & {*table.table.never_read}
    assert set(read_footer(cold_file(upkeep)).columns) == columns(upkeep)
    assert jobs_in(upkeep, OLD_PART) == jobs
    assert archive_fault(upkeep.deployment, cold_file(upkeep)) == ""
    assert days_of_archive(upkeep, tmp_path) == 20
    (kept,) = [line.why for line in upkeep.maintain().lines if line.partition == OLD_PART]
    assert kept.endswith(f"--drop drops it, with {' '.join(f'--expendable {name}' for name in EXPENDABLE)}")


def test_a_table_with_what_is_nowhere_else_is_dropped_only_when_every_such_column_is_named(upkeep: Upkeep) -> None:
    upkeep.maintain()
    for dry_run in (True, False):
        (why,) = refusals(upkeep, dry_run=dry_run)
        assert why.startswith("what must not leave the app is in no archive, and would be lost with this table")
        assert all(f"--expendable {name}" in why for name in EXPENDABLE)
        # Columns that hold nothing are not missed.
        assert "error_message" not in why
    (why,) = refusals(upkeep, *EXPENDABLE[1:])
    assert why.endswith("with --expendable jobs.message")
    assert OLD_PART in upkeep.tables_there()
    assert said(upkeep.maintain(drop=True, expendable=EXPENDABLE), "dropped") == [(OLD_PART, "dropped")]
    assert OLD_PART not in upkeep.tables_there()


def test_a_table_that_holds_nothing_else_is_dropped_without_further_words(upkeep: Upkeep) -> None:
    upkeep.sql("alter table jobs alter column input_text drop not null, alter column bible_version drop not null")
    upkeep.sql(f"update jobs set {', '.join(f'{name} = null' for name in HELD)}")
    assert (OLD_PART, "dropped") in said(upkeep.maintain(drop=True))


def test_a_change_of_what_is_archived_is_found_and_of_what_is_not_is_kept(upkeep: Upkeep) -> None:
    upkeep.maintain()
    upkeep.sql(f"update {OLD_PART} set input_text = 'other words'")
    assert [why for why in refusals(upkeep, *EXPENDABLE) if "not the same" in why] == []
    assert OLD_PART not in upkeep.tables_there()


def test_the_days_of_an_archive_from_before_are_read_and_it_is_written_anew_without_what_it_should_not_hold(
    before: Upkeep, upkeep: Upkeep, tmp_path: Path
) -> None:
    before.maintain()
    wide = cold_file(upkeep).read_bytes()
    whole_rows = f"select sum(hashtextextended((one.*)::text, 0))::text from {OLD_PART} as one"
    assert read_footer(cold_file(upkeep)).content_hash == f"postgresql:20:{upkeep.sql(whole_rows)[0][0]}"
    assert days_of_archive(upkeep, tmp_path) == 20
    (told,) = wide_archives(upkeep.lake.root, upkeep.deployment)
    assert (told.level, told.subject) == ("warning", "archive of jobs")
    assert f"{cold_file(upkeep)} holds message, input_text" in told.seen
    assert "community maintain --platform stories" in told.advice

    (line,) = [line for line in upkeep.maintain().lines if line.what == "archived"]
    assert line.why.startswith("again: without message, input_text")
    assert columns(upkeep) == may_leave(upkeep.deployment, "jobs")
    assert days_of_archive(upkeep, tmp_path) == 20
    assert OLD_PART in upkeep.tables_there()
    assert "archived" not in {what for _, what in said(upkeep.maintain())}
    (replaced,) = wide_archives(upkeep.lake.root, upkeep.deployment)
    path = Path(replaced.advice.split("'")[1])
    assert path.read_bytes() == wide
    path.unlink()
    assert list(wide_archives(upkeep.lake.root, upkeep.deployment)) == []


def test_an_archive_from_before_whose_table_is_gone_is_kept_until_its_columns_are_called_expendable(
    before: Upkeep, upkeep: Upkeep, tmp_path: Path
) -> None:
    before.maintain(drop=True)
    wide = cold_file(upkeep).read_bytes()
    assert said(upkeep.maintain(drop=True, expendable=EXPENDABLE[:2]), "archived", "gone") == [(OLD_PART, "gone")]
    assert cold_file(upkeep).read_bytes() == wide
    assert archive_fault(upkeep.deployment, cold_file(upkeep)) == ""
    assert days_of_archive(upkeep, tmp_path) == 20

    (told,) = wide_archives(upkeep.lake.root, upkeep.deployment)
    command = told.advice.rpartition("community maintain --platform stories ")[2]
    given = command.replace("--expendable ", "").split()
    assert {*EXPENDABLE, "jobs.error_message", "jobs.result_data"} == set(given)
    assert said(upkeep.maintain(dry_run=True, expendable=given), "archived", "gone") == [(OLD_PART, "gone")]
    assert said(upkeep.maintain(expendable=given), "archived") == [(OLD_PART, "archived")]
    assert columns(upkeep) == may_leave(upkeep.deployment, "jobs")
    assert archive_fault(upkeep.deployment, cold_file(upkeep)) == ""
    assert days_of_archive(upkeep, tmp_path) == 20
    assert said(upkeep.maintain(drop=True), "archived", "gone") == [(OLD_PART, "gone")]
    assert pins(upkeep)[0][1] == this_month(OLD + 1).date() - timedelta(days=1)


def test_an_archive_that_was_made_narrower_by_a_killed_run_is_recorded_by_the_next(
    before: Upkeep, upkeep: Upkeep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before.maintain(drop=True)
    (told,) = wide_archives(upkeep.lake.root, upkeep.deployment)
    given = told.advice.rpartition("community maintain --platform stories ")[2].replace("--expendable ", "").split()
    with monkeypatch.context() as patched:
        kill(patched, Lake, "swap", "after")
        with pytest.raises(Killed):
            upkeep.maintain(expendable=given)
    assert columns(upkeep) == may_leave(upkeep.deployment, "jobs")
    assert said(upkeep.maintain(), "archived", "gone", "refused") == [(OLD_PART, "gone")]
    assert days_of_archive(upkeep, tmp_path) == 20

    narrow = cold_file(upkeep).read_bytes()
    cold_file(upkeep).write_bytes(narrow[:-20] + narrow[-20:].swapcase())
    assert [what for _, what in said(upkeep.maintain(), "refused", "gone")] == ["refused"], "no other file is taken"


def test_an_archive_from_before_that_was_not_detached_yet_is_copied_again(
    before: Upkeep, upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        kill(patched, Archive, "_alter", "before")
        with pytest.raises(Killed):
            before.maintain()
    assert "input_text" in columns(upkeep)
    assert said(upkeep.maintain(), "archived", "detached") == [(OLD_PART, "archived"), (OLD_PART, "detached")]
    assert columns(upkeep) == may_leave(upkeep.deployment, "jobs")
