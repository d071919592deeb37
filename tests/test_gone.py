"""Rows of what was deleted leave the published tables after every run, and come back with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import UUID

import dagster as dg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from community_pipelines.databases.connections import DatabaseError
from community_pipelines.embedded.postgres import EmbeddedServer
from community_pipelines.flow import plan as planning
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.raw import Raw
from community_pipelines.flow.steps import DayResult
from community_pipelines.flow.window import Window, open_window
from community_pipelines.models import gone
from community_pipelines.orchestration.storage import dagster_instance
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.spec import ColumnType
from tests.bazaar.gallery import ACTIVITY, METRICS, PUBLISHED, RAW, STEPS, TRENDS, Gallery, make_gallery
from tests.community import Community, community, day_after, span, steady_grace, unwrapped
from tests.flows import DailyFlow, at, day, number
from tests.pooler import Pooler
from tests.publishing import until_waiting
from tests.stories.stories import BOB, CEM, OTHER, SCENE, Stories

FIRST, SECOND, THIRD, FOURTH = (number(n) for n in range(1, 5))
DAYS = 3
MODELS = [step for step in STEPS if isinstance(step, SqlModel)]


@pytest.fixture
def gallery(new_gallery: Callable[..., Gallery]) -> Gallery:
    """Three days of four templates, ranked in the order of their ids."""
    gallery = new_gallery(shrink_limit=1)
    gallery.add_templates(FIRST, SECOND, THIRD, FOURTH)
    for n in range(DAYS):
        for template, views in ((FIRST, 9), (SECOND, 7), (THIRD, 5), (FOURTH, 3)):
            gallery.add_views(template, at(n), views)
    # Nobody deletes the oldest row, or the source would look pruned.
    gallery.add_event(FOURTH, "click", at(0, "00:00"))
    gallery.settle(DAYS - 1)
    return gallery


@dataclass(frozen=True)
class Broken(Raw):
    """A step that fails."""

    def run(self, window: Window) -> Iterator[DayResult]:
        raise ZeroDivisionError


def named(gallery: DailyFlow, table: str, entity: str = "template_id") -> set[UUID]:
    return {key for (key,) in gallery.sql(f"select distinct {entity} from {table}")}


def ranks(gallery: Gallery, n: int = DAYS - 1) -> list[tuple[UUID, int | None]]:
    return gallery.sql(f"select template_id, rank_7d from {TRENDS} where day = %s order by rank_7d", (day(n),))


def everything(flow: DailyFlow) -> dict[str, list[tuple[object, ...]]]:
    """Every published table."""
    models = [step.model for step in flow.steps if isinstance(step, SqlModel)]
    return {model.contract.publish: flow.published(model.contract.publish) for model in models}


def unaccounted(flow: DailyFlow) -> list[tuple[str, date, str]]:
    """Days whose record is not what is in the table, or does not add up to the rows of the lake."""
    wrong = []
    for step in flow.steps:
        if isinstance(step, SqlModel):
            table = step.model.contract.publish
            counted = dict(flow.sql(f"select day, count(*) from {table} group by day"))
            recorded = flow.sql(
                "select day, rows, left_out, left_out_why, content_hash from community.publications "
                "where table_name = %s",
                (table,),
            )
            for one, rows, left_out, why, content in recorded:
                ledger = flow.lake.ledger("models", flow.platform.name, step.name, one)
                assert ledger is not None
                if rows != counted.get(one, 0) or rows + left_out != ledger.accepted:
                    wrong.append((table, one, f"{rows} + {left_out}, {counted.get(one)} of {ledger.accepted}"))
                if bool(left_out) != (why is not None) or content != ledger.content_hash:
                    wrong.append((table, one, f"{left_out} {why} {content}"))
    return wrong


def test_after_a_run_no_table_names_a_template_that_was_deleted(gallery: Gallery) -> None:
    assert ranks(gallery) == [(FIRST, 1), (SECOND, 2), (THIRD, 3), (FOURTH, 4)]
    gallery.delete_templates(FIRST, SECOND)
    gallery.settle(DAYS - 1)
    for table in PUBLISHED:
        assert named(gallery, table) == {THIRD, FOURTH}
    assert ranks(gallery) == [(THIRD, 1), (FOURTH, 2)]
    assert ranks(gallery, 0) == [(THIRD, 3), (FOURTH, 4)]
    assert unaccounted(gallery) == []
    assert gallery.settle(DAYS - 1) == []
    before = gallery.fingerprints()
    gallery.run(DAYS - 1, steps=MODELS)
    assert gallery.fingerprints() == before


def test_a_template_that_comes_back_gets_all_its_rows_again_in_every_table(gallery: Gallery) -> None:
    before = everything(gallery)
    gallery.delete_templates(FIRST, SECOND)
    gallery.settle(DAYS - 1)
    gallery.add_templates(FIRST)
    assert gallery.settle(DAYS - 1) != []
    assert named(gallery, TRENDS) == {FIRST, THIRD, FOURTH}
    assert unaccounted(gallery) == []
    gallery.add_templates(SECOND)
    gallery.settle(DAYS - 1)
    assert everything(gallery) == before
    assert unaccounted(gallery) == []
    assert gallery.sql("select * from community.left_out_entities") == []
    assert gallery.settle(DAYS - 1) == []


def test_disabled_templates_keep_their_rows(gallery: Gallery) -> None:
    gallery.sql("update community_templates set status = 'disabled', visibility = 'private' where id = %s", (FIRST,))
    before = gallery.fingerprints()
    assert gallery.settle(DAYS - 1) == []
    assert gallery.fingerprints() == before


def test_a_deletion_is_noticed_when_no_day_is_due_and_only_by_the_thorough_plan(gallery: Gallery) -> None:
    gallery.delete_templates(SECOND)
    cheap = planning.make_plan(gallery.settings, gallery.deployment, gallery.steps, compare=[])
    assert all(cheap.states[step.asset][day(DAYS - 1)].state == "done" for step in gallery.steps[:-1])
    plan = gallery.plan(DAYS - 1)
    assert plan.days("metrics/community_template_trends", "stale") == [day(DAYS - 1)]
    assert plan.states["metrics/community_template_trends"][day(DAYS - 1)].why == (
        "1 of the entities that it names are gone"
    )
    # The foreign key of the app's own table took them out already.
    assert plan.states["metrics/community_metrics_daily"][day(DAYS - 1)].why == (
        "3 of its days lost rows outside of a run"
    )
    (request,) = planning.requests(plan, gallery.steps)
    assert (request.first, request.last) == (day(DAYS - 1), day(DAYS - 1))


def test_any_run_sweeps_also_one_whose_days_are_all_withheld(gallery: Gallery) -> None:
    gallery.delete_templates(FIRST)
    careful = make_gallery(gallery.url, gallery.settings.home, shrink_limit=0)
    results = careful.run(1, steps=RAW)
    assert not results["raw/community_events", day(1)].accepted
    assert all(FIRST not in named(gallery, table) for table in PUBLISHED)


def test_a_run_that_fails_sweeps_all_the_same(gallery: Gallery) -> None:
    gallery.delete_templates(FIRST)
    raw = STEPS[0]
    assert isinstance(raw, Raw)
    with pytest.raises(ZeroDivisionError):
        gallery.run(0, steps=[Broken(**vars(raw))])
    assert all(FIRST not in named(gallery, table) for table in PUBLISHED)


def test_the_ranks_of_the_newest_day_close_up_with_a_fresh_dimension(gallery: Gallery) -> None:
    """A run of another day sweeps; the newest day, which lost rows, is then asked for also by the cheap plan."""
    gallery.delete_templates(FIRST)
    gallery.run(0, steps=MODELS)
    assert ranks(gallery) == [(SECOND, 2), (THIRD, 3), (FOURTH, 4)]
    plan = planning.make_plan(gallery.settings, gallery.deployment, gallery.steps, compare=[])
    trends = plan.states["metrics/community_template_trends"]
    assert trends[day(DAYS - 1)].state == "stale"
    assert trends[day(DAYS - 1)].why == "entities that it names are gone or came back: ranks close up"
    assert plan.days("metrics/community_template_activity_daily", "stale") == []
    assert [(one.first, one.last) for one in gallery.settle(DAYS - 1)] == [(day(DAYS - 1), day(DAYS - 1))]
    assert ranks(gallery) == [(SECOND, 1), (THIRD, 2), (FOURTH, 3)]
    assert unaccounted(gallery) == []


def test_a_template_deleted_between_the_dimension_and_publishing_leaves_no_gap_in_the_ranks(gallery: Gallery) -> None:
    add_day(gallery, DAYS)
    with open_window(gallery.settings, gallery.deployment, [day(DAYS)], "next") as window:
        gallery.delete_templates(FIRST)
        for step in gallery.steps:
            assert all(result.accepted for result in step.run(window))
    assert ranks(gallery, DAYS) == [(SECOND, 2), (THIRD, 3), (FOURTH, 4)]
    assert [(one.first, one.last) for one in gallery.settle(DAYS)] == [(day(DAYS), day(DAYS))]
    assert ranks(gallery, DAYS) == [(SECOND, 1), (THIRD, 2), (FOURTH, 3)]
    assert unaccounted(gallery) == []
    assert gallery.settle(DAYS) == []


def test_a_template_that_is_back_between_the_dimension_and_publishing_gets_its_rank(gallery: Gallery) -> None:
    add_day(gallery, DAYS)
    gallery.run(DAYS, steps=RAW)
    unchecked(gallery, f"delete from community_templates where id = '{FIRST}'")
    with open_window(gallery.settings, gallery.deployment, [day(DAYS)], "next") as window:
        gallery.add_templates(FIRST)
        for step in MODELS:
            assert all(result.accepted for result in step.run(window))
    assert (FIRST, None) in ranks(gallery, DAYS)
    gallery.settle(DAYS)
    assert ranks(gallery, DAYS) == [(FIRST, 1), (SECOND, 2), (THIRD, 3), (FOURTH, 4)]
    assert unaccounted(gallery) == []


def test_a_new_day_needs_no_second_run_for_what_was_deleted_before(gallery: Gallery) -> None:
    gallery.delete_templates(FIRST)
    add_day(gallery, DAYS)
    assert [(one.first, one.last) for one in gallery.settle(DAYS)] == [(day(DAYS), day(DAYS))]
    assert ranks(gallery, DAYS) == [(SECOND, 1), (THIRD, 2), (FOURTH, 3)]
    assert unaccounted(gallery) == []


def test_a_template_whose_only_day_was_published_without_it_returns(gallery: Gallery) -> None:
    new = number(9)
    gallery.add_templates(new)
    gallery.add_views(new, at(DAYS), 2)
    gallery.run(DAYS, steps=RAW)
    unchecked(gallery, f"delete from community_templates where id = '{new}'")
    gallery.settle(DAYS)
    assert all(new not in named(gallery, table) for table in PUBLISHED)
    gallery.add_templates(new)
    gallery.settle(DAYS)
    assert all(new in named(gallery, table) for table in PUBLISHED)
    assert unaccounted(gallery) == []


def test_a_deletion_that_commits_during_the_sweep_is_caught_by_the_next_one(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.delete_templates(FIRST)
    during(monkeypatch, lambda: gallery.delete_templates(SECOND))
    sweep(gallery)
    assert named(gallery, ACTIVITY) == {SECOND, THIRD, FOURTH}
    assert sum(one.rows for one in sweep(gallery)) > 0
    assert all(named(gallery, table) == {THIRD, FOURTH} for table in PUBLISHED)
    gallery.settle(DAYS - 1)
    assert unaccounted(gallery) == []


def test_a_template_that_is_inserted_again_during_the_sweep_loses_nothing(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = gallery.published(ACTIVITY)
    gallery.sql(f"alter table {METRICS} drop constraint community_metrics_daily_template_id_fkey")
    gallery.delete_templates(FIRST)
    during(monkeypatch, lambda: gallery.add_templates(FIRST))
    assert sweep(gallery) == []
    assert gallery.published(ACTIVITY) == rows
    assert gallery.sql("select * from community.left_out_entities") == []


def test_readers_see_all_rows_until_the_sweep_commits(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.delete_templates(FIRST)
    seen: list[set[UUID]] = []
    during(monkeypatch, lambda: seen.append(named(gallery, ACTIVITY)))
    sweep(gallery)
    assert seen == [{FIRST, SECOND, THIRD, FOURTH}]
    assert named(gallery, ACTIVITY) == {SECOND, THIRD, FOURTH}


def test_a_sweep_that_breaks_off_leaves_everything_and_the_next_one_does_it(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.delete_templates(FIRST)
    before = gallery.published(ACTIVITY)
    ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() " \
            "and pid <> pg_backend_pid()"  # fmt: skip
    during(monkeypatch, lambda: gallery.sql(ended))
    with pytest.raises(DatabaseError):
        sweep(gallery)
    assert gallery.published(ACTIVITY) == before
    assert gallery.sql("select from community.left_out_entities where table_name = %s", (ACTIVITY,)) == []
    gallery.settle(DAYS - 1)
    assert unaccounted(gallery) == []


def test_two_sweeps_at_once_do_what_one_does(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.delete_templates(FIRST)
    others: list[gone.Swept] = []
    other = threading.Thread(target=lambda: others.extend(sweep(gallery)))

    def start_other() -> None:
        other.start()
        until_waiting(gallery)

    during(monkeypatch, start_other)
    ours = sweep(gallery)
    other.join()
    assert sum(one.rows for one in [*ours, *others] if one.table == ACTIVITY) == DAYS
    gallery.settle(DAYS - 1)
    assert unaccounted(gallery) == []


def test_a_run_that_is_killed_before_days_return_leaves_them_to_the_next(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(gallery)
    gallery.delete_templates(FIRST)
    gallery.settle(DAYS - 1)
    gallery.add_templates(FIRST)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gone, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep(gallery)
    forgotten = "select from community.left_out_entities where table_name = 'community_metrics_daily'"
    assert gallery.sql(forgotten) == []
    gallery.settle(DAYS - 1)
    assert everything(gallery) == before
    assert unaccounted(gallery) == []


def test_rows_that_somebody_took_out_of_the_apps_table_return(gallery: Gallery) -> None:
    before = gallery.published(METRICS)
    gallery.sql(f"delete from {METRICS} where template_id = %s and day < %s", (SECOND, day(2)))
    gallery.settle(DAYS - 1)
    assert gallery.published(METRICS) == before
    assert unaccounted(gallery) == []


def test_what_an_earlier_version_left_out_is_remembered_once_from_the_lake(gallery: Gallery) -> None:
    before = everything(gallery)
    gallery.delete_templates(FIRST, SECOND)
    gallery.settle(DAYS - 1)
    gallery.sql("truncate community.left_out_entities")
    gallery.delete_templates(THIRD)
    gallery.settle(DAYS - 1)
    remembered = (
        "select table_name, array_agg(entity_id order by entity_id) from community.left_out_entities group by 1"
    )
    assert {tuple(entities) for _, entities in gallery.sql(remembered)} == {(str(FIRST), str(SECOND), str(THIRD))}
    assert len(gallery.sql(remembered)) == len(PUBLISHED)
    # One of them came back before this version could know that it was left out.
    gallery.sql("truncate community.left_out_entities")
    gallery.add_templates(SECOND)
    gallery.run(DAYS - 1, steps=MODELS)
    gallery.add_templates(FIRST, THIRD)
    gallery.settle(DAYS - 1)
    assert everything(gallery) == before
    assert unaccounted(gallery) == []


def test_more_than_half_of_many_templates_gone_at_once_is_not_believed(gallery: Gallery) -> None:
    many = [number(n) for n in range(100, 300)]
    gallery.add_templates(*many)
    for template in many:
        gallery.add_views(template, at(0), 1)
    gallery.settle(DAYS - 1)
    before = everything(gallery)
    gallery.sql(f"alter table {METRICS} drop constraint community_metrics_daily_template_id_fkey")
    gallery.sql("delete from community_templates where id = any(%s)", (many[:110],))
    with pytest.raises(gone.GoneError) as refused:
        gallery.run(1, steps=RAW)
    assert (
        "bazaar: 110 of the 204 entities that community.community_template_activity_daily names are gone from "
        '"public"."community_templates", more than 50%: their rows stay until a person has looked.'
    ) in str(refused.value)
    assert "run once with COMMUNITY_BAZAAR__GONE_LIMIT=1" in str(refused.value)
    assert everything(gallery) == before
    told = make_gallery(gallery.url, gallery.settings.home, bazaar={"gone_limit": 1}, shrink_limit=1)
    told.run(1, steps=RAW)
    assert all(set(many[:110]).isdisjoint(named(gallery, table)) for table in PUBLISHED)


def test_all_of_a_few_templates_may_go_at_once_and_return(gallery: Gallery) -> None:
    before = everything(gallery)
    gallery.sql("truncate community_templates cascade")
    gallery.settle(DAYS - 1)
    assert all(gallery.published(table) == [] for table in PUBLISHED)
    assert unaccounted(gallery) == []
    assert gallery.settle(DAYS - 1) == []
    gallery.add_templates(FIRST, SECOND, THIRD, FOURTH)
    gallery.settle(DAYS - 1)
    assert everything(gallery) == before


def test_a_table_without_rows_is_swept_without_ado(new_gallery: Callable[..., Gallery]) -> None:
    gallery = new_gallery()
    assert sweep(gallery) == []
    gallery.run(0)
    assert sweep(gallery) == []


def test_a_table_of_other_names_without_an_index_by_template_is_swept_too(
    gallery: Gallery,
) -> None:
    gallery.sql(
        """
        alter table community_metrics_daily rename to "metric-daily";
        alter table "metric-daily" rename template_id to "templateId";
        alter table "metric-daily" drop constraint community_metrics_daily_pkey;
        alter table "metric-daily" add primary key (day, "templateId", event_type);
        alter table "metric-daily" drop constraint community_metrics_daily_template_id_fkey;
        create index on "metric-daily" ("templateId") where day < '2026-01-02';
        """
    )
    names = {
        "tables": {"community_metrics_daily": "public.metric-daily"},
        "columns": {"community_metrics_daily": {"template_id": "templateId"}},
    }
    mapped = make_gallery(gallery.url, gallery.settings.home, bazaar=names, shrink_limit=1)
    gallery.delete_templates(FIRST)
    mapped.settle(DAYS - 1)
    assert named(mapped, '"metric-daily"', '"templateId"') == {SECOND, THIRD, FOURTH}
    assert mapped.sql("select sum(left_out) from community.publications where table_name = 'community_metrics_daily'")
    assert mapped.settle(DAYS - 1) == []


@pytest.mark.parametrize(("kind", "ids"), [("text", ["a", "B", "ä'"]), ("bigint", ["7", "11", "101"])])
def test_ids_may_be_texts_or_numbers(new_gallery: Callable[..., Gallery], kind: ColumnType, ids: list[str]) -> None:
    templates = BAZAAR.table("community_templates")
    columns = tuple(replace(one, type=kind) if one.name == "id" else one for one in templates.columns)
    tables = tuple(replace(one, columns=columns) if one is templates else one for one in BAZAAR.tables)
    gallery = new_gallery(platform=replace(BAZAAR, tables=tables))
    gallery.sql("drop table community_templates cascade")
    gallery.sql(f"create table community_templates (id {kind} primary key)")
    gallery.sql("insert into community_templates select unnest(%s::text[])::" + kind, (ids[:1],))
    for table in PUBLISHED:
        gallery.sql(f"alter table {table} alter template_id type {kind} using null")
    gallery.sql(f"insert into {METRICS} select unnest(%s::text[])::{kind}, %s, 'view', 1", (ids, day(0)))
    gallery.sql(
        "insert into community.publications (platform, table_name, day, content_hash, rows, run_id) "
        "values ('bazaar', 'community_metrics_daily', %s, 'a hash', 3, 'run')",
        (day(0),),
    )
    assert [one.text for one in sweep(gallery)] == [
        "community_metrics_daily: 2 rows of entities that are gone left 1 days"
    ]
    assert gallery.sql(f"select template_id::text from {METRICS}") == [(ids[0],)]
    assert gallery.sql("select rows, left_out from community.publications") == [(1, 2)]
    remembered = "select entity_id from community.left_out_entities"
    assert {key for (key,) in gallery.sql(remembered)} == set(ids[1:])
    gallery.sql("insert into community_templates select unnest(%s::text[])::" + kind, (ids[1:],))
    assert [one.back for one in sweep(gallery)] == [2]
    assert gallery.sql(remembered) == []


def test_behind_a_transaction_pooler_rows_leave_and_return_all_the_same(
    postgres: EmbeddedServer, gallery: Gallery
) -> None:
    before = everything(gallery)
    name = str(conninfo_to_dict(gallery.url)["dbname"])
    with Pooler(postgres.home / "postgres" / ".s.PGSQL.5432", alternating=True) as pooler:
        own = {"source_url": pooler.url(name)}
        pooled = make_gallery(gallery.url, gallery.settings.home, bazaar=own, shrink_limit=1)
        gallery.delete_templates(FIRST)
        pooled.settle(DAYS - 1)
        assert all(FIRST not in named(gallery, table) for table in PUBLISHED)
        gallery.add_templates(FIRST)
        pooled.settle(DAYS - 1)
    assert everything(gallery) == before
    assert unaccounted(gallery) == []


def test_a_damaged_file_keeps_no_other_day_from_returning(gallery: Gallery) -> None:
    before = gallery.published(METRICS)
    gallery.delete_templates(FIRST)
    gallery.settle(DAYS - 1)
    damaged = gallery.lake.path("models", "bazaar", "community_metrics_daily", day(1))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:4] + bytes(40) + whole[44:])
    gallery.add_templates(FIRST)
    sweep(gallery)
    assert [row for row in gallery.published(METRICS) if row[1] != day(1)] == [r for r in before if r[1] != day(1)]


def test_a_person_sees_what_is_gone_what_left_and_that_nothing_is_left_to_do(
    postgres: EmbeddedServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace, last = steady_grace()
    days = span(day_after(last, -1), 2)
    made = Community(database, tmp_path, days[0], postgres.url("gone_dagster")).create()
    made.add_events(days, event_type="view")
    made.count_truly()
    made.environment(monkeypatch, GRACE_MINUTES=str(grace))
    assert community("run").exit_code == 0
    made.rows("delete from community_templates where slug in ('template-1', 'template-2')")
    trends = "community.community_template_trends"
    stale = [line for line in community("status", "--thorough").output.splitlines() if line.startswith("stale")]
    assert [line.partition(": ")[2] for line in stale] == [
        f"{last} (2 of its days lost rows outside of a run)",
        f"{last} (2 of the entities that it names are gone)",
    ]
    first = community("run")
    assert first.exit_code == 0
    # Two templates on two days in three tables of theirs, and their views and nothing else in the fourth.
    assert "│ metric rows left out │ 16 │" in unwrapped(first.output)
    said = community("status").output.splitlines()
    assert f"left out of {trends}: 4 rows of 2 entities that are gone" in said
    assert not [line for line in said if line.startswith("stale")]
    assert "Nothing to do: every closed day is done." in community("run").output
    with dagster_instance(made.settings(database_url=made.storage)) as instance:
        key = dg.AssetKey(["bazaar", "metrics", "community_template_trends"])
        (event,) = instance.fetch_observations(key, limit=1).records
        assert event.asset_observation is not None
        assert event.asset_observation.metadata["rows that left"].value == 2
    assert json.loads(community("status", "--json").stdout)["bazaar"]["left_out"][trends] == {"rows": 4, "entities": 2}


def test_scenes_and_users_of_stories_leave_and_return(stories: Stories) -> None:
    for n in range(2):
        for scene in (SCENE, OTHER):
            stories.add_view(at(n), scene, BOB)
    stories.add_like(at(0), CEM, OTHER)
    stories.add_segment(1, at(0), BOB)
    stories.add_segment(1, at(1), CEM, id=number(5_000), scene_id=OTHER)
    stories.settle(1)
    before = everything(stories)
    tables = {"scenes": OTHER, "users": CEM}
    for table, key in tables.items():
        stories.sql(f"create table kept_{table} as select * from {table} where id = '{key}'")
        unchecked(stories, f"delete from {table} where id = '{key}'")
    stories.settle(1)
    assert named(stories, "community.scene_activity_daily", "scene_id") == {SCENE}
    assert named(stories, "community.scene_counters_daily", "scene_id") == {SCENE}
    assert named(stories, "community.contributor_daily", "user_id") == {BOB}
    assert unaccounted(stories) == []
    assert stories.settle(1) == []
    for table in tables:
        unchecked(stories, f"insert into {table} select * from kept_{table}")
    stories.settle(1)
    assert everything(stories) == before
    assert unaccounted(stories) == []


def unchecked(flow: DailyFlow, statement: str) -> None:
    """Changes one table and nothing that depends on it, as an app without foreign keys does."""
    with psycopg.connect(flow.url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(statement.encode())


def add_day(gallery: Gallery, n: int) -> None:
    for template, views in ((FIRST, 9), (SECOND, 7), (THIRD, 5), (FOURTH, 3)):
        if gallery.sql("select from community_templates where id = %s", (template,)):
            gallery.add_views(template, at(n), views)


def sweep(gallery: DailyFlow) -> list[gone.Swept]:
    """What the end of a run does."""
    swept: list[gone.Swept] = []
    gone.sweep(gallery.deployment, gallery.lake, "sweep", 500_000, swept)
    return swept


def during(patch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Does something once, when the first rows of a sweep are deleted and not committed."""
    delete = gone._delete
    left = [work]

    def interrupted(*values: object) -> object:
        result = delete(*values)  # type: ignore[arg-type]
        if result[0] and left:
            left.pop()()
        return result

    patch.setattr(gone, "_delete", interrupted)
