"""The page of the flow is what the steps are, and what Dagster knows of them."""

from __future__ import annotations

import re

import pytest

from community_pipelines import settings
from community_pipelines.orchestration.definitions import build_definitions
from community_pipelines.pages.flow import FILE, flow_page
from community_pipelines.platforms.registry import PLATFORMS

ARROW = re.compile(r"^  (\w+) --> (\w+)$", re.MULTILINE)
BOX = re.compile(r'^    (\w+)\["', re.MULTILINE)


def section(platform: str) -> str:
    (found,) = [part for part in flow_page().split("\n## ") if part.startswith(f"{platform}: ")]
    return found


def known_to_dagster(platform: str) -> dict[str, set[str]]:
    """Each asset that is made here, with the assets that it depends on, without their platform."""
    graph = build_definitions(settings.load()).get_repository_def().asset_graph
    return {
        "/".join(key.path[1:]): {"/".join(parent.path[1:]) for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
        if key.path[0] == platform and graph.get(key).is_materializable
    }


def test_the_page_of_the_flow_is_not_stale() -> None:
    assert FILE.read_text() == flow_page(), "run `make dictionary`"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_asset_has_one_line_with_what_dagster_says_that_it_reads(platform: str) -> None:
    lines = [line.strip("| ").split(" | ") for line in section(platform).splitlines() if line.startswith("| `")]
    said = {asset.strip("`"): set(re.findall(r"`([^`]+)`", reads)) for asset, reads, *_ in lines}
    assert len(said) == len(lines)
    assert said == known_to_dagster(platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_picture_has_an_arrow_for_all_that_is_read_but_what_counters_are_counted_in(platform: str) -> None:
    drawn = set(ARROW.findall(section(platform)))
    known = {
        (f"{r}".replace("/", "_"), made.replace("/", "_"))
        for made, reads in known_to_dagster(platform).items()
        for r in reads
    }
    assert drawn <= known
    assert all(read.startswith("source_") and made.startswith("counters_") for read, made in known - drawn)
    assert {name for arrow in drawn for name in arrow} == set(BOX.findall(section(platform)))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_lines_stand_in_the_order_the_data_flows(platform: str) -> None:
    order = re.findall(r"^\| `([^`]+)`", section(platform), re.MULTILINE)
    for made, reads in known_to_dagster(platform).items():
        assert all(order.index(read) < order.index(made) for read in reads if read in order)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_file_of_a_line_is_there(platform: str) -> None:
    links = set(re.findall(r"\]\((\.\./[^)]+)\)", section(platform)))
    assert links
    assert [link for link in links if not (FILE.parent / link).exists()] == []
