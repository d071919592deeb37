"""The day's ledger: what a day file says about itself in its Parquet footer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

METADATA_KEY = b"community"


class LakeError(Exception):
    """A file or folder of the lake cannot be used; the message names it and what to do."""


@dataclass(frozen=True)
class Ledger:
    """One day of one stream or model.

    `kind` is raw, quarantine, models or dimensions. Counts are rows. Times are UTC. `fingerprint` is the count
    and the xor of id hashes of the source's day, `snapshot` the PostgreSQL snapshot it was read at, `read_at`
    the database's clock then. `inputs` is the hash of what a model read, `content_hash` an order-independent
    hash of the accepted rows, `schema_hash` one of names and types. `measures` are facts for the quality suite.
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
        data = {key: value for key, value in data.items() if key in known}
        data["day"] = date.fromisoformat(data["day"])
        data["read_at"] = datetime.fromisoformat(data["read_at"])
        for name in ("min_time", "max_time"):
            data[name] = datetime.fromisoformat(data[name]) if data.get(name) else None
        rows, xor = data["fingerprint"]
        return cls(**{**data, "fingerprint": (rows, xor)})


def read_ledger(path: Path) -> Ledger:
    """The verified footer of a day file.

    Raises LakeError for a file that cannot be opened, a truncated file, a file that this project did not write,
    and a file whose row count is not what its ledger says.
    """
    advice = f"move {path} away and run the day again with `community backfill`"
    try:
        footer = pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            reason = os.strerror(error.errno)
            raise LakeError(f"cannot read {path} ({reason}); check its permissions and COMMUNITY_LAKE") from error
        raise LakeError(f"{path} is no complete Parquet file ({error}); {advice}") from error
    text = (footer.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise LakeError(f"{path} has no ledger in its footer, so another program wrote it; {advice}")
    try:
        ledger = Ledger.from_json(text)
    except (ValueError, TypeError, KeyError) as error:
        raise LakeError(f"{path} has a ledger that cannot be read ({error!r}); {advice}") from error
    expected = ledger.rows_quarantined if ledger.kind == "quarantine" else ledger.accepted
    if footer.num_rows != expected:
        raise LakeError(f"{path} holds {footer.num_rows} rows but its ledger says {expected}; {advice}")
    return ledger


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
