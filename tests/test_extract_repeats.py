"""An id that repeats is one row of its day, whatever indexes the source has that do not make it unique."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import errors

from community_pipelines.lake.extract import SourceReader
from tests.bazaar.gallery import Gallery
from tests.declared import COMMUNITY_EVENTS
from tests.flows import at, day, number

TEMPLATE = number(1)
# Unique indexes that let an id repeat.
INDEXES = {
    "partial": "create unique index on community_events (id) where event_type = 'view'",
    "two columns": "create unique index on community_events (id, user_agent)",
    "two columns, the id last": "create unique index on community_events (user_agent, id)",
    "expression": "create unique index on community_events ((id::text || user_agent))",
    "expression after the id": "create unique index on community_events (id, lower(user_agent))",
    "another column": "create unique index on community_events (user_agent)",
    "another column, which includes the id": "create unique index on community_events (user_agent) include (id)",
    "not unique": "create index on community_events (id)",
}


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """A day with four rows, two of which are repeats; nothing in the database forbids them."""
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    gallery.sql("alter table community_events drop constraint community_events_pkey")
    for agent, (n, kind) in enumerate([(1, "view"), (1, "use"), (2, "view"), (2, "use")]):
        gallery.add_event(TEMPLATE, kind, at(0, f"0{agent}:00"), id=number(n), user_agent=f"agent {agent}")
    return gallery


def assert_once(gallery: Gallery, folder: Path) -> None:
    """Every id is in the day once, and the other rows are known as its repeats."""
    with SourceReader(gallery.deployment) as source:
        staged = source.day(COMMUNITY_EVENTS, day(0), folder, "run", timedelta())
    assert sorted(one.int for one in pq.read_table(staged.data)["id"].to_pylist()) == [1, 2]
    ledger = staged.ledger
    assert (ledger.read, ledger.accepted, ledger.duplicates, ledger.residue) == (4, 2, 2, 0)


@pytest.mark.parametrize("index", list(INDEXES))
def test_an_index_that_lets_an_id_repeat_is_not_trusted(gallery: Gallery, tmp_path: Path, index: str) -> None:
    gallery.sql(INDEXES[index])
    assert_once(gallery, tmp_path)


def test_an_index_that_could_not_be_built_is_not_trusted(gallery: Gallery, tmp_path: Path) -> None:
    build = "create unique index concurrently left_invalid on community_events (id)"
    with psycopg.connect(gallery.url, autocommit=True) as connection, pytest.raises(errors.UniqueViolation):
        connection.execute(build)
    assert gallery.sql("select indisvalid from pg_index where indexrelid = 'left_invalid'::regclass") == [(False,)]
    assert_once(gallery, tmp_path)


def test_an_id_that_is_broken_once_and_whole_once_is_one_row(gallery: Gallery, tmp_path: Path) -> None:
    # Both files of the day are looked at: of a row in quarantine a repeat may be accepted.
    gallery.sql("delete from community_events where event_type = 'use'")
    gallery.add_event(TEMPLATE, "share", at(0, "10:00"), id=number(1))
    gallery.add_event(TEMPLATE, "share", at(0, "11:00"), id=number(2))
    assert_once(gallery, tmp_path)
