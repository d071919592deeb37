"""The step that copies a stream's days into the lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from community_pipelines.flow.describe import markdown_table, raw_spec
from community_pipelines.flow.window import Window
from community_pipelines.flow_types import DayResult, Finding
from community_pipelines.lake.extract import SourceReader
from community_pipelines.lake.files import Lake
from community_pipelines.lake.ledger import DamagedError, Ledger
from community_pipelines.lake.writer import StagedDay
from community_pipelines.maintenance.restore import pinned_days, restored_day
from community_pipelines.platforms.spec import Consistency, Platform, Stream
from community_pipelines.quality.consistency import NONE, Examination, Offences, examined, inconsistencies
from community_pipelines.quality.judge import Bound, judge, none_of
from community_pipelines.quality.profile import stream_profile, volume_ratios
from community_pipelines.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

# Days that are copied, judged and made visible together: what a failure in a long backfill can cost.
CHUNK = 31


@dataclass(frozen=True)
class Raw:
    """`<platform>/raw/<stream>`: one UTC day of a source table in one file, judged by `bounds` and `examinations`."""

    platform: Platform
    stream: Stream
    bounds: Sequence[Bound]
    examinations: Sequence[Examination] = ()

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return dg.AssetKey([self.platform.name, "raw", self.stream.name])

    @property
    def asset(self) -> str:
        """The asset's name within its platform."""
        return f"raw/{self.stream.name}"

    def spec(self) -> dg.AssetSpec:
        """The asset as people see it."""
        return raw_spec(self.platform, self.stream, self.key)

    def run(self, window: Window) -> Iterator[DayResult]:
        """Copies, judges and makes visible the window's days."""
        with SourceReader(window.deployment) as source:
            oldest = source.oldest(self.stream)
            archived = pinned_days(window.deployment, self.stream)
            pinned = [day for day in window.days if day in archived]
            damaged = self._damaged(window, pinned)
            for day in pinned:
                ledger, _ = window.lake.look("raw", window.platform, self.stream.name, day)
                if ledger is not None and day not in damaged:
                    yield DayResult(day, True, None, [], {**_metadata(ledger), "archived": str(archived.pop(day))})
            kept = set(pinned) - archived.keys()
            window.accepted(self.asset, sorted(kept))
            days = [day for day in window.days if day not in kept]
            for start in range(0, len(days), CHUNK):
                yield from self._chunk(window, source, days[start : start + CHUNK], oldest, archived)

    def _chunk(
        self,
        window: Window,
        source: SourceReader,
        days: Sequence[date],
        oldest: datetime | None,
        archived: Mapping[date, Path],
    ) -> Iterator[DayResult]:
        staged: dict[date, StagedDay] = {}
        for day in days:
            try:
                with window.timed("extract"):
                    staged[day] = self._staged(window, source, day, archived.get(day))
            except DamagedError as lost:
                finding = Finding("its archive is whole", "archive", "error", False, str(lost), "the bytes of its seal")
                judged, why = window.settle(self.asset, day, [finding], "", releasable=False)
                yield DayResult(day, False, why, judged)
        days = list(staged)
        if not days:
            return
        with window.timed("quality"):
            # What an archive gives back was neither lost nor pruned.
            read = [day for day in days if day not in archived]
            previous = {day: window.lake.look("raw", window.platform, self.stream.name, day)[0] for day in read}
            damaged = self._damaged(window, days)
            offences = inconsistencies(window.deployment, self.stream.consistency, days[0], days[-1])
            offences |= examined(window.deployment, self.examinations, {day: one.data for day, one in staged.items()})
            unknown = damaged.keys() & read
            profile = self._profile(window, staged, previous, unknown, oldest).assign(
                **{rule.name: [offences.get(rule.name, {}).get(day, NONE).count for day in days] for rule in self.rules}
            )
            bounds = [*common_bounds(window.settings, self.stream), *self.all_bounds()]
            findings = judge(f"{window.platform}/{self.asset}", profile, bounds, days)
        accepted = []
        for day in days:
            ledger = staged[day].ledger
            judged, why = window.settle(
                self.asset,
                day,
                findings[day],
                ledger.content_hash,
                _fingerprint(ledger.fingerprint),
                damaged=damaged.get(day),
            )
            kept = window.lake.path("withheld", window.platform, self.stream.name, day)
            if why is None:
                kept.unlink(missing_ok=True)
                self._make_visible(window.lake, staged[day], day in damaged)
                accepted.append(day)
            else:
                window.lake.swap(staged[day].quarantine or staged[day].data, kept)
            yield DayResult(day, why is None, why, judged, {**_metadata(ledger), **_offenders(offences, day)})
        window.accepted(self.asset, accepted)

    def _damaged(self, window: Window, days: Sequence[date]) -> dict[date, str]:
        """The days of which a file is not to be believed, and why."""
        name = self.stream.name
        return window.engine.damage("quarantine", name, days) | window.engine.damage("raw", name, days)

    def _staged(self, window: Window, source: SourceReader, day: date, archive: Path | None) -> StagedDay:
        if archive is None:
            return source.day(self.stream, day, window.staging, window.run_id, window.settings.grace)
        place = (window.deployment, self.stream, day, window.lake, archive)
        return restored_day(*place, window.staging, window.run_id, window.engine.files)

    @property
    def rules(self) -> tuple[Consistency | Examination, ...]:
        """The rules that need more than the day's own rows."""
        return (*self.stream.consistency, *self.examinations)

    def all_bounds(self) -> list[Bound]:
        """What a day of this stream must be like, beside what holds for all streams."""
        return [*self.bounds, *(none_of(rule.name, rule.severity, rule.description) for rule in self.rules)]

    def _profile(
        self,
        window: Window,
        staged: Mapping[date, StagedDay],
        previous: Mapping[date, Ledger | None],
        unknown: Set[date],
        oldest: datetime | None,
    ) -> pd.DataFrame:
        """One row per day. What the days `unknown` held cannot be told: their files are damaged."""
        frame = stream_profile(window.engine, self.stream, {day: one.data for day, one in staged.items()})
        ledgers = [one.ledger for one in staged.values()]
        ratios = volume_ratios(
            window.lake, "raw", window.platform, self.stream.name, {one.day: one.accepted for one in ledgers}
        )
        return frame.assign(
            rows=[one.accepted for one in ledgers],
            residue=[one.residue for one in ledgers],
            duplicates=[one.duplicates for one in ledgers],
            quarantined=[one.rows_quarantined for one in ledgers],
            quarantined_share=[one.rows_quarantined / one.read if one.read else 0.0 for one in ledgers],
            lost_share=[_lost(one, previous.get(one.day)) for one in ledgers],
            pruned=[
                int(self.stream.shrink_limit != 1 and _pruned(one, previous.get(one.day), one.day in unknown, oldest))
                for one in ledgers
            ],
            volume_ratio=[ratios[one.day] for one in ledgers],
        )

    def _make_visible(self, lake: Lake, staged: StagedDay, damaged: bool = False) -> None:
        ledger = staged.ledger
        place = (ledger.platform, ledger.name, ledger.day)
        # A damaged file makes room, whatever its ledger says.
        present = None if damaged else lake.look("raw", *place)[0]
        quarantine = lake.path("quarantine", *place)
        if present is not None and present.read_at > ledger.read_at:
            return
        # Of a day that settles the file says when it was read last.
        kept = self.stream.settles_days == 0 and quarantine.exists() == (staged.quarantine is not None)
        if present is not None and kept and _same(present, ledger):
            return
        if staged.quarantine is not None:
            lake.swap(staged.quarantine, quarantine, unless_newer=ledger)
        elif quarantine.exists():
            quarantine.unlink()
        lake.swap(staged.data, lake.path("raw", *place), unless_newer=ledger)


def common_bounds(settings: Settings, stream: Stream) -> list[Bound]:
    """What every raw day must be like."""
    shrink_limit = settings.shrink_limit if stream.shrink_limit is None else stream.shrink_limit
    return [
        none_of("residue", "error", "rows read but neither accepted, duplicate nor quarantined"),
        Bound("quarantined_share", "error", "share of rows in quarantine", 0, settings.quarantine_limit),
        Bound("lost_share", "error", "shrunk: share of rows lost since the last extract", None, shrink_limit),
        none_of("pruned", "error", "shrunk: the day lies before the source's oldest row, and had rows"),
        none_of("quarantined", "warning", "rows in quarantine"),
        none_of("duplicates", "warning", "rows whose id repeats"),
        Bound("rows", "warning", "accepted rows", low=1),
        Bound("volume_ratio", "warning", "rows against the median of 28 days", 0.4, 2.5, unknown_passes=True),
    ]


def _same(previous: Ledger, ledger: Ledger) -> bool:
    facts = ("content_hash", "schema_hash", "read", "duplicates", "quarantined")
    same = all(getattr(previous, name) == getattr(ledger, name) for name in facts)
    return same and tuple(previous.fingerprint) == tuple(ledger.fingerprint)


def _lost(ledger: Ledger, previous: Ledger | None) -> float:
    if previous is None or previous.read == 0:
        return 0.0
    return max(0.0, (previous.read - ledger.read) / previous.read)


def _pruned(ledger: Ledger, previous: Ledger | None, unknown: bool, oldest: datetime | None) -> bool:
    had_rows = unknown or (previous is not None and previous.read > 0)
    return had_rows and (oldest is None or ledger.day < oldest.date())


def _offenders(offences: Mapping[str, Mapping[date, Offences]], day: date) -> dict[str, Any]:
    return {
        f"offending: {rule}": dg.MetadataValue.md(markdown_table(["what", "what is wrong"], by_day[day].shown))
        for rule, by_day in offences.items()
        if day in by_day
    }


def _fingerprint(fingerprint: tuple[int, int]) -> str:
    return f"{fingerprint[0]}:{fingerprint[1]}"


def _metadata(ledger: Ledger) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "rows": ledger.accepted,
        "read": ledger.read,
        "duplicates": ledger.duplicates,
        "quarantined": ledger.rows_quarantined,
        "content_hash": ledger.content_hash,
    }
    for rule, count in ledger.quarantined.items():
        named = ledger.measures.get(rule, {})
        values = ", ".join(f"{value} ({times})" for value, times in named.items())
        metadata[f"quarantined: {rule}"] = f"{count}: {values}" if values else str(count)
    return metadata
