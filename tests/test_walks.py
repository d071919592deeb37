"""The README's two walks as a new user takes them: just its files, put into a copy of the project, and away again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("community_pipelines", "dbt_like_models", "docs", "sql", "tests")
FILES = ("pyproject.toml", "README.md", "workspace.yaml")
YESTERDAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def section(title: str) -> str:
    """A section of the README."""
    return re.split(r"^## ", (ROOT / "README.md").read_text().split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def files_of(text: str) -> dict[str, str]:
    """The files that a section shows, by path, each as long as it says."""
    found = {}
    for path, lines, content in re.findall(
        r"^`([\w./]+)` \((\d+) lines?\)[^`]*?.*?\n```\w+\n(.*?)^```$", text, re.M | re.S
    ):
        assert content.count("\n") == int(lines), path
        found[path] = content
    return found


@dataclass(frozen=True)
class Copy:
    """A copy of the project with its own state, over an app's database."""

    root: Path
    url: str
    platform: str

    @property
    def environment(self) -> dict[str, str]:
        # A setting of a platform that is not there is refused.
        there = (self.root / "community_pipelines/platforms" / self.platform).exists()
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "PYTHONPATH": str(self.root),
            "COMMUNITY_HOME": str(self.root / "state"),
            "COMMUNITY_GRACE_MINUTES": "0",
            "COMMUNITY_START_DATE": f"{YESTERDAY:%Y-%m-%d}",
            **({f"COMMUNITY_{self.platform.upper()}__SOURCE_URL": self.url} if there else {}),
            "COMMUNITY_LAKE": str(self.root / "state" / "lake"),
        }

    def call(self, *words: str, folder: str = "") -> str:
        """What a command prints that ends well."""
        done = subprocess.run(
            words,
            cwd=self.root / folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def python(self, *words: str) -> str:
        return self.call(sys.executable, *words)

    def community(self, *words: str) -> str:
        return self.python("-c", "from community_pipelines.cli import main; main()", *words)

    def write(self, files: dict[str, str]) -> None:
        for path, content in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(content)

    def take_away(self, files: dict[str, str]) -> None:
        for path in files:
            (self.root / path).unlink()
        for folder in {(self.root / path).parent for path in files}:
            if not [one for one in folder.iterdir() if one.name != "__pycache__"]:
                shutil.rmtree(folder)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(query.encode())
            return found.fetchall() if found.description else []

    def graph(self) -> dict[str, Any]:
        """The snapshot of the graph, written anew."""
        self.python("tests/test_graph.py")
        found: dict[str, Any] = yaml.safe_load((self.root / "tests/graph.yml").read_text())
        return found


@pytest.fixture
def copy(tmp_path: Path, database: str) -> Iterator[Callable[[str], Copy]]:
    made: list[Copy] = []

    def make(platform: str) -> Copy:
        for name in FOLDERS:
            passed_over = shutil.ignore_patterns("__pycache__", "target", "logs")
            shutil.copytree(ROOT / name, tmp_path / name, ignore=passed_over)
        for name in FILES:
            shutil.copy(ROOT / name, tmp_path / name)
        made.append(Copy(tmp_path, database, platform))
        return made[0]

    yield make
    for one in made:
        one.community("stop")


def test_a_metric_is_three_files(copy: Callable[[str], Copy]) -> None:
    text = section("Add a metric")
    files = files_of(text)
    lines = sum(content.count("\n") for content in files.values())
    assert f"Three files, {lines} lines." in text
    assert len(files) == 3
    project = copy("bazaar")
    for path in sorted((project.root / "sql/bazaar/app").glob("*.sql")):
        project.sql(path.read_text())
    project.sql(
        f"""
        with template as (insert into community_templates (slug, title) values ('t', 'T') returning id)
        insert into community_events (template_id, event_type, created_at)
        select id, kind, '{YESTERDAY:%Y-%m-%d} 10:00+00'
        from template, unnest(array['click', 'click', 'view']) as kind
        """
    )
    before = project.graph()
    key = "bazaar/metrics/community_template_clicks_daily"

    project.write(files)
    assert "passed" in project.python("-m", "pytest", "-q", "tests/test_models.py", "-k", "clicks_daily")
    graph = project.graph()
    assert graph["assets"].keys() - before["assets"].keys() == {key}
    assert graph["assets"][key] == {
        "depends_on": ["bazaar/raw/community_events"],
        "checks": ["audit", "watch"],
        "group": "bazaar_metrics",
        "partitioned": True,
        "external": False,
    }
    project.python("-m", "community_pipelines.pages")
    assert f"### `{key}`" in (project.root / "docs/data-dictionary.md").read_text()
    assert (
        "| `days_without_clicks` | rows without a click | = 0 | error |"
        in (project.root / "docs/data-dictionary.md").read_text()
    )
    assert "community_template_clicks_daily" in (project.root / "docs/flow.md").read_text()

    assert "create table community.community_template_clicks_daily" in project.community("migrate", "--dry-run").lower()
    project.community("migrate")
    project.community("run")
    assert project.sql("select day, clicks, signed_in_users from community.community_template_clicks_daily") == [
        (YESTERDAY.date(), 2, 0)
    ]
    assert project.sql(
        "select obj_description('community.community_template_clicks_daily'::regclass), "
        "array_agg(indexdef::text order by indexname) from pg_indexes "
        "where tablename = 'community_template_clicks_daily'"
    ) == [
        (
            "Clicks on a template on a day; only days with at least one.",
            [
                "CREATE INDEX community_template_clicks_daily_day_idx ON community.community_template_clicks_daily "
                "USING btree (day)",
                "CREATE UNIQUE INDEX community_template_clicks_daily_pkey ON "
                "community.community_template_clicks_daily USING btree (template_id, day)",
            ],
        )
    ]
    dbt = str(Path(sysconfig.get_path("scripts")) / "dbt")
    chosen = ("build", "--select", "community_template_clicks_daily", "--event-time-start", f"{YESTERDAY:%Y-%m-%d}")
    end = ("--event-time-end", f"{YESTERDAY + timedelta(days=1):%Y-%m-%d}")
    said = project.call(dbt, "--warn-error", *chosen, *end, folder="dbt_like_models")
    assert "days_without_clicks" in said
    assert "ERROR=0" in said

    project.take_away(files)
    assert project.graph() == before
    project.community("migrate")
    project.community("run")
    assert project.sql("select count(*) from community.community_template_clicks_daily") == [(1,)]


def test_a_platform_is_a_folder_of_each_kind_and_a_line(copy: Callable[[str], Copy]) -> None:
    text = section("Add a platform")
    files = files_of(text)
    lines = sum(content.count("\n") for content in files.values())
    assert f"{len(files)} files with {lines} lines and 1 line" in text
    project = copy("demo")
    before = project.graph()
    registry = project.root / "community_pipelines/platforms/registry.py"
    listed = registry.read_text()

    project.write(files)
    registry.write_text(re.sub(r"^PLATFORMS = \((.*)\)$", r'PLATFORMS = (\1, "demo")', listed, flags=re.MULTILINE))
    assert registry.read_text() != listed
    assert "passed" in project.python("-m", "pytest", "-q", "tests/test_models.py", "-k", "signups_daily")
    graph = project.graph()
    assert graph["assets"].keys() - before["assets"].keys() == {
        "demo/source/signups", "demo/raw/signups", "demo/metrics/signups_daily",
    }  # fmt: skip
    assert {name for name in graph["schedules"].keys() - before["schedules"].keys() if "demo" in name}
    for path in sorted((project.root / "sql/demo/app").glob("*.sql")):
        project.sql(path.read_text())
    project.sql(
        "insert into signups (plan, created_at) "
        f"select plan, '{YESTERDAY:%Y-%m-%d} 10:00+00' from unnest(array['free', 'free', 'odd']) as plan"
    )
    project.community("migrate")
    project.community("run")
    assert project.sql("select plan, day, signups from community.signups_daily order by 1") == [
        ("free", YESTERDAY.date(), 2), ("odd", YESTERDAY.date(), 1),
    ]  # fmt: skip
    assert "demo" in project.community("status")
    project.community("doctor")
    project.python("-m", "community_pipelines.pages")
    assert "## demo: Demo" in (project.root / "docs/data-dictionary.md").read_text()

    project.take_away(files)
    registry.write_text(listed)
    assert project.graph() == before
