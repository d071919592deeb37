"""What commands do with a platform: prepare its databases, plan, run with a progress bar, sum up."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from community_pipelines.commands.report import console, progress, say, summary_table
from community_pipelines.commands.shared import NO, UI_PORT, own_name, withheld_lines
from community_pipelines.databases import migrations
from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.databases.inspect import require_tables
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.plan import Request, make_plan, requests
from community_pipelines.lake.files import Lake
from community_pipelines.models import published_tables
from community_pipelines.models.project import load_models
from community_pipelines.orchestration.storage import dagster_instance
from community_pipelines.quality import withheld
from community_pipelines.settings import CONFIG_FILE, Settings
from community_pipelines.shipped import shipped

if TYPE_CHECKING:
    from community_pipelines.flow.flows import Flow
    from community_pipelines.orchestration.launch import Event, Instance, LaunchResult
    from community_pipelines.orchestration.summary import RunSummary

SQL_FOLDER = shipped("sql")
ROUNDS = 4


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
    settings: Settings, opened: Instance, asked: Sequence[Request], summary: RunSummary
) -> list[LaunchResult]:
    """Makes these runs one after the other, in this process, with a progress bar."""
    from community_pipelines.orchestration.definitions import SECONDS_TAG, build_definitions
    from community_pipelines.orchestration.launch import launch

    defs = build_definitions(settings)
    results = []
    for request in asked:
        days = (request.last - request.first).days + 1
        text = f"{request.assets[0][0]}: {request.first} to {request.last}"
        say(f"{text}, {days:,} day{'s' if days > 1 else ''} of {len(request.assets)} assets")
        started = time.perf_counter()
        with progress(text, days * len(request.assets)) as advance:

            def see(event: Event, run: Request = request) -> None:
                if summary.see(event, f"{run.first}{run.version}"):
                    advance(1)

            result = launch(defs, opened, request.assets, request.first, request.last, see)
        run = opened.get_run_by_id(result.run_id)
        if run is not None:
            seconds = json.loads(run.tags.get(SECONDS_TAG, "{}"))
            summary.add_seconds(request.assets[0][0], seconds, time.perf_counter() - started)
        results.append(result)
    return results


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


def finish(settings: Settings, flows: Sequence[Flow], results: Sequence[LaunchResult], summary: RunSummary) -> None:
    """Sums up the runs, says what is withheld and what to type next, and ends the command."""
    kept = []
    for one in flows:
        place = deployment(settings, one.platform)
        with connect(place.publish_url, place.publish_setting) as connection:
            kept += [(one.platform.name, entry) for entry in withheld.current(connection, one.platform.name).values()]
    if results:
        console.print(summary_table(f"{len(results)} Dagster run{'s' if len(results) > 1 else ''}", summary))
    elif kept:
        say("Nothing to do: every closed day is done or withheld.")
    else:
        say("Nothing to do: every closed day is done.")
    failed = [result for result in results if not result.success]
    for result in failed:
        say(f"run {result.run_id[:8]} failed: {result.message}", "red")
    for platform, entry in kept:
        for line in withheld_lines(platform, entry):
            say(line, "yellow")
    name = own_name()
    say("\nNext:")
    say(f"  {name} ui  (lineage, checks and days in Dagster, on http://127.0.0.1:{UI_PORT})")
    say(f"  {name} status  (every asset's days: done, stale, withheld, missing)")
    one = flows[0]
    models = [step.name for step in one.steps if isinstance(step, SqlModel)]
    for model in [model for model in models if one.platform.model_group(model) == "metrics"][-1:]:
        say(f'  {name} sql -c "from {one.platform.name}.{model} limit 5"')
    sys.exit(NO if failed or kept else 0)
