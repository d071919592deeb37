"""The command `maintain`: monthly partitions made ahead of time, old ones archived."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from community_pipelines.commands.shared import NO, as_json, command, load, print_json

if TYPE_CHECKING:
    from community_pipelines.maintenance.maintain import Report


@click.command()
@click.option("--platform", help="Only this platform.")
@click.option("--months", default=3, show_default=True, type=click.IntRange(0, 120), help="How many months ahead.")
@click.option("--drop", is_flag=True, help="Drop detached partitions whose archive is verified.")
@click.option(
    "--expendable", multiple=True, metavar="TABLE.COLUMN", help="May be lost with what is dropped; may be repeated."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@as_json
@command
def maintain(
    platform: str | None, months: int, drop: bool, expendable: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Make monthly partitions ahead of time, archive old ones.

    An old partition is copied into the lake, compared with its copy and detached; without --drop its table stays.
    With --drop one that holds what must not leave the app stays, too, unless --expendable names these columns.
    Killed anywhere, it can be run again. Exit code 1 when a person has to look at something.

    \b
    Examples:
      community maintain --dry-run
      community maintain --months 6
      community maintain --drop --expendable jobs.input_text
    """
    from community_pipelines.commands.report import say
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flow, flows
    from community_pipelines.lake.files import Lake
    from community_pipelines.maintenance import maintain as upkeep

    settings = load()
    chosen = [one.platform for one in ([flow(platform)] if platform else flows(settings))]
    reports: list[Report] = []
    try:
        for one in chosen:
            if one.partitioned:
                report = upkeep.maintain(
                    deployment(settings, one),
                    one.partitioned,
                    Lake(settings.lake_folder),
                    settings.start_date,
                    months,
                    drop,
                    dry_run,
                    expendable,
                )
                reports.append(report)
                if not as_json:
                    _show(report)
    finally:
        # Where one platform fails, a program still reads what was done for those before.
        if as_json:
            print_json([asdict(line) for report in reports for line in report.lines])
    for one in chosen if not reports and not as_json else ():
        say(f"{one.name} has no partitioned tables: nothing to do")
    sys.exit(NO if any(report.faults for report in reports) else 0)


def _show(report: Report) -> None:
    from community_pipelines.commands.report import console, say, table

    rows = [(line.table, line.partition, line.what, line.rows, line.why) for line in report.lines]
    console.print(table(f"partitions of {report.platform}", ("table", "partition", "what", "rows", "why"), rows))
    counts: dict[str, int] = {}
    for line in report.lines:
        counts[line.what] = counts.get(line.what, 0) + 1
    say(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    if report.dry_run:
        say("nothing was written")
