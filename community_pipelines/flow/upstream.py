"""What assets are made from, by name: what a model reads, what counters count. For whoever shows the flow."""

from __future__ import annotations

from collections.abc import Sequence

from community_pipelines.flow.steps import Key
from community_pipelines.models.project import Model, load_model
from community_pipelines.platforms.spec import Choice, CounterTable, Platform, Table


def source_key(platform: Platform, table: Table) -> Key:
    """The key of an app's table, which this project reads and does not make."""
    return (platform.name, "source", table.name)


def model_upstream(platform: Platform, model: Model) -> dict[str, tuple[Key | None, list[str]]]:
    """Every table that a model reads: the key of its asset (None for the calendar) and its columns."""
    found: dict[str, tuple[Key | None, list[str]]] = {}
    for name in model.reads("ref"):
        other = load_model(platform.name, name)
        found[name] = ((platform.name, platform.model_group(name), name), other.contract.column_names())
    streams = {stream.name: stream for stream in platform.streams}
    dimensions = {dimension.name: dimension for dimension in platform.dimensions}
    for name in model.reads("source", platform.name):
        if name in streams:
            found[name] = ((platform.name, "raw", name), [column.name for column in streams[name].columns])
        else:
            found[name] = (source_key(platform, dimensions[name].table), list(dimensions[name].columns))
    for name in model.reads("source", "calendar"):
        found[name] = (None, ["day", "window_complete"])
    return found


def counted(platform: Platform, table: CounterTable) -> Sequence[Table]:
    """The tables that the truth is counted in, and the one with the counters."""
    named = [one for one in platform.tables if f"{{{one.name}}}" in table.truth]
    return [*named, *([] if table.table in named else [table.table])]


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
