"""The command `migrate`: our own tables, in the schema `community`."""

from __future__ import annotations

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
    from community_pipelines.commands.runs import app_tables, sql_folder
    from community_pipelines.databases import migrations
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flow, flows

    settings = load()
    for one in [flow(platform)] if platform else flows(settings):
        place, name = deployment(settings, one.platform), one.platform.name
        for kind in ("app", "pipeline") if app else ("pipeline",):
            folder = sql_folder(name, kind)
            absent = app_tables(place) if kind == "app" else ()
            if dry_run:
                click.echo(migrations.text(migrations.pending(place.publish_url, folder, absent)), nl=False)
                continue
            done = migrations.migrate(place.publish_url, folder, absent)
            for migration in done:
                what = f"noted, {migration.instead_of} made it:" if migration.instead_of else "applied"
                click.echo(f"{name}: {what} {migration.folder}/{migration.name}")
            if not done:
                click.echo(f"{name}/{kind}: nothing to apply")
        _follow_contracts(place, dry_run)


def _follow_contracts(place: Deployment, dry_run: bool) -> None:
    """Brings the published tables to what their contracts say, or prints the SQL that would."""
    from community_pipelines.models import published_tables
    from community_pipelines.models.project import load_models

    name = place.platform.name
    work = published_tables.plan if dry_run else published_tables.migrate
    found = work(place.publish_url, name, load_models(name))
    if dry_run:
        click.echo(published_tables.text(found.changes), nl=False)
    for change in () if dry_run else found.changes:
        click.echo(f"{name}: {published_tables.SCHEMA}.{change.table}: {', '.join(change.does)}")
    for note in found.notes:
        click.echo(f"-- {note}" if dry_run else note)
    found.require()
    if not dry_run and not found.changes:
        click.echo(f"{name}/tables: nothing to apply")
