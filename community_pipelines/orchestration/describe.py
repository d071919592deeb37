"""Assets as people see them: descriptions, owners, kinds, columns, lineage, where the code is."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.plan import PlatformStep
from community_pipelines.flow.raw import Raw
from community_pipelines.flow.steps import DayResult, Key, Shown
from community_pipelines.flow.upstream import counted, counting_rules, model_upstream, source_key
from community_pipelines.flow.window import Window
from community_pipelines.models.lineage import column_lineage
from community_pipelines.models.project import Contract, Model
from community_pipelines.orchestration.daily import shown_table
from community_pipelines.platforms.declared import MODELS_FOLDER
from community_pipelines.platforms.spec import Column, CounterTable, Platform, Stream, Table

OWNERS = ["team:community-data"]


@dataclass(frozen=True)
class StepAsset:
    """A step of a platform's flow as an asset that Dagster knows."""

    step: PlatformStep

    @property
    def key(self) -> dg.AssetKey:
        """The asset that the step makes."""
        return dg.AssetKey(self.step.key)

    def spec(self) -> dg.AssetSpec:
        """The asset as people see it."""
        step = self.step
        if isinstance(step, Raw):
            return _raw_spec(step.platform, step.stream, self.key)
        if isinstance(step, SqlModel):
            return _model_spec(step.platform, step.group, step.model, self.key)
        return _counters_spec(step.platform, step.table, self.key)

    def run(self, window: Window) -> Iterator[DayResult]:
        """Does the step's work."""
        return self.step.run(window)


def source_asset(platform: Platform, table: Table) -> dg.AssetKey:
    """The key of an app's table, as an external asset."""
    return dg.AssetKey(source_key(platform, table))


def source_spec(platform: Platform, table: Table) -> dg.AssetSpec:
    """An app's table, which this project reads and does not make."""
    return dg.AssetSpec(
        source_asset(platform, table),
        description=table.description,
        group_name=f"{platform.name}_source",
        kinds={"postgres"},
        owners=OWNERS,
        metadata={"dagster/table_name": table.default, "dagster/column_schema": column_schema(table.columns)},
    )


def _raw_spec(platform: Platform, stream: Stream, key: dg.AssetKey) -> dg.AssetSpec:
    """A stream's day files."""
    source = source_asset(platform, stream.table)
    lineage = {c.name: [dg.TableColumnDep(source, c.name)] for c in stream.columns}
    rules = Shown(
        ["quarantine rule", "a row breaks it when"], [(rule.name, rule.description) for rule in stream.quarantine]
    )
    return dg.AssetSpec(
        key,
        deps=[source],
        description=stream.description,
        group_name=f"{platform.name}_raw",
        kinds={"parquet"},
        owners=OWNERS,
        metadata={
            "dagster/column_schema": column_schema(stream.columns),
            "dagster/column_lineage": dg.TableColumnLineage(lineage),
            "row rules": shown_table(rules),
            **_code(MODELS_FOLDER / platform.name / "sources.yml"),
        },
    )


def _model_spec(platform: Platform, group: str, model: Model, key: dg.AssetKey) -> dg.AssetSpec:
    """A model's day files and published table, with what its contract says and its columns' lineage."""
    contract = model.contract
    upstream = model_upstream(platform, model)
    lineage = column_lineage(model, {name: columns for name, (_, columns) in upstream.items()})
    shown = Shown(
        ["column", "comes from"],
        [(column, ", ".join(f"{table}.{name}" for table, name in pairs)) for column, pairs in lineage.items()],
    )
    return dg.AssetSpec(
        key,
        deps=[dg.AssetKey(read) for read, _ in upstream.values() if read is not None],
        description=contract.description,
        group_name=f"{platform.name}_{group}",
        kinds={"duckdb", "parquet", "postgres", "sql"},
        owners=OWNERS,
        metadata={
            "dagster/table_name": contract.publish if "." in contract.publish else f"public.{contract.publish}",
            "dagster/column_schema": _contract_schema(contract),
            "dagster/column_lineage": dg.TableColumnLineage(
                {
                    column: [dg.TableColumnDep(upstream_key, name) for upstream_key, name in _keyed(pairs, upstream)]
                    for column, pairs in lineage.items()
                }
            ),
            "column lineage": shown_table(shown),
            "grain": ", ".join(contract.grain),
            "reads days back": str(contract.reads_days_back),
            **_code(model.path),
        },
    )


def _counters_spec(platform: Platform, table: CounterTable, key: dg.AssetKey) -> dg.AssetSpec:
    """Cached counters on an app's table."""
    history = dg.AssetKey([platform.name, "counters", table.history_model])
    return dg.AssetSpec(
        key,
        deps=[history, *(source_asset(platform, one) for one in counted(platform, table))],
        description=(
            f"The cached counters of {table.table.name}, corrected by drift: truth minus cached, both counted in one "
            "snapshot of the source, is added and never set. Reconciled once at the end of a window of days."
        ),
        group_name=f"{platform.name}_counters",
        kinds={"postgres"},
        owners=OWNERS,
        metadata={
            "dagster/table_name": table.table.default,
            "counting rules": shown_table(Shown(["counter", "counts"], counting_rules(platform, table))),
            **_code(Path(inspect.getfile(type(table))).with_name(platform.name) / "spec.py"),
        },
    )


def _keyed(
    pairs: Sequence[tuple[str, str]], upstream: Mapping[str, tuple[Key | None, list[str]]]
) -> list[tuple[dg.AssetKey, str]]:
    found = []
    for table, column in pairs:
        key = upstream[table][0]
        if key is not None:
            found.append((dg.AssetKey(key), column))
    return found


def column_schema(columns: Iterable[Column]) -> dg.TableSchema:
    """Declared columns with their types and descriptions, as the UI shows them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(other=["optional"]) if column.optional else None,
            )
            for column in columns
        ]
    )


def _contract_schema(contract: Contract) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.not_null),
            )
            for column in contract.columns
        ]
    )


def _code(path: Path) -> dict[str, Any]:
    with warnings.catch_warnings():
        # Code references are a beta feature; the snapshot of the graph shows when they change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=str(path), line_number=1, label=path.name)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
