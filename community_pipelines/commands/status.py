"""The command `status`: which days are done, stale, withheld or missing, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from community_pipelines.commands.shared import NO, WRONG, as_json, command, load, print_json, withheld_lines

if TYPE_CHECKING:
    from community_pipelines.databases.deployment import Deployment
    from community_pipelines.platforms.spec import CounterTable
    from community_pipelines.settings import Settings


@click.command()
@click.option("--thorough", is_flag=True, help="Compare every day and every counter with the source now.")
@as_json
@command
def status(thorough: bool, as_json: bool) -> None:
    """Which days are done, stale, withheld or missing.

    Also the last nightly run, and how far the counters had drifted. What came late is what the last comparison
    found, and when; --thorough compares now. Where a database does not answer, the rest is shown.
    Exit code 1 when a day is withheld, 2 when a database did not answer.

    \b
    Example:
      community status --json
    """
    from community_pipelines.commands.report import console, plan_lines, plan_rows, say, table
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flows
    from community_pipelines.flow.plan import STATES, known_plan, make_plan

    settings = load()
    data: dict[str, Any] = {}
    kept = unknown = 0
    for one in flows(settings):
        name = one.platform.name
        place = deployment(settings, one.platform)
        plan = (make_plan if thorough else known_plan)(settings, place, one.steps)
        counted = _counted(place, thorough, plan.notes)
        nightly = _nightly(settings, name, plan.notes)
        kept += len(plan.withheld)
        unknown += len(plan.notes)
        data[name] = {
            "closed_days": len(plan.closed),
            "first_closed_day": plan.closed[0] if plan.closed else None,
            "last_closed_day": plan.closed[-1] if plan.closed else None,
            "compared_at": plan.compared_at,
            "assets": {asset: {state: plan.days(asset, state) for state in STATES} for asset in plan.states},
            "withheld": [
                {"asset": e.asset, "day": e.day, "why": e.why, "releasable": e.releasable, "released": e.released}
                for e in plan.withheld.values()
            ],
            "left_out": {table: {"rows": r, "entities": e} for table, (r, e) in plan.left_out.items()},
            "last_nightly_run": nightly,
            "counters": {counters: facts for counters, (facts, _) in counted.items()},
            "not_known": plan.notes,
        }
        if as_json:
            continue
        closed = f"{plan.closed[0]} to {plan.closed[-1]}" if plan.closed else "none yet"
        title = f"{one.platform.title}, closed days: {closed}"
        console.print(table(title, ("asset", "closed", "done", "stale", "withheld", "missing"), plan_rows(plan)))
        for note in plan.notes:
            say(note, "yellow")
        for line in plan_lines(plan):
            say(line)
        for entry in plan.withheld.values():
            for line in withheld_lines(name, entry):
                say(line, "yellow")
        for published, (rows, entities) in plan.left_out.items():
            say(f"left out of {published}: {rows:,} rows of {entities:,} entities that are gone")
        for line in (line for _, lines in counted.values() for line in lines):
            say(line)
        compared = f"{plan.compared_at:%Y-%m-%d %H:%M} UTC" if plan.compared_at else "never"
        say(f"all days compared with the source: {compared}{'' if thorough else '; --thorough compares them now'}")
        ran = f"{nightly['status']} for {nightly['day']}, {nightly['at']}" if nightly else "none yet"
        say(f"last nightly run: {ran}")
    if as_json:
        print_json(data)
    sys.exit(WRONG if unknown else NO if kept else 0)


def _nightly(settings: Settings, platform: str, notes: list[str]) -> dict[str, str] | None:
    from community_pipelines.databases.connections import DatabaseError
    from community_pipelines.orchestration.nightly import last_nightly_run
    from community_pipelines.orchestration.storage import storage_url

    try:
        return last_nightly_run(storage_url(settings), "COMMUNITY_DATABASE_URL", platform)
    except DatabaseError as error:
        notes.append(f"the last nightly run is not known: {error}")
        return None


def _counted(place: Deployment, thorough: bool, notes: list[str]) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """By table of counters what is known of their drift, for programs and as lines for people: counted in the source
    now, or what the last reconciliation found."""
    from community_pipelines.databases.connections import DatabaseError

    found = {}
    for counters in place.platform.counter_tables:
        try:
            found[counters.table.name] = (_drift_now if thorough else _drift_then)(place, counters)
        except DatabaseError as error:
            notes.append(f"the drift of {counters.table.name} is not known: {error}")
    return found


def _drift_now(place: Deployment, counters: CounterTable) -> tuple[dict[str, Any], list[str]]:
    from community_pipelines.counters.drift import measure

    name, drift = counters.table.name, measure(place, counters)
    facts = {
        "entities": drift.entities,
        "entities_off": len({one.entity for one in drift.drifts}),
        "drift": drift.drift_total,
        "truth": drift.truth_total,
        "off": len(drift.drifts),
        "alternatives": [beside.totals for beside in drift.alternatives],
    }
    line = (
        f"counters of {name}: {len(drift.drifts):,} of {drift.entities * len(counters.counters):,} are off, "
        f"total drift {drift.drift_total:,} (mode: {place.settings.counters_mode})"
    )
    return facts, [line, *(f"{name}.{beside.line}" for beside in drift.alternatives)]


def _drift_then(place: Deployment, counters: CounterTable) -> tuple[dict[str, Any], list[str]]:
    from community_pipelines.counters.correct import last_reconciliation
    from community_pipelines.databases.connections import connect

    name = counters.table.name
    with connect(place.publish_url, place.publish_setting) as connection:
        last = last_reconciliation(connection, place.platform.name, counters)
    if last is None:
        return {}, [f"counters of {name}: not reconciled yet"]
    done = f"refused: {last.refused}" if last.refused else f"{last.corrected:,} corrected"
    line = (
        f"counters of {name}, reconciled {last.at:%Y-%m-%d %H:%M} UTC: {last.entities_off:,} of {last.entities:,} "
        f"entities were off, total drift {last.drift:,}; {done} (mode: {last.mode})"
    )
    return vars(last), [line]
