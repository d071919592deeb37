"""Runs from the command line on a persistent instance, and what killed ones leave."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from community_pipelines.flow.steps import DayResult
from community_pipelines.orchestration.automation import day_partitions
from community_pipelines.orchestration.daily import RUN_PROCESS, RunProcess, daily_assets
from community_pipelines.orchestration.launch import (
    LOCATION,
    PATIENCE,
    LaunchError,
    LaunchResult,
    instance,
    instance_home,
    launch,
)
from community_pipelines.orchestration.orphaned_runs import close_leftovers
from community_pipelines.settings import process_environment

RAW = dg.AssetKey(["shop", "raw", "visits"])
BAD = date(2026, 1, 3)


@dataclass
class Window:
    days: list[date]


class Raw:
    key = RAW

    def spec(self) -> dg.AssetSpec:
        return dg.AssetSpec(RAW)

    def run(self, window: Window) -> Iterator[DayResult]:
        for day in window.days:
            yield DayResult(day, day != BAD, "half of it is missing" if day == BAD else None, metadata={"rows": 1})


@contextmanager
def _window(context: dg.AssetExecutionContext) -> Iterator[Window]:
    yield Window([date.fromisoformat(key) for key in context.partition_keys])


DEFS = dg.Definitions(
    assets=[daily_assets("shop_daily", [Raw()], day_partitions(date(2026, 1, 1)), "shop", _window)],
    resources={RUN_PROCESS: RunProcess()},
    executor=dg.in_process_executor,
)


def _run(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    found = instance.get_run_by_id(run_id)
    assert found is not None
    return found


def test_a_window_is_one_run_which_the_ui_knows_by_its_location(dagster_instance: dg.DagsterInstance) -> None:
    seen: list[dg.DagsterEvent] = []
    result = launch(DEFS, dagster_instance, [RAW], date(2026, 1, 1), date(2026, 1, 2), seen.append)

    assert result == LaunchResult(result.run_id, True, None, {RAW: 2}, {})
    assert dagster_instance.get_runs_count() == 1
    run = _run(dagster_instance, result.run_id)
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert run.tags["dagster/asset_partition_range_start"] == "2026-01-01"
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.repository_origin.get_label() == f"__repository__@{LOCATION}"
    assert "ASSET_MATERIALIZATION" in {event.event_type_value for event in seen}


def test_the_location_is_the_one_that_workspace_yaml_names() -> None:
    workspace = Path(__file__).resolve().parents[1] / "workspace.yaml"
    assert f"location_name: {LOCATION}\n" in workspace.read_text()


def test_a_single_day_is_a_run_of_that_partition(dagster_instance: dg.DagsterInstance) -> None:
    result = launch(DEFS, dagster_instance, [RAW], date(2026, 1, 2), date(2026, 1, 2))
    assert _run(dagster_instance, result.run_id).tags["dagster/partition"] == "2026-01-02"


def test_a_withheld_day_is_named_with_its_reason_and_the_others_went_out(dagster_instance: dg.DagsterInstance) -> None:
    result = launch(DEFS, dagster_instance, [RAW], date(2026, 1, 1), date(2026, 1, 4))
    assert not result.success
    assert result.materialized == {RAW: 3}
    assert result.withheld == {RAW: [BAD]}
    assert result.message is not None
    assert "2026-01-03 by shop/raw/visits: half of it is missing" in result.message


@pytest.mark.parametrize(
    ("key", "first", "last", "says"),
    [
        (RAW, date(2026, 1, 2), date(2026, 1, 1), "the first day 2026-01-02 lies after the last day 2026-01-01"),
        (RAW, date(2025, 12, 31), date(2026, 1, 1), "has no day 2025-12-31"),
        (RAW, date(2026, 1, 1), date(2999, 1, 1), "has no day 2999-01-01: it is not over"),
        (dg.AssetKey("visits"), date(2026, 1, 1), date(2026, 1, 1), "unknown asset visits: .* shop/raw/visits"),
    ],
)
def test_days_and_assets_that_cannot_run_are_refused_before_a_run_exists(
    key: dg.AssetKey, first: date, last: date, says: str
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(LaunchError, match=says):
            launch(DEFS, instance, [key], first, last)
        assert instance.get_runs_count() == 0


def test_a_run_waits_while_another_works_in_its_pool(dagster_instance: dg.DagsterInstance) -> None:
    storage = dagster_instance.event_log_storage
    storage.initialize_concurrency_limit_to_default("shop")
    storage.claim_concurrency_slot("shop", "a nightly run", "shop_daily")
    waiting = threading.Event()

    def see(event: dg.DagsterEvent) -> None:
        if "blocked by limit for pool shop" in (event.message or ""):
            waiting.set()

    def free() -> None:
        assert waiting.wait(30)
        storage.free_concurrency_slots_for_run("a nightly run")

    other = threading.Thread(target=free)
    other.start()
    result = launch(DEFS, dagster_instance, [RAW], date(2026, 1, 1), date(2026, 1, 1), see)
    other.join()
    assert waiting.is_set()
    assert result.success


def test_a_killed_run_is_failed_and_its_pool_freed_when_the_next_one_starts(database: str, tmp_path: Path) -> None:
    code = f"""if True:
        import time
        from datetime import date
        from pathlib import Path
        from community_pipelines.orchestration.launch import instance, launch
        from tests.test_launch import DEFS, RAW, Raw
        Raw.run = lambda self, window: [print("at work", flush=True), time.sleep(600)]
        with instance(Path({str(tmp_path)!r}), {database!r}) as opened:
            launch(DEFS, opened, [RAW], date(2026, 1, 1), date(2026, 1, 1))
    """
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        with instance(tmp_path, database) as opened:
            (started,) = opened.get_runs()
            assert started.status == dg.DagsterRunStatus.STARTED
        process.kill()

    with instance(tmp_path, database) as opened:
        assert _run(opened, started.run_id).status == dg.DagsterRunStatus.FAILURE
        assert opened.event_log_storage.get_concurrency_info("shop").claimed_slots == []
        assert launch(DEFS, opened, [RAW], date(2026, 1, 1), date(2026, 1, 1)).success


def test_a_run_that_is_killed_before_it_starts_is_known_by_its_process(
    dagster_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object) -> Iterator[dg.DagsterEvent]:
        raise KeyboardInterrupt

    monkeypatch.setattr("community_pipelines.orchestration.launch.execute_run", killed)
    with pytest.raises(KeyboardInterrupt):
        launch(DEFS, dagster_instance, [RAW], date(2026, 1, 1), date(2026, 1, 1))
    (run,) = dagster_instance.get_runs()
    assert run.tags["community/process"].startswith(f"{socket.gethostname()}/{os.getpid()}/")


def test_a_retry_that_was_given_the_tags_of_a_killed_run_is_no_leftover(dagster_instance: dg.DagsterInstance) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    tags = {"community/process": f"{host}/{gone.pid}/1.00/the-run-that-was-killed"}
    retry = dagster_instance.create_run_for_job(
        DEFS.resolve_implicit_global_asset_job_def(), tags={**tags, "dagster/partition": "2026-01-01"}
    )
    assert close_leftovers(dagster_instance) == []
    dagster_instance.add_run_tags(retry.run_id, {"community/process": f"{host}/{gone.pid}/1.00/{retry.run_id}"})
    assert close_leftovers(dagster_instance) == [retry.run_id]


def test_a_code_server_on_a_slow_machine_has_the_time_to_launch_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "from dagster._grpc.client import *; "
        "print(DEFAULT_GRPC_TIMEOUT, DEFAULT_REPOSITORY_GRPC_TIMEOUT, DEFAULT_SCHEDULE_GRPC_TIMEOUT, "
        "DEFAULT_SENSOR_GRPC_TIMEOUT)"
    )

    def read() -> list[int]:
        environment = process_environment({}, PATIENCE)
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return [int(seconds) for seconds in done.stdout.split()]

    launching, loading, scheduling, sensing = read()
    assert min(launching, loading, scheduling) >= 300
    assert sensing >= 900
    monkeypatch.setenv("DAGSTER_GRPC_TIMEOUT_SECONDS", "1234")
    assert read()[0] == 1234


def test_the_instances_folder_holds_the_projects_configuration_and_no_secret(tmp_path: Path) -> None:
    environment = instance_home(tmp_path, "postgresql://someone:secret@db.example:5433/dagster")
    assert environment["COMMUNITY_DATABASE_URL"] == ("postgresql+psycopg2://someone:secret@db.example:5433/dagster")
    folder = Path(environment["DAGSTER_HOME"])
    assert folder == tmp_path / "dagster"
    assert [file.name for file in folder.iterdir()] == ["dagster.yaml"]
    assert "secret" not in (folder / "dagster.yaml").read_text()

    (folder / "dagster.yaml").write_text("telemetry: {enabled: true}")
    instance_home(tmp_path, "postgresql:///dagster")
    assert "enabled: true" not in (folder / "dagster.yaml").read_text().split("run_monitoring")[0]
