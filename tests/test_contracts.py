"""Where two places must agree on a table: contract and published table, `sources.yml` and the declared streams."""

from __future__ import annotations

import psycopg
import pyarrow as pa
import pytest

from community_pipelines.flow.flows import FLOWS
from community_pipelines.flow.model import SqlModel
from community_pipelines.lake.writer import schema_of
from community_pipelines.models.project import load_model
from community_pipelines.platforms.spec import Platform
from tests.model_cases import tables
from tests.prepared import prepared

MODELS = [(one.platform.name, step.name) for one in FLOWS for step in one.steps if isinstance(step, SqlModel)]
IN_POSTGRES = {"varchar": "character varying", "double": "double precision"}


@pytest.mark.parametrize(("platform", "model"), MODELS)
def test_a_contract_has_the_columns_of_the_table_that_it_is_published_to(
    database: str, platform: str, model: str
) -> None:
    prepared(database, platform)
    contract = load_model(platform, model).contract
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


@pytest.mark.parametrize("platform", [one.platform for one in FLOWS], ids=lambda platform: platform.name)
def test_the_sources_of_the_models_are_the_streams_and_dimensions_of_the_platform(platform: Platform) -> None:
    declared: dict[str, pa.Schema] = {stream.name: schema_of(stream.columns) for stream in platform.streams} | {
        dimension.name: schema_of(tuple(dimension.table.column(name) for name in dimension.columns))
        for dimension in platform.dimensions
    }
    models = [model for of, model in MODELS if of == platform.name]
    known = {name: table.schema for name, table in tables(platform.name).items() if name not in models}
    assert known == declared
