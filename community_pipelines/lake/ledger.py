"""The day's ledger: what a day file says about itself in its Parquet footer."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from community_pipelines.errors import ExplainedError

METADATA_KEY = b"community"
# What stands in the place of a seal until the file is complete.
UNSEALED = "0" * 64


class LakeError(ExplainedError):
    """A file or folder of the lake cannot be used; the message names it and what to do."""


class DamagedError(LakeError):
    """A file is not what was written there. That is its day's state: it stops no other day."""


@dataclass(frozen=True)
class Ledger:
    """One day of one stream or model, or a dimension as it was on that day.

    `kind` is raw, quarantine, models or dimensions. Counts are rows. Times are UTC. `fingerprint` is the count
    and the xor of id hashes of the source's day, `snapshot` the PostgreSQL snapshot it was read at, `read_at`
    the database's clock then. `inputs` is the hash of what a model read, `content_hash` an order-independent
    hash of the accepted rows, `schema_hash` one of names and types. `measures` are facts for the quality suite.
    `seal` is the sha256 of the whole file, with zeros in its own place; empty in files from before there were seals.
    """

    kind: str
    platform: str
    name: str
    day: date
    accepted: int
    content_hash: str
    schema_hash: str
    code_version: str
    run_id: str
    read_at: datetime
    read: int = 0
    duplicates: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    min_time: datetime | None = None
    max_time: datetime | None = None
    snapshot: str = ""
    fingerprint: tuple[int, int] = (0, 0)
    inputs: str = ""
    measures: dict[str, Any] = field(default_factory=dict)
    seal: str = ""

    @property
    def rows_quarantined(self) -> int:
        """Rows left out by any rule."""
        return sum(self.quarantined.values())

    @property
    def residue(self) -> int:
        """Rows read and not accounted for; 0 in a true ledger."""
        return self.read - self.accepted - self.duplicates - self.rows_quarantined

    def to_metadata(self) -> dict[str, str]:
        """The footer's key-value entry."""
        return {METADATA_KEY.decode(): json.dumps(asdict(self), default=str, sort_keys=True)}

    @classmethod
    def from_json(cls, text: bytes) -> Ledger:
        """Reads back what `to_metadata` wrote; ValueError, TypeError or KeyError for anything else."""
        data = json.loads(text)
        known = {f.name for f in fields(cls)}
        # What wrote other names than these seals its files: here the name of the seal itself is damaged.
        if "seal" not in data and (unknown := data.keys() - known):
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        data = {key: value for key, value in data.items() if key in known}
        data["day"] = date.fromisoformat(data["day"])
        data["read_at"] = datetime.fromisoformat(data["read_at"])
        for name in ("min_time", "max_time"):
            data[name] = datetime.fromisoformat(data[name]) if data.get(name) else None
        rows, xor = data["fingerprint"]
        return cls(**{**data, "fingerprint": (rows, xor)})


def read_ledger(path: Path, shown: Path | None = None) -> Ledger:
    """The ledger in the footer of a file; messages name it as `shown`, where it is read by another name.

    Raises DamagedError for a truncated file, a file that this project did not write, and a file whose row count is
    not what its ledger says; LakeError for a file that may not be read.
    """
    import pyarrow.parquet as pq

    name = shown or path
    try:
        footer = pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EIO):
            reason = os.strerror(error.errno or 0)
            raise LakeError(f"cannot read {name} ({reason}); check its permissions and COMMUNITY_LAKE") from error
        raise DamagedError(f"{name} is no complete Parquet file ({_first_line(error)})") from error
    text = (footer.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise DamagedError(f"{name} has no ledger in its footer, so another program wrote it")
    try:
        ledger = Ledger.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedError(f"{name} has a ledger that cannot be read ({error!r})") from error
    expected = ledger.rows_quarantined if ledger.kind == "quarantine" else ledger.accepted
    if footer.num_rows != expected:
        raise DamagedError(f"{name} holds {footer.num_rows} rows but its ledger says {expected}")
    return ledger


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


@contextmanager
def writing_to(folder: Path, what: str) -> Iterator[None]:
    """Turns an error of the file system into a LakeError that says what could not be written where."""
    try:
        yield
    except OSError as error:
        raise LakeError(
            f"cannot write {what} into {folder} ({error.strerror or error}); "
            "free space or fix permissions, then run the day again"
        ) from error
