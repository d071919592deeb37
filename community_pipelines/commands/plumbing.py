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

if TYPE_CHECKING:
    from community_pipelines.quality.withheld import Withheld
    from community_pipelines.settings import Settings

NO = 1
WRONG = 2
P = ParamSpec("P")


def load() -> Settings:
    """The settings of this process. Reading them takes longer than a command's help."""
    from community_pipelines import settings

    return settings.load()


def expected_errors() -> tuple[type[Exception], ...]:
    """Errors that are messages for people; anything else is a fault of this program and shows its traceback."""
    from community_pipelines.counters.correct import CounterError
    from community_pipelines.databases import DatabaseError
    from community_pipelines.embedded.postgres import EmbeddedPostgresError
    from community_pipelines.embedded.sample import SampleError
    from community_pipelines.lake.extract import ExtractError
    from community_pipelines.lake.ledger import LakeError
    from community_pipelines.launch import LaunchError
    from community_pipelines.maintenance.cold import ArchiveError
    from community_pipelines.maintenance.partitions import PartitionError
    from community_pipelines.migrations import MigrationError
    from community_pipelines.models.project import ModelError
    from community_pipelines.models.publish import PublishError
    from community_pipelines.platforms.inspect import SourceError
    from community_pipelines.settings import ConfigurationError
    from community_pipelines.sql_shell import SqlError

    return (
        ArchiveError, ConfigurationError, CounterError, DatabaseError, EmbeddedPostgresError, ExtractError, LakeError,
        LaunchError, MigrationError, ModelError, PartitionError, PublishError, SampleError, SourceError, SqlError,
    )  # fmt: skip


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Turns expected errors into a message and exit code 2."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:
            if isinstance(error, expected_errors()):
                stop_with(str(error))
            raise

    return run


def stop_with(message: str, code: int = WRONG) -> NoReturn:
    """Ends the command with a message on the error stream."""
    click.secho(f"error: {message}", fg="red", err=True)
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
