"""Cached counters of story videos equal a plain SQL count although the app writes all the time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from community_pipelines.counters.correct import reconcile
from community_pipelines.platforms.stories.spec import IDEA_COUNTERS, SCENE_COUNTERS, STORIES, TOPIC_COUNTERS
from tests.flows import at, day
from tests.stories.stories import (
    ANN,
    BOB,
    CACHED_COUNTERS,
    CACHED_IDEA_COUNTERS,
    CACHED_TOPIC_COUNTERS,
    CEM,
    IDEA,
    OTHER,
    SCENE,
    TOPIC,
    TRUE_COUNTERS,
    TRUE_IDEA_COUNTERS,
    TRUE_TOPIC_COUNTERS,
    Stories,
)

COMPARED = [
    (CACHED_COUNTERS, TRUE_COUNTERS),
    (CACHED_IDEA_COUNTERS, TRUE_IDEA_COUNTERS),
    (CACHED_TOPIC_COUNTERS, TRUE_TOPIC_COUNTERS),
]
DRIFT = """
update scenes set segment_count = 5, total_duration = 99, contributor_count = 9, view_count = 50, like_count = 7,
    last_segment_at = now() + interval '1 day';
update ideas set scene_count = 9, like_count = 5, view_count = 1000;
update topics set scene_count = 77;
"""


class App:
    """One server process of the app; each thing that it does is one transaction with its counters."""

    def __init__(self, url: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.connection = psycopg.connect(url, autocommit=True)
        self.done = 0

    def act(self) -> None:
        """One thing that a person does."""
        scene, user = self.random.choice((SCENE, OTHER)), self.random.choice((ANN, BOB, CEM))
        acts = (self._view, self._like, self._unlike, self._like_idea, self._add_segment, self._hide, self._start)
        with self.connection.transaction():
            self.random.choice(acts)(scene, user)
        self.done += 1

    def _sql(self, query: str, *values: object) -> list[tuple[object, ...]]:
        cursor = self.connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def _view(self, scene: UUID, user: UUID) -> None:
        self._sql("insert into scene_views (scene_id, user_id) values (%s, %s)", scene, user)
        self._sql("update scenes set view_count = view_count + 1 where id = %s", scene)
        self._sql("update ideas set view_count = view_count + 1 where id = %s", IDEA)

    def _like(self, scene: UUID, user: UUID) -> None:
        given = self._sql(
            "insert into likes (user_id, target_type, target_id) values (%s, 'scene', %s) "
            "on conflict do nothing returning 1",
            user,
            scene,
        )
        self._sql("update scenes set like_count = like_count + %s where id = %s", len(given), scene)

    def _unlike(self, scene: UUID, user: UUID) -> None:
        taken = self._sql(
            "delete from likes where user_id = %s and target_type = 'scene' and target_id = %s returning 1", user, scene
        )
        self._sql("update scenes set like_count = like_count - %s where id = %s", len(taken), scene)

    def _like_idea(self, _scene: UUID, user: UUID) -> None:
        given = self._sql(
            "insert into likes (user_id, target_type, target_id) values (%s, 'idea', %s) "
            "on conflict do nothing returning 1",
            user,
            IDEA,
        )
        self._sql("update ideas set like_count = like_count + %s where id = %s", len(given), IDEA)

    def _add_segment(self, scene: UUID, user: UUID) -> None:
        self._sql("select from scenes where id = %s for no key update", scene)
        ((job,),) = self._sql(
            "insert into jobs (scene_id, user_id, input_text, bible_version, status, stage) "
            "values (%s, %s, 'And?', 1, 'final_ready', 'completed') returning id",
            scene,
            user,
        )
        known = self._contributors(scene)
        ((made_at,),) = self._sql(
            "insert into segments (scene_id, user_id, job_id, sequence, input_text, expanded_script, video_url, "
            "duration, bible_version, created_at) "
            "select %s, %s, %s, count(*) + 1, '', '', '', 7, 1, clock_timestamp() from segments where scene_id = %s "
            "returning created_at",
            scene,
            user,
            job,
            scene,
        )
        self._sql(
            "update scenes set segment_count = segment_count + 1, total_duration = total_duration + 7, "
            "contributor_count = contributor_count + %s, last_segment_at = greatest(last_segment_at, %s) where id = %s",
            self._contributors(scene) - known,
            made_at,
            scene,
        )

    def _hide(self, scene: UUID, _user: UUID) -> None:
        """The app forgets `last_segment_at` here: only a correction can lower it."""
        self._sql("select from scenes where id = %s for no key update", scene)
        known = self._contributors(scene)
        hidden = self._sql(
            "update segments set status = 'hidden' where id = "
            "(select id from segments where scene_id = %s and status = 'active' order by created_at desc limit 1) "
            "returning duration",
            scene,
        )
        if hidden:
            self._sql(
                "update scenes set segment_count = segment_count - 1, total_duration = total_duration - 7, "
                "contributor_count = contributor_count + %s where id = %s",
                self._contributors(scene) - known,
                scene,
            )

    def _start(self, _scene: UUID, user: UUID) -> None:
        self._sql(
            "insert into scenes (idea_id, user_id, topic_id, title) values (%s, %s, %s, 'New')", IDEA, user, TOPIC
        )
        self._sql("update ideas set scene_count = scene_count + 1 where id = %s", IDEA)
        self._sql("update topics set scene_count = scene_count + 1 where id = %s", TOPIC)

    def _contributors(self, scene: UUID) -> int:
        query = "select count(distinct user_id) from segments where scene_id = %s and status = 'active'"
        return int(str(self._sql(query, scene)[0][0]))


@contextmanager
def app_at_work(stories: Stories, seed: int, threads: int = 3) -> Iterator[None]:
    """Several connections of the app write as long as the block lasts."""
    over = threading.Event()
    apps = [App(stories.url, seed * threads + number) for number in range(threads)]

    def work(app: App) -> None:
        while not over.is_set():
            try:
                app.act()
            except errors.DeadlockDetected:
                continue

    with ThreadPoolExecutor(threads) as pool:
        writing = [pool.submit(work, app) for app in apps]
        try:
            while min(app.done for app in apps) < 20 and not any(one.done() for one in writing):
                time.sleep(0.02)
            yield
        finally:
            over.set()
            for one in writing:
                one.result(30)
            for app in apps:
                app.connection.close()


def correct(stories: Stories) -> int:
    """Reconciles all counters once; gives how many were corrected."""
    tables = (SCENE_COUNTERS, IDEA_COUNTERS, TOPIC_COUNTERS)
    return sum(reconcile(stories.deployment, table, "test", "apply").corrected for table in tables)


@pytest.fixture
def living(stories: Stories) -> Stories:
    """Story videos whose counters are all wrong, in an app whose present months have partitions."""
    now = datetime.now(UTC)
    stories.sql(
        "select create_monthly_partition(name, %s, %s) from unnest(array['jobs', 'segments']) as name",
        (now.year, now.month),
    )
    stories.add_view(at(0))
    for statement in DRIFT.split(";")[:-1]:
        stories.sql(statement)
    return stories


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counters_equal_a_plain_count_under_concurrent_writers(living: Stories, seed: int) -> None:
    with app_at_work(living, seed):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            correct(living)
    # What the app forgot after the last correction; nothing else may be off.
    assert living.sql("select count(*) > 10 from community.counter_corrections") == [(True,)]
    for cached, true in COMPARED:
        have, want = living.sql(cached), living.sql(true)
        assert [row[:6] for row in have] == [row[:6] for row in want]
    correct(living)
    for cached, true in COMPARED:
        assert living.sql(cached) == living.sql(true)
    assert correct(living) == 0
    reasons = living.sql("select counter, bool_and(reason is not null) from community.counter_corrections "
                         "where applied < 0 and counter = 'last_segment_at' group by 1")  # fmt: skip
    assert reasons == [("last_segment_at", True)]


def test_the_history_agrees_with_the_counters_of_a_day(stories: Stories) -> None:
    stories.add_segment(1, at(0), BOB)
    stories.add_segment(2, at(1), BOB)
    stories.add_view(at(0))
    stories.add_like(at(1), CEM)
    results = stories.run(0, 1)
    for table in STORIES.counter_tables:
        findings = results[f"counters/{table.table.name}", day(1)].findings
        assert {one.column: one.observed for one in findings if not one.success} == {}
    history = "select day, segments_total, contributors_total, views_total, likes_total from " \
              "community.scene_counters_daily where scene_id = %s order by day"  # fmt: skip
    assert stories.sql(history, (SCENE,)) == [(day(0), 1, 1, 1, 0), (day(1), 2, 1, 1, 1)]
