"""The command `sql`: the lake, asked in SQL."""

from __future__ import annotations

import click

from community_pipelines.commands.shared import command, load


@click.command("sql")
@click.option("-c", "statement", help="Run this statement and leave.")
@command
def sql(statement: str | None) -> None:
    """Ask the lake in SQL: a view for every stream and model.

    \b
    Example:
      community sql -c "select day, sum(count) from bazaar.community_metrics_daily group by day"
    """
    from community_pipelines.commands.sql_shell import interactive, open_lake, run_statement
    from community_pipelines.flow.flows import flows

    settings = load()
    with open_lake(settings, [one.platform for one in flows(settings)]) as lake:
        if statement is None:
            interactive(lake)
        else:
            run_statement(lake, statement)
