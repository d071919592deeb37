"""A transaction pooler in front of the source and the target: no step keeps anything in a session."""

from __future__ import annotations

from collections.abc import Callable

from psycopg.conninfo import conninfo_to_dict

from community_pipelines.embedded.postgres import EmbeddedServer
from tests.bazaar.gallery import METRICS, Gallery
from tests.flows import at, day, number
from tests.pooler import Pooler

TEMPLATE = number(1)


def test_days_and_counters_are_the_same_behind_a_transaction_pooler(
    postgres: EmbeddedServer, new_gallery: Callable[..., Gallery]
) -> None:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    gallery.add_views(TEMPLATE, at(0), 3)
    gallery.add_views(TEMPLATE, at(1), 2)
    database = str(conninfo_to_dict(gallery.url)["dbname"])
    with Pooler(postgres.home / "postgres" / ".s.PGSQL.5432", alternating=True) as pooler:
        pooled = new_gallery(bazaar={"source_url": pooler.url(database)})
        pooled.run(0, 1)
        pooled.run(0, 1)
        assert pooled.plan(1).days("raw/community_events", "done") == [day(0), day(1)]
    assert gallery.published(METRICS) == [(TEMPLATE, day(0), "view", 3), (TEMPLATE, day(1), "view", 2)]
    assert gallery.sql("select views_count from community_templates") == [(5,)]
