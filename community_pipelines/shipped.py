"""Where the files are that come with the package and are no Python: SQL, models, and Dagster's workspace.

In a wheel they are inside the package, in a checkout beside it.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def shipped(name: str) -> Path:
    """A file or folder of the project's first level, such as `sql`."""
    package = Path(str(files("community_pipelines")))
    inside = package / "shipped" / name
    return inside if inside.exists() else package.parent / name
