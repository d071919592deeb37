"""What the command line does with a platform: prepare its databases, plan, run, sum up."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from community_pipelines.commands.report import RunSummary, progress, say
from community_pipelines.databases import migrations
from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.databases.inspect import require_tables
from community_pipelines.embedded import postgres
from community_pipelines.flow.plan import Request, make_plan, requests
from community_pipelines.lake.files import Lake
from community_pipelines.models import published_tables
from community_pipelines.models.project import load_models
from community_pipelines.quality import withheld
from community_pipelines.settings import CONFIG_FILE, Settings
from community_pipelines.shipped import shipped

if TYPE_CHECKING:
    import dagster as dg

    from community_pipelines.flow.flows import Flow
    from community_pipelines.orchestration.launch import LaunchResult

SQL_FOLDER = shipped("sql")
ROUNDS = 4


def storage_url(settings: Settings) -> str:
    """The libpq URL of Dagster's storage; starts the embedded PostgreSQL when it lives there.

    Raises DatabaseError when it does not answer, which Dagster would try many times before it says so.
    """
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        with connect(url, "COMMUNITY_DATABASE_URL"):
            return url
    return postgres.ensure_running(settings.home).url("dagster", durable=False)


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The persistent Dagster instance of these settings."""
    from community_pipelines.orchestration.launch import instance

    with instance(settings.home, storage_url(settings)) as opened:
        yield opened


def sql_folder(platform: str, kind: str) -> Path:
    """Where migrations are; `kind` is app, which every platform has for itself, or pipeline, which is once for all."""
    return SQL_FOLDER / kind if kind == "pipeline" else SQL_FOLDER / platform / kind


def app_tables(place: Deployment) -> list[str]:
    """The app's tables as they are called there; `--app` creates none of them where one exists."""
    return sorted({".".join(place.names.parts(table)) for table in place.platform.all_tables})


def prepare_embedded(place: Deployment) -> list[str]:
    """Creates what is missing on the embedded database, the app's tables and ours; names what that was."""
    return prepare(place.publish_url, place.platform.name)


def prepare(url: str, platform: str) -> list[str]:
    """Creates what an empty database of the platform lacks: the app's tables, our records, the published tables."""
    files = [one for kind in ("app", "pipeline") for one in migrations.migrate(url, sql_folder(platform, kind))]
    tables = published_tables.migrate(url, platform, load_models(platform))
    tables.require()
    return [*(f"{one.folder}/{one.name}" for one in files), *(one.table for one in tables.changes)]


def require_ready(settings: Settings, place: Deployment) -> None:
    """Raises what would stop every run before its first day: databases, our own tables, the source's, the lake.

    DatabaseError, SourceError or LakeError, whose message says what to do.
    """
    require_tables(place)
    with connect(place.publish_url, place.publish_setting) as connection:
        withheld.current(connection, place.platform.name)
    with Lake(settings.lake_folder).staging(place.platform.name, f"check-{uuid.uuid4().hex}"):
        pass


def remember_start(home: Path, first_day: date) -> None:
    """Notes the first partition of a sample in the home's own settings file."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / CONFIG_FILE
    lines = [line for line in (file.read_text().splitlines() if file.exists() else []) if "start_date" not in line]
    file.write_text("\n".join([f"start_date = {first_day.isoformat()}", *lines]) + "\n")


def run_requests(
    settings: Settings, opened: dg.DagsterInstance, asked: Sequence[Request], summary: RunSummary
) -> list[LaunchResult]:
    """Makes these runs one after the other, in this process, with a progress bar."""
    from community_pipelines.orchestration.definitions import SECONDS_TAG, build_definitions
    from community_pipelines.orchestration.launch import launch

    defs = build_definitions(settings)
    results = []
    for request in asked:
        days = (request.last - request.first).days + 1
        text = f"{request.assets[0].path[0]}: {request.first} to {request.last}"
        say(f"{text}, {days:,} day{'s' if days > 1 else ''} of {len(request.assets)} assets")
        started = time.perf_counter()
        with progress(text, days * len(request.assets)) as advance:

            def see(event: dg.DagsterEvent, run: Request = request) -> None:
                if summary.see(event, f"{run.first}{run.version}"):
                    advance(1)

            result = launch(defs, opened, request.assets, request.first, request.last, see)
        run = opened.get_run_by_id(result.run_id)
        if run is not None:
            seconds = json.loads(run.tags.get(SECONDS_TAG, "{}"))
            summary.add_seconds(request.assets[0].path[0], seconds, time.perf_counter() - started)
        results.append(result)
    return results


def publish_flagged(settings: Settings, advance: Callable[[int], None]) -> None:
    """One run of `ingest_template_snapshots` over what is flagged; `advance` gets the number of templates so far.

    Raises LaunchError when a project was rejected or the run failed; what was published before stays.
    """
    from community_pipelines.orchestration import template_snapshots as snapshots
    from community_pipelines.orchestration.definitions import build_definitions
    from community_pipelines.orchestration.launch import LaunchError, launch_job

    done = 0

    def watch(event: dg.DagsterEvent) -> None:
        nonlocal done
        if event.is_step_materialization:
            done += 1
            advance(done)

    with dagster_instance(settings) as opened:
        result = launch_job(
            build_definitions(settings), opened, snapshots.JOB, snapshots.run_config(flagged=True), watch
        )
    if not result.success:
        raise LaunchError(f"run {result.run_id[:8]} of {snapshots.JOB} failed: {result.message}")


def catch_up(settings: Settings, one: Flow, summary: RunSummary) -> list[LaunchResult]:
    """Runs every closed day that is not done, then what depends on it, until nothing is left to do.

    Withheld days do not stop it, an error does. Where there is nothing to do, Dagster is not even loaded.
    """
    place = deployment(settings, one.platform)
    require_ready(settings, place)
    results: list[LaunchResult] = []
    for _ in range(ROUNDS):
        asked = requests(make_plan(settings, place, one.steps), one.steps)
        if not asked:
            break
        with dagster_instance(settings) as opened:
            done = run_requests(settings, opened, asked, summary)
        results += done
        if any(not result.success and not result.withheld for result in done):
            break
    return results
