"""Scenes of the sample's projects: Remotion components as an app's users have them made.

Here: filling the patterns of the folder `scenes` with words, colours and numbers. Not here: which template has how
many scenes (`gallery`).

A pattern is a TSX file in which `__kind__` stands for a value that is drawn; `__kind2__` is another one of the same
kind, and the same name twice in a file is the same value. So a pattern is TSX before and after it is filled.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from community_pipelines.samples.words import words

_FOLDER = Path(__file__).with_name("scenes")
_PLACEHOLDER = re.compile(r"__([a-z]+\d?)__")
# What would end a string, an element or a line of TSX; titles are written into all of them.
_NO_TEXT = re.compile(r"[\"'`\\{}<>\x00-\x1f]+")
_SLOTS = 64


@dataclass(frozen=True)
class SampleScene:
    """One scene: what its author called it, its TSX, and how many frames it lasts."""

    name: str
    code: str
    duration: int


@dataclass(frozen=True)
class Pattern:
    """A pattern in pieces: `texts[0]`, the value of `kinds[0]`, `texts[1]`, and so on."""

    name: str
    texts: tuple[str, ...]
    kinds: tuple[str, ...]


def scenes(rng: np.random.Generator, category: str, title: str, count: int) -> list[SampleScene]:
    """That many scenes of one project, in its order. The same state of `rng` gives the same ones.

    Unknown categories have no favourite patterns. Of the title, what TSX could not hold is left out.
    """
    draws: list[list[int]] = rng.integers(0, 1 << 31, (count, _SLOTS)).tolist()
    windows = bool(rng.random() < 0.03)
    hue = float(rng.random())
    known = words("bazaar")
    about = known["categories"].get(category, {"subjects": ["Story"], "tags": ["video"], "patterns": list(patterns())})
    texts = {**_options(), **_of_category(category), "title": [_NO_TEXT.sub(" ", title).strip() or "Untitled"]}
    made = []
    for place, draw in enumerate(draws):
        pattern = _pattern(about["patterns"], place, count, draw)
        code = _filled(pattern, draw, texts, _colours(hue, draw[4]))
        # Whole projects come from an editor that ends lines as Windows does.
        code = code.replace("\n", "\r\n") if windows else code
        durations = known["scenes"]["durations"]
        made.append(SampleScene(_name(pattern, place, draw), code, durations[draw[3] % len(durations)]))
    return made


@cache
def patterns() -> dict[str, Pattern]:
    """All patterns by name, in the order of their names."""
    found = {}
    for path in sorted(_FOLDER.glob("*.tsx")):
        pieces = _PLACEHOLDER.split(path.read_text(encoding="utf-8"))
        found[path.stem] = Pattern(path.stem, tuple(pieces[::2]), tuple(pieces[1::2]))
    return found


@cache
def _options() -> dict[str, list[str]]:
    """Kind → the texts it is drawn from."""
    known, shared = words("bazaar"), words()
    brands = [brand.lower() for brand in known["scenes"]["texts"]["brand"]]
    return {
        **{kind: [str(number) for number in range(*bounds)] for kind, bounds in known["scenes"]["numbers"].items()},
        **known["scenes"]["choices"],
        **known["scenes"]["texts"],
        "handle": [f"@{brand}" for brand in brands],
        "site": [f"{brand}.example" for brand in brands],
        "line": [*known["details"], *(closer for closer in known["closers"] if closer)],
        "person": [" ".join(names) for names in zip(shared["first_names"], shared["last_names"], strict=False)],
    }


@cache
def _of_category(category: str) -> dict[str, list[str]]:
    known = words("bazaar")
    about = known["categories"].get(category, {"subjects": ["Story"], "tags": ["video"]})
    return {
        "label": [*about["subjects"], *(tag.capitalize() for tag in about["tags"])],
        "headline": [f"{style} {subject}" for style in known["styles"] for subject in about["subjects"]],
    }


def _pattern(favourites: list[str], place: int, count: int, draw: list[int]) -> Pattern:
    known, special = patterns(), words("bazaar")["scenes"]
    names, luck = list(known), draw[0] % 100
    if place == 0 and count > 1 and luck < 70:
        names = special["openings"]
    elif place == count - 1 > 1 and luck < 60:
        names = [special["ending"]]
    elif luck < 65:
        names = favourites
    return known[names[draw[1] % len(names)]]


def _name(pattern: Pattern, place: int, draw: list[int]) -> str:
    plain = pattern.name.replace("_", " ").title()
    return (plain, plain, f"Scene {place + 1}", f"{place + 1:02} {plain}")[draw[2] % 4]


def _filled(pattern: Pattern, draw: list[int], texts: dict[str, list[str]], colours: dict[str, str]) -> str:
    special: dict[str, Any] = words("bazaar")["scenes"]
    values: dict[str, str] = {}
    pieces = [pattern.texts[0]]
    for kind, after in zip(pattern.kinds, pattern.texts[1:], strict=True):
        if kind not in values:
            plain = kind.rstrip("0123456789")
            # The first draws decide what the scene is, the others what is in it.
            number = draw[5 + len(values)]
            if kind in colours:
                values[kind] = colours[kind]
            elif plain == "name":
                suffixes = special["suffixes"]
                values[kind] = pattern.name.title().replace("_", "") + suffixes[number % len(suffixes)]
            elif plain in special["numbers"] or plain in special["choices"]:
                values[kind] = texts[plain][number % len(texts[plain])]
            else:
                values[kind] = _text(plain, number, texts[plain], values, special)
        pieces += values[kind], after
    return "".join(pieces)


def _text(kind: str, number: int, options: list[str], values: dict[str, str], special: dict[str, Any]) -> str:
    """One of the texts, which is not yet in the scene where there is another."""
    for step in range(len(options)):
        text = options[(number + step) % len(options)]
        if text not in values.values():
            break
    # The high digits, since the low ones chose the text.
    luck = number >> 16
    emoji = special["emoji"]
    return f"{text} {emoji[luck % len(emoji)]}" if kind in special["with_emoji"] and luck % 23 == 0 else text


def _colours(hue: float, draw: int) -> dict[str, str]:
    """A scene's colours around the project's hue: light on dark, or dark on light."""
    shade, bright, dark = (draw >> 8) % 256 / 256, (draw >> 16) % 256 / 256, draw % 3 > 0
    paper, soft, ink = (0.05 + 0.08 * shade, 0.16 + 0.08 * shade, 0.95) if dark else (0.97 - 0.05 * shade, 0.88, 0.1)
    kinds = {
        "paper": (0.02 * bright, paper, 0.3),
        "soft": (0.05 * bright, soft, 0.35),
        "ink": (0.1 * shade, ink, 0.15),
        "accent": (0.03 * shade, 0.5 + 0.12 * bright, 0.85),
        "accent2": (0.35 + 0.15 * bright, 0.5 + 0.1 * shade, 0.75),
        "accent3": (0.6 + 0.15 * shade, 0.45 + 0.15 * bright, 0.6),
    }
    colours = {}
    for kind, (turn, lightness, saturation) in kinds.items():
        parts = colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)
        colours[kind] = "#" + "".join(f"{round(part * 255):02x}" for part in parts)
    return colours
