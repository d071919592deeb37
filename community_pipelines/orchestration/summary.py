"""What runs did, added up from Dagster's events as they happen. How it is shown is in `commands/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from community_pipelines.models.gone import SWEPT

if TYPE_CHECKING:
    import dagster as dg


@dataclass
class PlatformSummary:
    """What the runs of one command did on one platform, added up from their events."""

    days: set[str] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    published: int = 0
    written: int = 0
    left_out: int = 0
    corrected: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    whole: float = 0.0
    _corrections_seen: set[tuple[str, dg.AssetKey]] = field(default_factory=set)

    def add(self, event: dg.DagsterEvent, key: dg.AssetKey, run_id: str) -> None:
        """Takes the materialization of a day."""
        materialization = event.step_materialization_data.materialization
        facts = {name: value.value for name, value in materialization.metadata.items()}
        self.days.add(str(materialization.partition))
        if key.path[1] == "raw":
            self.read += int(_number(facts.get("read")))
            self.accepted += int(_number(facts.get("dagster/partition_row_count")))
            self.quarantined += int(_number(facts.get("quarantined")))
        elif "published" in facts:
            self.published += int(_number(facts["published"]))
            self.written += int(_number(facts["published"])) if facts.get("changed") else 0
            self.left_out += int(_number(facts.get("left out"))) if facts.get("changed") else 0
        elif "corrected" in facts and (run_id, key) not in self._corrections_seen:
            self._corrections_seen.add((run_id, key))
            self.corrected += int(_number(facts["corrected"]))


@dataclass
class RunSummary:
    """What the runs of one command did, by platform."""

    platforms: dict[str, PlatformSummary] = field(default_factory=dict)

    def see(self, event: dg.DagsterEvent, run_id: str) -> bool:
        """Takes one event; True when it settles one day of one asset."""
        import dagster as dg

        from community_pipelines.orchestration.daily import AUDIT

        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.check_name != AUDIT:
                return False
            if not check.passed:
                self._of(check.asset_key).withheld.add(str(check.partition))
            return True
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            self._of(event.asset_key).add(event, event.asset_key, run_id)
        if event.event_type == dg.DagsterEventType.ASSET_OBSERVATION and event.asset_key is not None:
            facts = event.asset_observation_data.asset_observation.metadata
            self._of(event.asset_key).left_out += int(_number(facts[SWEPT].value)) if SWEPT in facts else 0
        return False

    def add_seconds(self, platform: str, seconds: Mapping[str, float], whole: float) -> None:
        """Adds one run's seconds by stage, and those of the whole run."""
        of = self.platforms.setdefault(platform, PlatformSummary())
        for stage, spent in seconds.items():
            of.seconds[stage] = of.seconds.get(stage, 0.0) + spent
        of.whole += whole

    def _of(self, key: dg.AssetKey) -> PlatformSummary:
        return self.platforms.setdefault(key.path[0], PlatformSummary())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
