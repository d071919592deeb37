"""Every model case on the real engine: rows in, rows out; twice, and day by day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from community_pipelines.flow.flows import FLOWS
from community_pipelines.lake.files import Lake
from community_pipelines.models.engine import Engine
from community_pipelines.models.inputs import Inputs, sources_of
from community_pipelines.models.project import load_model
from community_pipelines.platforms.bazaar.spec import BAZAAR
from tests.bazaar.gallery import Gallery
from tests.flows import at, day, number
from tests.model_cases import Case, Row, case_files, case_name, load_case, readable, write_case

PLATFORMS = {one.platform.name: one.platform for one in FLOWS}
FILES = case_files()


@pytest.fixture(params=FILES, ids=[case_name(path) for path in FILES])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    loaded = load_case(request.param)
    write_case(loaded, Lake(tmp_path / "lake"))
    return loaded


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """An empty gallery."""
    return new_gallery()


def run(case: Case, folder: Path, batches: Sequence[Sequence[date]]) -> tuple[list[Row], dict[date, str]]:
    """The rows of all batches, and every day's content hash."""
    start = min(case.days) - timedelta(days=400)
    platform = PLATFORMS[case.platform]
    lake = Lake(folder / "lake")
    doubtful = dict.fromkeys(sources_of(platform, load_model(case.platform, case.model)), case.incomplete)
    inputs = Inputs(platform, lake, start, doubtful)
    rows: list[Row] = []
    hashes = {}
    with Engine(platform, lake, "300MB", start, folder) as engine:
        for batch in batches:
            for staged in engine.run(load_model(case.platform, case.model), batch, inputs, folder, "run"):
                rows += pq.read_table(staged.path).to_pylist()
                hashes[staged.ledger.day] = staged.ledger.content_hash
                assert staged.ledger.accepted == pq.read_metadata(staged.path).num_rows
    return rows, hashes


def test_rows_out_are_what_the_case_says_again_in_a_rerun_and_day_by_day(case: Case, tmp_path: Path) -> None:
    rows, hashes = run(case, tmp_path, [case.days])

    assert readable(rows) == readable(case.output)
    assert sorted(hashes) == list(case.days)
    assert run(case, tmp_path, [case.days])[1] == hashes
    assert run(case, tmp_path, [[day] for day in case.days])[1] == hashes


@pytest.mark.parametrize("model", ["community_metrics_daily", "template_counters_daily"])
def test_a_model_reads_the_files_as_they_were_although_a_run_replaces_them_meanwhile(
    gallery: Gallery, model: str
) -> None:
    gallery.add_templates(number(1))
    gallery.add_views(number(1), at(0), 3)
    gallery.run(0, 1)
    lake = gallery.lake
    with Engine(BAZAAR, lake, "300MB", day(0), gallery.settings.home / "lake" / "engine") as engine:
        text = engine.sql(load_model("bazaar", model), [day(1)], Inputs(BAZAAR, lake, day(0)))
        expected = engine.connection.sql(text).fetchall()
        gallery.add_views(number(1), at(0, "13:00"), 500)
        gallery.add_views(number(1), at(1), 500)
        gallery.add_templates(number(2))
        gallery.run(0, 1)
        assert engine.connection.sql(text).fetchall() == expected
        again = engine.sql(load_model("bazaar", model), [day(1)], Inputs(BAZAAR, lake, day(0)))
        assert engine.connection.sql(again).fetchall() != expected
