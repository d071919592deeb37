"""`Materialize all` of the lineage, as its page asks for it: every asset of every platform, with and without days."""

from __future__ import annotations

from pathlib import Path

import pytest

from community_pipelines.embedded.postgres import stop
from tests.community import community, wait_until
from tests.ui import PROGRAM, opened

ASSETS = "{ assetNodes { assetKey { path } isMaterializable partitionKeys } }"
# What Dagster's page sends, and the parts of the answer that say what became of it.
LAUNCH = """
mutation LaunchPartitionBackfill($backfillParams: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfillParams) { __typename ... on LaunchBackfillSuccess { backfillId } }
}
"""
BACKFILL = """
query Backfill($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } runs(limit: 100) { status assetSelection { path } } }
  }
}
"""
ENDED = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")


def test_it_succeeds_for_all_platforms_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path))
    # Few scenes would have to be drawn often until they fit into so few days.
    sample = ("--templates", 10, "--users", 50, "--days", 2, "--events-per-day", 50, "--scenes", 400)
    try:
        assert community("sample", *sample).exit_code == 0
        with opened(PROGRAM, tmp_path, {"COMMUNITY_GRACE_MINUTES": "0"}) as ui:
            assets = [asset for asset in ui.data(ASSETS)["assetNodes"] if asset["isMaterializable"]]
            keys = [asset["assetKey"] for asset in assets]
            days = sorted({day for asset in assets for day in asset["partitionKeys"]})
            assert len(days) == 2
            assert not all(asset["partitionKeys"] for asset in assets)
            asked = {
                "tags": [{"key": "dagster/from_ui", "value": "true"}],
                "assetSelection": keys,
                "partitionNames": days,
                "fromFailure": False,
            }
            launched = ui.data(LAUNCH, {"backfillParams": asked})["launchPartitionBackfill"]
            assert launched["__typename"] == "LaunchBackfillSuccess"

            def backfill() -> dict[str, object]:
                found: dict[str, object] = ui.data(BACKFILL, {"id": launched["backfillId"]})["partitionBackfillOrError"]
                return found

            wait_until(lambda: backfill()["status"] in ENDED, 300)
            ended = backfill()
            runs = ended["runs"]
            assert isinstance(runs, list)
            assert (ended["status"], ended["error"]) == ("COMPLETED_SUCCESS", None), runs
            assert {run["status"] for run in runs} == {"SUCCESS"}
            done = sorted(key["path"] for run in runs for key in run["assetSelection"])
            assert done == sorted(key["path"] for key in keys)
    finally:
        stop(tmp_path)
