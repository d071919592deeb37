"""Writes one day into Parquet: row rules, an order-independent hash, and the ledger in the footer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from community_pipelines.lake.duck import first_row, session
from community_pipelines.lake.files import day_bounds
from community_pipelines.lake.ledger import UNSEALED, Ledger, writing_to
from community_pipelines.lake.queries import FINGERPRINT
from community_pipelines.lake.seal import seal
from community_pipelines.platforms.spec import Column, Stream

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

# So few broken rows of a batch are cut out without copying the others; more cuts would take longer than a copy.
FEW = 100


@dataclass(frozen=True)
class StagedDay:
    """A day's files before they are judged; `quarantine` exists only where rows broke a rule."""

    ledger: Ledger
    data: Path
    quarantine: Path | None


@cache
def code_version() -> str:
    """The version of this project, as it is written into ledgers."""
    return version("community-pipelines")


@cache
def arrow_types() -> dict[str, pa.DataType]:
    """The Arrow type of every declared type."""
    import pyarrow as pa

    return {
        "uuid": pa.uuid(),
        "text": pa.string(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "timestamptz": pa.timestamp("us", tz="UTC"),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
        "boolean": pa.bool_(),
        "jsonb": pa.string(),
    }


def schema_of(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema of a stream's files."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_types()[column.type]) for column in columns])


def schema_hash(schema: pa.Schema) -> str:
    """A hash of names and types."""
    return text_hash(repr([(f.name, str(f.type)) for f in schema]))


def text_hash(text: str) -> str:
    """A short hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_hash_sql(columns: list[str], where: str = "true") -> str:
    """A DuckDB aggregate: an order-independent hash of those rows (a sum of row hashes, so repeats count)."""
    listed = ", ".join(f'"{name}"' for name in columns)
    return f"coalesce(sum(hash({listed})::hugeint) filter (where {where}), 0)::varchar"


def hash_label(rows: int, summed: str) -> str:
    """The content hash as it is stored. It names the engine, whose `hash` may change between major versions."""
    import duckdb

    return f"duckdb{duckdb.__version__.split('.')[0]}:{rows}:{int(summed):x}"


class DayWriter:
    """Writes accepted and broken rows of one day and counts them, a batch at a time.

    `engine` is a DuckDB session in UTC; many days may share one, since starting it takes as long as a small day.
    """

    def __init__(self, folder: Path, stream: Stream, day: date, engine: duckdb.DuckDBPyConnection) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.stream = stream
        self.data = folder / f"{stream.name}-{day}.parquet"
        self.broken = folder / f"{stream.name}-{day}-quarantine.parquet"
        self.schema = schema_of(stream.columns)
        texts = [f.name for f in self.schema if f.name != stream.id and f.type in (pa.string(), pa.uuid())]
        self.writer = pq.ParquetWriter(self.data, self.schema, compression="zstd", use_dictionary=texts)
        self.quarantine: pq.ParquetWriter | None = None
        self.engine = engine
        start, end = day_bounds(day)
        time = stream.time
        outside = f"{time} is null or {time} < '{start:%Y-%m-%d}' or {time} >= '{end:%Y-%m-%d}'"
        rules = [(rule.name, rule.broken) for rule in stream.quarantine] + [("time_outside_day", outside)]
        cases = " ".join(f"when {broken} then '{name}'" for name, broken in rules)
        self.rule = f"case {cases} end"
        self.reasons = {rule.name: rule.description for rule in stream.quarantine}
        self.reasons["time_outside_day"] = f"the time is not inside {day} UTC"
        self.accepted = 0
        self.fingerprint = 0
        self.summed = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.quarantined: dict[str, int] = {}
        self.named: dict[str, dict[str, int]] = {}

    @property
    def rows_quarantined(self) -> int:
        return sum(self.quarantined.values())

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes one batch as PostgreSQL gave it, with the fingerprint column last."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.engine.register("batch", pa.Table.from_batches([batch]))
        summed = content_hash_sql(self.schema.names, "rule is null")
        row = first_row(
            self.engine,
            f"""
            select coalesce(bit_xor({FINGERPRINT}), 0), count(*) filter (where rule is null), {summed}
            from (select *, {self.rule} as rule from batch)
            """,
        )
        rows = batch.drop_columns([FINGERPRINT])
        self.fingerprint ^= row[0]
        good = self._set_aside(rows) if row[1] < batch.num_rows else pa.Table.from_batches([rows])
        self.summed += int(row[2])
        if good.num_rows:
            times = pc.min_max(good.column(self.stream.time))
            low, high = times["min"].as_py(), times["max"].as_py()
            self.first = min(self.first, low) if self.first else low
            self.last = max(self.last, high) if self.last else high
            self.writer.write_table(good.cast(self.schema))
            self.accepted += good.num_rows

    def _set_aside(self, rows: pa.RecordBatch) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        rules = self.engine.sql(f"select {self.rule} as rule from batch").to_arrow_table()["rule"]
        rules = rules.combine_chunks()
        mask = pc.is_valid(rules)
        places = pc.indices_nonzero(mask)
        broken, names = rows.take(places), rules.take(places)
        reasons = pa.array([self.reasons[name] for name in names.to_pylist()], pa.string())
        schema = self.schema.append(pa.field("rule", pa.string())).append(pa.field("reason", pa.string()))
        if self.quarantine is None:
            self.quarantine = pq.ParquetWriter(self.broken, schema, compression="zstd")
        columns = [*broken.cast(self.schema).columns, names, reasons]
        self.quarantine.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        for name in names.to_pylist():
            self.quarantined[name] = self.quarantined.get(name, 0) + 1
        for rule in self.stream.quarantine:
            if rule.names is not None:
                values = broken.filter(pc.equal(names, rule.name)).column(rule.names).to_pylist()
                seen = self.named.setdefault(rule.name, {})
                for value in values:
                    seen[str(value)] = seen.get(str(value), 0) + 1
        return _without(rows, mask, places.to_pylist())

    def finish(self, notes: Mapping[str, object] = MappingProxyType({}), **facts: Any) -> StagedDay:
        """Closes and seals the files, each with its ledger in the footer; `notes` are kept among its measures."""
        named = {rule: dict(sorted(seen.items())[:20]) for rule, seen in self.named.items() if seen}
        ledger = Ledger(
            **facts,
            quarantined=dict(sorted(self.quarantined.items())),
            min_time=self.first,
            max_time=self.last,
            schema_hash=schema_hash(self.schema),
            content_hash=hash_label(self.accepted, str(self.summed)),
            measures={**named, **notes},
            seal=UNSEALED,
        )
        self.writer.add_key_value_metadata(ledger.to_metadata())
        self.writer.close()
        seal(self.data)
        if self.quarantine is None:
            return StagedDay(ledger, self.data, None)
        self.quarantine.add_key_value_metadata(replace(ledger, kind="quarantine").to_metadata())
        self.quarantine.close()
        seal(self.broken)
        return StagedDay(ledger, self.data, self.broken)

    def close(self) -> None:
        self.writer.close()
        if self.quarantine is not None:
            self.quarantine.close()


@contextmanager
def writing_day(
    folder: Path, stream: Stream, day: date, engine: duckdb.DuckDBPyConnection | None = None
) -> Iterator[DayWriter]:
    """A writer of one day that is closed at the end. Raises LakeError when the disk is full or read-only."""
    # Closing writes as well: on a full disk it fails like what came before it.
    with writing_to(folder, f"{stream.name} for {day}"), ExitStack() as stack:
        writer = DayWriter(folder, stream, day, engine or stack.enter_context(session(threads=1)))
        stack.callback(writer.close)
        yield writer


def write_dimension(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    ledger: Ledger,
    engine: duckdb.DuckDBPyConnection,
) -> Ledger:
    """Writes and seals a small table; returns its ledger with its rows and their hash.

    Raises LakeError when the disk is full or read-only.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, summed = 0, 0
    with writing_to(path.parent, ledger.name):
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in batches:
                table = pa.Table.from_batches([batch]).cast(schema)
                engine.register("batch", table)
                found = first_row(engine, f"select count(*), {content_hash_sql(schema.names)} from batch")
                rows, summed = rows + found[0], summed + int(found[1])
                writer.write_table(table)
            written = replace(
                ledger, accepted=rows, read=rows, content_hash=hash_label(rows, str(summed)), seal=UNSEALED
            )
            writer.add_key_value_metadata(written.to_metadata())
        seal(path)
    return written


def _without(rows: pa.RecordBatch, mask: pa.BooleanArray, places: list[int]) -> pa.Table:
    """The rows that are not in the mask; `places` are those that are, ascending."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(places) > FEW:
        return pa.Table.from_batches([rows.filter(pc.invert(mask))])
    starts, ends = [0, *(place + 1 for place in places)], [*places, rows.num_rows]
    kept = [rows.slice(start, end - start) for start, end in zip(starts, ends, strict=True)]
    return pa.Table.from_batches(kept, rows.schema)
