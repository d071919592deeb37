"""A day's two files say the same: rows that were repaired leave quarantine, rows that broke enter it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from community_pipelines.lake.late import late_days
from community_pipelines.quality.accounting import AccountRow, account
from tests.bazaar.gallery import METRICS, Gallery
from tests.declared import COMMUNITY_EVENTS
from tests.flows import at, day, number

TEMPLATE = number(1)
BROKEN = number(7)


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """A day of two hundred views and one event that can be broken and repaired."""
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    gallery.add_views(TEMPLATE, at(0), 200)
    gallery.add_event(TEMPLATE, "view", at(0), id=BROKEN)
    return gallery


def change(gallery: Gallery, event_type: str) -> None:
    gallery.sql("update community_events set event_type = %s where id = %s", (event_type, BROKEN))


def accounts(gallery: Gallery) -> AccountRow:
    """What the lake's files of the day hold."""
    (row,) = account(gallery.settings, gallery.deployment, verify=True)
    return row


def assert_accounted(gallery: Gallery, accepted: int, **quarantined: int) -> None:
    row = accounts(gallery)
    assert (row.fault, row.residue) == ("", 0)
    assert (row.read, row.accepted, row.quarantined) == (accepted + sum(quarantined.values()), accepted, quarantined)
    assert [counted[3] for counted in gallery.published(METRICS)] == [accepted]


def quarantine(gallery: Gallery) -> Path:
    return gallery.lake.path("quarantine", "bazaar", "community_events", day(0))


def test_rows_that_were_repaired_leave_quarantine_with_the_next_read(gallery: Gallery) -> None:
    change(gallery, "share")
    gallery.run(0)
    assert_accounted(gallery, 200, unknown_event_type=1)
    change(gallery, "view")
    gallery.run(0)
    assert not quarantine(gallery).exists()
    assert_accounted(gallery, 201)


def test_rows_that_broke_enter_quarantine_with_the_next_read(gallery: Gallery) -> None:
    gallery.run(0)
    assert_accounted(gallery, 201)
    change(gallery, "share")
    gallery.run(0)
    assert_accounted(gallery, 200, unknown_event_type=1)


def test_broken_rows_that_were_deleted_leave_quarantine_although_no_accepted_row_changed(gallery: Gallery) -> None:
    change(gallery, "share")
    gallery.run(0)
    gallery.sql("delete from community_events where id = %s", (BROKEN,))
    gallery.run(0)
    assert not quarantine(gallery).exists()
    assert_accounted(gallery, 200)


def test_a_row_that_is_broken_in_another_way_is_in_quarantine_with_that_rule(gallery: Gallery) -> None:
    change(gallery, "share")
    gallery.run(0)
    gallery.sql("alter table community_events alter template_id drop not null")
    gallery.sql("update community_events set event_type = 'view', template_id = null where id = %s", (BROKEN,))
    gallery.run(0)
    assert_accounted(gallery, 200, missing_template=1)


def test_a_quarantine_file_that_was_lost_comes_back_although_no_row_changed(gallery: Gallery) -> None:
    change(gallery, "share")
    gallery.run(0)
    quarantine(gallery).unlink()
    assert "is gone, with 1 rows" in accounts(gallery).fault
    gallery.run(0)
    assert_accounted(gallery, 200, unknown_event_type=1)


def test_a_quarantine_file_that_does_not_belong_to_its_day_goes_although_no_row_changed(gallery: Gallery) -> None:
    change(gallery, "share")
    gallery.run(0)
    left = quarantine(gallery).read_bytes()
    change(gallery, "view")
    gallery.run(0)
    quarantine(gallery).parent.mkdir(parents=True, exist_ok=True)
    quarantine(gallery).write_bytes(left)
    assert accounts(gallery).residue == -1
    gallery.run(0)
    assert not quarantine(gallery).exists()
    assert_accounted(gallery, 201)


def test_a_day_that_is_withheld_keeps_its_two_files_as_they_were(gallery: Gallery) -> None:
    change(gallery, "share")
    gallery.run(0)
    gallery.sql("update community_events set event_type = 'share'")
    assert not gallery.run(0)["raw/community_events", day(0)].accepted
    assert_accounted(gallery, 200, unknown_event_type=1)


def test_a_deletion_does_not_make_a_day_with_rows_in_quarantine_stale(gallery: Gallery) -> None:
    change(gallery, "share")
    gallery.run(0)
    gallery.sql("delete from community_events where id = (select max(id::text)::uuid from community_events)")
    assert late_days(gallery.deployment, COMMUNITY_EVENTS, gallery.lake, [day(0)]) == {}
    assert gallery.settle(0) == []
