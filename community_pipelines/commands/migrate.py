"""The command `migrate`: our own tables, in the schema `community`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from community_pipelines.commands.shared import command, load

if TYPE_CHECKING:
    from community_pipelines.databases.deployment import Deployment


@click.command()
@click.option("--platform", help="Only this platform.")
@click.option("--app", is_flag=True, help="Also create the app's own tables, in an empty database.")
@click.option("--dry-run", is_flag=True, help="Print the SQL and change nothing.")
@command
def migrate(platform: str | None, app: bool, dry_run: bool) -> None:
    """Create our own tables, in the schema `community`.

    Records from numbered files, published tables as their contracts say: what is missing is added, rows stay.

    \b
    Example:
      community migrate --platform bazaar --dry-run
    """
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.databases.migrations import MigrationError
    from community_pipelines.errors import ExplainedError
    from community_pipelines.flow.flows import flow, flows

    settings = load()
    kinds = ("app", "pipeline") if app else ("pipeline",)
    refused = []
    for one in [flow(platform)] if platform else flows(settings):
        name = one.platform.name
        try:
            (_print if dry_run else _apply)(deployment(settings, one.platform), kinds)
        # What one platform's database refuses keeps no other platform from what it lacks.
        except ExplainedError as error:
            refused.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
    if refused:
        raise MigrationError("\n".join(refused))


def _print(place: Deployment, kinds: Sequence[str]) -> None:
    """Prints the SQL that would be applied to one platform's database, under a line that names both."""
    from community_pipelines.commands.runs import app_tables, sql_folder
    from community_pipelines.databases import connections, migrations
    from community_pipelines.models import published_tables
    from community_pipelines.models.project import load_models

    name, url = place.platform.name, place.publish_url
    files = [
        migrations.text(migrations.pending(url, sql_folder(name, kind), app_tables(place) if kind == "app" else ()))
        for kind in kinds
    ]
    found = published_tables.plan(url, name, load_models(name))
    tables = [published_tables.text(found.changes), *(f"-- {note}\n" for note in found.notes)]
    if script := "".join([*files, *tables]):
        click.echo(f"-- {name}: database {connections.place(url)}\n{script}", nl=False)
    found.require()


def _apply(place: Deployment, kinds: Sequence[str]) -> None:
    """Brings one platform's database to what files and contracts say, and says what was done."""
    from community_pipelines.commands.runs import app_tables, sql_folder
    from community_pipelines.databases import migrations
    from community_pipelines.models import published_tables
    from community_pipelines.models.project import load_models

    name, url = place.platform.name, place.publish_url
    for kind in kinds:
        done = migrations.migrate(url, sql_folder(name, kind), app_tables(place) if kind == "app" else ())
        for migration in done:
            what = f"noted, {migration.instead_of} made it:" if migration.instead_of else "applied"
            click.echo(f"{name}: {what} {migration.folder}/{migration.name}")
        if not done:
            click.echo(f"{name}/{kind}: nothing to apply")
    found = published_tables.migrate(url, name, load_models(name))
    for change in found.changes:
        click.echo(f"{name}: {published_tables.SCHEMA}.{change.table}: {', '.join(change.does)}")
    for note in found.notes:
        click.echo(note)
    found.require()
    if not found.changes:
        click.echo(f"{name}/tables: nothing to apply")
