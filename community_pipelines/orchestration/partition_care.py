"""The monthly job that takes care of a platform's partitioned tables; the command line does the same."""

# No `from __future__ import annotations`: Dagster does not resolve a context annotation that is a string.
from dataclasses import astuple

import dagster as dg
from pydantic import Field

from community_pipelines.databases.deployment import deployment
from community_pipelines.flow.steps import Shown
from community_pipelines.lake.files import Lake
from community_pipelines.maintenance.maintain import MONTHS_AHEAD, maintain
from community_pipelines.orchestration.daily import RUN_PROCESS, shown_table
from community_pipelines.platforms.spec import Platform
from community_pipelines.settings import Settings


class MaintainConfig(dg.Config):
    """What one run of the job may do."""

    months: int = Field(default=MONTHS_AHEAD, ge=0, description="How many months to create partitions ahead")
    drop: bool = Field(default=False, description="Drop detached partitions whose archive is verified")
    dry_run: bool = Field(default=False, description="Say what would be done, and write nothing")
    expendable: list[str] = Field(
        default=[], description="Columns, as table.column, that are in no archive and may be lost when dropping"
    )


def maintenance(settings: Settings, platform: Platform) -> dg.Definitions:
    """The job `<platform>_maintain` and its schedule, on the fifth of every month at 03:00 UTC."""
    name = f"{platform.name}_maintain"

    @dg.op(
        name=f"{platform.name}_partitions",
        description="Makes monthly partitions ahead of time; archives and detaches old ones.",
        pool=platform.name,
        required_resource_keys={RUN_PROCESS},
    )
    def partitions(context: dg.OpExecutionContext, config: MaintainConfig) -> None:
        lake = Lake(settings.lake_folder)
        place = deployment(settings, platform)
        report = maintain(
            place,
            platform.partitioned,
            lake,
            settings.start_date,
            config.months,
            config.drop,
            config.dry_run,
            config.expendable,
        )
        table = Shown(["table", "partition", "what", "rows", "why"], [astuple(line) for line in report.lines])
        context.add_output_metadata({"report": shown_table(table), "faults": len(report.faults)})
        for line in report.lines:
            context.log.info(f"{line.table} {line.partition} {line.what}: {line.why}")
        if report.faults:
            said = "\n".join(f"{line.table} {line.partition} {line.what}: {line.why}" for line in report.faults)
            raise dg.Failure(f"a person has to look at this:\n{said}", allow_retries=False)

    @dg.job(name=name, description="Care for monthly partitions; nothing is dropped unless the config says so.")
    def job() -> None:
        partitions()

    schedule = dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule="0 3 5 * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])
