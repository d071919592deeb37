"""The data dictionary: every table, column, rule and check, written from what is declared.

`make dictionary` writes `docs/data-dictionary.md`; a test fails when it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from community_pipelines.flow.counters import Counters
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.raw import Raw, common_bounds
from community_pipelines.flow.steps import Shown
from community_pipelines.flow.upstream import counting_rules, model_upstream
from community_pipelines.models.lineage import column_lineage
from community_pipelines.platforms.spec import Column, Platform, Snapshots
from community_pipelines.quality.judge import Bound
from community_pipelines.settings import Settings
from community_pipelines.snapshots.checks import BOUNDS
from community_pipelines.snapshots.denied import MESSAGES
from community_pipelines.snapshots.tsx import severity_of

# Rules whose messages name what was found.
_OF_THE_WHOLE = {
    "syntax": "the parser cannot follow: it is no TSX",
    "no-component": "no component is exported by default, registered, or the only one that is exported",
    "import-not-allowed": "an import of what is not among the allowed packages (`snapshots.allowed_imports`)",
    "too-slow": "it could not be looked through in its time (`snapshots.seconds_per_scene`)",
    "large-inline-data": "more than 50,000 bytes of text inside the code",
}
FILE = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"


def dictionary() -> str:
    """The whole dictionary as Markdown, with the default limits."""
    from community_pipelines.flow.flows import FLOWS

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
    yield f"### `{'/'.join(step.key)}`"
    if isinstance(step, Raw):
        yield from _raw(step)
    elif isinstance(step, SqlModel):
        yield from _model(step)
    else:
        yield from _counters(step)


def _raw(step: Raw) -> Iterator[str]:
    stream = step.stream
    yield f"{stream.description} One file per day: `raw/{step.platform.name}/{stream.name}/day=…/data.parquet`."
    yield _table(
        ["column", "type", "what it is"],
        [(f"`{column.name}`", _type(column), column.description) for column in stream.columns],
    )
    if stream.table.never_read:
        yield f"Never read: {', '.join(f'`{name}`' for name in stream.table.never_read)}."
    settling = f", and for {stream.settles_days} days it is read again every night" if stream.settles_days else ""
    if stream.fingerprinted:
        states = ", ".join(f"`{name}`" for name in stream.fingerprinted)
        yield f"A row may change later: another {states} makes its day stale at any age{settling}."
    if stream.timeless:
        yield f"A row without `{stream.time}` is {stream.timeless} and belongs to no day."
    yield "Rows that break one of these rules go to quarantine and are not counted:"
    yield _table(
        ["rule", "a row breaks it when"],
        [
            *((f"`{rule.name}`", rule.description) for rule in stream.quarantine),
            ("`time_outside_day`", f"`{stream.time}` is not inside the day"),
        ],
    )
    yield _checks([*common_bounds(Settings.model_construct(), step.stream), *step.bounds])


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
    if contract.entity is not None:
        yield (
            f"After every run no row names a `{contract.entity}` that is gone from `{contract.entity_table}`; what is "
            "disabled or marked as deleted there exists. The lake keeps its rows, `community.publications` counts what "
            "is left out by day, and an entity that comes back gets its rows again."
        )
    yield _table(
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
    yield _checks(step.bounds)


def _counters(step: Counters) -> Iterator[str]:
    yield (
        f"Cached counters of `{step.table.table.name}`, corrected by drift once for a window of days and explained by "
        f"`{step.table.history_model}`. As in the lake, rows whose time belongs to no day do not count, and where "
        "PostgreSQL does not guarantee unique ids an id is one row: the earliest one, at equal times the first by the "
        "text of its other columns in their order."
    )
    yield _table(["counter", "which rows count"], counting_rules(step.platform, step.table))
    for counter, choice in step.table.choices:
        unexplained = [f'"{option.name}"' for option in choice.options if not option.explained]
        yield (
            f"`[{step.platform.name}] {choice.setting}` chooses the rule by which `{counter.column}` is corrected. "
            "What another rule says is counted in the same snapshot and shown beside it: in `community reconcile`, in "
            "`community status` and with every run. "
            f"With {' or '.join(unexplained)}, `{step.table.history_model}.{counter.total}` follows another rule than "
            "the counter, and `totals_off_truth` leaves it out."
        )
    yield _checks(step.bounds)


def _template_snapshots(platform: Platform, snapshots: Snapshots) -> Iterator[str]:
    rows, scenes = snapshots.templates, snapshots.template_scenes
    yield f"### `{platform.name}/snapshots/{rows.name}`"
    yield (
        f"Frozen copies of the scenes of `{snapshots.projects.name}`: one row in `{rows.name}` and one in "
        f"`{scenes.name}` per scene, written together. A scene's row is never updated or deleted. "
        "`community.template_versions` links the versions of a project and keeps why one is disabled."
    )
    for table in (rows, scenes):
        yield _table(
            [f"column of `{table.name}`", "type", "what it is"],
            [(f"`{column.name}`", _type(column), column.description) for column in table.columns],
        )
    yield "A scene's code is parsed and looked through before anything is written. An error rejects the template:"
    yield _table(
        ["rule", "what it says", "severity"],
        [(f"`{rule}`", says, severity_of(rule)) for rule, says in (*MESSAGES.items(), *_OF_THE_WHOLE.items())],
    )
    yield "Checks after each run, of the whole tables; an error fails the run, a warning reports:"
    yield _table(["what must hold", "severity"], [(bound.description, bound.severity) for bound in BOUNDS])


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return Shown(header, rows).markdown


def _type(column: Column) -> str:
    return f"{column.type}, where the app has it" if column.optional else column.type


def _checks(bounds: Sequence[Bound]) -> str:
    rows = [(f"`{bound.column}`", bound.description, bound.expected, bound.severity) for bound in bounds]
    return "Checks by day; an error withholds the day, a warning reports:\n\n" + _table(
        ["measure", "what it is", "expected", "severity"], rows
    )


if __name__ == "__main__":
    FILE.write_text(dictionary())
