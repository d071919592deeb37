"""What is known of archived partitions, and which days they pin.

A pinned day is never read from the source again: its rows are in the archive, no longer in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from psycopg.rows import class_row

from community_pipelines.databases.connections import Connection
from community_pipelines.maintenance.cold import ColdFile, Contents, make_canonical


@dataclass(frozen=True)
class Record:
    """One row of `community.archived_partitions`; `file` is below the lake's folder."""

    partition_name: str
    first_day: date
    last_day: date
    rows: int
    content_hash: str
    file: str
    detach_began_at: datetime | None
    detached_at: datetime | None
    dropped_at: datetime | None

    @property
    def contents(self) -> Contents:
        """The rows that are in the file, and their hash."""
        return Contents(self.rows, self.content_hash)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The half-open time that it holds, UTC."""
        after = self.last_day + timedelta(days=1)
        return (
            datetime(self.first_day.year, self.first_day.month, self.first_day.day, tzinfo=UTC),
            datetime(after.year, after.month, after.day, tzinfo=UTC),
        )


def archived_days(connection: Connection, platform: str, table_name: str) -> list[tuple[date, date, Path]]:
    """First day, last day (UTC) and file (below the lake's folder) of every partition that is out of its table,
    or on its way out; in the days' order."""
    return [
        (record.first_day, record.last_day, Path(record.file))
        for record in records(connection, platform, table_name)
        if record.detach_began_at is not None
    ]


def records(connection: Connection, platform: str, table_name: str) -> list[Record]:
    """All that was ever archived of a table, in the days' order."""
    with connection.transaction(), connection.cursor(row_factory=class_row(Record)) as cursor:
        make_canonical(connection)
        return cursor.execute(
            """
            select partition_name, first_day, last_day, rows, content_hash, file,
                detach_began_at, detached_at, dropped_at
            from community.archived_partitions
            where platform = %s and table_name = %s
            order by first_day, partition_name
            """,
            (platform, table_name),
        ).fetchall()


def write_record(connection: Connection, cold: ColdFile, file: str, pinned: bool) -> Record:
    """Records a verified archive; an earlier one of the partition, and how far that came, is replaced."""
    connection.execute(
        """
        insert into community.archived_partitions
            (platform, table_name, partition_name, first_day, last_day, rows, content_hash, file,
            detach_began_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, case when %s then clock_timestamp() end)
        on conflict (platform, table_name, partition_name) do update set
            first_day = excluded.first_day, last_day = excluded.last_day, rows = excluded.rows,
            content_hash = excluded.content_hash, file = excluded.file, archived_at = excluded.archived_at,
            detach_began_at = excluded.detach_began_at, detached_at = null, dropped_at = null
        """,
        (
            cold.platform,
            cold.table,
            cold.partition,
            cold.first_day,
            cold.last_day,
            cold.rows,
            cold.content_hash,
            file,
            pinned,
        ),
    )
    (record,) = (one for one in records(connection, cold.platform, cold.table) if one.partition_name == cold.partition)
    return record
