"""Reads `dbt_like_models/<platform>/`: a model is one `.sql` file and one contract (`.yml`) beside it.

No contract, no load: a model that cannot be loaded fails the load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from community_pipelines.errors import ExplainedError
from community_pipelines.platforms.data_tests import GRAIN_TEST, DataTest, DeclarationError, read_data_tests
from community_pipelines.platforms.declared import MODELS_FOLDER


class ModelError(ExplainedError):
    """A model or its contract is wrong; the message names the file and what to do."""


class Relation(Protocol):
    """What `ref()` and `source()` give to a model's SQL; `str()` is the batch's days, `render()` all it may read."""

    def __str__(self) -> str: ...

    def render(self) -> str:
        """The relation without the batch's filter."""
        ...


@dataclass(frozen=True)
class ContractColumn:
    """A column of a contract. `values` are the accepted values, empty for any."""

    name: str
    type: str
    description: str
    not_null: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """What a model promises: its grain, its columns, where it is published.

    `reads_days_back` is how many days before its own a row may come from: 0 for models whose rows stay inside
    their day, "all" for those that read everything earlier. `publish` is the target table. `entity` is the column
    that names a row of the app's table `entity_table`, by its logical name; both are None for a model that counts
    nothing that can be deleted. `data_tests` are what its rows must be like.
    """

    description: str
    grain: tuple[str, ...]
    columns: tuple[ContractColumn, ...]
    entity: str | None
    entity_table: str | None
    publish: str
    reads_days_back: int | Literal["all"]
    data_tests: tuple[DataTest, ...] = ()

    def column_names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class Dependency:
    """One `ref()` or `source()`; `unfiltered` where the model also reads outside its batch."""

    kind: Literal["ref", "source"]
    schema: str
    name: str
    unfiltered: bool


@dataclass(frozen=True)
class Model:
    """A model as it is written: SQL text, contract, and what it reads."""

    platform: str
    name: str
    sql: str
    path: Path
    contract: Contract
    dependencies: tuple[Dependency, ...]

    def reads(self, kind: Literal["ref", "source"], schema: str | None = None) -> list[str]:
        """The names of its references of that kind, each once, in the SQL's order."""
        found = (d.name for d in self.dependencies if d.kind == kind and schema in (None, d.schema))
        return list(dict.fromkeys(found))

    def rendered(self, ref: Callable[[str], Relation], source: Callable[[str, str], Relation]) -> str:
        """The SQL with every reference replaced. Raises ModelError for a template that does not render."""
        return _render(self.path, self.sql, ref, source)


class _Recorder:
    """A relation that only notes how it is used."""

    def __init__(self, seen: list[Dependency], kind: Literal["ref", "source"], schema: str, name: str) -> None:
        self._note: Callable[[bool], None] = lambda wide: seen.append(Dependency(kind, schema, name, wide))
        self._text = f'"{name}"'

    def __str__(self) -> str:
        self._note(False)
        return self._text

    def render(self) -> str:
        self._note(True)
        return self._text


@cache
def _template(text: str) -> jinja2.Template:
    # A model is rendered for every day, and compiling it takes longer than a small day's query. In the sandbox it
    # reaches nothing but what it is given: who may write a model's SQL runs no program with it.
    return ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(text)


def _render(path: Path, text: str, ref: Callable[[str], Relation], source: Callable[[str, str], Relation]) -> str:
    try:
        return _template(text).render(ref=ref, source=source, config=lambda **_: "")
    # A template can fail in any way: it divides by zero, calls itself, asks for all memory.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ModelError(f"{path} does not render: {reason}; models may use ref(), source() and config()") from None


@cache
def load_model(platform: str, name: str, folder: Path = MODELS_FOLDER) -> Model:
    """One model with its contract. That both name the same columns is checked where it gets its lineage.

    Raises ModelError when either file is missing or wrong, naming the file and the fault.
    """
    sql_path = folder / platform / f"{name}.sql"
    contract_path = sql_path.with_suffix(".yml")
    if not sql_path.exists():
        raise ModelError(f"{sql_path} does not exist: a model is one .sql file named as its asset")
    if not contract_path.exists():
        raise ModelError(f"{contract_path} does not exist: no contract, no load; write one beside the SQL")
    text = sql_path.read_text()
    contract = _contract(contract_path, name)
    seen: list[Dependency] = []
    _render(
        sql_path,
        text,
        lambda table: _Recorder(seen, "ref", platform, table),
        lambda schema, table: _Recorder(seen, "source", schema, table),
    )
    return Model(platform, name, text, sql_path, contract, tuple(dict.fromkeys(seen)))


def model_names(platform: str) -> list[str]:
    """The names of the platform's models, sorted."""
    return sorted(path.stem for path in (MODELS_FOLDER / platform).glob("*.sql"))


def load_models(platform: str) -> list[Model]:
    """All models of the platform, by name; ModelError when one does not load."""
    return [load_model(platform, name) for name in model_names(platform)]


def _contract(path: Path, name: str) -> Contract:
    try:
        data = yaml.load(path.read_text(), yaml.CSafeLoader)
        (entry,) = [item for item in data["models"] if item["name"] == name]
        meta = entry["config"]["meta"]
        columns = tuple(_column(item) for item in entry["columns"])
        contract = Contract(
            description=" ".join(str(entry["description"]).split()),
            grain=tuple(meta["grain"]),
            columns=columns,
            entity=meta.get("entity"),
            entity_table=meta.get("entity_table"),
            publish=meta["publish"],
            reads_days_back=meta.get("reads_days_back", 0),
            data_tests=read_data_tests(entry, str(path)),
        )
        _refuse_unjudged(entry, path)
    except DeclarationError as error:
        raise ModelError(str(error)) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} is no contract of {name} ({type(error).__name__}: {error}); it needs a description, columns with "
            "data_type and description, and config.meta with grain and publish"
        ) from None
    if (contract.entity is None) != (contract.entity_table is None):
        raise ModelError(f"{path}: entity is a column that names a row of entity_table: give both or none")
    named = (*contract.grain, *([contract.entity] if contract.entity else []), "day")
    absent = [column for column in named if column not in contract.column_names()]
    if absent:
        raise ModelError(f"{path}: grain, entity and day must be columns of the model; missing: {absent}")
    if GRAIN_TEST not in {test.kind for test in contract.data_tests}:
        raise ModelError(f"{path}: {name} lacks {GRAIN_TEST} among its data_tests: without it dbt judges no grain")
    return contract


def _refuse_unjudged(entry: Mapping[str, Any], path: Path) -> None:
    for said in (entry, *entry["columns"]):
        if "tests" in said:
            raise ModelError(f"{path}: {said['name']} has tests, which dbt calls data_tests now; write that")
    kinds = {one["type"] for column in entry["columns"] for one in column.get("constraints") or ()}
    if kinds - {"not_null"} or "constraints" in entry:
        raise ModelError(f"{path}: of constraints only a column's not_null is kept; say the others as data_tests")


def _column(item: dict[str, Any]) -> ContractColumn:
    values: tuple[str, ...] = ()
    for test in item.get("data_tests", ()):
        if isinstance(test, dict) and "accepted_values" in test:
            values = tuple(test["accepted_values"].get("arguments", test["accepted_values"])["values"])
    return ContractColumn(
        name=item["name"],
        type=str(item["data_type"]).lower(),
        description=" ".join(str(item["description"]).split()),
        not_null=any(constraint["type"] == "not_null" for constraint in item.get("constraints", ())),
        values=values,
    )
