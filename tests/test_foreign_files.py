"""What others put into the lake's folder is passed over, named by the doctor, and stays where it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from community_pipelines.commands.sql_shell import LakeSession
from community_pipelines.doctor.machine import foreign_files, leftovers
from community_pipelines.lake.files import Lake
from community_pipelines.quality.accounting import account
from community_pipelines.quality.verification import PARTS, verify_sample
from tests.bazaar.gallery import METRICS, Gallery
from tests.flows import at, day, number

TEMPLATE = number(1)


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    for n in range(3):
        gallery.add_event(TEMPLATE, "view", at(n))
    gallery.run(0, 2)
    return gallery


def litter(lake: Lake) -> set[Path]:
    """What file managers, copies by hand and other programs leave behind, in every folder of the lake."""
    of_day = lake.path("raw", "bazaar", "community_events", day(1))
    folders = [folder for folder in (lake.root, *lake.root.rglob("*")) if folder.is_dir()]
    made = {folder / name for folder in folders for name in (".DS_Store", "._data.parquet", "notes.parquet")}
    for path in made:
        path.write_bytes(b"Bud1")
    stream = of_day.parents[1]
    for name in (f"{of_day.parent.name} copy", "day=2026-02-30", "day=yesterday", "day=20260102", "2026-01-02"):
        shutil.copytree(of_day.parent, stream / name)
        made |= set((stream / name).iterdir())
    for path in (
        of_day.parents[2] / "day=2026-01-02",
        stream / "day=2026-01-09",
        lake.root / "staging" / "bazaar" / "notes.txt",
        lake.root / "superseded" / "old.parquet",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        made.add(path)
    return made


def test_nothing_that_is_foreign_stops_anything_or_is_read(gallery: Gallery) -> None:
    lake = gallery.lake
    accounts = account(gallery.settings, gallery.deployment, verify=True)
    assert list(foreign_files(lake.root)) == []
    made = litter(lake)

    assert lake.days("raw", "bazaar", "community_events") == [day(n) for n in range(3)]
    assert lake.names("models", "bazaar") == [name for name in lake.names("models", "bazaar") if name[0] != "."]
    plan = gallery.plan(2)
    assert all(plan.days(asset, "done") == plan.closed for asset in plan.states)
    assert account(gallery.settings, gallery.deployment, verify=True) == accounts
    for n in range(PARTS):
        assert verify_sample(gallery.deployment, lake, day(n)) == []
    with LakeSession(gallery.settings, [gallery.platform]) as session:
        (answer,) = session.run("select count(*) from bazaar.community_events")
        assert list(answer.rows) == [(3,)]

    gallery.add_event(TEMPLATE, "view", at(1))
    results = gallery.run(0, 2)
    assert all(result.accepted for result in results.values())
    assert gallery.sql(f"select sum(count) from {METRICS}") == [(4,)]
    lake.remove_superseded(0)
    assert {path for path in lake.foreign() if path not in made} == set()
    assert all(path.exists() for path in made)


def test_the_doctor_names_what_is_foreign_and_says_that_it_is_never_read(gallery: Gallery) -> None:
    litter(gallery.lake)
    (found,) = foreign_files(gallery.lake.root)
    assert found.level == "warning"
    assert str(gallery.lake.root / ".DS_Store") in found.seen
    assert "never read" in found.seen
    assert "more" in found.seen
    assert list(leftovers(gallery.lake.root)) == []


def test_a_staging_folder_whose_removal_was_killed_goes_with_the_next_run(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with lake.staging("bazaar", "running") as running:
        # A removal takes the lock first.
        halfway = running.with_name("killed")
        halfway.mkdir()
        (halfway / "old.parquet").write_bytes(b"x" * 100)
        with lake.staging("bazaar", "next"):
            assert not halfway.exists()
            assert running.exists(), "a run that lives keeps its folder"
