"""The window of days that one run works on: what its steps share, and how a day is kept back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from community_pipelines.databases import connections as databases
from community_pipelines.databases.deployment import Deployment
from community_pipelines.databases.inspect import require_tables
from community_pipelines.lake.extract import OpenDayError, SourceReader
from community_pipelines.lake.files import Kind, Lake, day_bounds, days_between
from community_pipelines.models.engine import Engine
from community_pipelines.models.gone import Swept, sweeping
from community_pipelines.models.inputs import Inputs, Source, sources_of
from community_pipelines.models.project import load_model, load_models
from community_pipelines.quality import withheld
from community_pipelines.quality.findings import Finding
from community_pipelines.quality.withheld import Withheld, apply_release, reason
from community_pipelines.settings import Settings


@dataclass
class Window:
    """The days that one run works on, and what its steps share.

    `withheld` grows as steps keep days back, by asset and day with the reason: what reads such an asset leaves those
    days alone, and nothing else does. `seconds` is what each stage took. `swept`
    says at the end which rows left because their entities are gone.
    """

    settings: Settings
    deployment: Deployment
    lake: Lake
    days: Sequence[date]
    run_id: str
    staging: Path
    engine: Engine
    known: dict[tuple[str, date], Withheld]
    withheld: dict[str, dict[date, str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    swept: list[Swept] = field(default_factory=list)

    @property
    def platform(self) -> str:
        """The platform's name."""
        return self.deployment.platform.name

    def keep_back(self, asset: str, day: date, why: str) -> None:
        """Keeps a day of that asset back, and with it the day of all that reads the asset."""
        self.withheld.setdefault(asset, {}).setdefault(day, why)

    def kept_back(self, assets: Iterable[str]) -> dict[date, str]:
        """The days that any of these assets keeps back in this run, with the first reason."""
        found: dict[date, str] = {}
        for asset in assets:
            for day, why in self.withheld.get(asset, {}).items():
                found.setdefault(day, why)
        return found

    def inputs(self, asset: str) -> Inputs:
        """What that asset reads from the lake as it is now. That its days were kept back before does not matter:
        they are made anew."""
        start = self.settings.start_date
        known = {key: entry for key, entry in self.known.items() if key[0] != asset or key[1] not in self.days}
        now = {(asset, day) for asset, days in self.withheld.items() for day in days}
        doubtful = doubtful_days(self.deployment, self.lake, start, self.days[-1], unaccepted(known) | now)
        return Inputs(self.deployment.platform, self.lake, start, doubtful)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what the block takes to the stage's seconds."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def settle(
        self,
        asset: str,
        day: date,
        findings: Sequence[Finding],
        content_hash: str,
        fingerprint: str = "",
        releasable: bool = True,
        damaged: str | None = None,
    ) -> tuple[list[Finding], str | None]:
        """The findings after any release, and why the day is kept back (None when it is accepted); records both.

        `damaged` says what is wrong with the file that stays when the day is kept back.
        """
        judged = apply_release(findings, content_hash, self.known.get((asset, day))) if releasable else list(findings)
        failures = [f for f in judged if f.severity == "error" and not f.success]
        if not failures:
            return judged, None
        failures += [withheld.damage(damaged)] if damaged else []
        why = reason(failures)
        self.keep_back(asset, day, f"{asset}: {why}")
        with databases.connect(self.deployment.publish_url, self.deployment.publish_setting) as connection:
            withheld.withhold(
                connection, self.platform, self.run_id, asset, day, failures, content_hash, fingerprint, releasable
            )
        return judged, why

    def damaged(self, kind: Kind, name: str, days: Sequence[date]) -> dict[date, str]:
        """The days whose file is not to be believed, and why; recorded, so that the plan asks for them again."""
        found = self.engine.damage(kind, name, days)
        if found:
            asset = self.deployment.platform.asset(kind, name)
            with databases.connect(self.deployment.publish_url, self.deployment.publish_setting) as connection:
                for day, fault in found.items():
                    withheld.record_damage(connection, self.platform, self.run_id, asset, day, fault)
        return found

    def accepted(self, asset: str, days: Sequence[date]) -> None:
        """Records that days which were kept back before are accepted now."""
        if any((asset, day) in self.known for day in days):
            with databases.connect(self.deployment.publish_url, self.deployment.publish_setting) as connection:
                withheld.resolve(connection, self.platform, asset, days)
            for day in days:
                self.known.pop((asset, day), None)


def unaccepted(known: Mapping[tuple[str, date], Withheld]) -> set[tuple[str, date]]:
    """The assets and days whose newest state is kept back, and that nobody has released."""
    return {key for key, entry in known.items() if not entry.released and not entry.damaged}


def doubtful_days(
    deployment: Deployment, lake: Lake, start: date, last: date, kept: Set[tuple[str, date]]
) -> dict[Source, Set[date]]:
    """By stream and model the days from the first partition to `last` whose rows are not all that there are.

    A day of a stream without an accepted file, a day that is in `kept` (its file, if there is one, is older than the
    state that is kept back), and a model's day that was computed from such a day.
    """
    platform = deployment.platform
    span = days_between(start, last) if start <= last else []
    found: dict[Source, Set[date]] = {}

    def own(source: Source) -> set[date]:
        asset = platform.asset(*source)
        return {day for name, day in kept if name == asset}

    for stream in platform.streams:
        present = set(lake.days("raw", platform.name, stream.name))
        found["raw", stream.name] = own(("raw", stream.name)) | {day for day in span if day not in present}

    def of(source: Source) -> Set[date]:
        if source not in found:
            upstream = sources_of(platform, load_model(platform.name, source[1]))
            found[source] = own(source).union(*map(of, upstream))
        return found[source]

    for model in load_models(platform.name):
        of(("models", model.name))
    return found


@contextmanager
def open_window(settings: Settings, deployment: Deployment, days: Sequence[date], run_id: str) -> Iterator[Window]:
    """Everything that the steps of one run share; closed and cleaned at its end.

    Raises OpenDayError when the last day is not over by the source's clock and replay, SourceError when the source
    lacks a declared table or column. Days before the first partition have no partition key: Dagster refuses them.
    """
    lake = Lake(settings.lake_folder)
    platform = deployment.platform
    require_tables(deployment)
    with ExitStack() as stack:
        staging = stack.enter_context(lake.staging(platform.name, run_id))
        with SourceReader(deployment) as source:
            moment = source.moment()
            closes = day_bounds(days[-1])[1] + settings.grace
            if moment.known_until < closes:
                raise OpenDayError(
                    f"{platform.name}: {days[-1]} is not closed before {closes:%Y-%m-%d %H:%M} UTC and the source's "
                    f"clock says {moment.known_until:%Y-%m-%d %H:%M}; end the window earlier"
                )
            for dimension in platform.dimensions:
                source.dimension(dimension, staging, lake, run_id)
        with databases.connect(deployment.publish_url, deployment.publish_setting) as connection:
            known = withheld.current(connection, platform.name)
        engine = stack.enter_context(Engine(platform, lake, settings.memory_limit, settings.start_date, staging))
        window = Window(settings, deployment, lake, days, run_id, staging, engine, known)
        with sweeping(deployment, lake, run_id, settings.publish_rows) as window.swept:
            yield window
        lake.remove_superseded(settings.superseded_days)
