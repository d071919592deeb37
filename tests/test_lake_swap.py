"""Replacing a day's file: on the disk before it is seen, one replacement at a time, and never by an older snapshot."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.lake.files import Kind, Lake
from community_pipelines.lake.ledger import Ledger, read_ledger
from tests.flows import day

NAME: tuple[Kind, str, str, date] = ("raw", "bazaar", "community_events", day(0))
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)


def stage(path: Path, read_at: datetime, rows: int = 1) -> Ledger:
    """Writes a whole day file that was read from the source then."""
    kind, platform, name, of_day = NAME
    ledger = Ledger(
        kind=kind,
        platform=platform,
        name=name,
        day=of_day,
        accepted=rows,
        content_hash="",
        schema_hash="",
        code_version="",
        run_id="",
        read_at=read_at,
        read=rows,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, pa.schema([("n", pa.int64())])) as writer:
        writer.write_table(pa.table({"n": range(rows)}))
        writer.add_key_value_metadata(ledger.to_metadata())
    return ledger


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


Call = tuple[str, Path, bytes]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What is forced to the disk and what is renamed, in order, each with the content of the file then.

    The calls are noted because the power cannot be cut here.
    """
    made: list[Call] = []
    fsync, replace = os.fsync, os.replace

    def content(path: Path) -> bytes:
        return path.read_bytes() if path.is_file() else b""

    def noted_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        fsync(descriptor)
        made.append(("fsync", path, content(path)))

    def noted_replace(source: str, target: str) -> None:
        made.append(("rename", Path(source), content(Path(source))))
        replace(source, target)
        made.append(("renamed", Path(target), content(Path(target))))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return made


@pytest.mark.parametrize("replaced", [False, True], ids=["a new day", "a replaced day"])
def test_a_file_is_on_the_disk_before_its_name_is_and_its_name_before_the_swap_is_over(
    lake: Lake, tmp_path: Path, calls: list[Call], replaced: bool
) -> None:
    staged, final = tmp_path / "staged.parquet", lake.path(*NAME)
    if replaced:
        stage(final, BEGIN)
    stage(staged, BEGIN + timedelta(seconds=1), rows=3)
    assert lake.swap(staged, final)
    content = final.read_bytes()
    renamed = calls.index(("renamed", final, content))
    assert calls[renamed - 1] == ("rename", staged, content)
    assert ("fsync", staged, content) in calls[: renamed - 1]
    assert ("fsync", final.parent, b"") in calls[renamed + 1 :]


HOLDING = """
import fcntl, sys
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_process_holds(lock: Path) -> Iterator[Callable[[], None]]:
    """While another process holds the lock of a lake; gives what lets it go."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", HOLDING, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.stdin.close
        finally:
            process.kill()


def test_a_swap_waits_for_the_process_that_holds_the_lake(lake: Lake, tmp_path: Path) -> None:
    staged, final = tmp_path / "staged.parquet", lake.path(*NAME)
    old = stage(final, BEGIN)
    new = stage(staged, BEGIN + timedelta(seconds=1))
    swap = threading.Thread(target=lake.swap, args=(staged, final), kwargs={"unless_newer": new})
    with another_process_holds(lake.root / ".lock") as let_go:
        swap.start()
        swap.join(0.5)
        assert swap.is_alive()
        assert read_ledger(final) == old
        let_go()
        swap.join(30)
    assert not swap.is_alive()
    assert read_ledger(final) == new


def test_a_run_begins_to_stage_only_when_nobody_holds_the_lake(lake: Lake) -> None:
    # Otherwise its folder, not locked yet, is taken for one that a dead run left, and removed.
    def begin() -> None:
        with lake.staging("bazaar", "run"):
            pass

    beginning = threading.Thread(target=begin)
    with another_process_holds(lake.root / ".lock") as let_go:
        beginning.start()
        beginning.join(0.5)
        assert beginning.is_alive()
        assert not (lake.root / "staging" / "bazaar" / "run").exists()
        let_go()
        beginning.join(30)
    assert not beginning.is_alive()


SWAPPING = """
import sys
from pathlib import Path
from community_pipelines.lake.files import Lake
from community_pipelines.lake.ledger import read_ledger

lake, final = Lake(Path(sys.argv[1])), Path(sys.argv[2])
staged = sorted(Path(sys.argv[3]).iterdir())
ledgers = [read_ledger(path) for path in staged]
newest = ledgers[0].read_at
print("ready", flush=True)
sys.stdin.readline()
for path, ledger in zip(staged, ledgers):
    lake.swap(path, final, unless_newer=ledger)
    seen = read_ledger(final).read_at
    if seen < max(newest, ledger.read_at):
        print(f"{seen} came after {max(newest, ledger.read_at)}")
    newest = max(seen, newest)
"""


def test_of_two_processes_that_replace_a_day_again_and_again_the_newer_snapshot_always_wins(
    lake: Lake, tmp_path: Path
) -> None:
    stage(lake.path(*NAME), BEGIN)
    for n in range(200):
        stage(tmp_path / f"process {n % 2}" / f"{n:04}.parquet", BEGIN + timedelta(seconds=1 + n))
    places = str(lake.root), str(lake.path(*NAME))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SWAPPING, *places, str(tmp_path / f"process {n}")],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    assert read_ledger(lake.path(*NAME)).read_at == BEGIN + timedelta(seconds=200)


def test_only_a_later_snapshot_stands_in_the_way(lake: Lake, tmp_path: Path) -> None:
    # An archived day is restored as of the moment when its archive was made, again and again.
    final = lake.path(*NAME)
    for seconds, rows, swapped in ((2, 1, True), (2, 2, True), (1, 3, False), (3, 4, True)):
        staged = tmp_path / "staged.parquet"
        ledger = stage(staged, BEGIN + timedelta(seconds=seconds), rows)
        assert lake.swap(staged, final, unless_newer=ledger) is swapped
        assert (read_ledger(final) == ledger) is swapped


def test_a_damaged_file_does_not_stand_in_the_way_of_a_whole_one(lake: Lake, tmp_path: Path) -> None:
    staged, final = tmp_path / "staged.parquet", lake.path(*NAME)
    stage(final, BEGIN + timedelta(days=1))
    final.write_bytes(final.read_bytes()[:-20])
    whole = stage(staged, BEGIN)
    assert lake.swap(staged, final, unless_newer=whole)
    assert read_ledger(final) == whole
