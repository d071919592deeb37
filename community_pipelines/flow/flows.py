"""The list of platforms, each with the steps of its flow. Loading it loads no engine and no Dagster."""

from __future__ import annotations

from dataclasses import dataclass

from community_pipelines.flow.plan import PlatformStep
from community_pipelines.platforms.bazaar import assets as bazaar
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.spec import Platform
from community_pipelines.platforms.stories import assets as stories
from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.settings import ConfigurationError, Settings


@dataclass(frozen=True)
class Flow:
    """One platform with its steps, in the order the data flows."""

    platform: Platform
    steps: tuple[PlatformStep, ...]


FLOWS = (Flow(BAZAAR, bazaar.STEPS), Flow(STORIES, stories.STEPS))


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
