"""Schedules, sensors and alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from community_pipelines.flow.plan import Request
from community_pipelines.flow.steps import DayResult
from community_pipelines.orchestration import automation
from community_pipelines.orchestration.automation import (
    day_partitions,
    failure_alert,
    sample_verified,
    scheduled,
    stale_days,
    yesterday_exists,
)
from community_pipelines.orchestration.daily import RUN_PROCESS, RunProcess, daily_assets
from community_pipelines.orchestration.launch import failure_message
from tests.hook import Hook

RAW = dg.AssetKey(["shop", "raw", "visits"])


class Raw:
    key = RAW

    def spec(self) -> dg.AssetSpec:
        return dg.AssetSpec(RAW)

    def run(self, window: Any) -> Iterator[DayResult]:
        raise OSError("No space left on device")


@contextmanager
def _window(context: dg.AssetExecutionContext) -> Iterator[Any]:
    yield SimpleNamespace(days=[date.fromisoformat(key) for key in context.partition_keys])


def _daily() -> dg.AssetsDefinition:
    checks = [yesterday_exists(RAW, lambda day: False), sample_verified(RAW, lambda day: ["a file is damaged"])]
    return daily_assets("shop_daily", [Raw()], day_partitions(date(2026, 1, 1)), "shop", _window, checks)


def _definitions(due: Sequence[Request] = ()) -> dg.Definitions:
    daily = _daily()
    return dg.Definitions.merge(
        dg.Definitions(
            assets=[daily],
            resources={RUN_PROCESS: RunProcess()},
            executor=dg.in_process_executor,
        ),
        scheduled("shop", daily, RAW, lambda thorough: due),
    )


@pytest.fixture
def memory() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def afternoon(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 3, 1, 15, 0, tzinfo=UTC)

    monkeypatch.setattr(automation, "datetime", Clock)


def test_days_are_utc_and_end_with_the_last_one_that_is_over() -> None:
    days = day_partitions(date(2026, 1, 1))
    now = datetime(2026, 1, 4, 0, 0, 1, tzinfo=UTC)
    assert days.get_partition_keys(current_time=now) == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert days.timezone == "UTC"


def test_the_night_runs_the_day_that_has_just_closed(memory: dg.DagsterInstance) -> None:
    repository = _definitions().get_repository_def()
    schedule = repository.get_schedule_def("shop_nightly")
    assert schedule.cron_schedule == "30 0 * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    context = dg.build_schedule_context(
        instance=memory,
        scheduled_execution_time=datetime(2026, 3, 2, 0, 30, tzinfo=UTC),
        repository_def=repository,
    )
    requests = schedule.evaluate_tick(context).run_requests
    assert requests is not None
    assert [request.partition_key for request in requests] == ["2026-03-01"]


def test_everything_runs_by_default() -> None:
    repository = _definitions().get_repository_def()
    assert {s.name: s.default_status.value for s in repository.schedule_defs} == {
        "shop_nightly": "RUNNING",
        "shop_yesterday_exists": "RUNNING",
    }
    assert {s.name: s.default_status.value for s in repository.sensor_defs} == {"shop_stale_days": "RUNNING"}


@pytest.mark.usefixtures("afternoon")
def test_stale_days_are_requested_as_ranges_once_for_each_version_of_their_data(memory: dg.DagsterInstance) -> None:
    due = [
        Request((tuple(RAW.path),), date(2026, 1, 2), date(2026, 1, 9), "v1"),
        Request((tuple(RAW.path),), date(2026, 1, 12), date(2026, 1, 12), "v1"),
    ]
    repository = _definitions(due).get_repository_def()
    sensor = repository.get_sensor_def("shop_stale_days")
    context = dg.build_sensor_context(instance=memory, repository_def=repository)
    window, day = sensor.evaluate_tick(context).run_requests or []
    assert window.asset_selection == [RAW]
    assert window.tags["dagster/asset_partition_range_start"] == "2026-01-02"
    assert window.tags["dagster/asset_partition_range_end"] == "2026-01-09"
    assert day.tags["dagster/partition"] == "2026-01-12"
    assert window.run_key is not None
    assert "v1" in window.run_key


@pytest.mark.usefixtures("afternoon")
def test_every_day_is_compared_with_the_source_once_a_day(memory: dg.DagsterInstance) -> None:
    asked: list[bool] = []

    def due(thorough: bool) -> Sequence[Request]:
        asked.append(thorough)
        return []

    sensor = stale_days("shop", _daily(), due)
    for cursor in ("", "2026-02-28", "2026-03-01"):
        result = sensor(dg.build_sensor_context(instance=memory, cursor=cursor))
        assert isinstance(result, dg.SensorResult)
        assert result.cursor == "2026-03-01"
    assert asked == [True, True, False]


@pytest.mark.usefixtures("afternoon")
def test_nothing_is_requested_while_a_run_of_the_platform_is_at_work(memory: dg.DagsterInstance) -> None:
    due = [Request((tuple(RAW.path),), date(2026, 1, 2), date(2026, 1, 2), "v1")]
    definitions = _definitions(due)
    job = definitions.resolve_implicit_global_asset_job_def()
    run = memory.create_run_for_job(job, tags={"dagster/partition": "2026-01-01"})
    sensor = definitions.get_repository_def().get_sensor_def("shop_stale_days")
    skipped = sensor(dg.build_sensor_context(instance=memory))
    assert isinstance(skipped, dg.SkipReason)
    assert run.run_id in str(skipped.skip_message)


@pytest.mark.parametrize("there", [True, False])
def test_yesterday_is_looked_for_by_the_utc_calendar(there: bool) -> None:
    asked: list[date] = []

    def exists(day: date) -> bool:
        asked.append(day)
        return there

    result = yesterday_exists(RAW, exists).judge()
    assert result.passed is there
    assert asked == [datetime.now(UTC).date() - timedelta(days=1)]


def test_a_missing_yesterday_fails_the_run_that_looks_for_it(memory: dg.DagsterInstance) -> None:
    job = _definitions().resolve_job_def("shop_yesterday_exists")
    result = job.execute_in_process(instance=memory, raise_on_error=False)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "is missing: `community status` says why" in failure_message(failure)


def _alert(url: str | None, instance: dg.DagsterInstance) -> None:
    job = _definitions().resolve_job_def("shop_nightly")
    result = job.execute_in_process(
        instance=instance, partition_key="2026-01-05", raise_on_error=False, asset_selection=[RAW]
    )
    (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    context = dg.build_run_status_sensor_context("failure_alert", event, instance, result.dagster_run).for_run_failure()
    failure_alert(url, local=True)(context)


def test_a_failed_run_is_posted_with_its_days_and_reason(memory: dg.DagsterInstance) -> None:
    with Hook(200) as hook:
        _alert(hook.url, memory)
    (posted,) = hook.posted
    assert posted["first_day"] == posted["last_day"] == "2026-01-05"
    assert posted["error"] == "OSError: No space left on device"
    assert posted["text"].endswith("(shop_nightly) failed for 2026-01-05: OSError: No space left on device")


@pytest.mark.parametrize("status", [404, None])
def test_an_alert_that_cannot_be_posted_is_logged_without_the_secret_url(
    memory: dg.DagsterInstance, status: int | None, capfd: pytest.CaptureFixture[str]
) -> None:
    with Hook(status or 200) as hook:
        url = hook.url
        if status is not None:
            _alert(url, memory)
    if status is None:
        _alert(url, memory)
    said = "".join(capfd.readouterr())
    assert "the alert was not" in said
    assert "secret-token" not in said


def test_without_a_webhook_nothing_is_posted(memory: dg.DagsterInstance) -> None:
    _alert(None, memory)
