"""Patterns: text or code that is hardly ever the same twice, from files with places to fill in.

In a pattern `__kind__` stands for a value that is drawn; `__kind2__` is another one of the same kind, and the same name
twice in a file is the same value. So a pattern is valid before and after it is filled. Not here: what values there are.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PLACEHOLDER = re.compile(r"__([a-z]+\d?)__")


@dataclass(frozen=True)
class Pattern:
    """A pattern in pieces: `texts[0]`, the value of `kinds[0]`, `texts[1]`, and so on."""

    name: str
    texts: tuple[str, ...]
    kinds: tuple[str, ...]

    def filled(self, draws: Sequence[int], given: Mapping[str, str], value: Callable[[str, int, set[str]], str]) -> str:
        """The pattern with what is `given` for whole names, and elsewhere the value of a kind, a number that was drawn
        and the values that are there already."""
        values: dict[str, str] = {}
        pieces = [self.texts[0]]
        for name, after in zip(self.kinds, self.texts[1:], strict=True):
            if name not in values:
                kind, number = name.rstrip("0123456789"), draws[len(values)]
                values[name] = given[name] if name in given else value(kind, number, set(values.values()))
            pieces += values[name], after
        return "".join(pieces)


@cache
def read_patterns(folder: Path, ending: str) -> dict[str, Pattern]:
    """All patterns of a folder by name, in the order of their names."""
    found = {}
    for path in sorted(folder.glob(f"*.{ending}")):
        pieces = _PLACEHOLDER.split(path.read_text(encoding="utf-8"))
        found[path.stem] = Pattern(path.stem, tuple(pieces[::2]), tuple(pieces[1::2]))
    return found


def palette(hue: float, draw: int) -> dict[str, str]:
    """Colours around a hue, each draw some of its own: light on dark, or dark on light."""
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
