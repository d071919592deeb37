"""What a model's day was computed from, as one hash: when it differs from the footer's, the day is stale.

A dimension's present state is no input: a template that is hidden today does not make old days stale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, timedelta
from types import MappingProxyType

from community_pipelines.lake.files import Kind, Lake, days_between
from community_pipelines.models.project import Dependency, Model
from community_pipelines.platforms.spec import Platform

# What a model reads from the lake: a stream's files or another model's.
Source = tuple[Kind, str]


def window_days(model: Model, first: date, last: date, start: date) -> list[date]:
    """The days that a batch from first to last may read, never before the first partition `start`."""
    back = model.contract.reads_days_back
    earliest = start if back == "all" else max(start, first - timedelta(days=back))
    return days_between(min(earliest, first), last)


def source_of(platform: Platform, dependency: Dependency) -> Source | None:
    """Where the day files of a dependency are; None for a dimension and the calendar, which have none."""
    if dependency.kind == "ref":
        return ("models", dependency.name)
    return ("raw", dependency.name) if dependency.name in {stream.name for stream in platform.streams} else None


def kept_from(
    model: Model,
    platform: Platform,
    days: Sequence[date],
    start: date,
    damage: Callable[[Kind, str, Sequence[date]], Mapping[date, str]],
) -> dict[date, str]:
    """The days (of `days`, ascending) that would be computed from a damaged file, with what is said of that file.

    `damage` gives the damaged ones of a kind, a name and days.
    """
    found: dict[date, str] = {}
    back = model.contract.reads_days_back
    for dependency in model.dependencies:
        source = source_of(platform, dependency)
        if source is None or not days:
            continue
        reach = window_days(model, days[0], days[-1], start) if dependency.unfiltered else days
        for bad, why in damage(*source, reach).items():
            for day in days:
                reaches = dependency.unfiltered and bad < day and (back == "all" or (day - bad).days <= back)
                if day == bad or reaches:
                    found.setdefault(day, f"{platform.asset(*source)} {bad}: {why}")
    return found


def sources_of(platform: Platform, model: Model) -> list[Source]:
    """What a model reads that has day files, each once, in the order of its SQL."""
    found = (source_of(platform, dependency) for dependency in model.dependencies)
    return list(dict.fromkeys(source for source in found if source is not None))


class Inputs:
    """Hashes of what models read. `doubtful` are, for each source, the days whose rows are not all that there are."""

    def __init__(
        self,
        platform: Platform,
        lake: Lake,
        start: date,
        doubtful: Mapping[Source, Set[date]] = MappingProxyType({}),
    ) -> None:
        self.platform = platform
        self.lake = lake
        self.start = start
        self.doubtful = doubtful
        self._days: dict[tuple[Kind, str, date], str] = {}
        self._faults: dict[tuple[Kind, str, date], str] = {}
        self._prefixes: dict[Source, tuple[date, list[bytes]]] = {}

    def complete(self, model: Model, day: date) -> bool:
        """Whether no day that the model reads for that day is doubtful."""
        first = window_days(model, day, day, self.start)[0]
        for dependency in model.dependencies:
            source = source_of(self.platform, dependency)
            doubtful = self.doubtful.get(source, frozenset()) if source else frozenset()
            if any((first if dependency.unfiltered else day) <= doubt <= day for doubt in doubtful):
                return False
        return True

    def hash(self, model: Model, day: date) -> str:
        """The hash of the model's SQL and of every day file that it reads for that day."""
        digest = hashlib.sha256(model.sql.encode())
        for dependency in model.dependencies:
            source = source_of(self.platform, dependency)
            if source is None:
                continue
            if not dependency.unfiltered:
                digest.update(self._day(*source, day).encode())
            elif model.contract.reads_days_back == "all":
                digest.update(self._prefix(source, day))
            else:
                for earlier in window_days(model, day, day, self.start):
                    digest.update(self._day(*source, earlier).encode())
        return digest.hexdigest()[:32]

    def fault(self, kind: Kind, name: str, day: date) -> str:
        """What is wrong with the footer of that day's file; empty when nothing is, and when there is none."""
        self._day(kind, name, day)
        return self._faults[kind, name, day]

    def _day(self, kind: Kind, name: str, day: date) -> str:
        key = (kind, name, day)
        if key not in self._days:
            ledger, self._faults[key] = self.lake.look(kind, self.platform.name, name, day)
            doubt = "?" if day in self.doubtful.get((kind, name), ()) else ""
            self._days[key] = f"{day}={ledger.content_hash if ledger else '-'}{doubt};"
        return self._days[key]

    def _prefix(self, source: Source, day: date) -> bytes:
        # One chain for all days, so that a year costs a year and not its square.
        start, chain = self._prefixes.setdefault(source, (min(self.start, day), []))
        while start + timedelta(days=len(chain)) <= day:
            before = chain[-1] if chain else b""
            today = self._day(*source, start + timedelta(days=len(chain)))
            chain.append(hashlib.sha256(before + today.encode()).digest())
        return chain[(day - start).days]
