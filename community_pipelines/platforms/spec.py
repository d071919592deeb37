"""What a platform declares: its tables, streams, dimensions and counters.

Facts only. Tables, streams and dimensions are read from the platform's `sources.yml` (`declared.py`), the rest is in
its `spec.py`; what follows from them (steps, checks, their order) is worked out where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from community_pipelines.platforms.data_tests import DataTest, Severity

ColumnType = Literal[
    "uuid", "text", "integer", "integer[]", "bigint", "timestamptz", "timestamp", "date", "boolean", "jsonb"
]

# The logical name of the column that identifies a row of every table that a contract names as `entity_table`.
ENTITY_KEY = "id"


@dataclass(frozen=True)
class Column:
    """One column of an app's table, under its logical name.

    `timestamp` is a time without zone and is UTC by declaration of the stream. An `optional` column is there in some
    databases of the app and not in others: where it is absent nothing is written to it, and what is copied of it is
    null, so that a day file looks the same everywhere. SQL in braces cannot name it.
    """

    name: str
    type: ColumnType
    description: str
    optional: bool = False


@dataclass(frozen=True)
class Table:
    """An app's table, under its logical name.

    `default` is where the seed puts it (`schema.table`); a deployment maps it in `[<platform>.tables]`.
    `columns` are those that this project reads or writes, and no others. `never_read` are columns of the app that
    must not leave it, such as personal ones; whatever is neither is of no interest here.
    """

    name: str
    default: str
    description: str
    columns: tuple[Column, ...]
    never_read: tuple[str, ...] = ()

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
    whose broken values are listed, with their counts, in the day's ledger, and `accepted` are its other ones.
    """

    name: str
    broken: str
    description: str
    names: str | None = None
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consistency:
    """What a day's rows must agree on with other rows of the source; an error withholds the day.

    `broken` is SQL, with names in braces and `{start}` and `{end}` for the days that are read (timestamptz), which
    gives (time that decides the day, what it is, what is wrong with it) for every row that breaks the rule.
    """

    name: str
    severity: Severity
    description: str
    broken: str


class ExaminedDay(Protocol):
    """A day of a stream as an examination sees it: the rows of its file, and its source."""

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a DuckDB query over the day's accepted rows, the table `events`."""
        ...

    def ask(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query of the source, with tables and columns in braces and `%s` for parameters."""
        ...

    def strays(self) -> list[tuple[str, str]]:
        """The ids of the source's rows of that day that lie in a default partition, with its name."""
        ...


@dataclass(frozen=True)
class Examination:
    """A rule over a stream's day that takes more than SQL: `look` gives every offender, as (what it is, what is
    wrong with it). An error withholds the day."""

    stream: str
    name: str
    severity: Severity
    description: str
    look: Callable[[ExaminedDay], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Stream:
    """A source table that is copied day by day into the lake.

    `columns` are those that are copied. `id` identifies a row, `time` is the event time (UTC) that decides its day.
    `quarantine` takes rows out of the counts (a time outside the day always does); `data_tests` are what the rows of
    a day must be like beside that.

    A row may change after its day: `states` are the text and number columns (the event type, a status) whose change
    makes the day stale at any age; together with id and entity they are what is fingerprinted. For `settles_days` after
    its end a day is read again every night, for changes of all other columns. `shrink_limit` takes the place of the
    setting where rows are deleted as a matter of course; with 1 every deletion is mirrored. `named` is the stream's
    name where a table has several. `consistency` are rules that need other rows than the day's. `timeless` says what a
    row without a time is, where that is in order (a flag that nobody has reviewed yet); everywhere else such a row is
    reported.
    """

    table: Table
    description: str
    columns: tuple[Column, ...]
    id: str
    time: str
    entity: str
    quarantine: tuple[RowRule, ...]
    data_tests: tuple[DataTest, ...] = ()
    states: tuple[str, ...] = ()
    settles_days: int = 0
    shrink_limit: float | None = None
    named: str = ""
    consistency: tuple[Consistency, ...] = ()
    timeless: str = ""

    @property
    def fingerprinted(self) -> tuple[str, ...]:
        """The columns that, with the id, make a row another row: what a count needs of it."""
        return tuple(dict.fromkeys(name for name in (self.entity, *self.states) if name != self.id))

    def __post_init__(self) -> None:
        """Raises ValueError where what decides a row's day, its count or its fingerprint may be absent."""
        copied = {column.name: column for column in self.columns}
        for name in (self.id, self.time, self.entity, *self.states):
            if name not in copied:
                raise ValueError(f"stream {self.name} copies no column {name}, and rows are found and counted by it")
            if copied[name].optional:
                raise ValueError(f"stream {self.name}: {name} cannot be optional, rows are found and counted by it")

    @property
    def name(self) -> str:
        """The stream's name: its table's, unless it has one of its own."""
        return self.named or self.table.name


@dataclass(frozen=True)
class Dimension:
    """A small table whose present state is snapshotted into the lake with every run; no personal columns."""

    table: Table
    columns: tuple[str, ...]
    named: str = ""

    @property
    def name(self) -> str:
        """The dimension's name: its table's, unless that is a stream's, too."""
        return self.named or self.table.name


@dataclass(frozen=True)
class Option:
    """One way to count: `name` is the setting's value, `rule` says which rows count, in words, and `column` is the
    truth's column. `explained` tells whether the history's total follows the same rule."""

    name: str
    rule: str
    column: str
    explained: bool = False


@dataclass(frozen=True)
class Choice:
    """Ways to count one counter. An owner takes one by the platform's setting of that name, the first one unless it is
    set; the others are always counted and shown beside it."""

    setting: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Counter:
    """A cached value on an app's row that the pipeline keeps true.

    `rule` says which rows count, in words, or is the choice among several such rules; `total` is the column of the
    history model that explains it. A `sum` is a number to which drift is added. A `latest` is a time: it is raised, and
    lowered only with a reason in the ledger; in the ledger it is microseconds since 1970, and it has no total.
    """

    column: str
    total: str | None
    rule: str | Choice
    kind: Literal["sum", "latest"] = "sum"

    @property
    def options(self) -> tuple[Option, ...]:
        """All ways to count it, the default first; one that has no name where there is no choice."""
        if isinstance(self.rule, Choice):
            return self.rule.options
        return (Option("", self.rule, self.column, explained=True),)


@dataclass(frozen=True)
class Agreement:
    """Two places of the app that should say the same. `disagreements` is SQL, with braces as in the truth of a
    CounterTable, for the rows (entity, value on one side, value on the other) where they do not."""

    name: str
    description: str
    disagreements: str


@dataclass(frozen=True)
class CounterTable:
    """The counters of one app table, counted in one snapshot of the source.

    `truth` is SQL with `{name}` for the mapped, quoted tables and `{name.column}` for their columns; it gives
    `key` and one column for each way to count each counter, for every entity that has anything to count from `{since}`
    on and before `{until}`: what lies outside belongs to no day. What has no time is counted as it is now. Where ids of
    a stream's table repeat, `{name}` stands for one row of each id, the same one as in the lake.
    `history_model` explains the counters day by day. `events` is the stream whose oldest row tells whether the source
    still holds all history: since `log` is true, a condition in SQL, of the history's rows that these events explain.
    `log` is None where all truth is the app's present rows.
    """

    table: Table
    key: str
    counters: tuple[Counter, ...]
    truth: str
    history_model: str
    events: Stream
    log: str | None = "true"
    agreements: tuple[Agreement, ...] = ()

    @property
    def choices(self) -> tuple[tuple[Counter, Choice], ...]:
        """The counters that an owner can choose a rule for, with their choices."""
        return tuple((counter, counter.rule) for counter in self.counters if isinstance(counter.rule, Choice))

    @property
    def explained(self) -> tuple[tuple[str, str], ...]:
        """The counters that have a total in the history, with that total."""
        return tuple((counter.column, counter.total) for counter in self.counters if counter.total is not None)


@dataclass(frozen=True)
class Snapshots:
    """Where templates are made from, and where they go. Tables that the daily flow has, too, may have more columns.

    `changes` are the columns of `templates` that are updated; scenes are only added. `preview_frame` is the frame that
    is shown of a scene where the app's column has no default. `job` is the name of its job in Dagster: another one for
    each platform that has template snapshots.
    """

    users: Table
    projects: Table
    scenes: Table
    templates: Table
    template_scenes: Table
    changes: tuple[str, ...]
    preview_frame: int
    job: str = "ingest_template_snapshots"

    @property
    def read(self) -> tuple[Table, ...]:
        """Those that templates are made from."""
        return (self.projects, self.scenes, self.users)

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of them."""
        return (self.users, self.projects, self.scenes, self.templates, self.template_scenes)


@dataclass(frozen=True)
class PartitionedTable:
    """A table whose partitions are months of UTC, by its column `time`.

    A partition that ended `archive_after_months` ago is copied into the lake and detached; None keeps it for ever.
    """

    table: Table
    time: str
    archive_after_months: int | None


@dataclass(frozen=True)
class Platform:
    """One product: its tables and what is done with them. `title` and `description` are for people.

    `tables` are what the daily flow needs, `snapshots` has those of template snapshots. `watched` is the stream that
    has rows on every day: when there is no file of yesterday's, something is wrong.
    """

    name: str
    title: str
    description: str
    tables: tuple[Table, ...]
    streams: tuple[Stream, ...]
    dimensions: tuple[Dimension, ...]
    counter_tables: tuple[CounterTable, ...]
    watched: str
    snapshots: Snapshots | None = None
    partitioned: tuple[PartitionedTable, ...] = ()
    examinations: tuple[Examination, ...] = ()

    @property
    def choices(self) -> tuple[tuple[Counter, Choice], ...]:
        """The counters that an owner can choose a rule for, with their choices."""
        return tuple(pair for table in self.counter_tables for pair in table.choices)

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """All that are read or written; one name may stand for several sets of columns."""
        return (*self.tables, *(self.snapshots.tables if self.snapshots else ()))

    def model_group(self, model: str) -> Literal["metrics", "counters"]:
        """The group of a model's asset: counters for the histories that explain cached counters, else metrics."""
        return "counters" if model in {table.history_model for table in self.counter_tables} else "metrics"

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

    def asset(self, kind: str, name: str) -> str:
        """The asset (`raw/community_events`) that makes the day files of that kind (raw, quarantine or models)."""
        return f"{self.model_group(name)}/{name}" if kind == "models" else f"raw/{name}"
