"""A platform is one folder of each kind and one line in the list: nothing else names it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from community_pipelines.flow import flows
from community_pipelines.models.project import model_names
from community_pipelines.orchestration.definitions import build_definitions
from community_pipelines.platforms.registry import PLATFORMS, platform
from community_pipelines.settings import ConfigurationError, load
from community_pipelines.shipped import shipped
from tests.community import community

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "community_pipelines"
MODELS_FOLDER = shipped("dbt_like_models")
FOLDERS = ("community_pipelines/platforms", "dbt_like_models", "sql")
# Examples are for people: what is typed, in the help of commands, and what something looks like.
EXAMPLE = re.compile(r"^ {6}community |such as ")


def shared_files() -> Iterator[Path]:
    """Every file that is every platform's: none of a platform's own folder, none that is generated or for people."""
    yield from (ROOT / name for name in ("workspace.yaml", "Makefile", "pyproject.toml"))
    yield from (file for file in MODELS_FOLDER.iterdir() if file.is_file())
    for file in sorted(PACKAGE.rglob("*")):
        own = set(PLATFORMS) & set(file.relative_to(PACKAGE).parts[:-1])
        if file.suffix in (".py", ".yaml", ".sql", ".json") and not own and file.stem != "registry":
            yield file


def namings(file: Path) -> list[str]:
    """The lines of a file that name a platform."""
    named = re.compile(rf"(?<![a-z])({'|'.join(PLATFORMS)})(?![a-z])", re.IGNORECASE)
    lines = enumerate(file.read_text().splitlines(), start=1)
    return [f"{file.name}:{n}: {line.strip()}" for n, line in lines if named.search(line) and not EXAMPLE.search(line)]


def test_no_file_that_all_platforms_share_names_one() -> None:
    assert [line for file in shared_files() for line in namings(file)] == []


@pytest.mark.parametrize(
    "line", ["BAZAAR = 1", 'flow("bazaar")', "bazaar_daily = 2", "from a.stories import b", "# as stories has it"]
)
def test_a_line_that_names_one_is_found(tmp_path: Path, line: str) -> None:
    file = tmp_path / "a.py"
    file.write_text(
        f"a = 1\n{line}\nhistories = 3\n      community backfill bazaar --from 2026-01-01\n# such as bazaar/app\n"
    )
    assert namings(file) == [f"a.py:2: {line}"]


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_has_its_folders_and_its_name_in_them(name: str) -> None:
    assert platform(name).name == name
    assert platform(name).stream(platform(name).watched).name == platform(name).watched
    for folder in FOLDERS:
        assert (ROOT / folder / name).is_dir(), folder


def test_no_folder_is_left_out_of_the_list() -> None:
    for folder in FOLDERS:
        # What Python or dbt left in the folder of a platform that was taken away is no platform.
        files = (file for file in (ROOT / folder).glob("*/*") if file.name != "__pycache__")
        there = {file.parent.name for file in files} - {"__pycache__"}
        assert there - {"tests", "pipeline", "target", "logs"} == set(PLATFORMS), folder


def test_a_platform_that_is_not_in_the_list_is_unknown() -> None:
    with pytest.raises(KeyError, match="registry"):
        platform("registry")
    with pytest.raises(ConfigurationError, match=f"unknown platform 'nothing': expected one of {', '.join(PLATFORMS)}"):
        load().platform("nothing")


def listed_by_dbt(project: Path, scratch: Path) -> set[str]:
    """What real dbt finds in a folder, as `<platform>.<model>`; a warning of dbt's is an error."""
    command = [str(Path(sysconfig.get_path("scripts")) / "dbt"), "--warn-error", "--quiet", "ls"]
    command += ["--resource-type", "model", "--target-path", str(scratch / "target"), "--log-path", str(scratch)]
    done = subprocess.run(
        command,
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "COMMUNITY_LAKE": str(scratch / "lake"),
            "DBT_DUCKDB_DATABASE": str(scratch / "dbt.duckdb"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.partition(".")[2] for line in done.stdout.split() if line.startswith("community_pipelines.")}


def test_real_dbt_finds_every_platforms_models_and_those_of_one_to_come(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(MODELS_FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "newcomer").mkdir()
    (project / "newcomer" / "newcomer_daily.sql").write_text("select current_date as day\n")
    # What dbt leaves behind is not read as models.
    (project / "target" / "compiled").mkdir(parents=True)
    (project / "target" / "compiled" / "left_over.sql").write_text("select 1 as one\n")
    expected = {f"{name}.{model}" for name in PLATFORMS for model in model_names(name)}
    assert listed_by_dbt(project, tmp_path) == expected | {"newcomer.newcomer_daily"}


def test_what_a_platform_declares_is_what_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs for snapshots and partitions follow from the declaration, whatever the platform is called."""
    one = next(one for one in flows.FLOWS if one.platform.snapshots is not None)
    plain = replace(one.platform, snapshots=None, partitioned=())
    monkeypatch.setattr(flows, "FLOWS", (replace(one, platform=plain),))
    repository = build_definitions(load()).get_repository_def()
    name = plain.name
    named = {f"{name}_nightly", f"{name}_yesterday_exists"}
    assert {job for job in repository.job_names if not job.startswith("__")} == named
    assert not any("snapshots" in key.path for key in repository.asset_graph.get_all_asset_keys())
    other = next(one for one in flows.FLOWS)
    assert dg.AssetKey([name, "raw", other.platform.watched]) in repository.asset_graph.get_all_asset_keys()


def test_two_platforms_with_templates_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path / "state"))
    one = next(one for one in flows.FLOWS if one.platform.snapshots is not None)
    second = replace(one, platform=replace(one.platform, name="second"))
    without = replace(one, platform=replace(one.platform, name="without", snapshots=None))
    assert flows.with_snapshots(None) is one.platform
    monkeypatch.setattr(flows, "FLOWS", (one, second, without))
    assert flows.with_snapshots("second") is second.platform
    result = community("ingest", "--flagged")
    assert result.exit_code == 2
    names = f"expected --platform with one of {one.platform.name}, second"
    assert f"say whose templates: {names}" in result.output
    result = community("ingest", "--flagged", "--platform", "without")
    assert f"without has no template snapshots: {names}" in result.output
    result = community("ingest", "--flagged", "--platform", "nothing")
    assert "unknown platform 'nothing'" in result.output
