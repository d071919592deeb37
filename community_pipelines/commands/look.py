"""Commands that only look: `status`, `account`, `doctor`, `sql`."""

from __future__ import annotations

import sys
from typing import Any

import click

from community_pipelines.commands.plumbing import NO, as_json, command, print_json, withheld_lines
from community_pipelines.settings import load


@click.command()
@as_json
@command
def status(as_json: bool) -> None:
    """Which days are done, stale, withheld or missing.

    Also the last nightly run and how far the counters have drifted. Exit code 1 when a day is withheld.

    \b
    Example:
      community status --json
    """
    from community_pipelines.counters.drift import measure
    from community_pipelines.definitions import flows
    from community_pipelines.plan import STATES, make_plan
    from community_pipelines.platforms.deployment import deployment
    from community_pipelines.report import console, plan_lines, plan_rows, say, table
    from community_pipelines.runtime import dagster_instance, last_nightly_run

    settings = load()
    data: dict[str, Any] = {}
    kept = 0
    for one in flows(settings):
        name = one.platform.name
        place = deployment(settings, one.platform)
        plan = make_plan(settings, place, one.steps)
        with dagster_instance(settings) as opened:
            nightly = last_nightly_run(opened, name)
        drifts = [(counters, measure(place, counters)) for counters in one.platform.counter_tables]
        kept += len(plan.withheld)
        data[name] = {
            "closed_days": len(plan.closed),
            "first_closed_day": plan.closed[0] if plan.closed else None,
            "last_closed_day": plan.closed[-1] if plan.closed else None,
            "assets": {asset: {state: plan.days(asset, state) for state in STATES} for asset in plan.states},
            "withheld": [
                {"asset": e.asset, "day": e.day, "why": e.why, "releasable": e.releasable, "released": e.released}
                for e in plan.withheld.values()
            ],
            "left_out": {table: {"rows": r, "entities": e} for table, (r, e) in plan.left_out.items()},
            "last_nightly_run": nightly,
            "counters": {
                counters.table.name: {
                    "entities": d.entities,
                    "off": len(d.drifts),
                    "drift": d.drift_total,
                    "alternatives": [beside.totals for beside in d.alternatives],
                }
                for counters, d in drifts
            },
        }
        if as_json:
            continue
        closed = f"{plan.closed[0]} to {plan.closed[-1]}" if plan.closed else "none yet"
        title = f"{one.platform.title}, closed days: {closed}"
        console.print(table(title, ("asset", "closed", "done", "stale", "withheld", "missing"), plan_rows(plan)))
        for line in plan_lines(plan):
            say(line)
        for entry in plan.withheld.values():
            for line in withheld_lines(name, entry):
                say(line, "yellow")
        for published, (rows, entities) in plan.left_out.items():
            say(f"left out of {published}: {rows:,} rows of {entities:,} entities that are gone")
        for counters, drift in drifts:
            say(
                f"counters of {counters.table.name}: {len(drift.drifts):,} of "
                f"{drift.entities * len(counters.counters):,} are off, total drift {drift.drift_total:,} "
                f"(mode: {place.settings.counters_mode})"
            )
            for beside in drift.alternatives:
                say(f"{counters.table.name}.{beside.line}")
        ran = f"{nightly['status']} for {nightly['day']}, {nightly['at']}" if nightly else "none yet"
        say(f"last nightly run: {ran}")
    if as_json:
        print_json(data)
    sys.exit(NO if kept else 0)


@click.command()
@click.option("--platform", help="Only this platform.")
@click.option("--verify", is_flag=True, help="Also verify the bytes of every file.")
@as_json
@command
def account(platform: str | None, verify: bool, as_json: bool) -> None:
    """Account for every row that was read.

    For every day and stream read = accepted + duplicates + quarantined; rows of the source that belong to no day are
    shown below. Exit code 1 when the residue is not 0 or
    a file is not what its ledger says.

    \b
    Example:
      community account --json
    """
    from community_pipelines.accounting import account as count
    from community_pipelines.accounting import without_day
    from community_pipelines.definitions import flow, flows
    from community_pipelines.platforms.deployment import deployment
    from community_pipelines.report import console, progress, say, table

    settings = load()
    rows, timeless = [], {}
    for one in [flow(platform)] if platform else flows(settings):
        place = deployment(settings, one.platform)
        with progress(f"counting {one.platform.name}", None) as advance:
            rows += count(settings, place, verify, advance)
        timeless[one.platform.name] = without_day(settings, place)
    wrong = [row for row in rows if row.residue or row.fault]
    if as_json:
        residue = sum(abs(row.residue) for row in rows)
        print_json({"residue": residue, "days": [vars(row) for row in rows], "without_day": timeless})
        sys.exit(NO if wrong else 0)
    columns = ("stream", "day", "read", "accepted", "duplicates", "quarantined", "residue")
    for name in dict.fromkeys(row.platform for row in rows):
        shown = [
            (r.stream, str(r.day or ""), r.read, r.accepted, r.duplicates, sum(r.quarantined.values()), r.residue)
            for r in rows
            if r.platform == name
        ]
        sums = [sum(row[n] for row in shown) for n in range(2, 7)]  # type: ignore[misc]
        console.print(table(f"{name}: rows read, and where they went", columns, [*shown, ("total", "", *sums)]))
    for name, streams in timeless.items():
        for stream, counts in streams.items():
            listed = ", ".join(f"{count:,} {what}" for what, count in counts.items())
            say(f"{name}/{stream}: rows of the source that belong to no day: {listed}", "yellow")
    for row in wrong:
        say(f"{row.platform}/{row.stream} {row.day or ''}: {row.fault}", "red")
    sys.exit(NO if wrong else 0)


@click.command()
@as_json
@command
def doctor(as_json: bool) -> None:
    """Examine databases, lake and machine; say what to do.

    Exit code 1 when there is a problem.

    \b
    Example:
      community doctor
    """
    from community_pipelines.definitions import flows
    from community_pipelines.doctor.examine import examine
    from community_pipelines.report import say

    settings = load()
    findings = examine(settings, [one.platform for one in flows(settings)])
    if as_json:
        print_json([vars(finding) for finding in findings])
        sys.exit(NO if any(finding.level == "problem" for finding in findings) else 0)
    colours = {"ok": "green", "warning": "yellow", "problem": "red"}
    for finding in findings:
        say(f"{finding.level:7}", colours[finding.level], end=" ")
        say(f"{finding.platform} {finding.subject}: {finding.seen}")
        for line in finding.advice.splitlines():
            say(f"          {line}", "dim")
    sys.exit(NO if any(finding.level == "problem" for finding in findings) else 0)


@click.command("sql")
@click.option("-c", "statement", help="Run this statement and leave.")
@command
def sql(statement: str | None) -> None:
    """Ask the lake in SQL: a view for every stream and model.

    \b
    Example:
      community sql -c "select day, sum(count) from bazaar.community_metrics_daily group by day"
    """
    from community_pipelines.definitions import flows
    from community_pipelines.sql_shell import interactive, open_lake, run_statement

    settings = load()
    with open_lake(settings, [one.platform for one in flows(settings)]) as lake:
        if statement is None:
            interactive(lake)
        else:
            run_statement(lake, statement)
