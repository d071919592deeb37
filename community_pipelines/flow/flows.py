"""The flow of every platform: which steps it has, and in which order the data flows through them.

Nothing of it is written by hand: streams, contracts and counters say what there is, `ref` and `source` in what order.
Loading it loads no engine and no Dagster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from community_pipelines.flow.counters import Counters
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.plan import PlatformStep
from community_pipelines.flow.raw import Raw, common_bounds
from community_pipelines.models.project import ModelError, load_models
from community_pipelines.models.published_tables import require_targets
from community_pipelines.platforms.data_tests import DeclarationError, check_parents
from community_pipelines.platforms.registry import PLATFORMS
from community_pipelines.platforms.registry import platform as declared
from community_pipelines.platforms.spec import Platform, Table
from community_pipelines.settings import ConfigurationError, Settings


@dataclass(frozen=True)
class Flow:
    """One platform with its steps, in the order the data flows."""

    platform: Platform
    steps: tuple[PlatformStep, ...]

    @property
    def sources(self) -> tuple[Table, ...]:
        """The app's tables that are read: all that are declared but those that are published to."""
        published = {model.contract.publish for model in load_models(self.platform.name)}
        read = self.platform.snapshots.read if self.platform.snapshots else ()
        found = {table.name: table for table in (*read, *self.platform.tables) if table.name not in published}
        return tuple(found.values())


def flow_of(platform: Platform) -> Flow:
    """The platform's streams, its models after all that they read, and its counters.

    Raises ModelError for a model that does not load, one without a table of its own to be published to, or models that
    read each other in a circle.
    """
    require_targets(platform, load_models(platform.name))
    made = Flow(platform, tuple(_steps(platform)))
    for step in made.steps:
        _check(step)
    return made


def _check(step: PlatformStep) -> None:
    """Raises DeclarationError for data tests and rules that are called as another measure, which would take their
    place, and for one that compares with what is no dimension."""
    where = f"{step.platform.name}/{step.asset}"
    names = [bound.column for bound in step.bounds]
    if isinstance(step, Raw):
        names += [bound.column for bound in common_bounds(Settings.model_construct(), step.stream)]
    if isinstance(step, SqlModel):
        parents = {f"{step.platform.name}/{one.name}": set(one.columns) for one in step.platform.dimensions}
        check_parents(step.model.contract.data_tests, parents, where)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DeclarationError(
            f"{where}: {', '.join(repeated)} is the name of more than one measure; give the data test or the rule "
            "another"
        )


def _steps(platform: Platform) -> Iterator[PlatformStep]:
    yield from (Raw(platform, stream) for stream in platform.streams)
    yield from (SqlModel(platform, name) for name in _in_order(platform))
    yield from (Counters(platform, table) for table in platform.counter_tables)


def _in_order(platform: Platform) -> Iterator[str]:
    """The names of the models, each after those that it reads, else by the alphabet."""
    read = {model.name: sorted(model.reads("ref")) for model in load_models(platform.name)}
    unknown = sorted({(name, other) for name, others in read.items() for other in others if other not in read})
    if unknown:
        name, other = unknown[0]
        raise ModelError(f"{platform.name}/{name} reads ref('{other}'), and there is no such model of {platform.name}")
    sorter = TopologicalSorter(read)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ModelError(f"models of {platform.name} read each other in a circle: {circle}") from None
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from ready
        sorter.done(*ready)


FLOWS = tuple(flow_of(declared(name)) for name in PLATFORMS)


def flows(settings: Settings) -> tuple[Flow, ...]:
    """The flows of the platforms that are set up: those with a database of their own, or, where none has one, all of
    them on the embedded PostgreSQL."""
    external = tuple(one for one in FLOWS if not settings.platform(one.platform.name).embedded)
    return external or FLOWS


def flow(platform: str) -> Flow:
    """The flow of the platform of that name; ConfigurationError for an unknown one."""
    for one in FLOWS:
        if one.platform.name == platform:
            return one
    names = ", ".join(one.platform.name for one in FLOWS)
    raise ConfigurationError(f"unknown platform {platform!r}: expected one of {names}")


def with_snapshots(name: str | None) -> Platform:
    """The platform of that name, or the only one, with template snapshots; ConfigurationError where none is meant."""
    having = {one.platform.name: one.platform for one in FLOWS if one.platform.snapshots is not None}
    if name is None and len(having) == 1:
        return next(iter(having.values()))
    if name in having:
        return having[name]
    if name is not None:
        flow(name)
    said = "say whose templates" if name is None else f"{name} has no template snapshots"
    raise ConfigurationError(f"{said}: expected --platform with one of {', '.join(having)}")
