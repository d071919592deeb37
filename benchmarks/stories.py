"""Story videos: many views and jobs copied, computed, judged and published, each against a floor of the same run."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from psycopg import sql

from benchmarks.data import folder_beside
from benchmarks.processes import Measurement, Series, in_turns, work
from benchmarks.report import Line
from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.lake.extract import SourceReader
from community_pipelines.lake.files import Lake, day_bounds, days_between
from community_pipelines.models.engine import Engine
from community_pipelines.models.inputs import Inputs
from community_pipelines.models.project import Model, load_model
from community_pipelines.models.publish import publish
from community_pipelines.platforms.spec import Stream
from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.settings import Settings, load

DAYS = 30
VIEWS, JOBS, SCENES, USERS = 5_000_000, 5_000_000, 5_000, 200_000
# What is copied, and the models that read it. The other streams are empty here, as they are for the floors.
STREAMS = (STORIES.stream("scene_views"), STORIES.stream("jobs"))
MODELS = ("scene_activity_daily", "job_health_daily", "job_failures_daily")
# Percentiles are promised to cost little more than in bare DuckDB.
LIMITS = {"job_health_daily": 1.5}


def load_stories() -> dict[str, float]:
    """Fills the state folder's database with views and jobs of the 30 days before today (UTC), unless it has them."""
    from community_pipelines.commands.runs import prepare_embedded, remember_start

    settings, place = _here()
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    prepare_embedded(place)
    with connect(place.source_url, place.source_setting) as connection:
        found = connection.execute("select count(*) from scenes").fetchone()
        if found and found[0]:
            return {}
        for month in sorted({(day.year, day.month) for day in days_between(first, first + timedelta(days=DAYS))}):
            connection.execute(
                "select create_monthly_partition(name, %s, %s) from unnest(array['jobs', 'segments']) as name", month
            )
        values = {"first": f"{first}+00", "days": DAYS, "scenes": SCENES, "users": USERS, "views": VIEWS, "jobs": JOBS}
        for statement in _ROWS.split(";")[:-1]:
            connection.execute(statement.encode(), values)
        connection.unguarded(b"vacuum (analyze)")
        connection.execute("checkpoint")
    remember_start(settings.home, first)
    return {}


def extract_stories(days: int) -> dict[str, float]:
    """The raw step's copying of both streams: every day in its own snapshot, with rules, fingerprint and footer."""
    settings, place = _here()
    with folder_beside(settings) as folder, SourceReader(place) as source:
        lake, rows = Lake(folder), 0
        with lake.staging(STORIES.name, "bench") as staging:
            started = time.perf_counter()
            for stream in STREAMS:
                for day in _days(settings)[:days]:
                    staged = source.day(stream, day, staging, "bench", settings.grace)
                    lake.swap(staged.data, lake.path("raw", STORIES.name, stream.name, day))
                    rows += staged.ledger.read
            return {"seconds": time.perf_counter() - started, "rows": rows}


def copy_and_drop_stories(days: int) -> dict[str, float]:
    """The floor of copying: COPY BINARY of the same columns, a day at a time, read and dropped."""
    settings, place = _here()
    with connect(place.source_url, place.source_setting) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        for stream in STREAMS:
            for day in _days(settings)[:days]:
                with cursor.copy(_day_copy(place, stream, day)) as copy:
                    for _ in copy:
                        pass
        return {"seconds": time.perf_counter() - started}


def prepare_stories() -> dict[str, float]:
    """Copies every stream's days into the lake, unless they are there."""
    settings, place = _here()
    lake, days = Lake(settings.lake_folder), _days(settings)
    if all(lake.days("raw", STORIES.name, stream.name) == days for stream in STORIES.streams):
        return {}
    with SourceReader(place) as source, lake.staging(STORIES.name, "bench") as staging:
        for dimension in STORIES.dimensions:
            source.dimension(dimension, staging, lake, "bench")
        for stream in STORIES.streams:
            for day in days:
                staged = source.day(stream, day, staging, "bench", settings.grace)
                lake.swap(staged.data, lake.path("raw", STORIES.name, stream.name, day))
    return {}


def run_stories_models() -> dict[str, float]:
    """The models over the window in one session: computed, hashed, and staged as day files with their footers."""
    settings, _ = _here()
    lake, days = Lake(settings.lake_folder), _days(settings)
    inputs = Inputs(STORIES, lake, settings.start_date)
    with (
        lake.staging(STORIES.name, "bench") as staging,
        Engine(STORIES, lake, settings.memory_limit, settings.start_date, staging) as engine,
    ):
        taken = {}
        for model in _models():
            started = time.perf_counter()
            staged = list(engine.run(model, days, inputs, staging, "bench"))
            taken[model.name] = time.perf_counter() - started
            for one in staged:
                lake.swap(one.path, lake.path("models", STORIES.name, model.name, one.ledger.day))
        return {"seconds": sum(taken.values()), **taken}


def bare_duckdb_stories() -> dict[str, float]:
    """The floor of computing: every model's SQL over the whole window as one query, to one Parquet file."""
    settings, _ = _here()
    lake, days = Lake(settings.lake_folder), _days(settings)
    with folder_beside(settings) as folder:
        with Engine(STORIES, lake, settings.memory_limit, settings.start_date, folder) as engine:
            inputs = Inputs(STORIES, lake, settings.start_date)
            texts = [(model.name, engine.sql(model, days, inputs)) for model in _models()]
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            taken = {}
            for name, text in texts:
                started = time.perf_counter()
                connection.execute(f"copy ({text}) to '{folder / name}.parquet' (format parquet)")
                taken[name] = time.perf_counter() - started
            return {"seconds": sum(taken.values()), **taken}


def judge_stories() -> dict[str, float]:
    """The steps of both streams and of the models that read them, as a run does them; what each stage took."""
    # Once in a process, and not what is measured.
    importlib.import_module("great_expectations")
    from community_pipelines.flow.flows import flow
    from community_pipelines.flow.window import open_window

    settings, place = _here()
    wanted = {*(f"raw/{stream.name}" for stream in STREAMS), *(f"metrics/{name}" for name in MODELS)}
    with open_window(settings, place, _days(settings), f"bench-{time.time_ns()}") as window:
        results = [result for step in flow("stories").steps if step.asset in wanted for result in step.run(window)]
    if refused := [result.reason for result in results if not result.accepted]:
        raise RuntimeError(f"{len(refused)} days were withheld: {refused[0]}")
    return {"seconds": sum(window.seconds.values()), **window.seconds}


def publish_stories() -> dict[str, float]:
    """The models' days into empty tables, then once more unchanged."""
    # DuckDB imports it at the first table that is handed over; a run has it already, for the judging.
    importlib.import_module("pandas")
    settings, place = _here()
    lake, days = Lake(settings.lake_folder), _days(settings)
    with connect(place.publish_url, place.publish_setting) as connection:
        connection.execute("delete from community.publications")
        for model in _models():
            connection.execute(sql.SQL("truncate {}").format(sql.Identifier(*model.contract.publish.split("."))))
        connection.execute("checkpoint")

    def publish_all(run_id: str) -> float:
        started = time.perf_counter()
        for model in _models():
            publish(place, model, lake, days, run_id, settings.publish_rows)
        return time.perf_counter() - started

    return {"seconds": publish_all("first"), "unchanged": publish_all("second")}


def bare_copy_stories() -> dict[str, float]:
    """The floor of publishing: COPY BINARY of every published row into an empty copy of its table."""
    _, place = _here()
    seconds, rows = 0.0, 0
    with connect(place.publish_url, place.publish_setting) as connection, connection.cursor() as cursor:
        for model in _models():
            table = sql.Identifier(*model.contract.publish.split("."))
            with cursor.copy(sql.SQL("copy {} to stdout (format binary)").format(table)) as copy:
                data = b"".join(copy)
            cursor.execute("drop table if exists floor_copy")
            cursor.execute(sql.SQL("create table floor_copy (like {} including all)").format(table))
            cursor.execute("checkpoint")
            started = time.perf_counter()
            with cursor.copy("copy floor_copy from stdin (format binary)") as copy:
                copy.write(data)
            seconds += time.perf_counter() - started
            rows += cursor.rowcount
        cursor.execute("drop table floor_copy")
    return {"seconds": seconds, "rows": rows}


def stories(home: Path, repeat: int) -> list[Line]:
    """Copying, computing and publishing, each in turns with its floor."""
    work(home, "load_stories")
    floor, ours, one_day = in_turns(
        repeat,
        lambda: work(home, "copy_and_drop_stories", days=DAYS),
        lambda: work(home, "extract_stories", days=DAYS),
        lambda: work(home, "extract_stories", days=1),
    )
    name = f"stories, {VIEWS:,} views and {JOBS:,} jobs of {DAYS} days"
    lines = [
        Line(name, "extract, against COPY BINARY, read and dropped", *_compared(ours, floor), 2.0),
        Line(name, "extract, peak memory against 1 day", f"{ours.peak_mb:.0f} MB", f"{one_day.peak_mb:.0f} MB",
             ours.peak_mb / one_day.peak_mb, "x", 1.25),
    ]  # fmt: skip
    work(home, "prepare_stories")
    floor, ours = in_turns(repeat, lambda: work(home, "bare_duckdb_stories"), lambda: work(home, "run_stories_models"))
    lines += [
        Line(name, f"model {model}, against bare DuckDB", f"{ours.fact(model):.2f} s", f"{floor.fact(model):.2f} s",
             ours.fact(model) / floor.fact(model), "x", LIMITS.get(model))
        for model in MODELS
    ]  # fmt: skip
    lines.append(Line(name, "models, peak memory", f"{ours.peak_mb:.0f} MB", "", ours.peak_mb, "MB", 400))

    (judged,) = in_turns(repeat, lambda: work(home, "judge_stories"))
    quality, computing = judged.fact("quality"), judged.fact("models")
    lines.append(Line(name, "quality, against the models' own time", f"{quality:.2f} s", f"{computing:.2f} s",
                      quality / computing))  # fmt: skip

    def published() -> Measurement:
        measured = work(home, "publish_stories")
        return replace(measured, facts={**measured.facts, "into_empty": measured.seconds})

    ours, floor = in_turns(repeat, published, lambda: work(home, "bare_copy_stories"))
    rows = f"{floor.fact('rows'):,.0f} rows"
    return [
        *lines,
        Line(name, f"publish, {rows}, against COPY into an empty copy", *_compared(ours, floor)),
        Line(name, "publish, nothing changed", f"{ours.fact('unchanged'):.2f} s", f"{floor.seconds:.2f} s",
             ours.fact("unchanged") / floor.seconds),
    ]  # fmt: skip


def _here() -> tuple[Settings, Deployment]:
    settings = load()
    if not settings.platform("stories").embedded or settings.home == Path(".community"):
        raise RuntimeError("benchmarks run on an embedded database of their own: unset COMMUNITY_STORIES__SOURCE_URL")
    return settings, deployment(settings, STORIES)


def _days(settings: Settings) -> list[date]:
    return days_between(settings.start_date, settings.start_date + timedelta(days=DAYS - 1))


def _models() -> Sequence[Model]:
    return [load_model(STORIES.name, name) for name in MODELS]


def _day_copy(place: Deployment, stream: Stream, day: date) -> sql.Composed:
    first, end = day_bounds(day)
    columns = sql.SQL(", ").join(place.names.column(stream.table, column.name) for column in stream.columns)
    return sql.SQL(
        "copy (select {} from {} where created_at >= {} and created_at < {}) to stdout (format binary)"
    ).format(columns, place.names.table(stream.table), sql.Literal(first.isoformat()), sql.Literal(end.isoformat()))


def _compared(ours: Series, floor: Series) -> tuple[str, str, float, str]:
    return f"{ours.seconds:.2f} s", f"{floor.seconds:.2f} s", ours.seconds / floor.seconds, "x"


_ROWS = """
insert into users (id, email, username)
select lpad(to_hex(n), 32, '0')::uuid, 'user' || n || '@example.org', 'user' || n
from generate_series(1, %(users)s) as n;
insert into topics (id, name, slug) values ('00000000-0000-0000-0000-000000000001', 'Space', 'space');
insert into ideas (id, user_id, topic_id, title, prompt)
select lpad(to_hex(1), 32, '0')::uuid, lpad(to_hex(1), 32, '0')::uuid, id, 'An idea', 'A prompt' from topics;
insert into scenes (id, idea_id, user_id, topic_id, title)
select lpad(to_hex(n), 32, '0')::uuid, ideas.id, ideas.user_id, ideas.topic_id, 'A scene'
from generate_series(1, %(scenes)s) as n, ideas;
insert into scene_views (scene_id, user_id, ip_hash, created_at)
select lpad(to_hex(1 + (power(random(), 3) * (%(scenes)s - 1))::int), 32, '0')::uuid,
    case when n %% 3 > 0 then lpad(to_hex(1 + n * 7 %% %(users)s), 32, '0')::uuid end,
    case when n %% 3 = 0 then md5((n %% 100000)::text) end,
    %(first)s::timestamptz + n * (%(days)s * interval '1 day' / %(views)s)
from generate_series(0, %(views)s - 1) as n;
insert into jobs (scene_id, user_id, type, status, stage, progress, input_text, bible_version, result_data, error_code,
    retry_count, created_at, started_at, completed_at)
select lpad(to_hex(1 + n %% %(scenes)s), 32, '0')::uuid, lpad(to_hex(1 + n %% %(users)s), 32, '0')::uuid,
    (array['continuation', 'regeneration', 'summary'])[1 + n %% 3],
    case when n %% 17 = 0 then 'failed' else 'final_ready' end,
    case when n %% 17 = 0 then 'upload' else 'completed' end, 100, 'And then?', 1,
    case when n %% 17 > 0 then '{}'::jsonb end, case when n %% 17 = 0 then 'timeout' end, n %% 4 / 3, begun,
    begun + random() * interval '1 minute', begun + interval '1 minute' + random() * interval '20 minutes'
from generate_series(0, %(jobs)s - 1) as n,
    lateral (select %(first)s::timestamptz + n * (%(days)s * interval '1 day' / %(jobs)s) as begun) as moments;
"""
