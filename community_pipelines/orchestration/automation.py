"""When things run: days, nightly jobs and schedules, sensors, alerts.

What runs is in `daily.py`, which days are due in `flow/plan.py`. Times are UTC. Builders take one platform.
"""

# No `from __future__ import annotations`: Dagster does not resolve a context annotation that is a string.
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from community_pipelines.databases.deployment import deployment
from community_pipelines.flow import plan
from community_pipelines.flow.plan import PlatformStep, Request
from community_pipelines.lake.files import Lake
from community_pipelines.orchestration.dagster_internals import unfinished_run
from community_pipelines.orchestration.daily import StateCheck
from community_pipelines.orchestration.launch import failure_message, partition_tags
from community_pipelines.orchestration.orphaned_runs import close_leftovers
from community_pipelines.platforms.spec import Platform, Stream
from community_pipelines.quality.verification import verify_sample
from community_pipelines.settings import Settings

YESTERDAY_EXISTS = "yesterday_exists"
SAMPLE_VERIFIED = "sample_verified"

# So long after its end a day is the nightly schedule's, which runs half an hour after it.
_NIGHT = timedelta(hours=2)
_SHOWN_FILES = 20


def day_partitions(start_date: date) -> dg.DailyPartitionsDefinition:
    """The one definition of days that all assets share: UTC, from the start date to the last day that is over."""
    return dg.DailyPartitionsDefinition(start_date=start_date.isoformat(), timezone="UTC")


def state_checks(settings: Settings, of: Platform) -> list[StateCheck]:
    """What is looked at every night, whatever runs: yesterday of the watched stream, and a sample of all files."""
    stream = of.stream(of.watched)
    key = raw_key(of, stream)

    def damaged(day: date) -> Sequence[str]:
        return verify_sample(deployment(settings, of), Lake(settings.lake_folder), day)

    return [yesterday_exists(key, in_lake(settings, of, stream)), sample_verified(key, damaged)]


def raw_key(of: Platform, stream: Stream) -> dg.AssetKey:
    """The key of a stream's asset."""
    return dg.AssetKey([of.name, "raw", stream.name])


def in_lake(settings: Settings, of: Platform, stream: Stream) -> Callable[[date], bool]:
    """What says whether a day of a stream is in the lake."""
    lake = Lake(settings.lake_folder)
    return lambda day: lake.path("raw", of.name, stream.name, day).exists()


def due(settings: Settings, of: Platform, steps: Sequence[PlatformStep]) -> Callable[[bool], Sequence[Request]]:
    """What gives the runs that a platform's days ask for; thorough, it compares every day with the source.

    The newest closed day is left to the nightly schedule as long as that has it before it.
    """

    def asked(thorough: bool) -> Sequence[Request]:
        now = plan.make_plan(settings, deployment(settings, of), steps, compare=None if thorough else [])
        return plan.requests(now.ended_before(datetime.now(UTC) - _NIGHT), steps)

    return asked


def of_platform(
    settings: Settings, of: Platform, steps: Sequence[PlatformStep], daily: dg.AssetsDefinition
) -> dg.Definitions:
    """Everything that runs a platform's daily chain by itself."""
    return scheduled(of.name, daily, raw_key(of, of.stream(of.watched)), due(settings, of, steps))


def scheduled(
    name: str,
    daily: dg.AssetsDefinition,
    raw: dg.AssetKey,
    due: Callable[[bool], Sequence[Request]],
) -> dg.Definitions:
    """One platform's nightly schedule, its sensor for stale days, and the schedule that looks at its state.

    `daily` has the checks `yesterday_exists` and `sample_verified` on the asset `raw`. `due` gives the runs to make; it
    is asked to be thorough (to compare every day with the source) once a day.
    """
    job = dg.define_asset_job(
        f"{name}_nightly",
        selection=dg.AssetSelection.assets(*daily.keys),
        description="The day that has just closed, through the whole chain.",
    )
    check_job = dg.define_asset_job(
        f"{name}_yesterday_exists",
        selection=dg.AssetSelection.checks(
            dg.AssetCheckKey(raw, YESTERDAY_EXISTS), dg.AssetCheckKey(raw, SAMPLE_VERIFIED)
        ),
        description="Whether the day before today is there, and a sample of the files sound; fails when not, so that "
        "the alert sees it.",
    )
    check_schedule = dg.ScheduleDefinition(
        name=f"{name}_yesterday_exists",
        job=check_job,
        cron_schedule="0 2 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(
        jobs=[job, check_job],
        schedules=[nightly(name, job), check_schedule],
        sensors=[stale_days(name, daily, due)],
    )


def nightly(name: str, job: Any) -> dg.ScheduleDefinition:
    """The schedule that runs the day that has just closed, at 00:30."""

    @dg.schedule(
        name=f"{name}_nightly",
        job=job,
        cron_schedule="30 0 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = str(context.scheduled_execution_time.astimezone(UTC).date() - timedelta(days=1))
        return dg.RunRequest(run_key=day, partition_key=day)

    return schedule


def stale_days(name: str, daily: dg.AssetsDefinition, due: Callable[[bool], Sequence[Request]]) -> dg.SensorDefinition:
    """The sensor that requests exactly the days that are stale or missing, as ranges.

    A request is made once a day for each version of its data; while a run of the platform is at work nothing is
    requested, since that run may be doing it.
    """

    @dg.sensor(
        name=f"{name}_stale_days",
        asset_selection=dg.AssetSelection.assets(*daily.keys),
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the closed days whose files, published numbers or counters are stale or missing.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if busy := unfinished_run(context.instance, name):
            return dg.SkipReason(f"run {busy} of {name} is at work")
        # The thorough look comes after the night's run, which may be what makes another day stale.
        today = (datetime.now(UTC) - _NIGHT).date().isoformat()
        asked = due(context.cursor != today)
        return dg.SensorResult(
            run_requests=[_run_request(name, request, today) for request in asked],
            skip_reason=None if asked else dg.SkipReason("every closed day is done, or withheld"),
            cursor=today,
        )

    return sensor


def yesterday_exists(raw: dg.AssetKey, exists: Callable[[date], bool]) -> StateCheck:
    """The check that the day before today (UTC) is there; `exists` says whether a day of the asset is."""
    spec = dg.AssetCheckSpec(YESTERDAY_EXISTS, asset=raw, description="The day before today (UTC) is in the lake.")

    def judge() -> dg.AssetCheckResult:
        day = datetime.now(UTC).date() - timedelta(days=1)
        there = exists(day)
        return dg.AssetCheckResult(
            asset_key=raw,
            check_name=spec.name,
            passed=there,
            description=f"{day} is there" if there else f"{day} is missing: `community status` says why",
        )

    return StateCheck(spec, judge)


def sample_verified(raw: dg.AssetKey, damaged: Callable[[date], Sequence[str]]) -> StateCheck:
    """The check that the files whose turn it is today (UTC) are sound; `damaged` says what is wrong with which."""
    spec = dg.AssetCheckSpec(
        SAMPLE_VERIFIED,
        asset=raw,
        description="The platform's files hold what was written: every night another 28th of them, of every kind.",
    )

    def judge() -> dg.AssetCheckResult:
        found = damaged(datetime.now(UTC).date())
        more = [f"and {len(found) - _SHOWN_FILES} more"] if len(found) > _SHOWN_FILES else []
        return dg.AssetCheckResult(
            asset_key=raw,
            check_name=spec.name,
            passed=not found,
            description="; ".join([*found[:_SHOWN_FILES], *more]) or "every file whose turn it was is sound",
        )

    return StateCheck(spec, judge, alone=True)


def alerts(settings: Settings) -> dg.Definitions:
    """The sensors that serve all platforms: runs that failed, and runs that were killed."""
    url = settings.webhook_url.get_secret_value() if settings.webhook_url else None
    return dg.Definitions(sensors=[failure_alert(url, settings.webhook_local), killed_runs()])


def failure_alert(webhook_url: str | None, local: bool) -> dg.SensorDefinition:
    """The sensor that posts every failed run as JSON to the webhook, if one is set; `local` as in `webhook.post`.

    `text` is a sentence that chat services show; the other fields are for programs. A post that fails is
    logged, without the URL, which is a secret.
    """

    @dg.run_failure_sensor(
        name="failure_alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Posts failed runs to the webhook of the setting webhook_url, if it is set.",
    )
    def sensor(context: dg.RunFailureSensorContext) -> None:
        from community_pipelines.orchestration import webhook

        if webhook_url is None:
            context.log.info("no webhook_url is set: nothing is posted")
            return
        try:
            webhook.post(webhook_url, _alert(context), local)
        except webhook.WebhookError as error:
            context.log.error(f"the alert was not delivered: {error}")

    return sensor


def killed_runs() -> dg.SensorDefinition:
    """The sensor that fails runs whose process is gone, so that their pool does not stay taken."""

    @dg.sensor(
        name="killed_runs",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Fails the runs whose process was killed, and frees their pool slots.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        closed = close_leftovers(context.instance)
        return dg.SkipReason(f"failed {', '.join(closed)}" if closed else "no run was killed")

    return sensor


def _run_request(name: str, request: Request, today: str) -> dg.RunRequest:
    days = f"{request.first}:{request.last}"
    assets = [dg.AssetKey(key) for key in request.assets]
    named = ",".join(sorted(key.to_user_string() for key in assets))
    return dg.RunRequest(
        run_key=f"{name}:{days}:{request.version}:{named}:{today}",
        asset_selection=assets,
        tags=partition_tags(request.first, request.last),
    )


def _alert(context: dg.RunFailureSensorContext) -> dict[str, Any]:
    run = context.dagster_run
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    first = run.tags.get("dagster/partition") or run.tags.get("dagster/asset_partition_range_start")
    last = run.tags.get("dagster/partition") or run.tags.get("dagster/asset_partition_range_end")
    failures = [failure_message(event) for event in context.get_step_failure_events()]
    error = "\n".join(failures) or context.failure_event.message or "no reason given"
    days = "" if first is None else f" for {first}" if first == last else f" for {first} to {last}"
    return {
        "text": f"Run {run.run_id[:8]} ({run.job_name}) failed{days}: {error}",
        "run_id": run.run_id,
        "job": run.job_name,
        "assets": assets,
        "first_day": first,
        "last_day": last,
        "error": error,
    }
