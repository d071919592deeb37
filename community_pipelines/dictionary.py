"""The data dictionary: every table, column, rule and check, written from what is declared.

`python -m community_pipelines.dictionary` writes `docs/data-dictionary.md`; a test fails when it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from community_pipelines.flow.counters import Counters
from community_pipelines.flow.describe import markdown_table, model_upstream
from community_pipelines.flow.model import SqlModel, contract_bounds, volume_bounds
from community_pipelines.flow.raw import Raw, common_bounds
from community_pipelines.models.lineage import column_lineage
from community_pipelines.quality.judge import Bound
from community_pipelines.settings import Settings

FILE = Path(__file__).resolve().parents[1] / "docs" / "data-dictionary.md"


def dictionary() -> str:
    """The whole dictionary as Markdown, with the default limits."""
    from community_pipelines.definitions import FLOWS

    parts = [
        "# Data dictionary",
        "Written by `make dictionary` from the platforms' declarations and the models' contracts. Days are UTC.",
    ]
    for one in FLOWS:
        parts += [f"## {one.platform.name}: {one.platform.title}", one.platform.description]
        for step in one.steps:
            parts += list(_step(step))
    return "\n\n".join(parts) + "\n"


def _step(step: Raw | SqlModel | Counters) -> Iterator[str]:
    yield f"### `{step.key.to_user_string()}`"
    if isinstance(step, Raw):
        yield from _raw(step)
    elif isinstance(step, SqlModel):
        yield from _model(step)
    else:
        yield from _counters(step)


def _raw(step: Raw) -> Iterator[str]:
    stream = step.stream
    yield f"{stream.description} One file per day: `raw/{step.platform.name}/{stream.name}/day=…/data.parquet`."
    yield markdown_table(
        ["column", "type", "what it is"],
        [(f"`{column.name}`", column.type, column.description) for column in stream.table.columns],
    )
    yield "Rows that break one of these rules go to quarantine and are not counted:"
    yield markdown_table(
        ["rule", "a row breaks it when"],
        [
            *((f"`{rule.name}`", rule.description) for rule in stream.quarantine),
            ("`time_outside_day`", f"`{stream.time}` is not inside the day"),
        ],
    )
    yield _checks([*common_bounds(Settings.model_construct()), *step.bounds])


def _model(step: SqlModel) -> Iterator[str]:
    model = step.model
    contract = model.contract
    upstream = {name: columns for name, (_, columns) in model_upstream(step.platform, model).items()}
    lineage = column_lineage(model, upstream)
    yield contract.description
    yield (
        f"Published to `{contract.publish}`. Grain: {', '.join(f'`{name}`' for name in contract.grain)}. "
        f"Days read back: {contract.reads_days_back}."
    )
    yield markdown_table(
        ["column", "type", "null", "what it is", "comes from"],
        [
            (
                f"`{column.name}`",
                column.type,
                "no" if column.not_null else "yes",
                column.description,
                ", ".join(f"`{table}.{name}`" for table, name in lineage[column.name]),
            )
            for column in contract.columns
        ],
    )
    yield _checks([*contract_bounds(contract), *step.bounds, *volume_bounds()])


def _counters(step: Counters) -> Iterator[str]:
    yield (
        f"Cached counters of `{step.table.table.name}`, corrected by drift once for a window of days and explained by "
        f"`{step.table.history_model}`."
    )
    yield markdown_table(
        ["counter", "which rows count"], [(f"`{counter.column}`", counter.rule) for counter in step.table.counters]
    )
    yield _checks(step.bounds())


def _checks(bounds: Sequence[Bound]) -> str:
    rows = [(f"`{bound.column}`", bound.description, bound.expected, bound.severity) for bound in bounds]
    return "Checks by day; an error withholds the day, a warning reports:\n\n" + markdown_table(
        ["measure", "what it is", "expected", "severity"], rows
    )


if __name__ == "__main__":
    FILE.write_text(dictionary())
