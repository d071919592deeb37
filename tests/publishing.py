"""Model days put into the lake by hand and published, with something happening in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from community_pipelines.lake.duck import literal, session
from community_pipelines.lake.ledger import Ledger
from community_pipelines.lake.writer import text_hash
from community_pipelines.models import publish as publishing
from community_pipelines.models.project import load_model
from community_pipelines.models.publish import Published
from tests.bazaar.gallery import METRICS, Gallery
from tests.flows import day, number

MODEL = load_model("bazaar", "community_metrics_daily")
FIRST, SECOND, THIRD = number(1), number(2), number(3)
Row = tuple[UUID, str, int]


def put(gallery: Gallery, n: int, *rows: Row) -> None:
    """Makes these rows the model's result of that day in the lake."""
    ledger = Ledger(
        kind="models",
        platform="bazaar",
        name=MODEL.name,
        day=day(n),
        accepted=len(rows),
        content_hash=text_hash(repr(sorted(rows, key=repr))),
        schema_hash="",
        code_version="",
        run_id="test",
        read_at=datetime.now(UTC),
    )
    values = ", ".join(f"({literal(str(id))}::uuid, {literal(kind)}, {count})" for id, kind, count in rows)
    source = f"(values {values})" if rows else "(select null::uuid, '', 0 where false)"
    footer = ", ".join(f"{key}: {literal(value)}" for key, value in ledger.to_metadata().items())
    staged = gallery.settings.home / "staged.parquet"
    with session() as engine:
        engine.execute(
            f"copy (select id as template_id, date '{day(n)}' as day, kind as event_type, count::bigint as count "
            f"from {source} as rows(id, kind, count)) to {literal(str(staged))} "
            f"(format parquet, kv_metadata {{{footer}}})"
        )
    gallery.lake.swap(staged, gallery.lake.path("models", "bazaar", MODEL.name, day(n)))


def publish(gallery: Gallery, *days: int, run_id: str = "run", limit: int = 500_000) -> list[Published]:
    wanted = [day(n) for n in days or (0,)]
    return publishing.publish(gallery.deployment, MODEL, gallery.lake, wanted, run_id, limit)


def published(gallery: Gallery, n: int = 0) -> list[Row]:
    return gallery.sql(f"select template_id, event_type, count from {METRICS} where day = %s order by 1, 2", (day(n),))


def records(gallery: Gallery) -> list[tuple[date, int, int, str | None, str]]:
    return gallery.sql("select day, rows, left_out, left_out_why, run_id from community.publications order by day")


class Interruption:
    """Does something once, in the middle of a publishing transaction: rows are written and not committed."""

    def __init__(self, patch: pytest.MonkeyPatch, work: Callable[[], object], times: int = 1) -> None:
        self.left = times
        replace = publishing._replace

        def interrupted(*values: object) -> None:
            replace(*values)  # type: ignore[arg-type]
            if self.left:
                self.left -= 1
                work()

        patch.setattr(publishing, "_replace", interrupted)


def until_waiting(gallery: Gallery) -> None:
    """Returns when another session of this database waits for a lock."""
    for _ in range(500):
        if gallery.sql(
            "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ):
            return
        time.sleep(0.01)
    raise AssertionError("no session waits")
