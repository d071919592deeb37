"""Story videos whose tables and columns have other names need only configuration."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from community_pipelines.flow.model import SqlModel
from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.settings import load
from tests.flows import START, at, day
from tests.stories.stories import ANN, BOB, IDEA, Stories

TABLES = {table.name: f"public.story-{table.name}" for table in STORIES.tables}
COLUMNS = {
    table.name: {
        column.name: re.sub(r"_(\w)", lambda found: found.group(1).upper(), column.name)
        for column in table.columns
        if "_" in column.name
    }
    for table in STORIES.tables
}


def rename_everything(stories: Stories) -> None:
    """Gives every table that is read and every column of two words another name, as another ORM would."""
    for table, columns in COLUMNS.items():
        # The app's own triggers know its own names.
        stories.sql(f"alter table {table} disable trigger user")
        for name, other in columns.items():
            stories.sql(f'alter table {table} rename {name} to "{other}"')
        stories.sql(f'alter table {table} rename to "story-{table}"')


def test_every_number_is_the_same_where_every_table_has_another_name(stories: Stories, tmp_path: Path) -> None:
    stories.add_segment(1, at(0, "09:00"))
    stories.add_segment(3, at(0, "10:00"), BOB)
    stories.add_bible(2, at(0))
    stories.add_view(at(0))
    stories.add_like(at(0), ANN, IDEA, "idea")
    stories.add_flag(IDEA, at(0), status="resolved", reviewed_at=at(0, "14:00"))
    plain = stories.run(0)
    published = [step.model.contract.publish for step in stories.steps if isinstance(step, SqlModel)]
    numbers = {table: stories.published(table) for table in published}
    rename_everything(stories)
    own = {"source_url": stories.url, "counters": "apply", "drift_limit": 1e9, "tables": TABLES, "columns": COLUMNS}
    mapped = replace(stories, settings=load(home=tmp_path / "mapped", start_date=START, stories=own))
    stories.sql('update "story-scenes" set "segmentCount" = 9, "lastSegmentAt" = null')
    results = mapped.run(0)
    assert {key: (one.accepted, one.findings) for key, one in results.items()} == {
        key: (one.accepted, one.findings) for key, one in plain.items()
    }
    assert results["raw/segments", day(0)].metadata["offending: segment_sequence_faults"]
    assert {table: stories.published(table) for table in published} == numbers
    assert stories.sql('select "segmentCount", "lastSegmentAt" from "story-scenes" order by id') == [
        (2, at(0, "10:00")),
        (0, None),
    ]
