"""Where PostgreSQL does not guarantee unique ids, an id is one row, in the lake and in the truth of counters alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pyarrow.parquet as pq
import pytest

from community_pipelines.counters.drift import measure
from community_pipelines.platforms.bazaar.spec import COUNTERS
from community_pipelines.platforms.stories.spec import SCENE_COUNTERS, TOPIC_COUNTERS
from tests.bazaar.gallery import Gallery, make_gallery
from tests.flows import at, day, number
from tests.stories.stories import BOB, SCENE, TOPIC, Stories
from tests.test_mapped_names import MAPPED, RENAMED

TEMPLATE = number(1)
ASSET = "counters/community_templates"


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """A gallery whose events have no primary key."""
    gallery = new_gallery()
    gallery.add_users("ann", "bob")
    gallery.add_templates(TEMPLATE)
    gallery.sql("alter table community_events drop constraint community_events_pkey")
    return gallery


def counted(gallery: Gallery, until: datetime | None = None) -> tuple[int, int, int]:
    """Views, favorites and uses as the truth has them, at that moment where one is given."""
    found = measure(gallery.deployment, COUNTERS, until)
    values = (found.truths_until if until else found.truths).get(str(TEMPLATE), {})
    views, favorites, uses = (values.get(name, 0) for name in ("views_count", "favorites_count", "uses_count"))
    return (views, favorites, uses)


def in_lake(gallery: Gallery, n: int) -> dict[int, str]:
    """The event type of each id in the file of a day."""
    rows = pq.read_table(gallery.lake.path("raw", "bazaar", "community_events", day(n)))
    return dict(zip((one.int for one in rows["id"].to_pylist()), rows["event_type"].to_pylist(), strict=True))


@pytest.mark.parametrize("reverse", [False, True])
def test_of_an_id_the_earliest_row_of_a_day_counts_in_the_lake_and_in_the_truth(
    gallery: Gallery, reverse: bool
) -> None:
    rows = [
        (1, "view", "09:00"), (1, "use", "10:00"), (1, "view", "11:00"), (2, "use", "10:00"), (2, "view", "10:00"),
        (3, "view", "08:00"), (3, "view", "08:00"),
    ]  # fmt: skip
    for id, event_type, clock in sorted(rows, reverse=reverse):
        gallery.add_event(TEMPLATE, event_type, at(0, clock), id=number(id))
    result = gallery.run(0)[ASSET, day(0)]
    assert in_lake(gallery, 0) == {1: "view", 2: "use", 3: "view"}
    assert gallery.counters()[TEMPLATE] == counted(gallery) == (2, 0, 1)
    assert [f.observed for f in result.findings if f.column == "totals_off_truth"] == [0]


@pytest.mark.parametrize("reverse", [False, True])
def test_rows_of_one_moment_are_told_apart_by_their_other_columns_in_order(gallery: Gallery, reverse: bool) -> None:
    rows: list[dict[str, Any]] = [
        {"user": "bob", "event_type": "favorite"},
        {"user": "ann", "event_type": "unfavorite"},
        {"user": None, "event_type": "favorite"},
    ]
    for row in reversed(rows) if reverse else rows:
        gallery.add_event(TEMPLATE, row["event_type"], at(0), row["user"], id=number(1))
    gallery.run(0)
    assert in_lake(gallery, 0) == {1: "unfavorite"}
    assert gallery.counters()[TEMPLATE] == counted(gallery) == (0, 0, 0)


def test_an_id_on_several_days_counts_on_the_first_of_them(gallery: Gallery) -> None:
    for id, event_type, n in (
        (1, "view", 2), (1, "view", 0), (1, "view", 1), (2, "use", 1), (2, "view", 2), (3, "view", 0),
    ):  # fmt: skip
        gallery.add_event(TEMPLATE, event_type, at(n), id=number(id))
    gallery.add_event(TEMPLATE, "favorite", at(1), "ann", id=number(4))
    gallery.add_event(TEMPLATE, "unfavorite", at(2), "ann", id=number(4))
    assert counted(gallery) == (2, 1, 1)
    by_day = [counted(gallery, at(n, "00:00")) for n in range(1, 4)]
    assert by_day == [(2, 0, 0), (2, 1, 1), (2, 1, 1)]
    for n in range(3):
        gallery.extract(n)
    assert in_lake(gallery, 0) == {1: "view", 3: "view"}


NO_GUARANTEES = {
    "no index": "",
    "a partial index": "create unique index on community_events (id) where event_type = 'use'",
    "an index of two columns": "create unique index on community_events (id, created_at)",
    "an index that is not unique": "create index on community_events (id)",
    "an index that was not finished": "create unique index concurrently on community_events (id)",
    "an index of the parent alone": "alter table community_events add primary key (id)",
}


@pytest.mark.parametrize("name", NO_GUARANTEES)
def test_what_does_not_guarantee_unique_ids_is_not_believed(gallery: Gallery, name: str) -> None:
    table = "community_events"
    if name == "an index of the parent alone":
        gallery.sql(NO_GUARANTEES[name])
        gallery.sql("create table more_events () inherits (community_events)")
        table = "more_events"
    insert = f"insert into {table} (id, template_id, event_type, created_at) values (%s, %s, 'view', %s)"
    gallery.add_event(TEMPLATE, "view", at(0, "09:00"), id=number(1))
    gallery.sql(insert, (number(1), TEMPLATE, at(0, "10:00")))
    gallery.sql(insert, (number(2), TEMPLATE, at(0, "10:00")))
    if table == "community_events" and NO_GUARANTEES[name]:
        made(gallery, NO_GUARANTEES[name])
    gallery.run(0)
    ledger = gallery.lake.ledger("raw", "bazaar", "community_events", day(0))
    assert ledger is not None
    assert (ledger.read, ledger.accepted, ledger.duplicates) == (3, 2, 1)
    assert gallery.counters()[TEMPLATE] == counted(gallery) == (2, 0, 0)


def made(gallery: Gallery, statement: str) -> None:
    """Makes an index; one that is made concurrently stays behind, invalid, when ids repeat."""
    with psycopg.connect(gallery.url, autocommit=True) as connection:
        if "concurrently" not in statement:
            connection.execute(statement.encode())
            return
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(statement.encode())
        assert connection.execute("select count(*) from pg_index where not indisvalid").fetchone() == (1,)


def test_tables_and_columns_with_other_names_follow_the_same_rule(gallery: Gallery, tmp_path: Path) -> None:
    for id, event_type, n in ((1, "view", 1), (1, "view", 0), (2, "use", 0), (2, "use", 0), (3, "favorite", 1)):
        gallery.add_event(TEMPLATE, event_type, at(n), "ann", id=number(id))
    gallery.sql(RENAMED)
    mapped = make_gallery(gallery.url, tmp_path, bazaar=MAPPED)
    found = measure(mapped.deployment, COUNTERS, at(1, "00:00"))
    assert found.truths[str(TEMPLATE)] == {"views_count": 1, "favorites_count": 1, "uses_count": 1}
    assert found.truths_until[str(TEMPLATE)] == {"views_count": 1, "favorites_count": 0, "uses_count": 1}
    assert found.disagreements == {"favorites_agree": [(str(TEMPLATE), 1, 0)]}


def test_agreements_count_an_id_once_too(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "favorite", at(0, "09:00"), "ann", id=number(1))
    gallery.add_event(TEMPLATE, "unfavorite", at(0, "10:00"), "ann", id=number(1))
    gallery.sql("insert into community_favorites (template_id, user_id) values (%s, 'ann')", (TEMPLATE,))
    assert measure(gallery.deployment, COUNTERS).disagreements == {"favorites_agree": []}


OUTSIDE = ("-infinity", "infinity", "0044-03-15 12:00:00+00 BC", "10000-01-01 00:00:00+00", None)


@pytest.mark.parametrize("keyed", [True, False])
def test_rows_that_belong_to_no_day_are_neither_in_the_lake_nor_in_the_truth(gallery: Gallery, keyed: bool) -> None:
    if keyed:
        gallery.sql("alter table community_events add primary key (id)")
    gallery.sql("alter table community_events alter created_at drop not null")
    gallery.add_event(TEMPLATE, "view", at(0))
    gallery.add_event(TEMPLATE, "favorite", at(0), "ann")
    for moment in OUTSIDE:
        gallery.add_event(TEMPLATE, "view", moment)  # type: ignore[arg-type]
        gallery.add_event(TEMPLATE, "use", moment)  # type: ignore[arg-type]
        gallery.add_event(TEMPLATE, "unfavorite", moment, "ann")  # type: ignore[arg-type]
        gallery.add_event(TEMPLATE, "favorite", moment, "bob")  # type: ignore[arg-type]
    result = gallery.run(0)[ASSET, day(0)]
    assert len(in_lake(gallery, 0)) == 2
    assert gallery.counters()[TEMPLATE] == counted(gallery) == counted(gallery, at(1, "00:00")) == (1, 1, 0)
    assert [f.observed for f in result.findings if f.column == "totals_off_truth"] == [0]
    assert measure(gallery.deployment, COUNTERS).disagreements == {"favorites_agree": [(str(TEMPLATE), 1, 0)]}


@pytest.mark.parametrize("moment", OUTSIDE)
def test_of_an_id_the_row_that_has_a_day_counts(gallery: Gallery, moment: str | None) -> None:
    gallery.sql("alter table community_events alter created_at drop not null")
    gallery.add_event(TEMPLATE, "use", moment, id=number(1))  # type: ignore[arg-type]
    gallery.add_event(TEMPLATE, "view", at(0), id=number(1))
    gallery.run(0)
    assert in_lake(gallery, 0) == {1: "view"}
    assert gallery.counters()[TEMPLATE] == counted(gallery) == (1, 0, 0)


@pytest.mark.parametrize("index", ["", "create unique index on community_events (id)"])
def test_rows_without_an_id_are_in_quarantine_and_not_in_the_truth(gallery: Gallery, index: str) -> None:
    gallery.sql(f"alter table community_events alter id drop not null; {index}")
    gallery.add_views(TEMPLATE, at(0), 200)
    gallery.sql("insert into community_events (id, template_id, event_type, created_at) values (null, %s, 'view', %s)",
                (TEMPLATE, at(0)))  # fmt: skip
    gallery.run(0)
    ledger = gallery.lake.ledger("raw", "bazaar", "community_events", day(0))
    assert ledger is not None
    assert ledger.quarantined == {"missing_id": 1}
    assert gallery.counters()[TEMPLATE] == counted(gallery) == (200, 0, 0)


def test_a_partitioned_table_of_stories_may_repeat_an_id_on_another_day(stories: Stories) -> None:
    once: UUID = stories.add_segment(1, at(0, "09:00"))
    stories.add_segment(2, at(1), BOB, id=once, duration=99)
    stories.add_segment(3, at(40), BOB, id=once, duration=99)
    truths = measure(stories.deployment, SCENE_COUNTERS).truths[str(SCENE)]
    assert (truths["segment_count"], truths["total_duration"], truths["contributor_count"]) == (1, 10, 1)
    assert truths["last_segment_at"] == int(at(0, "09:00").timestamp() * 1_000_000)


def test_every_table_of_a_truth_counts_an_id_once(stories: Stories) -> None:
    stories.sql(
        "alter table scene_views drop constraint scene_views_pkey; "
        "alter table likes drop constraint likes_pkey cascade; alter table scenes drop constraint scenes_pkey cascade"
    )
    for n in (0, 1):
        stories.add_view(at(n))
        stories.add_like(at(n), number(n + 1))
    stories.sql("update scene_views set id = (select min(id::text)::uuid from scene_views)")
    stories.sql("update likes set id = (select min(id::text)::uuid from likes)")
    truths = measure(stories.deployment, SCENE_COUNTERS).truths[str(SCENE)]
    assert (truths["view_count"], truths["like_count"]) == (1, 1)
    stories.sql("alter table scenes disable trigger user")
    stories.sql(f"insert into scenes select * from scenes where id = '{SCENE}'")
    assert measure(stories.deployment, TOPIC_COUNTERS).truths[str(TOPIC)] == {"scene_count": 2}
