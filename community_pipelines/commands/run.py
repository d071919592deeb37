"""The command `run`: every closed day that is not done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from community_pipelines.commands.shared import command, load

if TYPE_CHECKING:
    from community_pipelines.orchestration.launch import LaunchResult


@click.command()
@command
def run() -> None:
    """Run every closed day that is not done.

    On the embedded PostgreSQL this also migrates, and loads a generated sample into empty databases.

    \b
    Example:
      community run
    """
    from community_pipelines.commands.runs import catch_up, finish
    from community_pipelines.commands.sample import load_samples
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
    finish(settings, chosen, results, summary)
