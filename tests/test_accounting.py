"""Every row is accounted for, counted from files that the real writer and the real engine wrote."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.databases.deployment import Deployment, Names
from community_pipelines.lake.files import Lake
from community_pipelines.lake.ledger import read_ledger
from community_pipelines.lake.queries import FINGERPRINT
from community_pipelines.lake.writer import writing_day
from community_pipelines.models.engine import Engine
from community_pipelines.models.inputs import Inputs
from community_pipelines.models.project import load_model
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.quality import accounting
from community_pipelines.quality.accounting import AccountRow, account
from community_pipelines.settings import PlatformSettings, Settings, load
from tests.declared import COMMUNITY_EVENTS

DAY = date(2026, 1, 2)
NEXT = date(2026, 1, 3)
EVENTS = "community_events"
GONE = Deployment(BAZAAR, "postgresql:///gone", "postgresql:///gone", Names(BAZAAR, {}, {}), PlatformSettings())


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "LOOK_AGAIN_SECONDS", 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path / "home", lake=tmp_path / "lake", start_date=DAY)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake_folder)


def _batch(day: date, types: list[str | None]) -> pa.RecordBatch:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = len(types)
    template = uuid.UUID(int=7).bytes
    values = {
        "id": pa.array([uuid.uuid4().bytes for _ in types], pa.uuid()),
        "template_id": pa.array([template] * rows, pa.uuid()),
        "user_id": pa.array([f"user {n % 3}" if n % 2 else None for n in range(rows)]),
        "event_type": pa.array(types, pa.string()),
        "source": pa.array(["direct"] * rows),
        "project_id": pa.array([None] * rows, pa.uuid()),
        "scene_count": pa.array(range(rows), pa.int32()),
        "referrer": pa.array([None] * rows, pa.string()),
        "user_agent": pa.array(["a browser"] * rows),
        "created_at": pa.array([noon + timedelta(seconds=n) for n in range(rows)], pa.timestamp("us", tz="UTC")),
        FINGERPRINT: pa.array(range(rows), pa.int64()),
    }
    return pa.RecordBatch.from_pydict(values)


def _write(lake: Lake, day: date, types: list[str | None], duplicates: int = 0, unread: int = 0) -> None:
    """A day as an extract leaves it; `unread` rows are noted as read and written nowhere."""
    with lake.staging("bazaar", "run") as folder, writing_day(folder, COMMUNITY_EVENTS, day) as writer:
        writer.add(_batch(day, types))
        staged = writer.finish(
            kind="raw",
            platform="bazaar",
            name=EVENTS,
            day=day,
            accepted=writer.accepted,
            read=writer.accepted + writer.rows_quarantined + duplicates + unread,
            duplicates=duplicates,
            run_id="run",
            code_version="0",
            read_at=datetime.now(UTC),
        )
        lake.swap(staged.data, lake.path("raw", "bazaar", EVENTS, day))
        if staged.quarantine is not None:
            lake.swap(staged.quarantine, lake.path("quarantine", "bazaar", EVENTS, day))


def _compute(lake: Lake, settings: Settings, days: list[date], tmp_path: Path) -> None:
    with Engine(BAZAAR, lake, "200MB", settings.start_date, tmp_path) as engine:
        for name in ("community_metrics_daily", "community_template_activity_daily"):
            folder = tmp_path / name
            folder.mkdir()
            inputs = Inputs(BAZAAR, lake, settings.start_date)
            for staged in engine.run(load_model("bazaar", name), days, inputs, folder, "run"):
                lake.swap(staged.path, lake.path("models", "bazaar", name, staged.ledger.day))


def _one(settings: Settings, verify: bool = False) -> AccountRow:
    (row,) = account(settings, GONE, verify=verify)
    return row


def test_a_day_is_read_accepted_duplicate_and_quarantined_by_rule_with_no_residue(
    settings: Settings, lake: Lake
) -> None:
    _write(lake, DAY, ["view", "poke", "use", "view", None], duplicates=2)
    _write(lake, NEXT, ["view"])
    rows = account(settings, GONE)
    assert rows == [
        AccountRow("bazaar", EVENTS, DAY, 7, 3, 2, {"unknown_event_type": 2}, 0, ""),
        AccountRow("bazaar", EVENTS, NEXT, 1, 1, 0, {}, 0, ""),
    ]


def test_an_empty_lake_has_no_days(settings: Settings) -> None:
    assert account(settings, GONE, verify=True) == []


def test_rows_that_were_read_and_written_nowhere_are_the_residue(settings: Settings, lake: Lake) -> None:
    _write(lake, DAY, ["view", "use"], unread=3)
    row = _one(settings)
    assert row.residue == 3
    assert "3 of 5 rows are not accounted for" in row.fault
    assert "community backfill bazaar --from 2026-01-02 --to 2026-01-02" in row.fault


def test_a_lost_quarantine_file_leaves_its_rows_as_residue_and_is_named(settings: Settings, lake: Lake) -> None:
    _write(lake, DAY, ["view", "poke", "poke"])
    lost = lake.path("quarantine", "bazaar", EVENTS, DAY)
    lost.unlink()
    row = _one(settings)
    assert row.residue == 2
    assert row.quarantined == {}
    assert f"{lost} is gone, with 2 rows" in row.fault


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(("kind", "residue"), [("raw", 2), ("quarantine", 1)])
def test_a_truncated_file_leaves_its_rows_as_residue_and_is_named(
    settings: Settings, lake: Lake, kind: str, residue: int
) -> None:
    _write(lake, DAY, ["view", "poke", "use"])
    path = lake.root / kind / "bazaar" / EVENTS / f"day={DAY}" / "data.parquet"
    _truncate(path)
    row = _one(settings)
    assert row.residue == residue
    assert f"{path} is no complete Parquet file" in row.fault


def test_a_raw_file_that_is_gone_is_named_as_long_as_anything_was_computed_from_it(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    _write(lake, DAY, ["view", "use"])
    _compute(lake, settings, [DAY], tmp_path)
    assert not _one(settings).fault
    path = lake.path("raw", "bazaar", EVENTS, DAY)
    path.unlink()
    row = _one(settings)
    assert f"{path} is gone" in row.fault
    assert (row.read, row.accepted, row.residue) == (0, 0, 0)


def test_a_quarantine_file_of_an_earlier_read_is_a_fault(settings: Settings, lake: Lake) -> None:
    _write(lake, DAY, ["view", "poke"])
    path = lake.path("quarantine", "bazaar", EVENTS, DAY)
    earlier = path.read_bytes()
    _write(lake, DAY, ["view", "nudge"])
    assert not _one(settings).fault
    path.write_bytes(earlier)
    row = _one(settings)
    assert row.residue == 0
    assert f"{path} was read from the source at another time" in row.fault


def test_a_quarantine_file_of_a_day_without_broken_rows_is_too_much(settings: Settings, lake: Lake) -> None:
    _write(lake, DAY, ["view", "poke"])
    path = lake.path("quarantine", "bazaar", EVENTS, DAY)
    earlier = path.read_bytes()
    _write(lake, DAY, ["view"])
    path.write_bytes(earlier)
    row = _one(settings)
    assert row.residue == -1
    assert str(path) in row.fault


def test_a_file_of_another_day_is_named(settings: Settings, lake: Lake) -> None:
    _write(lake, NEXT, ["view"])
    path = lake.path("raw", "bazaar", EVENTS, DAY)
    path.parent.mkdir(parents=True)
    lake.path("raw", "bazaar", EVENTS, NEXT).rename(path)
    row = _one(settings)
    assert row.day == DAY
    assert f"{path} is the file of bazaar/{EVENTS} for {NEXT}" in row.fault


def test_a_run_that_replaces_the_two_files_meanwhile_is_no_fault(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(lake, DAY, ["view", "poke"])
    path = lake.path("raw", "bazaar", EVENTS, DAY)
    before = path.read_bytes()
    _write(lake, DAY, ["view", "nudge"])
    after = path.read_bytes()
    path.write_bytes(before)
    monkeypatch.setattr("community_pipelines.quality.accounting.time.sleep", lambda seconds: path.write_bytes(after))
    assert not _one(settings).fault


def _with_other_rows(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """As a file from before there were seals, whose rows alone can be compared."""
    table = pq.read_table(path, partitioning=None)
    ledger = replace(read_ledger(path), seal="")
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(change(table))
        writer.add_key_value_metadata(ledger.to_metadata())


def test_verify_finds_every_file_as_it_was_written_in_any_order_of_its_rows(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    _write(lake, DAY, ["view", "poke", "use", "favorite", "view"])
    _write(lake, NEXT, [])
    _compute(lake, settings, [DAY, NEXT], tmp_path)
    _with_other_rows(lake.path("raw", "bazaar", EVENTS, DAY), lambda rows: rows.take([3, 2, 0, 1]))
    done: list[int] = []
    rows = account(settings, GONE, verify=True, advance=done.append)
    assert [row.fault for row in rows] == ["", ""]
    assert sum(done) == 6


def test_verify_finds_a_value_that_was_changed_without_the_number_of_rows(settings: Settings, lake: Lake) -> None:
    _write(lake, DAY, ["view", "use"])
    path = lake.path("raw", "bazaar", EVENTS, DAY)
    _with_other_rows(path, lambda rows: rows.set_column(6, "scene_count", pa.array([0, 99], pa.int32())))
    assert not _one(settings).fault
    assert f"{path} does not hold the rows that were written" in _one(settings, verify=True).fault


def test_verify_names_a_model_file_that_was_changed(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    _write(lake, DAY, ["view", "use"])
    _compute(lake, settings, [DAY], tmp_path)
    path = lake.path("models", "bazaar", "community_metrics_daily", DAY)
    count = pa.field("count", pa.int64(), nullable=False)
    _with_other_rows(path, lambda rows: rows.set_column(3, count, pa.array([1, 2], pa.int64())))
    assert [row.fault for row in account(settings, GONE)] == [""]
    good, bad = account(settings, GONE, verify=True)
    assert not good.fault
    assert bad.stream == "models/community_metrics_daily"
    assert bad.fault.startswith(f"{path} does not hold the rows that were written")
    assert f"`community backfill bazaar --from {DAY} --to {DAY}` makes it anew" in bad.fault


def _damage_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:300] = b"\xff" * 296
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("kind", ["raw", "quarantine"])
def test_verify_names_a_file_whose_footer_is_whole_and_whose_rows_cannot_be_read(
    settings: Settings, lake: Lake, kind: str
) -> None:
    _write(lake, DAY, ["view", "poke", "use"])
    path = lake.root / kind / "bazaar" / EVENTS / f"day={DAY}" / "data.parquet"
    _damage_pages(path)
    assert str(path) in _one(settings, verify=True).fault


def test_a_hash_that_another_major_version_of_the_engine_made_is_not_compared(settings: Settings, lake: Lake) -> None:
    _write(lake, DAY, ["view", "use"])
    path = lake.path("raw", "bazaar", EVENTS, DAY)
    table = pq.read_table(path, partitioning=None)
    ledger = replace(read_ledger(path), seal="")
    footer = {key: text.replace("duckdb2:", "duckdb1:") for key, text in ledger.to_metadata().items()}
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(footer)
    assert not _one(settings, verify=True).fault


def _repeat(lake: Lake, first: int, last: int) -> None:
    path = lake.path("raw", "bazaar", EVENTS, DAY)
    table, ledger = pq.read_table(path, partitioning=None), replace(read_ledger(path), seal="")
    for day in (DAY + timedelta(days=number) for number in range(first, last)):
        lake.path("raw", "bazaar", EVENTS, day).parent.mkdir(parents=True)
        with pq.ParquetWriter(lake.path("raw", "bazaar", EVENTS, day), table.schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata(replace(ledger, day=day).to_metadata())


def test_verifying_many_days_takes_no_more_memory_than_a_few(settings: Settings, lake: Lake) -> None:
    _write(lake, DAY, ["view", "use"] * 15_000)
    _repeat(lake, 1, 3)
    assert len(account(settings, GONE, verify=True)) == 3
    _repeat(lake, 3, 40)
    before = psutil.Process().memory_info().rss
    assert len(account(settings, GONE, verify=True)) == 40
    assert psutil.Process().memory_info().rss - before < 20_000_000
