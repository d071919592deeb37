"""The seal of a file: the sha256 of all its bytes, kept in the ledger in its footer.

The ledger is written with 64 zeros in the place of the digits, the finished file is hashed as it is, and the digits
are put in place: so they are hashed as zeros when the file is verified. Every bit counts, footer and magic too.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

from community_pipelines.lake.ledger import METADATA_KEY, UNSEALED, LakeError

MAGIC = b"PAR1"
# Inside a text of JSON the quotes would be escaped, so no value of a row can look like this.
SEAL = re.compile(rb'"seal": "([0-9a-f]{64})"')
BLOCK = 1 << 20


def seal(path: Path) -> None:
    """Puts the digits into a finished file whose ledger has zeros in their place.

    Raises LakeError when that place is not found just once, OSError when the disk fails.
    """
    with path.open("r+b") as file:
        place = _place(file)
        if place is None:
            raise LakeError(f"{path} has not just one place for its seal; this program wrote it wrongly, report it")
        digits = _digest(file, place).encode()
        file.seek(place)
        file.write(digits)


def verify(path: Path) -> bool:
    """Whether the file's bytes are those that were sealed; a file without a seal is not."""
    with path.open("rb") as file:
        place = _place(file)
        if place is None:
            return False
        file.seek(place)
        return file.read(len(UNSEALED)) == _digest(file, place).encode()


def footer_of(file: BinaryIO) -> bytes:
    """The bytes of a Parquet footer, before its length and the magic; empty for what is no Parquet file."""
    end = file.seek(0, os.SEEK_END)
    if end < 12:
        return b""
    file.seek(end - 8)
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length > end - 12:
        return b""
    file.seek(end - 8 - length)
    return file.read(length)


def _place(file: BinaryIO) -> int | None:
    """Where the digits begin; None unless the ledger stands once in the footer, with one seal in it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    footer = footer_of(file)
    try:
        tail = len(footer).to_bytes(4, "little") + MAGIC
        text = pq.read_metadata(pa.BufferReader(MAGIC + footer + tail)).metadata[METADATA_KEY]
    except (OSError, pa.ArrowException, KeyError, TypeError):
        return None
    seals = list(SEAL.finditer(text))
    # Only the whole ledger is looked for: statistics in the footer hold what users wrote.
    if len(seals) != 1 or footer.count(text) != 1:
        return None
    return file.seek(0, os.SEEK_END) - 8 - len(footer) + footer.find(text) + seals[0].start(1)


def _digest(file: BinaryIO, place: int) -> str:
    digest = hashlib.sha256()
    block = memoryview(bytearray(min(BLOCK, file.seek(0, os.SEEK_END))))
    end = place + len(UNSEALED)
    file.seek(0)
    at = 0
    while count := file.readinto(block):  # type: ignore[attr-defined]
        first, last = max(place - at, 0), min(end - at, count)
        if first < last:
            block[first:last] = UNSEALED.encode()[: last - first]
        digest.update(block[:count])
        at += count
    return digest.hexdigest()
