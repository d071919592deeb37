"""A lake of odd rows: four days of every stream of every platform, with all kinds of values that nobody expects."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import yaml

from community_pipelines.flow.flows import FLOWS
from community_pipelines.lake.files import Lake, days_between
from community_pipelines.platforms.declared import MODELS_FOLDER
from tests.model_cases import Row, table_of, tables, write_table

DAYS = days_between(date(2026, 1, 1), date(2026, 1, 4))
PLATFORMS = [one.platform for one in FLOWS]
# Values that break something somewhere; a column that is not named holds ids of a few that exist or not.
ODD: Mapping[str, list[object]] = {
    "event_type": ["view", "favorite", "unfavorite"],
    "source": [None, "direct", "a_new_place"],
    "scene_count": [None, -1, 0, 3],
    "target_type": ["idea", "scene"],
    "status": [None, "active", "queued", "final_ready", "failed", "pending", "approved", "odd"],
    "stage": [None, "pending", "completed", "upload", "odd"],
    "progress": [None, -1, 0, 100, 101],
    "duration": [None, 0, 5],
    "retry_count": [0, 1, 9],
    "max_retries": [3],
    "role": [None, "user", "odd"],
    "version": [1, 2],
    "is_active": [True],
}


def odd_rows(stream: str, columns: Mapping[str, str], time: str, chance: random.Random) -> Iterator[Row]:
    for number in range(200):
        day = datetime.combine(chance.choice(DAYS[:-1]), datetime.min.time(), UTC)
        row: Row = {}
        for name, kind in columns.items():
            if name == "id":
                row[name] = number + 1
            elif name in ODD:
                row[name] = chance.choice(ODD[name])
            elif kind == "timestamptz":
                row[name] = day + timedelta(seconds=chance.randrange(80_000))
            elif kind == "uuid":
                row[name] = chance.choice(["a", "b", "gone", None] if name.endswith("user_id") else ["a", "b", "gone"])
            else:
                row[name] = chance.choice(["a", "gone", None]) if kind == "varchar" else 1
        row[time] = day + timedelta(seconds=chance.randrange(80_000))
        yield row


def odd_lake(root: Path) -> Lake:
    """Odd rows on all days but the last, which has none; dimensions of a few rows."""
    lake = Lake(root)
    here = Path(__file__)
    for platform in PLATFORMS:
        chance = random.Random(platform.name)
        said = yaml.safe_load((MODELS_FOLDER / platform.name / "sources.yml").read_text())["sources"][0]["tables"]
        for table in said:
            known = tables(platform.name)[table["name"]]
            columns = {column["name"]: column["data_type"] for column in table["columns"]}
            if known.time is not None:
                rows = list(odd_rows(table["name"], columns, known.time, chance))
                write_table(lake, platform.name, table["name"], table_of(rows, known, here), DAYS)
            else:
                # The parents of a and b differ; a comes twice, which must not count a row twice.
                rows = [{"id": name, **({"topic_id": name} if "topic_id" in columns else {})} for name in ("a", "b")]
                write_table(lake, platform.name, table["name"], table_of([*rows, rows[0]], known, here))
    return lake
