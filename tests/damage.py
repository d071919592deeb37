"""What rots: bits of files that were written well."""

from __future__ import annotations

from pathlib import Path


def flip(path: Path, at: int = 60) -> None:
    """Changes one bit, of a data page unless it says otherwise."""
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """Cuts the end off."""
    path.write_bytes(path.read_bytes()[:-20])
