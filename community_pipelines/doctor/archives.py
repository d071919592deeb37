"""Archives from before, which hold what must not leave the app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from community_pipelines.databases.deployment import Deployment
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.lake.ledger import LakeError
from community_pipelines.maintenance.cold import may_leave, read_footer


def wide_archives(lake: Path, deployment: Deployment) -> Iterator[Diagnosis]:
    """Names the archived partitions with columns that the lake may not hold, and what to do about each."""
    name = deployment.platform.name
    for one in deployment.platform.partitioned:
        table, allowed = one.table.name, may_leave(deployment, one.table.name)
        for folder in (lake / "cold", lake / "superseded" / "cold"):
            for path in sorted((folder / name / table).rglob("*.parquet")):
                try:
                    wide = [column for column in read_footer(path).columns if column not in allowed]
                except LakeError:
                    continue  # `account --verify` names it
                if not wide:
                    continue
                seen = f"{path} holds {', '.join(wide)}, which must not leave the app"
                advice = f"rm '{path}'  -- it was replaced by one without them"
                if folder == lake / "cold":
                    columns = " ".join(f"--expendable {table}.{column}" for column in wide)
                    advice = (
                        f"community maintain --platform {name} writes it anew without them where its table is still "
                        "there; where that is gone it is their only copy: keep one where the app's data may be, then "
                        f"community maintain --platform {name} {columns}"
                    )
                yield Diagnosis(name, f"archive of {table}", "warning", seen, advice)
