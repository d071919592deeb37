"""The graph that Dagster loads, so that a change of it is seen in review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from community_pipelines import settings
from community_pipelines.orchestration.definitions import build_definitions

SNAPSHOT = Path(__file__).with_name("graph.yml")


def graph() -> dict[str, Any]:
    """Assets with dependencies and checks; jobs, schedules and sensors with what they run and when."""
    repository = build_definitions(settings.load()).get_repository_def()
    assets = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "depends_on": sorted(parent.to_user_string() for parent in assets.get(key).parent_keys),
                "checks": sorted(check.name for check in assets.get_check_keys_for_assets({key})),
                "group": assets.get(key).group_name,
                "partitioned": assets.get(key).is_partitioned,
                "external": not assets.get(key).is_materializable,
            }
            for key in sorted(assets.get_all_asset_keys())
        },
        "jobs": sorted(name for name in repository.job_names if not name.startswith("__")),
        "schedules": {
            schedule.name: {
                "cron": schedule.cron_schedule,
                "job": schedule.job_name,
                "status": schedule.default_status.value,
            }
            for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name)
        },
        "sensors": {
            sensor.name: {"seconds": sensor.minimum_interval_seconds, "status": sensor.default_status.value}
            for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name)
        },
    }


def test_the_graph_is_the_one_that_was_reviewed() -> None:
    written = yaml.safe_load(SNAPSHOT.read_text())

    assert graph() == written, f"if the change is meant: python {Path(__file__).name} writes {SNAPSHOT.name} anew"


def test_every_asset_of_the_chain_has_an_owner_a_group_kinds_and_a_description() -> None:
    repository = build_definitions(settings.load()).get_repository_def()
    for key in repository.asset_graph.get_all_asset_keys():
        node = repository.asset_graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key


def test_every_column_of_a_model_has_a_description_and_known_lineage() -> None:
    repository = build_definitions(settings.load()).get_repository_def()
    models = [key for key in repository.asset_graph.get_all_asset_keys() if "metrics" in key.path]
    assert models
    for key in models:
        metadata = repository.asset_graph.get(key).metadata
        schema = metadata["dagster/column_schema"]
        assert all(column.description for column in schema.columns), key
        lineage = metadata["dagster/column_lineage"].deps_by_column
        # Every model counts something that comes from somewhere; a day may come from the calendar alone.
        assert any(lineage.values()), key
        assert all(lineage[name] for name in lineage if name.endswith("_id")), key


def test_all_assets_of_a_chain_share_one_definition_of_days() -> None:
    definitions = build_definitions(settings.load(start_date="2026-02-03"))
    chain = [a for a in definitions.assets or () if isinstance(a, dg.AssetsDefinition) and a.partitions_def]
    found = {id(asset.partitions_def) for asset in chain}
    assert len(found) == 1
    (days,) = {asset.partitions_def for asset in chain}
    assert isinstance(days, dg.DailyPartitionsDefinition)
    assert days.get_first_partition_key() == "2026-02-03"
    assert days.timezone == "UTC"


@pytest.mark.parametrize("name", ["dagster", "great_expectations", "pandas", "duckdb"])
def test_the_commands_help_imports_no_heavy_library(name: str) -> None:
    import subprocess
    import sys

    code = f"import sys, community_pipelines.cli; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


if __name__ == "__main__":
    SNAPSHOT.write_text(yaml.safe_dump(graph(), sort_keys=False))
