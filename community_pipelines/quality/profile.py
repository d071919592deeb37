"""The profile of days: one row per day with what the expectations judge, in one pass of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from community_pipelines.lake.duck import literal, parquet
from community_pipelines.lake.files import Kind, Lake
from community_pipelines.models.engine import Engine, declared_columns
from community_pipelines.models.project import Contract
from community_pipelines.platforms.spec import Stream

if TYPE_CHECKING:
    import pandas as pd

TRAILING_DAYS = 28
LEAST_HISTORY = 7
# A day is a file: grouping by the file is cheaper than by the day of every row's time.
FILE = "_file"


def stream_profile(engine: Engine, stream: Stream, files: Mapping[date, Path]) -> pd.DataFrame:
    """The stream's measures by day, over the given day files; an empty day has the measures of no rows."""
    measures = ", ".join(f"{expression} as {name}" for name, expression in stream.measures)
    dimensions = []
    for dimension in engine.platform.dimensions:
        columns = declared_columns([dimension.table.column(name) for name in dimension.columns])
        table = parquet(engine.dimension(dimension.name), columns)
        dimensions.append(f"{dimension.name} as (select * from {table}), ")
    rows = parquet(list(files.values()), declared_columns(stream.columns), FILE)
    prelude = f"with {''.join(dimensions)}events as (select * from {rows})"
    return _by_day(
        engine,
        f"{prelude} select {FILE}, {measures} from events {stream.joins} group by {FILE}",
        f"{prelude} select {measures} from events {stream.joins} where false",
        files,
    )


def model_profile(engine: Engine, contract: Contract, files: Mapping[date, Path]) -> pd.DataFrame:
    """What a contract promises, counted by day: nulls, values outside the accepted ones, repeats on the grain,
    and numbers below zero."""
    measures = []
    for column in contract.columns:
        if column.not_null:
            measures.append(f'count(*) filter (where "{column.name}" is null) as "nulls_{column.name}"')
        if column.values:
            listed = ", ".join(literal(value) for value in column.values)
            outside = f'"{column.name}" not in ({listed})'
            measures.append(f'count(*) filter (where {outside}) as "unaccepted_{column.name}"')
        if column.type in ("bigint", "integer", "double"):
            measures.append(f'count(*) filter (where "{column.name}" < 0) as "negative_{column.name}"')
    grain = ", ".join(f'"{name}"' for name in contract.grain)
    measures.append(f"count(*) - count(distinct ({grain})) as repeats_on_grain")
    rows = parquet(list(files.values()), [(column.name, column.type) for column in contract.columns], FILE)
    listed = ", ".join(measures)
    return _by_day(
        engine,
        f"select {FILE}, {listed} from {rows} group by {FILE}",
        f"select {listed} from {rows} where false",
        files,
    )


def _by_day(engine: Engine, query: str, empty: str, files: Mapping[date, Path]) -> pd.DataFrame:
    import pandas as pd

    found = engine.connection.execute(query).df()
    nothing = engine.connection.execute(empty).df().to_dict("records")[0]
    by_file = {row[FILE]: row for row in found.to_dict("records")}
    rows = [{**by_file.get(str(path), nothing), "day": day} for day, path in files.items()]
    return pd.DataFrame(rows, columns=["day", *nothing])


def volume_ratios(
    lake: Lake, kind: Kind, platform: str, name: str, rows: Mapping[date, int]
) -> dict[date, float | None]:
    """Each day's rows against the median of the 28 days before; None with fewer than 7 days of history.

    `rows` are the window's own counts; days before the window come from the lake's ledgers.
    """
    known: dict[date, int | None] = dict(rows)

    def rows_on(day: date) -> int | None:
        if day not in known:
            ledger, _ = lake.look(kind, platform, name, day)
            known[day] = None if ledger is None else ledger.accepted
        return known[day]

    ratios: dict[date, float | None] = {}
    for day, count in rows.items():
        before = [rows_on(day - timedelta(days=back)) for back in range(1, TRAILING_DAYS + 1)]
        history = [value for value in before if value is not None]
        middle = median(history) if len(history) >= LEAST_HISTORY else 0
        ratios[day] = count / middle if middle else None
    return ratios
