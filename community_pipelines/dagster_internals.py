"""What the project needs of Dagster's private parts; every such import is in this module.

A new Dagster version is reviewed here: per-day results of asset checks in a ranged run, and a run that is
executed in this process while the UI shows it as one of the code location's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import POOL_TAG_PREFIX


@dataclass(frozen=True)
class Verdict:
    """The result of one asset check for one partition."""

    check: str
    passed: bool
    severity: dg.AssetCheckSeverity
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def evaluations(
    instance: dg.DagsterInstance, key: dg.AssetKey, verdicts: Mapping[str, Sequence[Verdict]]
) -> Iterator[dg.AssetCheckEvaluation]:
    """The check evaluations of an asset's partitions, to be yielded after their materializations.

    An `AssetCheckResult` cannot name its partition, so the event is built here. The UI shows it only if it
    points to the latest materialization of its partition; one that was never materialized is shown without.
    """
    targets = _latest_materializations(instance, key, list(verdicts))
    for partition, of_partition in verdicts.items():
        for verdict in of_partition:
            yield dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=verdict.check,
                passed=verdict.passed,
                metadata=verdict.metadata,
                target_materialization_data=targets.get(partition),
                severity=verdict.severity,
                description=verdict.description or None,
                blocking=verdict.severity == dg.AssetCheckSeverity.ERROR,
                partition=partition,
            )


def _latest_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Sequence[str]
) -> dict[str, Target]:
    if not partitions:
        return {}
    storage_ids = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions)
    )
    if not storage_ids:
        return {}
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, storage_ids=list(storage_ids.values())), limit=len(storage_ids)
    )
    return {
        str(record.partition_key): Target(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in found.records
    }


UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def open_instance(folder: str, overrides: Mapping[str, Any]) -> dg.DagsterInstance:
    """The instance whose dagster.yaml is in a folder, without the environment that the file refers to."""
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=dict(overrides)))


def create_run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    location: str,
    run_id: str,
    assets: Sequence[dg.AssetKey],
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
) -> dg.DagsterRun:
    """A run of some of a job's assets, known to the UI as a run of the code location's job."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
    return instance.create_run_for_job(
        job,
        run_id=run_id,
        run_config=run_config,
        tags=tags,
        asset_selection=set(assets),
        remote_job_origin=RemoteJobOrigin(repository, job.name),
    )


def execute_run(instance: dg.DagsterInstance, job: dg.JobDefinition, run: dg.DagsterRun) -> Iterator[dg.DagsterEvent]:
    """Execute a created run in this process, giving its events as they happen."""
    return execute_run_iterator(InMemoryJob(job), run, instance)


def unfinished_run(instance: dg.DagsterInstance, pool: str) -> str | None:
    """The id of a run that works in a pool, waits for it or is queued; None when there is none."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags={f"{POOL_TAG_PREFIX}{pool}": "true"}), limit=1)
    return runs[0].run_id if runs else None


def free_pool_slots(instance: dg.DagsterInstance, run_id: str) -> None:
    """Give back the pool slots that a run holds or waits for."""
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
