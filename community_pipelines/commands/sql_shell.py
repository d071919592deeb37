"""DuckDB over the lake for people: a view for every stream, its quarantine, every model and every dimension.

The lake is only read. Three things see to it: the session may open the day files that the views are made of and no
other file, its configuration is locked, and of all statements only those are run that cannot write a file.
"""

from __future__ import annotations

import csv
import os
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

import duckdb
from duckdb import StatementType
from rich.table import Table

from community_pipelines.commands.terminal import TextConsole
from community_pipelines.errors import ExplainedError
from community_pipelines.lake.duck import literal, parquet, session
from community_pipelines.lake.files import Kind, Lake
from community_pipelines.models.engine import declared_columns
from community_pipelines.models.project import ModelError, load_model
from community_pipelines.platforms.declared import MODELS_FOLDER
from community_pipelines.platforms.spec import Platform
from community_pipelines.settings import Settings

T = TypeVar("T")

SHOWN_ROWS = 1_000
FETCHED_ROWS = 1_024
HISTORY_LINES = 2_000
PARQUET_MAGIC = b"PAR1"

# What may be created, changed and dropped lives in the session's memory and ends with it.
_RESULTS = (StatementType.SELECT, StatementType.EXPLAIN, StatementType.MULTI)
_CHANGES = (StatementType.INSERT, StatementType.UPDATE, StatementType.DELETE, StatementType.MERGE_INTO)
_QUIET = (
    StatementType.CREATE,
    StatementType.DROP,
    StatementType.ALTER,
    StatementType.SET,
    StatementType.TRANSACTION,
)
_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL\(\d+,\d+\)")
# `explain analyze copy …` and `copy (pivot …) to …` hide what they do in another kind of statement.
_WRITING = re.compile(r"\b(copy|export)\b", re.IGNORECASE)

_HELP = """\
A statement ends with ; and may span lines. Times are UTC. Nothing here changes the lake; tables and views that
you create are gone when you leave. The days that were there at the start are seen: leave and come back for new ones.

  describe {view};    the columns of a view
  .tables                              what there is
  .help                                this text
  .quit                                leave (or Ctrl-D); Ctrl-C drops the line or stops the query
"""


class SqlError(ExplainedError):
    """A statement was refused or failed; the message is for people."""


@dataclass(frozen=True)
class View:
    """One relation of the lake; `days` are those that it holds, None for a dimension."""

    schema: str
    name: str
    kind: str
    days: Sequence[date] | None

    @property
    def full_name(self) -> str:
        """The name in SQL."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Answer:
    """What a statement gave: rows, fetched as they are asked for, or only a `message`."""

    columns: list[str]
    types: list[str]
    rows: Iterator[tuple[Any, ...]]
    message: str = ""


class LakeSession(AbstractContextManager["LakeSession"]):
    """A DuckDB session over the lake as it was when the session was opened.

    `views` is what there is, `notes` name files that were left out and why.
    """

    def __init__(self, settings: Settings, platforms: Sequence[Platform]) -> None:
        self.lake = Lake(settings.lake_folder.resolve())
        self.home = settings.home
        self.views: list[View] = []
        self.notes: list[str] = []
        spill = Path(tempfile.gettempdir()) / f"community-sql-{os.getpid()}"
        self._connection = session(memory_limit=settings.memory_limit, temp_directory=str(spill))
        self._worker = ThreadPoolExecutor(1)
        self._files: list[Path] = []
        pending = [view for platform in platforms for view in self._of_platform(platform)]
        allowed = ", ".join(literal(str(path)) for path in self._files)
        self._connection.execute(f"set allowed_paths = [{allowed}]")
        for view, relation in pending:
            self._create(view, relation)
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.shutdown()
        self._connection.close()

    def run(self, sql: str) -> Iterator[Answer]:
        """Runs statements one after the other, each when the answer before it was taken.

        Raises SqlError for a statement that does not parse, fails, or could write a file; KeyboardInterrupt for one
        that was stopped.
        """
        for statement in self._work(lambda: duckdb.extract_statements(sql)):
            _refuse_writing(statement)
            yield self._answer(statement)

    def _answer(self, statement: duckdb.Statement) -> Answer:
        before = self._inodes()
        try:
            cursor = self._work(lambda: self._connection.execute(statement))
        except SqlError:
            self._refuse_replaced(before)
            raise
        names = [column[0] for column in cursor.description or ()]
        if statement.type in _QUIET or not names:
            return Answer([], [], iter(()), "done")
        if statement.type in _CHANGES and names == ["Count"]:
            changed = cursor.fetchall()[0][0]
            self._refuse_replaced(before)
            return Answer([], [], iter(()), f"{changed:,} rows")
        return Answer(names, [str(column[1]) for column in cursor.description or ()], self._rows(cursor, before))

    def _rows(self, cursor: duckdb.DuckDBPyConnection, before: dict[Path, int]) -> Iterator[tuple[Any, ...]]:
        while rows := self._work(lambda: cursor.fetchmany(FETCHED_ROWS)):
            yield from rows
        self._refuse_replaced(before)

    def _inodes(self) -> dict[Path, int]:
        return {path: path.stat().st_ino for path in self._files if path.exists()}

    def _refuse_replaced(self, before: dict[Path, int]) -> None:
        # DuckDB opens a path several times for one query: of a file that is replaced meanwhile it reads a mixture.
        now = self._inodes()
        for path, inode in before.items():
            if now.get(path) != inode:
                raise SqlError(f"{path} was replaced while this ran, so its answer may be of both; run it again")

    def _work(self, call: Callable[[], T]) -> T:
        # DuckDB looks for Ctrl-C only between its tasks, which may be long; it always heeds `interrupt`.
        running = self._worker.submit(call)
        try:
            return running.result()
        except duckdb.Error as error:
            raise SqlError(str(error)) from None
        except KeyboardInterrupt:
            while not running.done():
                self._connection.interrupt()
                time.sleep(0.05)
            raise

    def _of_platform(self, platform: Platform) -> Iterator[tuple[View, str]]:
        for stream in platform.streams:
            columns = declared_columns(stream.columns)
            yield self._days("raw", platform, stream.name, stream.name, columns)
            broken = [*columns, ("rule", "varchar"), ("reason", "varchar")]
            yield self._days("quarantine", platform, stream.name, f"{stream.name}_quarantine", broken)
        for path in sorted((MODELS_FOLDER / platform.name).glob("*.sql")):
            try:
                contract = load_model(platform.name, path.stem).contract
            except ModelError as error:
                self.notes.append(f"{platform.name}.{path.stem} is left out: {error}")
                continue
            columns = [(column.name, column.type) for column in contract.columns]
            yield self._days("models", platform, path.stem, path.stem, columns)
        for dimension in platform.dimensions:
            columns = declared_columns([dimension.table.column(name) for name in dimension.columns])
            file = self.lake.dimension(platform.name, dimension.name)
            files = self._whole([file] if file.exists() else [])
            yield View(platform.name, dimension.name, "dimension", None), parquet(files, columns)

    def _days(
        self, kind: Kind, platform: Platform, name: str, shown: str, columns: list[tuple[str, str]]
    ) -> tuple[View, str]:
        days = self.lake.days(kind, platform.name, name)
        files = {self.lake.path(kind, platform.name, name, day): day for day in days}
        whole = self._whole(list(files))
        what = {"raw": "stream", "models": "model"}.get(kind, kind)
        return View(platform.name, shown, what, [files[path] for path in whole]), parquet(whole, columns)

    def _whole(self, paths: list[Path]) -> list[Path]:
        # One damaged file would fail every query on its view.
        found = []
        for path in paths:
            if _ends_as_parquet(path):
                found.append(path)
            else:
                again = "run its day again with `community backfill`"
                self.notes.append(f"{path} is left out: it is no complete Parquet file; {again}")
        self._files += found
        return found

    def _create(self, view: View, relation: str) -> None:
        try:
            self._connection.execute(f'create schema if not exists "{view.schema}"')
            self._connection.execute(f'create view "{view.schema}"."{view.name}" as select * from {relation}')
        except duckdb.Error as error:
            self.notes.append(f"{view.full_name} is left out: {str(error).splitlines()[0]}")
            return
        self.views.append(view)


def open_lake(settings: Settings, platforms: Sequence[Platform]) -> LakeSession:
    """A session over the lake, in UTC, with a schema for each platform; use it in a `with` block.

    `<platform>.<stream>` is a stream's accepted rows, `<platform>.<stream>_quarantine` its broken ones; models and
    dimensions go by their names. What has no file yet is an empty view with its columns.
    """
    return LakeSession(settings, platforms)


def run_statement(lake: LakeSession, sql: str, console: TextConsole | None = None) -> None:
    """Runs statements and prints what they give: tables on a terminal, else CSV with every row.

    Raises SqlError, having printed the answers before it.
    """
    console = console or TextConsole()
    for note in lake.notes:
        TextConsole(stderr=True).print(note, style="yellow")
    for answer in lake.run(sql):
        if console.is_terminal:
            _show(answer, console)
        elif answer.columns:
            _write_csv(answer, console.file)


def interactive(lake: LakeSession, console: TextConsole | None = None, read: Callable[[str], str] = input) -> None:
    """Reads and runs statements until `.quit` or the end of input; an error is shown and the session goes on.

    On a terminal lines can be edited, are remembered in `<home>/sql_history`, and names complete with Tab.
    """
    console = console or TextConsole()
    talking = sys.stdin.isatty()
    for note in lake.notes:
        console.print(note, style="yellow")
    if not talking:
        _read_and_run(lake, console, lambda prompt: read(""))
        return
    console.print(f"DuckDB {duckdb.__version__} over {lake.lake.root}, in UTC, only reading. .help says more.")
    with _remembered_lines(lake):
        _read_and_run(lake, console, read)


def _read_and_run(lake: LakeSession, console: TextConsole, read: Callable[[str], str]) -> None:
    unfinished = ""
    while True:
        try:
            line = read("   -> " if unfinished else "lake> ")
        except KeyboardInterrupt:
            console.print()
            unfinished = ""
            continue
        except EOFError:
            _run_shown(lake, unfinished, console)
            return
        if not unfinished and line.strip().startswith("."):
            if line.strip() in (".quit", ".exit"):
                return
            _command(line.strip(), lake, console)
            continue
        unfinished = f"{unfinished}{line}\n" if unfinished or line.strip() else ""
        if sqlite3.complete_statement(unfinished):
            _run_shown(lake, unfinished, console)
            unfinished = ""


def _command(text: str, lake: LakeSession, console: TextConsole) -> None:
    if text == ".help":
        console.print(_HELP.format(view=lake.views[0].full_name if lake.views else "<view>"), highlight=False)
    elif text == ".tables":
        table = Table("view", "what", "days", "from", "to")
        for view in lake.views:
            days = view.days or ()
            first, last = (str(days[0]), str(days[-1])) if days else ("", "")
            table.add_row(view.full_name, view.kind, "" if view.days is None else str(len(days)), first, last)
        console.print(table)
    else:
        console.print(f"there is no {text}: expected .tables, .help or .quit", style="red")


def _run_shown(lake: LakeSession, sql: str, console: TextConsole) -> None:
    try:
        for answer in lake.run(sql):
            _show(answer, console)
    except SqlError as error:
        console.print(str(error), style="red", highlight=False)
    except KeyboardInterrupt:
        console.print("stopped", style="red")


def _show(answer: Answer, console: TextConsole) -> None:
    if not answer.columns:
        console.print(answer.message, style="dim")
        return
    if answer.columns == ["explain_key", "explain_value"]:
        for _, plan in answer.rows:
            console.print(plan, highlight=False, soft_wrap=True)
        return
    table = Table()
    for name, kind in zip(answer.columns, answer.types, strict=True):
        table.add_column(name, justify="right" if _NUMBER.fullmatch(kind) else "left", overflow="fold")
    shown, more = 0, False
    for row in answer.rows:
        if shown == SHOWN_ROWS:
            more = True
            break
        table.add_row(*("" if value is None else str(value) for value in row))
        shown += 1
    console.print(table)
    rows = f"the first {shown:,} rows" if more else f"{shown:,} row{'' if shown == 1 else 's'}"
    console.print(rows, style="dim", highlight=False)


def _write_csv(answer: Answer, file: IO[str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)


def _refuse_writing(statement: duckdb.Statement) -> None:
    try:
        kind = statement.type
    except ValueError:  # a statement newer than the package's own list
        kind = None
    hidden = kind in (StatementType.EXPLAIN, StatementType.MULTI) and _WRITING.search(statement.query)
    if kind in (*_RESULTS, *_CHANGES, *_QUIET) and not hidden:
        return
    raise SqlError(
        "this statement is not run here, where the lake is only read: select, explain, and tables and views of this "
        'session are; `community sql -c "select …" > rows.csv` writes a file'
    )


def _ends_as_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-len(PARQUET_MAGIC), os.SEEK_END)
            return file.read() == PARQUET_MAGIC
    except OSError:  # unreadable, or shorter than the mark
        return False


@contextmanager
def _remembered_lines(lake: LakeSession) -> Iterator[None]:
    import readline  # from here on `input` edits lines

    history = lake.home / "sql_history"
    names = [view.full_name for view in lake.views]

    def complete(text: str, state: int) -> str | None:
        fitting = [name for name in names if name.startswith(text)]
        return fitting[state] if state < len(fitting) else None

    readline.set_completer_delims(" \t\n,;()")
    readline.set_completer(complete)
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
    readline.set_history_length(HISTORY_LINES)
    if history.exists():
        readline.read_history_file(history)
    try:
        yield
    finally:
        lake.home.mkdir(parents=True, exist_ok=True)
        readline.write_history_file(history)
