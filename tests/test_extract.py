"""The copy of a source day into the lake: which rows are its, what is kept out, and what a reader may ever see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg.conninfo import conninfo_to_dict

from community_pipelines.databases.connections import connect
from community_pipelines.lake.extract import OpenDayError, SourceReader, prefetched
from community_pipelines.lake.files import day_bounds
from community_pipelines.lake.ledger import Ledger
from community_pipelines.lake.writer import DayWriter
from community_pipelines.platforms.bazaar.spec import BAZAAR, COUNTERS
from community_pipelines.platforms.spec import Platform
from tests.bazaar.gallery import Gallery, make_gallery
from tests.declared import COMMUNITY_EVENTS, EVENT_TYPES, EVENTS_TABLE
from tests.flows import at, day, number

TEMPLATE = number(1)


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_users("ann", "bob")
    gallery.add_templates(TEMPLATE)
    return gallery


def ledger(gallery: Gallery, n: int = 0) -> Ledger:
    found = gallery.lake.ledger("raw", "bazaar", "community_events", day(n))
    assert found is not None
    return found


def path(gallery: Gallery, n: int = 0) -> Path:
    return gallery.lake.path("raw", "bazaar", "community_events", day(n))


def ids(file: Path) -> set[int]:
    return {one.int for one in pq.read_table(file)["id"].to_pylist()}


def test_a_day_is_half_open_in_utc_whatever_zone_the_machine_and_the_database_are_in(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = conninfo_to_dict(gallery.url)["dbname"]
    gallery.sql(f"alter database {name} set timezone = 'America/St_Johns'")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("PGTZ", "Asia/Kolkata")
    time.tzset()
    try:
        moments = {
            1: "2026-01-01 23:59:59.999999+00",
            2: "2026-01-02 00:00:00+00",
            3: "2026-01-02 13:30:00+00",
            4: "2026-01-02 23:59:59.999999+00",
            5: "2026-01-03 00:00:00+00",
        }
        for id, moment in moments.items():
            gallery.add_event(TEMPLATE, "view", moment, id=number(id))
        gallery.run(0, 2)
        assert [ids(path(gallery, n)) for n in range(3)] == [{1}, {2, 3, 4}, {5}]
        rows = gallery.sql("select day, count from community_metrics_daily order by day")
        assert rows == [(day(0), 1), (day(1), 3), (day(2), 1)]
        assert ledger(gallery, 1).min_time == at(1, "00:00")
        assert ledger(gallery, 1).max_time == at(1, "23:59:59.999999")
        assert gallery.settle(2) == []
    finally:
        monkeypatch.undo()
        time.tzset()


MAPPED = {
    "tables": {"community_events": "public.bazaar-vid_community_event"},
    "columns": {
        "community_events": {"created_at": "createdAt", "event_type": "eventType", "template_id": "templateId"}
    },
}


def with_plain_times(platform: Platform) -> Platform:
    """The platform, declaring its events' time as one without zone."""
    columns = [replace(c, type="timestamp") if c.name == "created_at" else c for c in EVENTS_TABLE.columns]
    events = replace(EVENTS_TABLE, columns=tuple(columns))
    stream = replace(COMMUNITY_EVENTS, table=events, columns=events.columns)
    return replace(
        platform,
        tables=tuple(events if table is EVENTS_TABLE else table for table in platform.tables),
        streams=(stream,),
        counter_tables=(replace(COUNTERS, events=stream),),
    )


def test_times_without_zone_in_a_mapped_table_are_utc_by_declaration(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.sql(
        """
        create type kind as enum ('view', 'favorite', 'unfavorite', 'use', 'mix', 'prompt', 'click', 'share');
        create table "bazaar-vid_community_event" (
            id uuid primary key, "templateId" uuid not null, user_id text, "eventType" kind not null, source text,
            project_id uuid, scene_count integer, referrer text, user_agent text, "createdAt" timestamp not null
        );
        insert into "bazaar-vid_community_event" (id, "templateId", "eventType", "createdAt")
        select lpad(id::text, 32, '0')::uuid, lpad('1', 32, '0')::uuid, kind, moment
        from (values
            (1, 'view'::kind, '2026-01-01 23:59:59.999999'::timestamp),
            (2, 'view', '2026-01-02 00:00'),
            (3, 'favorite', '2026-01-02 23:59:59.999999')
        ) as written (id, kind, moment)
        """
    )
    monkeypatch.setenv("PGTZ", "Asia/Kolkata")
    platform = with_plain_times(BAZAAR)
    mapped = make_gallery(gallery.url, tmp_path, platform=platform, bazaar=MAPPED)
    with SourceReader(mapped.deployment) as source:
        staged = [source.day(platform.streams[0], day(n), tmp_path, "run", timedelta()) for n in (0, 1)]
    assert [ids(one.data) for one in staged] == [{1}, {2, 3}]
    assert staged[1].ledger.min_time == at(1, "00:00")
    assert staged[1].ledger.max_time == at(1, "23:59:59.999999")
    assert pq.read_table(staged[1].data)["event_type"].to_pylist() == ["view", "favorite"]


def test_broken_rows_are_set_aside_with_their_rule_and_the_others_are_counted(gallery: Gallery) -> None:
    gallery.sql(
        "alter table community_events drop constraint community_events_pkey, alter id drop not null, "
        "alter template_id drop not null, alter event_type drop not null"
    )
    gallery.add_views(TEMPLATE, at(0), 400)
    insert = "insert into community_events (id, template_id, event_type, created_at) values (%s, %s, %s, %s)"
    gallery.sql(insert, (None, TEMPLATE, "view", at(0)))
    gallery.sql(insert, (number(2), None, "view", at(0)))
    gallery.sql(insert, (number(3), TEMPLATE, "share", at(0)))
    gallery.sql(insert, (number(4), TEMPLATE, None, at(0)))
    result = gallery.extract(0)[day(0)]
    assert result.accepted
    kept = ledger(gallery)
    assert kept.quarantined == {"missing_id": 1, "missing_template": 1, "unknown_event_type": 2}
    assert (kept.read, kept.accepted, kept.duplicates, kept.residue) == (404, 400, 0, 0)
    aside = pq.read_table(gallery.lake.path("quarantine", "bazaar", "community_events", day(0)))
    assert sorted(zip(aside["rule"].to_pylist(), aside["reason"].to_pylist(), strict=True)) == [
        ("missing_id", "the event has no id"),
        ("missing_template", "the event names no template"),
        *[("unknown_event_type", f"the event type is not one of {', '.join(EVENT_TYPES)}")] * 2,
    ]


def test_unknown_event_types_are_named_with_their_counts(gallery: Gallery) -> None:
    gallery.add_views(TEMPLATE, at(0), 400)
    for event_type in ("share", "share", "download"):
        gallery.add_event(TEMPLATE, event_type, at(0))
    result = gallery.extract(0)[day(0)]
    assert result.metadata["quarantined: unknown_event_type"] == "3: download (1), share (2)"


def test_odd_values_that_no_count_needs_are_counted_and_only_warn(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(0), "ann", source="billboard")
    gallery.add_event(TEMPLATE, "use", at(0), "ann", scene_count=-3)
    gallery.add_event(TEMPLATE, "favorite", at(0), None)
    gallery.add_event(TEMPLATE, "view", at(0), "nobody")
    results = gallery.run(0)
    warned = {f.column: f.observed for f in results["raw/community_events", day(0)].findings if not f.success}
    assert warned == {
        "unknown_sources": 1,
        "negative_scene_counts": 1,
        "favorites_without_user": 1,
        "unknown_users": 1,
    }
    assert ledger(gallery).accepted == 4
    counted = gallery.sql("select event_type, count from community_metrics_daily order by event_type")
    assert counted == [("favorite", 1), ("use", 1), ("view", 2)]
    assert gallery.counters()[TEMPLATE] == (2, 0, 1)


@pytest.mark.parametrize(("broken", "accepted"), [(1, True), (2, False)])
def test_a_day_with_more_than_one_percent_in_quarantine_is_withheld(
    gallery: Gallery, broken: int, accepted: bool
) -> None:
    gallery.add_views(TEMPLATE, at(0), 100 - broken)
    for _ in range(broken):
        gallery.add_event(TEMPLATE, "share", at(0))
    result = gallery.extract(0)[day(0)]
    assert result.accepted is accepted
    assert path(gallery).exists() is accepted
    if not accepted:
        assert "share of rows in quarantine: 0.02 (expected ≥ 0 and ≤ 0.01)" in str(result.reason)


def test_an_empty_day_has_a_file(gallery: Gallery) -> None:
    assert gallery.extract(0)[day(0)].accepted
    assert pq.read_table(path(gallery)).num_rows == 0
    empty = ledger(gallery)
    assert (empty.read, empty.accepted, empty.min_time, empty.fingerprint) == (0, 0, None, (0, 0))


def test_where_ids_repeat_one_row_counts_and_the_others_are_duplicates(gallery: Gallery) -> None:
    gallery.sql("alter table community_events drop constraint community_events_pkey")
    for n, clock in ((1, "09:00"), (1, "10:00"), (1, "11:00"), (2, "10:00")):
        gallery.add_event(TEMPLATE, "view", at(0, clock), id=number(n))
    result = gallery.extract(0)[day(0)]
    assert [f.observed for f in result.findings if f.column == "duplicates" and not f.success] == [2]
    kept = ledger(gallery)
    assert (kept.read, kept.accepted, kept.duplicates, kept.residue) == (4, 2, 2, 0)
    assert kept.min_time == at(0, "09:00")
    assert ids(path(gallery)) == {1, 2}


def test_hash_and_fingerprint_do_not_depend_on_the_order_of_rows(gallery: Gallery) -> None:
    seen = []
    for numbers in ((1, 2, 3), (3, 1, 2), (1, 2, 3, 4)):
        gallery.sql("truncate community_events")
        for n in numbers:
            gallery.add_event(TEMPLATE, "view", at(0), f"user {n}", id=number(n))
        gallery.extract(0)
        seen.append((ledger(gallery).content_hash, ledger(gallery).fingerprint))
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[2][0]
    assert seen[0][1] != seen[2][1]


def test_a_value_that_no_count_needs_changes_the_hash_and_not_the_fingerprint(gallery: Gallery) -> None:
    event = gallery.add_event(TEMPLATE, "view", at(0))
    gallery.extract(0)
    before = ledger(gallery)
    gallery.sql("update community_events set scene_count = 3 where id = %s", (event,))
    gallery.extract(0)
    assert ledger(gallery).content_hash != before.content_hash
    assert ledger(gallery).fingerprint == before.fingerprint


def test_a_day_is_open_until_it_is_over_by_the_grace_period_on_the_databases_clock(gallery: Gallery) -> None:
    (now,) = gallery.sql("select clock_timestamp()")[0]
    yesterday = now.date() - timedelta(days=1)
    over = now - day_bounds(yesterday)[1]
    with SourceReader(gallery.deployment) as source:
        folder = gallery.settings.home
        staged = source.day(COMMUNITY_EVENTS, yesterday, folder, "run", over)
        assert staged.ledger.read_at >= now
        with pytest.raises(OpenDayError, match=f"community_events for {yesterday} is not closed before"):
            source.day(COMMUNITY_EVENTS, yesterday, folder, "run", over + timedelta(minutes=1))
        with pytest.raises(OpenDayError, match="run it again later"):
            source.day(COMMUNITY_EVENTS, now.date(), folder, "run", timedelta())


def test_a_window_that_ends_in_an_open_day_is_refused_and_changes_nothing(gallery: Gallery) -> None:
    (now,) = gallery.sql("select clock_timestamp()")[0]
    with pytest.raises(OpenDayError, match="is not closed before"):
        gallery.run(now.date() - timedelta(days=2), now.date())
    assert gallery.lake.days("raw", "bazaar", "community_events") == []


def test_rows_arrive_in_batches_of_limited_size_and_few_of_them_wait(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.sql(
        "insert into community_events (template_id, event_type, user_agent, created_at) "
        "select %s, 'view', repeat(md5(n::text), 100), %s from generate_series(1, 20000) as n",
        (TEMPLATE, at(0)),
    )
    sizes = []
    add = DayWriter.add

    def noted(writer: DayWriter, batch: pa.RecordBatch) -> None:
        sizes.append(batch.nbytes)
        add(writer, batch)

    monkeypatch.setattr(DayWriter, "add", noted)
    gallery.extract(0)
    assert ledger(gallery).accepted == 20_000
    assert sum(sizes) > 60_000_000
    assert max(sizes) < 20_000_000
    assert pq.ParquetFile(path(gallery)).num_row_groups >= len(sizes)


def test_the_reading_thread_is_never_more_than_a_few_batches_ahead() -> None:
    read = []

    def batches() -> Iterator[pa.RecordBatch]:
        for n in range(50):
            read.append(n)
            yield pa.record_batch({"n": [n]})

    taken = []
    for batch in prefetched(batches(), depth=2):
        time.sleep(0.002)
        taken.append(batch["n"][0].as_py())
        assert len(read) <= len(taken) + 4
    assert taken == list(range(50))


def test_reading_ends_at_the_next_batch_when_the_writer_fails() -> None:
    read = []

    def batches() -> Iterator[pa.RecordBatch]:
        for n in range(1000):
            read.append(n)
            yield pa.record_batch({"n": [n]})

    def write_until_the_disk_is_full() -> None:
        for _ in prefetched(batches(), depth=2):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_until_the_disk_is_full()
    assert len(read) < 10


def test_a_row_at_the_end_of_time_stops_neither_days_nor_counters(gallery: Gallery) -> None:
    gallery.add_event(TEMPLATE, "view", at(0))
    for moment in ("-infinity", "infinity", "0044-03-15 12:00:00+00 BC"):
        gallery.add_event(TEMPLATE, "mix", moment)
    results = gallery.run(0)
    assert [result.accepted for result in results.values()] == [True] * len(results)
    assert ledger(gallery).accepted == 1
    assert gallery.counters()[TEMPLATE] == (1, 0, 0)


def test_connections_say_whose_they_are(gallery: Gallery) -> None:
    with SourceReader(gallery.deployment), connect(gallery.url, "test"):
        names = gallery.sql("select application_name from pg_stat_activity where datname = current_database()")
    assert names.count(("community-pipelines",)) == 2
