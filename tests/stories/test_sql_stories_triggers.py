"""What the triggers of stories keep: one job per idempotency key, and segments that point at what exists."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from community_pipelines.databases.migrations import migrate

APP = Path(__file__).parents[2] / "sql" / "stories" / "app"
JANUARY = "2026-01-15 12:00Z"
FEBRUARY = "2026-02-15 12:00Z"
PERSON = uuid.UUID(int=1)
SCENE = uuid.UUID(int=2)
OTHER_SCENE = uuid.UUID(int=3)


@pytest.fixture
def stories(database: str) -> str:
    """The app's tables with partitions for two months, a user and two scenes."""
    migrate(database, APP)
    with psycopg.connect(database) as connection:
        for table in ("jobs", "segments"):
            for month in (1, 2):
                connection.execute("select create_monthly_partition(%s, 2026, %s)", [table, month])
        connection.execute("insert into users (id, email, username) values (%s, 'a@example.org', 'a')", [PERSON])
        connection.execute("insert into topics (id, name, slug) values (%s, 'T', 't')", [PERSON])
        connection.execute(
            "insert into ideas (id, user_id, topic_id, title, prompt) values (%(id)s, %(id)s, %(id)s, 'I', 'p')",
            {"id": PERSON},
        )
        for scene in (SCENE, OTHER_SCENE):
            connection.execute(
                "insert into scenes (id, idea_id, user_id, topic_id, title) values (%s, %s, %s, %s, 'S')",
                [scene, PERSON, PERSON, PERSON],
            )
    return database


@pytest.fixture
def app(stories: str) -> Iterator[psycopg.Connection]:
    """A session of the app in which every statement commits."""
    with psycopg.connect(stories, autocommit=True) as connection:
        yield connection


def job(
    connection: psycopg.Connection, key: str | None = None, created: str = JANUARY, table: str = "jobs"
) -> uuid.UUID:
    """A new job; `table` may be a partition."""
    made = uuid.uuid4()
    connection.execute(
        f"insert into {table} (id, scene_id, user_id, input_text, bible_version, created_at, idempotency_key) "
        "values (%s, %s, %s, 'x', 1, %s, %s)",
        [made, SCENE, PERSON, created, key],
    )
    return made


def segment(
    connection: psycopg.Connection,
    job_id: uuid.UUID,
    scene_id: uuid.UUID = SCENE,
    created: str = JANUARY,
    table: str = "segments",
) -> uuid.UUID:
    """A new segment; `table` may be a partition."""
    made = uuid.uuid4()
    connection.execute(
        f"insert into {table} (id, scene_id, user_id, job_id, sequence, input_text, expanded_script, video_url, "
        "duration, bible_version, created_at) values (%s, %s, %s, %s, 1, 'x', 'x', 'x', 5, 1, %s)",
        [made, scene_id, PERSON, job_id, created],
    )
    return made


def keys(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Every taken key and the job that took it."""
    return connection.execute("select idempotency_key, job_id from job_idempotency_keys order by 1").fetchall()


def waits(call: Callable[[], object], url: str) -> Future[object]:
    """Start a call in a thread, and return once it waits for a lock."""
    pool = ThreadPoolExecutor(1)
    future: Future[object] = pool.submit(call)
    pool.shutdown(wait=False)
    with psycopg.connect(url, autocommit=True) as observer:
        for _ in range(500):
            assert not future.done(), "it did not wait"
            blocked = observer.execute(
                "select count(*) from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0"
            )
            if blocked.fetchone() == (1,):
                return future
            time.sleep(0.01)
    raise AssertionError("it never waited")


def test_a_second_job_with_a_key_is_refused_in_any_month_and_in_any_partition(app: psycopg.Connection) -> None:
    first = job(app, "k1")
    for created, table in ((JANUARY, "jobs"), (FEBRUARY, "jobs"), (FEBRUARY, "jobs_2026_02")):
        with pytest.raises(psycopg.errors.UniqueViolation) as refusal:
            job(app, "k1", created, table)
        assert refusal.value.diag.constraint_name == "jobs_idempotency_key_key"
        assert "Key (idempotency_key)=(k1) already exists." in str(refusal.value)
    assert keys(app) == [("k1", first)]
    assert app.execute("select id from jobs").fetchall() == [(first,)]


def test_a_job_that_was_put_into_a_partition_takes_its_key(app: psycopg.Connection) -> None:
    first = job(app, "k1", FEBRUARY, "jobs_2026_02")
    assert keys(app) == [("k1", first)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        job(app, "k1")


def test_jobs_without_a_key_are_many(app: psycopg.Connection) -> None:
    job(app)
    job(app)
    assert keys(app) == []


def test_two_rows_of_one_statement_do_not_share_a_key(app: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        app.execute(
            "insert into jobs (scene_id, user_id, input_text, bible_version, created_at, idempotency_key) "
            "select %s, %s, 'x', 1, day, 'k' from unnest(%s::timestamptz[]) as day",
            [SCENE, PERSON, [JANUARY, FEBRUARY]],
        )


def test_changing_a_key_gives_back_the_old_one_and_takes_the_new_one(app: psycopg.Connection) -> None:
    first = job(app, "k1")
    app.execute("update jobs set idempotency_key = 'k2'")
    assert keys(app) == [("k2", first)]
    second = job(app, "k1")
    with pytest.raises(psycopg.errors.UniqueViolation, match="k2"):
        app.execute("update jobs set idempotency_key = 'k2' where id = %s", [second])
    app.execute("update jobs set idempotency_key = null where id = %s", [first])
    assert keys(app) == [("k1", second)]
    app.execute("update jobs set idempotency_key = 'k3' where id = %s", [first])
    assert keys(app) == [("k1", second), ("k3", first)]


def test_a_key_follows_a_job_whose_id_changes(app: psycopg.Connection) -> None:
    job(app, "k1")
    app.execute("update jobs set id = %s", [PERSON])
    assert keys(app) == [("k1", PERSON)]
    app.execute("delete from jobs")
    assert keys(app) == []


def test_a_deleted_job_gives_its_key_back(app: psycopg.Connection) -> None:
    job(app, "k1", FEBRUARY)
    app.execute("delete from jobs_2026_02")
    assert keys(app) == []
    job(app, "k1")


def test_a_job_that_moves_to_another_partition_keeps_its_key(app: psycopg.Connection) -> None:
    first = job(app, "k1")
    app.execute("update jobs set created_at = %s", [FEBRUARY])
    found = app.execute("select job_id, job_created_at from job_idempotency_keys").fetchall()
    assert found == app.execute("select id, created_at from jobs_2026_02").fetchall()
    assert found[0][0] == first
    with pytest.raises(psycopg.errors.UniqueViolation):
        job(app, "k1")
    app.execute("update jobs set created_at = %s, idempotency_key = 'k2'", [JANUARY])
    assert keys(app) == [("k2", first)]


def test_a_detached_or_dropped_month_leaves_its_keys_taken(app: psycopg.Connection) -> None:
    job(app, "k1")
    app.execute("alter table jobs detach partition jobs_2026_01 concurrently")
    with pytest.raises(psycopg.errors.UniqueViolation):
        job(app, "k1", FEBRUARY)
    app.execute("delete from jobs_2026_01")
    app.execute("drop table jobs_2026_01")
    with pytest.raises(psycopg.errors.UniqueViolation):
        job(app, "k1", FEBRUARY)


def test_a_row_that_a_conflict_left_out_takes_no_key(app: psycopg.Connection) -> None:
    first = job(app)
    app.execute(
        "insert into jobs (id, scene_id, user_id, input_text, bible_version, created_at, idempotency_key) "
        "values (%s, %s, %s, 'x', 1, %s, 'k1') on conflict (id, created_at) do nothing",
        [first, SCENE, PERSON, JANUARY],
    )
    assert keys(app) == []


@pytest.mark.parametrize("level", ["read committed", "repeatable read"])
@pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
def test_the_second_of_two_sessions_waits_for_the_first_one_and_fails_if_that_one(
    stories: str, app: psycopg.Connection, commits: bool, level: str
) -> None:
    with psycopg.connect(stories) as first, psycopg.connect(stories) as second:
        second.execute(f"set transaction isolation level {level}")
        second.execute("select count(*) from jobs")
        job(first, "k1", JANUARY)
        attempt = waits(lambda: job(second, "k1", FEBRUARY), stories)
        if commits:
            first.commit()
            with pytest.raises(psycopg.errors.UniqueViolation, match="k1"):
                attempt.result(10)
        else:
            first.rollback()
            assert attempt.result(10)
            second.commit()
    assert len(keys(app)) == 1
    assert app.execute("select count(*) from jobs").fetchone() == (1,)


def test_of_many_sessions_with_the_same_key_exactly_one_makes_a_job(stories: str, app: psycopg.Connection) -> None:
    def attempt(number: int) -> bool:
        with psycopg.connect(stories, autocommit=True) as connection:
            try:
                job(connection, f"k{number % 5}", FEBRUARY if number % 2 else JANUARY)
            except psycopg.errors.UniqueViolation:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 5
    assert keys(app) == app.execute("select idempotency_key, id from jobs order by 1").fetchall()


def test_a_role_that_may_only_write_jobs_and_segments_needs_no_other_right(app: psycopg.Connection) -> None:
    role = f"writer_{uuid.uuid4().hex[:8]}"
    app.execute(f"create role {role}")
    try:
        app.execute(f"grant insert, delete on jobs, segments to {role}")
        app.execute(f"set role {role}")
        made = job(app, "k1")
        segment(app, made)
        with pytest.raises(psycopg.errors.UniqueViolation, match="k1"):
            job(app, "k1")
        app.execute("delete from segments")
        app.execute("delete from jobs")
    finally:
        app.execute("reset role")
        app.execute(f"drop owned by {role}")
        app.execute(f"drop role {role}")


@pytest.mark.parametrize("table", ["segments", "segments_2026_01"])
def test_a_segment_needs_a_scene_and_a_job_that_exist(app: psycopg.Connection, table: str) -> None:
    made = job(app, created=FEBRUARY)
    nobody = uuid.uuid4()
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as refusal:
        segment(app, made, nobody, table=table)
    assert str(refusal.value).startswith(f"segments.scene_id: no row in scenes has the id {nobody}")
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as refusal:
        segment(app, nobody, table=table)
    assert str(refusal.value).startswith(f"segments.job_id: no row in jobs has the id {nobody}")
    assert refusal.value.diag.constraint_name == "segments_job_id_fkey"
    assert segment(app, made, table=table)


@pytest.mark.parametrize("column", ["scene_id", "job_id"])
def test_a_changed_reference_needs_a_row_that_exists(app: psycopg.Connection, column: str) -> None:
    segment(app, job(app))
    other = OTHER_SCENE if column == "scene_id" else job(app, created=FEBRUARY)
    app.execute(f"update segments set {column} = %s", [other])
    for table in ("segments", "segments_2026_01"):
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"segments.{column}: no row in"):
            app.execute(f"update {table} set {column} = %s", [uuid.uuid4()])


def test_a_segment_stays_editable_after_its_job_was_archived(app: psycopg.Connection) -> None:
    archived = job(app)
    segment(app, archived)
    app.execute("alter table jobs detach partition jobs_2026_01")
    app.execute("drop table jobs_2026_01")
    app.execute("update segments set status = 'hidden', job_id = job_id, scene_id = %s", [OTHER_SCENE])
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=r"segments\.job_id"):
        segment(app, archived)


def test_a_scene_with_segments_is_kept_and_one_without_may_go(app: psycopg.Connection) -> None:
    segment(app, job(app))
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"segments.scene_id still refers to {SCENE}"):
        app.execute("delete from scenes")
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"segments.scene_id still refers to {SCENE}"):
        app.execute("update scenes set id = %s where id = %s", [uuid.uuid4(), SCENE])
    app.execute("update scenes set title = 'New', id = id")
    app.execute("update scenes set id = %s where id = %s", [uuid.uuid4(), OTHER_SCENE])
    app.execute("delete from segments")
    app.execute("delete from scenes")


@pytest.mark.parametrize("table", ["jobs", "jobs_2026_02"])
def test_a_job_with_segments_is_kept_and_one_without_may_go(app: psycopg.Connection, table: str) -> None:
    used, unused = job(app, "used", FEBRUARY), job(app, "unused", FEBRUARY)
    made = segment(app, used)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"segments.job_id still refers to {used}"):
        app.execute(f"delete from {table}")
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"segments.job_id still refers to {used}"):
        app.execute(f"update {table} set id = %s where id = %s", [uuid.uuid4(), used])
    assert keys(app) == [("unused", unused), ("used", used)]
    app.execute(f"delete from {table} where id = %s", [unused])
    app.execute("delete from segments where id = %s", [made])
    app.execute(f"delete from {table}")
    assert keys(app) == []


def test_a_job_with_segments_may_move_to_another_partition_but_not_change_its_id_on_the_way(
    app: psycopg.Connection,
) -> None:
    made = job(app)
    segment(app, made)
    app.execute("update jobs set created_at = %s", [FEBRUARY])
    assert app.execute("select id from jobs_2026_02").fetchall() == [(made,)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=r"segments\.job_id still refers to"):
        app.execute("update jobs set created_at = %s, id = %s", [JANUARY, uuid.uuid4()])


@pytest.mark.parametrize("parent", ["scenes", "jobs"])
def test_deleting_what_a_new_segment_points_at_waits_for_it_and_then_fails(stories: str, parent: str) -> None:
    with psycopg.connect(stories) as writer, psycopg.connect(stories) as cleaner:
        made = job(writer)
        writer.commit()
        segment(writer, made)
        attempt = waits(lambda: cleaner.execute(f"delete from {parent}"), stories)
        writer.commit()
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="still refers to"):
            attempt.result(10)


@pytest.mark.parametrize("parent", ["scenes", "jobs"])
def test_a_new_segment_waits_for_the_deletion_of_what_it_points_at_and_then_fails(stories: str, parent: str) -> None:
    with psycopg.connect(stories) as writer, psycopg.connect(stories) as cleaner:
        made = job(writer)
        writer.commit()
        cleaner.execute(f"delete from {parent}")
        attempt = waits(lambda: segment(writer, made), stories)
        cleaner.commit()
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"no row in {parent}"):
            attempt.result(10)


def test_the_segments_of_a_job_are_found_through_an_index(app: psycopg.Connection) -> None:
    app.execute("set enable_seqscan = off")
    plan = app.execute("explain select from segments where job_id = gen_random_uuid()").fetchall()
    assert "segments_2026_01_job_id_idx" in " ".join(line for (line,) in plan)
