"""The command `migrate`: our own tables, in the schema `community`."""

from __future__ import annotations

import click

from community_pipelines.commands.shared import command, load


@click.command()
@click.option("--platform", help="Only this platform.")
@click.option("--app", is_flag=True, help="Also create the app's own tables, in an empty database.")
@click.option("--dry-run", is_flag=True, help="Print the SQL and change nothing.")
@command
def migrate(platform: str | None, app: bool, dry_run: bool) -> None:
    """Create our own tables, in the schema `community`.

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
        place = deployment(settings, one.platform)
        for kind in ("app", "pipeline") if app else ("pipeline",):
            folder = sql_folder(one.platform.name, kind)
            absent = app_tables(place) if kind == "app" else ()
            if dry_run:
                click.echo(migrations.text(migrations.pending(place.publish_url, folder, absent)), nl=False)
                continue
            done = migrations.migrate(place.publish_url, folder, absent)
            for migration in done:
                click.echo(f"applied {migration.folder}/{migration.name}")
            if not done:
                click.echo(f"{one.platform.name}/{kind}: nothing to apply")
