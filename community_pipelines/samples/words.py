"""Words from which samples are composed: this folder's `words.yml` for all, a platform's own beside its code."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def words(platform: str = "") -> dict[str, Any]:
    """The word lists of a platform, or those that all share."""
    text = (Path(__file__).parent / platform / "words.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def slug(name: str) -> str:
    """The name as it stands in links."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
