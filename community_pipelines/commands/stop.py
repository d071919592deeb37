"""The command `stop`: the embedded PostgreSQL, until something needs it."""

from __future__ import annotations

import click

from community_pipelines.commands.shared import command, load


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
