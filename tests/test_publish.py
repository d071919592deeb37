"""Publishing: whole days replaced at once, nothing else touched, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from community_pipelines.models import publish as publishing
from community_pipelines.models.project import load_model
from community_pipelines.models.publish import Published, PublishError
from tests.bazaar.gallery import HISTORY, METRICS, Gallery, make_gallery
from tests.flows import day, number
from tests.publishing import FIRST, SECOND, THIRD, Interruption, Row, publish, published, put, records


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(FIRST, SECOND, THIRD)
    return gallery


def test_days_are_published_and_recorded_together(gallery: Gallery) -> None:
    put(gallery, 0, (FIRST, "view", 3), (SECOND, "use", 1))
    put(gallery, 1, (FIRST, "view", 5))
    assert publish(gallery, 0, 1) == [Published(day(0), 2, 0, True), Published(day(1), 1, 0, True)]
    assert published(gallery, 0) == [(FIRST, "view", 3), (SECOND, "use", 1)]
    assert published(gallery, 1) == [(FIRST, "view", 5)]
    assert records(gallery) == [(day(0), 2, 0, None, "run"), (day(1), 1, 0, None, "run")]


def test_unchanged_days_are_not_touched(gallery: Gallery) -> None:
    put(gallery, 0, (FIRST, "view", 3))
    put(gallery, 1, (FIRST, "view", 5))
    publish(gallery, 0, 1)
    before = gallery.fingerprints()
    again = publish(gallery, 0, 1, run_id="another")
    assert [one.written for one in again] == [False, False]
    assert gallery.fingerprints() == before


def test_in_a_changed_day_only_the_changed_rows_are_written(gallery: Gallery) -> None:
    put(gallery, 0, (FIRST, "use", 1), (FIRST, "view", 3), (SECOND, "view", 1))
    publish(gallery)
    query = f"select event_type, xmin::text from {METRICS} where template_id = %s"
    before = dict(gallery.sql(query, (FIRST,)))
    put(gallery, 0, (FIRST, "use", 1), (FIRST, "view", 4), (THIRD, "view", 1))
    publish(gallery)
    after = dict(gallery.sql(query, (FIRST,)))
    assert published(gallery) == [(FIRST, "use", 1), (FIRST, "view", 4), (THIRD, "view", 1)]
    assert after["use"] == before["use"]
    assert after["view"] != before["view"]


def test_an_empty_day_is_published_as_empty(gallery: Gallery) -> None:
    put(gallery, 0)
    put(gallery, 1, (FIRST, "view", 1))
    publish(gallery, 0, 1)
    assert records(gallery) == [(day(0), 0, 0, None, "run"), (day(1), 1, 0, None, "run")]
    put(gallery, 1)
    publish(gallery, 1)
    assert gallery.published(METRICS) == []
    assert records(gallery)[1] == (day(1), 0, 0, None, "run")


def test_rows_of_other_days_stay(gallery: Gallery) -> None:
    for n in range(3):
        put(gallery, n, (FIRST, "view", n + 1))
    publish(gallery, 0, 1, 2)
    put(gallery, 1)
    publish(gallery, 1)
    assert [published(gallery, n) for n in range(3)] == [[(FIRST, "view", 1)], [], [(FIRST, "view", 3)]]


def test_rows_of_templates_that_are_gone_are_left_out_and_counted(gallery: Gallery) -> None:
    gallery.delete_templates(SECOND)
    put(gallery, 0, (FIRST, "view", 3), (SECOND, "use", 1), (SECOND, "view", 2))
    put(gallery, 1, (SECOND, "view", 1))
    assert publish(gallery, 0, 1) == [Published(day(0), 1, 2, True), Published(day(1), 0, 1, True)]
    why = "their template_id no longer exists"
    assert records(gallery) == [(day(0), 1, 2, why, "run"), (day(1), 0, 1, why, "run")]
    assert gallery.published(METRICS) == [(FIRST, day(0), "view", 3)]


def test_a_table_without_foreign_key_gets_no_rows_of_deleted_templates_either(gallery: Gallery) -> None:
    gallery.add_views(FIRST, datetime(2026, 1, 1, 12, tzinfo=UTC), 1)
    gallery.add_views(SECOND, datetime(2026, 1, 1, 12, tzinfo=UTC), 1)
    gallery.run(0)
    gallery.delete_templates(SECOND)
    gallery.sql("delete from community.publications")
    publishing.publish(
        gallery.deployment, load_model("bazaar", "template_counters_daily"), gallery.lake, [day(0)], "run", 100
    )
    assert gallery.sql(f"select template_id from {HISTORY}") == [(FIRST,)]


def test_readers_never_see_half_a_day(gallery: Gallery) -> None:
    templates = [number(n) for n in range(100, 400)]
    gallery.add_templates(*templates)
    states = [
        [(template, "view", 1) for template in templates],
        [(template, "use", 3) for template in templates[::2]],
    ]
    seen = set()
    finished = threading.Event()

    def read() -> None:
        query = f"select count(*), sum(count)::int from {METRICS} where day = any(%s) group by day order by day"
        with psycopg.connect(gallery.url, autocommit=True) as connection:
            while not finished.is_set():
                seen.add(tuple(connection.execute(query.encode(), ([day(0), day(1)],)).fetchall()))

    def replace(rows: Sequence[Row]) -> None:
        for n in (0, 1):
            put(gallery, n, *rows)
        publish(gallery, 0, 1)

    replace(states[0])
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for turn in range(1, 13):
            replace(states[turn % 2])
    finally:
        finished.set()
        thread.join()
    assert seen == {((300, 300), (300, 300)), ((150, 450), (150, 450))}


def test_nothing_is_seen_before_the_commit(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    put(gallery, 0, (FIRST, "view", 3), (SECOND, "view", 2))
    put(gallery, 1, (FIRST, "view", 7))
    publish(gallery, 0, 1)
    before = gallery.fingerprints()
    put(gallery, 0, (FIRST, "view", 4))
    put(gallery, 1)
    seen = []
    Interruption(monkeypatch, lambda: seen.append(gallery.fingerprints()))
    publish(gallery, 0, 1)
    assert seen == [before]
    assert [published(gallery, n) for n in (0, 1)] == [[(FIRST, "view", 4)], []]


def test_a_transaction_ends_at_the_row_limit_and_never_within_a_day(gallery: Gallery) -> None:
    for n in range(4):
        put(gallery, n, (FIRST, "view", 1), (SECOND, "view", 1))
    publish(gallery, 0, 1, 2, 3, limit=4)
    writers = gallery.sql(f"select day, array_agg(distinct xmin::text) from {METRICS} group by day order by day")
    first, second, third, fourth = (writer for _, writer in writers)
    assert first == second != third == fourth
    for n in range(4):
        put(gallery, n, (FIRST, "view", 2), (SECOND, "view", 2))
    publish(gallery, 0, 1, 2, 3, limit=1)
    writers = gallery.sql(f"select day, array_agg(distinct xmin::text) from {METRICS} group by day order by day")
    assert [len(writer) for _, writer in writers] == [1, 1, 1, 1]
    assert len({writer[0] for _, writer in writers}) == 4


def test_a_day_that_cannot_be_written_leaves_the_days_of_its_transaction_as_they_were(gallery: Gallery) -> None:
    for n in range(3):
        put(gallery, n, (FIRST, "view", 1))
    publish(gallery, 0, 1, 2)
    gallery.sql(f"alter table {METRICS} add check (count < 100)")
    for n, count in enumerate((2, 3, 500)):
        put(gallery, n, (FIRST, "view", count))
    with pytest.raises(errors.CheckViolation):
        publish(gallery, 0, 1, 2, limit=2)
    assert [published(gallery, n)[0][2] for n in range(3)] == [2, 3, 1]
    assert [one.written for one in publish(gallery, 0, 1)] == [False, False]


def test_a_day_without_a_file_is_named(gallery: Gallery) -> None:
    put(gallery, 0, (FIRST, "view", 1))
    with pytest.raises(PublishError, match=f"bazaar: community_metrics_daily has no file for {day(1)}"):
        publish(gallery, 0, 1)
    assert gallery.published(METRICS) == []


def test_a_mapped_table_is_published_under_its_own_names(gallery: Gallery, tmp_path: Path) -> None:
    gallery.sql(
        """
        create table "bazaar-vid_community_metric_daily" (
            "templateId" uuid, day date, "eventType" text, count bigint, primary key ("templateId", day, "eventType")
        )
        """
    )
    mapped = make_gallery(
        gallery.url,
        tmp_path,
        bazaar={
            "tables": {"community_metrics_daily": "public.bazaar-vid_community_metric_daily"},
            "columns": {"community_metrics_daily": {"template_id": "templateId", "event_type": "eventType"}},
        },
    )
    for counts in ((1, 2), (3, 2)):
        put(mapped, 0, (FIRST, "use", counts[0]), (FIRST, "view", counts[1]))
        publish(mapped)
        rows = gallery.sql('select * from "bazaar-vid_community_metric_daily" order by "eventType"')
        assert rows == [(FIRST, day(0), "use", counts[0]), (FIRST, day(0), "view", counts[1])]
    assert gallery.published(METRICS) == []
