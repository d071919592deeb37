"""Columns that some databases of an app have and others have not: absent, present, added later, under other names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from community_pipelines.databases.connections import connect
from community_pipelines.databases.inspect import as_found, default_of, find_faults, found_in
from community_pipelines.doctor import rights
from community_pipelines.doctor.examine import models_of
from community_pipelines.flow.raw import Raw
from community_pipelines.lake.verified import Verified
from community_pipelines.lake.writer import arrow_types, schema_of
from community_pipelines.maintenance.restore import pinned_days, restored_day
from community_pipelines.orchestration.describe import column_schema
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.spec import Column, ColumnType, Dimension, Platform, Table
from tests.bazaar.gallery import STEPS, Gallery, make_gallery
from tests.declared import COMMUNITY_EVENTS, EVENTS_TABLE, TEMPLATES
from tests.flows import at, day, number
from tests.upkeep import JOBS, OLD, STREAM, make_upkeep_with_old_jobs, this_month

TEMPLATE = number(1)
# One column of every type that a stream may have.
KINDS: dict[str, ColumnType] = {
    f"extra_{kind}": kind  # type: ignore[misc]
    for kind in arrow_types()
}
EXTRAS = tuple(Column(name, kind, "Extra.", optional=True) for name, kind in KINDS.items())
WRITTEN: dict[str, tuple[str, object]] = {
    "uuid": (str(number(7)), number(7)),
    "text": ("a", "a"),
    "integer": ("1", 1),
    "bigint": ("2", 2),
    "timestamptz": ("2026-01-02 05:00+05", datetime(2026, 1, 2, tzinfo=UTC)),
    "timestamp": ("2026-01-02 00:00", datetime(2026, 1, 2, tzinfo=UTC)),
    "date": ("2026-01-02", date(2026, 1, 2)),
    "boolean": ("true", True),
    "jsonb": ('{"a": 1}', '{"a": 1}'),
}


def with_extras() -> Platform:
    """The gallery, whose events and templates may have more columns."""
    events = replace(EVENTS_TABLE, columns=(*EVENTS_TABLE.columns, *EXTRAS))
    templates = replace(TEMPLATES, columns=(*TEMPLATES.columns, *EXTRAS))
    dimension = Dimension(templates, (*BAZAAR.dimensions[0].columns, *KINDS))
    other = {EVENTS_TABLE: events, TEMPLATES: templates}
    return replace(
        BAZAAR,
        tables=tuple(other.get(table, table) for table in BAZAAR.tables),
        streams=(replace(COMMUNITY_EVENTS, table=events, columns=events.columns),),
        dimensions=(dimension, *BAZAAR.dimensions[1:]),
    )


def with_steps(gallery: Gallery, **more: Any) -> Gallery:
    """The same database, as that platform sees it."""
    platform = with_extras()
    steps = (Raw(platform, platform.streams[0]), *STEPS[1:])
    made = make_gallery(gallery.url, gallery.settings.home, platform=platform, **more)
    return replace(made, steps=steps)


def add_extras(gallery: Gallery, table: str, rename: str = "{}") -> None:
    for name, kind in KINDS.items():
        gallery.sql(f'alter table {table} add column "{rename.format(name)}" {kind}')


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    gallery = new_gallery()
    gallery.add_templates(TEMPLATE)
    return gallery


def faults(gallery: Gallery) -> list[str]:
    with connect(gallery.url, "its URL") as connection:
        return [fault.what for fault in find_faults(connection, gallery.deployment, gallery.platform.all_tables)]


def test_an_optional_column_may_be_absent_but_when_it_is_there_its_type_has_to_fit(gallery: Gallery) -> None:
    assert faults(with_steps(gallery)) == []
    gallery.sql("alter table community_events add column extra_uuid text, add column extra_text text")
    what = 'column "extra_uuid" of "public"."community_events" is text, uuid is expected'
    assert faults(with_steps(gallery)) == [what]


def test_the_database_is_asked_once_for_all_and_not_at_all_where_nothing_is_optional(gallery: Gallery) -> None:
    extended = with_steps(gallery, bazaar={"columns": {"community_events": {"extra_text": "extraText"}}})
    gallery.sql('alter table community_events add column "extraText" text, add column extra_date date')
    gallery.sql("alter table community_events drop column extra_date")
    gallery.sql("alter table community_templates add column extra_jsonb jsonb")
    asked: list[str] = []
    with connect(gallery.url, "its URL") as connection:

        def ask(query: str) -> list[tuple[Any, ...]]:
            asked.append(query)
            return connection.execute(query.encode()).fetchall()

        found = as_found(extended.deployment, ask)
        required = replace(BAZAAR, snapshots=None)
        as_found(make_gallery(gallery.url, gallery.settings.home, platform=required).deployment, ask)
    assert set(found.names.optional or ()) == {
        ("community_events", "extra_text"),
        ("community_templates", "extra_jsonb"),
    }
    assert len(asked) == 1


def test_nobody_takes_a_column_for_absent_without_asking_or_names_it_in_fixed_sql(gallery: Gallery) -> None:
    extended = with_steps(gallery)
    with pytest.raises(LookupError, match=r"community_events\.extra_uuid is optional, and the database was not asked"):
        extended.deployment.names.present(extended.platform.table("community_events"))
    with pytest.raises(KeyError, match="is optional: SQL that names it fails where it is absent"):
        extended.deployment.names.fill("select {community_events.extra_uuid} from {community_events}")


@pytest.mark.parametrize("named", [{"id": "extra_uuid"}, {"time": "extra_date"}, {"entity": "extra_uuid"},
                                   {"states": ("extra_text",)}])  # fmt: skip
def test_what_decides_a_day_a_count_or_a_fingerprint_cannot_be_optional(named: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"stream community_events: extra_\w+ cannot be optional"):
        replace(with_extras().streams[0], **named)


def values(path: Path) -> list[dict[str, object]]:
    """The extra columns of every row of a file, after a look at its schema."""
    table = pq.read_table(path, partitioning=None)
    assert table.select(list(KINDS)).schema.remove_metadata() == schema_of(EXTRAS)
    rows: list[dict[str, object]] = table.select(list(KINDS)).to_pylist()
    return rows


def test_a_day_file_has_the_same_schema_before_and_after_the_app_adds_the_columns(gallery: Gallery) -> None:
    extended = with_steps(gallery)
    # So many that the day of one broken row is not withheld.
    gallery.add_views(TEMPLATE, at(0), 400)
    gallery.add_event(TEMPLATE, "odd", at(0))
    assert all(result.accepted for result in extended.run(0).values())
    lake, stream, nothing = extended.lake, "community_events", dict.fromkeys(KINDS)
    templates = lake.dimension("bazaar", "community_templates")
    assert values(lake.path("raw", "bazaar", stream, day(0))) == [nothing] * 400
    assert values(lake.path("quarantine", "bazaar", stream, day(0))) == [nothing]
    assert values(templates) == [nothing]

    gallery.add_event(TEMPLATE, "view", at(1))
    for table in ("community_events", "community_templates"):
        add_extras(gallery, table)
        gallery.sql(f"update {table} set " + ", ".join(f"{n} = '{WRITTEN[kind][0]}'" for n, kind in KINDS.items()))
    gallery.add_event(TEMPLATE, "view", at(1))
    assert all(result.accepted for result in extended.run(1).values())
    something = {name: WRITTEN[kind][1] for name, kind in KINDS.items()}
    # Two rows of one moment come in any order.
    one, other = values(lake.path("raw", "bazaar", stream, day(1)))
    assert [one, other] in ([something, nothing], [nothing, something])
    assert values(templates) == [something]


def test_days_that_were_read_before_the_app_added_a_column_are_not_stale_for_it(gallery: Gallery) -> None:
    extended = with_steps(gallery)
    gallery.add_views(TEMPLATE, at(0), 3)
    extended.run(0, 1)
    add_extras(gallery, "community_events")
    gallery.sql("update community_events set extra_text = 'new'")
    assert extended.settle(1) == []


def test_optional_columns_are_found_under_their_mapped_names(gallery: Gallery) -> None:
    columns = {name: f"camel{name}" for name in KINDS}
    extended = with_steps(gallery, bazaar={"columns": {"community_events": columns}})
    gallery.add_event(TEMPLATE, "view", at(0))
    path = extended.lake.path("raw", "bazaar", "community_events", day(0))
    extended.extract(0)
    assert values(path) == [dict.fromkeys(KINDS)]
    add_extras(gallery, "community_events", "camel{}")
    gallery.sql("update community_events set camelextra_bigint = 5")
    extended.extract(0)
    assert values(path) == [{**dict.fromkeys(KINDS), "extra_bigint": 5}]


def test_a_day_of_an_archive_has_the_columns_that_its_partition_had(database: str, tmp_path: Path) -> None:
    upkeep = make_upkeep_with_old_jobs(database, tmp_path / "lake")
    columns = (replace(column, optional=column.name == "message") for column in STREAM.columns)
    jobs = replace(JOBS, columns=(*columns, *EXTRAS))
    stream = replace(STREAM, table=jobs, columns=jobs.columns)
    upkeep.maintain()
    (path,) = set(pinned_days(upkeep.deployment, stream).values())
    staged = restored_day(upkeep.deployment, stream, this_month(OLD).date(), upkeep.lake, path, tmp_path, "run",
                          Verified(tmp_path / "pins"))  # fmt: skip
    rows = values(staged.data)
    assert rows
    assert rows == [dict.fromkeys(KINDS)] * len(rows)
    assert "" in pq.read_table(staged.data)["message"].to_pylist()


def test_a_reading_role_is_granted_the_optional_columns_that_are_there(gallery: Gallery) -> None:
    extended = with_steps(gallery)
    gallery.sql("alter table community_events add column extra_text text")
    with connect(gallery.url, "its URL") as connection:
        place = found_in(connection, extended.deployment)
    needs = {need.table: need.privileges["select"] for need in rights.reading_needs(place, models_of(BAZAAR))}
    assert [name for name in needs["community_events"] if name in KINDS] == ["extra_text"]
    assert [name for name in needs["community_templates"] if name in KINDS] == []


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ("integer default 24", 24),
        ("integer default (10 + 5) * 2", 30),
        ("integer", None),
        ("integer default null", None),
        ("text default '50%'", "50%"),
    ],
)
def test_a_default_is_what_an_insert_without_the_column_would_write(
    gallery: Gallery, definition: str, value: object
) -> None:
    gallery.sql(f'create table other ("someColumn" {definition})')
    table = Table("users", "public.other", "Other.", (Column("some_column", "integer", "Some."),))
    mapped = make_gallery(
        gallery.url, gallery.settings.home,
        bazaar={"tables": {"users": "public.other"}, "columns": {"users": {"id": "someColumn"}}},
    )  # fmt: skip
    with connect(gallery.url, "its URL") as connection:
        assert default_of(connection, mapped.deployment, table, "id") == value


def test_people_see_which_columns_are_optional() -> None:
    shown = {
        column.name: column.constraints.other for column in column_schema([*EVENTS_TABLE.columns, EXTRAS[0]]).columns
    }
    assert {name for name, others in shown.items() if others} == {"extra_uuid"}
