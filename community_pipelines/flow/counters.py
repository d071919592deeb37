"""The step that corrects cached counters, once for a window, and checks their history by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from community_pipelines.counters.correct import Outcome, reconcile
from community_pipelines.counters.drift import Reconciliation, measure
from community_pipelines.flow.steps import DayResult, Key, Shown
from community_pipelines.flow.window import Window
from community_pipelines.lake.duck import literal, parquet
from community_pipelines.lake.files import day_bounds, days_between
from community_pipelines.models.project import load_model
from community_pipelines.platforms.spec import CounterTable, Platform
from community_pipelines.quality.judge import Bound, judge, none_of

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 20
# The finding that nothing was corrected: the next reconciliation that is not refused makes up for it.
REFUSED = "refused"


@dataclass(frozen=True)
class Counters:
    """`<platform>/counters/<table>`: cached counters corrected by drift, in report or apply mode."""

    platform: Platform
    table: CounterTable

    @property
    def key(self) -> Key:
        """The asset's key."""
        return (self.platform.name, "counters", self.table.table.name)

    @property
    def asset(self) -> str:
        """The asset's name within its platform."""
        return f"counters/{self.table.table.name}"

    @property
    def upstream(self) -> list[str]:
        """The assets whose days it reads: the history that explains the counters."""
        return [self.platform.asset("models", self.table.history_model)]

    def run(self, window: Window) -> Iterator[DayResult]:
        """Reconciles once, then judges every day whose history is not kept back."""
        kept = self._kept_back(window)
        for day in window.days:
            if day in kept:
                window.keep_back(self.asset, day, kept[day])
                yield DayResult(day, False, kept[day])
        days = [day for day in window.days if day not in kept]
        if not days:
            return
        mode = window.deployment.settings.counters_mode
        until = day_bounds(days[-1])[1]
        with window.timed("counters"):
            outcome = reconcile(window.deployment, self.table, window.run_id, mode, until)
            remaining = outcome.found if not outcome.corrected else measure(window.deployment, self.table)
        with window.timed("quality"):
            profile = self._profile(window, days, outcome, remaining)
            findings = judge(f"{window.platform}/{self.asset}", profile, self.bounds, days)
        metadata = self._metadata(outcome, remaining)
        good = []
        for day in days:
            judged, why = window.settle(self.asset, day, findings[day], outcome.refused or "", releasable=False)
            if outcome.refused and why:
                why = f"not corrected: {outcome.refused}"
            if why is None:
                good.append(day)
            yield DayResult(day, why is None, why, judged, metadata)
        window.accepted(self.asset, good)

    def _kept_back(self, window: Window) -> dict[date, str]:
        """The days whose history is kept back or cannot be read: it begins with the first partition."""
        name, last = self.table.history_model, window.days[-1]
        damaged = window.damaged("models", name, days_between(min(window.settings.start_date, last), last))
        asset = self.platform.asset("models", name)
        unread = {day: f"{asset} {bad}: {why}" for bad, why in damaged.items() for day in window.days if bad <= day}
        return unread | window.kept_back(self.upstream)

    @property
    def bounds(self) -> list[Bound]:
        """What a day of the counters must be like."""
        bounds = [
            none_of("totals_off", "error", "totals that are not the total before plus the day's change"),
            none_of("negative_totals", "error", "totals below zero"),
            none_of(REFUSED, "error", "corrections refused"),
            none_of("remaining_drift", "warning", "drift that remains"),
            none_of("totals_off_truth", "warning", "newest totals that differ from the truth used for correcting"),
        ]
        return bounds + [
            none_of(a.name, "warning", f"entities that disagree: {a.description}") for a in (self.table.agreements)
        ]

    def _profile(
        self, window: Window, days: Sequence[date], outcome: Outcome, remaining: Reconciliation
    ) -> pd.DataFrame:
        import pandas as pd

        history = self._history_faults(window, days)
        off_truth = self._off_truth(window, days[-1], outcome.found)
        refused = int(outcome.mode == "apply" and outcome.refused is not None)
        return pd.DataFrame(
            [
                {
                    "day": day,
                    "totals_off": history[day][0],
                    "negative_totals": history[day][1],
                    REFUSED: refused,
                    "remaining_drift": remaining.drift_total,
                    "totals_off_truth": off_truth,
                    **{name: len(rows) for name, rows in outcome.found.disagreements.items()},
                }
                for day in days
            ]
        )

    def _relation(self, window: Window, last: date) -> str:
        contract = load_model(self.platform.name, self.table.history_model).contract
        span = days_between(min(window.settings.start_date, last), last)
        files = window.lake.files("models", self.platform.name, self.table.history_model, span)
        return parquet(window.engine.pinned(files), [(column.name, column.type) for column in contract.columns])

    def _history_faults(self, window: Window, days: Sequence[date]) -> Mapping[date, tuple[int, int]]:
        """By day: totals that do not follow from the ones before, and totals below zero.

        Totals are compared with earlier ones that were computed from what the lake holds now: late rows can leave
        days in between that are still to be computed anew.
        """
        model = load_model(self.platform.name, self.table.history_model)
        contract = model.contract
        inputs = window.inputs(self.asset)
        newest_stale: dict[date, str] = {}
        last_stale = "null"
        for day in days_between(min(window.settings.start_date, days[0]), days[-1]):
            newest_stale[day] = last_stale
            ledger, _ = window.lake.look("models", self.platform.name, model.name, day)
            if ledger is None or ledger.inputs != inputs.hash(model, day):
                last_stale = literal(day.isoformat())
        judged = ", ".join(f"(date {literal(day.isoformat())}, {newest_stale[day]}::date)" for day in days)
        totals = [total for _, total in self.table.explained]
        checks = " or ".join(
            f"{total} <> coalesce(lag({total}) over entity_days, 0) + {total.removesuffix('_total')}_change"
            for total in totals
        )
        negative = " or ".join(f"{total} < 0" for total in totals)
        rows = window.engine.connection.execute(
            f"""
            with history as (select * from {self._relation(window, days[-1])}),
            judged as (select * from (values {judged}) as judged(day, newest_stale)),
            checked as (
                select day, ({checks}) as off, ({negative}) as negative,
                    lag(day) over entity_days as day_before
                from history
                window entity_days as (partition by {contract.entity} order by day)
            )
            select day,
                count(*) filter (where off and (newest_stale is null or day_before > newest_stale)),
                count(*) filter (where negative)
            from checked join judged using (day)
            group by day
            """
        ).fetchall()
        found = {day: (off, negative) for day, off, negative in rows}
        return {day: found.get(day, (0, 0)) for day in days}

    def _off_truth(self, window: Window, last: date, found: Reconciliation) -> int:
        """How many entities' newest totals differ from the truth as of that day's end."""
        contract = load_model(self.platform.name, self.table.history_model).contract
        explained_counters = [
            (counter.column, counter.total)
            for counter in self.table.counters
            if counter.total is not None and window.deployment.taken(counter).explained
        ]
        if not explained_counters:
            return 0
        columns, totals = zip(*explained_counters, strict=True)
        newest = window.engine.connection.execute(
            f"""
            select {contract.entity}::varchar, {", ".join(totals)}
            from {self._relation(window, last)}
            qualify row_number() over (partition by {contract.entity} order by day desc) = 1
            """
        ).fetchall()
        explained = {row[0]: row[1:] for row in newest}
        nothing = (0,) * len(totals)
        truths = {entity: tuple(values[column] for column in columns) for entity, values in found.truths_until.items()}
        # Deleted entities keep their history and have no counters any more.
        return sum(explained.get(entity, nothing) != truths.get(entity, nothing) for entity in found.truths)

    def _metadata(self, outcome: Outcome, remaining: Reconciliation) -> dict[str, Any]:
        found = outcome.found
        metadata: dict[str, Any] = {
            "mode": outcome.mode,
            "entities": found.entities,
            "counters off": len(found.drifts),
            "drift": found.drift_total,
            "corrected": outcome.corrected,
            "drift remaining": remaining.drift_total,
        }
        if outcome.refused:
            metadata["refused"] = outcome.refused
        if found.drifts:
            largest = sorted(found.drifts, key=lambda drift: -drift.size)[:SHOWN_ROWS]
            metadata["largest drifts"] = Shown(
                ["entity", "counter", "cached", "truth", "drift"], [drift.shown for drift in largest]
            )
        for one in found.alternatives:
            metadata[f"{one.counter} by {one.chosen}, as {one.setting} says"] = one.chosen_total
            metadata[f"{one.counter} by {one.other}"] = one.other_total
            metadata[f"{one.counter}: entities that differ"] = len(one.differences)
            if one.differences:
                metadata[f"{one.counter}: largest differences"] = Shown(
                    ["entity", f"by {one.chosen}", f"by {one.other}"], one.differences[:SHOWN_ROWS]
                )
        for name, rows in found.disagreements.items():
            if rows:
                metadata[name] = Shown(["entity", "by events", "by rows"], rows)
        return metadata
