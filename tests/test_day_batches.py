"""A day arrives in batches; what is said of it is said of all of them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.lake.late import late_days
from community_pipelines.lake.ledger import Ledger
from community_pipelines.lake.writer import FEW, DayWriter
from community_pipelines.quality.accounting import account
from tests.bazaar.gallery import Gallery
from tests.declared import COMMUNITY_EVENTS
from tests.flows import at, day, number

TEMPLATE = number(1)
ROWS = 20_000
NAME = ("bazaar", "community_events", day(0))


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery(quarantine_limit=0.9)
    gallery.add_templates(TEMPLATE)
    return gallery


def read(gallery: Gallery) -> Ledger:
    assert gallery.extract(0)[day(0)].accepted
    found = gallery.lake.ledger("raw", *NAME)
    assert found is not None
    return found


def test_what_a_days_ledger_says_holds_for_the_first_batch_as_for_the_last(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first row is the oldest and one in the middle the newest: neither is in the last batch.
    gallery.sql(
        "insert into community_events (id, template_id, event_type, referrer, created_at) "
        "select lpad(n::text, 32, '0')::uuid, %s, case when n %% 1000 = 0 then 'share' else 'view' end, "
        "repeat(md5(n::text), 100), %s + (case when n < 10000 then n else 20001 - n end) * interval '1 second' "
        "from generate_series(1, %s) as n",
        (TEMPLATE, at(0, "10:00"), ROWS),
    )
    sizes = []
    add = DayWriter.add

    def noted(writer: DayWriter, batch: pa.RecordBatch) -> None:
        sizes.append(batch.num_rows)
        add(writer, batch)

    monkeypatch.setattr(DayWriter, "add", noted)
    ledger = read(gallery)
    assert len(sizes) > 2
    assert (ledger.read, ledger.accepted, ledger.quarantined) == (ROWS, ROWS - 20, {"unknown_event_type": 20})
    moments = "select min(created_at), max(created_at) from community_events where event_type = 'view'"
    assert gallery.sql(moments) == [(ledger.min_time, ledger.max_time)]
    assert late_days(gallery.deployment, COMMUNITY_EVENTS, gallery.lake, [day(0)]) == {}
    assert gallery.sql("select * from community.deletions_seen") == []
    (row,) = account(gallery.settings, gallery.deployment, verify=True)
    assert (row.fault, row.residue) == ("", 0)
    for n in (1, ROWS - 1):
        before = read(gallery).content_hash
        gallery.sql("update community_events set scene_count = 7 where id = %s", (f"{n:032}",))
        assert read(gallery).content_hash != before


@pytest.mark.parametrize("broken", [FEW, FEW + 1, 2 * FEW])
def test_few_and_many_broken_rows_are_told_from_the_others(gallery: Gallery, broken: int) -> None:
    gallery.sql(
        "insert into community_events (id, template_id, event_type, created_at) "
        "select lpad(n::text, 32, '0')::uuid, %s, case when n <= 2 * %s and n %% 2 = 0 then 'share' else 'view' end, "
        "%s from generate_series(1, 500) as n",
        (TEMPLATE, broken, at(0)),
    )
    ledger = read(gallery)
    assert (ledger.accepted, ledger.quarantined) == (500 - broken, {"unknown_event_type": broken})
    kept = pq.read_table(gallery.lake.path("raw", *NAME))
    aside = pq.read_table(gallery.lake.path("quarantine", *NAME))
    assert set(kept["event_type"].to_pylist()) == {"view"}
    assert set(aside["event_type"].to_pylist()) == {"share"}
    ids = kept["id"].to_pylist() + aside["id"].to_pylist()
    assert sorted(one.int for one in ids) == sorted(int(f"{n}", 16) for n in range(1, 501))
    (row,) = account(gallery.settings, gallery.deployment, verify=True)
    assert row.fault == ""
