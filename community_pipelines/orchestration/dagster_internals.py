"""What the project needs of Dagster's private parts; every such import is in this module.

A new Dagster version is reviewed here: per-day results of asset checks in a ranged run, a run that is executed in
this process while the UI shows it as one of the code location's own, and what `dagster dev` is made of.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import yaml
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

if TYPE_CHECKING:
    from starlette.applications import Starlette


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


@contextmanager
def code_server(instance: dg.DagsterInstance, workspace: Path) -> Iterator[Path]:
    """One code server that webserver and daemon share, on a socket; gives the workspace file that leads to it."""
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    with (
        ProxyServerManager(instance, WorkspaceFileTarget([str(workspace)]), "WARNING") as servers,
        tempfile.TemporaryDirectory() as folder,
    ):
        file = Path(folder) / "workspace.yaml"
        file.write_text(yaml.safe_dump({"load_from": [dict(spec) for spec in servers.get_code_server_specs()]}))
        yield file


@contextmanager
def daemon(workspace: Path, seconds: float = 60) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon as a process beside this one, told to end with it, and killed if it does not."""
    from dagster_shared.ipc import get_ipc_shutdown_pipe, send_ipc_shutdown_message

    end, told = get_ipc_shutdown_pipe()
    arguments = ["-P", "-m", "dagster._daemon", "run", "--workspace", str(workspace), "--shutdown-pipe", str(end)]
    # In a session of its own the terminal's Ctrl-C does not reach it: one word to end is enough.
    process = subprocess.Popen([sys.executable, *arguments], pass_fds=[end], start_new_session=True)
    try:
        yield process
    finally:
        send_ipc_shutdown_message(told)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def webserver(instance: dg.DagsterInstance, workspace: Path) -> Iterator[Starlette]:
    """Dagster's webserver as an ASGI app, not yet listening anywhere."""
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.cli import (
        DEFAULT_DB_STATEMENT_TIMEOUT,
        DEFAULT_POOL_MAX_OVERFLOW,
        DEFAULT_POOL_RECYCLE,
    )
    from dagster_webserver.version import __version__

    instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)]), version=__version__) as context:
        yield create_app_from_workspace_process_context(context)
