"""What the measured processes run: `main` with NAME and ARGUMENTS, with the result as JSON on stdout.

Only the project's own code: its extraction, engine, publishing, and the steps as Dagster's op runs them.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

from psycopg import sql

from benchmarks import data, floors, snapshots, stories
from benchmarks.data import all_days, folder_beside, models, settings_here
from community_pipelines.databases.connections import connect
from community_pipelines.lake.extract import SourceReader
from community_pipelines.lake.files import Lake
from community_pipelines.models.engine import Engine
from community_pipelines.models.inputs import Inputs
from community_pipelines.models.publish import publish, target_column, target_table
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.settings import CONFIG_FILE


def extract(days: int) -> dict[str, float]:
    """The raw step's copying: every day in its own snapshot, with rules, fingerprint, footer, fsync and rename."""
    settings, place = settings_here()
    stream = BAZAAR.stream("community_events")
    with folder_beside(settings) as folder, SourceReader(place) as source:
        lake = Lake(folder)
        rows = 0
        with lake.staging(BAZAAR.name, "bench") as staging:
            started = time.perf_counter()
            for day in all_days(settings, days):
                staged = source.day(stream, day, staging, "bench", settings.grace)
                if staged.quarantine:
                    lake.swap(staged.quarantine, lake.path("quarantine", BAZAAR.name, stream.name, day))
                lake.swap(staged.data, lake.path("raw", BAZAAR.name, stream.name, day))
                rows += staged.ledger.read
            return {"seconds": time.perf_counter() - started, "rows": rows}


def run_models(days: int) -> dict[str, float]:
    """All models over the window in one session: computed, hashed, and staged as day files with their footers.

    Putting a model's files in their place, where the next model reads them, is not counted.
    """
    settings, _ = settings_here()
    window, gallery_models = all_days(settings, days), models()
    with folder_beside(settings) as folder:
        lake = Lake(folder)
        for shared in ("raw", "dimensions"):
            (folder / shared).symlink_to(settings.lake_folder / shared)
        with (
            lake.staging(BAZAAR.name, "bench") as staging,
            Engine(BAZAAR, lake, settings.memory_limit, settings.start_date, staging) as engine,
        ):
            taken = {}
            for model in gallery_models:
                started = time.perf_counter()
                inputs = Inputs(BAZAAR, lake, settings.start_date)
                staged = list(engine.run(model, window, inputs, staging, "bench"))
                taken[model.name] = time.perf_counter() - started
                for one in staged:
                    lake.swap(one.path, lake.path("models", BAZAAR.name, model.name, one.ledger.day))
            return {"seconds": sum(taken.values()), **taken}


def publish_models(days: int) -> dict[str, float]:
    """All models' days into empty tables, then once more unchanged, then with 5% of the rows changed."""
    # DuckDB imports it at the first table that is handed over; a run has it already, for the judging.
    importlib.import_module("pandas")
    settings, place = settings_here()
    window, gallery_models = all_days(settings, days), models()
    lake = Lake(settings.lake_folder)
    data.unpublish(place, window)

    def publish_all(run_id: str) -> float:
        started = time.perf_counter()
        for model in gallery_models:
            publish(place, model, lake, window, run_id, settings.publish_rows)
        return time.perf_counter() - started

    into_empty, unchanged = publish_all("first"), publish_all("second")
    with connect(place.publish_url, place.publish_setting) as connection:
        connection.execute("update community.publications set content_hash = 'other'")
        for model in gallery_models:
            number = next(c.name for c in model.contract.columns if c.type == "bigint")
            connection.execute(
                sql.SQL("update {table} as row set {number} = {number} + 1 where hashtext(row::text) % 20 = 0").format(
                    table=target_table(place, model), number=target_column(place, model, number)
                )
            )
        connection.unguarded(b"vacuum (analyze)")
        connection.execute("checkpoint")
    return {"seconds": into_empty, "unchanged": unchanged, "changed": publish_all("third")}


def steps(days: int, first: int = 0) -> dict[str, float]:
    """The whole chain over the days from number `first` on, without Dagster's run, instance and events.

    Two imports are timed apart: Great Expectations, which judges, and Dagster, which only describes assets here.
    """
    started = time.perf_counter()
    importlib.import_module("great_expectations")
    judged_from = time.perf_counter()
    importlib.import_module("dagster")
    imported = time.perf_counter()
    from community_pipelines.flow.flows import flow
    from community_pipelines.flow.window import open_window

    settings, place = settings_here()
    window_days = all_days(settings, days)[first:]
    begun = time.perf_counter()
    with open_window(settings, place, window_days, f"bench-{time.time_ns()}") as window:
        kept_back = [
            result.reason for step in flow("bazaar").steps for result in step.run(window) if not result.accepted
        ]
    seconds = time.perf_counter() - begun
    if kept_back:
        raise RuntimeError(f"{len(kept_back)} days were withheld: {kept_back[0]}")
    return {
        "seconds": seconds,
        "great_expectations_import": judged_from - started,
        "dagster_import": imported - judged_from,
        **window.seconds,
    }


def forget(days: int, first: int = 0) -> dict[str, float]:
    """Makes the days from number `first` on as if they had never been run."""
    settings, place = settings_here()
    data.forget(settings, place, all_days(settings, days)[first:])
    return {}


def load(rows: int, days: int) -> dict[str, float]:
    """Loads the gallery, unless the state folder has it already."""
    home = settings_here()[0].home
    if not (home / CONFIG_FILE).exists():
        data.load_gallery(rows, days)
    return {}


def prepare(days: int) -> dict[str, float]:
    """Runs the chain, unless the lake has all days already."""
    settings, _ = settings_here()
    lake = Lake(settings.lake_folder)
    window = all_days(settings, days)
    if any(lake.days("models", BAZAAR.name, model.name) != window for model in models()):
        steps(days)
    return {}


def first_day() -> dict[str, str]:
    """The first day of the gallery."""
    return {"first_day": settings_here()[0].start_date.isoformat()}


def versions() -> dict[str, str]:
    """The versions of what the figures depend on."""
    _, place = settings_here()
    with connect(place.source_url, place.source_setting) as connection:
        (postgres,) = connection.execute("show server_version").fetchone() or ("?",)
    libraries = ("duckdb", "pyarrow", "adbc-driver-postgresql", "great-expectations", "dagster")
    return {
        "python": platform.python_version(),
        "postgresql": str(postgres).split()[0],
        **{name: version(name) for name in libraries},
    }


WORK: dict[str, Callable[..., Mapping[str, object]]] = {
    function.__name__: function
    for function in (
        floors.copy_and_drop,
        floors.bare_duckdb,
        floors.bare_copy,
        extract,
        run_models,
        publish_models,
        steps,
        forget,
        snapshots.load_projects,
        snapshots.unpublish_templates,
        snapshots.ingest_projects,
        snapshots.copy_scenes,
        stories.load_stories,
        stories.extract_stories,
        stories.copy_and_drop_stories,
        stories.prepare_stories,
        stories.run_stories_models,
        stories.bare_duckdb_stories,
        stories.judge_stories,
        stories.publish_stories,
        stories.bare_copy_stories,
        load,
        prepare,
        first_day,
        versions,
    )
}


def main() -> None:
    """Runs the function that the first argument names, with what the second one says."""
    print(json.dumps(WORK[sys.argv[1]](**json.loads(sys.argv[2]))))
