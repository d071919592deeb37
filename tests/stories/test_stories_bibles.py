"""Bibles in form and meaning: what is right passes, each single fault is found at its path, nothing raises."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema_rs import meta

from community_pipelines.platforms.stories import bibles
from community_pipelines.platforms.stories.bibles import DEEPEST, SCHEMA, Violation, violations_of_day
from community_pipelines.platforms.stories.bibles import violations as judge

Bible = dict[str, Any]
SEGMENTS = range(1, 9)
SCENE, OTHER_SCENE = str(UUID(int=1)), str(UUID(int=2))
LONG = "é" * 5_000
RULES = {"json", "schema", "version", "entity-repeated", "entity-lost", "relationship", "segment"}
FEW = settings(max_examples=60, deadline=None)

# What PostgreSQL can hold as text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NUMBERS = st.sampled_from(SEGMENTS)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BIBLE_KEYS = st.sampled_from(re.findall(r'"(\w+)": {', SCHEMA.read_text()))
# Right keys at wrong places, and some right values.
ALMOST = st.recursive(
    SCALARS | st.just("char_a"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(BIBLE_KEYS, inner, max_size=6),
    max_leaves=25,
)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def valid_bibles(draw: st.DrawFn) -> Bible:
    """A bible of every shape that the schema allows, with at least one of everything that has a meaning."""
    ids = draw(st.lists(st.from_regex(r"char_[a-z0-9]{1,6}", fullmatch=True), min_size=2, max_size=5, unique=True))
    relationship = st.fixed_dictionaries({"targetEntityId": st.sampled_from(ids)}, optional={"relationshipType": TEXTS})
    optional = _some(
        aliases=st.lists(TEXTS, max_size=3),
        description=TEXTS,
        traits=st.lists(TEXTS, max_size=3),
        referenceAssets=_some(portraitUrl=TEXTS, voiceAnchorUrl=TEXTS, styleFrameUrl=TEXTS),
        isActive=st.booleans(),
        moods=st.lists(SCALARS, max_size=2),
    )
    characters = [
        {
            "entityId": entity,
            "canonicalName": draw(TEXTS),
            "relationships": draw(st.lists(relationship, min_size=1, max_size=3)),
            "introducedInSegment": draw(NUMBERS),
            **draw(optional),
        }
        for entity in ids
    ]
    event = st.fixed_dictionaries({"segmentNumber": NUMBERS}, optional={"event": TEXTS, "consequences": TEXTS})
    thread = st.fixed_dictionaries(
        {"status": st.sampled_from(["active", "resolved", "abandoned"])}, optional={"id": TEXTS, "description": TEXTS}
    )
    place = _some(name=TEXTS, description=TEXTS)
    setting = _some(primaryLocation=TEXTS, timePeriod=TEXTS, worldRules=st.lists(TEXTS), locations=st.lists(place))
    return {
        "version": draw(st.integers(1, 10**6)),
        "characters": characters,
        "setting": draw(setting),
        "timeline": {"majorEvents": draw(st.lists(event, min_size=1, max_size=4)), **draw(_some(currentPoint=TEXTS))},
        "plotThreads": draw(st.lists(thread, min_size=1, max_size=3)),
        **draw(_some(styleGuide=_some(tone=TEXTS, genre=TEXTS, visualStyle=TEXTS, narrativeStyle=TEXTS))),
    }


def _found(bible: Bible, before: Bible | None = None, version: int | None = None) -> list[Violation]:
    older = None if before is None else json.dumps(before)
    return judge(bible["version"] if version is None else version, json.dumps(bible), older, SEGMENTS)


def _places(found: Sequence[Violation]) -> list[tuple[str, str]]:
    return [(one.rule, one.path) for one in found]


def _small(**changes: Any) -> Bible:
    """The smallest bible of version 2 with one character, changed at its top."""
    characters = [{"entityId": "char_a", "canonicalName": "Ada"}]
    return {"version": 2, "characters": characters, "setting": {}, "timeline": {}, **changes}


@FEW
@given(valid_bibles(), st.data())
def test_a_bible_that_is_right_has_no_violations(bible: Bible, data: st.DataObject) -> None:
    before = copy.deepcopy(bible) | {"version": bible["version"] - 1}
    del before["characters"][data.draw(st.integers(0, len(before["characters"]) - 1)) :]
    assert _found(bible, before) == []
    assert judge(bible["version"], json.dumps(bible, ensure_ascii=False), None, list(SEGMENTS)) == []


WRONG: dict[str, list[Any]] = {
    "string": [5, None, ["x"], {}],
    "integer": ["1", 1.5, True, None, [1]],
    "boolean": [0, "true", None],
    "array": [{}, "x", 3, None],
    "object": [[], "x", 3, None],
}


def _typed(value: Any, schema: Bible, path: str) -> Iterator[tuple[str, str, Any, str | int]]:
    """Every place below that the schema gives a type: its path, the type, what holds it and under which key."""
    places: list[tuple[str | int, str, Bible]] = []
    if isinstance(value, dict):
        known = schema.get("properties", {})
        places = [(key, f"{path}.{key}", known[key]) for key in value if key in known]
    elif isinstance(value, list):
        places = [(number, f"{path}[{number}]", schema["items"]) for number in range(len(value))]
    for key, inner, its in places:
        yield inner, its["type"], value, key
        yield from _typed(value[key], its, inner)


@settings(max_examples=200, deadline=None)
@given(valid_bibles(), st.data())
def test_any_value_of_a_wrong_type_is_found_at_its_path(bible: Bible, data: st.DataObject) -> None:
    version = bible["version"]
    places = list(_typed(bible, json.loads(SCHEMA.read_text()), "$"))
    path, kind, holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(st.sampled_from(WRONG[kind]))
    found = [one for one in _found(bible, version=version) if one.rule == "schema"]
    assert {one.path for one in found} == {path}
    assert any(f'not of type "{kind}"' in one.message for one in found)


@FEW
@given(valid_bibles(), st.data())
def test_a_missing_key_is_found_where_it_is_missing(bible: Bible, data: st.DataObject) -> None:
    version = bible["version"]
    number = data.draw(st.integers(0, len(bible["characters"]) - 1))
    inner = [(bible["characters"][number], key, f"$.characters[{number}]") for key in ("entityId", "canonicalName")]
    outer = [(bible, key, "$") for key in ("version", "characters", "setting", "timeline")]
    holder, key, path = data.draw(st.sampled_from(inner + outer))
    del holder[key]
    (found,) = [one for one in _found(bible, version=version) if one.rule == "schema"]
    assert (found.path, found.message) == (path, f'"{key}" is a required property')


MUTATIONS: dict[str, tuple[Callable[[Bible], None], tuple[str, str]]] = {
    "another version": (lambda b: b.update(version=b["version"] + 1), ("version", "$.version")),
    "an id with capitals": (
        lambda b: b["characters"].append({"entityId": "char_ADA", "canonicalName": "Ada"}),
        ("schema", "$.characters[{last}].entityId"),
    ),
    "an id with a line's end": (
        lambda b: b["characters"].append({"entityId": "char_ada\n", "canonicalName": "Ada"}),
        ("schema", "$.characters[{last}].entityId"),
    ),
    "an id twice": (
        lambda b: b["characters"].append({"entityId": b["characters"][0]["entityId"], "canonicalName": "Ada"}),
        ("entity-repeated", "$.characters[{last}].entityId"),
    ),
    "a relationship to nobody": (
        lambda b: b["characters"][1]["relationships"].insert(0, {"targetEntityId": "char_nobody"}),
        ("relationship", "$.characters[1].relationships[0].targetEntityId"),
    ),
    "a character from no segment": (
        lambda b: b["characters"][1].update(introducedInSegment=99),
        ("segment", "$.characters[1].introducedInSegment"),
    ),
    "an event in no segment": (
        lambda b: b["timeline"]["majorEvents"].insert(0, {"segmentNumber": 0}),
        ("segment", "$.timeline.majorEvents[0].segmentNumber"),
    ),
    "no list of characters": (lambda b: b.update(characters={}), ("schema", "$.characters")),
    "an unknown state": (lambda b: b["plotThreads"][0].update(status="done"), ("schema", "$.plotThreads[0].status")),
}


@pytest.mark.parametrize("name", MUTATIONS)
@settings(max_examples=30, deadline=None)
@given(bible=valid_bibles())
def test_each_single_fault_is_found_alone_and_at_its_path(name: str, bible: Bible) -> None:
    change, (rule, path) = MUTATIONS[name]
    version, before = bible["version"], copy.deepcopy(bible)
    change(bible)
    found = _found(bible, before, version)
    assert _places(found) == [(rule, path.format(last=len(bible["characters"]) - 1))]


@FEW
@given(valid_bibles(), st.data())
def test_a_lost_character_is_named(bible: Bible, data: st.DataObject) -> None:
    before = copy.deepcopy(bible)
    lost = bible["characters"].pop(data.draw(st.integers(0, len(bible["characters"]) - 1)))["entityId"]
    for character in bible["characters"]:
        character["relationships"] = []
    (found,) = _found(bible, before)
    assert (found.rule, found.path) == ("entity-lost", "$.characters")
    assert f'"{lost}" was in the version before' in found.message


def test_an_id_that_never_was_valid_may_be_mended() -> None:
    before = _small(characters=[{"entityId": "Ada", "canonicalName": "Ada"}, {"entityId": 3}, "x"])
    assert _found(_small(), before) == []


def test_numbers_and_flags_are_compared_as_json_has_them() -> None:
    """1.0 is the integer 1, and true is no number: the schema says so, nothing else does."""
    whole = _small(version=2.0, timeline={"majorEvents": [{"segmentNumber": 1.0}]})
    assert _found(whole, version=2) == []
    flags = _small(version=True, timeline={"majorEvents": [{"segmentNumber": False}]})
    paths = {"$.version", "$.timeline.majorEvents[0].segmentNumber"}
    assert set(_places(_found(flags, version=2))) == {("schema", path) for path in paths}


TEXT_FAULTS = [
    ('{"version": 2,}', "$", "no JSON"),
    ("\ufeff{}", "$", "no JSON"),
    ('"a\0b"', "$", "no JSON"),
    ('"\ud800"', "$", "half a character"),
    ('{"a": {"b": [1, "\\u0000"]}}', "$.a.b[1]", "NUL"),
    ('{"a": "\\ud83c"}', "$.a", "half a character"),
    ('{"a b\\ud83c": 1}', '$["a b\\ud83c"]', "half a character"),
    ('{"a": [{"b": 1, "b": 1}]}', "$.a[0].b", "more than once"),
    ('{"characters": [], "characters": []}', "$.characters", "more than once"),
    ("-Infinity", "$", "finite"),
    ('{"a": 1e999}', "$.a", "1.8e308"),
    ('{"a": [-1' + "0" * 9_000 + "]}", "$.a[0]", "1.8e308"),
    ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "$" + "[0]" * DEEPEST, "nested deeper"),
    ("[" * 100_000 + "]" * 100_000, "$", "nested deeper"),
    ('{"a":' * 100_000 + "1" + "}" * 100_000, "$", "nested deeper"),
]


@pytest.mark.parametrize(("data", "path", "message"), TEXT_FAULTS, ids=range(len(TEXT_FAULTS)))
def test_what_no_app_can_read_is_one_violation_that_says_what_to_do(data: str, path: str, message: str) -> None:
    (found,) = judge(2, data, None, SEGMENTS)
    assert (found.rule, found.path) == ("json", path)
    assert message in found.message
    assert "correct it in scene_bibles" in found.message
    assert judge(2, json.dumps(_small()), data, SEGMENTS) == []


def test_a_bible_may_be_nested_as_deep_as_is_said() -> None:
    deep: list[Any] = []
    for _ in range(DEEPEST - 2):
        deep = [deep]
    assert _found(_small(notes=deep)) == []
    assert [one.rule for one in _found(_small(notes=[deep]))] == ["json"]


def _check_report(found: list[Violation]) -> None:
    for one in found:
        assert one.rule in RULES
        assert one.path.startswith("$")
        assert 0 < len((one.message + one.path).encode()) < 2_000


@settings(max_examples=300, deadline=None)
@given(ANY_JSON | ALMOST, ANY_JSON | ALMOST, st.integers())
@example(10**400, None, 1)
@example({"characters": [{"entityId": "\ud800"}]}, {"characters": [{"entityId": "\ud800"}]}, 1)
def test_no_json_value_raises(value: object, before: object, version: int) -> None:
    found = judge(version, json.dumps(value), json.dumps(before), SEGMENTS)
    _check_report(found)
    assert found or isinstance(value, dict)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters()) | st.text('{}[]",:0 e-\\un', max_size=30), st.text(st.characters()))
def test_no_text_raises(data: str, before: str) -> None:
    _check_report(judge(1, data, before, ()))
    _check_report(judge(2, json.dumps(_small()), data, ()))


def test_no_message_quotes_much_of_a_bible() -> None:
    character = {"entityId": LONG, "canonicalName": [LONG], "introducedInSegment": LONG, LONG: 1}
    character["relationships"] = [{"targetEntityId": LONG + "!", "relationshipType": {LONG: LONG}}]
    long_id = {"entityId": "char_" + "a" * 5_000, "canonicalName": LONG}
    characters = [character, character, character, long_id]
    bible = _small(version=10**300, characters=characters, plotThreads=[{"status": LONG}], setting=LONG)
    lost = _small(characters=[{"entityId": "char_" + "b" * 5_000}])
    texts = [json.dumps(bible), json.dumps({LONG: {"a" * 5_000: float("nan")}}), json.dumps(10**300) + " " + LONG]
    found = [one for text in texts for one in judge(2, text, json.dumps(lost), ())]
    assert {one.rule for one in found} == RULES - {"segment"}
    assert sum("is characters[0] already" in one.message for one in found) == 2
    assert any(one.message.startswith('the value is not of type "object": "ééé') for one in found)
    for one in found:
        for many in ("é" * 80, "a" * 80, "b" * 80, "0" * 80, "\\u00e9" * 20):
            assert many not in one.message + one.path


def _row(number: int, scene: str, version: int, bible: Bible) -> dict[str, Any]:
    return {"id": UUID(int=number), "scene_id": UUID(scene), "version": version, "data": json.dumps(bible)}


def _with(version: int, *entities: str) -> Bible:
    return _small(version=version, characters=[{"entityId": one, "canonicalName": one} for one in entities])


# Of the first scene a is lost in version 3 of the same day, of the other b since an older day.
DAY = [
    _row(1, SCENE, 2, _with(2, "char_a")),
    _row(2, SCENE, 3, _with(3, "char_b")),
    _row(3, SCENE, 4, _with(4, "char_b")),
    _row(4, OTHER_SCENE, 8, _with(8, "char_a")),
    _row(5, OTHER_SCENE, 9, _with(9, "char_a") | {"timeline": {"majorEvents": [{"segmentNumber": 3}]}}),
    # The version before is missing, so that there is nothing to compare with.
    _row(6, OTHER_SCENE, 11, _with(11)),
    _row(7, SCENE, 5, _with(4)),
]
BEFORE = {
    (SCENE, 1): json.dumps(_with(1, "char_a")),
    (OTHER_SCENE, 7): json.dumps(_with(7, "char_a", "char_b")),
}
FOUND = [
    (UUID(int=2), "entity-lost", '"char_a"'),
    (UUID(int=4), "entity-lost", '"char_b"'),
    (UUID(int=5), "segment", "no segment 3"),
    (UUID(int=7), "version", "is 4 in the bible of version 5"),
    (UUID(int=7), "entity-lost", '"char_b"'),
]


def _found_in(rows: Sequence[dict[str, Any]]) -> list[tuple[str, Violation]]:
    return violations_of_day(iter(rows), BEFORE, {SCENE: [1, 2, 3], OTHER_SCENE: {1, 2}})


def _check_day(found: Sequence[tuple[str, Violation]]) -> None:
    assert [(bible, one.rule) for bible, one in found] == [(str(bible), rule) for bible, rule, _ in FOUND]
    for (_, one), (_, _, words) in zip(found, FOUND, strict=True):
        assert words in one.message


def test_a_days_bibles_are_compared_with_the_same_day_and_older_ones() -> None:
    _check_day(_found_in(DAY))


@given(st.permutations(DAY))
def test_the_order_of_a_days_rows_does_not_matter(rows: list[dict[str, Any]]) -> None:
    _check_day(sorted(_found_in(rows), key=lambda found: found[0]))


def test_an_empty_column_is_a_violation_and_no_crash() -> None:
    row = {"id": "b", "scene_id": SCENE, "version": None, "data": None}
    assert [(bible, one.rule) for bible, one in violations_of_day([row], {}, {})] == [("b", "json")]


def test_what_postgresql_holds_is_read_as_it_is(database: str) -> None:
    with psycopg.connect(database) as connection:

        def stored(text: str) -> str:
            (held,) = connection.execute("select %s::jsonb::text", [text]).fetchone() or ("",)
            return str(held)

        bible = _small(notes=['é 🎬 " \\ \n \x7f', 1e300, -0.0, 10**300])
        assert judge(2, stored(json.dumps(bible)), None, SEGMENTS) == []
        # numeric is wider than what an app reads: PostgreSQL writes all digits out.
        (found,) = judge(2, stored(json.dumps(_small(notes=[1, "n"])).replace('"n"', "1e5000")), None, SEGMENTS)
        assert (found.rule, found.path) == ("json", "$.notes[1]")


def test_the_schema_is_draft_07_and_says_what_an_id_is() -> None:
    schema = json.loads(SCHEMA.read_text())
    meta.validate(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    pattern = schema["properties"]["characters"]["items"]["properties"]["entityId"]["pattern"]
    assert pattern == f"^{bibles._ENTITY_ID.pattern}$"
