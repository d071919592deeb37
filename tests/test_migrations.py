"""The runner that applies the SQL files, on a real PostgreSQL."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from community_pipelines.databases import migrations
from community_pipelines.databases.migrations import (
    MigrationError,
    app_tables_present,
    applied,
    files,
    migrate,
    pending,
    text,
)
from tests.prepared import PIPELINE, SQL, schema, with_ours
from tests.test_state_before import restored

APP = SQL / "bazaar" / "app"
# Retired files that added a column; every other one made the table of its name.
ADDED_COLUMNS = {
    "counter_corrections_reason": ("counter_corrections", "reason"),
    "reconciliations_table_name": ("reconciliations", "table_name"),
    "deletions_seen_rule": ("deletions_seen", "rule"),
}


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def name_of(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def relations(url: str) -> list[str]:
    """Every table, index, view and sequence outside of PostgreSQL's own schemas."""
    query = """
        select nspname || '.' || relname
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
        order by 1
    """
    return [name for (name,) in rows(url, query)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two migrations."""
    path = tmp_path.resolve() / "shop" / "pipeline"
    path.mkdir(parents=True)
    (path / "0001_one.sql").write_text("create table one (id int);\ncreate table uno (id int);\n")
    (path / "0002_two.sql").write_text("create table two (id int);\n")
    return path


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["0001_a.sql", "0003_c.sql"], "0003_c.sql: expected the number 0002"),
        (["0002_b.sql"], "0002_b.sql: expected the number 0001"),
        (["0001_a.sql", "0001_b.sql"], "0001_b.sql: expected the number 0002"),
        (["1_a.sql"], "1_a.sql: rename it to NNNN_name.sql"),
        (["0001_a.sql", "0002-b.sql"], "0002-b.sql: rename it to NNNN_name.sql"),
        ([], "holds no NNNN_name.sql file"),
    ],
)
def test_a_folder_that_is_numbered_wrongly_is_refused_before_connecting(
    tmp_path: Path, names: list[str], named: str
) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationError, match=re.escape(named)):
        migrate("postgresql:///nowhere?host=/nowhere", tmp_path)


def test_the_checksum_is_of_the_text_so_that_line_ends_of_a_checkout_do_not_count(folder: Path) -> None:
    unix = files(folder)[0]
    unix.path.write_bytes(unix.path.read_bytes().replace(b"\n", b"\r\n"))
    assert files(folder)[0].checksum == unix.checksum == hashlib.sha256(unix.sql.encode()).hexdigest()


def test_migrating_applies_every_file_once_and_a_second_time_changes_nothing(database: str) -> None:
    first = migrate(database, APP) + migrate(database, PIPELINE)
    assert first == files(APP) + files(PIPELINE)
    before = relations(database), applied(database, APP), applied(database, PIPELINE)
    assert migrate(database, APP) == migrate(database, PIPELINE) == []
    assert (relations(database), applied(database, APP), applied(database, PIPELINE)) == before


def test_app_and_pipeline_have_separate_histories(database: str) -> None:
    migrate(database, PIPELINE)
    assert pending(database, APP) == files(APP)
    assert applied(database, APP) == []
    recorded = [(record.number, record.name, record.checksum) for record in applied(database, PIPELINE)]
    assert recorded == [(file.number, file.name, file.checksum) for file in files(PIPELINE)]


def test_asking_what_is_pending_changes_nothing(database: str, folder: Path) -> None:
    assert pending(database, folder) == files(folder)
    assert applied(database, folder) == []
    assert relations(database) == []


def test_a_new_file_is_applied_after_the_old_ones(database: str, folder: Path) -> None:
    migrate(database, folder)
    (folder / "0003_three.sql").write_text("create table three (id int)")
    assert [migration.name for migration in pending(database, folder)] == ["0003_three.sql"]
    assert [migration.name for migration in migrate(database, folder)] == ["0003_three.sql"]


def test_a_file_changed_after_it_was_applied_is_refused_and_nothing_else_runs(database: str, folder: Path) -> None:
    migrate(database, folder)
    (folder / "0001_one.sql").write_text("create table one (id bigint);\n")
    (folder / "0003_three.sql").write_text("create table three (id int)")
    before = relations(database)
    for attempt in (migrate, pending):
        with pytest.raises(MigrationError) as refusal:
            attempt(database, folder)
        assert f"{folder / '0001_one.sql'} was changed after it was applied to database {name_of(database)}" in str(
            refusal.value
        )
        assert "0004_name.sql" in str(refusal.value)
    assert relations(database) == before


def test_a_file_that_was_applied_and_is_gone_is_refused(database: str, folder: Path) -> None:
    migrate(database, folder)
    (folder / "0002_two.sql").unlink()
    with pytest.raises(MigrationError, match=r"shop/pipeline/0002_two\.sql was applied .* but is gone"):
        migrate(database, folder)


def test_a_file_that_was_applied_under_another_name_is_refused(database: str, folder: Path) -> None:
    migrate(database, folder)
    (folder / "0002_two.sql").rename(folder / "0002_zwei.sql")
    with pytest.raises(MigrationError, match=r"shop/pipeline/0002_two\.sql was applied .* but is gone"):
        migrate(database, folder)


def test_a_failing_file_leaves_nothing_behind_and_runs_again_once_corrected(database: str, folder: Path) -> None:
    bad = folder / "0002_two.sql"
    bad.write_text("create table two (id int);\ncreate table zwei (id nothing);\n")
    with pytest.raises(MigrationError) as failure:
        migrate(database, folder)
    assert f'{bad}, line 2: type "nothing" does not exist, in database test_' in str(failure.value)
    assert relations(database) == [
        "community.migrations",
        "community.migrations_pkey",
        "public.one",
        "public.uno",
    ]
    assert [record.number for record in applied(database, folder)] == [1]
    bad.write_text("create table two (id int);\n")
    assert [migration.number for migration in migrate(database, folder)] == [2]


def test_a_file_whose_record_cannot_be_written_leaves_nothing_behind(database: str, folder: Path) -> None:
    (folder / "0002_two.sql").write_text(
        "create table two (id int);\ninsert into community.migrations values ('shop/pipeline', 2, 'x', 'x');\n"
    )
    with pytest.raises(MigrationError, match="duplicate key"):
        migrate(database, folder)
    assert "public.two" not in relations(database)
    assert [record.number for record in applied(database, folder)] == [1]


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_runs_at_the_same_time_all_succeed_and_apply_each_file_once(
    database: str, folder: Path, isolation: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"alter database {name_of(database)} set default_transaction_isolation = '{isolation}'")
    slow = folder / "0001_one.sql"
    slow.write_text("select pg_sleep(0.5);\n" + slow.read_text())
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: migrate(database, folder), range(4)))
    assert sorted(migration.number for result in results for migration in result) == [1, 2]
    assert [record.number for record in applied(database, folder)] == [1, 2]


def test_percent_signs_and_several_statements_are_left_alone(database: str, folder: Path) -> None:
    (folder / "0003_three.sql").write_text(
        "create table three (note text default '100% %s ; ü');\ncomment on table three is 'a; b';\n",
        encoding="utf-8",
    )
    migrate(database, folder)
    with psycopg.connect(database) as connection:
        connection.execute("insert into three default values")
        assert connection.execute("select note from three").fetchone() == ("100% %s ; ü",)


def test_files_run_in_utc_and_under_the_name_of_the_project(database: str, folder: Path) -> None:
    (folder / "0003_three.sql").write_text(
        "create table three as select current_setting('timezone') as zone, "
        "current_setting('application_name') as application"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"alter database {name_of(database)} set timezone = 'Asia/Tokyo'")
    migrate(database, folder)
    assert rows(database, "select zone, application from three") == [("UTC", "community-pipelines")]
    assert rows(database, "select count(*) from pg_stat_activity where application_name = 'community-pipelines'") == [
        (0,)
    ]


def test_the_printed_script_leaves_a_database_as_migrate_would(database: str) -> None:
    script = text(pending(database, APP)) + text(pending(database, PIPELINE))
    for migration in files(APP) + files(PIPELINE):
        assert f"-- {migration.folder}/{migration.name}\n" in script
        assert migration.sql.strip() in script
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(script)
    assert pending(database, APP) == pending(database, PIPELINE) == []
    assert text([]) == ""


# A database whose app made its tables


@pytest.fixture
def of_before(database: str, folder: Path) -> Path:
    """A folder whose two files stand for retired ones of two others, of which the first was applied here."""
    migrate(database, folder)
    rest = folder.parents[1] / "sql" / "pipeline"
    rest.mkdir(parents=True)
    lines = [f"{file.checksum}  shop/pipeline/{file.name}\n" for file in files(folder)]
    (rest / "retired.sha256").write_text("".join(lines))
    (rest / "0001_two.sql").write_text("create table two (id int);\n")
    (rest / "0002_three.sql").write_text("create table three (id int);\n")
    (rest / "0003_one.sql").write_text("create table one (id int);\n")
    return rest


def test_what_a_retired_file_has_made_is_noted_and_not_made_again(database: str, of_before: Path) -> None:
    expected = [("0001_two.sql", "shop/pipeline/0002_two.sql"), ("0002_three.sql", ""),
                ("0003_one.sql", "shop/pipeline/0001_one.sql")]  # fmt: skip
    assert [(file.name, file.instead_of) for file in pending(database, of_before)] == expected
    assert [(file.name, file.instead_of) for file in migrate(database, of_before)] == expected
    assert migrate(database, of_before) == []
    assert [(record.name, record.checksum) for record in applied(database, of_before)] == [
        (file.name, file.checksum) for file in files(of_before)
    ]


def test_where_only_some_retired_files_were_applied_the_rest_is_made(database: str, of_before: Path) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("drop table two")
        connection.execute("delete from community.migrations where number = 2")
    assert [file.instead_of for file in migrate(database, of_before)] == ["", "", "shop/pipeline/0001_one.sql"]
    assert {"public.one", "public.two", "public.three"} <= set(relations(database))


def test_a_retired_file_of_another_text_is_refused_and_nothing_is_done(database: str, of_before: Path) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("update community.migrations set checksum = 'another' where number = 2")
    before = relations(database)
    with pytest.raises(
        MigrationError, match=r"shop/pipeline/0002_two\.sql was applied to database .* is not listed in"
    ):
        migrate(database, of_before)
    assert relations(database) == before


@pytest.mark.parametrize("platform", ["bazaar", "stories"])
@pytest.mark.parametrize("applied_then", [1, 4, 7, 13])
def test_a_database_of_any_version_before_becomes_what_a_new_one_is(
    database: str, platform: str, applied_then: int
) -> None:
    restored(database, platform)
    with psycopg.connect(database) as connection:
        _take_back(connection, platform, applied_then)
    with_ours(database, platform)
    upgraded = schema(database)
    drop_ours(database)
    with_ours(database, platform)
    assert upgraded == schema(database)


def drop_ours(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("drop schema community cascade")


def _take_back(connection: psycopg.Connection, platform: str, last: int) -> None:
    """Undoes the retired files after that number, as if the version of then had been the last one used."""
    later = connection.execute(
        "delete from community.migrations where folder = %s and number > %s returning name",
        [f"{platform}/pipeline", last],
    ).fetchall()
    titles = {name[len("0001_") : -len(".sql")] for (name,) in later}
    for title in titles - ADDED_COLUMNS.keys():
        connection.execute(sql.SQL("drop table {}").format(sql.Identifier("community", title)))
    for table, column in (ADDED_COLUMNS[title] for title in titles & ADDED_COLUMNS.keys()):
        statement = sql.SQL("alter table if exists {} drop column {}")
        connection.execute(statement.format(sql.Identifier("community", table), sql.Identifier(column)))


@pytest.fixture
def lived_in(database: str) -> str:
    """A database with the gallery's tables under production's names."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute('create table "bazaar-vid_user" (id varchar(255) primary key)')
        connection.execute('create table "bazaar-vid_community_template" (id uuid primary key)')
        connection.execute("create schema archive")
        connection.execute('create table archive."old.events" (id uuid)')
    return database


def test_a_database_with_the_apps_tables_gets_only_the_pipelines(lived_in: str) -> None:
    mapped = ["public.bazaar-vid_community_template", "public.bazaar-vid_community_event"]
    before = [name for name in relations(lived_in) if name.startswith("public.")]
    for attempt in (migrate, pending):
        with pytest.raises(MigrationError) as refusal:
            attempt(lived_in, APP, absent=mapped)
        assert "already holds public.bazaar-vid_community_template, which" in str(refusal.value)
        assert "Migrate without --app" in str(refusal.value)
    assert migrate(lived_in, PIPELINE) == files(PIPELINE)
    after = [name for name in relations(lived_in) if not name.startswith("community.")]
    assert [name for name in after if name.startswith("public.")] == before


def test_the_apps_tables_that_migrate_made_do_not_stop_its_next_run(database: str) -> None:
    made = ["public.community_templates", "public.bazaar-vid_user"]
    assert migrate(database, APP, absent=made) == files(APP)
    assert migrate(database, APP, absent=made) == []


def test_an_app_table_that_is_in_the_way_stops_its_file_with_the_files_name(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create table community_events (id int)")
    with pytest.raises(MigrationError, match=r'0007_community_events\.sql.*"community_events" already exists'):
        migrate(database, APP)


def test_tables_are_found_under_mapped_names_and_in_other_schemas(lived_in: str) -> None:
    asked = [
        "archive.old.events",
        "public.bazaar-vid_community_template",
        "bazaar-vid_user",
        "public.bazaar-vid_community_event",
        "old.events",
        "archive.bazaar-vid_user",
        "public.BAZAAR-vid_user",
    ]
    assert app_tables_present(lived_in, asked) == asked[:3]
    assert app_tables_present(lived_in, []) == []


# Errors that are about the database


def test_a_role_without_the_right_to_create_is_told_what_to_ask_for(database: str, folder: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create role guest_of_migrations login")
    guest = database.replace("user=postgres", "user=guest_of_migrations")
    try:
        with pytest.raises(MigrationError, match=r"permission denied .*create schema community authorization"):
            migrate(guest, folder)
        assert relations(database) == []
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("create schema community authorization guest_of_migrations")
        migrate(guest, PIPELINE)
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("drop owned by guest_of_migrations")
            connection.execute("drop role guest_of_migrations")


def test_a_role_that_owns_the_schema_and_not_its_tables_is_told_who_can_do_it(database: str) -> None:
    migrate(database, PIPELINE)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create role owner_of_no_table login")
        connection.execute("alter schema community owner to owner_of_no_table")
        connection.execute("delete from community.migrations where number = 13")
    owner = database.replace("user=postgres", "user=owner_of_no_table")
    try:
        with pytest.raises(
            MigrationError, match=r"permission denied for table migrations\. .*`community doctor` prints"
        ):
            migrate(owner, PIPELINE)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("grant select, insert on community.migrations to owner_of_no_table")
        with pytest.raises(MigrationError) as refusal:
            migrate(owner, PIPELINE)
        assert "0013_comments.sql: must be owner of relation publications" in str(refusal.value)
        assert str(refusal.value).endswith(
            "Nothing of this file was kept. Have its owner or a database administrator run what `community migrate "
            "--dry-run` prints."
        )
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(text(pending(owner, PIPELINE)).encode())
        assert migrate(owner, PIPELINE) == []
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("drop owned by owner_of_no_table cascade")
            connection.execute("drop role owner_of_no_table")


def test_a_run_that_waits_too_long_for_another_one_gives_up_with_advice(
    database: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "_LOCK_SECONDS", 1)
    with psycopg.connect(database) as connection:
        connection.execute(migrations._LOCK)
        with pytest.raises(MigrationError, match=r"lock timeout\. Another session holds a lock"):
            migrate(database, folder)
    assert relations(database) == []


def test_a_server_that_only_reads_is_named_as_such(database: str, folder: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"alter database {name_of(database)} set default_transaction_read_only = on")
    with pytest.raises(MigrationError, match="set the platform's publish URL to the primary"):
        migrate(database, folder)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:s3cret@/gallery?host=/nowhere",
        "postgresql://someone:s3cret@127.0.0.1:1/gallery",
        "postgresql://someone:s3cret%zz@localhost/gallery",
        "postgresql://someone:s3cret@localhost/gallery?unknown=1",
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(url: str, folder: Path) -> None:
    for attempt in (lambda: migrate(url, folder), lambda: app_tables_present(url, ["t"])):
        with pytest.raises(MigrationError, match=r"database gallery: |database URL is not valid") as failure:
            attempt()
        assert "s3cret" not in str(failure.value)
