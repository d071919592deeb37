"""Runs models in one DuckDB session over any window of days, and stages their day files.

Models whose rows stay inside their day run day by day, a few days side by side; models that read further back run
over spans of days, one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from community_pipelines.lake.duck import beside, first_row, literal, parquet, session, utc_day
from community_pipelines.lake.files import Kind, Lake
from community_pipelines.lake.ledger import UNSEALED, LakeError, Ledger, writing_to
from community_pipelines.lake.seal import seal
from community_pipelines.lake.verified import Verified, made_anew
from community_pipelines.lake.writer import code_version, content_hash_sql, hash_label, text_hash
from community_pipelines.models.inputs import Inputs, window_days
from community_pipelines.models.project import Model, ModelError, load_model
from community_pipelines.platforms.spec import Column, Platform

if TYPE_CHECKING:
    import duckdb

# Days that a model which reads further back computes at once: its reading is shared, its result still fits.
SPAN = 31
# Days that are computed side by side, each by one thread: cheaper than one day by many, and memory stays small.
SIDE_BY_SIDE = 4
DATE_OF_COLUMN = re.compile(r"\bcast\(\s*(?P<column>(\w+\.)?\w+)\s+as\s+date\s*\)", re.IGNORECASE)
DUCKDB_TYPES = {
    "uuid": "uuid",
    "text": "varchar",
    "integer": "integer",
    "bigint": "bigint",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp with time zone",
    "date": "date",
    "boolean": "boolean",
    "jsonb": "varchar",
    "integer[]": "integer[]",
}
ALIASES = {
    "text": "varchar",
    "string": "varchar",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "float8": "double",
    "double precision": "double",
    "bool": "boolean",
    "timestamptz": "timestamp with time zone",
}


@dataclass(frozen=True)
class StagedModelDay:
    """One day of a model's result before it is judged, with what it reads and where it is."""

    ledger: Ledger
    path: Path


class ContractBroken(ModelError):
    """The result has other columns or types than the contract says; no day of it can be used."""


class _FileRelation:
    """A list of day files, filtered to the batch or not; earlier files are only touched for what reads them."""

    def __init__(self, batch: str, everything: Callable[[], str] | None = None) -> None:
        self._batch = batch
        self._everything = everything

    def __str__(self) -> str:
        return self._batch

    def render(self) -> str:
        return self._everything() if self._everything else self._batch


def canonical(type_name: str) -> str:
    """DuckDB's own name of a type, so that a contract may say int8 or bigint."""
    return ALIASES.get(type_name.lower(), type_name.lower())


def utc_days(text: str, times: Collection[str]) -> str:
    """The SQL with the casts of those columns to dates replaced by what is faster and the same in UTC."""

    def faster(found: re.Match[str]) -> str:
        column = found.group("column")
        return utc_day(column) if column.split(".")[-1] in times else found.group()

    return DATE_OF_COLUMN.sub(faster, text)


def declared_columns(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Names and DuckDB types of an app table's columns."""
    return [(column.name, DUCKDB_TYPES[column.type]) for column in columns]


class Engine(AbstractContextManager["Engine"]):
    """One DuckDB session in UTC with a memory limit, over one platform's part of the lake.

    `folder` is a private one on the lake's file system. What does not fit in memory goes there, and the names of the
    files that are read: DuckDB opens a path several times for one query, and of a file that another run replaces
    meanwhile it would read the old footer and the new rows. `files` verifies each of them once.
    """

    def __init__(self, platform: Platform, lake: Lake, memory_limit: str, start: date, folder: Path) -> None:
        self.platform = platform
        self.lake = lake
        self.start = start
        spill = str(folder / "spill")
        self.connection = session(memory_limit=memory_limit, temp_directory=spill, preserve_insertion_order=False)
        self.files = Verified(folder / "pins")
        self._damaged: set[tuple[Kind, str, date]] = set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def pinned(self, paths: Iterable[Path]) -> list[Path]:
        """Names of those files that no replacement touches. Raises DamagedError for one that is not to be believed."""
        return self.files.pinned(paths)

    def dimension(self, name: str) -> list[Path]:
        """The name of a dimension's file that no replacement touches; none where it was never read."""
        path = self.lake.dimension(self.platform.name, name)
        return self.pinned([path] if path.exists() else [])

    def damage(self, kind: Kind, name: str, days: Iterable[date]) -> dict[date, str]:
        """The days whose file, as it is now, is not to be believed: what is wrong and what makes it anew."""
        place = self.platform.name
        faults = {day: self.lake.look(kind, place, name, day)[1] for day in days}
        whole = {self.lake.path(kind, place, name, day): day for day, fault in faults.items() if not fault}
        found = self.files.faults(path for path in whole if path.exists())
        faults |= {whole[path]: f"{fault}; {made_anew(place, whole[path])}" for path, fault in found.items()}
        self._damaged -= {(kind, name, day) for day in faults}
        self._damaged |= {(kind, name, day) for day, fault in faults.items() if fault}
        return {day: fault for day, fault in faults.items() if fault}

    def run(
        self, model: Model, days: Sequence[date], inputs: Inputs, folder: Path, run_id: str
    ) -> Iterator[StagedModelDay]:
        """Computes those days (ascending) and stages one file for each, empty days too.

        Raises ModelError for SQL that fails, ContractBroken for a result of another shape.
        """
        span = 1 if model.contract.reads_days_back == 0 else SPAN
        if model.contract.reads_days_back == "all":
            span = max(len(days), 1)
        batches = [part[i : i + span] for part in self._parts(model, days) for i in range(0, len(part), span)]
        times = {stream.time for stream in self.platform.streams}
        with self._workers(len(batches) if span == 1 else 1) as pool:
            futures: list[Future[list[StagedModelDay]]] = []
            for batch in batches:
                # Hashed before the files are pinned: a file that is replaced in between makes the day stale.
                hashes = {day: inputs.hash(model, day) for day in batch}
                text = utc_days(self.sql(model, batch, inputs), times)
                futures.append(pool.submit(self._batch, model, text, hashes, folder, run_id))
            for future in futures:
                yield from future.result()

    def _parts(self, model: Model, days: Sequence[date]) -> list[list[date]]:
        """The days cut where a damaged file lies in between: a batch reads all files between its days."""
        names = {dependency.name for dependency in model.dependencies}
        damaged = [day for _, name, day in self._damaged if name in names]
        parts: list[list[date]] = []
        for day in days:
            if parts and not any(parts[-1][-1] < bad < day for bad in damaged):
                parts[-1].append(day)
            else:
                parts.append([day])
        return parts

    @contextmanager
    def _workers(self, wanted: int) -> Iterator[ThreadPoolExecutor]:
        """Threads that run that many batches at once, or as many as there is room for; they share the cores."""
        (cores,) = first_row(self.connection, "select current_setting('threads')")
        workers = max(1, min(wanted, cores, SIDE_BY_SIDE))
        self.connection.execute(f"set threads = {max(1, cores // workers)}")
        pool = ThreadPoolExecutor(workers)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
            self.connection.execute(f"set threads = {cores}")

    def sql(self, model: Model, batch: Sequence[date], inputs: Inputs) -> str:
        """The model's SQL over the day files of that batch and of the days before it that it may read."""
        window = window_days(model, batch[0], batch[-1], self.start)

        def files(kind: Kind, name: str, columns: Sequence[tuple[str, str]]) -> _FileRelation:
            before = self.lake.files(kind, self.platform.name, name, [day for day in window if day not in batch])
            own = self.pinned(self.lake.files(kind, self.platform.name, name, batch))
            return _FileRelation(parquet(own, columns), lambda: parquet(self.pinned(before) + own, columns))

        def ref(name: str) -> _FileRelation:
            contract = load_model(self.platform.name, name).contract
            return files("models", name, [(column.name, column.type) for column in contract.columns])

        def source(schema: str, name: str) -> _FileRelation:
            if schema == "calendar":
                days = self._calendar(model, batch, inputs)
                return _FileRelation(days)
            for dimension in self.platform.dimensions:
                if dimension.name == name:
                    columns = declared_columns([dimension.table.column(c) for c in dimension.columns])
                    table = parquet(self.dimension(name), columns)
                    return _FileRelation(table)
            try:
                stream = self.platform.stream(name)
            except KeyError:
                raise ModelError(
                    f"{model.path}: source({schema!r}, {name!r}) is no stream or dimension of {self.platform.name}"
                ) from None
            return files("raw", name, declared_columns(stream.columns))

        return model.rendered(ref, source)

    def _calendar(self, model: Model, batch: Sequence[date], inputs: Inputs) -> str:
        rows = ", ".join(
            f"(date {literal(day.isoformat())}, {str(inputs.complete(model, day)).lower()})" for day in batch
        )
        return f"(select * from (values {rows}) as days(day, window_complete))"

    def _batch(
        self, model: Model, text: str, inputs: Mapping[date, str], folder: Path, run_id: str
    ) -> list[StagedModelDay]:
        """Computes and stages the days of `inputs`, which has the hash of what each is computed from."""
        import duckdb

        batch = list(inputs)
        where = f"{batch[0]}" if len(batch) == 1 else f"{batch[0]} to {batch[-1]}"
        with beside(self.connection) as connection:
            try:
                connection.execute(f"create temp table result as {text}")
            except duckdb.Error as error:
                raise ModelError(f"{model.path} failed for {where}: {error}") from None
            self._check_shape(model, connection)
            names = model.contract.column_names()
            measure = f"select day, count(*), {content_hash_sql(names)} from result group by day"
            measured = {day: (rows, summed) for day, rows, summed in connection.execute(measure).fetchall()}
            outside = sum(rows for day, (rows, _) in measured.items() if day not in inputs)
            if outside:
                raise ContractBroken(f"{model.path} gave {outside} rows whose day is not in {where}")
            staged = []
            for day in batch:
                rows, summed = measured.get(day, (0, "0"))
                ledger = Ledger(
                    kind="models",
                    platform=self.platform.name,
                    name=model.name,
                    day=day,
                    accepted=rows,
                    read=rows,
                    content_hash=hash_label(rows, summed),
                    schema_hash=text_hash(repr(model.contract.columns)),
                    code_version=code_version(),
                    run_id=run_id,
                    read_at=datetime.now(UTC),
                    inputs=inputs[day],
                    seal=UNSEALED,
                )
                path = folder / f"{model.name}-{day}.parquet"
                self._write(connection, names, ledger, path)
                staged.append(StagedModelDay(ledger, path))
            return staged

    def _write(self, connection: duckdb.DuckDBPyConnection, names: Sequence[str], ledger: Ledger, path: Path) -> None:
        import duckdb

        listed = ", ".join(f'"{name}"' for name in names)
        footer = ", ".join(f"{key}: {literal(value)}" for key, value in ledger.to_metadata().items())
        try:
            connection.execute(
                f"copy (select {listed} from result where day = date {literal(ledger.day.isoformat())}) "
                f"to {literal(str(path))} (format parquet, compression zstd, kv_metadata {{{footer}}})"
            )
        except duckdb.IOException as error:
            raise LakeError(
                f"cannot write {ledger.name} for {ledger.day} into {path.parent} ({str(error).splitlines()[0]}); "
                "free space or fix permissions, then run the day again"
            ) from error
        with writing_to(path.parent, f"{ledger.name} for {ledger.day}"):
            seal(path)

    def _check_shape(self, model: Model, connection: duckdb.DuckDBPyConnection) -> None:
        found = {row[0]: str(row[1]).lower() for row in connection.execute("describe result").fetchall()}
        wrong = [
            f"{column.name} is {found.get(column.name, 'missing')}, the contract says {column.type}"
            for column in model.contract.columns
            if canonical(found.get(column.name, "")) != canonical(column.type)
        ]
        if wrong:
            raise ContractBroken(f"{model.path} breaks its contract: " + "; ".join(wrong))
