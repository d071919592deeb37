"""Whatever a gallery's events are: what is published is what plain SQL on PostgreSQL says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from community_pipelines.flow import counters as counters_step
from community_pipelines.flow import model as model_step
from community_pipelines.flow import raw as raw_step
from community_pipelines.quality.findings import Finding
from community_pipelines.quality.judge import Bound, judge
from tests.bazaar.gallery import ACTIVITY, HISTORY, METRICS, PUBLISHED, TRENDS, Gallery, make_gallery, migrated
from tests.flows import START, at, day, number, plain_judge

if TYPE_CHECKING:
    import pandas as pd

pytestmark = pytest.mark.usefixtures("plain_judge")
TEMPLATES = [number(n) for n in range(1, 5)]
LISTED = [("active", "public"), ("active", "public"), ("disabled", "public"), ("active", "unlisted")]
USERS = ["ann", "bob", "O'Brien", '"q", \\N', "", "名前 🎬", " ann"]
TYPES = ["view", "favorite", "favorite", "unfavorite", "use", "mix", "prompt", "click", "share"]
SOURCES = ["in_app_panel", "community_site", "direct", "billboard", "", None]
LAST = 8

# All of it read from the events, by the rules as they are written down, not as the models compute them.
ACCEPTED = """
with accepted as (
    select *, (created_at at time zone 'UTC')::date as day
    from community_events
    where event_type in ('view', 'favorite', 'unfavorite', 'use', 'mix', 'prompt', 'click')
),
days as (select generate_series(%(first)s::date, %(last)s::date, '1 day')::date as day)
"""
TRUE_METRICS = f"""
{ACCEPTED}
select template_id, day, event_type, count(*)
from accepted where event_type in ('view', 'favorite', 'use') group by 1, 2, 3
"""
TRUE_ACTIVITY = f"""
{ACCEPTED}
select template_id, day,
    count(*) filter (where event_type = 'view'), count(*) filter (where event_type = 'favorite'),
    count(*) filter (where event_type = 'unfavorite'), count(*) filter (where event_type = 'use'),
    count(*) filter (where event_type = 'mix'), count(*) filter (where event_type = 'prompt'),
    count(*) filter (where event_type = 'click'), count(*),
    count(distinct user_id), count(*) filter (where user_id is null)::float8 / count(*),
    count(*) filter (where source = 'in_app_panel'), count(*) filter (where source = 'community_site'),
    count(*) filter (where source = 'direct'),
    count(*) filter (where source is null or source not in ('in_app_panel', 'community_site', 'direct'))
from accepted group by 1, 2
"""


def _events(kind: str, newest: int, oldest: int) -> str:
    return (
        f"(select count(*) from accepted where template_id = template.id and event_type = '{kind}' "
        f"and accepted.day between days.day - {oldest} and days.day - {newest})"
    )


_WINDOWS = ", ".join(
    f"{_events(kind, newest, newest + width - 1)} as {kind}_{width}_{name}"
    for kind, width, (name, newest) in [
        (kind, width, side)
        for kind in ("view", "favorite", "use")
        for width in (7, 30)
        for side in (("now", 0), ("before", width))
    ]
)
TRUE_TRENDS = f"""
{ACCEPTED},
sums as (
    select template.id, days.day, template.status = 'active' and template.visibility = 'public' as listed, {_WINDOWS}
    from community_templates as template cross join days
),
seen as (
    select * from sums
    where view_30_now + view_30_before + favorite_30_now + favorite_30_before + use_30_now + use_30_before > 0
)
select id, day, view_7_now, favorite_7_now, use_7_now, view_30_now, favorite_30_now, use_30_now,
    use_7_now::float8 / nullif(view_7_now, 0), use_30_now::float8 / nullif(view_30_now, 0),
    view_7_now::float8 / nullif(view_7_before, 0) - 1, view_30_now::float8 / nullif(view_30_before, 0) - 1,
    favorite_7_now::float8 / nullif(favorite_7_before, 0) - 1,
    favorite_30_now::float8 / nullif(favorite_30_before, 0) - 1,
    use_7_now::float8 / nullif(use_7_before, 0) - 1, use_30_now::float8 / nullif(use_30_before, 0) - 1,
    case when listed then 1 + (
        select count(*) from seen as other
        where other.day = seen.day and other.listed and other.view_7_now > seen.view_7_now
    ) end,
    case when listed then 1 + (
        select count(*) from seen as other
        where other.day = seen.day and other.listed and other.view_30_now > seen.view_30_now
    ) end,
    true
from seen
"""
TRUE_HISTORY = f"""
{ACCEPTED},
totals as (
    select template.id, ends.day,
        (select count(*) from accepted where template_id = template.id and event_type = 'view' and day <= ends.day)
            as v,
        (
            select count(distinct user_id) from accepted as word
            where template_id = template.id and event_type = 'favorite' and day <= ends.day and not exists (
                select from accepted as later
                where later.template_id = template.id and later.user_id = word.user_id and later.day <= ends.day
                    and later.event_type = 'unfavorite'
                    and (later.created_at, later.id) > (word.created_at, word.id)
            )
        ) as f,
        (select count(*) from accepted where template_id = template.id and event_type = 'use' and day <= ends.day)
            as u
    from community_templates as template cross join (select day from days union all select %(first)s::date - 1) as ends
)
select now.id, now.day, now.v - before.v, now.f - before.f, now.u - before.u, now.v, now.f, now.u, true
from totals as now join totals as before on before.id = now.id and before.day = now.day - 1
where (now.v, now.f, now.u) <> (before.v, before.f, before.u)
"""
TRUTHS = {METRICS: TRUE_METRICS, ACTIVITY: TRUE_ACTIVITY, TRENDS: TRUE_TRENDS, HISTORY: TRUE_HISTORY}


@dataclass(frozen=True)
class Event:
    id: UUID
    template: UUID
    event_type: str
    day: int
    microseconds: int
    user: str | None
    source: str | None


def events(last: int) -> st.SearchStrategy[list[Event]]:
    """Events of few templates, users and moments, so that they repeat, contradict each other and tie."""
    return st.lists(
        st.builds(
            Event,
            id=st.integers(0, 2**128 - 1).map(number),
            template=st.sampled_from(TEMPLATES),
            event_type=st.sampled_from(TYPES),
            day=st.sampled_from(sorted({0, 1, last - 1, last})),
            microseconds=st.sampled_from([0, 1, 43_200_000_000, 86_399_999_999]),
            user=st.sampled_from([*USERS, None]),
            source=st.sampled_from(SOURCES),
        ),
        max_size=25,
        unique_by=lambda event: event.id,
    )


class Galleries:
    """Empty galleries on one database, one after the other, each with a lake of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = migrated(url)
        self.folder = folder
        self.numbers = itertools.count()

    def fresh(self) -> Gallery:
        gallery = self.forgetful()
        gallery.sql('truncate community_templates, "bazaar-vid_user" cascade')
        for template, (status, visibility) in zip(TEMPLATES, LISTED, strict=True):
            gallery.add_templates(template, status=status, visibility=visibility)
        gallery.add_users(*USERS[:4])
        # Without a row of the first day that nobody deletes, the source would look pruned.
        gallery.add_event(TEMPLATES[0], "click", at(0))
        return gallery

    def forgetful(self) -> Gallery:
        """The same gallery, where nothing was extracted or published yet."""
        home = self.folder / str(next(self.numbers))
        gallery = make_gallery(self.url, home, shrink_limit=1, quarantine_limit=1)
        gallery.sql(f"truncate {', '.join(PUBLISHED)}, community.publications, community.withheld_days")
        return gallery


@pytest.fixture
def galleries(database: str, tmp_path: Path) -> Galleries:
    return Galleries(database, tmp_path)


def write(gallery: Gallery, written: Sequence[Event]) -> None:
    with psycopg.connect(gallery.url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into community_events (id, template_id, user_id, event_type, source, created_at) "
            "values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                (
                    event.id,
                    event.template,
                    event.user,
                    event.event_type,
                    event.source,
                    at(event.day, "00:00") + timedelta(microseconds=event.microseconds),
                )
                for event in written
            ],
        )


def assert_published_as_in_sql(gallery: Gallery, last: int) -> None:
    days = {"first": START, "last": day(last)}
    for table, truth in TRUTHS.items():
        assert gallery.published(table) == sorted(gallery.sql(truth, days), key=repr), table
    assert gallery.counters() == gallery.true_counters()


RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=12, deadline=None, database=None, suppress_health_check=RELAXED)
@given(first=events(LAST), late=events(LAST), deleted=st.sets(st.sampled_from(TEMPLATES[1:]), max_size=2))
def test_what_is_published_is_what_plain_sql_says(
    galleries: Galleries, first: list[Event], late: list[Event], deleted: set[UUID]
) -> None:
    gallery = galleries.fresh()
    write(gallery, first)
    gallery.run(0, LAST)
    assert_published_as_in_sql(gallery, LAST)

    write(gallery, late)
    gallery.delete_templates(*deleted)
    gallery.run(0, LAST)
    assert_published_as_in_sql(gallery, LAST)


@settings(max_examples=10, deadline=None, database=None, suppress_health_check=RELAXED)
@given(first=events(1), late=events(1))
def test_day_by_day_gives_what_one_window_gives_and_a_rerun_changes_nothing(
    galleries: Galleries, first: list[Event], late: list[Event]
) -> None:
    gallery = galleries.fresh()
    write(gallery, first)
    gallery.run(0)
    gallery.run(1)
    write(gallery, late)
    gallery.settle(1)
    assert_published_as_in_sql(gallery, 1)

    before = gallery.fingerprints()
    gallery.run(0, 1)
    assert gallery.fingerprints() == before
    by_day = {table: gallery.published(table) for table in PUBLISHED}

    again = galleries.forgetful()
    again.run(0, 1)
    assert {table: again.published(table) for table in PUBLISHED} == by_day
    assert content(again) == content(gallery)


def content(gallery: Gallery) -> dict[tuple[str, int], str]:
    """The content hash of every model's day."""
    found = {}
    for name in ("community_metrics_daily", "community_template_trends", "template_counters_daily"):
        for n in (0, 1):
            ledger = gallery.lake.ledger("models", "bazaar", name, day(n))
            assert ledger is not None
            found[name, n] = ledger.content_hash
    return found


def test_the_plain_judge_of_these_tests_finds_what_great_expectations_finds(
    galleries: Galleries, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = []

    def both(
        name: str, frame: pd.DataFrame, bounds: Sequence[Bound], days: Sequence[date]
    ) -> dict[date, list[Finding]]:
        found = judge(name, frame, bounds, days)
        assert found == plain_judge(name, frame, bounds, days)
        judged.append(found)
        return found

    for step in (raw_step, model_step, counters_step):
        monkeypatch.setattr(step, "judge", both)
    gallery = galleries.fresh()
    for n in range(1, 12):
        gallery.add_views(TEMPLATES[0], at(n), 3 * n if n < 11 else 99)
    gallery.add_event(TEMPLATES[1], "favorite", at(1), "somebody", source="billboard")
    gallery.add_event(TEMPLATES[1], "share", at(2), "ann")
    strict = make_gallery(gallery.url, gallery.settings.home)
    strict.run(0, 11)
    gallery.sql("delete from community_events where created_at < %s", (at(1, "13:00"),))
    strict.run(0, 11)
    failed = {(f.column, f.severity) for found in judged for day in found for f in found[day] if not f.success}
    assert failed >= {
        ("quarantined_share", "error"),
        ("lost_share", "error"),
        ("unknown_sources", "warning"),
        ("rows", "warning"),
        ("volume_ratio", "warning"),
    }
