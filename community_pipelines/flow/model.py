"""The step that computes a SQL model's days, judges them and publishes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from community_pipelines.flow.steps import DayResult, Key, Shown
from community_pipelines.flow.window import Window
from community_pipelines.lake.duck import literal
from community_pipelines.models.engine import ContractBroken, Engine, StagedModelDay
from community_pipelines.models.inputs import kept_from, sources_of
from community_pipelines.models.project import Contract, Model, load_model
from community_pipelines.models.publish import Published, publish
from community_pipelines.platforms.data_tests import GRAIN_TEST
from community_pipelines.platforms.spec import Platform
from community_pipelines.quality.findings import Finding
from community_pipelines.quality.judge import Bound, bound_of, judge, none_of
from community_pipelines.quality.profile import REPEATS, broken_sql, model_profile, nulls_of, volume_ratios

SHOWN_ROWS = 5


@dataclass(frozen=True)
class SqlModel:
    """`<platform>/<group>/<model>`: a model's day files and its published table, judged by its contract."""

    platform: Platform
    name: str

    @property
    def group(self) -> str:
        """The group of the asset, which its key names."""
        return self.platform.model_group(self.name)

    @property
    def key(self) -> Key:
        """The asset's key."""
        return (self.platform.name, self.group, self.name)

    @property
    def asset(self) -> str:
        """The asset's name within its platform."""
        return f"{self.group}/{self.name}"

    @property
    def model(self) -> Model:
        """The model with its contract; ModelError when it does not load."""
        return load_model(self.platform.name, self.name)

    @property
    def upstream(self) -> list[str]:
        """The assets whose days it reads: a day that one of them keeps back is kept back here, too."""
        return [self.platform.asset(*source) for source in sources_of(self.platform, self.model)]

    @property
    def bounds(self) -> list[Bound]:
        """What a day of this model must be like."""
        return [*contract_bounds(self.model.contract), *volume_bounds()]

    def run(self, window: Window) -> Iterator[DayResult]:
        """Computes, judges and publishes the days that nothing it reads keeps back."""
        kept = self._kept_back(window)
        for day, upstream in kept.items():
            window.keep_back(self.asset, day, upstream)
            yield DayResult(day, False, upstream)
        days = [day for day in window.days if day not in kept]
        if not days:
            return
        inputs = window.inputs(self.asset)
        try:
            with window.timed("models"):
                run = window.engine.run(self.model, days, inputs, window.staging, window.run_id)
                staged = {one.ledger.day: one for one in run}
        except ContractBroken as broken:
            finding = Finding("the contract's columns and types", "", "error", False, str(broken), "as in the contract")
            for day in days:
                judged, why = window.settle(self.asset, day, [finding], "", releasable=False)
                yield DayResult(day, False, why, judged)
            return
        yield from self._judged(window, days, staged)

    def _kept_back(self, window: Window) -> dict[date, str]:
        """Days that cannot be computed: kept back upstream in this run, or with nothing to compute from."""
        found = window.kept_back(self.upstream)
        for kind, name in sources_of(self.platform, self.model):
            for day in window.days:
                if not window.lake.path(kind, self.platform.name, name, day).exists():
                    found.setdefault(day, f"{name} has no accepted file for {day}; run it first")
        clean = [day for day in window.days if day not in found]
        found |= kept_from(self.model, self.platform, clean, window.settings.start_date, window.damaged)
        return {day: found[day] for day in window.days if day in found}

    def _judged(
        self, window: Window, days: Sequence[date], staged: Mapping[date, StagedModelDay]
    ) -> Iterator[DayResult]:
        contract = self.model.contract
        with window.timed("quality"):
            files = {day: staged[day].path for day in days}
            rows = {day: staged[day].ledger.accepted for day in days}
            ratios = volume_ratios(window.lake, "models", window.platform, self.name, rows)
            profile = model_profile(window.engine, contract, files).assign(
                rows=list(rows.values()), volume_ratio=[ratios[day] for day in days]
            )
            findings = judge(f"{window.platform}/{self.asset}", profile, self.bounds, days)
        breaking = breaking_rows(contract)
        good, outcomes = [], {}
        for day in days:
            broken = [f for f in findings[day] if not f.success and f.column in breaking]
            judged, why = window.settle(
                self.asset, day, findings[day], staged[day].ledger.content_hash, releasable=not broken
            )
            extra = offending_rows(window.engine, contract, files[day], broken) if broken else {}
            outcomes[day] = (judged, why, extra)
            if why is None:
                good.append(day)
                self._make_visible(window, staged[day])
        with window.timed("publish"):
            for day, damaged in window.damaged("models", self.name, good).items():
                window.keep_back(self.asset, day, f"{self.asset}: {damaged}")
                outcomes[day] = (outcomes[day][0], damaged, {})
                good.remove(day)
            published = publish(
                window.deployment,
                self.model,
                window.lake,
                good,
                window.run_id,
                window.settings.publish_rows,
                window.engine.files,
            )
        window.accepted(self.asset, good)
        by_day = {one.day: one for one in published}
        for day in days:
            judged, why, extra = outcomes[day]
            yield DayResult(day, why is None, why, judged, {**_metadata(staged[day], by_day.get(day)), **extra})

    def _make_visible(self, window: Window, staged: StagedModelDay) -> None:
        ledger = staged.ledger
        place = (window.platform, self.name, ledger.day)
        previous, _ = window.lake.look("models", *place)
        same = previous and (previous.content_hash, previous.inputs) == (ledger.content_hash, ledger.inputs)
        if same and not window.engine.damage("models", self.name, [ledger.day]):
            return
        window.lake.swap(staged.path, window.lake.path("models", *place))


def contract_bounds(contract: Contract) -> list[Bound]:
    """The contract's promises as expectations over a day's profile."""
    bounds = [none_of(REPEATS, "error", f"rows that repeat {', '.join(contract.grain)}")]
    bounds += [
        none_of(nulls_of(column.name), "error", f"rows without {column.name}")
        for column in contract.columns
        if column.not_null
    ]
    return bounds + [bound_of(test) for test in contract.data_tests if test.kind != GRAIN_TEST]


def breaking_rows(contract: Contract) -> dict[str, str]:
    """The measures of rows that break the contract itself, each with the predicate that finds them in a file: such a
    day can only be mended, not released."""
    found = {REPEATS: "repeats > 1"}
    found |= {nulls_of(column.name): f'"{column.name}" is null' for column in contract.columns if column.not_null}
    return found | {
        test.name: broken_sql(test)
        for test in contract.data_tests
        if test.kind in ("accepted_values", "not_null") and test.severity == "error"
    }


def volume_bounds() -> list[Bound]:
    """What a day's size should be."""
    return [
        Bound("rows", "warning", "rows", low=1),
        Bound("volume_ratio", "warning", "rows against the median of 28 days", 0.4, 2.5, unknown_passes=True),
    ]


def offending_rows(engine: Engine, contract: Contract, path: Path, broken: Sequence[Finding]) -> dict[str, Any]:
    """A few of the rows that break the contract, as a table for people."""
    predicates = breaking_rows(contract)
    wrong = " or ".join(predicates[finding.column] for finding in broken)
    names = contract.column_names()
    listed = ", ".join(f'"{name}"' for name in names)
    grain = ", ".join(f'"{name}"' for name in contract.grain)
    rows = engine.connection.execute(
        f"""
        with counted as (
            select *, count(*) over (partition by {grain}) as repeats
            from read_parquet({literal(str(path))}, hive_partitioning = false)
        )
        select {listed} from counted where {wrong} order by {grain} limit {SHOWN_ROWS}
        """
    )
    return {"offending rows": Shown(names, rows.fetchall())}


def _metadata(staged: StagedModelDay, published: Published | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"rows": staged.ledger.accepted, "content_hash": staged.ledger.content_hash}
    if published is not None:
        metadata["published"] = published.rows
        metadata["left out"] = published.left_out
        metadata["changed"] = published.written
    return metadata
