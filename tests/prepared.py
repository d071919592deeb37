"""Databases with a platform's tables, as `community migrate --app` leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from community_pipelines.databases.migrations import files, migrate, text
from community_pipelines.models import published_tables
from community_pipelines.models.project import load_models

SQL = Path(__file__).parents[1] / "sql"
PIPELINE = SQL / "pipeline"
_SCRIPTS: dict[str, str] = {}
_CATALOG = """
select 'column', relname, attname, concat_ws(
        ' ', row_number() over (partition by attrelid order by attnum), format_type(atttypid, atttypmod), attnotnull,
        pg_get_expr(adbin, adrelid), attidentity
    ),
    col_description(attrelid, attnum)
from pg_attribute
join pg_class on pg_class.oid = attrelid
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where relnamespace = 'community'::regnamespace and relkind in ('r', 'S') and attnum > 0 and not attisdropped
union all
select 'table', relname, relkind::text, pg_get_indexdef(oid), obj_description(oid, 'pg_class')
from pg_class
where relnamespace = 'community'::regnamespace
union all
select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) || convalidated::text,
    obj_description(oid, 'pg_constraint')
from pg_constraint
where connamespace = 'community'::regnamespace
order by 1, 2, 3
"""


def prepared(url: str, platform: str) -> str:
    """The same URL; the empty database gets the app's tables and ours, by the script that `--dry-run` prints: a
    tenth of the time of migrating, which leaves the same (test_published_tables.py)."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_script(url, platform).encode())
    return url


def with_ours(url: str, platform: str) -> None:
    """Our own tables are added to the app's, as `community migrate` does it."""
    migrate(url, PIPELINE)
    published_tables.migrate(url, platform, load_models(platform)).require()


def schema(url: str) -> list[tuple[Any, ...]]:
    """All that PostgreSQL knows of the schema `community`: tables, columns in their order, types, defaults,
    constraints, indexes, comments."""
    with psycopg.connect(url) as connection:
        return connection.execute(_CATALOG).fetchall()


def _script(empty: str, platform: str) -> str:
    if platform not in _SCRIPTS:
        tables = published_tables.plan(empty, platform, load_models(platform)).changes
        parts = [text(files(SQL / platform / "app")), text(files(PIPELINE)), published_tables.text(tables)]
        _SCRIPTS[platform] = "\n".join(parts)
    return _SCRIPTS[platform]
