"""What a start loads: heavy libraries only where they are used. Seconds are measured by the benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bazaar.gallery import Gallery
from tests.community import steady_grace
from tests.flows import number

ENGINES = {"adbc_driver_manager", "duckdb", "great_expectations", "pandas", "sqlglot", "tree_sitter"}
DAGSTER = {"alembic", "dagster", "dagster_postgres"}
DATABASES = {"psycopg", "sqlalchemy"}
SAY = "import atexit, json, sys; atexit.register(lambda: print(json.dumps(sorted(sys.modules))))\n"


def loaded(code: str, home: Path, **environment: str) -> set[str]:
    """The packages that a fresh process has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", SAY + code],
        cwd=home,
        env={**os.environ, "COMMUNITY_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def command(*arguments: str) -> str:
    return f"from community_pipelines.cli import main; main({list(arguments)!r})"


@pytest.mark.parametrize("arguments", [("--help",), ("status", "--help"), ("--version",)])
def test_help_loads_nothing_but_the_command_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    names = loaded(command(*arguments), tmp_path)
    assert not names & (ENGINES | DAGSTER | DATABASES | {"pyarrow", "pydantic", "rich", "yaml"})


def test_settings_load_no_database_driver_unless_a_url_is_set(tmp_path: Path) -> None:
    code = "from community_pipelines.settings import load; load()"
    assert not loaded(code, tmp_path) & (ENGINES | DAGSTER | DATABASES)
    assert loaded(code, tmp_path, COMMUNITY_BAZAAR__SOURCE_URL="postgresql:///app") & DATABASES


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("run",)])
def test_neither_a_look_nor_a_run_with_nothing_to_do_loads_dagster_or_an_engine(
    new_gallery: Callable[..., Gallery], arguments: tuple[str, ...]
) -> None:
    grace, last = steady_grace()
    made = new_gallery()
    only_day = {"start_date": last, "grace_minutes": grace}
    gallery = replace(made, settings=made.settings.model_copy(update=only_day))
    gallery.add_templates(number(1))
    gallery.run(last)
    environment = {
        "COMMUNITY_BAZAAR__SOURCE_URL": gallery.url,
        "COMMUNITY_DATABASE_URL": gallery.url,
        "COMMUNITY_BAZAAR__COUNTERS": "apply",
        **{f"COMMUNITY_{name.upper()}": str(value) for name, value in only_day.items()},
    }
    names = loaded(command(*arguments), gallery.settings.home, **environment)
    assert not names & (ENGINES | DAGSTER)


def test_the_code_location_loads_no_engine_that_only_a_run_needs(tmp_path: Path) -> None:
    names = loaded("from community_pipelines.orchestration.definitions import defs; defs()", tmp_path)
    assert "dagster" in names
    assert not names & (ENGINES - {"sqlglot"})
    assert "sqlalchemy" not in names


def test_a_wrong_setting_is_said_without_loading_what_it_is_for(tmp_path: Path) -> None:
    code = f"import os; os.environ['COMMUNITY_GRACE'] = '1'\n{command('run')}"
    done = subprocess.run([sys.executable, "-c", SAY + code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown settings in the environment: COMMUNITY_GRACE")
    names = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not names & (ENGINES | DAGSTER)
