"""Model cases: rows in, rows out, one YAML file each under `models/<platform>/<model>/`, named as a sentence.

Reads a case into Arrow tables and lays them into a lake. What runs the models is in the tests.

A case says `model`, `days` (the batch), `inputs` by table and `output`; `incomplete` are days of the batch for which
something that the model reads was withheld. A column that a row leaves out is null. Ids are short names that stand
for uuids in the same order, so `e1` comes before `e2`; without an `id` an event gets the number of its line. Times
without an offset are UTC. A fraction such as 1/3 stands for the double that is nearest.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from community_pipelines.lake.files import Kind, Lake
from community_pipelines.lake.ledger import Ledger
from community_pipelines.platforms.declared import MODELS_FOLDER

FOLDER = Path(__file__).parent / "models"
ARROW: dict[str, pa.DataType] = {
    "uuid": pa.uuid(),
    "varchar": pa.string(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
Row = dict[str, object]


@dataclass(frozen=True)
class Table:
    """Where a table's rows are in the lake, and its columns; `time` decides the day, None for a dimension."""

    kind: Kind | None
    time: str | None
    schema: pa.Schema
    required: frozenset[str]


@dataclass(frozen=True)
class Case:
    """One case; `inputs` and `output` hold what the file says, with types. `output` is in no order."""

    path: Path
    platform: str
    model: str
    days: tuple[date, ...]
    incomplete: frozenset[date]
    inputs: Mapping[str, pa.Table]
    output: tuple[Row, ...]

    @property
    def sentence(self) -> str:
        """The file's name, for people."""
        return self.path.stem.replace("_", " ")


def case_files() -> list[Path]:
    """The files of all cases, sorted."""
    return sorted(FOLDER.glob("*/*/*.yml"))


def case_name(path: Path) -> str:
    """A case's name in pytest's output: model and sentence."""
    return f"{path.parent.name}-{path.stem}"


def load_case(path: Path) -> Case:
    """Reads a case. Raises ValueError for a file that is no case, naming the file and the fault."""
    data = yaml.safe_load(path.read_text())
    platform = path.parent.parent.name
    known = tables(platform)
    unknown = set(data) - {"model", "days", "incomplete", "inputs", "output"} | set(data["inputs"]) - set(known)
    if data["model"] != path.parent.name or unknown:
        raise ValueError(f"{path} must be a case of {path.parent.name} over known tables; unknown: {sorted(unknown)}")
    days = tuple(data["days"])
    incomplete = frozenset(data.get("incomplete", ()))
    if list(days) != sorted(set(days)) or not incomplete <= set(days):
        raise ValueError(f"{path}: days must ascend, and incomplete days be among them")
    inputs = {}
    for name, rows in data["inputs"].items():
        numbered = ({"id": number, **row} if known[name].time else row for number, row in enumerate(rows, 1))
        inputs[name] = table_of(numbered if "id" in known[name].schema.names else rows, known[name], path)
    output = table_of(data["output"], known[data["model"]], path, complete=True)
    return Case(path, platform, data["model"], days, incomplete, inputs, tuple(output.to_pylist()))


@cache
def tables(platform: str) -> dict[str, Table]:
    """The tables that cases may name: streams and dimensions by `sources.yml`, models by their contracts."""
    found = {}
    sources = yaml.safe_load((MODELS_FOLDER / platform / "sources.yml").read_text())["sources"]
    for source in (source for source in sources if source["name"] == platform):
        for table in source["tables"]:
            time = table["config"].get("event_time")
            found[table["name"]] = _table("raw" if time else None, time, table["columns"])
    for path in sorted((MODELS_FOLDER / platform).glob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", ()):
            found[model["name"]] = _table("models", "day", model["columns"])
    return found


def _table(kind: Kind | None, time: str | None, columns: Sequence[Mapping[str, Any]]) -> Table:
    schema = pa.schema([pa.field(column["name"], ARROW[column["data_type"]]) for column in columns])
    required = frozenset(column["name"] for column in columns if {"type": "not_null"} in column.get("constraints", ()))
    return Table(kind, time, schema, required)


def table_of(rows: Iterable[Mapping[str, object]], table: Table, path: Path, *, complete: bool = False) -> pa.Table:
    """Rows as an Arrow table; with `complete` a row must have every column that may not be null."""
    typed = []
    for row in rows:
        wrong = set(row) - set(table.schema.names) or (table.required - set(row) if complete else set())
        if wrong:
            raise ValueError(f"{path}: unknown or missing columns {sorted(wrong)} in {row}")
        typed.append(
            {
                name: value(row.get(name), type_)
                for name, type_ in zip(table.schema.names, table.schema.types, strict=True)
            }
        )
    columns = [_array([row[field.name] for row in typed], field.type) for field in table.schema]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _array(values: list[object], type_: pa.DataType) -> pa.Array:
    if type_ != pa.uuid():
        return pa.array(values, type_)
    stored = pa.array([one.bytes if isinstance(one, UUID) else None for one in values], pa.binary(16))
    return pa.ExtensionArray.from_storage(type_, stored)


def value(written: object, type_: pa.DataType) -> object:
    """A value as a case writes it, as Python holds it in a column of that type."""
    if written is None:
        return None
    if type_ == pa.uuid():
        return identifier(written)
    if pa.types.is_timestamp(type_):
        moment = written if isinstance(written, datetime) else datetime.fromisoformat(str(written))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if pa.types.is_floating(type_):
        return float(Fraction(written)) if isinstance(written, str) else float(str(written))
    return written


def identifier(written: object) -> UUID:
    """The uuid that a short name, a number or a written uuid stands for; names keep their order."""
    if isinstance(written, int):
        return UUID(int=written)
    text = str(written)
    if len(text) == 36:
        return UUID(text)
    if not 0 < len(text.encode()) <= 16:
        raise ValueError(f"{text!r} stands for no uuid: a name has 1 to 16 characters")
    return UUID(bytes=text.encode().ljust(16, b"\0"))


def readable(rows: Iterable[Mapping[str, object]]) -> list[Row]:
    """Rows in a fixed order, with uuids as the names that they stand for: what a test compares and shows."""
    named = [{name: _name(one) if isinstance(one, UUID) else one for name, one in row.items()} for row in rows]
    return sorted(named, key=lambda row: [str(one) for one in row.values()])


def _name(one: UUID) -> str:
    name = one.bytes.rstrip(b"\0")
    return name.decode() if name.isascii() and name.decode().isprintable() else str(one)


def write_case(case: Case, lake: Lake) -> None:
    """Lays a case's inputs into the lake: a file for every day of the batch and every day with rows."""
    for name, rows in case.inputs.items():
        write_table(lake, case.platform, name, rows, case.days)


def write_table(lake: Lake, platform: str, name: str, rows: pa.Table, days: Iterable[date] = ()) -> None:
    """Lays a table's rows into the lake, split by UTC day, empty files for those of `days` that have none."""
    table = tables(platform)[name]
    if table.kind is None or table.time is None:
        path = lake.dimension(platform, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, path)
        return
    by_day: dict[date, list[int]] = defaultdict(list, {day: [] for day in days})
    for position, moment in enumerate(rows[table.time].to_pylist()):
        by_day[moment.date() if isinstance(moment, datetime) else moment].append(position)
    for day, positions in by_day.items():
        write_day(lake, table.kind, platform, name, day, rows.take(pa.array(positions, pa.int64())))


def write_day(lake: Lake, kind: Kind, platform: str, name: str, day: date, rows: pa.Table) -> None:
    """Writes one day file with a ledger in its footer, so that the lake takes it for its own."""
    ledger = Ledger(
        kind=kind,
        platform=platform,
        name=name,
        day=day,
        accepted=rows.num_rows,
        read=rows.num_rows,
        content_hash=hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest(),
        schema_hash="case",
        code_version="0",
        run_id="case",
        read_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    path = lake.path(kind, platform, name, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata(ledger.to_metadata())
