"""The command `sample`, and the samples that `run` loads into empty embedded databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from community_pipelines.commands.shared import command, load, own_name

if TYPE_CHECKING:
    from community_pipelines.databases.deployment import Deployment
    from community_pipelines.embedded.sample import SampleSize
    from community_pipelines.embedded.sample_stories import StoriesSize
    from community_pipelines.platforms.spec import Table
    from community_pipelines.settings import Settings


@click.command()
@click.option("--templates", default=2000, show_default=True, help="How many templates of the gallery.")
@click.option("--users", default=20_000, show_default=True, help="How many users of the gallery.")
@click.option("--days", default=60, show_default=True, help="How many closed days.")
@click.option("--events-per-day", default=16_700, show_default=True, help="Events of the gallery a day, about.")
@click.option("--scenes", default=2500, show_default=True, help="How many scenes of the story videos.")
@command
def sample(templates: int, users: int, days: int, events_per_day: int, scenes: int) -> None:
    """Load generated communities into the embedded databases.

    Only into empty ones. The gallery's first day becomes the first partition.

    \b
    Example:
      community sample --templates 200 --users 2000 --days 14 --events-per-day 2000 --scenes 200
    """
    from community_pipelines.commands.report import say
    from community_pipelines.commands.runs import prepare_embedded
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.embedded.sample import SampleSize
    from community_pipelines.embedded.sample_stories import StoriesSize
    from community_pipelines.flow.flows import flow, flows
    from community_pipelines.settings import ConfigurationError

    settings = load()
    for one in flows(settings):
        if not settings.platform(one.platform.name).embedded:
            raise ConfigurationError(
                "the sample is only loaded into the embedded PostgreSQL; "
                f"COMMUNITY_{one.platform.name.upper()}__SOURCE_URL names another one"
            )
    gallery, story_videos = (deployment(settings, flow(name).platform) for name in ("bazaar", "stories"))
    for place in (gallery, story_videos):
        prepare_embedded(place)
    size = SampleSize(templates=templates, users=users, days=days, events_per_day=events_per_day)
    settings = _load_gallery(settings, gallery, size)
    _load_stories(settings, story_videos, StoriesSize(scenes=scenes))
    say(f"next: {own_name()} run")


def load_samples(settings: Settings) -> Settings:
    """Migrates the embedded databases and fills those that are empty; gives the settings with the first partition."""
    from community_pipelines.commands.report import say
    from community_pipelines.commands.runs import prepare_embedded
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import flow, flows
    from community_pipelines.platforms.stories.spec import STORIES

    for one in flows(settings):
        applied = prepare_embedded(deployment(settings, one.platform))
        if applied:
            say(f"{one.platform.name}: applied {len(applied)} migrations")
    place = deployment(settings, flow("bazaar").platform)
    if not _has_rows(place, place.platform.table("community_events")):
        from community_pipelines.embedded import sample as gallery

        if gallery.is_empty(place.source_url):
            settings = _load_gallery(settings, place, gallery.SampleSize())
    place = deployment(settings, flow("stories").platform)
    if not _has_rows(place, STORIES.table("scene_views")):
        from community_pipelines.embedded import sample_stories

        if sample_stories.is_empty(place.source_url):
            _load_stories(settings, place, sample_stories.StoriesSize())
    return settings


def _has_rows(place: Deployment, table: Table) -> bool:
    """Whether the table that a sample fills last has rows: then its generator is not even loaded."""
    from psycopg import sql

    from community_pipelines.databases.connections import connect

    with connect(place.source_url, place.source_setting) as connection:
        row = connection.execute(sql.SQL("select exists (select from {})").format(place.names.table(table))).fetchone()
    return row == (True,)


def _load_gallery(settings: Settings, place: Deployment, size: SampleSize) -> Settings:
    """Loads it, and gives the settings with its first day as the first partition."""
    from community_pipelines.commands.report import say, stages
    from community_pipelines.commands.runs import remember_start
    from community_pipelines.embedded import sample as samples
    from community_pipelines.orchestration.template_snapshots import publish_flagged

    with stages() as show:

        def publish() -> None:
            publish_flagged(settings, place.platform, lambda done: show("templates", done, size.templates))

        report = samples.load(place.source_url, size, datetime.now(UTC), publish, show)
    remember_start(settings.home, report.first_day)
    say(
        f"sample gallery: {report.templates:,} templates, {report.users:,} users, {report.events:,} events from "
        f"{report.first_day} to {report.last_day} and today; {report.counters_off:,} cached counters are off"
    )
    return load()


def _load_stories(settings: Settings, place: Deployment, size: StoriesSize) -> None:
    from community_pipelines.commands.report import say, stages
    from community_pipelines.embedded import sample_stories

    with stages() as show:
        report = sample_stories.load(place.source_url, size, datetime.now(UTC), settings.start_date, show)
    say(
        f"sample story videos: {report.scenes:,} scenes, {report.users:,} users, {report.segments:,} segments, "
        f"{report.jobs:,} jobs, {report.views:,} views from {report.first_day} to {report.last_day} and today; "
        f"{report.counters_off:,} cached counters are off"
    )
