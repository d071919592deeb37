"""Commands that change something: `run`, `migrate`, `backfill`, `reconcile`, `release`, `ui`, `stop`."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from community_pipelines.commands.plumbing import (
    DAY,
    NO,
    as_json,
    command,
    load,
    own_name,
    print_json,
    stop_with,
    withheld_lines,
)

if TYPE_CHECKING:
    from community_pipelines.flow.flows import Flow
    from community_pipelines.orchestration.launch import LaunchResult
    from community_pipelines.orchestration.summary import RunSummary
    from community_pipelines.settings import Settings

UI_PORT = 3000


@click.command()
@command
def run() -> None:
    """Run every closed day that is not done.

    On the embedded PostgreSQL this also migrates, and loads a generated sample into empty databases.

    \b
    Example:
      community run
    """
    from community_pipelines.commands.runs import catch_up
    from community_pipelines.commands.samples import load_samples
    from community_pipelines.flow.flows import flows
    from community_pipelines.orchestration.summary import RunSummary

    settings = load()
    chosen = flows(settings)
    if all(settings.platform(one.platform.name).embedded for one in chosen):
        settings = load_samples(settings)
    summary = RunSummary()
    results: list[LaunchResult] = []
    for one in chosen:
        results += catch_up(settings, one, summary)
    _finish(settings, chosen, results, summary)


def _finish(settings: Settings, flows: Sequence[Flow], results: Sequence[LaunchResult], summary: RunSummary) -> None:
    """Sums up the runs, says what is withheld and what to type next, and ends the command."""
    from community_pipelines.commands.report import console, say, summary_table
    from community_pipelines.databases.connections import connect
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.model import SqlModel
    from community_pipelines.quality import withheld

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


@click.command()
@click.option("--platform", help="Only this platform.")
@click.option("--app", is_flag=True, help="Also create the app's own tables, in an empty database.")
@click.option("--dry-run", is_flag=True, help="Print the SQL and change nothing.")
@command
def migrate(platform: str | None, app: bool, dry_run: bool) -> None:
    """Create our own tables, in the schema `community`.

    \b
    Example:
      community migrate --platform bazaar --dry-run
    """
    from community_pipelines.commands.runs import app_tables, sql_folder
    from community_pipelines.databases import migrations
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flow, flows

    settings = load()
    for one in [flow(platform)] if platform else flows(settings):
        place = deployment(settings, one.platform)
        for kind in ("app", "pipeline") if app else ("pipeline",):
            folder = sql_folder(one.platform.name, kind)
            absent = app_tables(place) if kind == "app" else ()
            if dry_run:
                click.echo(migrations.text(migrations.pending(place.publish_url, folder, absent)), nl=False)
                continue
            done = migrations.migrate(place.publish_url, folder, absent)
            for migration in done:
                click.echo(f"applied {migration.folder}/{migration.name}")
            if not done:
                click.echo(f"{one.platform.name}/{kind}: nothing to apply")


@click.command()
@click.argument("platform")
@click.option("--from", "first", type=DAY, required=True, help="First day, UTC.")
@click.option("--to", "last", type=DAY, required=True, help="Last day, UTC, included.")
@click.option("--dry-run", is_flag=True, help="Say what would be run and run nothing.")
@command
def backfill(platform: str, first: date, last: date, dry_run: bool) -> None:
    """Run a window of closed days again, as one Dagster run.

    \b
    Example:
      community backfill bazaar --from 2026-01-01 --to 2026-01-31
    """
    from community_pipelines.commands.runs import require_ready, run_requests
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flow
    from community_pipelines.flow.plan import Request, closed_days
    from community_pipelines.orchestration.storage import dagster_instance
    from community_pipelines.orchestration.summary import RunSummary

    settings = load()
    one = flow(platform)
    if first > last:
        raise click.UsageError(f"--from {first} lies after --to {last}: swap them")
    if first < settings.start_date:
        raise click.UsageError(
            f"{first} lies before the first partition, {settings.start_date}: start there, or set COMMUNITY_START_DATE"
        )
    place = deployment(settings, one.platform)
    require_ready(settings, place)
    closed = closed_days(settings, place)
    if not closed or last > closed[-1]:
        newest = closed[-1] if closed else "none yet"
        raise click.UsageError(f"{last} is not over yet for {platform}: the newest closed day is {newest}")
    if dry_run:
        _say_what_would_run(settings, one, first, last)
        return
    summary = RunSummary()
    with dagster_instance(settings) as opened:
        request = Request(tuple(step.key for step in one.steps), first, last, "")
        results = run_requests(settings, opened, [request], summary)
    _finish(settings, [one], results, summary)


def _say_what_would_run(settings: Settings, one: Flow, first: date, last: date) -> None:
    from community_pipelines.commands.report import console, say, table
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.plan import make_plan

    plan = make_plan(settings, deployment(settings, one.platform), one.steps, compare=())
    window = [day for day in plan.closed if first <= day <= last]
    rows = [
        (
            f"{one.platform.name}/{asset}",
            *(
                sum(states[day].state in wanted for day in window)
                for wanted in (("done",), ("withheld",), ("stale", "missing"))
            ),
        )
        for asset, states in plan.states.items()
    ]
    title = f"one Dagster run over {len(window)} days, {first} to {last}"
    console.print(table(title, ("asset", "done before", "withheld", "stale or missing"), rows))
    say("nothing was run")


@click.command()
@click.argument("platform")
@click.option("--apply", "apply_", is_flag=True, help="Add the drift; without it nothing is written to the app.")
@as_json
@command
def reconcile(platform: str, apply_: bool, as_json: bool) -> None:
    """Compare the cached counters with the truth.

    Both are counted in one snapshot of the source; --apply adds the difference. Exit code 1 when drift is found
    and not applied.

    \b
    Example:
      community reconcile bazaar
    """
    from community_pipelines.commands.report import console, say, table
    from community_pipelines.counters.correct import reconcile as reconcile_counters
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.databases.inspect import require_tables
    from community_pipelines.flow.flows import flow

    one = flow(platform)
    place = deployment(load(), one.platform)
    require_tables(place)
    run_id = f"cli-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    data: dict[str, Any] = {}
    open_drift = False
    for counters in one.platform.counter_tables:
        outcome = reconcile_counters(place, counters, run_id, "apply" if apply_ else "report")
        found = outcome.found
        open_drift |= bool(found.drifts) and not (apply_ and outcome.refused is None)
        data[counters.table.name] = {
            "mode": outcome.mode,
            "entities": found.entities,
            "counters_off": len(found.drifts),
            "drift_total": found.drift_total,
            "truth_total": found.truth_total,
            "corrected": outcome.corrected,
            "refused": outcome.refused,
            "drifts": [{**vars(drift), "drift": drift.drift} for drift in found.drifts],
            "alternatives": [
                {
                    **beside.totals,
                    "differences": [
                        {"entity": entity, beside.chosen: value, beside.other: other}
                        for entity, value, other in beside.differences
                    ],
                }
                for beside in found.alternatives
            ],
        }
        if as_json:
            continue
        largest = sorted(found.drifts, key=lambda drift: -drift.size)[:20]
        if largest:
            rows = [drift.shown for drift in largest]
            title = f"{counters.table.name}: the largest of {len(found.drifts):,} counters that are off"
            console.print(table(title, ("entity", "counter", "cached", "truth", "drift"), rows))
        say(
            f"{counters.table.name}: {len(found.drifts):,} counters off, total drift {found.drift_total:,} of "
            f"{found.truth_total:,}; corrected {outcome.corrected:,}"
        )
        for beside in found.alternatives:
            if beside.differences:
                title = (
                    f"{counters.table.name}.{beside.counter}: the largest of {len(beside.differences):,} differences"
                )
                columns = ("entity", f"by {beside.chosen}", f"by {beside.other}")
                console.print(table(title, columns, beside.differences[:20]))
            say(f"{counters.table.name}.{beside.line}")
        if outcome.refused:
            say(f"not to be applied: {outcome.refused}", "red")
        elif found.drifts and not apply_:
            say(f"nothing was written; {own_name()} reconcile {platform} --apply adds the drift")
    if as_json:
        print_json(data)
    sys.exit(NO if open_drift else 0)


@click.command()
@click.argument("platform")
@click.argument("day", type=DAY)
@click.option("--reason", required=True, help="Why the day is right as it is; kept with the day.")
@command
def release(platform: str, day: date, reason: str) -> None:
    """Accept a withheld day as it is. Its next run publishes it.

    \b
    Example:
      community release bazaar 2026-01-02 --reason "a bot was removed, 3% fewer rows are right"
    """
    from community_pipelines.commands.report import errors
    from community_pipelines.databases.connections import connect
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flow
    from community_pipelines.quality import withheld

    one = flow(platform)
    if not reason.strip():
        raise click.UsageError("--reason is empty: say why the day is right as it is")
    place = deployment(load(), one.platform)
    with connect(place.publish_url, place.publish_setting) as connection:
        kept = [e for e in withheld.current(connection, platform).values() if e.day == day]
        released = withheld.release(connection, platform, day, getpass.getuser(), reason)
    for entry in kept:
        if entry.asset not in released:
            errors.print(f"{platform}/{entry.asset} {day} cannot be released: {entry.why}", soft_wrap=True)
    if not released:
        stop_with(
            f"nothing of {platform} that can be released is withheld for {day}; see `{own_name()} status`", code=NO
        )
    for asset in released:
        click.echo(f"released {platform}/{asset} {day}")
    click.echo(f"next: {own_name()} backfill {platform} --from {day} --to {day}, or wait for the sensor")


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=UI_PORT, show_default=True, help="On 127.0.0.1.")
@command
def ui(port: int) -> None:
    """Open Dagster on http://127.0.0.1:3000, until Ctrl-C.

    Its webserver, and the daemon that starts schedules and sensors. Only pages of its own are answered: no other
    page that a browser on this machine opens can start or delete anything.

    \b
    Example:
      community ui --port 4000
    """
    from community_pipelines.orchestration.launch import PATIENCE, instance_home
    from community_pipelines.orchestration.storage import storage_url
    from community_pipelines.settings import process_environment
    from community_pipelines.shipped import shipped

    settings = load()
    with _listening(port) as listening:
        environment = process_environment(instance_home(settings.home, storage_url(settings)), PATIENCE)
        _be_the_only_one(Path(environment["DAGSTER_HOME"]), port)
        listening.set_inheritable(True)
        click.echo(f"Dagster UI: http://127.0.0.1:{port} (Ctrl-C stops it)")
        # Dagster reads its environment when it is imported, so it begins in a process of its own: this one, anew.
        module = ("-P", "-m", "community_pipelines.orchestration.webserver")
        os.execve(
            sys.executable,
            [sys.executable, *module, str(listening.fileno()), str(shipped("workspace.yaml"))],
            environment,
        )


def _listening(port: int) -> socket.socket:
    """The port, taken: who asks waits until the pages are there, and nobody else can have it."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except OSError as error:
        listening.close()
        stop_with(
            f"127.0.0.1:{port} cannot be had ({error.strerror}): perhaps another `community ui` is open there; stop "
            "what has the port, or choose another one with --port"
        )
    return listening


def _be_the_only_one(folder: Path, port: int) -> None:
    """Keeps a lock in Dagster's folder until this process ends; stops when another `community ui` has it.

    Two daemons on one instance would start every schedule and sensor twice.
    """
    lock = os.open(folder / "ui.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        there = os.read(lock, 100).decode()
        os.close(lock)
        stop_with(f"a `community ui` of this state folder is open already: {there}")
    os.truncate(lock, 0)
    os.pwrite(lock, f"http://127.0.0.1:{port}".encode(), 0)
    os.set_inheritable(lock, True)


@click.command()
@command
def stop() -> None:
    """Stop the embedded PostgreSQL. It starts again by itself.

    \b
    Example:
      community stop
    """
    from community_pipelines.embedded import postgres

    postgres.stop(load().home)
    click.echo("the embedded PostgreSQL is stopped")
