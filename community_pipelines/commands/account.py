"""The command `account`: every row that was read, and where it went."""

from __future__ import annotations

import sys

import click

from community_pipelines.commands.shared import NO, as_json, command, load, print_json


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
    from community_pipelines.commands.report import console, progress, say, table
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flow, flows
    from community_pipelines.quality.accounting import account as count
    from community_pipelines.quality.accounting import without_day

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
