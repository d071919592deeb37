"""The only assembly: everything that Dagster loads, from one set of settings.

Tests and the command line build the same graph with other settings. Importing needs no environment, no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import dagster as dg

from community_pipelines.databases.deployment import deployment
from community_pipelines.flow.flows import Flow, flows
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.window import Window, open_window
from community_pipelines.orchestration import automation
from community_pipelines.orchestration.daily import RUN_PROCESS, RunProcess, StateCheck, daily_assets
from community_pipelines.orchestration.describe import StepAsset, source_spec
from community_pipelines.orchestration.partition_care import maintenance
from community_pipelines.orchestration.template_snapshots import template_snapshots
from community_pipelines.private import keep_private
from community_pipelines.settings import Settings, load

SECONDS_TAG = "community/seconds"


def platform_assets(
    settings: Settings,
    one: Flow,
    partitions_def: dg.DailyPartitionsDefinition,
    state_checks: Sequence[StateCheck],
) -> dg.AssetsDefinition:
    """The daily chain of one platform over its databases and the lake."""

    keys = {step.name: dg.AssetKey(step.key) for step in one.steps if isinstance(step, SqlModel)}

    @contextmanager
    def window(context: dg.AssetExecutionContext) -> Iterator[Window]:
        days = sorted(date.fromisoformat(key) for key in context.partition_keys)
        with open_window(settings, deployment(settings, one.platform), days, context.run.run_id) as opened:
            yield opened
        for table in opened.swept:
            context.log.info(table.text)
            context.log_event(dg.AssetObservation(keys[table.model], metadata=table.metadata))
        seconds = {stage: round(spent, 2) for stage, spent in opened.seconds.items()}
        context.instance.add_run_tags(context.run.run_id, {SECONDS_TAG: json.dumps(seconds)})

    name = one.platform.name
    steps = [StepAsset(step) for step in one.steps]
    return daily_assets(f"{name}_daily", steps, partitions_def, name, window, state_checks)


def build_definitions(settings: Settings) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors of the platforms that are set up."""
    days = automation.day_partitions(settings.start_date)
    parts = [
        dg.Definitions(resources={RUN_PROCESS: RunProcess()}, executor=dg.in_process_executor),
        automation.alerts(settings),
    ]
    for one in flows(settings):
        platform = one.platform
        daily = platform_assets(settings, one, days, automation.state_checks(settings, platform))
        parts += [
            dg.Definitions(assets=[*(source_spec(platform, table) for table in one.sources), daily]),
            automation.of_platform(settings, platform, one.steps, daily),
        ]
        if platform.snapshots is not None:
            parts.append(template_snapshots(settings, platform, platform.snapshots))
        if platform.partitioned:
            parts.append(maintenance(settings, platform))
    return dg.Definitions.merge(*parts)


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads: the settings of the process that loads it."""
    keep_private()
    return build_definitions(load())
