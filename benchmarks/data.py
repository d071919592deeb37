"""The two galleries that are measured: many events in few days, and few events in many days.

Each lives in a state folder of its own, on its own embedded PostgreSQL, in the project's own tables.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import sql

from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.lake.files import Kind, days_between
from community_pipelines.models.project import Model, load_model
from community_pipelines.models.publish import target_column, target_table
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.declared import MODELS_FOLDER
from community_pipelines.settings import Settings, load

TEMPLATES = 2_000
EVENTS_PER_USER = 50


def settings_here(lake: Path | None = None) -> tuple[Settings, Deployment]:
    """The settings of the state folder that this process was started for, and where its gallery is.

    Benchmarks empty tables: anything but the folder's own embedded database is refused.
    """
    settings = load(lake=lake) if lake else load()
    if not settings.platform("bazaar").embedded or settings.home == Path(".community"):
        raise RuntimeError("benchmarks run on an embedded database of their own: unset COMMUNITY_BAZAAR__SOURCE_URL")
    return settings, deployment(settings, BAZAAR)


def all_days(settings: Settings, days: int) -> list[date]:
    """The gallery's days, ascending."""
    return days_between(settings.start_date, settings.start_date + timedelta(days=days - 1))


def models() -> list[Model]:
    """The gallery's models, in the order in which they are computed."""
    found = {path.stem: load_model(BAZAAR.name, path.stem) for path in (MODELS_FOLDER / BAZAAR.name).glob("*.sql")}
    reads = {name: sorted(model.reads("ref")) for name, model in sorted(found.items())}
    return [found[name] for name in TopologicalSorter(reads).static_order()]


def load_gallery(rows: int, days: int) -> None:
    """Fills the state folder's database with so many events over the days before today (UTC)."""
    from community_pipelines.commands.runs import prepare_embedded, remember_start
    from community_pipelines.samples.bazaar.sample import SAMPLE, GallerySize, fill
    from community_pipelines.samples.loading import Work, load
    from community_pipelines.snapshots.ingest import opened

    settings, place = settings_here()
    prepare_embedded(place)

    def publish(work: Work) -> None:
        with opened(settings, place, "sample") as ingest:
            for _ in ingest.flagged():
                pass

    size = GallerySize(
        templates=TEMPLATES,
        users=max(20_000, rows // EVENTS_PER_USER),
        events_per_day=max(1, rows // days),
    )
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    report = load(replace(SAMPLE, fill=partial(fill, publish=publish)), settings, place, size, midnight, days)
    with connect(place.source_url, place.source_setting) as connection:
        connection.unguarded(b"vacuum (analyze)")
        connection.execute("checkpoint")
    remember_start(settings.home, report.first_day)


def forget(settings: Settings, place: Deployment, days: Sequence[date]) -> None:
    """Makes days as if they had never been run: no files, no published rows, no record of them."""
    unpublish(place, days)
    kinds: tuple[Kind, ...] = ("raw", "quarantine", "models")
    for kind in kinds:
        for name in (BAZAAR.stream("community_events").name, *(model.name for model in models())):
            for day in days:
                folder = settings.lake_folder / kind / BAZAAR.name / name / f"day={day}"
                shutil.rmtree(folder, ignore_errors=True)


def unpublish(place: Deployment, days: Sequence[date]) -> None:
    """Deletes what was published of those days, and lets the tables forget that it was there."""
    with connect(place.publish_url, place.publish_setting) as connection:
        connection.execute("delete from community.publications where day = any(%s)", (list(days),))
        for model in models():
            table = target_table(place, model)
            connection.execute(
                sql.SQL("delete from {} where {} = any(%s)").format(table, target_column(place, model, "day")),
                (list(days),),
            )
            connection.unguarded(sql.SQL("vacuum (full, analyze) {}").format(table))
        connection.execute("checkpoint")


@contextmanager
def folder_beside(settings: Settings) -> Iterator[Path]:
    """A folder for one measurement, on the same disk as the lake."""
    with TemporaryDirectory(dir=settings.home, prefix="measured-") as folder:
        yield Path(folder)
