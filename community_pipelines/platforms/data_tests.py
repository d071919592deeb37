"""What a table's rows must be like, in dbt's words: the `data_tests` of a source's table or of a model's contract.

Here: reading and refusing them. What judges them per day is in `quality/`; real dbt judges the same lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal

from community_pipelines.errors import ExplainedError

Severity = Literal["error", "warning"]

# It says no more than its name: the grain is written in the contract's config.meta.
GRAIN_TEST = "one_row_per_grain"
# Required and optional arguments of every test that is judged here.
TESTS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "accepted_values": (frozenset({"column_name", "values"}), frozenset()),
    "day_in_range": (frozenset({"measure"}), frozenset({"low", "high"})),
    "in_range": (frozenset({"column_name"}), frozenset({"low", "high"})),
    "not_null": (frozenset({"column_name"}), frozenset()),
    GRAIN_TEST: (frozenset(), frozenset()),
    "relationships": (frozenset({"column_name", "to", "field"}), frozenset()),
    "row_rule": (frozenset({"expression"}), frozenset()),
    "same_as_parent": (frozenset({"column_name", "to", "field", "key"}), frozenset()),
}
SEVERITIES: Mapping[str, Severity] = {"error": "error", "warn": "warning"}
_SOURCE = re.compile(r"source\(\s*'(?P<schema>\w+)'\s*,\s*'(?P<table>\w+)'\s*\)")


class DeclarationError(ExplainedError):
    """A declaration is wrong; the message names the file, the table and what to do."""


@dataclass(frozen=True)
class DataTest:
    """One data test: `kind` says what is judged, `arguments` how; `where` narrows the rows it is about.

    A null passes every test but `not_null`, as it does in dbt. An `error` withholds the day, a `warning` reports.
    """

    kind: str
    name: str
    severity: Severity
    description: str
    arguments: tuple[tuple[str, Any], ...]
    where: str = ""

    def argument(self, name: str) -> Any:
        """The argument of that name; None when it was not given."""
        return dict(self.arguments).get(name)

    @property
    def parent(self) -> str:
        """The dimension that `relationships` and `same_as_parent` compare with, as platform/dimension; else empty."""
        found = _SOURCE.fullmatch(str(self.argument("to")).strip())
        return f"{found['schema']}/{found['table']}" if found else ""


def refuse_unknown(said: object, known: Set[str], where: str) -> None:
    """Raises DeclarationError for a part of a declaration that says something nobody reads, or is no mapping."""
    if not isinstance(said, Mapping):
        raise DeclarationError(f"{where}: expected names with values, found {said!r}")
    unknown = sorted(set(said) - known)
    if unknown:
        raise DeclarationError(
            f"{where} says {', '.join(map(str, unknown))}, which nothing reads here; "
            f"it knows {', '.join(sorted(known))}"
        )


def read_data_tests(table: Mapping[str, Any], where: str) -> tuple[DataTest, ...]:
    """The data tests of a table or model as its YAML says them: its own first, then its columns' in their order.

    `where` names file and table, for messages. Raises DeclarationError for a test that cannot be judged here, one
    without a name or description, an argument that is missing or unknown, and a name that repeats.
    """
    found = [_data_test(test, where, None) for test in table.get("data_tests") or ()]
    for column in table.get("columns") or ():
        found += [_data_test(test, where, column["name"]) for test in column.get("data_tests") or ()]
    names = [one.name for one in found]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DeclarationError(f"{where}: data tests repeat the name {', '.join(repeated)}; give each one of its own")
    columns = {column["name"] for column in table.get("columns") or ()}
    for one in found:
        for key in ("column_name", "key"):
            if one.argument(key) is not None and one.argument(key) not in columns:
                raise DeclarationError(f"{where}: {one.name} is about {one.argument(key)!r}, which is no column of it")
    return tuple(found)


def check_parents(tests: Iterable[DataTest], parents: Mapping[str, Set[str]], where: str) -> None:
    """Raises DeclarationError for a test that compares with what is none of the dimensions `parents`, or with a column
    that the dimension has not: platform/dimension → columns."""
    for test in tests:
        if not test.parent:
            continue
        if test.parent not in parents:
            raise DeclarationError(f"{where}: {test.name} compares with {test.parent}, no dimension here")
        read = {test.argument("field")} | ({test.argument("column_name")} if test.kind == "same_as_parent" else set())
        if missing := sorted(read - parents[test.parent]):
            raise DeclarationError(f"{where}: {test.name} reads {', '.join(missing)}, which {test.parent} has not")


def _data_test(test: Any, where: str, column: str | None) -> DataTest:
    kind, said = (test, {}) if isinstance(test, str) else next(iter(test.items()))
    if kind not in TESTS:
        raise DeclarationError(
            f"{where}: the data test {kind} cannot be judged by day; take one of {', '.join(sorted(TESTS))}"
        )
    if kind == GRAIN_TEST:
        return DataTest(kind, kind, "error", "", ())
    given = dict(said or {})
    name, description = given.pop("name", None), given.pop("description", None)
    if not name or not description:
        raise DeclarationError(f"{where}: a data test {kind} lacks a name or a description; give it both")
    config = given.pop("config", None) or {}
    arguments = {"column_name": column} if column is not None else {}
    arguments |= given.pop("arguments", None) or {}
    refuse_unknown(given | config, {"severity", "where"}, f"{where}: {name}")
    required, optional = TESTS[kind]
    missing, strange = sorted(required - set(arguments)), sorted(set(arguments) - required - optional)
    if missing or strange:
        raise DeclarationError(
            f"{where}: {name} ({kind}) lacks {', '.join(missing) or 'nothing'} and has unknown arguments "
            f"{', '.join(strange) or 'none'}"
        )
    limits = [arguments[limit] for limit in ("low", "high") if limit in arguments]
    if {"low", "high"} & optional and not (limits and all(isinstance(limit, int | float) for limit in limits)):
        raise DeclarationError(f"{where}: {name} ({kind}) needs low, high or both, each a number")
    if kind == "accepted_values" and not (
        isinstance(arguments["values"], list) and arguments["values"] and None not in arguments["values"]
    ):
        raise DeclarationError(f"{where}: {name} ({kind}) needs a list of values without null, which always passes")
    if kind == "day_in_range" and "where" in config:
        raise DeclarationError(f"{where}: {name} ({kind}) takes no where; write it into its measure: filter (where …)")
    severity = config.get("severity", "error")
    if severity not in SEVERITIES:
        raise DeclarationError(f"{where}: {name} has severity {severity!r}; expected error or warn")
    found = DataTest(
        kind,
        name,
        SEVERITIES[severity],
        " ".join(str(description).split()),
        tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in arguments.items()),
        str(config.get("where", "")),
    )
    if "to" in required and not found.parent:
        raise DeclarationError(
            f"{where}: {name} compares with {found.argument('to')!r}, which cannot be judged by day; `to` is a "
            "dimension, written source('<platform>', '<dimension>')"
        )
    return found
