"""The wheel, built from this checkout and installed into an empty environment outside of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ui import opened

ROOT = Path(__file__).resolve().parents[1]
LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }
  assetNodes { assetKey { path } isMaterializable } }
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's `bin`, with the locked versions of what the wheel needs."""
    uv = next((str(path) for path in [ROOT / ".tools/bin/uv"] if path.exists()), shutil.which("uv"))
    if uv is None:
        pytest.skip("there is no uv to install with: make setup")
    folder = tmp_path_factory.mktemp("wheel")

    def run(*arguments: object) -> None:
        words = [uv, "--quiet", *(str(argument) for argument in arguments)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    run("build", "--wheel", "--out-dir", folder)
    run("venv", "--python", sys.executable, folder / "venv")
    needed = folder / "needed.txt"
    run("export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--output-file", needed)
    (wheel,) = folder.glob("*.whl")
    run("pip", "install", "--python", folder / "venv/bin/python", "--requirement", needed, wheel)
    return folder / "venv/bin"


def test_its_commands_find_sql_models_and_workspace(installed: Path, tmp_path: Path) -> None:
    home = tmp_path / "state"
    home.mkdir()
    settings = {"COMMUNITY_HOME": str(home), "COMMUNITY_GRACE_MINUTES": "0"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | settings

    def community(*arguments: object) -> str:
        words = [str(installed / "community"), *(str(argument) for argument in arguments)]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    code = "import community_pipelines as it; print(it.__file__)"
    where = subprocess.run([installed / "python", "-c", code], cwd=tmp_path, env=environment, capture_output=True)
    assert Path(where.stdout.decode().strip()).is_relative_to(installed.parent)
    try:
        # Few scenes would have to be drawn often until they fit into so few days.
        sizes = ("--templates", 10, "--users", 50, "--days", 2, "--events-per-day", 50, "--scenes", 400)
        community("sample", *sizes)
        said = " ".join(community("run").split())
        assert "2 days of 6 assets" in said
        assert "2 days of 28 assets" in said
        with opened(installed / "community", home, settings) as ui:
            found = ui.data(LOCATIONS)
        (entry,) = found["workspaceOrError"]["locationEntries"]
        assert (entry["name"], entry["locationOrLoadError"]["__typename"]) == (
            "community_pipelines", "RepositoryLocation",
        )  # fmt: skip
        assert len([asset for asset in found["assetNodes"] if asset["isMaterializable"]]) == 35
    finally:
        community("stop")
