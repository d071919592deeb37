"""What all commands share: exit codes, errors as messages, arguments of a kind, what to type next."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec

import click

from community_pipelines.errors import ExplainedError

if TYPE_CHECKING:
    from community_pipelines.quality.withheld import Withheld
    from community_pipelines.settings import Settings

NO = 1
WRONG = 2
UI_PORT = 3000
P = ParamSpec("P")


def load() -> Settings:
    """The settings of this process. Reading them takes longer than a command's help."""
    from community_pipelines import settings

    return settings.load()


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Turns errors that are explained into a message and exit code 2."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except ExplainedError as error:
            stop_with(str(error))

    return run


def stop_with(message: str, code: int = WRONG) -> NoReturn:
    """Ends the command with a message on the error stream."""
    from community_pipelines.commands.terminal import as_text

    click.secho(f"error: {as_text(message)}", fg="red", err=True)
    sys.exit(code)


def print_json(data: Any) -> None:
    """Prints data for a program; days and times as ISO text."""
    click.echo(json.dumps(data, indent=2, default=str))


class _Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day; write it like 2026-01-31", param, ctx)


DAY = _Day()
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")


def own_name() -> str:
    """How this command is called in this shell: `community`, or the way to it where it is not on the path."""
    called = Path(sys.argv[0])
    if called.name != "community" or shutil.which("community"):
        return "community"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)


def withheld_lines(platform: str, entry: Withheld) -> list[str]:
    """Why a day is withheld, and the command that brings it out."""
    asset = f"{platform}/{entry.asset} {entry.day}"
    again = f"{own_name()} backfill {platform} --from {entry.day} --to {entry.day}"
    if entry.released:
        return [f"{asset} is released, its next run publishes it: {entry.release_reason}", f"    {again}"]
    if entry.releasable:
        return [
            f"{asset} is withheld: {entry.why}",
            f'    if it is right as it is: {own_name()} release {platform} {entry.day} --reason "…"',
        ]
    return [f"{asset} is withheld: {entry.why}", f"    mend the cause, then: {again}"]
