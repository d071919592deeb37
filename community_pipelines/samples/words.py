"""Words from which samples are composed: this folder's `words.yml` for all, a platform's own beside its code."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from community_pipelines.samples.chance import one_of

_BRACES = re.compile(r"\{(\w+)(\|lower)?\}")


@cache
def words(platform: str = "") -> dict[str, Any]:
    """The word lists of a platform, or those that all share."""
    text = (Path(__file__).parent / platform / "words.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def say(rng: np.random.Generator, platform: str, kind: str) -> Any:
    """A text of that kind: one of its list, with each kind in braces said in turn (`{nouns|lower}` in small letters).

    Of a tree of kinds such a tree."""
    known = words(platform)

    def said(pattern: Any) -> Any:
        if isinstance(pattern, dict):
            return {name: said(inner) for name, inner in pattern.items()}
        text = one_of(rng, pattern) if isinstance(pattern, list) else pattern
        return _BRACES.sub(inside, text) if isinstance(text, str) and "{" in text else text

    def inside(found: re.Match[str]) -> str:
        text = str(said(known[found[1]]))
        return text.lower() if found[2] else text

    return said(known[kind])


def slug(name: str) -> str:
    """The name as it stands in links."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
