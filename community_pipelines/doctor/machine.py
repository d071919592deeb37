"""This machine: room on its disks, a lake that can be written, versions, and what does not belong there."""

from __future__ import annotations

import fcntl
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from community_pipelines.doctor.diagnosis import MACHINE, Diagnosis
from community_pipelines.lake.files import Lake
from community_pipelines.settings import Settings

PACKAGES = (
    "dagster",
    "dagster-postgres",
    "duckdb",
    "pyarrow",
    "great-expectations",
    "adbc-driver-postgresql",
    "psycopg",
    "pandas",
)
LEAST_SHARE = 0.10
LEAST_BYTES = 5 * 10**9
SHOWN_FILES = 5


def examine_machine(settings: Settings) -> Iterator[Diagnosis]:
    """All that can be said without a database."""
    yield versions()
    for subject, folder, setting in (
        ("home", settings.home, "COMMUNITY_HOME"),
        ("lake", settings.lake_folder, "COMMUNITY_LAKE"),
    ):
        yield room(subject, folder)
        yield writable(subject, folder, setting)
    yield from leftovers(settings.lake_folder)
    yield from foreign_files(settings.lake_folder)


def versions() -> Diagnosis:
    """The versions that matter; a problem where a package is missing."""
    found, missing = [f"python {sys.version.split()[0]}"], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        seen = f"not installed: {', '.join(missing)}"
        return Diagnosis(MACHINE, "versions", "problem", seen, "make setup")
    return Diagnosis(MACHINE, "versions", "ok", ", ".join(found))


def room(subject: str, folder: Path) -> Diagnosis:
    """The free room of the disk that a folder is on, or will be."""
    free, total = _disk(folder)
    seen = f"{free / 10**9:.1f} GB free of {total / 10**9:.0f} GB"
    if free < LEAST_BYTES or free < LEAST_SHARE * total:
        advice = f"free space on the disk of {folder}, or lower COMMUNITY_SUPERSEDED_DAYS, which keeps replaced files"
        return Diagnosis(MACHINE, f"{subject} disk", "warning", seen, advice)
    return Diagnosis(MACHINE, f"{subject} disk", "ok", seen)


def writable(subject: str, folder: Path, setting: str) -> Diagnosis:
    """Whether a file can be made in a folder, or in the one that it will be made in."""
    there = _nearest(folder)
    where = f"{folder}" if folder.exists() else f"{folder} (will be made in {there})"
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
    except OSError as error:
        seen = f"cannot write to {where}: {error.strerror}"
        advice = f"fix its permissions or free space, or point {setting} elsewhere"
        return Diagnosis(MACHINE, f"{subject} folder", "problem", seen, advice)
    return Diagnosis(MACHINE, f"{subject} folder", "ok", f"{where} can be written")


def leftovers(lake: Path) -> Iterator[Diagnosis]:
    """Staging folders whose run is gone: nobody holds their lock."""
    for folder in sorted((lake / "staging").glob("*/*")):
        if folder.is_dir() and not _is_locked(folder / "lock"):
            seen = f"{folder} was left by a run that was killed"
            yield Diagnosis(folder.parent.name, "leftovers", "warning", seen, "the platform's next run removes it")


def foreign_files(lake: Path) -> Iterator[Diagnosis]:
    """Files in the lake's folder that this project did not put there."""
    found = sorted(Lake(lake).foreign())
    if found:
        more = f" and {len(found) - SHOWN_FILES:,} more" if len(found) > SHOWN_FILES else ""
        seen = f"not of this project, never read: {', '.join(map(str, found[:SHOWN_FILES]))}{more}"
        yield Diagnosis(MACHINE, "lake files", "warning", seen, "move them elsewhere; nothing here needs them")


def _is_locked(lock: Path) -> bool:
    try:
        with lock.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # gone by now, or never there
        return False
    return False


def _disk(folder: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(_nearest(folder))
    return usage.free, usage.total


def _nearest(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
