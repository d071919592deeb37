"""The SQL files of stories: they make the seed's tables, and partitions whose bounds are UTC."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from community_pipelines.databases.migrations import migrate
from tests.lint_sql import problems
from tests.prepared import SQL, prepared
from tests.stories.seed_002 import COLUMNS, CONSTRAINTS, INDEXES

APP = SQL / "stories" / "app"
FUNCTIONS_AND_TRIGGERS = ("CreateFunctionStmt", "CreateTrigStmt")

KEYS = [
    "idempotency_key character varying(100) not null",
    "job_id uuid not null",
    "job_created_at timestamp with time zone not null",
]
INDEXES_OF_OURS = {
    "idx_jobs_idempotency_key": "jobs (idempotency_key)",
    "idx_segments_job_id": "segments (job_id)",
    "likes_created_at_idx": "likes (created_at)",
    "user_topics_created_at_idx": "user_topics (created_at)",
    "user_topics_reviewed_at_idx": "user_topics (reviewed_at)",
    "scene_bibles_created_at_idx": "scene_bibles (created_at)",
    "moderation_flags_reviewed_at_idx": "moderation_flags (reviewed_at)",
}


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def plain(definition: str) -> str:
    """A definition without the casts that PostgreSQL adds."""
    return re.sub(r"::(character varying|text)(\[\])?", "", definition)


@pytest.fixture
def stories(database: str) -> str:
    """A database with the app's tables of stories, without partitions."""
    migrate(database, APP)
    return database


def partitions(url: str) -> list[tuple[str, str]]:
    """Every partition and its bounds, as a session in UTC reads them."""
    with psycopg.connect(url) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(
            "select relname, pg_get_expr(relpartbound, oid) from pg_class "
            "where relispartition and relkind = 'r' order by 1"
        ).fetchall()


def test_the_apps_tables_are_those_of_seed_002_and_one_for_the_keys_of_jobs(stories: str) -> None:
    found: dict[str, list[str]] = {}
    for table, column in rows(
        stories,
        """
        select relname, attname || ' ' || format_type(atttypid, atttypmod)
            || case when attnotnull then ' not null' else '' end
            || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
        from pg_attribute
        join pg_class on pg_class.oid = attrelid
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and attnum > 0
        order by relname, attnum
        """,
    ):
        found.setdefault(table, []).append(column)
    assert found == COLUMNS | {"job_idempotency_keys": KEYS}


def test_the_constraints_are_those_of_seed_002(stories: str) -> None:
    found = rows(
        stories,
        """
        select conname, contype, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u')
        """,
    )
    described = {name: re.sub("[()]", "", plain(text)) if kind == "c" else text for name, kind, text in found}
    assert described == CONSTRAINTS | {"jobs_idempotency_key_key": "PRIMARY KEY (idempotency_key)"}


def test_the_indexes_are_those_of_seed_002_and_two_that_keys_and_references_need(stories: str) -> None:
    found = rows(
        stories,
        """
        select indexrelid::regclass::text, indrelid::regclass::text,
            regexp_replace(pg_get_indexdef(indexrelid), '^.* USING (btree )?', '')
        from pg_index join pg_class on pg_class.oid = indrelid
        where relnamespace = 'public'::regnamespace and not indisunique
        """,
    )
    assert {name: f"{table} {plain(text)}" for name, table, text in found} == INDEXES | INDEXES_OF_OURS


def test_segments_and_jobs_are_partitioned_by_creation_and_migrating_makes_no_partition(stories: str) -> None:
    keys = rows(stories, "select relname, pg_get_partkeydef(oid) from pg_class where relkind = 'p' order by 1")
    assert keys == [("jobs", "RANGE (created_at)"), ("segments", "RANGE (created_at)")]
    assert partitions(stories) == []


def test_everything_in_the_schema_community_of_stories_is_described(database: str) -> None:
    prepared(database, "stories")
    undescribed = rows(
        database,
        """
        select relname, attname from pg_class
        join pg_attribute on attrelid = pg_class.oid and attnum > 0
        where relnamespace = 'community'::regnamespace and relkind = 'r'
            and (obj_description(pg_class.oid, 'pg_class') is null or col_description(pg_class.oid, attnum) is null)
        """,
    )
    assert undescribed == []


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "create or replace function public.f() returns int language sql set search_path = '' as 'select 1'",
            "'or replace' changes what is there",
        ),
        (
            "create function f() returns int language sql set search_path = '' as 'select 1'",
            "f must be written public.f",
        ),
        (
            "create function community.f() returns int language sql set search_path = '' as 'select 1'",
            "community.f must be written public.f",
        ),
        (
            "create function public.f() returns int language sql set timezone = 'UTC' as 'select 1'",
            "public.f must set its search_path",
        ),
        (
            "create function public.f() returns void language plpgsql set search_path = '' as "
            "$$ begin execute 'DROP table public.t'; end $$",
            "public.f holds 'DROP'",
        ),
        (
            "create function public.f() returns void language sql security definer set search_path = '' as 'select 1'; "
            "revoke execute on function public.g() from public",
            "public.f runs as its owner: revoke execute on it from public",
        ),
        (
            "create or replace trigger g after insert on public.t execute function public.f()",
            "'or replace' changes what is there",
        ),
        ("create trigger g after insert on t execute function public.f()", "t must be written public.t"),
        ("drop function public.f()", "DropStmt"),
        ("drop trigger g on public.t", "DropStmt"),
        ("alter table public.t disable trigger g", "AT_DisableTrig"),
        ("alter table public.t detach partition public.u", "AT_DetachPartition"),
        ("create table public.u partition of public.t default", "partitions are made month by month"),
        ("do $$ begin perform 1; end $$", "DoStmt"),
    ],
)
def test_the_linter_refuses_functions_and_triggers_that_do_not_only_add(statement: str, reason: str) -> None:
    found = problems(statement, "public", FUNCTIONS_AND_TRIGGERS)
    assert len(found) == 1
    assert reason in found[0]


def test_the_linter_allows_functions_triggers_and_partitioned_tables_where_they_are_named() -> None:
    additive = """
        create table public.t (a int) partition by range (a);
        create function public.f() returns trigger language plpgsql set search_path = '' as 'begin return null; end';
        create trigger g after insert on public.t for each row execute function public.f();
        create function public.h() returns trigger language plpgsql security definer set search_path = '' as
            'begin return null; end';
        revoke execute on function public.h() from public;
    """
    assert problems(additive, "public", FUNCTIONS_AND_TRIGGERS) == []


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_partition_is_a_month_in_utc_whatever_the_sessions_time_zone(stories: str, zone: str) -> None:
    with psycopg.connect(stories) as connection:
        connection.execute(f"set timezone = '{zone}'")
        connection.execute("set datestyle = 'German'")
        connection.execute("set search_path = pg_catalog")
        for table, year, month in (("jobs", 2026, 12), ("segments", 2026, 3), ("jobs", 2027, 1)):
            connection.execute("select public.create_monthly_partition(%s, %s, %s)", [table, year, month])
    assert partitions(stories) == [
        ("jobs_2026_12", "FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')"),
        ("jobs_2027_01", "FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00')"),
        ("segments_2026_03", "FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-04-01 00:00:00+00')"),
    ]


def test_a_partition_has_the_indexes_checks_and_triggers_of_its_table(stories: str) -> None:
    def of(relation: str) -> list[tuple[Any, ...]]:
        return rows(
            stories,
            f"""
            select regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '')
            from pg_index where indrelid = '{relation}'::regclass
            union all select pg_get_constraintdef(oid) from pg_constraint
            where conrelid = '{relation}'::regclass and contype = 'c'
            union all select tgname from pg_trigger where tgrelid = '{relation}'::regclass
            order by 1
            """,
        )

    rows(stories, "select create_monthly_partition('jobs', 2026, 1), create_monthly_partition('segments', 2026, 1)")
    assert of("jobs_2026_01") == of("jobs")
    assert of("segments_2026_01") == of("segments")
    unattached = "select relname from pg_class where relkind = 'i' and relname like '%2026_01%' and not relispartition"
    assert rows(stories, unattached) == []


def test_a_partition_that_is_there_is_left_alone(stories: str) -> None:
    make = "select public.create_monthly_partition('jobs', 2026, 1)"
    rows(stories, make)
    before = rows(stories, "select oid from pg_class where relname = 'jobs_2026_01'")
    rows(stories, make)
    assert rows(stories, "select oid from pg_class where relname = 'jobs_2026_01'") == before
    assert len(partitions(stories)) == 1


def test_a_detached_month_is_not_taken_for_its_partition(stories: str) -> None:
    rows(stories, "select public.create_monthly_partition('jobs', 2026, month) from generate_series(1, 2) as month")
    with psycopg.connect(stories) as connection:
        connection.execute("alter table public.jobs detach partition public.jobs_2026_01")
    with pytest.raises(psycopg.errors.DuplicateTable, match=r"jobs_2026_01 exists, but is not a partition"):
        rows(stories, "select public.create_monthly_partition('jobs', 2026, 1)")


@pytest.mark.parametrize(
    ("year", "month", "complaint"),
    [
        ("2026", "0", "month must be 1 to 12, not 0"),
        ("2026", "13", "month must be 1 to 12, not 13"),
        ("2026", "-1", "month must be 1 to 12, not -1"),
        ("2026", "null", "month must be 1 to 12, not null"),
        ("null", "1", "year must be 1 to 9998, not null"),
        ("0", "1", "year must be 1 to 9998, not 0"),
    ],
)
def test_a_month_that_does_not_exist_is_refused(stories: str, year: str, month: str, complaint: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=complaint):
        rows(stories, f"select public.create_monthly_partition('jobs', {year}, {month})")


def test_a_table_without_partitions_gets_none(stories: str) -> None:
    for table in ("users", "nothing"):
        with pytest.raises(psycopg.Error, match=table):
            rows(stories, f"select public.create_monthly_partition('{table}', 2026, 1)")
    assert rows(stories, "select relname from pg_class where relname like '%2026_01'") == []


def test_a_month_is_added_while_the_app_writes_to_another_one(stories: str) -> None:
    rows(stories, "select public.create_monthly_partition('jobs', 2026, 1)")
    with psycopg.connect(stories) as app, psycopg.connect(stories) as upkeep:
        app.execute(
            "insert into public.jobs (scene_id, user_id, input_text, bible_version, created_at) "
            "values (gen_random_uuid(), gen_random_uuid(), 'x', 1, '2026-01-31 23:59Z')"
        )
        upkeep.execute("set lock_timeout = '2s'")
        upkeep.execute("select public.create_monthly_partition('jobs', 2026, 2)")
    assert [name for name, _ in partitions(stories)] == ["jobs_2026_01", "jobs_2026_02"]


def test_two_sessions_that_add_the_same_month_at_once_both_succeed(stories: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(rows, stories, "select public.create_monthly_partition('jobs', 2026, 1)") for _ in "1234"]
    for future in made:
        future.result()
    assert [name for name, _ in partitions(stories)] == ["jobs_2026_01"]
