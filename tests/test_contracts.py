"""Where two places must agree on a table: contracts and migrations, `sources.yml` and the platform's declaration."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from community_pipelines.lake.writer import schema_of
from community_pipelines.migrations import migrate
from community_pipelines.models.project import load_model
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.model_cases import tables

SQL = Path(__file__).parents[1] / "sql" / "bazaar"
MODELS = (
    "community_metrics_daily",
    "community_template_activity_daily",
    "community_template_trends",
    "template_counters_daily",
)
IN_POSTGRES = {"varchar": "character varying", "double": "double precision"}


@pytest.mark.parametrize("model", MODELS)
def test_a_contract_has_the_columns_of_the_table_that_it_is_published_to(database: str, model: str) -> None:
    migrate(database, SQL / "app")
    migrate(database, SQL / "pipeline")
    contract = load_model("bazaar", model).contract
    with psycopg.connect(database) as connection:
        found = connection.execute(
            """
            select attname, regexp_replace(format_type(atttypid, atttypmod), '\\(.*', ''), attnotnull,
                coalesce(col_description(attrelid, attnum), '')
            from pg_attribute
            where attrelid = %s::regclass and attnum > 0
            order by attnum
            """,
            [contract.publish],
        ).fetchall()
    ours = contract.publish.startswith("community.")
    assert found == [
        (column.name, IN_POSTGRES.get(column.type, column.type), column.not_null, column.description if ours else "")
        for column in contract.columns
    ]


def test_the_sources_of_the_models_are_the_streams_and_dimensions_of_the_platform() -> None:
    declared: dict[str, pa.Schema] = {stream.name: schema_of(stream.table.columns) for stream in BAZAAR.streams} | {
        dimension.name: schema_of(tuple(dimension.table.column(name) for name in dimension.columns))
        for dimension in BAZAAR.dimensions
    }
    known = {name: table.schema for name, table in tables("bazaar").items() if name not in MODELS}
    assert known == declared
