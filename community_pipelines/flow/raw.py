"""The step that copies a stream's days into the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from community_pipelines.flow.steps import DayResult, Key, Shown
from community_pipelines.flow.window import Window
from community_pipelines.lake.extract import NO_TIME, SourceReader
from community_pipelines.lake.files import Lake
from community_pipelines.lake.late import compare_again, days_with_deletions
from community_pipelines.lake.ledger import DamagedError, Ledger
from community_pipelines.lake.moved import (
    NO_REPEATS,
    Repeats,
    days_of,
    on_other_days,
    repeats,
    still_there,
    vanished,
)
from community_pipelines.lake.writer import StagedDay
from community_pipelines.maintenance.restore import pinned_days, restored_day
from community_pipelines.platforms.spec import Consistency, Examination, Platform, Stream
from community_pipelines.quality.consistency import NONE, Offences, examinations, examined, inconsistencies
from community_pipelines.quality.findings import Finding
from community_pipelines.quality.judge import Bound, bound_of, judge, none_of
from community_pipelines.quality.profile import stream_profile, volume_ratios
from community_pipelines.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

# Days that are copied, judged and made visible together: what a failure in a long backfill can cost.
CHUNK = 31


@dataclass(frozen=True)
class Losses:
    """Rows of a day's file that the source's day has no more: deleted ones, as a number and as a share of the rows
    that were read, and ones that are on another day now. `unknown`: the file is damaged, there may be more."""

    lost: int = 0
    moved: int = 0
    share: float = 0.0
    unknown: bool = False

    def metadata(self) -> dict[str, int]:
        """What there is, for people."""
        shown = {"deleted since the last extract": self.lost, "moved to another day": self.moved}
        return {what: count for what, count in shown.items() if count}


@dataclass(frozen=True)
class Raw:
    """`<platform>/raw/<stream>`: one UTC day of a source table in one file, judged by what the stream declares."""

    platform: Platform
    stream: Stream

    @property
    def key(self) -> Key:
        """The asset's key."""
        return (self.platform.name, "raw", self.stream.name)

    @property
    def asset(self) -> str:
        """The asset's name within its platform."""
        return f"raw/{self.stream.name}"

    @property
    def upstream(self) -> list[str]:
        """The assets whose days it reads: none, its rows are the source's."""
        return []

    def run(self, window: Window) -> Iterator[DayResult]:
        """Copies, judges and makes visible the window's days."""
        with SourceReader(window.deployment) as source:
            oldest = source.oldest(self.stream)
            without_day = source.without_day(self.stream)
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
                yield from self._chunk(window, source, days[start : start + CHUNK], oldest, archived, without_day)

    def _chunk(
        self,
        window: Window,
        source: SourceReader,
        days: Sequence[date],
        oldest: datetime | None,
        archived: Mapping[date, Path],
        without_day: Mapping[str, int],
    ) -> Iterator[DayResult]:
        def read(day: date, repeats: Repeats = NO_REPEATS) -> StagedDay:
            place = (window.staging, window.run_id)
            if day in archived:
                archive = (window.lake, archived[day])
                return restored_day(window.deployment, self.stream, day, *archive, *place, window.engine.files)
            return source.day(self.stream, day, *place, window.settings.grace, repeats, without_day)

        staged: dict[date, StagedDay] = {}
        for day in days:
            try:
                with window.timed("extract"):
                    staged[day] = read(day)
            except DamagedError as lost:
                finding = Finding("its archive is whole", "archive", "error", False, str(lost), "the bytes of its seal")
                judged, why = window.settle(self.asset, day, [finding], "", releasable=False)
                yield DayResult(day, False, why, judged)
        days = list(staged)
        if not days:
            return
        with window.timed("extract"):
            elsewhere = self._on_other_days(window, staged, unique=source.ids_are_unique(self.stream))
            staged |= self._without_repeats(window, staged, elsewhere, read) if elsewhere else {}
        with window.timed("quality"):
            # What an archive gives back was neither lost nor pruned.
            compared = [day for day in days if day not in archived]
            previous = {day: window.lake.look("raw", window.platform, self.stream.name, day)[0] for day in compared}
            damaged = self._damaged(window, days)
            offences = inconsistencies(window.deployment, self.stream.consistency, days[0], days[-1])
            offences |= examined(window.deployment, self.stream, {day: one.data for day, one in staged.items()})
            unknown = damaged.keys() & compared
            losses = {day: self._losses(window, one, previous.get(day), day in unknown) for day, one in staged.items()}
            profile = self._profile(window, staged, previous, losses, oldest).assign(
                rows_without_day=sum(
                    n for what, n in without_day.items() if not (self.stream.timeless and what == NO_TIME)
                ),
                ids_on_two_days=[len(elsewhere.get(day, {})) for day in days],
                **{
                    rule.name: [offences.get(rule.name, {}).get(day, NONE).count for day in days] for rule in self.rules
                },
            )
            bounds = [*common_bounds(window.settings, self.stream), *self.bounds]
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
            metadata = {**_metadata(ledger), **losses[day].metadata(), **_offenders(offences, day)}
            yield DayResult(day, why is None, why, judged, metadata)
        window.accepted(self.asset, accepted)

    def _damaged(self, window: Window, days: Sequence[date]) -> dict[date, str]:
        """The days of which a file is not to be believed, and why."""
        name = self.stream.name
        return window.engine.damage("quarantine", name, days) | window.engine.damage("raw", name, days)

    def _on_other_days(
        self, window: Window, staged: Mapping[date, StagedDay], unique: bool
    ) -> dict[date, dict[str, set[date]]]:
        """By staged day its ids that other days' files have, too.

        A row that moves is found where it was, by the fingerprint of its old day, unless that day was known to have
        lost it before: so of unique ids only days with deletions can have one that is elsewhere now.
        """
        lake, place = window.lake, (window.platform, self.stream.name)
        known = days_with_deletions(window.deployment, self.stream) if unique else lake.days("raw", *place)
        others = [day for day in known if day not in staged and lake.path("raw", *place, day).exists()]
        damaged = window.damaged("raw", self.stream.name, others)
        others = [day for day in others if day not in damaged]
        pinned = window.engine.pinned([lake.path("raw", *place, day) for day in others])
        found = on_other_days(
            window.engine.connection,
            self.stream,
            {day: one.data for day, one in staged.items()},
            dict(zip(others, pinned, strict=True)),
            among_themselves=not unique,
        )
        if unique and found:
            days = {day for ids in found.values() for held in ids.values() for day in held}
            compare_again(window.deployment, self.stream, days)
            return {}
        return found

    def _without_repeats(
        self,
        window: Window,
        staged: Mapping[date, StagedDay],
        elsewhere: Mapping[date, Mapping[str, set[date]]],
        read: Callable[[date, Repeats], StagedDay],
    ) -> dict[date, StagedDay]:
        """The staged days that have ids of other days, read again so that each id counts on one of them."""
        in_source = days_of(window.deployment, self.stream, {key for ids in elsewhere.values() for key in ids})
        others = {day for ids in elsewhere.values() for days in ids.values() for day in days} - staged.keys()
        ledgers = {day: window.lake.look("raw", window.platform, self.stream.name, day)[0] for day in others}
        hashes = {day: ledger.content_hash for day, ledger in ledgers.items() if ledger is not None}
        hashes |= {day: one.ledger.content_hash for day, one in staged.items()}
        again = {}
        for day in sorted(elsewhere):
            found = repeats(elsewhere[day], day, in_source, hashes)
            if found != NO_REPEATS:
                again[day] = read(day, found)
                hashes[day] = again[day].ledger.content_hash
        return again

    def _losses(self, window: Window, staged: StagedDay, previous: Ledger | None, unknown: bool) -> Losses:
        """The rows that the day's file has and the source's day has no more; of a file that is damaged (`unknown`)
        only their number can be told, if that."""
        if unknown:
            read = previous.read if previous is not None else 0
            lost = max(0, read - staged.ledger.read)
            return Losses(lost, 0, lost / read if read else 0.0, unknown)
        if previous is None or previous.read == 0 or tuple(previous.fingerprint) == staged.ledger.fingerprint:
            return Losses()
        place = (window.platform, self.stream.name, [staged.ledger.day])
        before = [*window.lake.files("raw", *place), *window.lake.files("quarantine", *place)]
        after = [staged.data, *([staged.quarantine] if staged.quarantine else [])]
        gone = vanished(window.engine.connection, self.stream, window.engine.pinned(before), after)
        moved = still_there(window.deployment, self.stream, gone)
        return Losses(len(gone) - moved, moved, (len(gone) - moved) / previous.read)

    @property
    def rules(self) -> tuple[Consistency | Examination, ...]:
        """The rules that need more than the day's own rows."""
        return (*self.stream.consistency, *examinations(self.platform, self.stream))

    @property
    def bounds(self) -> list[Bound]:
        """What a day of this stream must be like, beside what holds for all streams."""
        rules = (none_of(rule.name, rule.severity, rule.description) for rule in self.rules)
        return [*map(bound_of, self.stream.data_tests), *rules]

    def _profile(
        self,
        window: Window,
        staged: Mapping[date, StagedDay],
        previous: Mapping[date, Ledger | None],
        losses: Mapping[date, Losses],
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
            lost_share=[losses[one.day].share for one in ledgers],
            pruned=[self._pruned(one.day, losses[one.day], oldest) for one in ledgers],
            volume_ratio=[ratios[one.day] for one in ledgers],
        )

    def _pruned(self, day: date, losses: Losses, oldest: datetime | None) -> int:
        mirrored = self.stream.shrink_limit == 1
        lost = losses.lost > 0 or losses.unknown
        return int(not mirrored and lost and (oldest is None or day < oldest.date()))

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
        Bound("lost_share", "error", "shrunk: share of rows deleted since the last extract", None, shrink_limit),
        none_of("pruned", "error", "shrunk: the day lies before the source's oldest row, and rows were deleted"),
        none_of("quarantined", "warning", "rows in quarantine"),
        none_of("duplicates", "warning", "rows whose id repeats"),
        none_of("ids_on_two_days", "warning", "ids that are on another day, too: they count on the earliest"),
        none_of("rows_without_day", "warning", "rows of the whole table that belong to no day, or to the future"),
        Bound("rows", "warning", "accepted rows", low=1),
        Bound("volume_ratio", "warning", "rows against the median of 28 days", 0.4, 2.5, unknown_passes=True),
    ]


def _same(previous: Ledger, ledger: Ledger) -> bool:
    facts = ("content_hash", "schema_hash", "read", "duplicates", "quarantined")
    same = all(getattr(previous, name) == getattr(ledger, name) for name in facts)
    return same and tuple(previous.fingerprint) == tuple(ledger.fingerprint)


def _offenders(offences: Mapping[str, Mapping[date, Offences]], day: date) -> dict[str, Any]:
    return {
        f"offending: {rule}": Shown(["what", "what is wrong"], by_day[day].shown)
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
    for what, count in ledger.measures.get("without_day", {}).items():
        metadata[f"rows of the table {what}"] = count
    for rule, count in ledger.quarantined.items():
        named = ledger.measures.get(rule, {})
        values = ", ".join(f"{value} ({times})" for value, times in named.items())
        metadata[f"quarantined: {rule}"] = f"{count}: {values}" if values else str(count)
    return metadata
