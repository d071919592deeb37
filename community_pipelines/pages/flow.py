"""The page that shows how data flows: a picture of each platform, and a line for each asset, from the steps themselves.

`make dictionary` writes `docs/flow.md`; a test fails when it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from community_pipelines.flow.counters import Counters
from community_pipelines.flow.flows import FLOWS, Flow
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.plan import PlatformStep
from community_pipelines.flow.raw import Raw
from community_pipelines.flow.steps import Key, Shown
from community_pipelines.flow.upstream import counted, model_upstream, source_key
from community_pipelines.platforms.spec import Platform, Snapshots

FILE = Path(__file__).resolve().parents[2] / "docs" / "flow.md"
# From left to right; the other groups of assets are made of these.
_COLUMNS = {"source": "the app's tables", "raw": "day files", "metrics": "metrics", "counters": "counters"}


def flow_page() -> str:
    """The whole page as Markdown; GitHub draws its pictures."""
    parts = [
        "# The flow",
        "Written by `make dictionary` from the platforms' steps, in the order in which a run takes them. Tables of the "
        "app are copied into day files, models are computed from day files and published, counters are corrected. The "
        "tables that counters are counted in are named below each picture and not drawn. What a box holds is said in "
        "the [data dictionary](data-dictionary.md).",
    ]
    for one in FLOWS:
        parts += [f"## {one.platform.name}: {one.platform.title}", _picture(one), _table(one)]
    return "\n\n".join(parts) + "\n"


def reads(step: PlatformStep) -> list[Key]:
    """What a step's asset is made from: the keys of other assets and of the app's tables."""
    if isinstance(step, Raw):
        return [source_key(step.platform, step.stream.table)]
    if isinstance(step, SqlModel):
        return [key for key, _ in model_upstream(step.platform, step.model).values() if key is not None]
    history = (step.platform.name, "counters", step.table.history_model)
    return [history, *(source_key(step.platform, table) for table in counted(step.platform, step.table))]


def _edges(one: Flow) -> Iterator[tuple[Key, Key]]:
    for step in one.steps:
        # What counters are counted in would cross the whole picture.
        read = reads(step)[:1] if isinstance(step, Counters) else reads(step)
        yield from ((key, step.key) for key in read)
    if one.platform.snapshots is not None:
        made = _templates(one.platform, one.platform.snapshots)
        yield from ((source_key(one.platform, table), made) for table in one.platform.snapshots.read)


def _picture(one: Flow) -> str:
    edges = list(_edges(one))
    by_group: dict[str, list[Key]] = {group: [] for group in _COLUMNS}
    for key in dict.fromkeys(key for edge in edges for key in edge):
        by_group.setdefault(key[1], []).append(key)
    lines = ["flowchart LR"]
    for group, keys in by_group.items():
        if keys:
            lines.append(f'  subgraph {group}["{_COLUMNS.get(group, group)}"]')
            lines += [f'    {_node(key)}["{key[-1]}"]' for key in keys]
            lines.append("  end")
    lines += [f"  {_node(read)} --> {_node(made)}" for read, made in edges]
    return "\n".join(["```mermaid", *lines, "```"])


def _node(key: Key) -> str:
    return "_".join(key[1:])


def _table(one: Flow) -> str:
    rows = [_row(step) for step in one.steps]
    if one.platform.snapshots is not None:
        rows.append(_templates_row(one.platform, one.platform.snapshots))
    return Shown(["asset", "reads", "grain", "writes to", "file"], rows).markdown


def _row(step: PlatformStep) -> Sequence[str]:
    name = step.platform.name
    facts: tuple[tuple[str, ...], str, str]
    if isinstance(step, Raw):
        facts = ((step.stream.id,), "", f"dbt_like_models/{name}/sources.yml")
    elif isinstance(step, SqlModel):
        contract = step.model.contract
        facts = (contract.grain, contract.publish, f"dbt_like_models/{name}/{step.name}.sql")
    else:
        facts = ((step.table.key,), step.table.table.name, f"community_pipelines/platforms/{name}/spec.py")
    return _cells(step.key, reads(step), *facts)


def _templates(platform: Platform, declared: Snapshots) -> Key:
    return (platform.name, "snapshots", declared.templates.name)


def _templates_row(platform: Platform, declared: Snapshots) -> Sequence[str]:
    read = [source_key(platform, table) for table in declared.read]
    file = f"community_pipelines/platforms/{platform.name}/spec.py"
    written = f"{declared.templates.name}`, `{declared.template_scenes.name}"
    return _cells(_templates(platform, declared), read, ("id",), written, file)


def _cells(made: Key, read: Sequence[Key], grain: Sequence[str], published: str, file: str) -> Sequence[str]:
    listed = ", ".join(f"`{'/'.join(key[1:])}`" for key in read)
    return (
        f"`{'/'.join(made[1:])}`",
        listed,
        ", ".join(f"`{column}`" for column in grain),
        f"`{published}`" if published else "",
        f"[{Path(file).name}](../{file})",
    )
