"""The doctor's SQL is pasted and helps: grants, indexes; and tables that are not as declared are named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from community_pipelines.counters.correct import reconcile
from community_pipelines.counters.drift import measure
from community_pipelines.databases.connections import DatabaseError, connect
from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.databases.inspect import found_in
from community_pipelines.doctor import rights, tables
from community_pipelines.doctor.examine import models_of
from community_pipelines.doctor.reach import Database, opened
from community_pipelines.embedded.postgres import EmbeddedServer
from community_pipelines.flow.plan import make_plan
from community_pipelines.platforms.bazaar.spec import BAZAAR, COUNTERS
from community_pipelines.snapshots import ingest
from community_pipelines.snapshots.checks import examine_tables
from community_pipelines.snapshots.options import Options
from tests.community import Community, community, span
from tests.declared import GALLERY_STEPS as STEPS
from tests.patient import FIRST, Patient, admitted, one, subjects
from tests.prepared import PIPELINE, with_ours

MAPPED = {
    "tables": {"community_events": "public.bazaar-vid_community_event"},
    "columns": {"community_events": {"created_at": "happenedAt"}},
}


@pytest.fixture
def app(postgres: EmbeddedServer, tmp_path: Path) -> Iterator[Patient]:
    with admitted(postgres, tmp_path) as patient:
        yield patient


def _mapped(app: Patient) -> None:
    app.run(
        "drop index community_events_created_idx",
        'alter table community_events rename column created_at to "happenedAt"',
        'alter table community_events rename to "bazaar-vid_community_event"',
    )


def test_a_role_that_may_do_nothing_is_told_what_to_grant_and_that_is_enough(app: Patient) -> None:
    reader, publisher = app.role("reader"), app.role("publisher")
    app.run("revoke usage on schema public from public", "revoke temporary on database " + app.name + " from public")
    urls: dict[str, Any] = {"bazaar": {"source_url": app.url_of(reader), "publish_url": app.url_of(publisher)}}
    found = app.examine(**urls)
    reading, publishing = one(found, "source rights"), one(found, "publish rights")
    assert 'select on "public"."community_events"' in reading.seen
    assert 'may not use schema "public"' in reading.seen
    assert 'select and update on "public"."community_templates"' in publishing.seen
    assert "may make no temporary tables" in one(found, "schema community").seen
    for diagnosis in (reading, publishing, one(found, "schema community")):
        assert diagnosis.level == "problem"
        app.paste(diagnosis.advice)
    healed = app.examine(**urls)
    assert subjects(healed, "problem") == set()
    assert one(healed, "source rights").seen == f'role "{reader}" may do what is needed'


def test_the_minimum_grants_are_enough_for_nights_corrections_and_ingest_on_mapped_names(
    app: Patient,
) -> None:
    reader, publisher = app.role("reader"), app.role("publisher")
    _mapped(app)
    app.run(
        "drop schema community cascade",
        "revoke all on schema public from public",
        "revoke all on database " + app.name + " from public",
        "update community_templates set views_count = views_count + 1",
    )
    urls = {"source_url": app.url_of(reader), "publish_url": app.url_of(publisher), **MAPPED}
    app.run(f'grant connect on database {app.name} to "{reader}", "{publisher}"')
    grants = app.says("minimum grants", bazaar=urls).advice
    before, after = grants.split("-- after `community migrate`")
    app.run(*before.splitlines()[1:])
    with_ours(app.url_of(publisher), "bazaar")
    app.run(*after.strip().splitlines(), role=publisher)
    assert subjects(app.examine(bazaar=urls), "problem") == set()

    gallery = Community(app.url, app.home, FIRST, bazaar={**urls, "drift_limit": 10})
    results = gallery.run(span(FIRST, 3))
    assert all(day.accepted for of_asset in results.values() for day in of_asset.values())
    assert app.run("select count(*) > 0 from community_metrics_daily") == [(True,)]
    place = deployment(gallery.settings(), BAZAAR)
    gallery.rows('delete from "bazaar-vid_community_event" where "happenedAt" < \'2026-01-01 01:00+00\'')
    assert make_plan(gallery.settings(), place, STEPS).days("raw/community_events", "stale") == []
    assert app.run("select day from community.deletions_seen") == [(FIRST,)]
    assert reconcile(place, COUNTERS, "again", "apply").refused is None
    gallery.run(span(FIRST, 3), "again")
    truths = measure(place, COUNTERS).truths
    app.run(
        'alter table "bazaar-vid_community_event" drop constraint community_events_pkey, add column secret text',
        'insert into "bazaar-vid_community_event" select * from "bazaar-vid_community_event"',
    )
    assert measure(place, COUNTERS).truths == truths

    assert ingest_twice(app, place) == ["created", "created"]
    assert app.run("select status from community_templates where source_project_id is not null order by slug") == [
        ("disabled",),
        ("active",),
    ]
    assert [one for one in examine_tables(place) if not one.success and one.severity == "error"] == []


def ingest_twice(app: Patient, place: Deployment) -> list[str]:
    """Publishes a project, and once more after it changed."""
    app.run(
        "insert into \"bazaar-vid_user\" (id) values ('ada')",
        'insert into "bazaar-vid_project" (id, "userId", title) values '
        "('00000000-0000-0000-0000-00000000abcd', 'ada', 'Launch day')",
        'insert into "bazaar-vid_scene" ("projectId", "order", "tsxCode", duration) '
        "values ('00000000-0000-0000-0000-00000000abcd', 0, 'export default 1', 90)",
    )
    found: list[str] = []
    since = datetime(2026, 1, 1, tzinfo=UTC)
    for code in ("export default 1", "export default 2"):
        app.run(f'update "bazaar-vid_scene" set "tsxCode" = \'{code}\'')
        with ingest.opened(app.settings(), place, "run") as job:
            found += [one.status for one in job.changed_since(since, Options(supersede=True))]
    return found


def test_rights_that_only_ingest_needs_are_a_warning_and_the_statement_heals_it(app: Patient) -> None:
    reader, publisher = app.role("reader"), app.role("publisher")
    urls: dict[str, Any] = {"bazaar": {"source_url": app.url_of(reader), "publish_url": app.url_of(publisher)}}
    for which, missing in (("source", "bazaar-vid_project"), ("publish", "community_template_scenes")):
        subject = f"{which} rights of template snapshots"
        found = app.says(subject, **urls)
        assert (found.level, missing in found.seen) == ("warning", True)
        app.paste(found.advice)
        assert app.says(subject, **urls).level == "ok"


def test_an_optional_column_is_granted_where_it_is_and_the_doctor_says_where_it_is_not(app: Patient) -> None:
    publisher, subject = app.role("publisher"), "publish rights of template snapshots"
    urls: dict[str, Any] = {"bazaar": {"publish_url": app.url_of(publisher)}}
    without = app.examine(**urls)
    tables_of_snapshots = one(without, "source tables of template snapshots")
    assert tables_of_snapshots.level == "ok"
    column = '"public"."community_template_scenes"."source_scene_id"'
    assert tables_of_snapshots.seen.endswith(f"; this app has no {column}, which is optional")
    assert "source_scene_id" not in one(without, "minimum grants").advice
    grants = one(without, "minimum grants").advice.split("-- after `community migrate`")[0]
    app.paste("\n".join(line for line in grants.splitlines() if line.endswith(f'to "{publisher}";')))
    app.paste(one(without, "publish rights").advice)
    place = deployment(app.settings(**urls), BAZAAR)
    app.run('grant select on public."bazaar-vid_scene" to public')
    assert ingest_twice(app, place) == ["created", "created"]

    app.run("alter table community_template_scenes add column source_scene_id uuid")
    app.run('update "bazaar-vid_scene" set "tsxCode" = \'export default 3\'')
    with (
        pytest.raises(DatabaseError, match="`community doctor` prints what to grant"),
        ingest.opened(app.settings(**urls), place, "run") as job,
    ):
        list(job.changed_since(datetime(2026, 1, 1, tzinfo=UTC), Options()))
    found = app.examine(**urls)
    assert "optional" not in one(found, "source tables of template snapshots").seen
    assert '"source_scene_id"' in one(found, "minimum grants").advice
    assert one(found, subject).level == "warning"
    app.paste(one(found, subject).advice)
    assert app.says(subject, **urls).level == "ok"
    with ingest.opened(app.settings(**urls), place, "run") as job:
        assert [one.status for one in job.changed_since(datetime(2026, 1, 1, tzinfo=UTC), Options())] == ["created"]
    assert app.run("select count(source_scene_id) from community_template_scenes") == [(1,)]


def test_the_command_prints_the_grants_line_by_line(app: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(app.home))
    monkeypatch.setenv("COMMUNITY_START_DATE", str(FIRST))
    monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", app.url)
    monkeypatch.setenv("COMMUNITY_DATABASE_URL", app.url)
    grants = app.says("minimum grants").advice.splitlines()
    assert len(grants) > 10
    printed = [line.strip() for line in community("doctor").output.splitlines()]
    assert [line for line in grants if line not in printed] == []


def test_every_single_right_that_is_missing_is_named(app: Patient) -> None:
    role = app.role("publisher")
    with connect(app.url, "its URL") as connection:
        place = found_in(connection, deployment(app.settings(), BAZAAR))
    models = models_of(BAZAAR)
    needs = [
        *rights.publishing_needs(place, models),
        *rights.own_needs(BAZAAR, models),
        *rights.reading_needs(place, models),
    ]
    snapshots = rights.snapshot_needs(place)
    needs += [*snapshots.reading, *snapshots.publishing, *snapshots.changing]
    app.run(*(f'grant usage on schema {schema} to "{role}"' for schema in ("public", "community")))
    app.run(*(need.grant(f'"{role}"') for need in needs))
    database = Database("bazaar", "publish", app.url_of(role), "COMMUNITY_BAZAAR__PUBLISH_URL")
    with opened(database) as connection, psycopg.connect(app.url, autocommit=True) as owner:
        assert rights.rights(database, connection, needs, "rights").level == "ok"
        for need in [*rights.publishing_needs(place, models), *snapshots.publishing, *snapshots.changing]:
            for privilege, columns in need.privileges.items():
                listed = ", ".join(f'"{column}"' for column in columns)
                what = f'{privilege} {f"({listed})" if columns else ""} on "{need.schema}"."{need.table}"'
                owner.execute(f'revoke {what} from "{role}"')
                missing = rights.rights(database, connection, [need], "rights")
                assert missing.level == "problem"
                assert f'{privilege} on "{need.schema}"."{need.table}"' in missing.seen
                app.paste(missing.advice)
                assert rights.rights(database, connection, [need], "rights").level == "ok"


def test_the_tables_of_an_administrator_who_migrated_have_to_be_granted(app: Patient) -> None:
    publisher = app.role("publisher")
    app.paste(app.says("publish rights", bazaar={"publish_url": app.url_of(publisher)}).advice)
    app.run(f'revoke delete on community.community_template_trends from "{publisher}"')
    missing = app.says("publish rights", bazaar={"publish_url": app.url_of(publisher)})
    assert missing.seen == f'role "{publisher}" may not delete on "community"."community_template_trends"'


def test_a_role_that_may_not_create_in_its_schema_is_warned_or_stopped_by_what_is_pending(app: Patient) -> None:
    publisher = app.role("publisher")
    urls: dict[str, Any] = {"bazaar": {"publish_url": app.url_of(publisher)}}
    app.run(
        f'grant usage on schema community to "{publisher}"',
        f'grant select on all tables in schema community to "{publisher}"',
    )
    assert app.says("schema community", **urls).level == "warning"
    app.run("delete from community.migrations where number = 8")
    schema = app.says("schema community", **urls)
    assert (schema.level, "may not create in it" in schema.seen) == ("problem", True)
    app.paste(schema.advice)
    assert app.says("schema community", **urls).level == "ok"


def test_a_role_that_may_not_make_the_schema_is_given_the_statement(app: Patient) -> None:
    publisher = app.role("publisher")
    app.run("drop schema community cascade")
    schema = app.says("schema community", bazaar={"publish_url": app.url_of(publisher)})
    assert (schema.level, "may not make it" in schema.seen) == ("problem", True)
    app.paste(schema.advice)
    with_ours(app.url_of(publisher), "bazaar")


def test_policies_that_hide_rows_from_the_reading_role_are_a_warning(app: Patient) -> None:
    reader = app.role("reader")
    app.paste(app.says("source rights", bazaar={"source_url": app.url_of(reader)}).advice)
    app.run("alter table community_events enable row level security")
    urls: dict[str, Any] = {"bazaar": {"source_url": app.url_of(reader), "publish_url": app.url}}
    hidden = app.says("source row security", **urls)
    assert hidden.level == "warning"
    assert '"public"."community_events"' in hidden.seen
    app.run(hidden.advice)
    assert "bazaar source row security" not in subjects(app.examine(**urls), "ok", "warning", "problem")


def test_pending_migrations_are_a_problem_and_name_the_command(app: Patient) -> None:
    app.run("delete from community.migrations where number >= 7")
    migrations = app.says("migrations")
    assert migrations.level == "problem"
    assert "sql/pipeline/0007_publication_requests.sql, sql/pipeline/0008" in migrations.seen
    assert migrations.advice.startswith("community migrate --platform bazaar  (with --dry-run")


def test_published_tables_that_are_not_as_their_contracts_say_are_a_problem(app: Patient) -> None:
    app.run("drop table community.community_template_trends", "drop index community.template_counters_daily_day_idx")
    lacking = app.says("migrations")
    assert (lacking.level, lacking.advice.split()[:4]) == ("problem", ["community", "migrate", "--platform", "bazaar"])
    assert "table community.community_template_trends: made, indexed" in lacking.seen
    assert "table community.template_counters_daily: indexed" in lacking.seen
    with_ours(app.url, "bazaar")
    app.run("alter table community.template_counters_daily add column of_a_colleague text")
    sound = app.says("migrations")
    assert sound.level == "ok"
    assert "has of_a_colleague, which its contract does not name; left alone" in sound.seen
    app.run("alter table community.template_counters_daily alter column uses_total type numeric")
    refused = app.says("migrations")
    assert refused.level == "problem"
    assert "bazaar: column uses_total of community.template_counters_daily is numeric, its contract" in refused.seen


def test_a_migration_that_was_changed_after_it_was_applied_is_a_problem(
    app: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sql" / "pipeline"
    shutil.copytree(PIPELINE, folder)
    monkeypatch.setattr(tables, "SQL_FOLDER", tmp_path / "sql")
    assert app.says("migrations").level == "ok"
    with (folder / "0003_counter_corrections.sql").open("a") as file:
        file.write("-- changed\n")
    migrations = app.says("migrations")
    assert migrations.level == "problem"
    assert "0003_counter_corrections.sql was changed after it was applied" in migrations.seen


def test_missing_and_changed_tables_and_columns_are_problems_and_spoil_no_other_check(app: Patient) -> None:
    app.run(
        "drop table community_favorites",
        "alter table community_templates drop column uses_count",
        "alter table community_events alter column scene_count type text",
    )
    found = app.examine()
    seen = {(d.seen, d.advice) for d in found if d.subject == "source tables"}
    assert seen == {
        (
            'table "public"."community_favorites" is missing',
            "set [bazaar.tables] community_favorites to its real name",
        ),
        (
            'column "uses_count" of "public"."community_templates" is missing',
            "set [bazaar.columns.community_templates] uses_count to its real name",
        ),
        (
            'column "scene_count" of "public"."community_events" is text, integer is expected',
            "map another column in [bazaar.columns.community_events] scene_count, or change the declared type",
        ),
    }
    assert subjects(found, "problem") == {"bazaar source tables"}


def test_a_missing_time_index_is_a_statement_with_the_mapped_names_that_can_be_pasted(app: Patient) -> None:
    _mapped(app)
    missing = app.says("time index of community_events", bazaar=MAPPED)
    assert missing.level == "warning"
    assert 'no index begins with "happenedAt" of "public"."bazaar-vid_community_event"' in missing.seen
    assert "btree, because each run also asks for the oldest row" in missing.advice
    statement = missing.advice.splitlines()[-1]
    assert statement == (
        'create index concurrently "bazaar-vid_community_event_happenedAt_idx" '
        'on "public"."bazaar-vid_community_event" using btree ("happenedAt");'
    )
    app.run(statement)
    assert app.says("time index of community_events", bazaar=MAPPED).level == "ok"


def test_an_index_over_some_rows_or_with_the_time_second_does_not_count(app: Patient) -> None:
    app.run(
        "drop index community_events_created_idx",
        "create index on community_events (created_at) where event_type = 'view'",
        "create index on community_events (event_type, created_at)",
        "create index on community_events using hash (created_at)",
    )
    assert app.says("time index of community_events").level == "warning"


def test_a_brin_index_finds_days_and_not_the_oldest_row(app: Patient) -> None:
    app.run("drop index community_events_created_idx", "create index on community_events using brin (created_at)")
    brin = app.says("time index of community_events")
    assert brin.level == "warning"
    assert "the oldest row takes a scan" in brin.seen


def test_a_large_table_in_time_order_is_offered_a_brin_index_too(app: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    app.run(
        "drop index community_events_created_idx",
        "create table sorted as select * from community_events order by created_at",
        "drop table community_events",
        "alter table sorted rename to community_events",
        "analyze community_events",
    )
    assert "brin" not in app.says("time index of community_events").advice.splitlines()[-1]
    monkeypatch.setattr(tables, "MANY_ROWS", 100)
    assert "using brin" in app.says("time index of community_events").advice.splitlines()[-1]


def test_an_index_left_invalid_is_dropped_before_it_is_made_again(app: Patient) -> None:
    app.run("update pg_index set indisvalid = false where indexrelid = 'community_events_created_idx'::regclass")
    missing = app.says("time index of community_events")
    assert missing.level == "warning"
    assert "drop index concurrently public.community_events_created_idx;" in missing.advice
    app.run(*missing.advice.splitlines()[1:])
    assert app.says("time index of community_events").level == "ok"


def test_a_partitioned_table_gets_its_index_partition_by_partition(app: Patient) -> None:
    app.run(
        "create table parts (like community_events) partition by range (created_at)",
        "create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-01-02')",
        "create table parts_rest partition of parts default",
        "insert into parts select * from community_events",
    )
    mapped = {"tables": {"community_events": "public.parts"}}
    missing = app.says("time index of community_events", bazaar=mapped)
    assert missing.level == "warning"
    app.run(*missing.advice.splitlines()[1:])
    assert app.says("time index of community_events", bazaar=mapped).level == "ok"


def test_a_view_cannot_be_indexed_and_says_so(app: Patient) -> None:
    app.run("create view seen_events as select * from community_events")
    mapped = {"tables": {"community_events": "public.seen_events"}}
    assert "index the table that it reads" in app.says("time index of community_events", bazaar=mapped).advice


def test_a_long_name_is_cut_to_what_postgresql_takes() -> None:
    assert len(tables._index_name("é" * 60, "created_at").encode()) <= 63


def test_a_missing_day_index_of_the_published_table_is_a_statement_that_can_be_pasted(app: Patient) -> None:
    app.run("drop index community_metrics_daily_day_idx")
    missing = app.says("day index of community_metrics_daily")
    assert missing.level == "warning"
    app.run(missing.advice.splitlines()[-1])
    assert app.says("day index of community_metrics_daily").level == "ok"


def test_rows_older_than_the_first_day_are_a_warning(app: Patient) -> None:
    assert app.says("oldest row of community_events").level == "ok"
    older = app.says("oldest row of community_events", start_date=FIRST + timedelta(days=1))
    assert older.level == "warning"
    assert "the oldest row is of 2026-01-01, the lake begins at 2026-01-02" in older.seen
    assert "COMMUNITY_START_DATE=2026-01-01" in older.advice


def test_an_empty_source_has_no_oldest_row(app: Patient) -> None:
    app.run("truncate community_events")
    assert app.says("oldest row of community_events").level == "ok"
