"""The command `community`: what it prints, what it leaves alone, and how it ends."""

from __future__ import annotations

import io
import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from unittest.mock import ANY

import psycopg
import pytest
from rich.console import Console

from community_pipelines.cli import main
from community_pipelines.commands import report
from community_pipelines.doctor.file_modes import modes
from community_pipelines.embedded.postgres import EmbeddedServer, database_url, is_running
from community_pipelines.orchestration.storage import dagster_instance
from community_pipelines.settings import load
from tests.community import RAW, Community, community, open_to_others, span, unwrapped

DAYS = span(date(2026, 1, 1), 3)
WINDOW = ("bazaar", "--from", DAYS[0], "--to", DAYS[-1])
COMMANDS = sorted(main.commands)


def run_as_a_person_does(home: Path) -> subprocess.CompletedProcess[str]:
    """`community run` as a process of its own, its streams being no terminal."""
    return subprocess.run(
        [Path(sys.executable).with_name("community"), "run"],
        cwd=home.parent,
        env={**os.environ, "COMMUNITY_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )


def test_a_second_run_finds_nothing_to_do_changes_nothing_and_all_is_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "state"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMMUNITY_HOME", str(home))
    monkeypatch.setenv("COMMUNITY_GRACE_MINUTES", "0")  # the sample's last day is yesterday, also just after midnight
    sample = ("sample", "--templates", 40, "--users", 200, "--days", 10, "--events-per-day", 300, "--scenes", 40)
    try:
        loaded = community(*sample)
        assert loaded.exit_code == 0, loaded.output
        assert "sample gallery: 40 templates" in loaded.output
        first = run_as_a_person_does(home)
        assert (first.returncode, first.stderr) == (0, "")
        said = unwrapped(first.stdout)
        assert "10 days of 6 assets" in said
        assert "10 days of 28 assets" in said
        assert "│ days │ 10 │ 10 │ │ days withheld │ 0 │ 0 │ │ rows read │ 3,0" in said
        for row in ("rows accepted", "rows quarantined", "metric rows published", "counters corrected"):
            assert f"│ {row} │" in said
        for stage in ("extract", "models", "quality", "publish", "counters"):
            assert f"seconds: {stage} │" in said
        assert "Next: " in said
        assert max(len(line) for line in first.stdout.splitlines() if "/bin/community" not in line) <= 100

        gallery = Community(database_url(home, "bazaar"), home, date(2026, 1, 1))
        records = "select table_name, day, content_hash, published_at from community.publications order by 1, 2"
        before = (gallery.published(), gallery.lake_files(), gallery.rows(records))
        corrections = gallery.rows("select count(*) from community.counter_corrections")
        assert corrections[0][0] > 0
        second = run_as_a_person_does(home)
        assert (second.returncode, second.stderr) == (0, "")
        assert "Nothing to do: every closed day is done." in second.stdout
        assert (gallery.published(), gallery.lake_files(), gallery.rows(records)) == before
        assert gallery.rows("select count(*) from community.counter_corrections") == corrections

        assert open_to_others(home) == []
        # PostgreSQL does not run as root: its own user passes through, and lists nothing.
        assert stat.S_IMODE(home.stat().st_mode) == (0o701 if os.geteuid() == 0 else 0o700)
        assert {one.level for one in modes(load(home=home))} == {"ok"}

        again = community(*sample)
        assert again.exit_code == 2
        assert "is not empty" in again.output
        assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]
    finally:
        stopped = community("stop")
    assert "the embedded PostgreSQL is stopped" in stopped.output
    assert not is_running(home)


@pytest.fixture(scope="module")
def published(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    """Three published days; tests that share it change nothing."""
    url, storage = postgres.url("cli_gallery"), postgres.url("cli_dagster")
    made = Community(url, tmp_path_factory.mktemp("home"), DAYS[0], storage).create()
    made.add_events(DAYS)
    made.add_events(DAYS[:1], 2, "vieww", salt="broken")
    made.count_truly()
    made.run(DAYS, quarantine_limit=0.5)
    yield made
    with psycopg.connect(database_url(postgres.home, "postgres"), autocommit=True) as connection:
        connection.execute("drop database cli_gallery with (force)")
        connection.execute("drop database cli_dagster with (force)")


@pytest.fixture
def gallery(published: Community, monkeypatch: pytest.MonkeyPatch) -> Community:
    published.environment(monkeypatch)
    return published


class TestStatus:
    def test_it_counts_the_days_of_every_asset_in_a_table_of_100_columns(self, gallery: Community) -> None:
        result = community("status")
        assert result.exit_code == 0
        assert max(len(line) for line in result.output.splitlines() if line[:1] in "┏┃┡│└") <= 100
        lines = [unwrapped(line) for line in result.output.splitlines()]
        closed = lines[4].split(" │ ")[1]
        for asset in (RAW, "metrics/community_template_activity_daily", "counters/template_counters_daily"):
            assert f"│ bazaar/{asset} │ {closed} │ 3 │ 0 │ 0 │ {int(closed) - 3} │" in lines
        assert lines[0].startswith("Gallery of video templates, closed days: 2026-01-01 to ")
        (missing,) = [line for line in lines if line.startswith("missing")]
        assert missing.startswith("missing in every asset: 2026-01-04 to ")
        (counters,) = [line for line in lines if line.startswith("counters of community_templates, reconciled ")]
        assert counters.endswith("UTC: 4 of 5 entities were off, total drift 4; 4 corrected (mode: apply)")
        assert "all days compared with the source: never; --thorough compares them now" in lines
        assert "last nightly run: none yet" in lines

    def test_its_json_names_the_days_of_every_state(self, gallery: Community) -> None:
        result = community("status", "--json")
        data = json.loads(result.stdout)["bazaar"]
        assert data["assets"][RAW]["done"] == [str(day) for day in DAYS]
        assert data["assets"][RAW]["missing"][0] == "2026-01-04"
        assert data["first_closed_day"] == "2026-01-01"
        assert data["withheld"] == []
        counters = data["counters"]["community_templates"]
        assert (counters["entities"], counters["entities_off"], counters["drift"]) == (5, 4, 4)
        assert data["last_nightly_run"] is None
        assert data["not_known"] == []

    def test_thorough_it_counts_in_the_source(self, gallery: Community) -> None:
        lines = community("status", "--thorough").output.splitlines()
        assert "counters of community_templates: 0 of 15 are off, total drift 0 (mode: apply)" in lines
        counters = json.loads(community("status", "--thorough", "--json").stdout)["bazaar"]["counters"]
        assert counters["community_templates"] == {
            "entities": 5, "entities_off": 0, "drift": 0, "truth": ANY, "off": 0, "alternatives": [ANY],
        }  # fmt: skip

    def test_it_says_why_a_day_is_stale(self, gallery: Community) -> None:
        gallery.add_events(DAYS[1:2], 1, "view", salt="late")
        try:
            assert not [line for line in community("status").output.splitlines() if line.startswith("stale")]
            lines = community("status", "--thorough").output.splitlines()
        finally:
            gallery.rows("delete from community_events where id = md5('late/2026-01-02/1')::uuid")
            community("status", "--thorough")
        assert f"stale in {RAW}: 2026-01-02 (the source has other rows than the file)" in lines


class TestAccount:
    def test_its_json_accounts_for_every_row(self, gallery: Community) -> None:
        result = community("account", "--json", "--verify")
        assert result.exit_code == 0
        data = json.loads(result.stdout)
        assert data["residue"] == 0
        counts = [(d["day"], d["read"], d["accepted"], d["duplicates"], d["quarantined"]) for d in data["days"]]
        assert counts == [
            ("2026-01-01", 42, 40, 0, {"unknown_event_type": 2}),
            ("2026-01-02", 40, 40, 0, {}),
            ("2026-01-03", 40, 40, 0, {}),
        ]

    def test_its_table_ends_with_the_residue_of_all_days(self, gallery: Community) -> None:
        result = community("account", "--platform", "bazaar")
        assert "│ total │ │ 122 │ 120 │ 0 │ 2 │ 0 │" in unwrapped(result.output)

    def test_a_lost_quarantine_file_is_found(self, gallery: Community, tmp_path: Path) -> None:
        file = gallery.home / "lake/quarantine/bazaar/community_events/day=2026-01-01/data.parquet"
        file.rename(tmp_path / "kept")
        try:
            result = community("account")
        finally:
            (tmp_path / "kept").rename(file)
        assert result.exit_code == 1
        assert "│ total │ │ 122 │ 120 │ 0 │ 0 │ 2 │" in unwrapped(result.output)


class TestReconcile:
    def test_drift_is_reported_and_added_only_with_apply(self, gallery: Community) -> None:
        gallery.rows("update community_templates set views_count = views_count + 7 where slug = 'template-1'")
        reported = community("reconcile", "bazaar")
        assert reported.exit_code == 1
        said = unwrapped(reported.output)
        assert "1 counters off, total drift 7 of" in said
        assert "nothing was written; community reconcile bazaar --apply adds the drift" in said
        found = json.loads(community("reconcile", "bazaar", "--json").stdout)["community_templates"]
        assert [(d["counter"], d["drift"]) for d in found["drifts"]] == [("views_count", -7)]
        assert found["corrected"] == 0

        applied = community("reconcile", "bazaar", "--apply")
        assert applied.exit_code == 0
        assert "corrected 1" in applied.output
        nothing = community("reconcile", "bazaar")
        assert nothing.exit_code == 0
        assert "0 counters off, total drift 0" in nothing.output

    def test_too_large_a_drift_is_not_applied(self, gallery: Community, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COMMUNITY_BAZAAR__DRIFT_LIMIT", "0.01")
        monkeypatch.setenv("COMMUNITY_BAZAAR__DRIFT_LIMIT_ABSOLUTE", "5")
        gallery.rows("update community_templates set views_count = views_count + 7 where slug = 'template-1'")
        result = community("reconcile", "bazaar", "--apply")
        assert result.exit_code == 1
        assert "not to be applied: the total drift of 7 is more than 1% of the truth" in unwrapped(result.output)
        monkeypatch.setenv("COMMUNITY_BAZAAR__DRIFT_LIMIT", "1")
        assert community("reconcile", "bazaar", "--apply").exit_code == 0


class TestBackfill:
    def test_a_dry_run_says_what_would_be_run_and_runs_nothing(self, gallery: Community) -> None:
        before = (gallery.published(), gallery.lake_files())
        result = community("backfill", *WINDOW, "--dry-run")
        assert result.exit_code == 0
        said = unwrapped(result.output)
        assert "one Dagster run over 3 days, 2026-01-01 to 2026-01-03" in said
        assert f"│ bazaar/{RAW} │ 3 │ 0 │ 0 │" in said
        assert "nothing was run" in said
        assert (gallery.published(), gallery.lake_files()) == before
        with dagster_instance(gallery.settings(database_url=gallery.storage)) as instance:
            assert instance.get_runs_count() == 0

    def test_a_backfill_shows_in_dagster_as_one_run_and_ends_with_a_table(
        self, gallery: Community, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COMMUNITY_QUARANTINE_LIMIT", "0.5")
        before = (gallery.published(), gallery.lake_files())
        result = community("backfill", *WINDOW)
        assert result.exit_code == 0, result.output
        said = unwrapped(result.output)
        assert "│ days │ 3 │" in said
        assert "│ rows read │ 122 │ │ rows accepted │ 120 │ │ rows quarantined │ 2 │" in said
        assert "│ metric rows changed │ 0 │" in said
        assert (gallery.published(), gallery.lake_files()) == before
        with dagster_instance(gallery.settings(database_url=gallery.storage)) as instance:
            (run,) = instance.get_runs()
            assert run.tags["dagster/asset_partition_range_start"] == "2026-01-01"
            assert run.tags["dagster/asset_partition_range_end"] == "2026-01-03"
            instance.delete_run(run.run_id)


class TestMigrate:
    def test_a_dry_run_prints_all_sql_and_changes_nothing(
        self, gallery: Community, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", database)
        result = community("migrate", "--app", "--dry-run")
        assert result.exit_code == 0
        assert "create table public.community_events (" in result.stdout
        assert "create table community.publications (" in result.stdout
        empty = replace(gallery, url=database)
        assert empty.rows("select count(*) from pg_tables where schemaname in ('public', 'community')") == [(0,)]
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(result.stdout.encode())
        assert "nothing to apply" in community("migrate").output

    def test_what_was_applied_is_named_once(
        self, gallery: Community, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", database)
        first = community("migrate", "--platform", "bazaar", "--app")
        assert "applied bazaar/app/0001_users.sql" in first.output
        assert "applied sql/pipeline/0001_publications.sql" in first.output
        second = community("migrate", "--platform", "bazaar", "--app")
        assert second.output == (
            "bazaar/app: nothing to apply\nbazaar/pipeline: nothing to apply\nbazaar/tables: nothing to apply\n"
        )

    def test_the_tables_of_an_app_are_left_alone(
        self, gallery: Community, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", database)
        replace(gallery, url=database).rows("create table community_events (id uuid primary key)")
        result = community("migrate", "--app")
        assert result.exit_code == 2
        assert "already holds public.community_events" in unwrapped(result.output)
        assert community("migrate").exit_code == 0


class TestSql:
    def test_a_statement_is_answered_from_the_lake(self, gallery: Community) -> None:
        result = community("sql", "-c", "select count(*) as n from bazaar.community_events")
        assert result.exit_code == 0
        assert "120" in result.output

    def test_a_wrong_statement_is_a_message(self, gallery: Community) -> None:
        result = community("sql", "-c", "select nothing from nowhere")
        assert result.exit_code == 2
        assert "nowhere" in result.output


def test_nothing_withheld_means_nothing_to_release(gallery: Community) -> None:
    result = community("release", "bazaar", DAYS[0], "--reason", "it is right")
    assert result.exit_code == 1
    assert "nothing of bazaar that can be released is withheld for 2026-01-01; see `community status`" in result.output


def test_a_release_needs_a_reason(gallery: Community) -> None:
    for reason in ([], ["--reason", " "]):
        result = community("release", "bazaar", DAYS[0], *reason)
        assert result.exit_code == 2
        assert "--reason" in result.output


def test_the_sample_goes_into_the_embedded_database_only(gallery: Community) -> None:
    result = community("sample")
    assert result.exit_code == 2
    assert "COMMUNITY_BAZAAR__SOURCE_URL names another one" in result.output


def test_a_wrong_setting_ends_every_command_with_2(gallery: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_START_DATE", "soon")
    arguments = {"backfill": WINDOW, "reconcile": ("bazaar",), "release": ("bazaar", DAYS[0], "--reason", "x")}
    arguments["ingest"] = ("--flagged",)
    for name in COMMANDS:
        result = community(name, *arguments.get(name, ()))
        assert (name, result.exit_code) == (name, 2)
        assert "expected a day like 2026-01-31" in result.output


class TestHelp:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_a_help_with_an_example_that_is_right(self, name: str) -> None:
        result = community(name, "--help")
        assert result.exit_code == 0
        assert result.output.startswith(f"Usage: community {name}")
        lines = [line.strip() for line in result.output.splitlines()]
        examples = [line for line in lines if line.startswith("community ")]
        assert "Example:" in lines or "Examples:" in lines
        assert examples
        for words in map(shlex.split, examples):
            assert words[:2] == ["community", name]
            main.commands[name].make_context(name, words[2:])

    def test_the_list_of_commands_says_what_each_is_for(self) -> None:
        result = community("--help")
        assert result.exit_code == 0
        listed = result.output.partition("Commands:")[2]
        for name in COMMANDS:
            assert f"\n  {name} " in listed
        assert "..." not in listed

    def test_programs_can_read_what_a_program_would_read(self) -> None:
        with_json = [name for name in COMMANDS if any(p.name == "as_json" for p in main.commands[name].params)]
        assert with_json == ["account", "doctor", "ingest", "maintain", "reconcile", "status"]

    @pytest.mark.parametrize("arguments", [[], ["nothing"], ["status", "--nothing"], ["backfill"]])
    def test_wrong_usage_ends_with_2(self, arguments: list[str]) -> None:
        assert community(*arguments).exit_code == 2

    def test_the_version_is_shown(self) -> None:
        assert community("--version").output.startswith("community, version ")


def test_a_day_that_is_none_is_refused_with_how_one_is_written() -> None:
    for text in ("2026-1-1", "yesterday", "20260132", "2026-02-29"):
        result = community("release", "bazaar", text, "--reason", "x")
        assert result.exit_code == 2
        assert "write it like 2026-01-31" in result.output


def test_progress_is_shown_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (True, False):
        screen = io.StringIO()
        monkeypatch.setattr(report, "errors", Console(file=screen, force_terminal=terminal, width=100))
        with report.progress("reading", 10) as advance:
            advance(4)
        with report.stages() as show:
            show("events", 5, 20)
        assert ("reading" in screen.getvalue()) is terminal
        assert ("5/20" in screen.getvalue()) is terminal


def test_days_are_said_in_few_words() -> None:
    days = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3), date(2026, 1, 5), date(2026, 2, 1)]
    assert report.day_ranges(days) == "2026-01-01 to 2026-01-03, 2026-01-05, 2026-02-01"
    assert report.day_ranges([]) == ""


def test_text_of_people_is_never_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    report.say("a reason with [red]brackets[/] and a path/[day=1]")
    assert capsys.readouterr().out == "a reason with [red]brackets[/] and a path/[day=1]\n"
