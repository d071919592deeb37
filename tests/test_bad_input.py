"""Bad input: a message that says what to do, and nothing lost.

Every test breaks one thing of a gallery whose first three days are published and whose second day has late rows
waiting, so that a run that went through would change numbers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.databases.connections import DatabaseError, connect
from community_pipelines.embedded.postgres import EmbeddedServer, database_url
from community_pipelines.lake.extract import OpenDayError
from community_pipelines.lake.ledger import LakeError
from community_pipelines.orchestration.storage import dagster_instance
from community_pipelines.platforms.declared import MODELS_FOLDER
from tests.community import (
    RAW,
    Community,
    administration,
    community,
    full_disk,
    nothing_lost,
    other_models,
    span,
    unwrapped,
    wait_until,
)
from tests.declared import GALLERY_STEPS as STEPS

DAYS = span(date(2026, 1, 1), 3)
BACKFILL = ("backfill", "bazaar", "--from", DAYS[0], "--to", DAYS[-1])
SECRET = "correct-horse"
AWAY = f"postgresql://clerk:{SECRET}@127.0.0.1:1/app"


@pytest.fixture(scope="module")
def original(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    """Three published days, late rows on the second, and a fourth day that was never run."""
    url, storage = postgres.url("bad_input_original"), postgres.url("bad_input_dagster")
    made = Community(url, tmp_path_factory.mktemp("original"), DAYS[0], storage).create()
    made.add_events(span(DAYS[0], 4))
    made.count_truly()
    made.run(DAYS)
    made.add_events(DAYS[1:2], 3, salt="late")
    yield made
    with administration(postgres) as connection:
        connection.execute("drop database bad_input_original with (force)")
        connection.execute("drop database bad_input_dagster with (force)")


@pytest.fixture
def gallery(
    postgres: EmbeddedServer, original: Community, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Community]:
    """A copy of that gallery for one test, and its settings in the environment."""
    shutil.copytree(original.home, tmp_path / "home")
    with administration(postgres) as connection:
        connection.execute("create database bad_input template bad_input_original strategy file_copy")
    made = replace(original, url=database_url(postgres.home, "bad_input"), home=tmp_path / "home")
    made.environment(monkeypatch)
    yield made
    with administration(postgres) as connection:
        connection.execute("drop database bad_input with (force)")


def refused(code: int, *arguments: object) -> str:
    """What a command says that must end with that exit code; on one line."""
    result = community(*arguments)
    assert result.exit_code == code, result.output
    assert SECRET not in result.output
    return unwrapped(result.output)


class TestDatabases:
    @pytest.mark.parametrize("name", ["BAZAAR__SOURCE_URL", "BAZAAR__PUBLISH_URL", "DATABASE_URL"])
    def test_a_database_that_is_down_is_named_with_its_setting(
        self, gallery: Community, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        gallery.environment(monkeypatch, **{name: AWAY})
        with nothing_lost(gallery):
            said = refused(2, *BACKFILL)
        assert "app at 127.0.0.1:1" in said
        assert f"is COMMUNITY_{name} right?" in said

    def test_a_wrong_password_is_said_and_not_shown(
        self, gallery: Community, postgres: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rules = postgres.home / "postgres" / "data" / "pg_hba.conf"
        kept = rules.read_text()
        with administration(postgres) as connection:
            connection.execute("create role clerk login password 'another'")
            rules.write_text("local all clerk scram-sha-256\n" + kept)
            connection.execute("select pg_reload_conf()")
            try:
                url = gallery.url.replace("user=postgres", f"user=clerk&password={SECRET}")
                gallery.environment(monkeypatch, BAZAAR__SOURCE_URL=url)
                with nothing_lost(gallery):
                    said = refused(2, *BACKFILL)
            finally:
                rules.write_text(kept)
                connection.execute("select pg_reload_conf()")
                connection.execute("drop role clerk")
        assert 'password authentication failed for user "clerk"' in said
        assert "COMMUNITY_BAZAAR__SOURCE_URL" in said

    def test_a_missing_right_is_named_with_the_command_that_prints_the_grants(
        self, gallery: Community, postgres: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with administration(postgres) as connection:
            connection.execute("create role clerk login")
            try:
                gallery.environment(monkeypatch, BAZAAR__SOURCE_URL=gallery.url.replace("user=postgres", "user=clerk"))
                with nothing_lost(gallery):
                    said = refused(2, *BACKFILL)
            finally:
                connection.execute("drop role clerk")
        assert "permission denied for schema community" in said
        assert "`community doctor` prints what to grant" in said

    def test_a_database_without_our_tables_says_which_command_makes_them(self, gallery: Community) -> None:
        with nothing_lost(gallery):
            gallery.rows("alter schema community rename to elsewhere")
            said = refused(2, *BACKFILL)
            gallery.rows("alter schema elsewhere rename to community")
        assert 'relation "community.withheld_days" does not exist' in said
        assert "`community migrate`" in said

    @pytest.mark.parametrize(
        ("change", "what", "setting"),
        [
            (
                "alter table community_events rename to events",
                'table "public"."community_events" is missing',
                "[bazaar.tables] community_events",
            ),
            (
                "alter table community_templates rename column status to state",
                'column "status" of "public"."community_templates" is missing',
                "[bazaar.columns.community_templates] status",
            ),
            (
                "alter table community_events alter column created_at type text",
                'column "created_at" of "public"."community_events" is text, timestamptz is expected',
                "[bazaar.columns.community_events] created_at",
            ),
        ],
        ids=["missing table", "missing column", "column of another type"],
    )
    @pytest.mark.parametrize("command", [BACKFILL, ("status",), ("reconcile", "bazaar")], ids=lambda c: str(c[0]))
    def test_a_source_that_is_not_as_declared_is_named_with_the_setting_that_maps_it(
        self, gallery: Community, change: str, what: str, setting: str, command: tuple[object, ...]
    ) -> None:
        with nothing_lost(gallery):
            gallery.rows(change)
            said = refused(2, *command)
        assert "the source of bazaar is not as declared" in said
        assert what in said
        assert setting in said

    def test_a_connection_that_is_lost_in_the_middle_is_a_message_too(self, gallery: Community) -> None:
        def lose() -> None:
            with connect(gallery.url, "COMMUNITY_THAT_URL") as connection:
                gallery.rows("select pg_terminate_backend(%s)", connection.info.backend_pid)
                connection.execute("select 1")

        with pytest.raises(DatabaseError) as error:
            lose()
        assert "terminating connection" in str(error.value)
        assert "run it again when the server of COMMUNITY_THAT_URL answers" in str(error.value)


class TestLake:
    def test_a_lake_that_cannot_be_written_is_named_before_anything_is_run(
        self, gallery: Community, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Not by permissions: a test that runs as root may write everywhere.
        (tmp_path / "file").touch()
        gallery.environment(monkeypatch, LAKE=str(tmp_path / "file" / "lake"))
        with nothing_lost(gallery):
            said = refused(2, *BACKFILL)
        assert f"cannot write to the lake at {tmp_path}/file/lake (Not a directory)" in said
        assert "COMMUNITY_LAKE" in said

    def test_a_lake_that_cannot_be_read_is_not_taken_for_a_damaged_one(
        self, gallery: Community, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        gallery.environment(monkeypatch, LAKE=str(tmp_path / "file" / "lake"))
        said = refused(2, "status")
        assert "(Not a directory); check its permissions and COMMUNITY_LAKE" in said

    def test_a_day_that_cannot_take_its_place_fails_the_run_and_keeps_the_old_file(self, gallery: Community) -> None:
        (gallery.home / "lake" / "superseded").write_text("a file where a folder has to be")
        with nothing_lost(gallery):
            said = refused(1, *BACKFILL)
        assert f"failed: cannot write {gallery.raw_file(DAYS[1])} (Not a directory)" in said
        assert "free space or fix permissions, then run the day again" in said

    @pytest.mark.parametrize(("step", "name"), [(0, "community_events"), (1, "community_metrics_daily")])
    def test_a_full_disk_is_said_with_the_day_and_leaves_no_half_file(
        self, gallery: Community, step: int, name: str
    ) -> None:
        with nothing_lost(gallery), gallery.window(DAYS) as window, full_disk(600), pytest.raises(LakeError) as error:
            list(STEPS[step].run(window))
        assert f"cannot write {name} for 2026-01-01" in str(error.value)
        assert "free space or fix permissions, then run the day again" in str(error.value)
        assert not list((gallery.home / "lake" / "staging").rglob("*.parquet"))

    @pytest.mark.parametrize(
        ("spoil", "what"),
        [
            (lambda file: file.write_bytes(file.read_bytes()[:-100]), "is no complete Parquet file"),
            (lambda file: file.write_bytes(b""), "is no complete Parquet file"),
            (lambda file: pq.write_table(pa.table({"a": [1]}), file), "has no ledger in its footer"),
            (
                lambda file: shutil.copy(file.parent.with_name("day=2026-01-02") / file.name, file),
                "is the file of bazaar/community_events for 2026-01-02",
            ),
        ],
        ids=["truncated", "empty", "foreign", "of another day"],
    )
    def test_a_file_that_is_no_day_file_is_its_days_state_and_made_anew(
        self, gallery: Community, spoil: Callable[[Path], object], what: str
    ) -> None:
        file = gallery.raw_file(DAYS[0])
        before = pq.read_table(file)
        published = gallery.published(DAYS[:1])
        spoil(file)
        said = refused(0, "status")
        assert f"stale in raw/community_events: {DAYS[0]} (damaged: {file} {what}" in said
        assert f"`community backfill bazaar --from {DAYS[0]} --to {DAYS[0]}` makes it anew" in said
        refused(0, *BACKFILL)
        assert pq.read_table(file) == before
        assert gallery.published(DAYS[:1]) == published
        assert "damaged" not in refused(0, "status")

    def test_a_file_with_damaged_rows_keeps_back_what_reads_it_and_is_named(self, gallery: Community) -> None:
        file = gallery.raw_file(DAYS[0])
        whole = file.read_bytes()
        end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
        file.write_bytes(whole[:4] + b"\xaa" * (end - 4) + whole[end:])
        with nothing_lost(gallery):
            results = gallery.run(DAYS[:1], steps=STEPS[1:2])
        (result,) = results["metrics/community_metrics_daily"].values()
        assert not result.accepted
        assert f"{RAW} {DAYS[0]}: {file} does not hold the bytes that were written" in str(result.reason)


class TestModels:
    @pytest.fixture
    def models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        with other_models(tmp_path, monkeypatch) as folder:
            yield folder

    @pytest.mark.parametrize(
        ("file", "before", "after", "what"),
        [
            ("sql", "count(*) as count", "count(* as count", "is no valid SQL: "),
            ("yml", "- name: count", "- name: amount", "the SQL lacks ['amount']"),
            ("sql", "count(*) as count", "count(*) as count, 1 as extra", "the contract lacks ['extra']"),
            ("yml", "data_type: bigint", "kind: bigint", "is no contract of community_metrics_daily (KeyError"),
        ],
        ids=["syntax error", "column the SQL lacks", "column the contract lacks", "contract without a type"],
    )
    def test_a_wrong_model_is_named_before_anything_is_run(
        self, gallery: Community, models: Path, file: str, before: str, after: str, what: str
    ) -> None:
        wrong = models / f"community_metrics_daily.{file}"
        text = wrong.read_text()
        assert before in text
        wrong.write_text(text.replace(before, after))
        with nothing_lost(gallery):
            said = refused(2, *BACKFILL)
        assert str(wrong).removesuffix(file) in said
        assert what in said

    def test_a_model_without_a_contract_is_not_loaded(self, gallery: Community, models: Path) -> None:
        (models / "community_metrics_daily.yml").unlink()
        with nothing_lost(gallery):
            said = refused(2, *BACKFILL)
        assert f"{models}/community_metrics_daily.yml does not exist: no contract, no load" in said

    def test_a_model_that_fails_when_it_is_run_is_named_with_the_day(self, gallery: Community, models: Path) -> None:
        file = models / "community_metrics_daily.sql"
        file.write_text(file.read_text().replace("cast(created_at as date)", "cast(event_type as date)"))
        published = gallery.published()
        said = refused(1, *BACKFILL)
        assert gallery.published() == published
        assert f"failed: {file} failed for 2026-01-01: Conversion Error" in said

    def test_a_project_that_does_not_load_is_a_message_too(self, gallery: Community, tmp_path: Path) -> None:
        root = MODELS_FOLDER.parent
        for name in ("community_pipelines", "dbt_like_models", "sql"):
            shutil.copytree(root / name, tmp_path / name)
        wrong = tmp_path / "dbt_like_models" / "bazaar" / "community_template_trends.sql"
        wrong.write_text("select from where")
        with nothing_lost(gallery):
            done = subprocess.run(
                [sys.executable, "-m", "community_pipelines.cli", "run"],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {wrong} is no valid SQL")


class TestDays:
    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            (("bazar", "--from", DAYS[0], "--to", DAYS[0]), "unknown platform 'bazar': expected one of bazaar"),
            (("bazaar", "--from", DAYS[1], "--to", DAYS[0]), "--from 2026-01-02 lies after --to 2026-01-01: swap them"),
            (
                ("bazaar", "--from", "2025-12-31", "--to", DAYS[0]),
                "2025-12-31 lies before the first partition, 2026-01-01: start there, or set COMMUNITY_START_DATE",
            ),
            (("bazaar", "--from", "2026-02-30", "--to", DAYS[0]), "'2026-02-30' is no day; write it like 2026-01-31"),
            (("bazaar", "--from", DAYS[0]), "Missing option '--to'"),
        ],
        ids=["unknown platform", "wrong order", "before the first", "no day", "no end"],
    )
    def test_days_that_cannot_be_meant_are_said(
        self, gallery: Community, arguments: tuple[object, ...], what: str
    ) -> None:
        with nothing_lost(gallery):
            assert what in refused(2, "backfill", *arguments)

    def test_a_day_that_is_not_over_is_refused_with_the_newest_that_is(self, gallery: Community) -> None:
        today = datetime.now(UTC).date()
        with nothing_lost(gallery):
            said = refused(2, "backfill", "bazaar", "--from", DAYS[0], "--to", today)
        assert f"{today} is not over yet for bazaar: the newest closed day is" in said

    def test_a_run_of_a_day_that_the_databases_clock_says_is_not_over_fails(self, gallery: Community) -> None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        with nothing_lost(gallery), pytest.raises(OpenDayError, match=f"bazaar: {yesterday} is not closed before"):
            gallery.run([yesterday], grace_minutes=2 * 24 * 60)

    @pytest.mark.parametrize(
        "command", ["reconcile bazar", "release bazar 2026-01-01 --reason x", "migrate --platform bazar",
                    "account --platform bazar"],
    )  # fmt: skip
    def test_every_command_that_takes_a_platform_names_an_unknown_one(self, gallery: Community, command: str) -> None:
        assert "unknown platform 'bazar': expected one of bazaar" in refused(2, *command.split())


def test_a_killed_run_leaves_nothing_that_stops_the_next_one(gallery: Community) -> None:
    staging = gallery.home / "lake" / "staging" / "bazaar"
    published = gallery.published()
    with psycopg.connect(gallery.url) as holder:
        holder.execute("lock table community_metrics_daily in access exclusive mode")
        process = subprocess.Popen(
            [sys.executable, "-m", "community_pipelines.cli", *map(str, BACKFILL)], stdout=subprocess.DEVNULL
        )
        wait_until(lambda: bool(gallery.rows("select 1 from pg_locks where not granted")))
        process.kill()
        process.wait()
    (left,) = [folder for folder in staging.iterdir() if not folder.name.startswith("pinned-")]
    assert gallery.published() == published

    done = community(*BACKFILL)
    assert done.exit_code == 0, done.output
    assert gallery.published() != published
    assert not list(staging.iterdir())
    with dagster_instance(gallery.settings(database_url=gallery.storage)) as instance:
        killed = instance.get_run_by_id(left.name)
        assert killed is not None
        assert killed.status == dg.DagsterRunStatus.FAILURE


def test_an_interrupted_run_says_so_and_keeps_what_was_published(gallery: Community) -> None:
    published = gallery.published()

    def interrupt() -> None:
        wait_until(lambda: bool(gallery.rows("select 1 from pg_locks where not granted")))
        os.kill(os.getpid(), signal.SIGINT)

    with psycopg.connect(gallery.url) as holder:
        holder.execute("lock table community_metrics_daily in access exclusive mode")
        thread = threading.Thread(target=interrupt)
        thread.start()
        said = refused(1, *BACKFILL)
        thread.join()
    assert "failed: interrupted; what was finished is kept, run it again for the rest" in said
    assert gallery.published() == published
    assert not list((gallery.home / "lake" / "staging" / "bazaar").iterdir())
