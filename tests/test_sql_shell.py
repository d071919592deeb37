"""The lake by SQL: views over real Parquet files, and nothing of the lake can be changed through them."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from community_pipelines.commands.sql_shell import LakeSession, SqlError, interactive, open_lake, run_statement
from community_pipelines.commands.terminal import TextConsole
from community_pipelines.lake.files import Lake
from community_pipelines.models.engine import declared_columns
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.settings import Settings, load
from tests.declared import COMMUNITY_EVENTS
from tests.terminal import Terminal

DAY = date(2026, 1, 2)
NEXT = date(2026, 1, 3)
MODELS = (
    "community_metrics_daily",
    "community_template_activity_daily",
    "community_template_trends",
    "template_counters_daily",
)
EVENT = "'00000000-0000-0000-0000-000000000001'::uuid as id, uuid() as template_id, null::varchar as user_id"
REST = "'direct' as source, null::uuid as project_id, 1 as scene_count, null::varchar as referrer, 'b' as user_agent"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path / "home", lake=tmp_path / "it's a lake", start_date=DAY)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    lake = Lake(settings.lake_folder)
    _events(lake, DAY, "view", "use")
    _events(lake, NEXT, "view")
    return lake


def _write(path: Path, query: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.sql(query).write_parquet(str(path))


def _events(lake: Lake, day: date, *types: str) -> None:
    rows = " union all ".join(
        f"select {EVENT}, '{kind}' as event_type, {REST}, timestamptz '{day} 23:30:00+00' as created_at"
        for kind in types
    )
    _write(lake.path("raw", "bazaar", "community_events", day), rows)


@pytest.fixture
def opened(lake: Lake, settings: Settings) -> Iterator[LakeSession]:
    with open_lake(settings, [BAZAAR]) as session:
        yield session


def _rows(session: LakeSession, sql: str) -> list[tuple[object, ...]]:
    return [row for answer in session.run(sql) for row in answer.rows]


def test_every_stream_quarantine_model_and_dimension_has_a_view_in_its_platforms_schema(opened: LakeSession) -> None:
    expected = {"community_events", "community_events_quarantine", "community_templates", "users", *MODELS}
    assert {view.full_name for view in opened.views} == {f"bazaar.{name}" for name in expected}
    assert opened.notes == []
    for view in opened.views:
        _rows(opened, f"select * from {view.full_name}")


def test_a_stream_is_its_rows_of_all_days(opened: LakeSession) -> None:
    rows = _rows(opened, "select event_type, count(*) from bazaar.community_events group by all order by all")
    assert rows == [("use", 1), ("view", 2)]


def test_times_are_utc_whatever_the_machines_zone_is(
    lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        with open_lake(settings, [BAZAAR]) as session:
            rows = _rows(session, "select distinct created_at::date from bazaar.community_events order by 1")
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert rows == [(DAY,), (NEXT,)]


def _described(session: LakeSession, view: str) -> list[tuple[str, str]]:
    return [(str(row[0]), str(row[1]).lower()) for row in _rows(session, f"describe {view}")]


def test_what_has_no_file_is_an_empty_view_with_its_declared_columns_and_types(settings: Settings) -> None:
    with open_lake(settings, [BAZAAR]) as session:
        for view in session.views:
            assert _rows(session, f"select count(*) from {view.full_name}") == [(0,)]
        declared = declared_columns(COMMUNITY_EVENTS.table.columns)
        assert _described(session, "bazaar.community_events") == declared
        broken = [*declared, ("rule", "varchar"), ("reason", "varchar")]
        assert _described(session, "bazaar.community_events_quarantine") == broken
        assert _described(session, "bazaar.users") == [("id", "varchar")]
        metrics = [("template_id", "uuid"), ("day", "date"), ("event_type", "varchar"), ("count", "bigint")]
        assert _described(session, "bazaar.community_metrics_daily") == metrics


def test_the_folder_day_is_no_second_column(lake: Lake, settings: Settings) -> None:
    path = lake.path("models", "bazaar", "community_metrics_daily", DAY)
    _write(path, "select uuid() as template_id, date '2026-01-02' as day, 'view' as event_type, 3::bigint as count")
    with open_lake(settings, [BAZAAR]) as session:
        assert [name for name, _ in _described(session, "bazaar.community_events")][-1] == "created_at"
        assert _rows(session, "select day, count from bazaar.community_metrics_daily") == [(DAY, 3)]


def test_a_damaged_file_is_left_out_and_named_and_the_other_days_are_there(lake: Lake, settings: Settings) -> None:
    path = lake.path("raw", "bazaar", "community_events", DAY)
    path.write_bytes(path.read_bytes()[:-9])
    with open_lake(settings, [BAZAAR]) as session:
        assert _rows(session, "select count(*) from bazaar.community_events") == [(1,)]
        (note,) = session.notes
    assert note.startswith(f"{path} is left out: it is no complete Parquet file")
    assert "community backfill" in note


def test_a_day_that_is_replaced_while_the_session_is_open_is_read_anew(opened: LakeSession, lake: Lake) -> None:
    assert _rows(opened, "select count(*) from bazaar.community_events") == [(3,)]
    staged = lake.root / "staged.parquet"
    _events(lake, date(2026, 1, 9), *["view"] * 500)
    lake.path("raw", "bazaar", "community_events", date(2026, 1, 9)).rename(staged)
    lake.swap(staged, lake.path("raw", "bazaar", "community_events", DAY))
    assert _rows(opened, "select count(*) from bazaar.community_events") == [(501,)]


def test_an_answer_is_refused_when_a_day_was_replaced_while_it_was_read(opened: LakeSession, lake: Lake) -> None:
    staged, path = lake.root / "staged.parquet", lake.path("raw", "bazaar", "community_events", DAY)
    staged.write_bytes(path.read_bytes())
    for answer in opened.run("select * from bazaar.community_events; create table mine as select 1"):
        if staged.exists():
            lake.swap(staged, path)
            with pytest.raises(SqlError, match=f"{path.parent.name}/.* was replaced .* run it again"):
                list(answer.rows)
    assert _rows(opened, "from mine") == [(1,)]


def _content(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


WRITING = [
    "copy (select 1) to '{file}' (format parquet)",
    "copy (select 1) to '{file}' (format parquet, use_tmp_file false)",
    "copy (select 1) to '{lake}/new.parquet'",
    "copy (select 1 as a, 2 as b) to '{lake}/parts' (format parquet, partition_by (a))",
    "copy (pivot (select 1 as a, 2 as b) on a using sum(b)) to '{file}' (use_tmp_file false)",
    "explain analyze copy (select 1) to '{file}' (format parquet, use_tmp_file false)",
    "explain /* x */ analyze /* y */ COPY (select 1) to '{file}' (format parquet, use_tmp_file false)",
    "select 1; explain (analyze) copy (select 1) to '{file}' (format parquet, use_tmp_file false)",
    "prepare p as copy (select 1) to '{file}' (format parquet, use_tmp_file false); execute p",
    "create table t as select 1; export database '{lake}/export'",
    "attach '{lake}/new.duckdb' as new",
    "attach '{file}' as old",
    "set temp_directory = '{lake}'",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "pragma enable_profiling = 'json'",
    "set profiling_output = '{lake}/profile.json'",
    "call enable_logging('QueryLog', storage = 'file', storage_path = '{lake}/log')",
    "import database '{lake}'",
    "install httpfs",
    "load httpfs",
    "update extensions",
    "insert into bazaar.community_events select * from bazaar.community_events",
    "delete from bazaar.community_events",
]


@pytest.mark.parametrize("sql", WRITING)
def test_nothing_of_the_lake_can_be_changed(opened: LakeSession, lake: Lake, sql: str) -> None:
    before = _content(lake.root)
    root = str(lake.root).replace("'", "''")
    file = str(lake.path("raw", "bazaar", "community_events", DAY)).replace("'", "''")
    with pytest.raises(SqlError):
        _rows(opened, sql.format(lake=root, file=file))
    assert _content(lake.root) == before
    assert _rows(opened, "select count(*) from bazaar.community_events") == [(3,)]


@pytest.mark.parametrize("sql", ["select * from read_csv('{file}')", "copy (select 1) to '{file}'"])
def test_no_other_file_can_be_read_or_written(opened: LakeSession, tmp_path: Path, sql: str) -> None:
    other = tmp_path / "other.csv"
    other.write_text("secret\n1\n")
    with pytest.raises(SqlError):
        _rows(opened, sql.format(file=other))
    assert other.read_text() == "secret\n1\n"


def test_a_refusal_says_what_is_run_and_how_to_get_a_file(opened: LakeSession) -> None:
    with pytest.raises(SqlError, match=r"only read.* > rows\.csv"):
        _rows(opened, "copy (select 1) to 'x.csv'")


def test_tables_and_views_of_the_session_pivots_and_plans_are_run(opened: LakeSession) -> None:
    _rows(opened, "create table mine as select event_type, scene_count from bazaar.community_events")
    assert [answer.message for answer in opened.run("insert into mine values ('mix', 5), ('mix', 6)")] == ["2 rows"]
    assert _rows(opened, "delete from mine where scene_count = 6 returning scene_count") == [(6,)]
    assert _rows(opened, "create view wide as select 1; from wide") == [(1,)]
    assert len(_rows(opened, "pivot mine on event_type using sum(scene_count)")) == 1
    assert "PARQUET" in str(_rows(opened, "explain analyze select count(*) from bazaar.community_events")).upper()


def test_a_wrong_statement_says_where_and_leaves_the_session_open(opened: LakeSession) -> None:
    with pytest.raises(SqlError, match="community_event_s"):
        _rows(opened, "select * from bazaar.community_event_s")
    with pytest.raises(SqlError, match="syntax error"):
        _rows(opened, "selct 1")
    assert _rows(opened, "select 1") == [(1,)]


def test_more_rows_than_fit_are_sorted_with_the_memory_that_the_settings_allow(
    tmp_path: Path, settings: Settings
) -> None:
    small = load(home=settings.home, lake=settings.lake_folder, memory_limit="80MB")
    with open_lake(small, [BAZAAR]) as session:
        rows = _rows(session, "select count(*) from (select uuid() as a, i from range(4000000) t(i) order by a)")
        assert rows == [(4_000_000,)]


def _printed(session: LakeSession, sql: str, terminal: bool) -> str:
    console = TextConsole(file=io.StringIO(), force_terminal=terminal, width=100, no_color=True)
    run_statement(session, sql, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_one_statement_prints_a_table_on_a_terminal_and_csv_elsewhere(opened: LakeSession) -> None:
    sql = (
        "select event_type, count(*) as events, null as nothing from bazaar.community_events group by all order by all"
    )
    shown = _printed(opened, sql, terminal=True)
    assert "event_type" in shown
    assert "┃" in shown
    assert "2 rows" in shown
    assert _printed(opened, sql, terminal=False) == "event_type,events,nothing\nuse,1,\nview,2,\n"


def test_a_terminal_shows_the_first_thousand_rows_and_a_file_gets_all(opened: LakeSession) -> None:
    shown = _printed(opened, "from range(5000)", terminal=True)
    assert "the first 1,000 rows" in shown
    assert "│   999 " in shown
    assert "│  1000 " not in shown
    assert _printed(opened, "from range(5000)", terminal=False).count("\n") == 5001


def test_brackets_in_values_are_shown_as_they_are(opened: LakeSession) -> None:
    assert "[red]x[/red]" in _printed(opened, "select '[red]x[/red]' as v", terminal=True)


def _session(session: LakeSession, *lines: str) -> str:
    console = TextConsole(file=io.StringIO(), width=100)
    waiting = iter(lines)

    def read(prompt: str) -> str:
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    interactive(session, console, read)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_statement_may_span_lines_and_ends_with_a_semicolon(opened: LakeSession) -> None:
    said = _session(
        opened, "select event_type,", "  ';' as mark -- not here;", "from bazaar.community_events;", ".quit"
    )
    assert "mark" in said
    assert "3 rows" in said


def test_an_error_is_shown_and_the_session_goes_on(opened: LakeSession) -> None:
    said = _session(opened, "select nothing;", ".nonsense", "copy (select 1) to 'x';", "select 40 + 2 as answer;")
    assert "nothing" in said
    assert "there is no .nonsense: expected .tables, .help or .quit" in said
    assert "only read" in said
    assert "42" in said


def test_what_was_typed_last_is_run_at_the_end_of_input_without_a_semicolon(opened: LakeSession) -> None:
    assert "42" in _session(opened, "select 40 + 2")


def test_tables_lists_every_view_with_its_days(opened: LakeSession) -> None:
    said = _session(opened, ".tables", ".help", ".quit", "select 40 + 2;")
    (line,) = [line for line in said.splitlines() if "bazaar.community_events " in line]
    assert line.split("│")[2:6] == [" stream     ", " 2    ", " 2026-01-02 ", " 2026-01-03 "]
    assert "bazaar.template_counters_daily" in said
    assert "Ctrl-D" in said
    assert "42" not in said


def test_lines_are_edited_remembered_and_completed_on_a_terminal(lake: Lake, settings: Settings) -> None:
    terminal = Terminal(settings)
    terminal.type("select count(*) as n from bazaar.community_events_q\t;\n")
    terminal.until("1 row")
    assert terminal.close() == 0
    again = Terminal(settings)
    again.type("\x10\x10\n")
    assert "community_events_quarantine" in again.until("1 row")
    assert again.close() == 0


def test_ctrl_c_stops_a_query_and_drops_a_line_and_ctrl_d_leaves(lake: Lake, settings: Settings) -> None:
    terminal = Terminal(settings)
    terminal.type("select count(*) from range(10000000000) a, range(1000) b where a.range % 7 = b.range % 5;\n")
    time.sleep(1)
    terminal.stop_query()
    terminal.until("lake> ")
    terminal.type("select 'half")
    terminal.until("half")
    terminal.drop_line()
    terminal.type("select 40 + 2 as answer;\n")
    terminal.until("42")
    terminal.until("lake> ")
    terminal.type("\x04")
    assert terminal.process.wait(20) == 0
    os.close(terminal.ours)
