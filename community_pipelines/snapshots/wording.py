"""Texts of templates: titles, descriptions, tags and slugs as they may stand on a page. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

FORMATS = ("landscape", "portrait", "square")
LONGEST_TITLE = 255
LONGEST_SLUG = 200
LONGEST_TAG = 50
MOST_TAGS = 20
# More characters than this were not typed: they are a mistake, which is refused instead of cut.
MOST_TYPED = {"title": 500, "description": 10_000, "category": 500, "tag": 500}
MOST_TYPED_TAGS = 100
# Each time costs a walk over the whole text.
_MOST_UNPACKED = 10


def plain_text(text: str) -> str:
    """Text without markup: tags and scripts are gone, `a < b` and `Tom & Jerry` stay as they were typed.

    What is written as entities is unpacked and cleaned again until nothing changes, so that no tag comes back. What
    is packed so often that nobody typed it loses its ampersands.
    """
    for _ in range(_MOST_UNPACKED):
        clean = _unpacked(text)
        if clean == text:
            break
        text = clean
    else:
        text = _unpacked(text.replace("&", ""))
    kept = (one for one in text if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cs"))
    return "".join(kept).strip()


def _unpacked(text: str) -> str:
    import nh3

    return html.unescape(nh3.clean(text, tags=set()))


def title(text: str) -> str:
    """Plain text on one line of at most 255 characters; empty where nothing is left."""
    return _one_line(text)[:LONGEST_TITLE].strip()


def tags(values: Iterable[str]) -> tuple[str, ...]:
    """Plain, trimmed, lower case, each once, at most 20 of at most 50 characters."""
    cleaned = (_one_line(value).lower()[:LONGEST_TAG].strip() for value in values)
    return tuple(dict.fromkeys(one for one in cleaned if one))[:MOST_TAGS]


def slug(text: str) -> str:
    """Readable ASCII of at most 200 characters, cut after a word; `template` where nothing is left."""
    from slugify import slugify

    return slugify(text, max_length=LONGEST_SLUG, word_boundary=True) or "template"


def unknown_formats(values: Iterable[str]) -> list[str]:
    """Those that are none of landscape, portrait and square."""
    return [value for value in values if value not in FORMATS]


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", plain_text(text)).strip()
