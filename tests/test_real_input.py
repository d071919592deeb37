"""Real web requests, counted by the pipeline, against counts that were made apart from this project."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from community_pipelines.embedded.postgres import EmbeddedServer, database_url
from tests.community import METRICS, RAW, Community, span

DATA = Path(__file__).parents[2] / "shared" / "data"
EVENTS = DATA / "web_log_events.csv.gz"
TRUTH = DATA / "web_log_daily_truth.csv.gz"
DAYS = span(date(2015, 5, 17), 4)

# The truth counts clicks too: the metrics have three of its types, the activity all of them.
PUBLISHED_TYPES = ("view", "favorite", "use")
ACTIVITY = "community.community_template_activity_daily"
COLUMN_OF_TYPE = {"view": "views", "use": "uses", "click": "clicks"}

pytestmark = pytest.mark.skipif(
    not EVENTS.exists(), reason="the real web requests are not in the folder ../shared/data beside this project"
)
Counts = dict[tuple[str, str, str], int]


@pytest.fixture(scope="module")
def web(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    """The web requests of four days, loaded and run."""
    made = Community(postgres.url("web_log"), tmp_path_factory.mktemp("web"), DAYS[0], templates=0).create()
    with gzip.open(EVENTS, "rt", newline="") as file:
        header = next(csv.reader(file))
        templates = sorted({row[header.index("template_id")] for row in csv.reader(file)})
    with psycopg.connect(made.url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into community_templates (id, slug, title) values (%s, %s, 'A page')",
            [(template, f"page-{number}") for number, template in enumerate(templates)],
        )
        with gzip.open(EVENTS, "rb") as file:
            columns = ", ".join(file.readline().decode().strip().split(","))
            with cursor.copy(f"copy community_events ({columns}) from stdin (format csv)") as copy:
                copy.write(file.read())
    results = made.run(DAYS)
    assert all(result.accepted for of_asset in results.values() for result in of_asset.values())
    yield made
    with psycopg.connect(database_url(postgres.home, "postgres"), autocommit=True) as connection:
        connection.execute("drop database web_log with (force)")


def truth() -> Counts:
    with gzip.open(TRUTH, "rt", newline="") as file:
        return {(row["day"], row["template_id"], row["event_type"]): int(row["count"]) for row in csv.DictReader(file)}


def counted(web: Community, query: str) -> Counts:
    return {(str(day), str(template), kind): count for day, template, kind, count in web.rows(query)}


def test_the_published_daily_metrics_are_the_truth_row_by_row(web: Community) -> None:
    expected = {key: count for key, count in truth().items() if key[2] in PUBLISHED_TYPES}
    assert len(expected) > 2000
    assert counted(web, "select day, template_id, event_type, count from community_metrics_daily") == expected


def test_the_published_activity_is_the_truth_of_all_types_row_by_row(web: Community) -> None:
    types = {key[2] for key in truth()}
    assert types == set(COLUMN_OF_TYPE)
    union = " union all ".join(
        f"select day, template_id, '{kind}', {column} from {ACTIVITY} where {column} > 0"
        for kind, column in COLUMN_OF_TYPE.items()
    )
    assert counted(web, union) == truth()
    assert web.rows(f"select sum(events) from {ACTIVITY}") == [(sum(truth().values()),)]


def test_the_cached_counters_are_the_truth_of_all_days(web: Community) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for (_, template, kind), count in truth().items():
        expected[template, kind] += count
    rows = web.rows("select id, views_count, uses_count, favorites_count from community_templates")
    assert len(rows) == len({template for template, _ in expected})
    for template, views, uses, favorites in rows:
        assert (views, uses, favorites) == (expected[str(template), "view"], expected[str(template), "use"], 0)


def test_every_request_is_accounted_for(web: Community) -> None:
    with gzip.open(EVENTS, "rt", newline="") as file:
        lines = sum(1 for _ in csv.reader(file)) - 1
    assert web.rows(f"select sum(events) from {ACTIVITY}") == [(lines,)]


def test_a_second_run_changes_nothing(web: Community) -> None:
    before = (web.published(), web.lake_files())
    again = web.run(DAYS)
    assert all(result.accepted for result in again[RAW].values())
    assert all(result.metadata["changed"] is False for asset in METRICS for result in again[asset].values())
    assert (web.published(), web.lake_files()) == before
