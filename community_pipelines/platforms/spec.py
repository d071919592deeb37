"""What a platform declares: its tables, streams, dimensions and counters.

Facts only. How a fact is used is written in `lake/`, `models/`, `counters/` and `flow.py`; the order in which
a platform's data flows is written in that platform's `assets.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["uuid", "text", "integer", "bigint", "timestamptz", "timestamp", "date", "boolean", "jsonb"]


@dataclass(frozen=True)
class Column:
    """One column of an app's table, under its logical name.

    `timestamp` is a time without zone and is UTC by declaration of the stream.
    """

    name: str
    type: ColumnType
    description: str


@dataclass(frozen=True)
class Table:
    """An app's table, under its logical name.

    `default` is where the seed puts it (`schema.table`); a deployment maps it in `[<platform>.tables]`.
    `columns` are those that this project reads or writes, and no others.
    """

    name: str
    default: str
    description: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The declared column of that logical name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} declares no column {name!r}")


@dataclass(frozen=True)
class RowRule:
    """A rule over one row, as a DuckDB predicate that is true for a broken row.

    A quarantine rule may only concern what a count needs: id, entity, event type, time. `names` is the column
    whose broken values are listed, with their counts, in the day's ledger.
    """

    name: str
    broken: str
    description: str
    names: str | None = None


@dataclass(frozen=True)
class Stream:
    """A source table that is copied day by day into the lake.

    `id` identifies a row, `time` is the event time (UTC) that decides its day. `quarantine` takes rows out of
    the counts (a time outside the day always does); `measures` are DuckDB aggregates over a day's accepted rows,
    named `events`, that the platform's quality suite judges; `joins` adds dimensions to them by their names.
    """

    table: Table
    description: str
    id: str
    time: str
    entity: str
    quarantine: tuple[RowRule, ...]
    measures: tuple[tuple[str, str], ...]
    joins: str = ""

    @property
    def name(self) -> str:
        """The stream's name: its table's."""
        return self.table.name


@dataclass(frozen=True)
class Dimension:
    """A small table whose present state is snapshotted into the lake with every run; no personal columns."""

    table: Table
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The dimension's name: its table's."""
        return self.table.name


@dataclass(frozen=True)
class Counter:
    """A cached number on an app's row that the pipeline keeps true.

    `rule` says which rows count, in words; `total` is the column of the history model that explains it.
    """

    column: str
    total: str
    rule: str


@dataclass(frozen=True)
class Agreement:
    """Two places of the app that should say the same. `disagreements` is SQL, with names in braces, for the rows
    (entity, value on one side, value on the other) where they do not."""

    name: str
    description: str
    disagreements: str


@dataclass(frozen=True)
class CounterTable:
    """The counters of one app table, counted in one snapshot of the source.

    `truth` is SQL with `{name}` for the mapped, quoted tables and `{name.column}` for their columns; it gives
    `key` and one column for each counter, for every entity that has anything to count before `{until}`. `events`
    is the stream whose oldest row tells whether the source still holds all history; `history_model` explains
    the counters day by day.
    """

    table: Table
    key: str
    counters: tuple[Counter, ...]
    truth: str
    history_model: str
    events: Stream
    agreements: tuple[Agreement, ...] = ()


@dataclass(frozen=True)
class Snapshots:
    """Where templates are made from, and where they go. Tables that the daily flow has, too, may have more columns.

    `changes` are the columns of `templates` that are updated; scenes are only added.
    """

    users: Table
    projects: Table
    scenes: Table
    templates: Table
    template_scenes: Table
    changes: tuple[str, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of them."""
        return (self.users, self.projects, self.scenes, self.templates, self.template_scenes)


@dataclass(frozen=True)
class Platform:
    """One product: its tables and what is done with them. `title` and `description` are for people.

    `tables` are what the daily flow needs, `snapshots` has those of template snapshots.
    """

    name: str
    title: str
    description: str
    tables: tuple[Table, ...]
    streams: tuple[Stream, ...]
    dimensions: tuple[Dimension, ...]
    counter_tables: tuple[CounterTable, ...]
    entity_table: Table
    entity_key: str
    snapshots: Snapshots | None = None

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """All that are read or written; one name may stand for several sets of columns."""
        return (*self.tables, *(self.snapshots.tables if self.snapshots else ()))

    def table(self, name: str) -> Table:
        """The declared table of that logical name; KeyError when there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(f"platform {self.name} declares no table {name!r}")

    def stream(self, name: str) -> Stream:
        """The declared stream of that name; KeyError when there is none."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise KeyError(f"platform {self.name} declares no stream {name!r}")
