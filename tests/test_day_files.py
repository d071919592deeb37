"""A day is a file: whole or not there, checked when it is read, replaced only by what is newer and not suspicious."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.databases.connections import connect
from community_pipelines.flow.raw import Raw
from community_pipelines.lake.extract import SourceReader
from community_pipelines.lake.ledger import LakeError, Ledger
from community_pipelines.quality import withheld
from tests.bazaar.gallery import METRICS, RAW, Gallery, make_gallery
from tests.declared import COMMUNITY_EVENTS
from tests.flows import at, day, number

TEMPLATE = number(1)


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    return gallery


def ledger(gallery: Gallery) -> Ledger:
    found = gallery.lake.ledger("raw", "bazaar", "community_events", day(0))
    assert found is not None
    return found


def path(gallery: Gallery, n: int = 0) -> Path:
    return gallery.lake.path("raw", "bazaar", "community_events", day(n))


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def _write_with_another_program(file: Path) -> None:
    pq.write_table(pa.table({"id": ["1"]}), file)


def _edit(file: Path) -> None:
    footer = pq.read_metadata(file).metadata
    pq.write_table(pq.read_table(file).slice(1).replace_schema_metadata(footer), file)


def _garble_ledger(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({"community": "{}"}), file)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_truncate, "is no complete Parquet file"),
        (_write_with_another_program, "has no ledger in its footer"),
        (_edit, "holds 1 rows but its ledger says 2"),
        (_garble_ledger, "has a ledger that cannot be read"),
    ],
)
def test_a_damaged_day_file_is_stale_and_made_anew_and_nothing_published_changes(
    gallery: Gallery, damage: Callable[[Path], None], complaint: str
) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.run(0)
    before = gallery.fingerprints()
    damage(path(gallery))
    state = gallery.plan(0).states["raw/community_events"][day(0)]
    assert state.state == "stale"
    assert state.why.startswith(f"damaged: {path(gallery)} {complaint}")
    assert f"`community backfill bazaar --from {day(0)} --to {day(0)}` makes it anew" in state.why
    gallery.settle(0)
    assert ledger(gallery).accepted == 2
    assert gallery.plan(0).days("raw/community_events", "done") == [day(0)]
    assert gallery.fingerprints() == before


def test_a_file_in_the_place_of_another_day_is_named(gallery: Gallery) -> None:
    gallery.extract(0, 1)
    shutil.copy(path(gallery, 0), path(gallery, 1))
    with pytest.raises(LakeError, match=f"is the file of bazaar/community_events for {day(0)}"):
        gallery.lake.ledger("raw", "bazaar", "community_events", day(1))


def test_a_replaced_file_is_kept_aside_for_some_days(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.extract(0)
    first = path(gallery).read_bytes()
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.extract(0)
    (kept,) = (gallery.lake.root / "superseded/raw/bazaar/community_events" / f"day={day(0)}").iterdir()
    assert kept.read_bytes() == first
    assert path(gallery).read_bytes() != first
    assert gallery.lake.remove_superseded(1) == 0
    assert gallery.lake.remove_superseded(0) == 1
    assert not kept.exists()


def test_a_day_that_did_not_change_keeps_its_file(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.extract(0)
    before = path(gallery).stat()
    gallery.extract(0)
    assert (path(gallery).stat().st_ino, path(gallery).stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not (gallery.lake.root / "superseded").exists()


def test_a_day_that_lost_more_than_one_percent_is_withheld_until_it_is_released(gallery: Gallery) -> None:
    gallery.add_views(TEMPLATE, at(0), 200)
    gallery.run(0)
    published = gallery.published(METRICS)
    lose = "delete from community_events where id in (select id from community_events limit %s)"
    gallery.sql(lose, (2,))
    assert gallery.run(0)["raw/community_events", day(0)].accepted
    assert ledger(gallery).accepted == 198
    gallery.sql(lose, (3,))
    published = gallery.published(METRICS)
    result = gallery.run(0)["raw/community_events", day(0)]
    assert not result.accepted
    assert "shrunk: share of rows deleted since the last extract" in str(result.reason)
    assert ledger(gallery).accepted == 198
    assert gallery.published(METRICS) == published
    assert gallery.plan(0).days("raw/community_events", "withheld") == [day(0)]
    assert gallery.settle(0) == []

    release(gallery)
    assert gallery.settle(0) != []
    assert ledger(gallery).accepted == 195
    assert [row[3] for row in gallery.published(METRICS)] == [195]
    assert gallery.plan(0).days("raw/community_events", "done") == [day(0)]


def test_a_release_holds_for_just_the_content_that_was_judged(gallery: Gallery) -> None:
    gallery.add_views(TEMPLATE, at(0), 100)
    gallery.run(0)
    gallery.sql("delete from community_events where id in (select id from community_events limit 5)")
    assert not gallery.run(0)["raw/community_events", day(0)].accepted
    release(gallery)
    gallery.sql("delete from community_events where id in (select id from community_events limit 5)")
    assert not gallery.run(0)["raw/community_events", day(0)].accepted
    assert ledger(gallery).accepted == 100


def test_a_day_before_the_sources_oldest_row_is_withheld_as_shrunk(gallery: Gallery) -> None:
    lenient = make_gallery(gallery.url, gallery.settings.home, shrink_limit=1)
    lenient.add_views(TEMPLATE, at(0), 3)
    lenient.add_views(TEMPLATE, at(1), 3)
    lenient.run(0, 1)
    published = lenient.published(METRICS)
    lenient.sql("delete from community_events where created_at < %s", (at(1, "00:00"),))
    results = lenient.run(0, 1)
    assert not results["raw/community_events", day(0)].accepted
    assert "the day lies before the source's oldest row" in str(results["raw/community_events", day(0)].reason)
    assert results["raw/community_events", day(1)].accepted
    assert lenient.published(METRICS) == published
    release(lenient)
    lenient.settle(1)
    assert [row[1] for row in lenient.published(METRICS)] == [day(1)]


def release(gallery: Gallery) -> None:
    with connect(gallery.url, "test") as connection:
        assert withheld.release(connection, "bazaar", day(0), "tester", "seen") == ["raw/community_events"]


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.bazaar.gallery import make_gallery
from community_pipelines.lake.writer import DayWriter

def finish(self, *notes, **facts):
    print("staged", flush=True)
    sys.stdin.read()

DayWriter.finish = finish
make_gallery(sys.argv[2], Path(sys.argv[3])).extract(0)
"""


def test_what_a_killed_run_left_is_never_seen_and_goes_with_the_next_run(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    home = gallery.settings.home
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1]), gallery.url, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"staged\n"
        staging = gallery.lake.root / "staging" / "bazaar"
        (left,) = (entry for entry in staging.iterdir() if entry.is_dir())
        with gallery.lake.staging("bazaar", "neighbour"):
            assert (left / "community_events-2026-01-01.parquet").exists(), "a run that lives keeps its files"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert left.exists()
    assert gallery.lake.days("raw", "bazaar", "community_events") == []
    assert gallery.extract(0)[day(0)].accepted
    assert [entry for entry in staging.iterdir() if entry.is_dir()] == []
    assert pq.read_table(path(gallery)).num_rows == 1


def test_an_older_snapshot_never_replaces_a_newer_one(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add_views(TEMPLATE, at(0), 300)
    (step,) = RAW
    assert isinstance(step, Raw)
    with SourceReader(gallery.deployment) as source:
        older = source.day(COMMUNITY_EVENTS, day(0), tmp_path, "older", timedelta())
    gallery.add_event(TEMPLATE, "share", at(0))
    gallery.extract(0)
    newer = ledger(gallery)
    assert newer.quarantined == {"unknown_event_type": 1}
    step._make_visible(gallery.lake, older)
    assert ledger(gallery) == newer
    quarantine = gallery.lake.ledger("quarantine", "bazaar", "community_events", day(0))
    assert quarantine is not None
    assert quarantine.rows_quarantined == 1
