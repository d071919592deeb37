"""What `audit` fails blocks what depends on it, also outside the chain; what `watch` finds blocks nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from community_pipelines.orchestration.daily import AUDIT, RUN_PROCESS, WATCH, RunProcess
from tests.test_daily import COUNTERS, DAYS, METRICS, RAW, Chain, run, span

FIRST, BAD, LAST = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
REPORT = dg.AssetKey(["shop", "report"])


@pytest.fixture
def memory() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_every_assets_audit_blocks_and_its_watch_does_not() -> None:
    specs = {(spec.asset_key, spec.name): spec.blocking for spec in Chain().assets().check_specs}
    assert specs == {(key, check): check == AUDIT for key in (RAW, METRICS, COUNTERS) for check in (AUDIT, WATCH)}


def test_what_is_recorded_of_a_run_says_so_for_every_day_passed_or_not(memory: dg.DagsterInstance) -> None:
    result = run(Chain(bad={BAD}, odd={LAST}).assets(), memory, FIRST, LAST)
    recorded = [(found.check_name, found.blocking) for found in result.get_asset_check_evaluations()]
    assert sorted(recorded) == sorted([(AUDIT, True), (WATCH, False)] * 9)


# Dagster's evaluation of conditions uses a parameter of its own that is in beta.
@pytest.mark.filterwarnings("ignore:Parameter `include_sources`")
@pytest.mark.parametrize("upstream", [RAW, METRICS, COUNTERS], ids=lambda key: key.path[-1])
def test_a_day_that_audit_fails_is_not_asked_of_an_asset_outside_the_chain_and_its_other_days_are(
    memory: dg.DagsterInstance, upstream: dg.AssetKey
) -> None:
    # In the chain's own run no later op is run, whatever its checks say: it gives no outputs.
    chain = Chain(bad={BAD}, odd={LAST}).assets()

    @dg.asset(
        key=REPORT,
        deps=[upstream],
        partitions_def=DAYS,
        automation_condition=dg.AutomationCondition.all_deps_blocking_checks_passed(),
    )
    def report() -> None: ...

    assert not run(chain, memory, FIRST, LAST).success
    definitions = dg.Definitions(assets=[chain, report], resources={RUN_PROCESS: RunProcess()})
    asked = dg.evaluate_automation_conditions(
        definitions, memory, evaluation_time=datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC) + timedelta(hours=25)
    )
    assert asked.get_requested_partitions(REPORT) == span(FIRST, 3) - {str(BAD)}
