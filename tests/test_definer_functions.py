"""Functions that run as their owner are executable by nobody else, on every platform; their triggers go on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from community_pipelines.databases.migrations import migrate
from community_pipelines.doctor.definer_functions import definer_functions
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.reach import Database, opened
from tests.prepared import SQL, prepared

PLATFORMS = sorted(path.parent.name for path in SQL.glob("*/app"))

# The columns that the trigger of jobs looks at, on a table that any role may make.
_OWN_TABLE = "create temporary table mine (idempotency_key text, id uuid, created_at timestamptz)"
_OWN_TRIGGER = "create trigger t after delete on mine for each row execute function public.keep_job_idempotency_key()"


@contextmanager
def role(url: str, *grants: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of a new role with those grants, which say {role}."""
    name = f"definer_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create role {name}".encode())
        try:
            for grant in grants:
                connection.execute(grant.format(role=name).encode())
            connection.execute(f"set role {name}".encode())
            yield connection
        finally:
            connection.execute("reset role")
            connection.execute("drop table if exists pg_temp.mine")
            connection.execute(f"drop owned by {name}".encode())
            connection.execute(f"drop role {name}".encode())


def said(url: str, *schemas: str) -> list[Diagnosis]:
    database = Database("shop", "publish", url, "COMMUNITY_SHOP__PUBLISH_URL")
    with opened(database) as connection:
        return list(definer_functions(database, connection, schemas))


@pytest.fixture
def keys(database: str) -> str:
    """The app's tables of stories, with one job that has a key."""
    migrate(database, SQL / "stories" / "app")
    with psycopg.connect(database) as connection:
        connection.execute("select create_monthly_partition('jobs', 2026, 1)")
        connection.execute(
            "insert into jobs (id, scene_id, user_id, input_text, bible_version, created_at, idempotency_key) "
            "values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'x', 1, '2026-01-15Z', 'k')"
        )
    return database


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_function_that_runs_as_its_owner_is_for_everybody_or_follows_a_search_path(
    database: str, platform: str
) -> None:
    prepared(database, platform)
    with psycopg.connect(database) as connection:
        doors = connection.execute(
            """
            select pg_proc.oid::regprocedure::text
            from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
            where prosecdef and nspname not in ('pg_catalog', 'information_schema') and (
                has_function_privilege('public', pg_proc.oid, 'execute')
                or not exists (select from unnest(proconfig) as one where one like 'search_path=%')
            )
            """
        ).fetchall()
    assert doors == []
    assert [one.level for one in said(database, "public", "community")] == ["ok"]


def test_a_reading_role_cannot_put_the_trigger_on_a_table_of_its_own_and_delete_keys(keys: str) -> None:
    grants = ("grant usage on schema public to {role}", "grant select on public.jobs to {role}")
    with role(keys, *grants) as reader:
        reader.execute(_OWN_TABLE)
        reader.execute("insert into mine select idempotency_key, id, created_at from public.jobs")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="keep_job_idempotency_key"):
            reader.execute(_OWN_TRIGGER)
        reader.execute("delete from mine")
    with psycopg.connect(keys) as connection:
        assert connection.execute("select idempotency_key from job_idempotency_keys").fetchall() == [("k",)]


def test_the_triggers_work_for_a_role_that_may_only_write_the_table(keys: str) -> None:
    with role(keys, "grant usage on schema public to {role}", "grant insert, select, delete on jobs to {role}") as app:
        add = (
            "insert into jobs (id, scene_id, user_id, input_text, bible_version, created_at, idempotency_key) "
            "values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'x', 1, '2026-01-16Z', %s)"
        )
        app.execute(add, ("second",))
        with pytest.raises(psycopg.errors.UniqueViolation):
            app.execute(add, ("k",))
        app.execute("delete from jobs where idempotency_key = 'second'")
        app.execute(add, ("second",))


def test_the_doctor_names_the_apps_own_functions_with_a_statement_that_helps(database: str) -> None:
    body = "language sql security definer as 'select 1'"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute('create schema "My App"')
        connection.execute(f'create function "My App".wide(a int, b text) returns int {body}'.encode())
        connection.execute(
            'create function "My App".on_write() returns trigger language plpgsql security definer '
            "set search_path = '' as 'begin return null; end'"
        )
        connection.execute(f"create function public.elsewhere() returns int {body}".encode())
        connection.execute("create function \"My App\".harmless() returns int language sql as 'select 1'")
        by_trigger, called = said(database, "My App", "community")
        assert by_trigger.level == called.level == "warning"
        assert by_trigger.seen == '"My App".on_write() runs as its owner, and everybody may execute it'
        assert by_trigger.advice == 'revoke execute on function "My App".on_write() from public;'
        assert "everybody may execute it and the caller's search path decides" in called.seen
        assert called.advice.startswith("-- first, for each role that calls it: grant execute on function")
        connection.execute(by_trigger.advice.encode())
        connection.execute(called.advice.encode())
    assert [(one.level, one.seen) for one in said(database, "My App")] == [
        ("ok", "2 run as their owner, none of them for everybody")
    ]
