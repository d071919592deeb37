"""Data tests in dbt's words: what is judged per day is what real dbt finds, and what cannot be judged does not load."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pglast
import pytest
import yaml

from community_pipelines.databases.deployment import Names
from community_pipelines.flow import flows
from community_pipelines.flow.flows import flow_of
from community_pipelines.lake.files import Lake
from community_pipelines.models.engine import Engine
from community_pipelines.platforms.data_tests import TESTS, DeclarationError, read_data_tests
from community_pipelines.platforms.declared import _declared, declared
from community_pipelines.platforms.spec import Platform
from community_pipelines.quality.judge import bound_of, judge
from community_pipelines.quality.profile import stream_profile
from tests.odd_rows import DAYS, PLATFORMS, odd_lake
from tests.real_dbt import dbt


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return odd_lake(tmp_path_factory.mktemp("odd") / "lake")


def found_by_dbt(lake: Lake) -> dict[tuple[str, str], int]:
    """By table and name of a test the failures that dbt counts, over all days at once."""
    done = dbt(lake, "test", "--select", "source:*")
    assert "Finished running" in done.stdout, done.stdout + done.stderr
    target = lake.root.parent / "target"
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    found = {}
    for result in json.loads((target / "run_results.json").read_text())["results"]:
        assert result["status"] in ("pass", "warn", "fail"), result["message"]
        node = nodes[result["unique_id"]]
        (table,) = re.findall(r"source\('\w+', '(\w+)'\)", node["test_metadata"]["kwargs"]["model"])
        found[table, node["name"]] = result["failures"]
    return found


def test_what_is_judged_by_day_is_what_real_dbt_finds_over_all_of_them(lake: Lake) -> None:
    theirs = found_by_dbt(lake)
    ours: dict[tuple[str, str], int] = {}
    kinds: dict[tuple[str, str], str] = {}
    for platform in PLATFORMS:
        folder = lake.root.parent / f"judged-{platform.name}"
        folder.mkdir()
        with Engine(platform, lake, "300MB", DAYS[0], folder) as engine:
            for stream in platform.streams:
                files = {day: lake.path("raw", platform.name, stream.name, day) for day in DAYS}
                profile = stream_profile(engine, stream, files)
                bounds = [bound_of(test) for test in stream.data_tests]
                findings = judge(stream.name, profile, bounds, DAYS)
                for number, test in enumerate(stream.data_tests):
                    of_test = [findings[day][number] for day in DAYS]
                    kinds[stream.name, test.name] = test.kind
                    ours[stream.name, test.name] = (
                        sum(not one.success for one in of_test)
                        if test.kind == "day_in_range"
                        else sum(int(str(one.observed)) for one in of_test)
                    )
                    assert all(one.success for one in findings[DAYS[-1]] if one.column != "distinct_users")
    assert theirs.keys() == ours.keys()
    assert set(kinds.values()) >= set(TESTS) - {"one_row_per_grain", "not_null"}
    for key, count in ours.items():
        if kinds[key] == "accepted_values":
            # dbt counts the values, not the rows.
            assert (count > 0) == (theirs[key] > 0), key
        elif key[1] == "distinct_users":
            # The day without rows has nobody, and is no group for dbt.
            assert count == theirs[key] + 1
        else:
            assert count == theirs[key], key
    assert sum(count > 0 for count in ours.values()) > 25


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_sql_that_a_platform_declares_is_sql_and_every_file_is_used(platform: Platform) -> None:
    names = Names(platform, {}, {}, frozenset())
    moment = "'2026-01-01+00'::timestamptz"
    used = [rule.broken for stream in platform.streams for rule in stream.consistency]
    used += [
        text
        for table in platform.counter_tables
        for text in (table.truth, *(a.disagreements for a in table.agreements))
    ]
    folder = Path(inspect.getfile(DeclarationError)).parent / platform.name
    files = {path: path.read_text() for path in sorted(folder.rglob("*.sql"))}
    for text in files.values():
        pglast.parse_sql(names.fill(text, since=moment, until=moment, start=moment, end=moment).replace("%s", "$1"))
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    named = {path: (f'"{path.relative_to(folder).with_suffix("")}"', f'"{path.stem}"') for path in files}
    unused = [path for path, text in files.items() if text not in used and not any(n in source for n in named[path])]
    assert not unused


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_values_that_are_listed_twice_are_the_same_ones(platform: Platform) -> None:
    """A list of values is a test's; what people read of it, and SQL that takes some of it, must not fall behind."""
    compared = 0
    for stream in platform.streams:
        accepted = {rule.names: set(rule.accepted) for rule in stream.quarantine if rule.names}
        for test in stream.data_tests:
            if test.kind == "accepted_values":
                accepted[test.argument("column_name")] = set(test.argument("values"))
        for column in stream.columns:
            listed = re.fullmatch(r"(?:One of|Where it came from:) ([\w, ]+)\.", column.description)
            if listed and column.name in accepted:
                assert set(listed[1].split(", ")) == accepted[column.name], (stream.name, column.name)
                compared += 1
        for rule in stream.quarantine:
            listed = re.search(r"is not one of ([\w, ]+)", rule.description)
            assert not listed or set(listed[1].split(", ")) == set(rule.accepted)
    assert compared >= 2


def test_a_job_is_stuck_in_every_status_that_is_none_of_its_ends() -> None:
    (stories,) = (one for one in PLATFORMS if one.name == "stories")
    tests = {test.name: test for test in stories.stream("jobs").data_tests}
    (ends,) = re.findall(r"status in \((.*?)\)", tests["ends_that_do_not_fit"].argument("expression"))
    (stuck,) = (rule for rule in stories.stream("jobs").consistency if rule.name == "stuck_jobs")
    (waiting,) = re.findall(r"in \((.*?)\)", stuck.broken)
    known = {*re.findall(r"'(\w+)'", ends), *re.findall(r"'(\w+)'", waiting)}
    assert known == set(tests["unknown_states"].argument("values"))
    assert not set(re.findall(r"'(\w+)'", ends)) & set(re.findall(r"'(\w+)'", waiting))


def changed(monkeypatch: pytest.MonkeyPatch, instead_of: str, written: str) -> Platform:
    """A platform that declares what SOURCES does but for one change, as `flow_of` takes it."""
    sources = yaml.safe_load(SOURCES.replace(instead_of, written, 1))["sources"]
    found = _declared("p", Path("p/sources.yml"), {source["name"]: source for source in sources})
    monkeypatch.setattr(flows, "load_models", lambda _: [])
    return Platform("p", "P", "P.", found.tables, found.streams, found.dimensions, (), "events")


@pytest.mark.parametrize("taken", ["duplicates", "rows", "residue"])
def test_a_data_test_called_as_a_measure_of_our_own_is_refused(monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    named = f"        data_tests: [{{row_rule: {{name: {taken}, description: d, arguments: {{expression: x}}}}}}]\n"
    with pytest.raises(DeclarationError, match=f"p/raw/events: {taken} is the name of more than one measure"):
        flow_of(changed(monkeypatch, "        columns:\n", f"{named}        columns:\n"))
    assert [step.asset for step in flow_of(changed(monkeypatch, "nothing", "")).steps] == ["raw/events"]


TABLE = """
    name: events
    data_tests:
      - row_rule:
          name: no_x
          description: rows without x
          arguments: {expression: x is not null}
          config: {severity: warn}
    columns:
      - name: x
        data_tests:
          - in_range: {name: low_x, description: low ones, arguments: {low: 0}}
"""


def test_a_test_is_read_with_its_severity_its_column_and_what_it_says() -> None:
    rule, low = read_data_tests(yaml.safe_load(TABLE), "here")
    assert (rule.kind, rule.name, rule.severity, rule.argument("expression")) == (
        "row_rule", "no_x", "warning", "x is not null",
    )  # fmt: skip
    assert (low.severity, low.argument("column_name"), low.argument("low"), low.argument("high")) == (
        "error",
        "x",
        0,
        None,
    )


@pytest.mark.parametrize(
    ("instead_of", "written", "said"),
    [
        ("row_rule:", "unique:", "the data test unique cannot be judged by day; take one of accepted_values"),
        ("name: no_x", "nam: no_x", "row_rule lacks a name or a description"),
        ("description: rows without x", "descr: x", "row_rule lacks a name or a description"),
        ("name: no_x", "name: low_x", "data tests repeat the name low_x"),
        ("{expression: x is not null}", "{expresion: x}", "lacks expression and has unknown arguments expresion"),
        ("{severity: warn}", "{severity: warning}", "no_x has severity 'warning'; expected error or warn"),
        ("{severity: warn}", "{limit: 3}", "no_x says limit, which nothing reads here"),
        ("arguments: {low: 0}", "arguments: {}", "low_x (in_range) needs low, high or both"),
        ("{expression: x is not null}", "{column_name: y, values: [1]}", "lacks expression"),
        ("row_rule:", "not_null:", "lacks column_name"),
        ("config: {severity: warn}", "config:\n          tags: [x]", "no_x says tags, which nothing reads here"),
        ("{low: 0}", "{low: zero}", "low_x (in_range) needs low, high or both, each a number"),
        (
            "in_range: {name: low_x, description: low ones, arguments: {low: 0}}",
            "accepted_values: {name: known, description: known ones, arguments: {values: [a, null]}}",
            "known (accepted_values) needs a list of values without null",
        ),
        (
            "in_range: {name: low_x, description: low ones, arguments: {low: 0}}",
            "relationships: {name: gone, description: gone, arguments: {to: ref('other'), field: id}}",
            "compares with \"ref('other')\", which cannot be judged by day",
        ),
        (
            "in_range: {name: low_x, description: low ones, arguments: {low: 0}}",
            "same_as_parent: {name: gone, description: gone, "
            "arguments: {to: \"source('p', 'd')\", field: id, key: nothing}}",
            "gone is about 'nothing', which is no column of it",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_by_name(instead_of: str, written: str, said: str) -> None:
    assert instead_of in TABLE
    with pytest.raises(DeclarationError) as refused:
        read_data_tests(yaml.safe_load(TABLE.replace(instead_of, written, 1)), "here/sources.yml, events")
    assert said in str(refused.value)
    assert str(refused.value).startswith("here/sources.yml, events: ")


SOURCES = """
sources:
  - name: p
    tables:
      - name: events
        description: One day of events.
        config:
          event_time: at
          meta:
            stream: {entity: thing_id, states: [kind]}
            quarantine:
              - {name: missing_id, description: the row has no id, broken: id is null}
              - name: unknown_kind
                description: another kind
                accepted_values: {column: kind, values: [a, "it's"]}
        columns:
          - {name: id, data_type: uuid, description: Id.}
          - {name: thing_id, data_type: uuid, description: Thing.}
          - {name: kind, data_type: varchar, description: Kind.}
          - {name: data, data_type: varchar, description: Data., config: {meta: {source_type: jsonb, optional: true}}}
          - {name: at, data_type: timestamptz, description: Time.}
      - name: dim_things
        description: The things.
        config: {meta: {dimension: {table: things}}}
        columns:
          - {name: id, data_type: uuid, description: Thing.}
  - name: p_app
    schema: app
    tables:
      - {name: events, identifier: "Event-s", description: All events., config: {meta: {never_read: [email]}}}
      - name: things
        description: All things.
        columns: [{name: uses, data_type: bigint, description: Cached uses.}]
"""


def read(folder: Path, text: str) -> Any:
    (folder / "p").mkdir()
    (folder / "p" / "sources.yml").write_text(text)
    return declared("p", folder)


def test_a_table_has_the_columns_that_are_copied_of_it_and_its_own(tmp_path: Path) -> None:
    found = read(tmp_path, SOURCES)
    events, things = found.tables
    assert (events.default, events.never_read) == ("app.Event-s", ("email",))
    assert [(c.name, c.type, c.optional) for c in events.columns][-2:] == [
        ("data", "jsonb", True),
        ("at", "timestamptz", False),
    ]
    assert [(c.name, c.type) for c in things.columns] == [("id", "uuid"), ("uses", "bigint")]
    (stream,) = found.streams
    assert (stream.name, stream.time, stream.id, stream.fingerprinted) == ("events", "at", "id", ("thing_id", "kind"))
    assert [column.name for column in stream.columns] == ["id", "thing_id", "kind", "data", "at"]
    assert stream.quarantine[1].broken == "kind is null or kind not in ('a', 'it''s')"
    assert [(one.name, one.columns) for one in found.dimensions] == [("dim_things", ("id",))]


@pytest.mark.parametrize(
    ("instead_of", "written", "said"),
    [
        ("event_time: at", "event_tim: at", "events: config says event_tim, which nothing reads here"),
        ("          event_time: at\n", "", "events: 'event_time' is missing"),
        ("entity: thing_id, ", "", "events: 'entity' is missing"),
        ("states: [kind]", "stats: [kind]", "config.meta.stream says stats, which nothing reads here; it knows entity"),
        ("states: [kind]", "states: [other]", "copies no column other"),
        ("states: [kind]", "states: [data]", "data cannot be optional"),
        ("data_type: bigint", "data_type: int2", "uses has the type int2; expected one of uuid"),
        ("meta:\n            stream:", "meta:\n            strem:", "config.meta says either stream or dimension"),
        ("dimension: {table: things}", "dimension: {table: thing}", "the source p_app lacks the table thing"),
        ("name: p_app", "name: p_ap", "needs the sources p (the lake) and p_app"),
        ("{name: uses,", "{name: id,", "p_app.things: id is said where it is copied; take it away"),
        ("description: Kind.", "descr: Kind.", "events, column kind says descr, which nothing reads here"),
        (", description: Kind.", "", "events: a column lacks 'description'"),
        ("        columns:\n", "        meta: {owner: me}\n        columns:\n", "is said in a meta beside config"),
        (
            "        columns:\n",
            "        data_tests: [{relationships: {name: n, description: d, arguments: "
            "{column_name: thing_id, to: \"source('p', 'nowhere')\", field: id}}}]\n        columns:\n",
            "n compares with p/nowhere, no dimension here",
        ),
        ("            quarantine:", "            consistancy: []\n            quarantine:",
         "events: config.meta says consistancy, which nothing reads here; it knows consistency"),
        ("stream: {entity: thing_id, states: [kind]}", "stream: [thing_id]", "config.meta.stream: expected names with"),
        ("states: [kind]", "settles_days: two", "settles_days is 'two'; expected a whole number"),
        ("{dimension: {table: things}}", "{dimension: {table: things, settles: 3}}", "dimension says settles"),
        ("never_read: [email]", "never_reed: [email]", "p_app.events: config.meta says never_reed"),
        ("never_read: [email]", "never_read: [kind]", "kind is to leave the app and is never_read; take one away"),
        ("source_type: jsonb, optional: true", "optinal: true", "column data: config.meta says optinal"),
        ("description: Cached uses.", "description: Cached uses., data_tests: [not_null]", "uses says data_tests"),
        ("        columns:\n", "        tests: [not_null]\n        columns:\n", "events says tests, which"),
        ("        columns:\n", "        data_tests: [one_row_per_grain]\n        columns:\n", "is for models"),
        (
            "        columns:\n",
            "        data_tests: [{relationships: {name: n, description: d, arguments: "
            "{column_name: thing_id, to: \"source('p', 'dim_things')\", field: key}}}]\n        columns:\n",
            "n reads key, which p/dim_things has not",
        ),
        (
            "        columns:\n",
            "        data_tests: [{relationships: {name: n, description: d, arguments: "
            "{column_name: thing_id, to: \"source('p_app', 'dim_things')\", field: id}}}]\n        columns:\n",
            "n compares with p_app/dim_things, no dimension here",
        ),
        ("  - name: p_app", "  - name: [", "is no valid YAML"),
        ("    tables:\n      - name: events\n", "    tabels:\n      - name: events\n", "is not written as sources.yml"),
        ("            quarantine:", "            consistency: [{name: r, severity: error, description: d}]\n"
         "            quarantine:", "r.sql does not exist: p declares it"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_by_file_and_table(
    tmp_path: Path, instead_of: str, written: str, said: str
) -> None:
    assert instead_of in SOURCES
    with pytest.raises(DeclarationError) as refused:
        read(tmp_path, SOURCES.replace(instead_of, written, 1))
    assert said in str(refused.value)


def test_a_measure_of_a_day_takes_no_where_because_it_is_an_aggregate() -> None:
    table = TABLE.replace("row_rule:", "day_in_range:").replace(
        "expression: x is not null", "measure: count(*), low: 1"
    )
    with pytest.raises(DeclarationError, match=r"takes no where; write it into its measure"):
        read_data_tests(yaml.safe_load(table.replace("{severity: warn}", "{where: x > 1}")), "here")
