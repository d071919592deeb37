"""The command `reconcile`: cached counters against the truth."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click

from community_pipelines.commands.shared import NO, as_json, command, load, own_name, print_json


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
