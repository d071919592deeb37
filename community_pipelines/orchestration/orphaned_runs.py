"""Runs whose process is gone: telling them apart, closing them, giving back what they hold.

Dagster's default launcher does not notice a killed run, whose pool slot would keep every later run waiting.
"""

from __future__ import annotations

import socket

import dagster as dg
import psutil

from community_pipelines.orchestration.dagster_internals import UNFINISHED, free_pool_slots

_PROCESS_TAG = "community/process"


def process_tags(run_id: str) -> dict[str, str]:
    """Tags that say which process works a run.

    They name the run, because a retry is given the tags of the run that it repeats.
    """
    return {_PROCESS_TAG: _label(psutil.Process(), run_id)}


def close_leftovers(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose process on this host is gone, free their pool slots, and return their ids."""
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        label = run.tags.get(_PROCESS_TAG, "")
        host, _, rest = label.partition("/")
        if host == socket.gethostname() and label.endswith(run.run_id) and not _lives(label, run.run_id):
            pid = rest.split("/")[0]
            instance.report_run_failed(run, f"Process {pid} of this run is gone: killed, or the machine restarted.")
            free_pool_slots(instance, run.run_id)
            closed.append(run.run_id)
    return closed


def _label(process: psutil.Process, run_id: str) -> str:
    # The start time tells it from a later process that was given the same number.
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.2f}/{run_id}"


def _lives(label: str, run_id: str) -> bool:
    try:
        process = psutil.Process(int(label.split("/")[1]))
        return _label(process, run_id) == label and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
