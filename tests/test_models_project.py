"""The model files: every model has a contract that says everything, and the published tables agree with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from community_pipelines.models.engine import DUCKDB_TYPES, canonical
from community_pipelines.models.lineage import checked
from community_pipelines.models.project import ModelError, load_model
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.declared import MODELS_FOLDER
from community_pipelines.platforms.spec import Platform
from community_pipelines.platforms.stories.spec import STORIES
from tests.community import Community
from tests.declared import GALLERY_STEPS as STEPS

FOLDER = MODELS_FOLDER / "bazaar"
MODELS = sorted(file.stem for file in FOLDER.glob("*.sql"))

# What PostgreSQL calls the types of the contracts.
POSTGRES_TYPES = {
    "uuid": "uuid",
    "date": "date",
    "varchar": "character varying",
    "bigint": "bigint",
    "double": "double precision",
    "boolean": "boolean",
}


def contract_file(name: str) -> dict[str, Any]:
    (entry,) = yaml.safe_load((FOLDER / f"{name}.yml").read_text())["models"]
    found: dict[str, Any] = entry
    return found


def test_every_model_is_an_asset_and_every_asset_of_a_model_has_its_files() -> None:
    assert sorted(step.asset.split("/")[1] for step in STEPS if hasattr(step, "model")) == MODELS
    assert sorted(file.stem for file in FOLDER.glob("*.yml") if file.stem != "sources") == MODELS


@pytest.mark.parametrize("name", MODELS)
class TestEveryModel:
    def test_its_contract_describes_it_and_each_of_its_columns(self, name: str) -> None:
        entry = contract_file(name)
        assert entry["name"] == name
        assert len(entry["description"].split()) > 8
        for column in entry["columns"]:
            assert len(column["description"].split()) >= 1, column["name"]
            assert column["description"].rstrip().endswith("."), column["name"]
            assert column["data_type"], column["name"]
        assert "one_row_per_grain" in entry["data_tests"]

    def test_its_contract_names_grain_entity_and_target(self, name: str) -> None:
        contract = load_model("bazaar", name).contract
        assert contract.grain[:2] == ("template_id", "day")
        assert (contract.entity, contract.entity_table) == ("template_id", "community_templates")
        schema, _, table = contract.publish.rpartition(".")
        assert (schema, table) == ("" if name == "community_metrics_daily" else "community", name)

    def test_its_columns_are_in_order_ids_then_the_day_then_the_rest(self, name: str) -> None:
        columns = load_model("bazaar", name).contract.column_names()
        assert columns[:2] == ["template_id", "day"]
        assert len(set(columns)) == len(columns)

    def test_its_grain_is_not_null(self, name: str) -> None:
        contract = load_model("bazaar", name).contract
        assert {column.name for column in contract.columns if column.not_null} >= set(contract.grain)

    def test_its_sql_is_lowercase_imports_first_and_ends_in_select_star(self, name: str) -> None:
        text = (FOLDER / f"{name}.sql").read_text()
        code = re.sub(r"--.*", "", text)
        assert code == code.lower()
        assert re.search(r"\n\nselect \* from [a-z_]+\n\Z", text)
        ctes = re.split(r"^\),$", code, flags=re.MULTILINE)
        importing = [("ref(" in cte or "source(" in cte) for cte in ctes]
        assert sum(importing) == code.count("{{")
        assert all("group by 1" not in cte for cte in ctes)

    def test_it_reads_nothing_of_today(self, name: str) -> None:
        text = (FOLDER / f"{name}.sql").read_text()
        assert not re.search(r"\b(now\(|current_|today\(|random\(|uuid\()", text)


def test_a_model_reads_back_no_further_than_it_says() -> None:
    reads = {name: load_model("bazaar", name) for name in MODELS}
    assert {name: model.contract.reads_days_back for name, model in reads.items()} == {
        "community_metrics_daily": 0,
        "community_template_activity_daily": 0,
        "community_template_trends": 59,
        "template_counters_daily": "all",
    }
    for model in reads.values():
        outside = any(dependency.unfiltered for dependency in model.dependencies if dependency.schema != "calendar")
        assert outside == (model.contract.reads_days_back != 0)


def test_dependencies_come_from_the_sql() -> None:
    trends = load_model("bazaar", "community_template_trends")
    assert trends.reads("ref") == ["community_metrics_daily"]
    assert trends.reads("source", "bazaar") == ["community_templates"]
    counters = load_model("bazaar", "template_counters_daily")
    assert counters.reads("source") == ["days", "community_events"]


@pytest.mark.parametrize("name", MODELS)
def test_the_published_table_agrees_with_the_contract(database: str, tmp_path: Path, name: str) -> None:
    from datetime import date

    gallery = Community(database, tmp_path, date(2026, 1, 1)).create()
    contract = load_model("bazaar", name).contract
    schema, _, table = contract.publish.rpartition(".")
    columns = gallery.rows(
        """
        select column_name, data_type, is_nullable = 'NO'
        from information_schema.columns
        where table_schema = %s and table_name = %s
        order by ordinal_position
        """,
        schema or "public",
        table,
    )
    expected = [(column.name, POSTGRES_TYPES[column.type], column.not_null) for column in contract.columns]
    assert columns == expected
    key = gallery.rows(
        """
        select attname
        from pg_constraint
        cross join unnest(conkey) with ordinality as part (number, place)
        join pg_attribute on attrelid = conrelid and attnum = part.number
        where contype = 'p' and conrelid = %s::regclass
        order by part.place
        """,
        f"{schema or 'public'}.{table}",
    )
    assert tuple(row[0] for row in key) == contract.grain


@pytest.mark.parametrize("name", [name for name in MODELS if name != "community_metrics_daily"])
def test_the_comments_of_our_tables_say_what_the_contract_says(database: str, tmp_path: Path, name: str) -> None:
    from datetime import date

    gallery = Community(database, tmp_path, date(2026, 1, 1)).create()
    comments = gallery.rows(
        "select attname, col_description(attrelid, attnum) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 order by attnum",
        f"community.{name}",
    )
    contract = load_model("bazaar", name).contract
    assert comments == [(column.name, column.description) for column in contract.columns]


@pytest.mark.parametrize("platform", [BAZAAR, STORIES], ids=lambda platform: platform.name)
def test_the_sources_of_dbt_are_the_tables_of_the_spec(platform: Platform) -> None:
    (sources,) = [
        source
        for source in yaml.safe_load((MODELS_FOLDER / platform.name / "sources.yml").read_text())["sources"]
        if source["name"] == platform.name
    ]
    listed = {
        table["name"]: [(column["name"], canonical(column["data_type"])) for column in table["columns"]]
        for table in sources["tables"]
    }
    declared = {
        stream.name: [(column.name, DUCKDB_TYPES[column.type]) for column in stream.columns]
        for stream in platform.streams
    } | {
        dimension.name: [(name, DUCKDB_TYPES[dimension.table.column(name).type]) for name in dimension.columns]
        for dimension in platform.dimensions
    }
    assert listed == declared


class TestWrongFiles:
    SQL = "with a as (select 1 as x), b as (select x, date '2026-01-01' as day from a) select * from b"
    YML = """
        models:
          - name: m
            description: A model.
            config: {meta: {grain: [x, day], entity: x, entity_table: xs, publish: m}}
            data_tests: [one_row_per_grain]
            columns:
              - {name: x, data_type: integer, description: A number.}
              - {name: day, data_type: date, description: A day.}
    """

    def load(self, folder: Path, sql: str | None = SQL, yml: str | None = YML) -> str:
        (folder / "p").mkdir()
        for text, kind in ((sql, "sql"), (yml, "yml")):
            if text is not None:
                (folder / "p" / f"m.{kind}").write_text(text)
        with pytest.raises(ModelError) as error:
            checked(load_model("p", "m", folder))
        assert str(folder / "p" / "m.") in str(error.value)
        return str(error.value)

    def test_the_files_of_these_tests_are_right_as_they_are(self, tmp_path: Path) -> None:
        (tmp_path / "p").mkdir()
        (tmp_path / "p" / "m.sql").write_text(self.SQL)
        (tmp_path / "p" / "m.yml").write_text(self.YML)
        model = load_model("p", "m", tmp_path)
        checked(model)
        assert model.contract.grain == ("x", "day")

    def test_a_missing_sql_file(self, tmp_path: Path) -> None:
        assert "does not exist: a model is one .sql file" in self.load(tmp_path, sql=None)

    def test_a_missing_contract(self, tmp_path: Path) -> None:
        assert "does not exist: no contract, no load" in self.load(tmp_path, yml=None)

    def test_sql_that_does_not_parse(self, tmp_path: Path) -> None:
        assert "is no valid SQL" in self.load(tmp_path, sql="select from where (")

    def test_a_template_that_does_not_render(self, tmp_path: Path) -> None:
        assert "'rev' is undefined" in self.load(tmp_path, sql="select * from {{ rev('x') }}")

    @pytest.mark.parametrize(
        "template",
        [
            "ref.__globals__",
            "ref.__globals__['os'].system('touch {file}')",
            "ref['__globals__']",
            "ref|attr('__globals__')",
            "source.__code__.co_consts",
            "config.__class__.__mro__[1].__subclasses__()",
            "''.__class__.__mro__[1].__subclasses__()",
            "[ref]|map(attribute='__globals__')|first",
            "'{{0.__globals__}}'.format(ref)",
            "'%s'.__mod__.__self__.__class__",
            "self.__init__.__globals__",
            "cycler.__init__.__globals__.os.popen('touch {file}').read()",
            "lipsum.__globals__.os.system('touch {file}')",
            "ref('x')._note.__globals__",
            "(ref('x').render).__func__.__globals__",
            "range(1000000000)|list",
        ],
    )
    def test_a_template_that_reaches_for_the_program_around_it(self, tmp_path: Path, template: str) -> None:
        file = tmp_path / "made"
        said = self.load(tmp_path, sql=f"{{{{ {template.format(file=file)} }}}} {self.SQL}")
        assert "models may use ref(), source() and config()" in said
        assert not file.exists()

    @pytest.mark.parametrize("template", ["'a' + 1", "1 / 0", "ref()"])
    def test_a_template_that_fails_while_it_is_rendered(self, tmp_path: Path, template: str) -> None:
        assert "does not render: " in self.load(tmp_path, sql=f"{{{{ {template} }}}} {self.SQL}")

    def test_a_template_that_calls_itself_without_an_end(self, tmp_path: Path) -> None:
        endless = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"
        assert "does not render: " in self.load(tmp_path, sql=f"{endless} {self.SQL}")

    def test_a_last_select_whose_columns_nobody_can_tell(self, tmp_path: Path) -> None:
        assert "must name its columns" in self.load(tmp_path, sql="select * from {{ source('p', 'x') }}")

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("- {name: x,", "- {name: z,", "grain, entity and day must be columns of the model; missing: ['x', 'x']"),
            ("data_type: integer, ", "", "KeyError: 'data_type'"),
            (", description: A number.", "", "KeyError: 'description'"),
            ("grain: [x, day], ", "", "KeyError: 'grain'"),
            ("data_tests: [one_row_per_grain]", "", "m lacks one_row_per_grain among its data_tests"),
            (
                "data_tests: [",
                "tests: [not_null]\n            data_tests: [",
                "m has tests, which dbt calls",
            ),
            (
                "description: A day.",
                "description: A day., constraints: [{type: unique}]",
                "column's not_null is kept",
            ),
            ("[one_row_per_grain]", "[one_row_per_grain, unique]", "the data test unique cannot be judged by day"),
            ("entity: x, ", "", "give both or none"),
            (", entity_table: xs", "", "give both or none"),
            ("name: m", "name: n", "is no contract of m"),
            ("models:", "models: [", "is no contract of m"),
            ("A day.}", "A day.}\n              - {name: y, data_type: integer, description: More.}", "lacks ['y']"),
        ],
    )
    def test_a_contract_that_is_not_right(self, tmp_path: Path, before: str, after: str, said: str) -> None:
        assert before in self.YML
        assert said in self.load(tmp_path, yml=self.YML.replace(before, after))
