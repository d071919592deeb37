"""Assets as people see them: descriptions, owners, kinds, columns, lineage, where the code is."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from community_pipelines.models.lineage import column_lineage
from community_pipelines.models.project import Contract, Model, load_model
from community_pipelines.platforms.declared import MODELS_FOLDER
from community_pipelines.platforms.spec import Choice, Column, CounterTable, Platform, Stream, Table

OWNERS = ["team:community-data"]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; empty cells for None."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = ("" if cell is None else str(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """The same as Dagster shows it with a materialization."""
    return dg.MetadataValue.md(markdown_table(header, rows))


def source_key(platform: Platform, table: Table) -> dg.AssetKey:
    """The key of an app's table, as an external asset."""
    return dg.AssetKey([platform.name, "source", table.name])


def source_spec(platform: Platform, table: Table) -> dg.AssetSpec:
    """An app's table, which this project reads and does not make."""
    return dg.AssetSpec(
        source_key(platform, table),
        description=table.description,
        group_name=f"{platform.name}_source",
        kinds={"postgres"},
        owners=OWNERS,
        metadata={"dagster/table_name": table.default, "dagster/column_schema": column_schema(table.columns)},
    )


def raw_spec(platform: Platform, stream: Stream, key: dg.AssetKey) -> dg.AssetSpec:
    """A stream's day files."""
    source = source_key(platform, stream.table)
    lineage = {c.name: [dg.TableColumnDep(source, c.name)] for c in stream.columns}
    rules = shown_table(
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
            "row rules": rules,
            **_code(MODELS_FOLDER / platform.name / "sources.yml"),
        },
    )


def model_spec(platform: Platform, group: str, model: Model, key: dg.AssetKey) -> dg.AssetSpec:
    """A model's day files and published table, with what its contract says and its columns' lineage."""
    contract = model.contract
    upstream = model_upstream(platform, model)
    lineage = column_lineage(model, {name: columns for name, (_, columns) in upstream.items()})
    deps = [key for key, _ in upstream.values() if key is not None]
    shown = shown_table(
        ["column", "comes from"],
        [(column, ", ".join(f"{table}.{name}" for table, name in pairs)) for column, pairs in lineage.items()],
    )
    return dg.AssetSpec(
        key,
        deps=deps,
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
            "column lineage": shown,
            "grain": ", ".join(contract.grain),
            "reads days back": str(contract.reads_days_back),
            **_code(model.path),
        },
    )


def counters_spec(platform: Platform, table: CounterTable, key: dg.AssetKey) -> dg.AssetSpec:
    """Cached counters on an app's table."""
    history = dg.AssetKey([platform.name, "counters", table.history_model])
    rules = shown_table(["counter", "counts"], counting_rules(platform, table))
    return dg.AssetSpec(
        key,
        deps=[history, *(source_key(platform, one) for one in _counted(platform, table))],
        description=(
            f"The cached counters of {table.table.name}, corrected by drift: truth minus cached, both counted in one "
            "snapshot of the source, is added and never set. Reconciled once at the end of a window of days."
        ),
        group_name=f"{platform.name}_counters",
        kinds={"postgres"},
        owners=OWNERS,
        metadata={
            "dagster/table_name": table.table.default,
            "counting rules": rules,
            **_code(Path(inspect.getfile(type(table))).with_name(platform.name) / "spec.py"),
        },
    )


def counting_rules(platform: Platform, table: CounterTable) -> list[tuple[str, str]]:
    """Each counter with which rows count; where there is a choice, each way with the setting that takes it."""
    rules = []
    for counter in table.counters:
        for option in counter.options:
            if isinstance(counter.rule, Choice):
                default = ", the default" if option == counter.options[0] else ""
                where = f' (`[{platform.name}] {counter.rule.setting} = "{option.name}"`{default})'
            else:
                where = ""
            rules.append((f"`{counter.column}`", f"{option.rule}{where}"))
    return rules


def _counted(platform: Platform, table: CounterTable) -> list[Table]:
    """The tables that the truth is counted in, and the one with the counters."""
    named = [one for one in platform.tables if f"{{{one.name}}}" in table.truth]
    return [*named, *([] if table.table in named else [table.table])]


def model_upstream(platform: Platform, model: Model) -> dict[str, tuple[dg.AssetKey | None, list[str]]]:
    """Every table that a model reads: its asset (None for the calendar) and its columns."""
    found: dict[str, tuple[dg.AssetKey | None, list[str]]] = {}
    for name in model.reads("ref"):
        other = load_model(platform.name, name)
        key = dg.AssetKey([platform.name, platform.model_group(name), name])
        found[name] = (key, other.contract.column_names())
    streams = {stream.name: stream for stream in platform.streams}
    dimensions = {dimension.name: dimension for dimension in platform.dimensions}
    for name in model.reads("source", platform.name):
        if name in streams:
            key = dg.AssetKey([platform.name, "raw", name])
            found[name] = (key, [column.name for column in streams[name].columns])
        else:
            found[name] = (source_key(platform, dimensions[name].table), list(dimensions[name].columns))
    for name in model.reads("source", "calendar"):
        found[name] = (None, ["day", "window_complete"])
    return found


def _keyed(
    pairs: Sequence[tuple[str, str]], upstream: dict[str, tuple[dg.AssetKey | None, list[str]]]
) -> list[tuple[dg.AssetKey, str]]:
    found = []
    for table, column in pairs:
        key = upstream[table][0]
        if key is not None:
            found.append((key, column))
    return found


def column_schema(columns: Sequence[Column]) -> dg.TableSchema:
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
