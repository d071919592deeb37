"""Every platform with the steps of its flow. Loading it loads no engine and no Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from community_pipelines.flow.plan import PlatformStep
from community_pipelines.models.project import load_models
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


def _steps(name: str) -> tuple[PlatformStep, ...]:
    steps: tuple[PlatformStep, ...] = import_module(f"community_pipelines.platforms.{name}.assets").STEPS
    return steps


FLOWS = tuple(Flow(declared(name), _steps(name)) for name in PLATFORMS)


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
