"""What a scene's bible must be: in form by the schema of seed 002, in meaning by what the scene holds.

Here: one bible's text, and some bibles together; `examinations` reads those of a day. Not here: gaps between a
scene's versions and `scenes.bible_version`, which are counted in SQL.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import Draft7Validator, ValidationError

SCHEMA = Path(__file__).with_name("bible.schema.json")
# A real bible is 6 levels deep. Python's own limit depends on who calls.
DEEPEST = 100
_MEND = "correct it in scene_bibles, then extract its day again"
_LONGEST_QUOTE = 60
# An integer of more digits is beyond a double: the app reads it as infinite.
_MOST_DIGITS = 308
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENTITY_ID = re.compile(r"char_[a-z0-9]+")
_CONTAINERS = (dict, list)
_REPEATED = object()

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong with a bible, at a JSON path such as `$.characters[2].entityId`.

    `rule` is json (what no app can read, or PostgreSQL cannot hold), schema, version, entity-repeated, entity-lost,
    relationship or segment. `message` quotes at most 60 characters of the bible and says what to do.
    """

    rule: str
    path: str
    message: str


def violations(version: int, data: str, before: str | None, segments: Collection[int]) -> list[Violation]:
    """All that is wrong with a bible's JSON text `data`; never raises. The schema is that of seed 002.

    `version` is the row's, `before` the text of the scene's version before, `segments` the numbers of all segments
    of the scene. Where `before` is no JSON nothing is compared with it: that version has its own violation.
    """
    bible, unreadable = _read(data)
    if unreadable:
        return list(unreadable)
    found = [_against_schema(error) for error in _validator().iter_errors(bible)]
    if not isinstance(bible, dict):
        return found
    if _is_integer(bible.get("version")) and bible["version"] != version:
        message = f"is {_quoted(bible['version'])} in the bible of version {version}: write the row's version here"
        found.append(Violation("version", "$.version", message))
    found += _about_entities(bible, before)
    found += _about_segments(bible, set(segments))
    return found


def violations_of_day(
    rows: Iterable[Mapping[str, Any]],
    before: Mapping[tuple[str, int], str],
    segments: Mapping[str, Collection[int]],
) -> list[tuple[str, Violation]]:
    """The violations of a day's bibles with the ids of these bibles, in the rows' order. All ids are text.

    `before` holds texts of older days by scene and version, `segments` the segment numbers of each scene. A bible
    is compared with the version before of the same day, else with that of `before`; not at all where neither has it,
    since gaps between versions are a check of their own.
    """
    # NULL, which the seed's columns cannot be, becomes a version and a text that are violations.
    bibles = [(str(row["id"]), str(row["scene_id"]), row["version"] or 0, row["data"] or "") for row in rows]
    texts = {(scene, version): data for _, scene, version, data in bibles}
    return [
        (bible, violation)
        for bible, scene, version, data in bibles
        for violation in violations(
            version,
            data,
            texts.get((scene, version - 1), before.get((scene, version - 1))),
            segments.get(scene, ()),
        )
    ]


@cache
def _validator() -> Draft7Validator:
    from jsonschema_rs import Draft7Validator

    return Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")), mask="the value")


# A day goes from version to version, so that each text is read as a bible and again as the one before.
@lru_cache(maxsize=4)
def _read(data: str) -> tuple[Any, tuple[Violation, ...]]:
    """What the text holds, and what is wrong with it as JSON. Must not be changed by who gets it."""
    try:
        data.encode()
        found = json.loads(data, parse_int=_integer, object_pairs_hook=_object)
    except UnicodeEncodeError as error:
        return None, (Violation("json", "$", f"the text holds half a character at {error.start}: {_MEND}"),)
    except json.JSONDecodeError as error:
        place = f"{error.msg}, line {error.lineno}, column {error.colno}"
        return None, (Violation("json", "$", f"the text is no JSON ({place}): {_MEND}"),)
    except RecursionError:
        return None, (_too_deep("$"),)
    return found, tuple(_unreadable(found, "\\u" in data))


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(key for key, _ in pairs)
        found |= {key: _REPEATED for key, count in times.items() if count > 1}
    return found


def _unreadable(document: object, escapes: bool) -> Iterator[Violation]:
    """Walks what was read, a level at a time; without `escapes` no text can hold what PostgreSQL cannot."""
    # The document is the only item of a list, which is no part of its path.
    waiting: deque[tuple[Any, Place]] = deque([([document], ())])
    while waiting:
        container, place = waiting.popleft()
        for key, value in container.items() if isinstance(container, dict) else enumerate(container):
            inner = (*place, key)
            if escapes and any(isinstance(text, str) and _UNSTORABLE.search(text) for text in (key, value)):
                message = f"holds a NUL or half a character, which PostgreSQL cannot hold: {_MEND}"
                yield Violation("json", _path(inner[1:]), message)
            if isinstance(value, _CONTAINERS):
                if len(place) < DEEPEST:
                    waiting.append((value, inner))
                else:
                    yield _too_deep(_path(inner[1:]))
            elif isinstance(value, float) and not math.isfinite(value):
                yield Violation("json", _path(inner[1:]), f"is no finite number, or beyond 1.8e308: {_MEND}")
            elif value is _REPEATED:
                message = f"the key is there more than once, and only one would be kept: {_MEND}"
                yield Violation("json", _path(inner[1:]), message)


def _too_deep(path: str) -> Violation:
    return Violation("json", path, f"is nested deeper than {DEEPEST} levels: {_MEND}")


def _against_schema(error: ValidationError) -> Violation:
    # A missing key concerns the whole object; everything else is about a value that can be shown.
    shown = "" if error.kind.name == "required" else f": {_quoted(error.instance)}"
    return Violation("schema", _path(tuple(error.instance_path)), error.message + shown)


def _about_entities(bible: dict[str, Any], before: str | None) -> Iterator[Violation]:
    first: dict[str, int] = {}
    for place, entity in _entities(bible):
        if entity in first:
            yield Violation(
                "entity-repeated",
                f"$.characters[{place}].entityId",
                f"{_quoted(entity)} is characters[{first[entity]}] already: give each character an id of its own",
            )
        first.setdefault(entity, place)
    if isinstance(bible.get("characters"), list):
        older = _read(before)[0] if before is not None else None
        # An id that never was valid may be mended.
        known = dict.fromkeys(entity for _, entity in _entities(older) if _ENTITY_ID.fullmatch(entity))
        for entity in known:
            if entity not in first:
                yield Violation(
                    "entity-lost",
                    "$.characters",
                    f"{_quoted(entity)} was in the version before: keep it, with isActive false when it has left",
                )
    for place, character in _objects(bible.get("characters")):
        for number, relationship in _objects(character.get("relationships")):
            target = relationship.get("targetEntityId")
            if isinstance(target, str) and target not in first:
                yield Violation(
                    "relationship",
                    f"$.characters[{place}].relationships[{number}].targetEntityId",
                    f"{_quoted(target)} is none of the characters: add it, or remove the relationship",
                )


def _about_segments(bible: dict[str, Any], segments: set[int]) -> Iterator[Violation]:
    timeline = bible.get("timeline")
    events = timeline.get("majorEvents") if isinstance(timeline, dict) else None
    numbers = [
        (f"$.characters[{place}].introducedInSegment", character.get("introducedInSegment"))
        for place, character in _objects(bible.get("characters"))
    ] + [
        (f"$.timeline.majorEvents[{place}].segmentNumber", event.get("segmentNumber"))
        for place, event in _objects(events)
    ]
    for path, number in numbers:
        if _is_integer(number) and number not in segments:
            yield Violation("segment", path, f"the scene has no segment {_quoted(number)}: name one that it has")


def _entities(bible: object) -> Iterator[tuple[int, str]]:
    """Places and ids of the characters; those without an id that is text are left out."""
    for place, character in _objects(bible.get("characters") if isinstance(bible, dict) else None):
        if isinstance(character.get("entityId"), str):
            yield place, character["entityId"]


def _objects(values: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """Places and values of a list's objects. The schema speaks of what is no list or no object."""
    if isinstance(values, list):
        yield from ((place, value) for place, value in enumerate(values) if isinstance(value, dict))


def _is_integer(value: object) -> bool:
    """As draft-07 has it: 1.0 is one, true is none."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def _path(place: Place) -> str:
    return "$" + "".join(
        f"[{key}]" if isinstance(key, int) else f".{key}" if _is_plain(key) else f"[{_quoted(key)}]" for key in place
    )


def _is_plain(key: str) -> bool:
    return len(key) <= _LONGEST_QUOTE and _PLAIN_KEY.fullmatch(key) is not None


def _quoted(value: object) -> str:
    """A short text of a value, in characters that can be written anywhere."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return short.encode("utf-8", "backslashreplace").decode()
