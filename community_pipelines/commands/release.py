"""The command `release`: a withheld day is right as it is."""

from __future__ import annotations

import getpass
from datetime import date

import click

from community_pipelines.commands.shared import DAY, NO, command, load, own_name, stop_with


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
