"""`community maintain`: what it prints, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from community_pipelines.flow import flows
from community_pipelines.flow.flows import Flow
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.community import community, unwrapped
from tests.upkeep import JOBS, OLD_JOBS, STREAM, Upkeep, make_upkeep, part


@pytest.fixture
def upkeep(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upkeep:
    """A platform with partitioned jobs, under a name that has settings."""
    platform = replace(BAZAAR, tables=(JOBS,), streams=(STREAM,), snapshots=None, partitioned=(OLD_JOBS,))
    monkeypatch.setattr(flows, "FLOWS", (Flow(platform, ()),))
    monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", database)
    # Not the state folder beside the project, which may say another first day.
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path))
    monkeypatch.setenv("COMMUNITY_LAKE", str(tmp_path / "lake"))
    return make_upkeep(database, tmp_path / "lake")


def test_it_makes_the_months_and_says_so(upkeep: Upkeep) -> None:
    result = community("maintain", "--platform", "bazaar", "--months", 1)
    assert result.exit_code == 0, result.output
    assert f"│ jobs │ {part('jobs', 1)} │ created │" in unwrapped(result.output)
    assert "2 created" in result.output
    assert list(upkeep.partitions()) == [part("jobs", 0), part("jobs", 1)]


def test_a_dry_run_ends_with_what_was_not_done(upkeep: Upkeep) -> None:
    result = community("maintain", "--platform", "bazaar", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "4 would create\nnothing was written" in result.output
    assert upkeep.partitions() == {}


def test_json_has_every_line_and_a_fault_ends_with_1(upkeep: Upkeep) -> None:
    upkeep.add_month("jobs", -8)
    result = community("maintain", "--platform", "bazaar", "--months", 0, "--json")
    assert result.exit_code == 1
    lines = json.loads(result.output)
    assert [line["what"] for line in lines] == ["created", "refused", "gap"]
    assert set(lines[0]) == {"table", "partition", "what", "rows", "why"}


def test_a_platform_without_partitioned_tables_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path / "state"))
    result = community("maintain", "--platform", "bazaar")
    assert (result.exit_code, result.output) == (0, "bazaar has no partitioned tables: nothing to do\n")
    assert json.loads(community("maintain", "--platform", "bazaar", "--json").output) == []


def test_without_a_platform_every_one_that_has_partitioned_tables_is_taken_care_of(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = flows.FLOWS
    monkeypatch.setattr(flows, "FLOWS", (Flow(replace(own.platform, partitioned=()), ()), own))
    result = community("maintain", "--months", 1)
    assert result.exit_code == 0, result.output
    assert "2 created" in result.output
    assert "nothing to do" not in result.output
    assert list(upkeep.partitions()) == [part("jobs", 0), part("jobs", 1)]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_was_done_is_shown_also_where_a_later_platform_fails(
    upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    (own,) = flows.FLOWS
    away = replace(own.platform, name="stories")
    monkeypatch.setattr(flows, "FLOWS", (own, Flow(away, ())))
    monkeypatch.setenv("COMMUNITY_STORIES__SOURCE_URL", "postgresql://someone@127.0.0.1:1/stories")
    result = community("maintain", "--months", 1, *form)
    assert result.exit_code == 2
    assert "error: " in result.stderr
    if form:
        assert [line["partition"] for line in json.loads(result.stdout)] == [part("jobs", 0), part("jobs", 1)]
    else:
        assert f"│ jobs │ {part('jobs', 1)} │ created │" in unwrapped(result.stdout)
    assert list(upkeep.partitions()) == [part("jobs", 0), part("jobs", 1)]


def test_a_platform_that_there_is_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path / "state"))
    result = community("maintain", "--platform", "nothing")
    assert result.exit_code == 2
    assert "unknown platform 'nothing'" in result.output
