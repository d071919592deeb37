"""The profile of days: one row per day with what is judged, in one pass of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from community_pipelines.lake.duck import literal, parquet
from community_pipelines.lake.files import Kind, Lake
from community_pipelines.models.engine import Engine, declared_columns
from community_pipelines.models.project import Contract
from community_pipelines.platforms.data_tests import GRAIN_TEST, DataTest
from community_pipelines.platforms.spec import Stream
from community_pipelines.quality.judge import QualityError

if TYPE_CHECKING:
    import pandas as pd

TRAILING_DAYS = 28
LEAST_HISTORY = 7
# A day is a file: grouping by the file is cheaper than by the day of every row's time.
FILE = "_file"
# The measure of what a contract promises of its grain.
REPEATS = "repeats_on_grain"


def stream_profile(engine: Engine, stream: Stream, files: Mapping[date, Path]) -> pd.DataFrame:
    """What the stream's data tests judge, by day, over the given day files; an empty day has that of no rows."""
    return _measured(engine, stream.data_tests, [], declared_columns(stream.columns), files)


def model_profile(engine: Engine, contract: Contract, files: Mapping[date, Path]) -> pd.DataFrame:
    """What a contract promises, counted by day: nulls, repeats on the grain, and what its data tests judge."""
    promised = [
        (nulls_of(column.name), f'count(*) filter (where "{column.name}" is null)')
        for column in contract.columns
        if column.not_null
    ]
    grain = ", ".join(f'"{name}"' for name in contract.grain)
    promised.append((REPEATS, f"count(*) - count(distinct ({grain}))"))
    columns = [(column.name, column.type) for column in contract.columns]
    return _measured(engine, contract.data_tests, promised, columns, files)


def nulls_of(column: str) -> str:
    """The measure of a contract's column that may hold no null."""
    return f"nulls_{column}"


def broken_sql(test: DataTest, parent: str = "") -> str:
    """A DuckDB predicate that is true for the rows that break it; `parent` names what its dimension is joined as."""
    column = f'"{test.argument("column_name")}"'
    if test.kind == "accepted_values":
        # One by one, which over ten million rows is faster than `not in`.
        broken = " and ".join(f"{column} <> {_value(value)}" for value in test.argument("values"))
    elif test.kind == "in_range":
        low, high = test.argument("low"), test.argument("high")
        broken = " or ".join(
            f"{column} {sign} {limit}" for sign, limit in (("<", low), (">", high)) if limit is not None
        )
    elif test.kind == "not_null":
        broken = f"{column} is null"
    elif test.kind == "relationships":
        broken = f"{column} is not null and {parent}_key is null"
    elif test.kind == "row_rule":
        broken = f"not ({test.argument('expression')})"
    elif test.kind == "same_as_parent":
        broken = f"{parent}_value <> {column}"
    else:
        raise QualityError(f"{test.name}: {test.kind} is no test of single rows")
    return f"({broken}) and ({test.where})" if test.where else broken


def _value(value: object) -> str:
    return literal(value) if isinstance(value, str) else str(value).lower()


def _measured(
    engine: Engine,
    tests: Sequence[DataTest],
    promised: Sequence[tuple[str, str]],
    columns: Sequence[tuple[str, str]],
    files: Mapping[date, Path],
) -> pd.DataFrame:
    measures, joins = list(promised), []
    for number, one in enumerate(one for one in tests if one.kind != GRAIN_TEST):
        if one.kind == "day_in_range":
            measures.append((one.name, str(one.argument("measure"))))
            continue
        parent = f"parent_{number}"
        if one.parent:
            joins.append(f"left join {_parent(engine, one, parent)} on {parent}_key = rows.{_key(one)}")
        measures.append((one.name, f"count(*) filter (where {broken_sql(one, parent)})"))
    listed = ", ".join(f'{expression} as "{name}"' for name, expression in measures)
    if not listed:
        import pandas as pd

        return pd.DataFrame({"day": list(files)})
    relation = f"from {parquet(list(files.values()), columns, FILE)} as rows {' '.join(joins)}"
    return _by_day(
        engine,
        f"select {FILE}, {listed} {relation} group by {FILE}",
        f"select {listed} {relation} where false",
        files,
    )


def _key(test: DataTest) -> str:
    """The column that names the parent."""
    return f'"{test.argument("key") or test.argument("column_name")}"'


def _parent(engine: Engine, test: DataTest, name: str) -> str:
    """A dimension by its key, with the value that a row's is compared with; one row of each key, whatever it holds.
    Its columns have names that no row has."""
    (dimension,) = (one for one in engine.platform.dimensions if f"{engine.platform.name}/{one.name}" == test.parent)
    declared = declared_columns([dimension.table.column(column) for column in dimension.columns])
    table = parquet(engine.dimension(dimension.name), declared)
    key = f'"{test.argument("field")}" as {name}_key'
    if test.kind == "relationships":
        return f"(select distinct {key} from {table})"
    value = f'any_value("{test.argument("column_name")}") as {name}_value'
    return f"(select {key}, {value} from {table} group by {name}_key)"


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
