"""The command `sample`, and the samples that `run` loads into empty embedded databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from community_pipelines.commands.shared import command, load, own_name

if TYPE_CHECKING:
    from community_pipelines.databases.deployment import Deployment
    from community_pipelines.samples.spec import Sample
    from community_pipelines.settings import Settings

DAYS = 60


class _Sizes(click.Command):
    """A command with one option more for each number that a platform's sample asks for."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """As click's; only who asks for this command reads what samples declare."""
        from community_pipelines.platforms.registry import PLATFORMS
        from community_pipelines.samples.spec import sample_of

        asked = {
            one.name: click.Option(
                [f"--{one.name.replace('_', '-')}"], default=one.default, show_default=True, help=one.metadata["help"]
            )
            for platform in PLATFORMS
            if (found := sample_of(platform))
            for one in found.options
        }
        return [*asked.values(), *super().get_params(ctx)]


@click.command(cls=_Sizes)
@click.option("--days", default=DAYS, show_default=True, help="How many closed days.")
@command
def sample(days: int, **numbers: int) -> None:
    """Load generated communities into the embedded databases.

    Only into empty ones. The first day becomes the first partition.

    \b
    Example:
      community sample --days 14
    """
    from community_pipelines.commands.report import say
    from community_pipelines.flow.flows import flows
    from community_pipelines.settings import ConfigurationError

    settings = load()
    for one in flows(settings):
        if not settings.platform(one.platform.name).embedded:
            raise ConfigurationError(
                "the sample is only loaded into the embedded PostgreSQL; "
                f"COMMUNITY_{one.platform.name.upper()}__SOURCE_URL names another one"
            )
    _load(settings, _prepared(settings), days, numbers)
    say(f"next: {own_name()} run")


def load_samples(settings: Settings) -> Settings:
    """Migrates the embedded databases and fills those that are empty; gives the settings with the first partition."""
    found = _prepared(settings)
    waiting = [(one, place) for one, place in found if _is_empty(one, place)]
    # Who comes later follows those who are there.
    return _load(settings, waiting, DAYS if len(waiting) == len(found) else settings.start_date, {})


def _prepared(settings: Settings) -> list[tuple[Sample, Deployment]]:
    """The samples of all platforms, with their databases migrated."""
    from community_pipelines.commands.report import say
    from community_pipelines.commands.runs import prepare_embedded
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flows
    from community_pipelines.samples.spec import sample_of

    found = []
    for flow in flows(settings):
        name, place = flow.platform.name, deployment(settings, flow.platform)
        applied, one = prepare_embedded(place), sample_of(name)
        if applied:
            say(f"{name}: applied {len(applied)} migrations" + ("" if one else "; it has no sample to load"))
        if one:
            found.append((one, place))
    return found


def _is_empty(one: Sample, place: Deployment) -> bool:
    """Whether a sample may be loaded; where it was, no generator is loaded to find out."""
    from psycopg import sql

    from community_pipelines.databases.connections import connect

    last = place.names.table(place.platform.table(one.filled_last))
    with connect(place.source_url, place.source_setting) as connection:
        row = connection.execute(sql.SQL("select exists (select from {})").format(last)).fetchone()
    if row == (True,):
        return False
    from community_pipelines.samples.loading import is_empty

    return is_empty(one, place)


def _load(
    settings: Settings,
    waiting: Sequence[tuple[Sample, Deployment]],
    opening: date | int,
    numbers: Mapping[str, int],
) -> Settings:
    """Loads samples that open on that day. When it is so many days ago, the first one decides for all, and its first
    day becomes the first partition of the settings."""
    from community_pipelines.commands.report import say, stages
    from community_pipelines.commands.runs import remember_start

    sizes = [one.size(**{option.name: numbers[option.name] for option in one.options if numbers}) for one, _ in waiting]
    for (one, place), size in zip(waiting, sizes, strict=True):
        from community_pipelines.samples import loading

        with stages() as show:
            report = loading.load(one, settings, place, size, datetime.now(UTC), opening, show)
        if isinstance(opening, int):
            remember_start(settings.home, report.first_day)
            settings, opening = load(), report.first_day
        say(report.line)
    return settings
