"""The command `backfill`: a window of closed days again, as one Dagster run."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from community_pipelines.commands.shared import DAY, command, load

if TYPE_CHECKING:
    from community_pipelines.flow.flows import Flow
    from community_pipelines.settings import Settings


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
    from community_pipelines.commands.runs import finish, require_ready, run_requests
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
    finish(settings, [one], results, summary)


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
