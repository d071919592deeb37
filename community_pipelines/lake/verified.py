"""Which files are to be believed, and names of those that no replacement touches.

A file is verified before a result is made of it: by its seal, or, from before there were seals, by what it holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from community_pipelines.lake.duck import first_row, parquet, session
from community_pipelines.lake.ledger import METADATA_KEY, DamagedError, LakeError, Ledger, read_ledger
from community_pipelines.lake.seal import footer_of, verify

if TYPE_CHECKING:
    import duckdb

# Files that are hashed side by side; each takes a block of memory.
SIDE_BY_SIDE = 4


def made_anew(platform: str, day: date) -> str:
    """The advice for a damaged day file."""
    return f"`community backfill {platform} --from {day} --to {day}` makes it anew"


def fault_of(path: Path, shown: Path | None = None) -> str:
    """Why a file of the lake is not to be believed, by the name `shown`; empty when it is.

    A file without a seal is compared with the content hash in its ledger, or, in quarantine, with its counts by
    rule; a hash that another major version of the engine made cannot be compared. A dimension from before there were
    seals has no ledger either. Raises LakeError for a file that may not be read.
    """
    name = shown or path
    try:
        ledger = read_ledger(path, shown)
        if ledger.seal:
            return "" if verify(path) else f"{name} does not hold the bytes that were written: its seal is broken"
        return _content_fault(path, ledger, name)
    except DamagedError as error:
        return "" if name.parts[-4:-3] == ("dimensions",) and _is_from_before(path) else str(error)
    except FileNotFoundError:
        raise
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"


def _is_from_before(path: Path) -> bool:
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        footer = footer_of(file)
    try:
        known = pq.read_metadata(path).metadata or {}
        return METADATA_KEY not in known and b'"seal": "' not in footer
    except Exception:  # whatever is wrong with it, it is not a file from before
        return False


def _content_fault(path: Path, ledger: Ledger, name: Path) -> str:
    import duckdb
    import pyarrow.parquet as pq

    # It writes files, and knows where they are.
    from community_pipelines.lake.writer import content_hash_sql, hash_label

    with session(threads=1) as engine:
        try:
            if ledger.kind == "quarantine":
                found = counts_by_rule(engine, path)
                wrong = f"{name} holds {found} by rule, its ledger says {ledger.quarantined}"
                return "" if found == ledger.quarantined else wrong
            summed = content_hash_sql(pq.read_schema(path).names)
            label = hash_label(*first_row(engine, f"select count(*), {summed} from {parquet([path], [])}"))
        except duckdb.Error as error:
            return f"{name} cannot be read ({str(error).splitlines()[0]})"
    comparable = label.partition(":")[0] == ledger.content_hash.partition(":")[0]
    if label == ledger.content_hash or not comparable:
        return ""
    return f"{name} does not hold the rows that were written (hash {label}, its ledger says {ledger.content_hash})"


def counts_by_rule(engine: duckdb.DuckDBPyConnection, path: Path) -> dict[str, int]:
    """The rows of a quarantine file by the rule that they broke."""
    return dict(
        engine.execute(
            "select rule, count(*) from read_parquet(?, hive_partitioning = false) group by rule order by rule",
            [str(path)],
        ).fetchall()
    )


def same_dimension(path: Path, ledger: Ledger) -> bool:
    """Whether that file holds the same rows, and is to be believed."""
    try:
        present = read_ledger(path)
    except (FileNotFoundError, DamagedError):
        return False
    same = (present.content_hash, present.schema_hash) == (ledger.content_hash, ledger.schema_hash)
    return same and not fault_of(path)


class Verified:
    """Files under names in a private folder of their file system, each verified once for as long as this lives.

    Bytes that rot change no time of a file, so nothing is remembered any longer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # A name of our own keeps the inode, which is the key, from being used again.
        self._names: dict[tuple[int, int], Path] = {}
        self._faults: dict[tuple[int, int], str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def faults(self, paths: Iterable[Path], verifier: Callable[[Path, Path], str] = fault_of) -> dict[Path, str]:
        """Those of the files that are not to be believed, and why. `verifier` gets a file's name here, and its own."""
        keys = self._verified(paths, verifier)
        return {path: self._faults[key] for path, key in keys.items() if self._faults[key]}

    def pinned(self, paths: Iterable[Path], verifier: Callable[[Path, Path], str] = fault_of) -> list[Path]:
        """Names of those files that no replacement touches. Raises DamagedError for one that is not to be believed."""
        keys = self._verified(paths, verifier)
        for key in keys.values():
            if self._faults[key]:
                raise DamagedError(self._faults[key])
        return [self._names[key] for key in keys.values()]

    def _verified(self, paths: Iterable[Path], verifier: Callable[[Path, Path], str]) -> dict[Path, tuple[int, int]]:
        keys = {path: self._pin(path) for path in paths}
        new = {key: path for path, key in keys.items() if key not in self._faults}
        if new:
            with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
                found = pool.map(lambda key: verifier(self._names[key], new[key]), new)
                self._faults.update(zip(new, found, strict=True))
        return keys

    def _pin(self, path: Path) -> tuple[int, int]:
        # Linking fails when the file is replaced between finding and linking it.
        for _ in range(100):
            with suppress(FileNotFoundError):
                if (key := _inode(path)) in self._names:
                    return key
                name = self._folder / f"{uuid4().hex}.parquet"
                os.link(path, name)
                self._names.setdefault(key := _inode(name), name)
                return key
        raise LakeError(f"{path} is replaced all the time or gone; run the day again")


def _inode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
