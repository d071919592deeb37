"""Real dbt builds the same folder over the same lake: its rows are the reference for our runner's."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow.parquet as pq
import pytest

from community_pipelines.lake.files import Lake, days_between
from community_pipelines.models.engine import Engine
from community_pipelines.models.inputs import Inputs
from community_pipelines.models.project import load_model
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.declared import EVENT_SOURCES, EVENT_TYPES
from tests.model_cases import Row, readable, table_of, tables, write_table
from tests.real_dbt import dbt

DAYS = days_between(date(2026, 1, 1), date(2026, 1, 10))
QUIET_DAY = date(2026, 1, 6)
# Each after those that it reads.
MODELS = (
    "community_metrics_daily",
    "community_template_activity_daily",
    "community_template_trends",
    "template_counters_daily",
)


def gallery_events(seed: int) -> Iterator[Row]:
    """Ten days of events with what makes trouble: ties, midnights, nobody's favorites, odd sources, a quiet day."""
    chance = random.Random(seed)
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(6_000):
        day = midnight + timedelta(days=chance.randrange(len(DAYS)))
        if day.date() == QUIET_DAY:
            continue
        # Few distinct seconds, so that a user's events often fall on the same moment; some on the day's edges.
        moment = day + timedelta(seconds=chance.randrange(0, 86_400, 7_200))
        if number % 50 == 0:
            moment = day + timedelta(days=1, microseconds=-1)
        yield {
            "id": UUID(int=chance.getrandbits(128)),
            "template_id": f"t{min(chance.randrange(20), chance.randrange(20))}",
            "user_id": chance.choice([None, *(f"u{n}" for n in range(12))]),
            "event_type": chance.choice([*EVENT_TYPES, "view", "favorite", "unfavorite"]),
            "source": chance.choice([None, "a_new_place", *EVENT_SOURCES]),
            "scene_count": chance.randrange(-1, 5),
            "created_at": moment,
        }


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Ten days of events, and templates of which some are deleted, disabled or unlisted."""
    lake = Lake(tmp_path_factory.mktemp("dbt") / "lake")
    here, known = Path(__file__), tables("bazaar")
    events = table_of(gallery_events(seed=20260101), known["community_events"], here)
    write_table(lake, "bazaar", "community_events", events, DAYS)
    templates: list[Row] = [
        {
            "id": f"t{number}",
            "status": "disabled" if number % 5 == 3 else "active",
            "visibility": "unlisted" if number % 7 == 2 else "public",
        }
        for number in range(18)
    ]
    write_table(lake, "bazaar", "community_templates", table_of(templates, known["community_templates"], here))
    return lake


def our_rows(lake: Lake, model: str, days: Sequence[date]) -> list[Row]:
    """The rows of our runner for those days, and its day files in the lake for the models that read them."""
    start, folder = days[0], lake.root.parent
    rows = []
    with Engine(BAZAAR, lake, "300MB", start, folder) as engine:
        for staged in engine.run(load_model("bazaar", model), days, Inputs(BAZAAR, lake, start), folder, "test"):
            rows += pq.read_table(staged.path, partitioning=None).to_pylist()
            lake.swap(staged.path, lake.path("models", "bazaar", model, staged.ledger.day))
    return readable(rows)


def dbt_build(lake: Lake, first: date, last: date) -> None:
    """Runs `dbt build` over those days on a machine of another time zone; a warning of dbt's is an error."""
    days = ("--event-time-start", f"{first}", "--event-time-end", f"{last + timedelta(days=1)}")
    # The rows are odd on purpose: what tests say of them is compared in test_data_tests.py.
    done = dbt(lake, "--warn-error", "build", "--select", "path:bazaar", "--exclude", "source:*", *days)
    assert done.returncode == 0, done.stdout + done.stderr


def dbt_rows(lake: Lake, model: str) -> list[Row]:
    """All rows that dbt holds of a model, with the columns in the contract's order."""
    columns = ", ".join(f'"{name}"' for name in load_model("bazaar", model).contract.column_names())
    with duckdb.connect(str(lake.root.parent / "dbt.duckdb"), read_only=True) as connection:
        result = connection.execute(f"select {columns} from {model}")
        names = [column[0] for column in result.description or ()]
        return readable(dict(zip(names, row, strict=True)) for row in result.fetchall())


def test_every_row_of_every_model_is_the_one_that_real_dbt_gives(lake: Lake) -> None:
    dbt_build(lake, DAYS[0], DAYS[-1])
    ours = {model: our_rows(lake, model, DAYS) for model in MODELS}
    for model in MODELS:
        assert ours[model] == dbt_rows(lake, model), model

    counters, trends = ours["template_counters_daily"], ours["community_template_trends"]
    assert any(str(row["favorites_change"]).startswith("-") for row in counters)
    assert {row["day"] for row in counters} == set(DAYS) - {QUIET_DAY}
    assert {row["day"] for row in trends} == set(DAYS)
    assert any(row["rank_7d"] is None for row in trends)

    # Once more over days in the middle, when all later ones are there to be read by mistake.
    dbt_build(lake, DAYS[3], DAYS[4])
    for model in MODELS:
        assert ours[model] == dbt_rows(lake, model), model
