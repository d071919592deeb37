"""What a process writes is for its owner alone."""

from __future__ import annotations

import os

UMASK = 0o077


def keep_private() -> None:
    """Files and folders that this process makes from now on, and its children, are nobody else's to read."""
    os.umask(UMASK)
