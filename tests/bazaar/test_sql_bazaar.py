"""The SQL files: each only adds, and together they make the seed's tables and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from community_pipelines.databases.migrations import files
from tests.lint_sql import problems
from tests.prepared import SQL, prepared

APP = SQL / "bazaar" / "app"
FOLDERS = sorted({path.parent for path in SQL.rglob("*.sql")})
SCHEMA_OF_KIND = {"app": "public", "pipeline": "community"}
# What a platform's app keeps by triggers and functions is part of its seed; ours needs neither.
ALSO_IN_FOLDER = {"stories/app": ("CreateFunctionStmt", "CreateTrigStmt")}
# Functions of files that were applied already were closed by a later one.
CLOSED_BY = dict.fromkeys(
    ("0016_job_idempotency_keys.sql", "0018_segments_scene_reference.sql", "0019_segments_job_reference.sql"),
    SQL / "stories" / "app" / "0025_functions_for_triggers_only.sql",
)


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("path", sorted(SQL.rglob("*.sql")), ids=lambda path: str(path.relative_to(SQL)))
def test_every_migration_only_adds_to_its_own_schema(path: Path) -> None:
    folder = str(path.parent.relative_to(SQL))
    script = path.read_text() + (CLOSED_BY[path.name].read_text() if path.name in CLOSED_BY else "")
    assert problems(script, SCHEMA_OF_KIND[path.parent.name], ALSO_IN_FOLDER.get(folder, ())) == []


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("drop table community.t", "DropStmt"),
        ("drop index community.i", "DropStmt"),
        ("truncate community.t", "TruncateStmt"),
        ("delete from community.t", "DeleteStmt"),
        ("update community.t set a = 1", "UpdateStmt"),
        ("insert into community.t values (1)", "InsertStmt"),
        ("alter table community.t rename to u", "RenameStmt"),
        ("alter table community.t rename column a to b", "RenameStmt"),
        ("alter table community.t drop column a", "AT_DropColumn"),
        ("alter table community.t alter column a type smallint", "AT_AlterColumnType"),
        ("alter table community.t alter column a set not null", "AT_SetNotNull"),
        ("alter table community.t add check (a > 0)", "AT_AddConstraint"),
        ("alter table community.t add column a int not null", "the new column a has a constraint"),
        ("alter table community.t add column a int unique", "the new column a has a constraint"),
        ("create unique index i on community.t (a)", "a unique index on an existing table"),
        ("create index concurrently i on community.t (a)", "concurrent"),
        ("create table if not exists community.t (a int)", "if not exists"),
        ("create table t (a int)", "t must be written community.t"),
        ("create table public.t (a int)", "t must be written community.t"),
        ("create table community.t partition of community.p for values in (1)", "partitions are made month by month"),
        ("create function community.f() returns int language sql return 1", "CreateFunctionStmt"),
        ("create trigger g after insert on community.t execute function community.f()", "CreateTrigStmt"),
        ("create or replace view community.v as select 1", "ViewStmt"),
        ("do $$ begin drop table community.t; end $$", "DoStmt"),
        ("create table community.t (a int); commit", "TransactionStmt"),
        ("grant select on community.t to public", "rights are the owner's to give"),
        ("grant execute on function community.f() to public", "rights are the owner's to give"),
        ("revoke execute on function community.f() from app", "rights are the owner's to give"),
        ("revoke select on community.t from public", "rights are the owner's to give"),
        ("create tabel community.t (a int)", "does not parse"),
        ("-- nothing", "holds no statement"),
    ],
)
def test_the_linter_refuses_what_is_not_additive(statement: str, reason: str) -> None:
    found = problems(statement, "community")
    assert len(found) == 1
    assert reason in found[0]


def test_the_linter_allows_a_new_column_and_an_index_beside_a_new_table() -> None:
    additive = """
        create table community.t (a int);
        create unique index t_a_idx on community.t (a);
        alter table community.u add column b int default 0, add column c text;
    """
    assert problems(additive, "community") == []


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: str(path.relative_to(SQL)))
def test_every_folder_is_numbered_from_1_without_a_gap(path: Path) -> None:
    assert [migration.number for migration in files(path)] == list(range(1, len(list(path.glob("*.sql"))) + 1))


# Types and defaults as PostgreSQL writes them back.
COLUMNS_OF_SEED_001 = {
    "community_templates": [
        ("id", "uuid", "not null", "gen_random_uuid()"),
        ("slug", "character varying(255)", "not null", None),
        ("title", "character varying(255)", "not null", None),
        ("description", "text", "null", None),
        ("owner_user_id", "character varying(255)", "null", None),
        ("source_project_id", "uuid", "null", None),
        ("thumbnail_url", "text", "null", None),
        ("supported_formats", "jsonb", "null", """'["landscape", "portrait", "square"]'::jsonb"""),
        ("tags", "jsonb", "null", "'[]'::jsonb"),
        ("category", "character varying(100)", "null", None),
        ("visibility", "character varying(50)", "null", "'public'::character varying"),
        ("status", "character varying(50)", "null", "'active'::character varying"),
        ("views_count", "bigint", "not null", "0"),
        ("favorites_count", "bigint", "not null", "0"),
        ("uses_count", "bigint", "not null", "0"),
        ("created_at", "timestamp with time zone", "not null", "now()"),
        ("updated_at", "timestamp with time zone", "not null", "now()"),
    ],
    "community_template_scenes": [
        ("id", "uuid", "not null", "gen_random_uuid()"),
        ("template_id", "uuid", "not null", None),
        ("scene_index", "integer", "not null", None),
        ("title", "character varying(255)", "null", None),
        ("tsx_code", "text", "not null", None),
        ("duration", "integer", "not null", None),
        ("preview_frame", "integer", "null", "15"),
        ("code_hash", "text", "null", None),
        ("created_at", "timestamp with time zone", "not null", "now()"),
    ],
    "community_favorites": [
        ("user_id", "character varying(255)", "not null", None),
        ("template_id", "uuid", "not null", None),
        ("created_at", "timestamp with time zone", "not null", "now()"),
    ],
    "community_events": [
        ("id", "uuid", "not null", "gen_random_uuid()"),
        ("template_id", "uuid", "not null", None),
        ("user_id", "character varying(255)", "null", None),
        ("event_type", "character varying(50)", "not null", None),
        ("source", "character varying(50)", "null", None),
        ("project_id", "uuid", "null", None),
        ("scene_count", "integer", "null", None),
        ("referrer", "text", "null", None),
        ("user_agent", "text", "null", None),
        ("created_at", "timestamp with time zone", "not null", "now()"),
    ],
    "community_metrics_daily": [
        ("template_id", "uuid", "not null", None),
        ("day", "date", "not null", None),
        ("event_type", "character varying(50)", "not null", None),
        ("count", "bigint", "not null", "0"),
    ],
}

TO_TEMPLATE = "FOREIGN KEY (template_id) REFERENCES community_templates(id) ON DELETE CASCADE"
CONSTRAINTS_OF_SEED_001 = {
    "community_templates": [
        'FOREIGN KEY (owner_user_id) REFERENCES "bazaar-vid_user"(id)',
        'FOREIGN KEY (source_project_id) REFERENCES "bazaar-vid_project"(id)',
        "PRIMARY KEY (id)",
        "UNIQUE (slug)",
    ],
    "community_template_scenes": [TO_TEMPLATE, "PRIMARY KEY (id)", "UNIQUE (template_id, scene_index)"],
    "community_favorites": [
        TO_TEMPLATE,
        'FOREIGN KEY (user_id) REFERENCES "bazaar-vid_user"(id) ON DELETE CASCADE',
        "PRIMARY KEY (user_id, template_id)",
    ],
    "community_events": [TO_TEMPLATE, "PRIMARY KEY (id)"],
    "community_metrics_daily": [TO_TEMPLATE, "PRIMARY KEY (template_id, day, event_type)"],
}

# Those that serve a key or a unique constraint are told above.
INDEXES_OF_SEED_001 = {
    ("community_templates_owner_idx", "community_templates", "(owner_user_id)"),
    ("community_templates_visibility_idx", "community_templates", "(visibility, status)"),
    ("community_templates_created_idx", "community_templates", "(created_at DESC)"),
    ("community_template_scenes_template_idx", "community_template_scenes", "(template_id)"),
    ("community_favorites_template_idx", "community_favorites", "(template_id)"),
    ("community_events_template_idx", "community_events", "(template_id, created_at)"),
    ("community_events_type_idx", "community_events", "(event_type, created_at)"),
}
INDEXES_OF_OURS = {
    ("community_events_created_idx", "community_events", "(created_at)"),
    ("community_metrics_daily_day_idx", "community_metrics_daily", "(day)"),
}


@pytest.fixture
def migrated(database: str) -> str:
    """A database with the app's tables and the pipeline's."""
    return prepared(database, "bazaar")


def test_the_apps_tables_are_those_of_seed_001(migrated: str) -> None:
    columns = rows(
        migrated,
        """
        select relname, attname, format_type(atttypid, atttypmod),
               case when attnotnull then 'not null' else 'null' end, pg_get_expr(adbin, adrelid)
        from pg_attribute
        join pg_class on pg_class.oid = attrelid
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relname like 'community%' and attnum > 0
        order by relname, attnum
        """,
    )
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, *column in columns:
        found.setdefault(table, []).append(tuple(column))
    assert found == COLUMNS_OF_SEED_001

    constraints = rows(
        migrated,
        """
        select relname, array_agg(pg_get_constraintdef(pg_constraint.oid) order by 1)
        from pg_constraint join pg_class on pg_class.oid = conrelid
        where relnamespace = 'public'::regnamespace and relname like 'community%' and contype <> 'n'
        group by relname
        """,
    )
    assert {table: sorted(definitions) for table, definitions in constraints} == CONSTRAINTS_OF_SEED_001

    indexes = rows(
        migrated,
        """
        select indexrelid::regclass::text, indrelid::regclass::text,
               substring(pg_get_indexdef(indexrelid) from 'USING btree (.*)$')
        from pg_index join pg_class on pg_class.oid = indrelid
        where relnamespace = 'public'::regnamespace and relname like 'community%' and not indisunique
        """,
    )
    assert set(indexes) == INDEXES_OF_SEED_001 | INDEXES_OF_OURS


def test_a_template_row_of_only_a_slug_and_a_title_gets_the_seeds_defaults(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        found = connection.execute(
            "insert into community_templates (slug, title) values ('a', 'A') "
            "returning supported_formats, tags, visibility, status, views_count, created_at = updated_at"
        ).fetchone()
    assert found == (["landscape", "portrait", "square"], [], "public", "active", 0, True)


def test_a_slice_of_one_day_is_read_through_the_time_index(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        connection.execute("set local enable_seqscan = off")
        plan = connection.execute(
            "explain select * from community_events "
            "where created_at >= '2026-01-01 00:00Z' and created_at < '2026-01-02 00:00Z'"
        ).fetchall()
    assert "community_events_created_idx" in " ".join(line for (line,) in plan)


def test_everything_in_the_schema_community_is_described(migrated: str) -> None:
    undescribed = rows(
        migrated,
        """
        select relname, attname from pg_class
        join pg_attribute on attrelid = pg_class.oid and attnum >= 0
        where relnamespace = 'community'::regnamespace and relkind = 'r'
            and col_description(pg_class.oid, attnum) is null
        union all
        select relname, null from pg_class
        where relnamespace = 'community'::regnamespace and relkind = 'r'
            and obj_description(oid, 'pg_class') is null
        """,
    )
    assert undescribed == []
    assert rows(migrated, "select obj_description('community'::regnamespace, 'pg_namespace') is not null") == [(True,)]


def test_nothing_of_the_pipelines_depends_on_the_apps_tables(migrated: str) -> None:
    assert (
        rows(
            migrated,
            """
        select conname from pg_constraint
        where connamespace = 'community'::regnamespace and contype = 'f'
        """,
        )
        == []
    )


def test_a_day_is_withheld_once_at_a_time_but_again_after_it_was_resolved(migrated: str) -> None:
    withhold = (
        "insert into community.withheld_days (platform, asset, day, failures, releasable) "
        "values ('bazaar', 'raw/community_events', '2026-01-01', '[]', true)"
    )
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute(withhold)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(withhold)
        connection.execute("update community.withheld_days set resolved_at = now()")
        connection.execute(withhold)
