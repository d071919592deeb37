"""Reads days and dimensions of a platform's source through ADBC, each day in one short snapshot.

What becomes of the rows is in `writer.py`; judging a day and making its file visible is done in `flow/raw.py`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import sql
from psycopg.conninfo import make_conninfo

from community_pipelines.databases.connections import APPLICATION_NAME, lock_holders, place, said, transaction_settings
from community_pipelines.databases.deployment import Deployment
from community_pipelines.databases.inspect import as_found
from community_pipelines.errors import ExplainedError
from community_pipelines.lake.clock import MOMENT, Moment
from community_pipelines.lake.duck import first_row, literal, session
from community_pipelines.lake.files import Lake, day_bounds
from community_pipelines.lake.ledger import Ledger
from community_pipelines.lake.moved import NO_REPEATS, Repeats
from community_pipelines.lake.queries import (
    counted_query,
    day_query,
    oldest_query,
    selected,
    unique_id_query,
    without_day_query,
)
from community_pipelines.lake.verified import same_dimension
from community_pipelines.lake.writer import (
    StagedDay,
    code_version,
    schema_hash,
    schema_of,
    write_dimension,
    writing_day,
)
from community_pipelines.platforms.spec import Dimension, Stream

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

NO_TIME = "without a time"
REPLICA_CONFLICT = "40001"
LOCK_NOT_AVAILABLE = "55P03"
ATTEMPTS = 4
T = TypeVar("T")


class ExtractError(ExplainedError):
    """A day could not be read from its source; the message names platform, table, day and what to do."""


class OpenDayError(ExtractError):
    """The day is not closed yet by the database's clock, or the replica has not replayed it."""


class SourceReader(AbstractContextManager["SourceReader"]):
    """One ADBC connection to a platform's source; each day is read in a snapshot of its own."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def __enter__(self) -> SourceReader:
        from adbc_driver_postgresql import dbapi

        url = self.deployment.source_url
        try:
            named = make_conninfo(url, application_name=APPLICATION_NAME, connect_timeout=10, client_encoding="utf8")
            self._connection = dbapi.connect(named, autocommit=True)
        except dbapi.Error as error:
            raise ExtractError(
                f"cannot connect to the source of {self.deployment.platform.name}, {place(url)}: "
                f"{said(error, url)}; is it running, and is {self.deployment.source_setting} right?"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        if "_engine" in self.__dict__:
            self._engine.close()

    @cached_property
    def _engine(self) -> duckdb.DuckDBPyConnection:
        """The session that applies the row rules of all days; asking the source for its clock does without."""
        return session(threads=1)

    @cached_property
    def _found(self) -> Deployment:
        """The deployment with the optional columns that the source has; asked once, in the first snapshot that reads
        columns."""
        return as_found(self.deployment, self._rows)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _value(self, query: str) -> tuple[Any, ...]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            row: tuple[Any, ...] = cursor.fetchone()
            return row

    @contextmanager
    def _snapshot(self) -> Iterator[Moment]:
        # The driver has to know of the transaction: outside one, its statements do not survive a pooler.
        self._connection.adbc_connection.set_autocommit(False)
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read, read only")
            sets = (f"set_config('{name}', '{value}', true)" for name, value in transaction_settings().items())
            now, seen, snapshot, *_ = self._value(f"{MOMENT}, {', '.join(sets)}")
            yield Moment(now, seen, snapshot)
        finally:
            self._connection.rollback()
            self._connection.adbc_connection.set_autocommit(True)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """What the driver says of a failure, as a message for people."""
        from adbc_driver_postgresql import dbapi

        try:
            yield
        except dbapi.Error as error:
            advice = "`community doctor` says what is wrong with the source"
            if getattr(error, "sqlstate", None) == LOCK_NOT_AVAILABLE:
                advice = lock_holders(self.deployment.source_url)
            raise ExtractError(
                f"{self.deployment.platform.name}: reading {what} failed: "
                f"{said(error, self.deployment.source_url)}; nothing was changed; {advice}"
            ) from None

    def _retried(self, what: str, read: Callable[[], T]) -> T:
        """What `read` gives, in a snapshot of its own; read again when a replica cancels the query, or
        when a lock was not to be had."""
        from adbc_driver_postgresql import dbapi

        with self._told(what):
            for attempt in range(1, ATTEMPTS):
                try:
                    return read()
                except dbapi.Error as error:
                    if getattr(error, "sqlstate", None) not in (REPLICA_CONFLICT, LOCK_NOT_AVAILABLE):
                        raise
                    time.sleep(attempt)
            return read()

    def moment(self) -> Moment:
        """The server's clock, and how far it has replayed."""
        with self._told("the source's clock"), self._snapshot() as moment:
            return moment

    def oldest(self, stream: Stream) -> datetime | None:
        """The time of the oldest row; None for an empty table."""

        def ask() -> datetime | None:
            with self._snapshot():
                oldest: datetime | None = self._value(oldest_query(self.deployment, stream).as_string())[0]
                return oldest

        return self._retried(f"the oldest row of {stream.name}", ask)

    def ids_are_unique(self, stream: Stream) -> bool:
        """Whether PostgreSQL itself guarantees that no id repeats, be it on another day."""

        def ask() -> bool:
            with self._snapshot():
                return self._id_is_unique(stream)

        return self._retried(f"the indexes of {stream.name}", ask)

    def _id_is_unique(self, stream: Stream) -> bool:
        return bool(self._value(unique_id_query(self.deployment, stream).as_string())[0])

    def without_day(self, stream: Stream) -> dict[str, int]:
        """How many rows have no day (no time, an infinite one, one outside the years 1 to 9999), and how many lie
        more than a day ahead of the source's clock; only what there is."""

        def ask() -> tuple[int, ...]:
            with self._snapshot():
                return self._value(without_day_query(self.deployment, stream).as_string())

        counts = self._retried(f"rows of {stream.name} without a day", ask)
        names = (NO_TIME, "at an infinite time", "outside the calendar", "ahead of the clock")
        return {name: count for name, count in zip(names, counts, strict=True) if count}

    def day(
        self,
        stream: Stream,
        day: date,
        folder: Path,
        run_id: str,
        closed_after: timedelta,
        repeats: Repeats = NO_REPEATS,
        without_day: Mapping[str, int] = MappingProxyType({}),
    ) -> StagedDay:
        """Copies one day into `folder`, in one repeatable-read snapshot.

        `repeats` is what is known of its ids on other days, `without_day` what `without_day` gave; the ledger keeps
        both. Returns the staged files with their ledger. Raises OpenDayError for a day that is not over by the
        database's clock and replay, ExtractError when the source fails, LakeError when the disk does.
        """
        read = partial(self._day, stream, day, folder, run_id, closed_after, repeats, without_day)
        return self._retried(f"{stream.name} for {day}", read)

    def _day(
        self,
        stream: Stream,
        day: date,
        folder: Path,
        run_id: str,
        closed_after: timedelta,
        repeats: Repeats,
        without_day: Mapping[str, int],
    ) -> StagedDay:
        platform = self.deployment.platform
        with self._snapshot() as moment:
            closes = day_bounds(day)[1] + closed_after
            if moment.known_until < closes:
                behind = "has replayed only until" if moment.seen_until < moment.now else "says that it is"
                raise OpenDayError(
                    f"{platform.name}: {stream.name} for {day} is not closed before {closes:%Y-%m-%d %H:%M} UTC, "
                    f"and the source {behind} {moment.known_until:%Y-%m-%d %H:%M} UTC; "
                    "run it again later"
                )
            notes = {**repeats.notes(), **({"without_day": dict(without_day)} if without_day else {})}
            if not repeats.counted_elsewhere:
                staged = self._copied(stream, day, folder, run_id, moment, None, notes)
                if self._id_is_unique(stream) or not _repeats(stream, staged, folder):
                    return staged
            return self._copied(stream, day, folder, run_id, moment, repeats, notes)

    def _copied(
        self,
        stream: Stream,
        day: date,
        folder: Path,
        run_id: str,
        moment: Moment,
        repeats: Repeats | None,
        notes: Mapping[str, object],
    ) -> StagedDay:
        """Copies the day as it is, or without the repeats of ids, which PostgreSQL sorts out then.

        Rows read are counted as they arrive, or by PostgreSQL where it leaves repeats out; what is written is counted
        where it is written. That both agree is the day's residue.
        """
        with (
            self._connection.cursor() as cursor,
            writing_day(folder, stream, day, self._engine) as staged,
        ):
            elsewhere = repeats.counted_elsewhere if repeats is not None else None
            cursor.execute(day_query(self._found, stream, day, elsewhere).as_string())
            read = 0
            for batch in prefetched(batches(cursor)):
                read += batch.num_rows
                staged.add(batch)
            duplicates, fingerprint = 0, staged.fingerprint
            if elsewhere is not None:
                counted = counted_query(self._found, stream, day, elsewhere)
                read, duplicates, fingerprint = self._value(counted.as_string())
            return staged.finish(
                notes,
                kind="raw",
                platform=self.deployment.platform.name,
                name=stream.name,
                day=day,
                accepted=staged.accepted,
                read=read,
                duplicates=duplicates,
                snapshot=moment.snapshot,
                fingerprint=(read, fingerprint),
                read_at=moment.now,
                run_id=run_id,
                code_version=code_version(),
            )

    def dimension(self, dimension: Dimension, folder: Path, lake: Lake, run_id: str) -> None:
        """Replaces the lake's copy of a small table by its present state, which is written into `folder` first.

        A copy that is the same and sound stays.
        """
        names, platform = self.deployment.names, self.deployment.platform.name
        columns = [dimension.table.column(name) for name in dimension.columns]
        staged = folder / f"{dimension.name}.parquet"
        schema = schema_of(tuple(columns))
        reading = self._told(dimension.name)
        with reading, self._snapshot() as moment, self._connection.cursor() as cursor:
            query = sql.SQL("select {} from {}").format(
                sql.SQL(", ").join(selected(self._found, dimension.table, column) for column in columns),
                names.table(dimension.table),
            )
            cursor.execute(query.as_string())
            ledger = Ledger(
                kind="dimensions",
                platform=platform,
                name=dimension.name,
                day=moment.now.astimezone(UTC).date(),
                accepted=0,
                content_hash="",
                schema_hash=schema_hash(schema),
                code_version=code_version(),
                run_id=run_id,
                read_at=moment.now,
                snapshot=moment.snapshot,
            )
            ledger = write_dimension(staged, schema, batches(cursor), ledger, self._engine)
        final = lake.dimension(platform, dimension.name)
        if not same_dimension(final, ledger):
            lake.swap(staged, final, unless_newer=ledger)


def _repeats(stream: Stream, staged: StagedDay, folder: Path) -> bool:
    """Whether an id repeats in a day's files. Counted there: for PostgreSQL it is a sort of all rows."""
    files = [staged.data, *([staged.quarantine] if staged.quarantine else [])]
    listed = ", ".join(literal(str(path)) for path in files)
    with session(threads=1, memory_limit="100MB", temp_directory=str(folder / "ids")) as engine:
        rows, different = first_row(
            engine,
            f"select count(*), count(distinct {stream.id}) + max(({stream.id} is null)::integer) "
            f"from read_parquet([{listed}], hive_partitioning = false, union_by_name = true)",
        )
    return bool(rows) and rows != different


def batches(cursor: Any) -> Iterator[pa.RecordBatch]:
    """What the executed query gives, a batch at a time. Raises the driver's error, with its SQLSTATE."""
    # The reader of `fetch_record_batch` raises OSError without it, as if the disk were full (arrow-adbc #1530).
    return iter(cursor._results.reader)


def prefetched(batches: Iterator[pa.RecordBatch], depth: int = 2) -> Iterator[pa.RecordBatch]:
    """The same batches, read by a thread, so that the network and the writing overlap; at most `depth` wait."""
    waiting: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: pa.RecordBatch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            for batch in batches:
                put(batch)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
