"""Takes old partitions out of their table: copied, verified, recorded, detached, and dropped when that is wished.

Each step can be killed and taken again: the record and the catalog together say what is left to do. The file is
`cold.py`'s, the record is `pins.py`'s, which partitions there are is `partitions.py`'s.

What must not leave the app is not in the file: it stays in the detached table, in the app's own database, where the
app's rights and deletions reach it. So such a table is dropped only when somebody says that these columns may be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

from psycopg import errors, sql

from community_pipelines.databases.connections import Connection, connect, writing
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.files import Lake, days_between
from community_pipelines.lake.ledger import LakeError
from community_pipelines.lake.seal import verify
from community_pipelines.maintenance.cold import (
    ArchiveError,
    ColdFile,
    contents,
    contents_of_file,
    copy_out,
    may_leave,
    read_footer,
    without,
)
from community_pipelines.maintenance.partitions import Partition, clock, month_of, partitions
from community_pipelines.maintenance.pins import Record, records, write_record
from community_pipelines.platforms.spec import PartitionedTable

# A table that is written to at the very moment of detaching is copied so many times before we give up.
ATTEMPTS = 3


@dataclass(frozen=True)
class Step:
    """What was done with a partition, or would be, and why. `rows` are the partition's."""

    partition: str
    what: str
    rows: int | None = None
    why: str = ""


@dataclass(frozen=True)
class Archive:
    """The archive of one table. `covered` says whether the raw day files of a day are in the lake.

    `connection` is to the primary, in autocommit mode. `expendable` are columns, as `table.column`, that may be lost
    with a table that is dropped.
    """

    deployment: Deployment
    one: PartitionedTable
    lake: Lake
    covered: Callable[[date], bool]
    connection: Connection
    expendable: Collection[str] = ()

    def file(self, partition: str) -> Path:
        """Where a partition's file is, below the lake's folder."""
        return Path("cold", self.deployment.platform.name, self.one.table.name, f"{partition}.parquet")

    def records(self) -> list[Record]:
        """What is recorded of this table."""
        return records(self.connection, self.deployment.platform.name, self.one.table.name)

    def take_care(self, drop: bool, dry_run: bool) -> Iterator[Step]:
        """Goes as far as it can with every partition that is due; what cannot be done is a step `refused`.

        Nothing is due of a table that is kept for ever. With `drop`, verified detached partitions are dropped.
        """
        if self.one.archive_after_months is None:
            return
        existing = partitions(self.connection, self.deployment, self.one)
        known = {record.partition_name: record for record in self.records()}
        limit = month_of(clock(self.connection), -self.one.archive_after_months)
        due = [part for part in existing if part.end is not None and part.end <= limit]
        # A table can have only one partition whose detach is not finished, so that one is first.
        for part in sorted(due, key=lambda part: not part.detaching):
            yield from _refusing(part.name, self._detached(part, existing, known.get(part.name), dry_run))
        attached = {part.name for part in partitions(self.connection, self.deployment, self.one)}
        for record in self.records():
            if record.partition_name not in attached:
                yield from _refusing(record.partition_name, self._finished(record, drop, dry_run))

    def _detached(
        self, part: Partition, existing: list[Partition], record: Record | None, dry_run: bool
    ) -> Iterator[Step]:
        days = self._days(part, existing, record)
        if dry_run:
            what = "would archive and detach" if record is None else "would detach"
            yield Step(part.name, what, None, f"{days[0]} to {days[1]}, older than {self._age}")
            return
        if part.detaching:
            self._alter(part, "finalize")
            return
        for _ in range(ATTEMPTS):
            if record is None or not self._begins_to_detach(part, record):
                record = self._copied(part, days, record, attached=True)
                yield Step(part.name, "archived", record.rows, f"into {record.file}")
            if self._begins_to_detach(part, record):
                self._alter(part, "concurrently")
                return
        raise ArchiveError(f"{part.name} changed each of {ATTEMPTS} times that it was copied; run it again later")

    @property
    def _age(self) -> str:
        return f"{self.one.archive_after_months} months"

    def _days(self, part: Partition, existing: list[Partition], record: Record | None) -> tuple[date, date]:
        """First and last day of a partition that may be detached; ArchiveError says why it may not."""
        schema, table = self.deployment.names.parts(self.one.table)
        if part.schema != schema:
            raise ArchiveError(f"it is in the schema {part.schema}, its table in {schema}; move it there")
        default = [other.name for other in existing if other.is_default]
        if default:
            raise ArchiveError(
                f"PostgreSQL does not detach concurrently from a table with a default partition: detach {default[0]}"
            )
        if part.days is None:
            raise ArchiveError("its bounds are not midnights of UTC, so its days are not whole; archive it by hand")
        if part.detaching and (record is None or record.detach_began_at is None):
            raise ArchiveError(
                f"somebody else began to detach it: end that with "
                f"alter table {schema}.{table} detach partition {part.name} finalize"
            )
        missing = [day for day in days_between(*part.days) if not self.covered(day)]
        if missing:
            name = self.deployment.platform.name
            raise ArchiveError(
                f"{len(missing)} of its days {'are' if len(missing) > 1 else 'is'} not in the lake, "
                f"the first is {missing[0]}: community backfill {name} --from {missing[0]} --to {missing[-1]}"
            )
        return part.days

    def _copied(self, part: Partition, days: tuple[date, date], old: Record | None, attached: bool) -> Record:
        """Writes the file, reads it back, compares, replaces an older one, and records it."""
        final = self.lake.root / self.file(part.name)
        with self.lake.staging(self.deployment.platform.name, f"cold-{uuid4().hex}") as folder:
            cold, staged = copy_out(self.deployment, self.one.table.name, part, days, folder)
            with self.connection.transaction():
                back = contents_of_file(self.connection, part.quoted, staged, cold.columns)
            if back != cold.contents:
                raise ArchiveError(
                    f"the file read back has {back.rows} rows and hash {back.content_hash}, the partition "
                    f"{cold.rows} and {cold.content_hash}; nothing was changed, look for values that Parquet lacks, "
                    "such as infinite times"
                )
            if old is not None and final.exists() and cold.rows < old.rows:
                raise ArchiveError(
                    f"it has {cold.rows} rows now and had {old.rows} when it was archived; put them back, or move "
                    f"{final} away if they were deleted on purpose"
                )
            self.lake.swap(staged, final)
        return write_record(self.connection, cold, str(self.file(part.name)), pinned=not attached)

    def _begins_to_detach(self, part: Partition, record: Record) -> bool:
        """Whether the partition's rows are still the file's; if so its days are pinned from now on."""
        columns = self._columns(record)
        if columns is None or self._too_many(columns):
            return False
        with self.connection.transaction():
            self.connection.execute("set transaction isolation level repeatable read")
            same = contents(self.connection, part.quoted, columns) == record.contents
            if same:
                self._mark(record, "detach_began_at")
        return same

    def _columns(self, record: Record) -> Sequence[str] | None:
        """The columns of its file; None where that is not the archive that was recorded."""
        try:
            footer = read_footer(self.lake.root / record.file)
        except LakeError:
            return None
        return footer.columns if footer.contents == record.contents else None

    def _too_many(self, columns: Sequence[str]) -> list[str]:
        """Those of a file that must not leave the app, as archives from before have them."""
        allowed = may_leave(self.deployment, self.one.table.name)
        return [name for name in columns if name not in allowed]

    def _not_expendable(self, columns: Sequence[str]) -> list[str]:
        names = (f"{self.one.table.name}.{column}" for column in columns)
        return [name for name in names if name not in self.expendable]

    def _mark(self, record: Record, column: str) -> None:
        self.connection.execute(
            sql.SQL(
                "update community.archived_partitions set {} = clock_timestamp() "
                "where platform = %s and table_name = %s and partition_name = %s"
            ).format(sql.Identifier(column)),
            (self.deployment.platform.name, self.one.table.name, record.partition_name),
        )

    def _alter(self, part: Partition, how: str) -> None:
        # It waits for every transaction that uses the table, and cannot be in one.
        with connect(self.deployment.maintain_url, self.deployment.maintain_setting) as own:
            own.unguarded(
                sql.SQL("alter table {} detach partition {} {}").format(
                    self.deployment.names.table(self.one.table), part.quoted, sql.SQL(how)
                )
            )

    def _finished(self, record: Record, drop: bool, dry_run: bool) -> Iterator[Step]:
        """What is left to do with a partition that is out of its table."""
        name, path = record.partition_name, self.lake.root / record.file
        if not self._exists(name):
            yield from self._gone(record, dry_run)
            return
        columns = self._columns(record)
        if record.detached_at is None or (columns is not None and self._too_many(columns)):
            if dry_run:
                yield Step(name, "would detach", record.rows, "it is out of its table, and not compared again yet")
                return
            yield from self._compared(record)
        elif not drop:
            kept = self._only_here(record, read_footer(path).columns)
            why = f"detached, and archived as {record.file}; --drop drops it"
            yield Step(name, "kept", record.rows, f"{why}, {_with_expendable(kept)}" if kept else why)
        if not drop:
            return
        if dry_run:
            self._refuse_loss(record, read_footer(path).columns)
            yield Step(name, "would drop", record.rows, f"after comparing it with {record.file}")
            return
        self._drop(name)
        yield Step(name, "dropped", record.rows, f"its rows are in {record.file}")

    def _gone(self, record: Record, dry_run: bool) -> Iterator[Step]:
        """A partition whose table was dropped: its file is all that there is."""
        name, path = record.partition_name, self.lake.root / record.file
        if not dry_run and (narrowed := self._narrowed(record)) is not None:
            record = self._record_gone(narrowed, record)
        columns = self._columns(record)
        if columns is None:
            raise LakeError(f"its table is gone and {path} is not the archive; bring the file back from a backup")
        wide = self._too_many(columns)
        if wide and not self._not_expendable(wide) and not dry_run:
            with self.lake.staging(self.deployment.platform.name, f"cold-{uuid4().hex}") as folder:
                cold, staged = without(self.connection, self.deployment, path, wide, folder)
                self.lake.swap(staged, path)
                record = self._record_gone(cold, record)
            yield Step(name, "archived", record.rows, f"again, without {', '.join(wide)}")
            return
        if record.dropped_at is None and not dry_run:
            self._mark(record, "dropped_at")
        why = f"its rows are in {record.file}" if record.dropped_at else "somebody else dropped it"
        yield Step(name, "gone", record.rows, why)

    def _narrowed(self, record: Record) -> ColdFile | None:
        """The archive of a dropped partition that was written again with fewer columns, by a run that was killed
        before it could record it; None for every other file."""
        path = self.lake.root / record.file
        try:
            cold = read_footer(path)
            of = (cold.platform, cold.table, cold.partition, cold.first_day, cold.last_day, cold.rows)
        except LakeError:
            return None
        same = of == (
            self.deployment.platform.name, self.one.table.name, record.partition_name, record.first_day,
            record.last_day, record.rows,
        )  # fmt: skip
        recorded = cold.contents == record.contents
        return cold if same and not recorded and not self._too_many(cold.columns) and verify(path) else None

    def _record_gone(self, cold: ColdFile, old: Record) -> Record:
        with self.connection.transaction():
            record = write_record(self.connection, cold, old.file, pinned=True)
            self._mark(record, "detached_at")
            self._mark(record, "dropped_at")
        return record

    def _compared(self, record: Record) -> Iterator[Step]:
        """Compares a table that was detached with its file: rows may have come until the very end, and a file from
        before may hold columns that it should not."""
        part, columns = self._table_of(record), self._columns(record)
        wide = [] if columns is None else self._too_many(columns)
        with self.connection.transaction():
            same = columns is not None and contents(self.connection, part.quoted, columns) == record.contents
        if not same or wide:
            record = self._copied(part, (record.first_day, record.last_day), record, attached=False)
            why = "rows were written to it while it was detached" if not same else f"without {', '.join(wide)}"
            yield Step(part.name, "archived", record.rows, f"again: {why}")
        self._mark(record, "detached_at")
        yield Step(part.name, "detached", record.rows, f"archived as {record.file}")

    def _drop(self, name: str) -> None:
        """Drops a detached table whose rows are in its file: both are compared while nobody can write."""
        (record,) = (one for one in self.records() if one.partition_name == name)
        table = self._table_of(record).quoted
        path = self.lake.root / record.file
        columns = read_footer(path).columns
        with writing(self.connection, f"drop:{self.deployment.platform.name}.{name}"):
            self.connection.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
            here = contents(self.connection, table, columns)
            back = contents_of_file(self.connection, table, path, columns)
            if not here == back == record.contents:
                raise ArchiveError(
                    f"it has {here.rows} rows, the file {back.rows} and the record {record.rows}, and they are not "
                    "the same; it is not dropped: find out who changed it"
                )
            self._refuse_loss(record, columns)
            self.connection.execute(sql.SQL("drop table {}").format(table))
            self._mark(record, "dropped_at")

    def _refuse_loss(self, record: Record, archived: Sequence[str]) -> None:
        kept = self._only_here(record, archived)
        if kept:
            raise ArchiveError(
                f"what must not leave the app is in no archive, and would be lost with this table: keep it, or run it "
                f"again {_with_expendable(kept)}"
            )

    def _only_here(self, record: Record, archived: Sequence[str]) -> list[str]:
        """The columns of a detached table, as `table.column`, that hold anything which is not in its file and that
        nobody called expendable."""
        table = self._table_of(record).quoted
        rows = self.connection.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
            "and not attname = any(%s) order by attnum",
            (table.as_string(), list(archived)),
        ).fetchall()
        some = sql.SQL("select exists (select from {} where {} is not null)")
        held = [
            name
            for (name,) in rows
            if self.connection.execute(some.format(table, sql.Identifier(name))).fetchone() == (True,)
        ]
        return self._not_expendable(held)

    def _table_of(self, record: Record) -> Partition:
        schema, _ = self.deployment.names.parts(self.one.table)
        return Partition(schema, record.partition_name, *record.span)

    def _exists(self, name: str) -> bool:
        schema, _ = self.deployment.names.parts(self.one.table)
        row = self.connection.execute(
            "select from pg_class where relnamespace = to_regnamespace(quote_ident(%s)) and relname = %s",
            (schema, name),
        ).fetchone()
        return row is not None


def _with_expendable(columns: Sequence[str]) -> str:
    return f"with {' '.join(f'--expendable {column}' for column in columns)}"


def _refusing(partition: str, steps: Iterator[Step]) -> Iterator[Step]:
    """The same steps, then one that says why it went no further, where it did not."""
    try:
        yield from steps
    except (ArchiveError, LakeError) as error:
        yield Step(partition, "refused", None, str(error))
    except (errors.ObjectNotInPrerequisiteState, errors.DependentObjectsStillExist) as error:
        said = ". ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        yield Step(partition, "refused", None, f"PostgreSQL says: {said}; mend that and run it again")
