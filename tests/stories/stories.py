"""A few story videos in a real database, for the daily flow of tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from community_pipelines import settings as configuration
from community_pipelines.flow.plan import PlatformStep
from community_pipelines.flow.steps import DayResult
from community_pipelines.platforms.spec import Platform
from community_pipelines.platforms.stories.spec import STORIES
from tests.declared import STORY_STEPS
from tests.flows import START, DailyFlow, day, number
from tests.prepared import prepared

STEPS: tuple[PlatformStep, ...] = STORY_STEPS
ANN, BOB, CEM = number(1), number(2), number(3)
TOPIC, IDEA, SCENE, OTHER = number(10), number(20), number(30), number(31)
# The counting rules in plain SQL, read from the rows alone.
TRUE_COUNTERS = """
select scene.id,
    (select count(*) from segments where scene_id = scene.id and status = 'active'),
    (select coalesce(sum(duration), 0) from segments where scene_id = scene.id and status = 'active'),
    (select count(distinct user_id) from segments where scene_id = scene.id and status = 'active'),
    (select count(*) from scene_views where scene_id = scene.id),
    (select count(*) from likes where target_type = 'scene' and target_id = scene.id),
    (select max(created_at) from segments where scene_id = scene.id and status = 'active')
from scenes as scene
order by scene.id
"""
CACHED_COUNTERS = """
select id, segment_count, total_duration, contributor_count, view_count, like_count, last_segment_at
from scenes
order by id
"""
TRUE_IDEA_COUNTERS = """
select idea.id,
    (select count(*) from scenes where idea_id = idea.id and status = 'active'),
    (select count(*) from likes where target_type = 'idea' and target_id = idea.id),
    (select count(*) from scene_views join scenes on scenes.id = scene_id where idea_id = idea.id)
from ideas as idea
order by idea.id
"""
CACHED_IDEA_COUNTERS = "select id, scene_count, like_count, view_count from ideas order by id"
TRUE_TOPIC_COUNTERS = """
select topic.id, (select count(*) from scenes where topic_id = topic.id and status = 'active')
from topics as topic
order by topic.id
"""
CACHED_TOPIC_COUNTERS = "select id, scene_count from topics order by id"


@dataclass(frozen=True)
class Stories(DailyFlow):
    """Story videos with settings of their own: three people, a topic, an idea, and two scenes made of it."""

    platform: Platform = STORIES
    steps: tuple[PlatformStep, ...] = STEPS

    def add_view(self, created_at: datetime, scene: UUID = SCENE, user: UUID | None = None) -> None:
        """Somebody watches a scene."""
        self.sql(
            "insert into scene_views (scene_id, user_id, ip_hash, created_at) values (%s, %s, %s, %s)",
            (scene, user, None if user else "somewhere", created_at),
        )

    def add_like(self, created_at: datetime, user: UUID, target: UUID = SCENE, target_type: str = "scene") -> None:
        """Somebody likes a scene or an idea."""
        self.sql(
            "insert into likes (user_id, target_type, target_id, created_at) values (%s, %s, %s, %s)",
            (user, target_type, target, created_at),
        )

    def add_job(self, job: UUID, created_at: datetime, **columns: Any) -> None:
        """A job that has finished, unless the columns say otherwise."""
        row: dict[str, Any] = {
            "id": job, "scene_id": SCENE, "user_id": ANN, "status": "final_ready", "stage": "completed",
            "progress": 100, "input_text": "And then?", "bible_version": 1, "result_data": "{}",
            "created_at": created_at, "started_at": created_at, "completed_at": created_at, **columns,
        }  # fmt: skip
        self._insert("jobs", row)

    def add_segment(self, sequence: int, created_at: datetime, user: UUID = ANN, **columns: Any) -> UUID:
        """A segment of ten seconds, with the job that made it."""
        segment: UUID = columns.get("id", number(1_000 + sequence))
        job = number(segment.int + 1_000_000)
        self.add_job(job, created_at, user_id=user, scene_id=columns.get("scene_id", SCENE))
        row = {
            "id": segment, "scene_id": SCENE, "user_id": user, "job_id": job, "sequence": sequence,
            "input_text": "And then?", "expanded_script": "Then …", "video_url": "https://example.org/v.mp4",
            "duration": 10, "bible_version": 1, "created_at": created_at, **columns,
        }  # fmt: skip
        self._insert("segments", row)
        return segment

    def add_bible(self, version: int, created_at: datetime, scene: UUID = SCENE, **data: Any) -> None:
        """A version of a bible that is right, unless the data say otherwise; the scene gets its number."""
        bible = {"version": version, "characters": [], "setting": {}, "timeline": {}, **data}
        self.sql(
            "insert into scene_bibles (scene_id, version, data, created_at) values (%s, %s, %s::jsonb, %s)",
            (scene, version, json.dumps(bible), created_at),
        )
        self.sql("update scenes set bible_version = greatest(bible_version, %s) where id = %s", (version, scene))

    def add_flag(self, flag: UUID, created_at: datetime, **columns: Any) -> None:
        """A scene is reported by a person, unless the columns say otherwise."""
        row = {"id": flag, "target_type": "scene", "target_id": SCENE, "reporter_id": BOB, "reason": "spam",
               "created_at": created_at, **columns}  # fmt: skip
        self._insert("moderation_flags", row)

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        values = ", ".join(f"%({name})s" for name in row)
        self.sql(f"insert into {table} ({', '.join(row)}) values ({values})", row)


def make_stories(url: str, home: Path, *, stories: Mapping[str, Any] | None = None, **settings: Any) -> Stories:
    """Story videos on an empty database; all is a day older than the first day, and nothing has happened yet."""
    prepared(url, "stories")
    own = {"source_url": url, "counters": "apply", "drift_limit": 1e9, **(stories or {})}
    made = Stories(url, configuration.load(home=home, start_date=START, stories=own, **settings))
    for month in range(1, 4):
        made.sql(
            "select create_monthly_partition(name, 2026, %s) from unnest(array['jobs', 'segments']) as name", (month,)
        )
    made.sql("set timezone = 'UTC'; " + _PEOPLE)
    return made


def failed(results: Mapping[tuple[str, date], DayResult], asset: str, n: int = 0) -> dict[str, tuple[str, object]]:
    """The measures that a day of an asset fails: severity and value."""
    findings = results[asset, day(n)].findings
    return {one.column: (one.severity, one.observed) for one in findings if not one.success and one.column != "rows"}


_PEOPLE = f"""
insert into users (id, email, username, created_at)
select ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, 'user' || n || '@example.org', 'user' || n,
    '2025-12-31'
from generate_series(1, 3) as n;
insert into topics (id, name, slug, created_at) values ('{TOPIC}', 'Space', 'space', '2025-12-31');
insert into ideas (id, user_id, topic_id, title, prompt, created_at)
values ('{IDEA}', '{ANN}', '{TOPIC}', 'A lost satellite', 'It calls home.', '2025-12-31');
insert into scenes (id, idea_id, user_id, topic_id, title, created_at)
select id, '{IDEA}', '{ANN}', '{TOPIC}', 'Satellite', '2026-01-01 08:00'
from unnest(array['{SCENE}', '{OTHER}']::uuid[]) as id;
insert into scene_bibles (scene_id, version, data, created_at)
select id, 1, '{{"version": 1, "characters": [], "setting": {{}}, "timeline": {{}}}}', '2026-01-01 08:00'
from unnest(array['{SCENE}', '{OTHER}']::uuid[]) as id;
"""
