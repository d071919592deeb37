"""Rows read are counted where they arrive and rows kept where they are written: what is lost in between shows."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from community_pipelines.lake.writer import DayWriter
from tests.bazaar.gallery import METRICS, Gallery, make_gallery
from tests.community import community, unwrapped
from tests.flows import at, day, number

TEMPLATE = number(1)
RAW = "raw/community_events"
ROWS = 20


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """A day of twenty views, whose newest id can be repeated."""
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    for n in range(1, ROWS + 1):
        gallery.add_event(TEMPLATE, "view", at(0), id=number(n))
    return gallery


def repeat_an_id(gallery: Gallery) -> None:
    gallery.sql("alter table community_events drop constraint community_events_pkey")
    for clock in ("13:00", "14:00"):
        gallery.add_event(TEMPLATE, "view", at(0, clock), id=number(ROWS))


def spoil(monkeypatch: pytest.MonkeyPatch, change: Callable[[pa.RecordBatch], list[pa.RecordBatch]]) -> None:
    """Lets the writer get other batches than arrived: what its own faults do cannot be caused from outside."""
    add = DayWriter.add

    def spoilt(writer: DayWriter, batch: pa.RecordBatch) -> None:
        for one in change(batch):
            add(writer, one)

    monkeypatch.setattr(DayWriter, "add", spoilt)


@pytest.mark.parametrize("repeats", [False, True], ids=["unique ids", "an id that repeats"])
@pytest.mark.parametrize(
    ("change", "residue"),
    [
        pytest.param(lambda batch: [batch.slice(3)], 3, id="three rows are lost"),
        pytest.param(lambda batch: [], ROWS, id="a batch is lost"),
        pytest.param(lambda batch: [batch, batch.slice(0, 2)], -2, id="two rows are written twice"),
    ],
)
def test_a_day_of_which_other_rows_were_written_than_arrived_is_withheld_with_their_number(
    gallery: Gallery,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pa.RecordBatch], list[pa.RecordBatch]],
    residue: int,
    repeats: bool,
) -> None:
    gallery.run(0)
    published, file = gallery.published(METRICS), gallery.lake.ledger("raw", "bazaar", "community_events", day(0))
    if repeats:
        repeat_an_id(gallery)
    # Otherwise the day would be withheld for the rows that it lost since the last time.
    lenient = make_gallery(gallery.url, gallery.settings.home, shrink_limit=1)
    with monkeypatch.context() as patched:
        spoil(patched, change)
        result = lenient.run(0)[RAW, day(0)]
    assert not result.accepted
    (found,) = [one for one in result.findings if one.column == "residue"]
    assert (found.severity, found.success) == ("error", False)
    # Without unique ids, rows that are written twice are taken for an id that repeats, or sorted out: any number.
    if not repeats:
        assert found.observed == residue
        assert f"rows read but neither accepted, duplicate nor quarantined: {residue}" in str(result.reason)
    assert gallery.published(METRICS) == published
    assert gallery.lake.ledger("raw", "bazaar", "community_events", day(0)) == file

    assert all(result.accepted for result in lenient.run(0).values())
    assert [row[3] for row in gallery.published(METRICS)] == [ROWS]


def test_a_broken_row_that_does_not_reach_quarantine_is_missed(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add_event(TEMPLATE, "share", at(0))
    lenient = make_gallery(gallery.url, gallery.settings.home, quarantine_limit=1)
    with monkeypatch.context() as patched:
        spoil(patched, lambda batch: [batch.slice(0, ROWS)])
        assert "neither accepted, duplicate nor quarantined: 1" in str(lenient.run(0)[RAW, day(0)].reason)
    assert lenient.run(0)[RAW, day(0)].accepted


def test_rows_that_are_not_accounted_for_show_although_a_person_released_their_day(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"HOME": gallery.settings.home, "START_DATE": day(0), "BAZAAR__SOURCE_URL": gallery.url}
    for name, value in settings.items():
        monkeypatch.setenv(f"COMMUNITY_{name}", str(value))
    with monkeypatch.context() as patched:
        spoil(patched, lambda batch: [batch.slice(3)])
        assert not gallery.run(0)[RAW, day(0)].accepted
        assert community("release", "bazaar", day(0), "--reason", "three rows of a test").exit_code == 0
        assert gallery.run(0)[RAW, day(0)].accepted
    shown = community("account", "--platform", "bazaar")
    assert shown.exit_code == 1
    assert "│ total │ │ 20 │ 17 │ 0 │ 0 │ 3 │" in unwrapped(shown.output)
    assert f"bazaar/community_events {day(0)}: 3 of 20 rows are not accounted for" in unwrapped(shown.output)
