"""Which part of the package may import which, and that Dagster is loaded by one of them only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import community_pipelines

PACKAGE = Path(community_pipelines.__file__).parent
NAME = PACKAGE.name
# From the ground up: a part imports those below it. What stands in one line does not import each other.
LAYERS = (
    ("errors", "private", "shipped"),
    ("platforms",),
    ("settings", "embedded"),
    ("databases",),
    ("lake",),
    ("models",),
    ("counters", "maintenance"),
    ("quality",),
    ("snapshots",),
    ("flow",),
    ("orchestration",),
    ("samples",),
    ("commands", "doctor", "pages"),
    ("cli",),
)
HEIGHT = {part: height for height, layer in enumerate(LAYERS) for part in layer}
# What people type calls what examines for them.
BESIDE = {("commands", "doctor")}


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module that is imported anywhere in a file, with its line: in functions and for type checking, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written from the root"
            if node.module == NAME:
                yield from ((f"{NAME}.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield f"{node.module}", node.lineno


def faults(package: Path) -> list[str]:
    """What a package's files import against the layers, as file:line and what."""
    found = []
    for file in sorted(package.rglob("*.py")):
        part = file.relative_to(package).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        where = f"{file.relative_to(package)}"
        if part not in HEIGHT:
            found.append(f"{where}: {part} stands in no layer")
            continue
        for module, line in imports(ast.parse(file.read_text())):
            root, _, rest = module.partition(".")
            other = rest.partition(".")[0]
            if root.startswith("dagster") and part != "orchestration":
                found.append(f"{where}:{line} imports {root}")
            if root != NAME or other == part or (part, other) in BESIDE:
                continue
            if HEIGHT.get(other, len(LAYERS)) >= HEIGHT[part]:
                found.append(f"{where}:{line} imports {other}")
    return found


def test_imports_point_down_and_dagster_is_loaded_by_one_part_only() -> None:
    assert faults(PACKAGE) == []


def test_every_layer_is_there_and_none_is_forgotten() -> None:
    parts = {file.name.removesuffix(".py") for file in PACKAGE.iterdir() if not file.name.startswith("__")}
    assert {part for part in parts if (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").exists()} == set(HEIGHT)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("lake/a.py", "from community_pipelines.flow import plan", "lake/a.py:1 imports flow"),
        (
            "lake/a.py",
            "def late() -> None:\n    from community_pipelines.flow.plan import Plan",
            "lake/a.py:2 imports flow",
        ),
        ("embedded/a.py", "import community_pipelines.settings", "embedded/a.py:1 imports settings"),
        (
            "flow/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import dagster as dg",
            "flow/a.py:3 imports dagster",
        ),
        ("commands/a.py", "from dagster_postgres import x", "commands/a.py:1 imports dagster_postgres"),
        ("news/a.py", "", "news/a.py: news stands in no layer"),
        ("lake/a.py", "from community_pipelines import news", "lake/a.py:1 imports news"),
    ],
)
def test_what_points_up_is_named(tmp_path: Path, file: str, text: str, said: str) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(text)
    assert faults(tmp_path) == [said]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("flow/a.py", "from community_pipelines.lake.files import Lake"),
        ("orchestration/a.py", "import dagster as dg"),
        ("commands/a.py", "from community_pipelines.doctor.examine import examine"),
        ("lake/a.py", "import duckdb\nfrom community_pipelines.lake import files"),
    ],
)
def test_what_points_down_is_allowed(tmp_path: Path, file: str, text: str) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(text)
    assert faults(tmp_path) == []
