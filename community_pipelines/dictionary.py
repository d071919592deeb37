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
from community_pipelines.platforms.spec import Platform, Snapshots
from community_pipelines.quality.judge import Bound
from community_pipelines.settings import Settings
from community_pipelines.snapshots.checks import BOUNDS
from community_pipelines.snapshots.tsx import MESSAGES, severity_of

# Rules whose messages name what was found.
_OF_THE_WHOLE = {
    "syntax": "the parser cannot follow: it is no TSX",
    "no-component": "no component is exported by default or registered",
    "import-not-allowed": "an import of what is not among the allowed packages (`snapshots.allowed_imports`)",
    "large-inline-data": "more than 50,000 bytes of text inside the code",
}
FILE = Path(__file__).resolve().parents[1] / "docs" / "data-dictionary.md"


def dictionary() -> str:
    """The whole dictionary as Markdown, with the default limits."""
    from community_pipelines.definitions import FLOWS

    parts = [
        "# Data dictionary",
        "Written by `make dictionary` from the platforms' declarations and the models' contracts. Days are UTC.",
        "Every file carries a seal: the `seal` of its ledger is the sha256 of the whole file, hashed with zeros in its "
        "place. A file is verified before a number is made of it; what would read a damaged one, on its own day or in "
        "a window that reaches back to it, keeps its published numbers until the file is made anew.",
    ]
    for one in FLOWS:
        parts += [f"## {one.platform.name}: {one.platform.title}", one.platform.description]
        for step in one.steps:
            parts += list(_step(step))
        if one.platform.snapshots is not None:
            parts += list(_template_snapshots(one.platform, one.platform.snapshots))
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
        [(f"`{column.name}`", column.type, column.description) for column in stream.columns],
    )
    if stream.table.never_read:
        yield f"Never read: {', '.join(f'`{name}`' for name in stream.table.never_read)}."
    if stream.states:
        states = ", ".join(f"`{name}`" for name in stream.states)
        settling = f", and for {stream.settles_days} days it is read again every night" if stream.settles_days else ""
        yield f"A row may change later: another {states} makes its day stale at any age{settling}."
    yield "Rows that break one of these rules go to quarantine and are not counted:"
    yield markdown_table(
        ["rule", "a row breaks it when"],
        [
            *((f"`{rule.name}`", rule.description) for rule in stream.quarantine),
            ("`time_outside_day`", f"`{stream.time}` is not inside the day"),
        ],
    )
    yield _checks([*common_bounds(Settings.model_construct(), step.stream), *step.all_bounds()])


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


def _template_snapshots(platform: Platform, snapshots: Snapshots) -> Iterator[str]:
    rows, scenes = snapshots.templates, snapshots.template_scenes
    yield f"### `{platform.name}/snapshots/{rows.name}`"
    yield (
        f"Frozen copies of the scenes of `{snapshots.projects.name}`: one row in `{rows.name}` and one in "
        f"`{scenes.name}` per scene, written together. A scene's row is never updated or deleted. "
        "`community.template_versions` links the versions of a project and keeps why one is disabled."
    )
    for table in (rows, scenes):
        yield markdown_table(
            [f"column of `{table.name}`", "type", "what it is"],
            [(f"`{column.name}`", column.type, column.description) for column in table.columns],
        )
    yield "A scene's code is parsed and looked through before anything is written. An error rejects the template:"
    yield markdown_table(
        ["rule", "what it says", "severity"],
        [(f"`{rule}`", says, severity_of(rule)) for rule, says in (*MESSAGES.items(), *_OF_THE_WHOLE.items())],
    )
    yield "Checks after each run, of the whole tables; an error fails the run, a warning reports:"
    yield markdown_table(["what must hold", "severity"], [(bound.description, bound.severity) for bound in BOUNDS])


def _checks(bounds: Sequence[Bound]) -> str:
    rows = [(f"`{bound.column}`", bound.description, bound.expected, bound.severity) for bound in bounds]
    return "Checks by day; an error withholds the day, a warning reports:\n\n" + markdown_table(
        ["measure", "what it is", "expected", "severity"], rows
    )


if __name__ == "__main__":
    FILE.write_text(dictionary())
