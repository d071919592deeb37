"""Scenes of the sample's projects: Remotion components as an app's users have them made.

Here: filling the patterns of the folder `scenes` with words, colours and numbers. Not here: which template has how
many scenes (`gallery`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from community_pipelines.samples.patterns import Pattern, palette, read_patterns
from community_pipelines.samples.words import words

# What would end a string, an element or a line of TSX; titles are written into all of them.
_NO_TEXT = re.compile(r"[\"'`\\{}<>\x00-\x1f]+")
_SLOTS = 64


@dataclass(frozen=True)
class SampleScene:
    """One scene: what its author called it, its TSX, and how many frames it lasts."""

    name: str
    code: str
    duration: int


def scenes(rng: np.random.Generator, category: str, title: str, count: int) -> list[SampleScene]:
    """That many scenes of one project, in its order. The same state of `rng` gives the same ones.

    Unknown categories have no favourite patterns. Of the title, what TSX could not hold is left out.
    """
    draws: list[list[int]] = rng.integers(0, 1 << 31, (count, _SLOTS)).tolist()
    windows = bool(rng.random() < 0.03)
    hue = float(rng.random())
    known = words("bazaar")["scenes"]
    texts = {**_texts(category), "title": [_NO_TEXT.sub(" ", title).strip() or "Untitled"]}

    def value(kind: str, number: int, used: set[str]) -> str:
        options = texts[kind]
        text = options[number % len(options)]
        if kind in known["numbers"] or kind in known["choices"]:
            return text
        # One that is not yet in the scene, where there is another.
        others = (options[(number + step) % len(options)] for step in range(len(options)))
        text = next((other for other in others if other not in used), text)
        # The high digits, since the low ones chose the text.
        luck, emoji = number >> 16, known["emoji"]
        return f"{text} {emoji[luck % len(emoji)]}" if kind in known["with_emoji"] and luck % 23 == 0 else text

    made = []
    for place, draw in enumerate(draws):
        pattern = _pattern(category, place, count, draw)
        name = pattern.name.title().replace("_", "") + known["suffixes"][draw[5] % len(known["suffixes"])]
        # The first draws decide what the scene is, the others what is in it.
        code = pattern.filled(draw[6:], {**palette(hue, draw[4]), "name": name}, value)
        # Whole projects come from an editor that ends lines as Windows does.
        code = code.replace("\n", "\r\n") if windows else code
        duration = known["durations"][draw[3] % len(known["durations"])]
        made.append(SampleScene(_name(pattern, place, draw), code, duration))
    return made


def patterns() -> dict[str, Pattern]:
    """All patterns by name, in the order of their names."""
    return read_patterns(Path(__file__).with_name("scenes"), "tsx")


@cache
def _texts(category: str) -> dict[str, list[str]]:
    """Kind → the texts it is drawn from."""
    known, shared = words("bazaar"), words()
    own: dict[str, Any] = known["scenes"]
    about = known["categories"].get(category, {"subjects": ["Story"], "tags": ["video"]})
    brands = [brand.lower() for brand in own["texts"]["brand"]]
    return {
        **{kind: [str(number) for number in range(*bounds)] for kind, bounds in own["numbers"].items()},
        **own["choices"],
        **own["texts"],
        "handle": [f"@{brand}" for brand in brands],
        "site": [f"{brand}.example" for brand in brands],
        "line": [*known["details"], *(closer for closer in known["closers"] if closer)],
        "person": [" ".join(names) for names in zip(shared["first_names"], shared["last_names"], strict=False)],
        "label": [*about["subjects"], *(tag.capitalize() for tag in about["tags"])],
        "headline": [f"{style} {subject}" for style in known["styles"] for subject in about["subjects"]],
    }


def _pattern(category: str, place: int, count: int, draw: list[int]) -> Pattern:
    known, own = patterns(), words("bazaar")
    names, luck = list(known), draw[0] % 100
    if place == 0 and count > 1 and luck < 70:
        names = own["scenes"]["openings"]
    elif place == count - 1 > 1 and luck < 60:
        names = [own["scenes"]["ending"]]
    elif category in own["categories"] and luck < 65:
        names = own["categories"][category]["patterns"]
    return known[names[draw[1] % len(names)]]


def _name(pattern: Pattern, place: int, draw: list[int]) -> str:
    plain = pattern.name.replace("_", " ").title()
    return (plain, plain, f"Scene {place + 1}", f"{place + 1:02} {plain}")[draw[2] % 4]
