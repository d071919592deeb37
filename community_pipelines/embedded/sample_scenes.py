"""Scenes of the sample's projects: Remotion components as an app's users have them made.

Here: filling the patterns of the folder `scenes` with words, colours and numbers. Not here: which template has how
many scenes (`sample_gallery`), and writing them to a database (`sample`).

A pattern is a TSX file in which `__kind__` stands for a value that is drawn; `__kind2__` is another one of the same
kind, and the same name twice in a file is the same value. So a pattern is TSX before and after it is filled.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from community_pipelines.embedded import sample_words as words

_FOLDER = Path(__file__).with_name("scenes")
_PLACEHOLDER = re.compile(r"__([a-z]+\d?)__")
# What would end a string, an element or a line of TSX; titles are written into all of them.
_NO_TEXT = re.compile(r"[\"'`\\{}<>\x00-\x1f]+")

_OPENINGS = ("title_card", "logo_reveal", "kinetic_words", "gradient_wave", "particle_field", "typewriter")
_ENDING = "end_card"
# category → the patterns that most of its scenes follow
_FAVOURITES = {
    "product": ("phone_mockup", "feature_cards", "price_tag", "checklist", "code_window", "counter"),
    "social": ("before_after", "photo_pan", "gallery_grid", "chat_bubbles", "typewriter", "split_screen"),
    "podcast": ("audio_bars", "quote", "lower_third", "testimonial", "kinetic_words"),
    "education": ("checklist", "timeline", "code_window", "progress_ring", "kinetic_words", "transitions"),
    "events": ("countdown", "map_pin", "timeline", "lower_third", "ticker"),
    "data": ("bar_chart", "line_chart", "pie_chart", "progress_ring", "counter", "leaderboard"),
    "music": ("lyric_line", "audio_bars", "particle_field", "gradient_wave", "shape_burst"),
    "branding": ("logo_reveal", "testimonial", "gallery_grid", "lower_third", "split_screen"),
    "seasonal": ("price_tag", "countdown", "shape_burst", "photo_pan", "particle_field"),
    "gaming": ("leaderboard", "countdown", "shape_burst", "ticker", "counter"),
}  # fmt: skip

_DURATIONS = (45, 60, 75, 90, 90, 105, 120, 120, 135, 150, 150, 180, 210, 240)

# kind → the numbers it is drawn from
_NUMBERS = {
    "amount": range(11, 990), "angle": range(0, 360), "bar": range(6, 29), "damping": range(8, 31),
    "day": range(1, 29), "delay": range(0, 25), "fade": range(10, 31), "few": range(2, 6), "gap": range(12, 49),
    "hair": range(1, 7), "length": range(140, 420), "many": range(12, 60), "pad": range(48, 141),
    "percent": range(12, 97), "radius": range(4, 41), "shift": range(18, 121), "size": range(56, 141),
    "stagger": range(3, 13), "stiffness": range(60, 221), "stretch": range(18, 49), "text": range(22, 45),
    "tilt": range(2, 15), "weight": range(400, 901, 100), "year": range(14, 26),
}  # fmt: skip

# kind → the texts it is drawn from
_CHOICES: dict[str, tuple[str, ...]] = {
    "align": ("left", "center", "right"),
    "ease": (
        "Easing.out(Easing.cubic)", "Easing.inOut(Easing.quad)", "Easing.bezier(0.16, 1, 0.3, 1)",
        "Easing.out(Easing.back(1.4))", "Easing.out(Easing.exp)", "Easing.bezier(0.65, 0, 0.35, 1)",
    ),
    "font": (
        "Inter, sans-serif", "Poppins, sans-serif", "Space Grotesk, sans-serif", "Playfair Display, serif",
        "DM Sans, system-ui, sans-serif", "Archivo Black, sans-serif", "Georgia, serif", "Helvetica Neue, Arial",
    ),
    "mass": ("0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1", "1.1", "1.2", "1.35", "1.5", "1.8"),
    "month": ("Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec"),
    "power": ("16", "32", "64", "128"),
    "side": ("from-left", "from-right", "from-top", "from-bottom"),
}  # fmt: skip

_BRANDS = ("Northlight", "Papaya", "Quillworks", "Tidepool", "Ember", "Foxglove", "Loopline", "Marble", "Octave",
           "Pinecone", "Sundial", "Velvet", "Wayfare", "Kiteshop")  # fmt: skip
# kind → what is said on screen
_TEXTS: dict[str, tuple[str, ...]] = {
    "brand": _BRANDS,
    "cta": ("Try it today", "Join us", "Follow for more", "Book your seat", "Get started for free", "Watch the rest",
            "Save this for later", "Tell a friend", "See you there", "Make it yours"),
    "handle": tuple(f"@{brand.lower()}" for brand in _BRANDS),
    "line": (*words.DETAILS, *(closer for closer in words.CLOSERS if closer)),
    "person": tuple(f"{first} {last}" for first, last in zip(words.FIRST_NAMES, words.LAST_NAMES, strict=False)),
    "phrase": ("Ready in two minutes", "Less noise, more signal", "Built by a small team", "Every day a new one",
               "One idea at a time", "Nothing to install", "Made to be shared", "From first draft to final cut",
               "Three steps, no more", "Your words, your colours", "Wait for it", "Twice as fast as last year",
               "Slow mornings, bright nights", "What we learned", "The part nobody shows", "Doors open at eight",
               "Start with the end", "Half the price until Sunday", "Ask us anything", "Keep what works",
               "Turn it up", "A place for everyone", "Small steps, every week", "It just works"),
    "place": ("Lisbon", "Berlin", "Oslo", "Nairobi", "Austin", "Kyoto", "Valencia", "Montreal", "Accra", "Tallinn"),
    "quote": ("We shipped it on Friday and slept well.", "I had no idea that it could be this simple.",
              "Our viewers stay to the end now.", "You can feel that somebody cared.",
              "It took an afternoon, and it shows.", "The best advice I ever got was to cut it shorter.",
              "I stopped counting after the first thousand.", "Good design is mostly leaving things out.",
              "We asked our customers, and then we listened.", "Practice made it look easy."),
    "role": ("Founder", "Product designer", "Teacher", "Head of growth", "Host", "Engineer", "Guitarist", "Producer",
             "Community lead", "Student"),
    "site": tuple(f"{brand.lower()}.example" for brand in _BRANDS),
    "word": ("Now", "Hello", "Go", "Launch", "Focus", "Play", "Build", "Listen", "Learn", "Wow", "Fresh", "Bold",
             "Today", "Ready", "Again", "More", "Shine", "Level up"),
}  # fmt: skip
_EMOJI = ("🚀", "✨", "🎉", "🔥", "🎧", "💡", "🎮", "📈", "👀", "❤️")
_WITH_EMOJI = ("cta", "headline", "phrase")
_SUFFIXES = ("Scene", "Clip", "Block", "Section", "Shot", "V2", "Final", "Frame")
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
    subjects, tags = words.CATEGORIES.get(category, (("Story",), ("video",)))
    texts = {
        **_TEXTS,
        "label": (*subjects, *(tag.capitalize() for tag in tags)),
        "headline": tuple(f"{style} {subject}" for style in words.STYLES for subject in subjects),
        "title": (_NO_TEXT.sub(" ", title).strip() or "Untitled",),
    }
    made = []
    for place, draw in enumerate(draws):
        pattern = _pattern(category, place, count, draw)
        code = _filled(pattern, draw, texts, hue)
        # Whole projects come from an editor that ends lines as Windows does.
        made.append(SampleScene(_name(pattern, place, draw), code.replace("\n", "\r\n") if windows else code,
                                _DURATIONS[draw[3] % len(_DURATIONS)]))  # fmt: skip
    return made


@cache
def patterns() -> dict[str, Pattern]:
    """All patterns by name, in the order of their names."""
    found = {}
    for path in sorted(_FOLDER.glob("*.tsx")):
        pieces = _PLACEHOLDER.split(path.read_text(encoding="utf-8"))
        found[path.stem] = Pattern(path.stem, tuple(pieces[::2]), tuple(pieces[1::2]))
    return found


def _pattern(category: str, place: int, count: int, draw: list[int]) -> Pattern:
    known = patterns()
    names: tuple[str, ...] = tuple(known)
    luck = draw[0] % 100
    if place == 0 and count > 1 and luck < 70:
        names = _OPENINGS
    elif place == count - 1 > 1 and luck < 60:
        names = (_ENDING,)
    elif category in _FAVOURITES and luck < 65:
        names = _FAVOURITES[category]
    return known[names[draw[1] % len(names)]]


def _name(pattern: Pattern, place: int, draw: list[int]) -> str:
    plain = pattern.name.replace("_", " ").title()
    return (plain, plain, f"Scene {place + 1}", f"{place + 1:02} {plain}")[draw[2] % 4]


def _filled(pattern: Pattern, draw: list[int], texts: dict[str, tuple[str, ...]], hue: float) -> str:
    values: dict[str, str] = {}
    colours = _colours(hue, draw[4])
    pieces = [pattern.texts[0]]
    for kind, after in zip(pattern.kinds, pattern.texts[1:], strict=True):
        if kind not in values:
            plain = kind.rstrip("0123456789")
            # The first draws decide what the scene is, the others what is in it.
            number = draw[5 + len(values)]
            if plain in _NUMBERS:
                values[kind] = str(_NUMBERS[plain][number % len(_NUMBERS[plain])])
            elif plain in _CHOICES:
                values[kind] = _CHOICES[plain][number % len(_CHOICES[plain])]
            elif kind in colours:
                values[kind] = colours[kind]
            elif plain == "name":
                values[kind] = pattern.name.title().replace("_", "") + _SUFFIXES[number % len(_SUFFIXES)]
            else:
                values[kind] = _text(plain, number, texts[plain], values)
        pieces += values[kind], after
    return "".join(pieces)


def _text(kind: str, number: int, options: tuple[str, ...], values: dict[str, str]) -> str:
    """One of the texts, which is not yet in the scene where there is another."""
    for step in range(len(options)):
        text = options[(number + step) % len(options)]
        if text not in values.values():
            break
    # The high digits, since the low ones chose the text.
    luck = number >> 16
    return f"{text} {_EMOJI[luck % len(_EMOJI)]}" if kind in _WITH_EMOJI and luck % 23 == 0 else text


def _colours(hue: float, draw: int) -> dict[str, str]:
    """A scene's colours around the project's hue: light on dark, or dark on light."""
    shade, bright, dark = (draw >> 8) % 256 / 256, (draw >> 16) % 256 / 256, draw % 3 > 0
    paper, soft, ink = (0.05 + 0.08 * shade, 0.16 + 0.08 * shade, 0.95) if dark else (0.97 - 0.05 * shade, 0.88, 0.1)

    def colour(turn: float, lightness: float, saturation: float) -> str:
        red, green, blue = colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)
        return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"

    return {
        "paper": colour(0.02 * bright, paper, 0.3),
        "soft": colour(0.05 * bright, soft, 0.35),
        "ink": colour(0.1 * shade, ink, 0.15),
        "accent": colour(0.03 * shade, 0.5 + 0.12 * bright, 0.85),
        "accent2": colour(0.35 + 0.15 * bright, 0.5 + 0.1 * shade, 0.75),
        "accent3": colour(0.6 + 0.15 * shade, 0.45 + 0.15 * bright, 0.6),
    }
