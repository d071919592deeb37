"""Dagster runs from the command line: the instance, and ranged runs in this process.

Not here: which days to run (the caller's), and runs that the daemon starts.
"""

from __future__ import annotations

import os
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from community_pipelines.errors import ExplainedError
from community_pipelines.flow.steps import Key
from community_pipelines.orchestration.dagster_internals import create_run, execute_run, open_instance
from community_pipelines.orchestration.daily import AUDIT, pool_storage
from community_pipelines.orchestration.orphaned_runs import close_leftovers, process_tags

# The name that workspace.yaml gives to the code location.
LOCATION = "community_pipelines"
# For those who do not import Dagster.
Instance = dg.DagsterInstance
Event = dg.DagsterEvent

# What Dagster's own commands have in their environment unless it is set there. On a busy machine the minute that a
# code server has by default to launch a run is too short, and a thorough look at all days takes a sensor longer.
PATIENCE = {"DAGSTER_GRPC_TIMEOUT_SECONDS": "300", "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "900"}


class LaunchError(ExplainedError):
    """A run cannot be started as asked; the message says why."""


@dataclass(frozen=True)
class LaunchResult:
    """How a run ended.

    `materialized` counts the days that went out, `withheld` names those that did not, per asset. `message` is
    what the run failed with, None when it succeeded.
    """

    run_id: str
    success: bool
    message: str | None
    materialized: Mapping[dg.AssetKey, int]
    withheld: Mapping[dg.AssetKey, Sequence[date]]


@dataclass
class _Outcome:
    success: bool = False
    message: str | None = None
    materialized: Counter[dg.AssetKey] = field(default_factory=Counter)
    withheld: dict[dg.AssetKey, list[date]] = field(default_factory=dict)

    def see(self, event: dg.DagsterEvent) -> None:
        kind = event.event_type
        if kind == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            self.materialized[event.asset_key] += 1
        elif kind == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.check_name == AUDIT and not check.passed and check.partition is not None:
                self.withheld.setdefault(check.asset_key, []).append(date.fromisoformat(check.partition))
        elif kind == dg.DagsterEventType.STEP_FAILURE:
            self.message = failure_message(event)
        elif kind == dg.DagsterEventType.RUN_FAILURE:
            self.message = self.message or event.message
        elif kind == dg.DagsterEventType.RUN_SUCCESS:
            self.success = True


def instance_home(home: Path, storage_url: str) -> dict[str, str]:
    """Prepare `<home>/dagster` as DAGSTER_HOME and return the environment for Dagster's own commands.

    `storage_url` is the libpq URL of Dagster's storage; it goes into the environment only, never into a file.
    """
    folder = home.expanduser().resolve() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    text = Path(__file__).with_name("dagster.yaml").read_text()
    target = folder / "dagster.yaml"
    if not target.exists() or target.read_text() != text:
        unfinished = target.with_name(f"dagster.yaml.{os.getpid()}")
        unfinished.write_text(text)
        unfinished.replace(target)
    return {
        "DAGSTER_HOME": str(folder),
        "COMMUNITY_HOME": str(folder.parent),
        "COMMUNITY_DATABASE_URL": _storage_url(storage_url),
    }


@contextmanager
def instance(home: Path, storage_url: str) -> Iterator[dg.DagsterInstance]:
    """The persistent instance for this process, its connections pooled, leftovers of killed runs closed."""
    environment = instance_home(home, storage_url)
    overrides = {
        "storage": {"postgres": {"postgres_url": environment["COMMUNITY_DATABASE_URL"]}},
        # Capturing would put a pipe in the place of the terminal.
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
    }
    with open_instance(environment["DAGSTER_HOME"], overrides) as opened:
        pool_storage(opened)
        close_leftovers(opened)
        yield opened


def launch(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetKey | Key],
    first: date,
    last: date,
    on_event: Callable[[dg.DagsterEvent], None] | None = None,
    tags: Mapping[str, str] | None = None,
) -> LaunchResult:
    """Run assets over the UTC days first..last (both included) as one Dagster run in this process.

    The run shows in the UI like any other. It waits for its pool, so it never works beside a nightly run of
    the same platform. A failing run is a result, not an exception. Raises LaunchError for days or assets that
    cannot be run.
    """
    selection = [dg.AssetKey.from_coercible(asset) for asset in assets]
    job = _job(defs, selection)
    _check_days(job, selection, first, last)
    return _execute(instance, job, selection, {**partition_tags(first, last), **(tags or {})}, {}, on_event)


def launch_job(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    name: str,
    config: Mapping[str, Any],
    on_event: Callable[[dg.DagsterEvent], None] | None = None,
) -> LaunchResult:
    """Run a job that has no days as one Dagster run in this process; otherwise like `launch`."""
    job = defs.resolve_job_def(name)
    return _execute(instance, job, list(job.asset_layer.selected_asset_keys), {}, config, on_event)


def _execute(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    selection: Sequence[dg.AssetKey],
    tags: Mapping[str, str],
    config: Mapping[str, Any],
    on_event: Callable[[dg.DagsterEvent], None] | None,
) -> LaunchResult:
    pool_storage(instance)
    run_id = str(uuid.uuid4())
    run = create_run(
        instance,
        job,
        LOCATION,
        run_id,
        selection,
        {**process_tags(run_id), "dagster/max_retries": "0", **tags},
        {**config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    outcome = _Outcome()
    for event in execute_run(instance, job, run):
        outcome.see(event)
        if on_event is not None:
            on_event(event)
    return LaunchResult(run_id, outcome.success, outcome.message, outcome.materialized, outcome.withheld)


def _job(defs: dg.Definitions, selection: Sequence[dg.AssetKey]) -> dg.JobDefinition:
    known = defs.resolve_asset_graph().materializable_asset_keys
    unknown = [key.to_user_string() for key in selection if key not in known]
    if unknown or not selection:
        names = ", ".join(sorted(key.to_user_string() for key in known))
        raise LaunchError(f"unknown asset {', '.join(unknown)}: expected one or more of {names}")
    job = defs.resolve_implicit_job_def_def_for_assets(selection)
    if job is None:
        raise LaunchError("these assets do not share their days: run them separately")
    return job


def _check_days(job: dg.JobDefinition, selection: Sequence[dg.AssetKey], first: date, last: date) -> None:
    if first > last:
        raise LaunchError(f"the first day {first} lies after the last day {last}")
    for key in selection:
        days = job.asset_layer.asset_graph.get(key).partitions_def
        for day in (first, last):
            if days is None or not days.has_partition_key(str(day)):
                raise LaunchError(f"{key.to_user_string()} has no day {day}: it is not over, or too early")


def partition_tags(first: date, last: date) -> dict[str, str]:
    """The run tags by which Dagster knows the days first..last, both included."""
    if first == last:
        return {"dagster/partition": str(first)}
    return {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}


def failure_message(event: dg.DagsterEvent) -> str:
    """What a failed step says to people: its own sentence, or the error that the step raised."""
    failure: Any = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    if error is None:
        return str(event.message)
    # Dagster wraps what the step raised. Our own errors are sentences, and need no class before them.
    raised = error.cause or error
    if raised.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return "interrupted; what was finished is kept, run it again for the rest"
    return re.sub(r"^community_pipelines\.[\w.]+: ", "", str(raised.message).strip())


def _storage_url(url: str) -> str:
    from sqlalchemy.engine import make_url

    # SQLAlchemy takes plain postgresql:// for psycopg 3, which dagster-postgres cannot use.
    return make_url(url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
