"""A row is counted on one day: where the source has it now, and once, however often its id is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from community_pipelines.flow import plan as planning
from tests.bazaar.gallery import HISTORY, METRICS, RAW, STEPS, Gallery
from tests.flows import at, day, number
from tests.stories.stories import Stories

TEMPLATE = number(1)
ASSET = "raw/community_events"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """Three days of two views each, which are published."""
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    for n in range(3):
        gallery.add_views(TEMPLATE, at(n), 2)
    gallery.run(0, 2)
    return gallery


def views(gallery: Gallery) -> dict[date, int]:
    """The published views of each day."""
    return dict(gallery.sql(f"select day, count from {METRICS} order by day"))


def total(gallery: Gallery) -> int:
    """The newest total of views, which the cached counter and the days have to agree with."""
    ((newest,),) = gallery.sql(f"select views_total from {HISTORY} order by day desc limit 1")
    assert newest == sum(views(gallery).values()) == gallery.counters()[TEMPLATE][0]
    return int(newest)


def stale(gallery: Gallery, last: int = 2) -> list[date]:
    return gallery.plan(last).days(ASSET, "stale")


def settled(gallery: Gallery, last: int = 2) -> None:
    """Makes the runs that are asked for; afterwards nothing is."""
    gallery.settle(last)
    assert planning.requests(gallery.plan(last), STEPS) == []


def test_a_row_that_moves_makes_the_day_that_lost_it_and_the_one_that_gained_it_stale(gallery: Gallery) -> None:
    gallery.sql("update community_events set created_at = %s where created_at = %s", (at(1), at(0)))
    assert stale(gallery) == [day(0), day(1)]
    settled(gallery)
    assert views(gallery) == {day(1): 4, day(2): 2}
    assert total(gallery) == 6


@pytest.mark.parametrize("where", ["now()", "null", "'infinity'", "'-infinity'", "'2199-01-01'"])
def test_a_row_that_moves_to_no_closed_day_leaves_its_own(gallery: Gallery, where: str) -> None:
    gallery.sql("alter table community_events alter created_at drop not null")
    gallery.sql(f"update community_events set created_at = {where} where created_at = %s", (at(0),))
    assert stale(gallery) == [day(0)]
    settled(gallery)
    assert views(gallery) == {day(1): 2, day(2): 2}


def test_a_row_that_moves_there_and_back_changes_nothing(gallery: Gallery) -> None:
    gallery.sql("update community_events set created_at = %s where created_at = %s", (at(1), at(0)))
    gallery.sql(
        "update community_events set created_at = %s "
        "where id in (select id from community_events where created_at = %s limit 0)",
        (at(0), at(1)),
    )
    moved = gallery.sql("select id from community_events where created_at = %s", (at(1),))
    assert len(moved) == 4
    assert stale(gallery) == [day(0), day(1)]
    settled(gallery)
    gallery.sql(
        "update community_events set created_at = %s "
        "where id in (select id from community_events where created_at = %s order by id limit 2)",
        (at(0), at(1)),
    )
    settled(gallery)
    assert views(gallery) == {day(0): 2, day(1): 2, day(2): 2}


def test_a_row_whose_event_type_or_template_is_changed_in_place_is_another_row(gallery: Gallery) -> None:
    other = number(2)
    gallery.add_templates(other)
    gallery.sql("update community_events set event_type = 'use' where created_at = %s", (at(0),))
    gallery.sql("update community_events set template_id = %s where created_at = %s", (other, at(1)))
    assert stale(gallery) == [day(0), day(1)]
    settled(gallery)
    assert gallery.sql(f"select day, template_id, event_type, count from {METRICS} order by day") == [
        (day(0), TEMPLATE, "use", 2),
        (day(1), other, "view", 2),
        (day(2), TEMPLATE, "view", 2),
    ]


def test_rows_that_moved_are_not_lost_and_deleted_ones_are(gallery: Gallery) -> None:
    gallery.sql("update community_events set created_at = %s where created_at = %s", (at(2), at(0)))
    result = gallery.run(0, 0, RAW)[ASSET, day(0)]
    assert result.accepted
    assert result.metadata["moved to another day"] == 2
    gallery.sql("delete from community_events where id = (select min(id::text)::uuid from community_events "
                "where created_at = %s)", (at(1),))  # fmt: skip
    result = gallery.run(1, 1, RAW)[ASSET, day(1)]
    assert (result.reason or "").startswith("shrunk: share of rows deleted since the last extract: 0.5 ")
    assert result.metadata["deleted since the last extract"] == 1


def test_deleted_rows_are_not_made_up_for_by_as_many_new_ones(gallery: Gallery) -> None:
    gallery.sql("delete from community_events where created_at = %s", (at(1),))
    gallery.add_views(TEMPLATE, at(1), 2)
    result = gallery.run(1, 1, RAW)[ASSET, day(1)]
    assert (result.reason or "").startswith("shrunk: ")


def test_a_first_day_whose_rows_have_all_moved_is_not_taken_for_pruned(gallery: Gallery) -> None:
    gallery.sql("update community_events set created_at = %s where created_at = %s", (at(2), at(0)))
    settled(gallery)
    assert views(gallery) == {day(1): 2, day(2): 4}


def test_a_row_that_is_deleted_tonight_and_back_on_another_day_tomorrow_counts_there_alone(gallery: Gallery) -> None:
    ((event,), _) = gallery.sql("select id from community_events where created_at = %s order by id", (at(0),))
    gallery.sql("delete from community_events where id = %s", (event,))
    settled(gallery)
    assert views(gallery)[day(0)] == 2
    gallery.add_event(TEMPLATE, "view", at(3), id=event)
    settled(gallery, 3)
    assert views(gallery) == {day(0): 1, day(1): 2, day(2): 2, day(3): 1}
    assert total(gallery) == 6


def test_what_was_taken_for_a_deletion_before_lost_ids_were_looked_for_is_judged_again(gallery: Gallery) -> None:
    gallery.sql("update community_events set created_at = now() where created_at = %s", (at(0),))
    ((rows, xor),) = [(0, 0)]
    gallery.sql(
        "insert into community.deletions_seen (platform, stream, day, source_rows, source_ids_xor) "
        "values ('bazaar', 'community_events', %s, %s, %s)",
        (day(0), rows, xor),
    )
    assert stale(gallery) == [day(0)]


def test_a_deletion_alone_still_makes_no_day_stale(gallery: Gallery) -> None:
    gallery.sql("delete from community_events where created_at = %s", (at(0),))
    assert stale(gallery) == []
    assert stale(gallery) == []


def test_a_flag_that_is_decided_again_on_another_day_is_decided_there_alone(stories: Stories) -> None:
    flag = number(600)
    stories.add_flag(flag, at(0), status="resolved", reviewed_at=at(0, "13:00"), action_taken="hidden")
    stories.run(0, 2)
    stories.sql("update moderation_flags set reviewed_at = %s where id = %s", (at(2), flag))
    stories.settle(2)
    assert stories.sql("select day, sum(resolved) from community.moderation_actions_daily group by day") == [
        (day(2), 1)
    ]


@pytest.fixture
def keyless(gallery: Gallery) -> Gallery:
    """The same, in a table whose ids may repeat."""
    gallery.sql("alter table community_events drop constraint community_events_pkey")
    return gallery


def test_an_id_on_two_days_counts_on_the_earliest(keyless: Gallery) -> None:
    event = number(7)
    for n in (3, 4):
        keyless.add_event(TEMPLATE, "view", at(n), id=event)
    results = keyless.run(3, 4)
    assert views(keyless)[day(3)] == 1
    assert day(4) not in views(keyless)
    findings = {one.column: one for one in results[ASSET, day(4)].findings}
    assert findings["ids_on_two_days"].observed == 1
    assert findings["residue"].observed == 0
    assert results[ASSET, day(4)].metadata["duplicates"] == 1
    assert results[ASSET, day(4)].metadata["read"] == 1
    settled(keyless, 4)


def test_an_id_that_appears_on_an_earlier_day_later_counts_there(keyless: Gallery) -> None:
    event = keyless.add_event(TEMPLATE, "view", at(4), id=number(7))
    settled(keyless, 4)
    assert views(keyless)[day(4)] == 1
    keyless.add_event(TEMPLATE, "view", at(3), id=event)
    settled(keyless, 4)
    assert views(keyless)[day(3)] == 1
    assert day(4) not in views(keyless)


def test_an_id_counts_on_the_later_day_when_the_earlier_row_is_gone(keyless: Gallery) -> None:
    for n in (3, 4):
        keyless.add_event(TEMPLATE, "view", at(n), id=number(7))
    settled(keyless, 4)
    keyless.sql("delete from community_events where id = %s and created_at = %s", (number(7), at(3)))
    settled(keyless, 4)
    assert day(3) not in views(keyless)
    assert views(keyless)[day(4)] == 1


def test_rows_that_belong_to_no_day_are_counted_and_shown(gallery: Gallery) -> None:
    gallery.sql("alter table community_events alter created_at drop not null")
    for time in (None, "infinity", "-infinity", "0044-03-15 BC", "2199-01-01"):
        gallery.add_event(TEMPLATE, "view", time)  # type: ignore[arg-type]
    result = gallery.run(2, 2, RAW)[ASSET, day(2)]
    assert result.accepted
    assert {name: count for name, count in result.metadata.items() if name.startswith("rows of the table")} == {
        "rows of the table without a time": 1,
        "rows of the table at an infinite time": 2,
        "rows of the table outside the calendar": 1,
        "rows of the table ahead of the clock": 1,
    }
    findings = {one.column: one for one in result.findings}
    assert (findings["rows_without_day"].observed, findings["rows_without_day"].severity) == (5, "warning")
    assert not findings["rows_without_day"].success


def test_flags_that_nobody_has_reviewed_are_no_rows_without_a_day(stories: Stories) -> None:
    stories.add_flag(number(600), at(0))
    reviews = [step for step in stories.steps if step.asset == "raw/moderation_reviews"]
    result = stories.run(0, steps=reviews)["raw/moderation_reviews", day(0)]
    assert {one.column: one.observed for one in result.findings}["rows_without_day"] == 0
    assert result.metadata["rows of the table without a time"] == 1
