"""The daily chain in Dagster: what is recorded for good days, bad days and broken steps.

The steps are made up; the runs, their events and the storage they are read back from are real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from community_pipelines.flow.steps import DayResult, Shown
from community_pipelines.orchestration.automation import day_partitions
from community_pipelines.orchestration.daily import AUDIT, RUN_PROCESS, WATCH, RunProcess, StateCheck, daily_assets
from community_pipelines.quality.findings import Finding

DAYS = day_partitions(date(2026, 1, 1))
RAW = dg.AssetKey(["shop", "raw", "visits"])
METRICS = dg.AssetKey(["shop", "metrics", "visits_daily"])
COUNTERS = dg.AssetKey(["shop", "counters", "items"])


@dataclass
class Window:
    days: Sequence[date]


@dataclass
class Made:
    """A step that gives the results of a function."""

    key: dg.AssetKey
    results: Callable[[Window], Iterator[DayResult]]
    deps: Sequence[dg.AssetKey] = ()

    def spec(self) -> dg.AssetSpec:
        return dg.AssetSpec(self.key, deps=self.deps)

    def run(self, window: Window) -> Iterator[DayResult]:
        return self.results(window)


@dataclass
class Chain:
    """Three steps that keep back what the test says."""

    bad: set[date] = field(default_factory=set)
    odd: set[date] = field(default_factory=set)

    def raw(self, window: Window) -> Iterator[DayResult]:
        for day in window.days:
            nulls = Finding("nulls", "item_id", "error", day not in self.bad, 7 if day in self.bad else 0, "0")
            volume = Finding("volume", "", "warning", day not in self.odd, 0.1, "0.5 to 2")
            yield DayResult(day, day not in self.bad, None, [nulls, volume], {"rows": 1000 + day.day})

    def following(self, window: Window) -> Iterator[DayResult]:
        for day in window.days:
            if day in self.bad:
                yield DayResult(day, False, "raw/visits is withheld")
            else:
                yield DayResult(day, True, None, [Finding("grain", "", "error", True, 0, "0")], {"rows": 10})

    def assets(self, state_checks: Sequence[StateCheck] = ()) -> dg.AssetsDefinition:
        return chain(
            Made(RAW, self.raw),
            Made(METRICS, self.following, [RAW]),
            Made(COUNTERS, self.following, [METRICS]),
            state_checks=state_checks,
        )


def chain(*steps: Made, state_checks: Sequence[StateCheck] = ()) -> dg.AssetsDefinition:
    @contextmanager
    def window(context: dg.AssetExecutionContext) -> Iterator[Window]:
        yield Window([date.fromisoformat(key) for key in context.partition_keys])

    return daily_assets("shop_daily", steps, DAYS, "shop", window, state_checks)


def run(
    assets: dg.AssetsDefinition,
    instance: dg.DagsterInstance,
    first: date,
    last: date,
    selection: Sequence[dg.AssetKey] | None = None,
) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
    return dg.materialize(
        [assets],
        instance=instance,
        resources={RUN_PROCESS: RunProcess(), "io_manager": dg.mem_io_manager},
        tags=tags,
        selection=selection,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


@pytest.fixture
def memory() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def materialized(instance: dg.DagsterInstance, key: dg.AssetKey) -> set[str]:
    return set(instance.get_materialized_partitions(key))


def failed_days(instance: dg.DagsterInstance, key: dg.AssetKey) -> set[str]:
    """The days that the UI shows as failed."""
    value = get_and_update_asset_status_cache_value(instance, key, DAYS)
    assert value is not None
    return set(value.deserialize_failed_partition_subsets(DAYS).get_partition_keys())


def check_days(instance: dg.DagsterInstance, key: dg.AssetKey, check: str) -> dict[str, set[str]]:
    """The check's days by the status that the UI shows."""
    check_key = dg.AssetCheckKey(key, check)
    state = instance.event_log_storage.get_asset_check_state([(check_key, DAYS)])[check_key]
    found = {status.value: set(subset.subset_value.get_partition_keys()) for status, subset in state.subsets.items()}
    return {status: days for status, days in found.items() if days}


def evaluations(result: dg.ExecuteInProcessResult, key: dg.AssetKey, check: str) -> dict[str, Any]:
    return {
        str(found.partition): found
        for found in result.get_asset_check_evaluations()
        if found.asset_key == key and found.check_name == check
    }


def messages(result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure)


def span(first: date, days: int) -> set[str]:
    return {str(first + timedelta(days=number)) for number in range(days)}


def test_a_table_among_a_days_metadata_is_shown_as_one(memory: dg.DagsterInstance) -> None:
    def made(window: Window) -> Iterator[DayResult]:
        for day in window.days:
            yield DayResult(day, True, metadata={"rows": 1, "drifts": Shown(["entity", "drift"], [("a|b", None)])})

    result = run(chain(Made(RAW, made)), memory, date(2026, 1, 1), date(2026, 1, 1))
    (found,) = result.asset_materializations_for_node("shop_daily")
    assert found.metadata["drifts"] == dg.MetadataValue.md("| entity | drift |\n|---|---|\n| a\\|b |  |")


def test_a_bad_day_of_twenty_is_withheld_alone_and_the_run_fails(dagster_instance: dg.DagsterInstance) -> None:
    bad = date(2026, 1, 8)
    result = run(Chain(bad={bad}).assets(), dagster_instance, date(2026, 1, 1), date(2026, 1, 20))

    assert not result.success
    assert "1 day is withheld" in messages(result)
    assert "2026-01-08 by shop/raw/visits: nulls of item_id: 7, expected 0" in messages(result)
    good = span(date(2026, 1, 1), 20) - {str(bad)}
    for key in (RAW, METRICS, COUNTERS):
        assert materialized(dagster_instance, key) == good
        assert failed_days(dagster_instance, key) == {str(bad)}
        assert check_days(dagster_instance, key, AUDIT) == {"SUCCEEDED": good, "FAILED": {str(bad)}}


def test_a_run_that_withholds_many_days_names_the_first_twenty(memory: dg.DagsterInstance) -> None:
    first = date(2026, 1, 1)
    bad = {first + timedelta(days=number) for number in range(33)}
    result = run(Chain(bad=bad).assets(), memory, first, first + timedelta(days=39))
    assert "33 days are withheld" in messages(result)
    assert "2026-01-20 by shop/raw/visits" in messages(result)
    assert "2026-01-21 by shop/raw/visits" not in messages(result)
    assert "and 13 more" in messages(result)
    assert len(materialized(memory, COUNTERS)) == 7


def test_a_bad_day_that_was_published_keeps_its_materialization_and_heals_with_the_next_good_run(
    dagster_instance: dg.DagsterInstance,
) -> None:
    first, bad, last = date(2026, 1, 7), date(2026, 1, 8), date(2026, 1, 9)
    days = span(first, 3)
    assert run(Chain().assets(), dagster_instance, first, last).success

    assert not run(Chain(bad={bad}).assets(), dagster_instance, first, last).success
    assert materialized(dagster_instance, COUNTERS) == days
    assert failed_days(dagster_instance, COUNTERS) == {str(bad)}
    assert check_days(dagster_instance, COUNTERS, AUDIT) == {"SUCCEEDED": days - {str(bad)}, "FAILED": {str(bad)}}

    assert run(Chain().assets(), dagster_instance, bad, bad).success
    assert failed_days(dagster_instance, COUNTERS) == set()
    assert check_days(dagster_instance, COUNTERS, AUDIT) == {"SUCCEEDED": days}


def test_a_warning_reports_and_withholds_nothing(dagster_instance: dg.DagsterInstance) -> None:
    odd = date(2026, 1, 2)
    result = run(Chain(odd={odd}).assets(), dagster_instance, date(2026, 1, 1), date(2026, 1, 3))

    assert result.success
    assert materialized(dagster_instance, RAW) == span(date(2026, 1, 1), 3)
    assert check_days(dagster_instance, RAW, WATCH)["FAILED"] == {"2026-01-02"}
    warned = evaluations(result, RAW, WATCH)["2026-01-02"]
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.description == "volume of the day: 0.1, expected 0.5 to 2"


def test_every_expectation_of_a_day_is_in_its_checks_metadata(memory: dg.DagsterInstance) -> None:
    bad = date(2026, 1, 2)
    result = run(Chain(bad={bad}).assets(), memory, date(2026, 1, 1), bad)

    metadata = evaluations(result, RAW, AUDIT)[str(bad)].metadata
    assert (metadata["expectations"].value, metadata["failed"].value) == (1, 1)
    assert "| **failed** | nulls | item_id | 7 | 0 |" in metadata["results"].value
    assert "| ok | volume |  | 0.1 | 0.5 to 2 |" in evaluations(result, RAW, WATCH)[str(bad)].metadata["results"].value


def test_a_day_withheld_before_it_was_judged_does_not_pass_its_checks(memory: dg.DagsterInstance) -> None:
    bad = date(2026, 1, 2)
    result = run(Chain(bad={bad}).assets(), memory, bad, bad)

    assert evaluations(result, METRICS, AUDIT)[str(bad)].description == "withheld: raw/visits is withheld"
    watch = evaluations(result, METRICS, WATCH)[str(bad)]
    assert (watch.passed, watch.description) == (False, "not judged: raw/visits is withheld")


def test_the_reason_stands_on_the_withheld_days_page(memory: dg.DagsterInstance) -> None:
    bad = date(2026, 1, 2)
    run(Chain(bad={bad}).assets(), memory, bad, bad)
    (seen,) = memory.fetch_observations(METRICS, limit=5).records
    assert seen.asset_observation is not None
    assert seen.partition_key == "2026-01-02"
    assert seen.asset_observation.metadata["withheld"].value == "raw/visits is withheld"


def test_a_days_rows_are_its_row_count_in_the_ui(memory: dg.DagsterInstance) -> None:
    run(Chain().assets(), memory, date(2026, 1, 5), date(2026, 1, 5))
    event = memory.get_latest_materialization_event(RAW)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["dagster/partition_row_count"].value == 1005


def test_a_step_that_breaks_fails_the_run_after_what_was_done_is_recorded(memory: dg.DagsterInstance) -> None:
    def breaks(window: Window) -> Iterator[DayResult]:
        yield DayResult(window.days[0], True)
        raise OSError("No space left on device")

    steps = Made(RAW, Chain().raw), Made(METRICS, breaks, [RAW]), Made(COUNTERS, Chain().following, [METRICS])
    result = run(chain(*steps), memory, date(2026, 1, 1), date(2026, 1, 3))

    assert not result.success
    assert "No space left on device" in messages(result)
    assert materialized(memory, RAW) == span(date(2026, 1, 1), 3)
    assert materialized(memory, METRICS) == {"2026-01-01"}
    assert materialized(memory, COUNTERS) == set()


def test_a_step_that_says_nothing_about_a_day_fails_the_run(memory: dg.DagsterInstance) -> None:
    def forgets(window: Window) -> Iterator[DayResult]:
        yield DayResult(window.days[0], True)

    result = run(chain(Made(RAW, forgets)), memory, date(2026, 1, 1), date(2026, 1, 3))
    assert "shop/raw/visits reported nothing for 2026-01-02, 2026-01-03" in messages(result)
    assert materialized(memory, RAW) == {"2026-01-01"}


@pytest.mark.parametrize("second", [date(2026, 1, 1), date(2026, 2, 1)])
def test_a_step_that_reports_a_day_twice_or_unasked_fails_the_run(memory: dg.DagsterInstance, second: date) -> None:
    def repeats(window: Window) -> Iterator[DayResult]:
        yield DayResult(window.days[0], True)
        yield DayResult(second, True)

    result = run(chain(Made(RAW, repeats)), memory, date(2026, 1, 1), date(2026, 1, 1))
    assert f"shop/raw/visits reported {second} twice or unasked" in messages(result)


def test_a_selected_asset_runs_without_the_others(memory: dg.DagsterInstance) -> None:
    result = run(Chain().assets(), memory, date(2026, 1, 1), date(2026, 1, 2), selection=[METRICS])
    assert result.success
    assert materialized(memory, METRICS) == span(date(2026, 1, 1), 2)
    assert materialized(memory, RAW) == set()
    assert evaluations(result, RAW, AUDIT) == {}


def test_a_day_cannot_be_judged_without_being_made(memory: dg.DagsterInstance) -> None:
    audit = dg.AssetCheckKey(METRICS, AUDIT)
    job = dg.define_asset_job("audit_only", dg.AssetSelection.checks(audit))
    result = _job(job, Chain().assets()).execute_in_process(instance=memory, raise_on_error=False)
    assert "audit of shop/metrics/visits_daily cannot run alone" in messages(result)


@pytest.mark.parametrize("passed", [True, False])
def test_a_check_of_the_present_state_runs_alone_and_fails_its_run(memory: dg.DagsterInstance, passed: bool) -> None:
    state = _state_check(passed)
    job = dg.define_asset_job("state_only", dg.AssetSelection.checks(state.spec.key))
    result = _job(job, Chain().assets([state])).execute_in_process(instance=memory, raise_on_error=False)
    assert result.success is passed
    assert [found.passed for found in result.get_asset_check_evaluations()] == [passed]


def test_a_check_of_the_present_state_does_not_fail_a_run_of_days(memory: dg.DagsterInstance) -> None:
    result = run(Chain().assets([_state_check(False)]), memory, date(2026, 1, 1), date(2026, 1, 2))
    assert result.success
    assert [found.passed for found in result.get_asset_check_evaluations() if found.check_name == "there"] == [False]


def _state_check(passed: bool) -> StateCheck:
    result = dg.AssetCheckResult(passed=passed, asset_key=RAW, check_name="there", description="it is not there")
    return StateCheck(dg.AssetCheckSpec("there", asset=RAW), lambda: result)


def _job(job: Any, assets: dg.AssetsDefinition) -> dg.JobDefinition:
    definitions = dg.Definitions(
        assets=[assets],
        jobs=[job],
        resources={RUN_PROCESS: RunProcess()},
        executor=dg.in_process_executor,
    )
    return definitions.resolve_job_def(job.name)
