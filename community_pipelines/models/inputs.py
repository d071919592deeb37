"""What a model's day was computed from, as one hash: when it differs from the footer's, the day is stale.

A dimension's present state is no input: a template that is hidden today does not make old days stale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta

from community_pipelines.lake.files import Kind, Lake, days_between
from community_pipelines.lake.ledger import Ledger
from community_pipelines.models.project import Dependency, Model
from community_pipelines.platforms.spec import Platform


def window_days(model: Model, first: date, last: date, start: date) -> list[date]:
    """The days that a batch from first to last may read, never before the first partition `start`."""
    back = model.contract.reads_days_back
    earliest = start if back == "all" else max(start, first - timedelta(days=back))
    return days_between(min(earliest, first), last)


class Inputs:
    """Hashes of what models read. `doubtful` are days whose file is missing or older than a withheld state."""

    def __init__(self, platform: Platform, lake: Lake, start: date, doubtful: Iterable[date] = ()) -> None:
        self.platform = platform
        self.lake = lake
        self.start = start
        self.doubtful = frozenset(doubtful)
        self._days: dict[tuple[Kind, str, date], str] = {}
        self._prefixes: dict[tuple[Kind, str], tuple[date, list[bytes]]] = {}

    def complete(self, model: Model, day: date) -> bool:
        """Whether no day that the model may read for that day is doubtful."""
        return not any(earlier in self.doubtful for earlier in window_days(model, day, day, self.start))

    def hash(self, model: Model, day: date) -> str:
        """The hash of the model's SQL and of every day file that it reads for that day."""
        digest = hashlib.sha256(model.sql.encode())
        for dependency in model.dependencies:
            kind = self._kind(dependency)
            if kind is None:
                continue
            if not dependency.unfiltered:
                digest.update(self._day(kind, dependency.name, day).encode())
            elif model.contract.reads_days_back == "all":
                digest.update(self._prefix(kind, dependency.name, day))
            else:
                for earlier in window_days(model, day, day, self.start):
                    digest.update(self._day(kind, dependency.name, earlier).encode())
        return digest.hexdigest()[:32]

    def _kind(self, dependency: Dependency) -> Kind | None:
        if dependency.kind == "ref":
            return "models"
        return "raw" if dependency.name in {stream.name for stream in self.platform.streams} else None

    def _day(self, kind: Kind, name: str, day: date) -> str:
        key = (kind, name, day)
        if key not in self._days:
            ledger: Ledger | None = self.lake.ledger(kind, self.platform.name, name, day)
            doubt = "?" if day in self.doubtful else ""
            self._days[key] = f"{day}={ledger.content_hash if ledger else '-'}{doubt};"
        return self._days[key]

    def _prefix(self, kind: Kind, name: str, day: date) -> bytes:
        # One chain for all days, so that a year costs a year and not its square.
        start, chain = self._prefixes.setdefault((kind, name), (min(self.start, day), []))
        while start + timedelta(days=len(chain)) <= day:
            before = chain[-1] if chain else b""
            today = self._day(kind, name, start + timedelta(days=len(chain)))
            chain.append(hashlib.sha256(before + today.encode()).digest())
        return chain[(day - start).days]
