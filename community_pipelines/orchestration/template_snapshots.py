"""A platform's job of template snapshots and its asset: projects' scenes, frozen into templates.

Only what Dagster shows and starts; what is done is in `community_pipelines/snapshots/`.
"""

# No `from __future__ import annotations`: Dagster does not resolve a context annotation that is a string.
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Optional

import dagster as dg
from pydantic import Field

from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import deployment
from community_pipelines.orchestration.daily import AUDIT, RUN_PROCESS, WATCH, findings_table
from community_pipelines.orchestration.describe import OWNERS, column_schema, source_asset
from community_pipelines.platforms.spec import Platform, Snapshots
from community_pipelines.settings import Settings

# How many rejected projects a run's failure names; its observations name them all.
_SHOWN = 20


class IngestConfig(dg.Config):
    """Which projects become templates, and what is wished for them: name projects or a time; else what is flagged."""

    projects: list[str] = Field(default=[], description="Ids of source projects.")
    changed_since: Optional[str] = Field(  # noqa: UP045 — Dagster's configuration reads Optional only
        default=None, description="All projects that changed on this UTC day or later, like 2026-01-31."
    )
    flagged: bool = Field(default=False, description="All that was flagged in community.publication_requests.")
    title: Optional[str] = Field(default=None, description="Instead of the project's title.")  # noqa: UP045
    description: Optional[str] = Field(default=None, description="Plain text.")  # noqa: UP045
    tags: Optional[list[str]] = Field(default=None, description="At most 20 of 50 characters.")  # noqa: UP045
    category: Optional[str] = Field(default=None, description="At most 100 characters.")  # noqa: UP045
    formats: Optional[list[str]] = Field(  # noqa: UP045
        default=None, description="Some of landscape, portrait, square; all when not given."
    )
    visibility: Optional[str] = Field(default=None, description="public or unlisted.")  # noqa: UP045
    scenes: Optional[list[int]] = Field(  # noqa: UP045
        default=None, description="Which scenes in which order, as positions counted from 1; all when not given."
    )
    supersede: bool = Field(default=False, description="Disable the project's older templates.")
    after_moderation: bool = Field(default=False, description="Publish although a moderator hid a version of it.")


def templates_key(platform: Platform, declared: Snapshots) -> dg.AssetKey:
    """The key of the asset that the job makes."""
    return dg.AssetKey([platform.name, "snapshots", declared.templates.name])


def _spec(platform: Platform, declared: Snapshots) -> dg.AssetSpec:
    scenes = source_asset(platform, declared.scenes)
    lineage = {
        "title": "name",
        "tsx_code": "tsxCode",
        "code_hash": "tsxCode",
        "duration": "duration",
        "preview_frame": "duration",
        "scene_index": "order",
        "source_scene_id": "id",
    }
    return dg.AssetSpec(
        templates_key(platform, declared),
        deps=[source_asset(platform, table) for table in declared.read],
        description="Templates as frozen copies of projects' scenes. Each materialization is one new template, or says "
        "that a run found nothing new.",
        group_name=f"{platform.name}_snapshots",
        kinds={"postgres"},
        owners=OWNERS,
        skippable=True,
        metadata={
            "dagster/table_name": declared.template_scenes.default,
            "dagster/column_schema": column_schema(declared.template_scenes.columns),
            "dagster/column_lineage": dg.TableColumnLineage(
                {column: [dg.TableColumnDep(scenes, read)] for column, read in lineage.items()}
            ),
        },
    )


def template_snapshots(settings: Settings, platform: Platform, declared: Snapshots) -> dg.Definitions:
    """The asset, its job, and the schedule that publishes what was flagged."""
    key = templates_key(platform, declared)

    @dg.multi_asset(
        name=op_name(platform),
        specs=[_spec(platform, declared)],
        check_specs=[
            dg.AssetCheckSpec(
                AUDIT, asset=key, description="What must hold in the two tables: hashes, order, durations."
            ),
            dg.AssetCheckSpec(WATCH, asset=key, description="What should be looked at in the two tables."),
        ],
        pool=f"{platform.name}_snapshots",
        required_resource_keys={RUN_PROCESS},
    )
    def snapshots(context: dg.AssetExecutionContext, config: IngestConfig) -> Iterator[Any]:
        yield from _ingest(settings, platform, key, context, config)

    job = dg.define_asset_job(
        declared.job,
        selection=dg.AssetSelection.assets(key),
        description="Copies projects' scenes into the gallery as templates that never change.",
    )

    @dg.schedule(
        name=f"{platform.name}_flagged_projects",
        job=job,
        cron_schedule="*/15 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Publishes the projects that were flagged in community.publication_requests.",
    )
    def flagged_projects(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        place = deployment(settings, platform)
        with connect(place.publish_url, place.publish_setting) as connection:
            row = connection.execute(
                "select count(*) from community.publication_requests where done_at is null"
            ).fetchone()
        if not row or not row[0]:
            return dg.SkipReason("no project is flagged for publishing")
        return dg.RunRequest(run_config=run_config(platform, flagged=True))

    return dg.Definitions(assets=[snapshots], jobs=[job], schedules=[flagged_projects])


def op_name(platform: Platform) -> str:
    """The name of the step that does it, as a run's configuration has it."""
    return f"{platform.name}_template_snapshots"


def run_config(platform: Platform, **config: Any) -> dict[str, Any]:
    """The configuration of a run of the job, as the launchpad takes it."""
    return {"ops": {op_name(platform): {"config": config}}}


def publish_flagged(settings: Settings, platform: Platform, advance: Callable[[int], None]) -> None:
    """One run of the platform's job over what is flagged, in this process; `advance` gets the number made so far.

    Raises LaunchError when a project was rejected or the run failed; what was published before stays.
    """
    from community_pipelines.orchestration.definitions import build_definitions
    from community_pipelines.orchestration.launch import LaunchError, launch_job
    from community_pipelines.orchestration.storage import dagster_instance

    if platform.snapshots is None:
        raise ValueError(f"{platform.name} declares no template snapshots")
    job, done = platform.snapshots.job, 0

    def watch(event: dg.DagsterEvent) -> None:
        nonlocal done
        if event.is_step_materialization:
            done += 1
            advance(done)

    with dagster_instance(settings) as opened:
        result = launch_job(build_definitions(settings), opened, job, run_config(platform, flagged=True), watch)
    if not result.success:
        raise LaunchError(f"run {result.run_id[:8]} of {job} failed: {result.message}")


def _ingest(
    settings: Settings, platform: Platform, key: dg.AssetKey, context: dg.AssetExecutionContext, config: IngestConfig
) -> Iterator[Any]:
    from community_pipelines.snapshots.checks import examine_tables
    from community_pipelines.snapshots.ingest import Ingest, opened
    from community_pipelines.snapshots.options import Options
    from community_pipelines.snapshots.outcome import STATUSES, Outcome

    place = deployment(settings, platform)
    counts = dict.fromkeys(STATUSES, 0)
    rejected: list[str] = []

    def outcomes(ingest: Ingest) -> Iterator[Outcome]:
        asked = config.model_dump(exclude={"projects", "changed_since", "flagged"})
        options = Options.model_validate(asked)
        given = sum([bool(config.projects), config.changed_since is not None, config.flagged])
        # Without a word, as by `Materialize all`, it is what the schedule does. Wishes alone are a word too few.
        if given > 1 or (not given and options != Options()):
            raise dg.Failure("say which projects: give one of projects, changed_since and flagged", allow_retries=False)
        if config.projects:
            return ingest.projects(config.projects, options)
        if config.changed_since is not None:
            return ingest.changed_since(_utc_day(config.changed_since), options)
        return ingest.flagged()

    with opened(settings, place, context.run.run_id) as ingest:
        for outcome in outcomes(ingest):
            counts[outcome.status] += 1
            if outcome.status == "created":
                yield dg.AssetMaterialization(key, description=outcome.title, metadata=_metadata(outcome))
            elif outcome.status == "rejected":
                why = "; ".join(_line(one) for one in outcome.findings if one.severity == "error")
                rejected.append(f"{outcome.title or outcome.project}: {why}")
                yield dg.AssetObservation(
                    key, description=f"rejected: {outcome.title or outcome.project}", metadata={
                        "project": outcome.project, "rejected": why,
                    },
                )  # fmt: skip
    summary = ", ".join(f"{count} {status}" for status, count in counts.items())
    context.log.info(summary)
    if not counts["created"] and not rejected:
        # A backfill waits for every asset that it has asked for, and fails without a word of it.
        yield dg.AssetMaterialization(key, description=f"nothing new: {summary}")
    context.instance.add_run_tags(
        context.run.run_id, {f"community/{status}": str(count) for status, count in counts.items()}
    )
    findings = examine_tables(place)
    broken = []
    for name, severity in ((AUDIT, "error"), (WATCH, "warning")):
        own = [one for one in findings if one.severity == severity]
        failed = [one for one in own if not one.success]
        broken += failed if severity == "error" else []
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=not failed,
            severity=dg.AssetCheckSeverity.ERROR if severity == "error" else dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{one.expectation}: {one.observed}" for one in failed) or None,
            metadata=findings_table(own),
        )
    if rejected:
        more = [f"and {len(rejected) - _SHOWN} more"] if len(rejected) > _SHOWN else []
        raise dg.Failure(
            f"{len(rejected)} rejected, {counts['created']} created, {counts['unchanged']} unchanged:\n"
            + "\n".join([*rejected[:_SHOWN], *more]),
            allow_retries=False,
        )
    if broken:
        raise dg.Failure("; ".join(f"{one.expectation}: {one.observed}" for one in broken), allow_retries=False)


def _utc_day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise dg.Failure(f"changed_since {text!r} is no day: write it like 2026-01-31", allow_retries=False) from None


def _line(finding: Any) -> str:
    place = finding.file if finding.line is None else f"{finding.file}:{finding.line}:{finding.column}"
    return f"{place} {finding.rule}: {finding.message}"


def _metadata(outcome: Any) -> dict[str, Any]:
    return {
        "project": outcome.project,
        "template": outcome.template_id,
        "slug": outcome.slug,
        "version": outcome.version,
        "scenes": outcome.scenes,
        "bytes": outcome.bytes,
        "content hash": outcome.content_hash,
        "code hashes": dg.MetadataValue.json(list(outcome.code_hashes)),
        "warnings": len(outcome.findings),
    }
