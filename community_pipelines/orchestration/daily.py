"""One platform's daily chain as one Dagster multi_asset.

Here: turning steps into assets with two checks each, and day results into events. Not here: what the steps
do, nor when they run. The shape (one op, a check evaluation per day, no asset outputs) is the one with which
Dagster lets a bad day be withheld alone inside a ranged run; `dagster_internals.py` holds what that needs of
its private parts.
"""

# No `from __future__ import annotations`: Dagster does not resolve a context annotation that is a string.
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import dagster as dg

from community_pipelines.flow.steps import DayResult, Shown, WindowT
from community_pipelines.orchestration.dagster_internals import Verdict, evaluations
from community_pipelines.orchestration.orphaned_runs import process_tags
from community_pipelines.quality.findings import Finding

AUDIT = "audit"
WATCH = "watch"
RUN_PROCESS = "run_process"

# Results are recorded in batches, so that the lookup of what was recorded is one query for many days.
_BATCH = 31
# How many withheld days a run's failure names; the checks name them all.
_SHOWN_DAYS = 20

_CHECKS = {
    AUDIT: "Every error-level expectation of the day. A day that fails is withheld: the published one stays.",
    WATCH: "Every warning-level expectation of the day. Nothing is withheld for a warning.",
}


class Step(Protocol[WindowT]):
    """One asset of the flow."""

    @property
    def key(self) -> dg.AssetKey:
        """The asset that the step makes."""
        ...

    def spec(self) -> dg.AssetSpec:
        """The asset as people see it: dependencies, group, kinds, owners, description, column metadata."""
        ...

    def run(self, window: WindowT) -> Iterable[DayResult]:
        """Do the work and report exactly one result for every day of the window."""
        ...


@dataclass(frozen=True)
class StateCheck:
    """A check of how things are now, whatever days a run works on. One that is `alone` is not judged by runs that
    make something."""

    spec: dg.AssetCheckSpec
    judge: Callable[[], dg.AssetCheckResult]
    alone: bool = False


class RunProcess(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What every run does before its first step, whoever started it.

    It keeps its connections to Dagster's storage open (otherwise every event opens one: 24 ms an event
    instead of 3), and notes its process, so that it can be told when it was killed.
    """

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Pool the connections of the instance that the run writes to, and tag the run."""
        if context.instance is not None and context.run is not None:
            pool_storage(context.instance)
            context.instance.add_run_tags(context.run.run_id, process_tags(context.run.run_id))


def pool_storage(instance: dg.DagsterInstance) -> None:
    """Pool an instance's connections; a storage other than PostgreSQL ignores it."""
    instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3600, max_overflow=4)


def daily_assets(
    name: str,
    steps: Sequence[Step[WindowT]],
    partitions_def: dg.DailyPartitionsDefinition,
    pool: str,
    open_window: Callable[[dg.AssetExecutionContext], AbstractContextManager[WindowT]],
    state_checks: Sequence[StateCheck] = (),
) -> dg.AssetsDefinition:
    """The daily chain of one platform: one op that runs the selected steps, in order, over a window of days.

    Every step's asset has the checks `audit` (error) and `watch` (warning), each with a result per day. Good
    days are materialized; a day that a step does not accept is not, and the run fails at its end, after
    everything else was done and recorded. An exception in a step fails the run with its message after what
    was done so far is recorded. Days are UTC.

    `state_checks` are judged at the end of every run, and can run alone: then a failed one fails the run.
    """
    keys = [step.key for step in steps]
    specs = [step.spec().replace_attributes(skippable=True) for step in steps]
    checks = [spec for key in keys for spec in _check_specs(key, partitions_def)]

    @dg.multi_asset(
        name=name,
        specs=specs,
        check_specs=[*checks, *(check.spec for check in state_checks)],
        partitions_def=partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool=pool,
        required_resource_keys={RUN_PROCESS},
    )
    def chain(context: dg.AssetExecutionContext) -> Iterator[Any]:
        selected = [step for step in steps if step.key in context.selected_asset_keys]
        day_checks = [check for check in checks if check.key in context.selected_asset_check_keys]
        _refuse_lone_checks(day_checks, context.selected_asset_keys)
        withheld: dict[dg.AssetKey, dict[date, DayResult]] = {}
        if selected:
            with open_window(context) as window:
                for step in selected:
                    withheld[step.key] = yield from _run_step(context, step, window)
        for spec in day_checks:
            yield dg.Output(None, output_name=spec.get_python_identifier())
        failed = []
        for check in state_checks:
            if check.spec.key in context.selected_asset_check_keys:
                if selected and check.alone:
                    yield dg.Output(None, output_name=check.spec.get_python_identifier())
                    continue
                result = check.judge()
                yield result
                if not result.passed:
                    failed.append(result.description or check.spec.name)
        _fail_if_withheld(withheld)
        if failed and not selected:
            raise dg.Failure("; ".join(failed), allow_retries=False)

    return chain


def _refuse_lone_checks(checks: Sequence[dg.AssetCheckSpec], assets: Set[dg.AssetKey]) -> None:
    lone = [f"{spec.name} of {spec.asset_key.to_user_string()}" for spec in checks if spec.asset_key not in assets]
    if lone:
        raise dg.Failure(
            f"{', '.join(lone)} cannot run alone: days are judged while they are made, materialize the asset",
            allow_retries=False,
        )


def _check_specs(key: dg.AssetKey, partitions_def: dg.DailyPartitionsDefinition) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        # Partitioned checks are a preview feature; what is relied on is tested.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                check, asset=key, description=text, blocking=check == AUDIT, partitions_def=partitions_def
            )
            for check, text in _CHECKS.items()
        ]


def _run_step(
    context: dg.AssetExecutionContext, step: Step[WindowT], window: WindowT
) -> Generator[Any, None, dict[date, DayResult]]:
    missing = set(window.days)
    withheld: dict[date, DayResult] = {}
    batch: list[DayResult] = []
    try:
        for result in step.run(window):
            if result.day not in missing:
                raise ValueError(f"{step.key.to_user_string()} reported {result.day} twice or unasked")
            missing.remove(result.day)
            batch.append(result)
            if not result.accepted:
                withheld[result.day] = result
                context.log.error(f"{step.key.to_user_string()} {result.day} withheld: {_reason(result)}")
            if len(batch) == _BATCH:
                done, batch = batch, []
                yield from _record(context, step.key, done)
        if missing:
            days = ", ".join(sorted(map(str, missing)))
            raise ValueError(f"{step.key.to_user_string()} reported nothing for {days}")
    except (Exception, dg.DagsterExecutionInterruptedError):
        yield from _record(context, step.key, batch)
        raise
    yield from _record(context, step.key, batch)
    return withheld


def _record(context: dg.AssetExecutionContext, key: dg.AssetKey, results: Sequence[DayResult]) -> Iterator[Any]:
    for result in results:
        if result.accepted:
            yield dg.AssetMaterialization(key, partition=str(result.day), metadata=_metadata(result))
        else:
            # Shown on the day's page, beside what was published before.
            yield dg.AssetObservation(key, partition=str(result.day), metadata={"withheld": _reason(result)})
    verdicts = {str(result.day): [_audit(result), _watch(result)] for result in results}
    yield from evaluations(context.instance, key, verdicts)


def _metadata(result: DayResult) -> dict[str, Any]:
    metadata = {name: shown_table(one) if isinstance(one, Shown) else one for name, one in result.metadata.items()}
    rows = metadata.pop("rows", None)
    return metadata if rows is None else {"dagster/partition_row_count": rows, **metadata}


def _audit(result: DayResult) -> Verdict:
    findings = [finding for finding in result.findings if finding.severity == "error"]
    description = "" if result.accepted else f"withheld: {_reason(result)}"
    return Verdict(AUDIT, result.accepted, dg.AssetCheckSeverity.ERROR, description, findings_table(findings))


def _watch(result: DayResult) -> Verdict:
    findings = [finding for finding in result.findings if finding.severity == "warning"]
    failed = [finding for finding in findings if not finding.success]
    description = _sentence(failed)
    judged = result.accepted or bool(result.findings)
    if not judged:
        description = f"not judged: {_reason(result)}"
    passed = judged and not failed
    return Verdict(WATCH, passed, dg.AssetCheckSeverity.WARN, description, findings_table(findings))


def _reason(result: DayResult) -> str:
    failed = [finding for finding in result.findings if finding.severity == "error" and not finding.success]
    return result.reason or _sentence(failed) or "no reason given"


def _sentence(failed: Sequence[Finding]) -> str:
    return "; ".join(
        f"{found.expectation} of {found.column or 'the day'}: {found.observed}, expected {found.expected}"
        for found in failed
    )


def shown_table(table: Shown) -> dg.MarkdownMetadataValue:
    """A table as Dagster shows it."""
    return dg.MetadataValue.md(table.markdown)


def findings_table(findings: Sequence[Finding]) -> dict[str, Any]:
    """Expectations with what was observed, as a check's metadata; the failed ones first."""
    failed = sum(not finding.success for finding in findings)
    if not findings:
        return {"expectations": 0, "failed": 0}
    lines = ["| | expectation | column | observed | expected |", "|---|---|---|---|---|"]
    for finding in sorted(findings, key=lambda finding: finding.success):
        cells = (finding.expectation, finding.column, finding.observed, finding.expected)
        text = " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells)
        lines.append(f"| {'ok' if finding.success else '**failed**'} | {text} |")
    results = dg.MetadataValue.md("\n".join(lines))
    return {"expectations": len(findings), "failed": failed, "results": results}


def _fail_if_withheld(withheld: Mapping[dg.AssetKey, Mapping[date, DayResult]]) -> None:
    """Fail the run, naming the assets that withheld each day; those that only follow another one are not named."""
    causes: dict[date, list[str]] = {}
    for key, results in withheld.items():
        for day, result in results.items():
            named = causes.setdefault(day, [])
            # Without findings it was not judged: something before it was withheld, or is not there.
            if result.findings or not named:
                named.append(f"{day} by {key.to_user_string()}: {_reason(result)}")
    if causes:
        lines = [line for day in sorted(causes)[:_SHOWN_DAYS] for line in causes[day]]
        if len(causes) > _SHOWN_DAYS:
            lines.append(f"and {len(causes) - _SHOWN_DAYS} more")
        count = "1 day is" if len(causes) == 1 else f"{len(causes)} days are"
        raise dg.Failure(
            f"{count} withheld, what is published of them is unchanged:\n" + "\n".join(lines),
            metadata={"withheld_days": len(causes)},
            allow_retries=False,
        )
