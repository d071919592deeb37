"""A day is read in one snapshot that cannot write, and read again when PostgreSQL says that this may help."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.counters.drift import measure
from community_pipelines.databases.connections import DatabaseError
from community_pipelines.lake.extract import ExtractError, SourceReader
from community_pipelines.lake.files import Lake
from community_pipelines.lake.late import late_days
from community_pipelines.lake.writer import DayWriter, StagedDay
from community_pipelines.platforms.bazaar.spec import BAZAAR, COUNTERS
from tests.bazaar.gallery import Gallery, make_gallery
from tests.declared import COMMUNITY_EVENTS
from tests.flows import at, day, number

TEMPLATE = number(1)

# Events as a view that calls a function for each of them. Locks of a session are what a transaction that is rolled
# back and may not write leaves behind: how many there are says how often the function failed before.
FAILING = """
create function fails(error text, times integer) returns boolean language plpgsql as $$
declare
    before bigint := (select count(*) from pg_locks where locktype = 'advisory' and classid = 7
        and pid = pg_backend_pid());
begin
    if before < times then
        perform pg_advisory_lock(7, before::integer);
        raise exception 'not this time' using errcode = error;
    end if;
    return false;
end
$$;
create view shown_events as
select *
from community_events
where case when user_agent = 'fails' then not fails('{error}', {times}) else true end
order by created_at
"""


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    return gallery


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, noted and not made: with them the tests would take minutes."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def shown(gallery: Gallery, view: str, folder: Path) -> Gallery:
    """The same gallery, reading its events from a view."""
    gallery.sql(view)
    return make_gallery(gallery.url, folder, bazaar={"tables": {"community_events": "public.shown_events"}})


def read(gallery: Gallery, folder: Path) -> StagedDay:
    with SourceReader(gallery.deployment) as source:
        return source.day(COMMUNITY_EVENTS, day(0), folder, "run", timedelta())


def ids(staged: StagedDay) -> list[int]:
    return sorted(one.int for one in pq.read_table(staged.data)["id"].to_pylist())


def test_a_row_that_commits_while_a_day_is_read_is_not_in_it_however_often_it_is_queried(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ids that repeat are sorted out by a second query, and the day's rows counted by a third.
    gallery.sql("alter table community_events drop constraint community_events_pkey")
    for n in (1, 1, 2):
        gallery.add_event(TEMPLATE, "view", at(0), id=number(n))
    committed: list[UUID] = []
    add = DayWriter.add

    def while_the_app_writes(writer: DayWriter, batch: pa.RecordBatch) -> None:
        add(writer, batch)
        committed.append(gallery.add_event(TEMPLATE, "view", at(0), id=number(10 + len(committed))))

    # The moment between two queries of one day cannot be met from outside.
    monkeypatch.setattr(DayWriter, "add", while_the_app_writes)
    staged = read(gallery, tmp_path)
    assert committed
    assert ids(staged) == [1, 2]
    ledger = staged.ledger
    assert (ledger.read, ledger.accepted, ledger.duplicates) == (3, 2, 1)
    monkeypatch.undo()
    assert ids(read(gallery, tmp_path)) == [1, 2, *(one.int for one in committed)]


def test_reading_a_source_never_writes_into_it(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    noting = shown(
        gallery,
        """
        create table readings (id uuid);
        create function note(uuid) returns boolean language sql volatile as
            'insert into readings values ($1); select true';
        create view shown_events as select * from community_events where note(id)
        """,
        tmp_path,
    )
    with pytest.raises(ExtractError, match="cannot execute INSERT in a read-only transaction"):
        read(noting, tmp_path)
    assert gallery.sql("select * from readings") == []


@pytest.mark.parametrize("rows", [0, 20_000], ids=["the first row", "a row after many"])
def test_a_day_whose_query_is_cancelled_by_a_conflict_is_read_again_from_its_beginning(
    gallery: Gallery, tmp_path: Path, pauses: list[float], rows: int
) -> None:
    gallery.sql(
        "insert into community_events (template_id, event_type, referrer, created_at) "
        "select %s, 'view', repeat(md5(n::text), 100), %s from generate_series(1, %s) as n",
        (TEMPLATE, at(0, "10:00"), rows),
    )
    gallery.add_event(TEMPLATE, "use", at(0, "11:00"), user_agent="fails")
    source = shown(gallery, FAILING.format(error="40001", times=3), tmp_path)
    staged = read(source, tmp_path)
    assert (staged.ledger.read, staged.ledger.accepted, staged.ledger.residue) == (rows + 1, rows + 1, 0)
    assert pq.read_metadata(staged.data).num_rows == rows + 1
    assert len(pauses) == 3
    assert sorted(pauses) == pauses


def test_what_is_asked_of_a_table_before_its_days_is_asked_again_after_a_conflict(
    gallery: Gallery, tmp_path: Path, pauses: list[float]
) -> None:
    gallery.add_event(TEMPLATE, "view", "infinity", user_agent="fails")
    source = shown(gallery, FAILING.format(error="40001", times=2), tmp_path)
    with SourceReader(source.deployment) as reader:
        assert reader.without_day(COMMUNITY_EVENTS) == {"at an infinite time": 1}
    assert len(pauses) == 2


def test_a_day_that_always_conflicts_fails_with_what_to_do(
    gallery: Gallery, tmp_path: Path, pauses: list[float]
) -> None:
    gallery.add_event(TEMPLATE, "view", at(0), user_agent="fails")
    source = shown(gallery, FAILING.format(error="40001", times=4), tmp_path)
    with pytest.raises(ExtractError, match=r"not this time .* nothing was changed; `community doctor` says"):
        read(source, tmp_path)
    assert len(pauses) == 3


def test_a_day_whose_query_fails_otherwise_is_not_read_again(
    gallery: Gallery, tmp_path: Path, pauses: list[float]
) -> None:
    gallery.add_event(TEMPLATE, "view", at(0), user_agent="fails")
    source = shown(gallery, FAILING.format(error="22012", times=1), tmp_path)
    with pytest.raises(ExtractError, match="not this time"):
        read(source, tmp_path)
    assert pauses == []


def test_a_table_of_attributes_that_cannot_be_read_keeps_its_old_copy_and_is_not_called_a_full_disk(
    gallery: Gallery, tmp_path: Path
) -> None:
    gallery.sql(
        """
        create function fails() returns text language plpgsql as $$ begin raise exception 'not this time'; end $$;
        create view shown_users as select fails() as id
        """
    )
    source = make_gallery(gallery.url, tmp_path, bazaar={"tables": {"users": "public.shown_users"}})
    (users,) = (one for one in BAZAAR.dimensions if one.table.name == "users")
    lake, staging = Lake(tmp_path / "lake"), tmp_path / "staging"
    copy = lake.dimension("bazaar", users.name)
    for folder in (copy.parent, staging):
        folder.mkdir(parents=True)
    copy.write_text("old")
    with SourceReader(source.deployment) as reader, pytest.raises(ExtractError, match="not this time"):
        reader.dimension(users, staging, lake, "run")
    assert copy.read_text() == "old"


@pytest.mark.parametrize("error", ["40001", "40P01", "55P03"], ids=["conflict", "deadlock", "lock"])
def test_a_comparison_or_a_count_is_made_again_when_postgresql_says_that_it_may_help(
    gallery: Gallery, tmp_path: Path, pauses: list[float], error: str
) -> None:
    gallery.extract(0)
    gallery.add_event(TEMPLATE, "view", at(0), user_agent="fails")
    source = shown(gallery, FAILING.format(error=error, times=5), tmp_path)
    assert set(late_days(source.deployment, COMMUNITY_EVENTS, gallery.lake, [day(0)])) == {day(0)}
    assert len(pauses) == 5
    assert sorted(pauses) == pauses
    assert [drift.truth for drift in measure(source.deployment, COUNTERS).drifts] == [1]
    assert len(pauses) == 10


@pytest.mark.parametrize(("error", "times", "attempts"), [("40001", 6, 6), ("57014", 1, 1)])
def test_a_comparison_that_always_conflicts_or_fails_otherwise_ends_with_what_the_database_says(
    gallery: Gallery, tmp_path: Path, pauses: list[float], error: str, times: int, attempts: int
) -> None:
    gallery.extract(0)
    gallery.add_event(TEMPLATE, "view", at(0), user_agent="fails")
    source = shown(gallery, FAILING.format(error=error, times=times), tmp_path)
    with pytest.raises(DatabaseError, match="not this time; run it again when the server"):
        late_days(source.deployment, COMMUNITY_EVENTS, gallery.lake, [day(0)])
    assert len(pauses) == attempts - 1
