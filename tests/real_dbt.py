"""Real dbt, run over a lake as its user would."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

from community_pipelines.lake.files import Lake
from community_pipelines.platforms.declared import MODELS_FOLDER


def dbt(lake: Lake, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs it on a machine of another time zone; what it writes is beside the lake: `target`, `logs`, `dbt.duckdb`."""
    scratch = lake.root.parent
    return subprocess.run(
        [
            str(Path(sysconfig.get_path("scripts")) / "dbt"), *words,
            "--target-path", str(scratch / "target"), "--log-path", str(scratch / "logs"),
        ],
        cwd=MODELS_FOLDER,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "TZ": "America/New_York",
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "COMMUNITY_LAKE": str(lake.root),
            "DBT_DUCKDB_DATABASE": str(scratch / "dbt.duckdb"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip
