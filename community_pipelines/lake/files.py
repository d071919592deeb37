"""Where a day's file is, and how it is replaced.

Readers ask for a list of files; nobody globs. A file appears under its name only when it is complete. What others put
into the lake's folder (a file manager's notes, a copy made by hand) is passed over, and named by `foreign`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

from community_pipelines.lake.ledger import DamagedError, LakeError, Ledger, read_ledger
from community_pipelines.lake.verified import Verified, fault_of, made_anew

Kind = Literal["raw", "quarantine", "models", "withheld"]
DAY_KINDS: tuple[Kind, ...] = ("raw", "quarantine", "models", "withheld")
OTHER_KINDS: tuple[Literal["dimensions", "cold"], ...] = ("dimensions", "cold")

_PLATFORM_AND_NAME = r"[^/.][^/]*/[^/.][^/]*"
_DAY_FOLDER = r"day=(\d{4}-\d\d-\d\d)"
# Every path that this project makes below the lake's folder; all others are foreign.
_OURS = re.compile(
    rf"""
    \.lock
    | ({"|".join(DAY_KINDS)})/{_PLATFORM_AND_NAME}/{_DAY_FOLDER}/data\.parquet
    | superseded/({"|".join([*DAY_KINDS, *OTHER_KINDS])})/{_PLATFORM_AND_NAME}(/{_DAY_FOLDER})?/\d+\.parquet
    | dimensions/{_PLATFORM_AND_NAME}/data\.parquet
    | cold/{_PLATFORM_AND_NAME}/[^/.][^/]*\.parquet
    | staging/{_PLATFORM_AND_NAME}/.+
    | compared/[^/.][^/]*\.json
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class LakeFile:
    """One file: its kind, its stream, model or table, and its day where it has one."""

    kind: Kind | Literal["dimensions", "cold"]
    name: str
    day: date | None
    path: Path


def days_between(first: date, last: date) -> list[date]:
    """All days from first to last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The half-open UTC interval of a day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + timedelta(days=1)


class Lake:
    """The lake's folder. Atomic per day, not per window."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, kind: Kind, platform: str, name: str, day: date) -> Path:
        """The one fixed name of that day."""
        return self.root / kind / platform / name / f"day={day.isoformat()}" / "data.parquet"

    def dimension(self, platform: str, name: str) -> Path:
        """The present state of a dimension."""
        return self.root / "dimensions" / platform / name / "data.parquet"

    def compared(self, platform: str) -> Path:
        """What the last thorough comparison with the source found."""
        return self.root / "compared" / f"{platform}.json"

    def files(self, kind: Kind, platform: str, name: str, days: Iterable[date]) -> list[Path]:
        """The files that exist for those days, in the days' order."""
        paths = (self.path(kind, platform, name, day) for day in days)
        return [path for path in paths if path.exists()]

    def days(self, kind: Kind, platform: str, name: str) -> list[date]:
        """The days that have a file, sorted."""
        found = (_day_of(entry) for entry in _folders(self.root / kind / platform / name))
        return sorted(day for day in found if day and self.path(kind, platform, name, day).is_file())

    def ledger(self, kind: Kind, platform: str, name: str, day: date) -> Ledger | None:
        """The ledger of that day; None when the day has no file. Raises DamagedError for a file that is none of it."""
        ledger, fault = self.look(kind, platform, name, day)
        if fault:
            raise DamagedError(fault)
        return ledger

    def look(self, kind: Kind, platform: str, name: str, day: date) -> tuple[Ledger | None, str]:
        """The ledger of that day, or None with what is wrong with its file; neither when the day has no file."""
        path = self.path(kind, platform, name, day)
        try:
            ledger = read_ledger(path)
        except FileNotFoundError:
            return None, ""
        except DamagedError as error:
            return None, f"{error}; {made_anew(platform, day)}"
        if (ledger.platform, ledger.name, ledger.day) != (platform, name, day):
            whose = f"{ledger.platform}/{ledger.name} for {ledger.day}"
            return None, f"{path} is the file of {whose}; {made_anew(platform, day)}"
        return ledger, ""

    def everything(self, platform: str) -> Iterator[LakeFile]:
        """Every file of a platform that is kept for good."""
        for kind in DAY_KINDS:
            for name in self.names(kind, platform):
                for day in self.days(kind, platform, name):
                    yield LakeFile(kind, name, day, self.path(kind, platform, name, day))
        for other in OTHER_KINDS:
            for name in self.names(other, platform):
                for path in sorted((self.root / other / platform / name).glob("*.parquet")):
                    if _is_ours(path.relative_to(self.root)):
                        yield LakeFile(other, name, None, path)

    def names(self, kind: str, platform: str) -> list[str]:
        """The names that have files of a kind, sorted."""
        return sorted(name for name in _folders(self.root / kind / platform) if not name.startswith("."))

    def foreign(self) -> Iterator[Path]:
        """The files below the lake's folder that this project did not make, in no order; they are never read."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                if not _is_ours(path.relative_to(self.root)):
                    yield path

    @contextmanager
    def pinned(
        self, kind: Kind, platform: str, name: str, days: Iterable[date], verified: Verified | None = None
    ) -> Iterator[list[Path]]:
        """The files that exist for those days, verified, under names of their own that no replacement touches.

        DuckDB opens a path several times for one query: of a file that is replaced meanwhile it would read the old
        footer and the new rows. `verified` knows those that were verified before. Raises DamagedError for a file that
        is not to be believed, LakeError when the lake cannot be written.
        """
        with self.staging(platform, f"pinned-{uuid4().hex}") as folder:
            yield (verified or Verified(folder)).pinned(self.files(kind, platform, name, days))

    @contextmanager
    def staging(self, platform: str, run_id: str) -> Iterator[Path]:
        """A private folder for a run's unjudged files; removed at the end, and after a kill by the next run.

        Raises LakeError when the lake cannot be written.
        """
        base = self.root / "staging" / platform
        folder = base / run_id
        try:
            base.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._remove_abandoned(base)
                folder.mkdir()
                lock = (folder / "lock").open("w")
                fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise LakeError(
                f"cannot write to the lake at {self.root} ({error.strerror}); "
                "check its permissions, or point COMMUNITY_LAKE elsewhere"
            ) from error
        with lock:
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _remove_abandoned(self, base: Path) -> None:
        # A live run holds its lock; the kernel frees it when the process dies, however it dies. Folder and lock are
        # made as one, so a folder without a lock is one whose removal was killed.
        for name in _folders(base):
            folder = base / name
            with suppress(BlockingIOError), ExitStack() as stack:
                with suppress(FileNotFoundError):
                    fcntl.flock(stack.enter_context((folder / "lock").open()), fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)

    def swap(self, staged: Path, final: Path, *, unless_newer: Ledger | None = None) -> bool:
        """Makes a staged file visible: fsync, hard-link the old one into superseded/, rename, fsync the folder.

        With `unless_newer`, leaves a sound file that was read from the source later than that ledger, and returns
        False: the older snapshot of two runs never wins. Raises LakeError when the disk is full or read-only.
        """
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if unless_newer is not None and self._is_newer(final, unless_newer):
                    return False
                _fsync(staged)
                self._keep_superseded(final)
                staged.replace(final)
                _fsync(final.parent)
        except OSError as error:
            raise LakeError(
                f"cannot write {final} ({error.strerror}); free space or fix permissions, then run the day again"
            ) from error
        return True

    def _is_newer(self, final: Path, ledger: Ledger) -> bool:
        try:
            return read_ledger(final).read_at > ledger.read_at and not fault_of(final)
        except (FileNotFoundError, LakeError):
            return False

    def _keep_superseded(self, final: Path) -> None:
        if not final.exists():
            return
        kept = self.root / "superseded" / final.relative_to(self.root).parent
        kept.mkdir(parents=True, exist_ok=True)
        os.link(final, kept / f"{time.time_ns()}.parquet")

    def remove_superseded(self, older_than_days: int) -> int:
        """Deletes replaced files kept for longer than that; returns how many."""
        limit = time.time_ns() - older_than_days * 86_400 * 10**9
        removed = 0
        for path in (self.root / "superseded").rglob("*.parquet"):
            if _is_ours(path.relative_to(self.root)) and int(path.stem) < limit:
                path.unlink(missing_ok=True)
                removed += 1
        return removed


class OneLook(Lake):
    """A lake for as long as one plan is made: every footer is read once."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._seen: dict[tuple[Kind, str, str, date], tuple[Ledger | None, str]] = {}

    def look(self, kind: Kind, platform: str, name: str, day: date) -> tuple[Ledger | None, str]:
        """As the lake's, as it was the first time."""
        key = (kind, platform, name, day)
        if key not in self._seen:
            self._seen[key] = super().look(kind, platform, name, day)
        return self._seen[key]


def _is_ours(path: Path) -> bool:
    return _OURS.fullmatch(path.as_posix()) is not None


def _folders(path: Path) -> list[str]:
    """The names of the folders in a folder; none where there is no such folder."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
        return [entry.name for entry in entries if entry.is_dir()]
    return []


def _day_of(name: str) -> date | None:
    """The day of a day's folder; None for another name."""
    found = re.fullmatch(_DAY_FOLDER, name)
    with suppress(ValueError):
        return date.fromisoformat(found[1]) if found else None
    return None


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
