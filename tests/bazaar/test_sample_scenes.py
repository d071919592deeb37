"""The sample's scenes: TSX that could be published as it is, hardly ever the same twice."""

from __future__ import annotations

import re
import time
from functools import cache

import numpy as np
import pytest

from community_pipelines.samples.bazaar.scenes import SampleScene, patterns, scenes
from community_pipelines.samples.words import words
from community_pipelines.snapshots.tsx import examine

ALLOWED = ("react", "remotion", "@remotion/*", "lucide-react")
CATEGORIES = tuple(words("bazaar")["categories"])
PATTERNS = sorted(patterns())


@cache
def many() -> list[SampleScene]:
    """The scenes of a thousand projects."""
    rng = np.random.default_rng(1)
    made = []
    for number in range(1_000):
        made += scenes(rng, CATEGORIES[number % len(CATEGORIES)], f"Neon Launch {number}", 1 + number % 12)
    return made


def of_pattern(pattern: str) -> list[SampleScene]:
    """The scenes that follow a pattern, known by what each keeps of it."""
    piece = max(patterns()[pattern].texts, key=len)
    return [scene for scene in many() if piece in scene.code]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_scenes_of_every_pattern_may_be_published_without_a_finding(pattern: str) -> None:
    found = of_pattern(pattern)
    assert len(found) > 10
    for scene in found[:40]:
        assert examine(pattern, scene.code.encode(), ALLOWED) == []


@pytest.mark.parametrize("title", ['Say "hi"', "a < b {c} </h2>", "back\\slash\nand `tick`", "'", ""])
def test_a_title_cannot_break_the_code_that_it_is_written_into(title: str) -> None:
    for scene in scenes(np.random.default_rng(2), "product", title, 400):
        assert examine(scene.name, scene.code.encode(), ALLOWED) == []


def test_nothing_is_left_to_be_filled_in() -> None:
    assert not [scene for scene in many() if re.search(r"__\w+__", scene.code)]


def test_nearly_every_code_is_another_one() -> None:
    codes = [scene.code for scene in many()]
    assert len(set(codes)) > 0.99 * len(codes)


def test_the_same_dice_make_the_same_scenes_and_others_make_others() -> None:
    first, again, other = (scenes(np.random.default_rng(seed), "data", "Ranking", 12) for seed in (3, 3, 4))
    assert first == again
    assert not {scene.code for scene in first} & {scene.code for scene in other}


def test_scenes_last_for_one_to_ten_seconds_and_have_the_size_of_a_scene() -> None:
    assert {scene.duration for scene in many()} <= set(range(30, 301))
    assert len({scene.duration for scene in many()}) > 5
    sizes = [len(scene.code.encode()) for scene in many()]
    assert min(sizes) > 1_000
    assert max(sizes) < 4_000


def test_some_scenes_have_the_line_ends_of_windows_and_some_an_emoji() -> None:
    windows = [scene for scene in many() if "\r\n" in scene.code]
    assert 0 < len(windows) < 0.1 * len(many())
    assert all(scene.code.count("\r\n") == scene.code.count("\n") for scene in windows)
    assert 0 < len([scene for scene in many() if re.search("[🚀🎉🔥🎧💡]", scene.code)]) < 0.2 * len(many())


def test_a_category_has_its_favourite_patterns_more_often() -> None:
    def charts(category: str) -> int:
        made = scenes(np.random.default_rng(5), category, "Numbers", 300)
        return sum(scene.name.endswith("Chart") for scene in made)

    assert charts("data") > 3 * max(1, charts("music"))


def test_an_unknown_category_gets_scenes_of_all_patterns() -> None:
    assert len({scene.name for scene in scenes(np.random.default_rng(6), "cooking", "Soup", 2_000)}) > len(PATTERNS)


def test_projects_mostly_begin_with_an_opening_and_end_with_an_end_card() -> None:
    projects = [scenes(np.random.default_rng(seed), "social", "Clip", 6) for seed in range(60)]
    openings = ("TitleCard", "LogoReveal", "KineticWords", "GradientWave", "ParticleField", "Typewriter")
    assert 40 < sum(any(name in project[0].code for name in openings) for project in projects) < 60
    assert 25 < sum("EndCard" in project[-1].code for project in projects) < 55


def test_eight_thousand_scenes_take_less_than_two_seconds() -> None:
    rng = np.random.default_rng(7)
    begin = time.process_time()
    for _ in range(2_000):
        scenes(rng, "data", "Ranking", 4)
    assert time.process_time() - begin < 2
