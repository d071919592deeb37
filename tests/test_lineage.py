"""Which columns a model's columns come from, as people see it in Dagster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.upstream import model_upstream
from community_pipelines.models.lineage import checked, column_lineage
from community_pipelines.models.project import Model, load_model
from community_pipelines.orchestration.describe import StepAsset
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.declared import GALLERY_STEPS as STEPS

EVENTS = "community_events"
METRICS = "community_metrics_daily"


def lineage(name: str) -> dict[str, list[tuple[str, str]]]:
    model = load_model("bazaar", name)
    return column_lineage(model, {table: columns for table, (_, columns) in model_upstream(BAZAAR, model).items()})


@pytest.mark.parametrize(
    ("model", "column", "sources"),
    [
        (METRICS, "template_id", [(EVENTS, "template_id")]),
        (METRICS, "day", [(EVENTS, "created_at")]),
        (METRICS, "event_type", [(EVENTS, "event_type")]),
        # Rows are counted, whatever is in them.
        (METRICS, "count", []),
        ("community_template_activity_daily", "views", [(EVENTS, "event_type")]),
        ("community_template_activity_daily", "anonymous_share", [(EVENTS, "user_id")]),
        ("community_template_activity_daily", "other_source_events", [(EVENTS, "source")]),
        ("community_template_trends", "day", [("days", "day")]),
        ("community_template_trends", "views_7d", [(METRICS, "count"), (METRICS, "event_type")]),
        ("community_template_trends", "conversion_30d", [(METRICS, "count"), (METRICS, "event_type")]),
        ("community_template_trends", "window_complete", [("days", "window_complete")]),
        ("template_counters_daily", "uses_total", [(METRICS, "count"), (METRICS, "event_type")]),
        (
            "template_counters_daily",
            "favorites_change",
            [(EVENTS, name) for name in ("created_at", "event_type", "id", "template_id", "user_id")],
        ),
        ("template_counters_daily", "template_id", [(EVENTS, "template_id"), (METRICS, "template_id")]),
    ],
)
def test_a_column_comes_from(model: str, column: str, sources: list[tuple[str, str]]) -> None:
    assert lineage(model)[column] == sources


def test_a_rank_comes_from_the_listed_templates_too() -> None:
    assert {table for table, _ in lineage("community_template_trends")["rank_7d"]} == {
        METRICS, "community_templates", "days",
    }  # fmt: skip


@pytest.mark.parametrize("step", [step for step in STEPS if isinstance(step, SqlModel)], ids=lambda step: step.asset)
def test_every_column_of_a_contract_has_its_line_in_dagster(step: SqlModel) -> None:
    spec = StepAsset(step).spec()
    columns = step.model.contract.column_names()
    shown = spec.metadata["dagster/column_lineage"].deps_by_column
    assert sorted(shown) == sorted(columns)
    upstream = {dep.asset_key for deps in shown.values() for dep in deps}
    assert upstream <= {dep.asset_key for dep in spec.deps}
    table = spec.metadata["column lineage"].value
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]] == columns


def made(folder: Path, sql: str, columns: list[str]) -> Model:
    (folder / "p").mkdir()
    (folder / "p" / "m.sql").write_text(sql)
    entry = {
        "name": "m",
        "description": "A model.",
        "config": {"meta": {"grain": ["day"], "publish": "m"}},
        "data_tests": ["one_row_per_grain"],
        "columns": [{"name": name, "data_type": "integer", "description": "A column."} for name in columns],
    }
    (folder / "p" / "m.yml").write_text(yaml.safe_dump({"models": [entry]}))
    return load_model("p", "m", folder)


def test_lineage_goes_through_joins_unions_stars_and_renamed_columns(tmp_path: Path) -> None:
    sql = """
        with t as (select * from {{ source('s', 't') }}),
        u as (select a as day, b + c as total from {{ source('s', 'u') }}),
        both_of_them as (select day, x from t union all select day, total from u),
        joined as (
            select both_of_them.day, both_of_them.x as first_x, max(u.total) over () as largest
            from both_of_them left join u on u.day = both_of_them.day
        )
        select * from joined
    """
    model = made(tmp_path, sql, ["day", "first_x", "largest"])
    checked(model)
    assert column_lineage(model, {"t": ["day", "x", "z"], "u": ["a", "b", "c"]}) == {
        "day": [("t", "day"), ("u", "a")],
        "first_x": [("t", "x"), ("u", "b"), ("u", "c")],
        "largest": [("u", "b"), ("u", "c")],
    }


def test_a_name_in_another_case_is_the_same_column(tmp_path: Path) -> None:
    model = made(
        tmp_path, "select Day as day, count(X) as total from {{ source('s', 't') }} group by 1", ["day", "total"]
    )
    assert column_lineage(model, {"t": ["day", "x"]}) == {"day": [("t", "day")], "total": [("t", "x")]}
