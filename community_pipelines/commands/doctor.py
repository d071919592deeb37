"""The command `doctor`: what is wrong with databases, lake and machine, and what to do."""

from __future__ import annotations

import sys

import click

from community_pipelines.commands.shared import NO, as_json, command, load, print_json


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
    from community_pipelines.commands.report import say
    from community_pipelines.doctor.examine import examine
    from community_pipelines.flow.flows import flows

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
