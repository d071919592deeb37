"""A lake and databases that an earlier version made (`tests/states`) go on, and nothing done is done again."""

from __future__ import annotations

import lzma
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from community_pipelines import settings as configuration
from community_pipelines.flow import plan as planning
from community_pipelines.flow.flows import FLOWS
from community_pipelines.models.project import load_models
from tests.community import community
from tests.flows import START, DailyFlow, day

STATE = Path(__file__).parent / "states" / "0.1.0"
PLATFORMS = [one.platform.name for one in FLOWS if (STATE / f"{one.platform.name}.sql.xz").exists()]
LAST = 2
WITHHELD = {"bazaar": [day(1)], "stories": []}


@dataclass(frozen=True)
class Before(DailyFlow):
    """A platform's database and lake as they were left."""

    @property
    def tables(self) -> list[str]:
        """What is published, by the names in the database."""
        published = [model.contract.publish for model in load_models(self.platform.name)]
        return [name if "." in name else f"public.{name}" for name in published]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every published row with the transaction that wrote it, and every record of our own."""
        found = {
            name: self.sql(f"select xmin::text, row_to_json(t)::text from {name} as t order by 2")
            for name in self.tables
        }
        records = ("publications", "withheld_days", "counter_corrections", "reconciliations", "left_out_entities")
        for name in records:
            found[name] = self.sql(f"select row_to_json(t)::text from community.{name} as t order by 1")
        return found

    def files(self) -> dict[str, bytes]:
        """Every file of the lake."""
        root = self.settings.lake_folder
        found = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if not name.startswith((".", "compared"))}


def restored(url: str, platform: str) -> None:
    """Restores the dump of that platform's database into an empty one."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(lzma.decompress((STATE / f"{platform}.sql.xz").read_bytes()))


@pytest.fixture(params=PLATFORMS)
def before(
    request: pytest.FixtureRequest,
    plain_judge: None,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Before:
    """A platform that an earlier version has brought to its third day, and the settings of then in the environment."""
    (flow,) = [one for one in FLOWS if one.platform.name == request.param]
    name = flow.platform.name
    restored(database, name)
    with tarfile.open(STATE / "lake.tar.xz") as archive:
        archive.extractall(tmp_path / "home", filter="data")
    own = {"source_url": database, "counters": "apply", "drift_limit": 1e9}
    more = {"home": tmp_path / "home", "start_date": START, "quarantine_limit": 0.1}
    for key, value in {**more, **{f"{name}__{key}": value for key, value in own.items()}}.items():
        monkeypatch.setenv(f"COMMUNITY_{key.upper()}", str(value))
    return Before(database, configuration.load(**{**more, name: own}), flow.platform, flow.steps)


def migrate(platform: str) -> str:
    """What `community migrate` says."""
    done = community("migrate", "--platform", platform)
    assert done.exit_code == 0, done.output
    return done.output


def test_after_migrating_nothing_is_to_be_done_and_nothing_has_changed(before: Before) -> None:
    name = before.platform.name
    rows, files = before.rows(), before.files()
    assert files
    assert [name for name in before.tables if rows[name]]
    migrate(name)
    plan = before.plan(LAST)
    assert planning.requests(plan, before.steps) == []
    open_days = [one for one in plan.closed if one not in WITHHELD[name]]
    assert {asset: plan.days(asset, "done") for asset in plan.states} == dict.fromkeys(plan.states, open_days)
    assert {asset: plan.days(asset, "withheld") for asset in plan.states} == dict.fromkeys(plan.states, WITHHELD[name])
    assert before.rows() == rows
    assert before.files() == files


def test_migrating_a_second_time_has_nothing_to_do(before: Before) -> None:
    migrate(before.platform.name)
    said = migrate(before.platform.name)
    assert "nothing to apply" in said
    assert "applied" not in said


def test_a_day_that_is_run_again_publishes_the_same_rows(before: Before) -> None:
    # A release held for one publication only.
    before = replace(before, settings=before.settings.model_copy(update={"quarantine_limit": 1}))
    rows = before.rows()
    migrate(before.platform.name)
    results = before.run(LAST)
    assert {asset: one.reason for (asset, _), one in results.items() if not one.accepted} == {}
    after = before.rows()
    assert {name: after[name] for name in before.tables} == {name: rows[name] for name in before.tables}
    assert planning.requests(before.plan(LAST), before.steps) == []
