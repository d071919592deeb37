"""What breaks a rule of story videos is found on its day, named, and nothing else is."""

from __future__ import annotations

import pytest

from tests.flows import at, day, number
from tests.stories.stories import ANN, BOB, OTHER, SCENE, Stories, failed

RULES = [
    ("insert into scene_bibles (scene_id, version, data, created_at) values (%(scene)s, 3, %(bible3)s, %(at)s); "
     "update scenes set bible_version = 3 where id = %(scene)s",
     "raw/scene_bibles", {"bible_version_faults": ("error", 1)}),
    ("update scenes set bible_version = 4 where id = %(scene)s",
     "raw/scene_bibles", {"newest_bible_faults": ("error", 1)}),
    ("update scene_bibles set data = '{\"version\": 1, \"setting\": {}, \"timeline\": {}}' where scene_id = %(scene)s",
     "raw/scene_bibles", {"bible_faults": ("error", 1)}),
    ("update segments set sequence = 4 where sequence = 2",
     "raw/segments", {"segment_sequence_faults": ("warning", 1)}),
    ("update segments set sequence = 1",
     "raw/segments", {"segment_sequence_faults": ("warning", 2)}),
    ("update segments set bible_version = 2 where sequence = 2",
     "raw/segments", {"segments_without_bible": ("warning", 1)}),
    ("insert into scene_summaries (scene_id, summary, segments_covered, created_at) "
     "values (%(scene)s, 'All', array[1, 2, 7, 8], %(at)s)",
     "raw/segments", {"summaries_of_nothing": ("warning", 2)}),
    ("update jobs set result_data = null", "raw/jobs", {"jobs_without_result": ("warning", 2)}),
    ("update jobs set status = 'queued', stage = 'pending', completed_at = null where user_id = %(ann)s",
     "raw/jobs", {"stuck_jobs": ("warning", 1)}),
    ("update jobs set stage = 'upload' where user_id = %(ann)s",
     "raw/jobs", {"stages_of_another_status": ("warning", 1)}),
    ("update jobs set progress = 101", "raw/jobs", {"progress_outside": ("warning", 2)}),
    ("update jobs set completed_at = null", "raw/jobs", {"ends_that_do_not_fit": ("error", 2)}),
    ("update jobs set started_at = completed_at + interval '1 s'", "raw/jobs", {"ends_before_starts": ("error", 2)}),
    ("update jobs set retry_count = 4", "raw/jobs", {"too_many_retries": ("warning", 2)}),
    ("update scenes set topic_id = %(topic)s where id = %(scene)s",
     "raw/scenes", {"topics_of_another_idea": ("warning", 1)}),
    ("insert into user_topics (user_id, name, promoted_to_topic_id, created_at) "
     "values (%(ann)s, 'X', %(topic)s, %(at)s)",
     "raw/user_topics", {"promotions_without_approval": ("warning", 1)}),
    ("insert into likes (user_id, target_type, target_id, created_at) values (%(ann)s, 'idea', %(ann)s, %(at)s)",
     "raw/likes", {"likes_of_no_idea": ("warning", 1)}),
    ("insert into likes (user_id, target_type, target_id, created_at) values (%(ann)s, 'scene', %(ann)s, %(at)s)",
     "raw/likes", {"likes_of_no_scene": ("warning", 1)}),
    ("insert into scene_views (scene_id, user_id, created_at) values (%(ann)s, %(ann)s, %(at)s)",
     "raw/scene_views", {"views_of_no_scene": ("warning", 1)}),
    ("insert into scene_views (scene_id, created_at) values (%(scene)s, %(at)s)",
     "raw/scene_views", {"views_of_nobody": ("warning", 1)}),
    ("insert into moderation_flags (target_type, target_id, reason, created_at, reviewed_at) "
     "values ('scene', %(scene)s, 'spam', %(at)s, %(at)s - interval '1 h')",
     "raw/moderation_reviews", {"reviews_before_flags": ("warning", 1), "reviews_without_decision": ("warning", 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "asset", "expected"), RULES, ids=[next(iter(rule[2])) for rule in RULES])
def test_what_breaks_a_rule_is_found_and_nothing_else_is(
    stories: Stories, change: str, asset: str, expected: dict[str, tuple[str, float]]
) -> None:
    stories.add_segment(1, at(0, "09:00"))
    stories.add_segment(2, at(0, "10:00"), BOB)
    topic = number(11)
    stories.sql("insert into topics (id, name, slug, created_at) values (%s, 'Sea', 'sea', '2025-12-31')", (topic,))
    raw = [step for step in stories.steps if step.asset == asset]
    assert failed(stories.run(0, steps=raw), asset) == {}
    values = {
        "scene": SCENE, "ann": ANN, "topic": topic, "at": at(0),
        "bible3": '{"version": 3, "characters": [], "setting": {}, "timeline": {}}',
    }  # fmt: skip
    for statement in change.split(";"):
        stories.sql(statement, values)
    result = stories.run(0, steps=raw)
    assert failed(result, asset) == expected
    assert result[asset, day(0)].accepted == all(severity == "warning" for severity, _ in expected.values())


def test_offenders_are_named(stories: Stories) -> None:
    stories.add_segment(1, at(0, "09:00"))
    stories.add_segment(3, at(0, "10:00"), BOB)
    stories.run(0)
    metadata = stories.run(0)["raw/segments", day(0)].metadata
    assert f"| {SCENE} | segment 3 follows no segment 2 |" in metadata["offending: segment_sequence_faults"].markdown


def test_a_bible_is_compared_with_the_version_of_an_earlier_day_and_with_the_scenes_segments(stories: Stories) -> None:
    ada = {"entityId": "char_ada", "canonicalName": "Ada", "introducedInSegment": 1}
    bob = {"entityId": "char_bob", "canonicalName": "Bob", "introducedInSegment": 2}
    stories.add_segment(1, at(0))
    stories.add_bible(2, at(0), characters=[ada])
    stories.add_bible(3, at(1), characters=[bob])
    stories.add_bible(4, at(1, "13:00"), characters=[bob])
    stories.add_bible(2, at(1), scene=OTHER, characters=[{"entityId": "Ada", "canonicalName": "Ada"}])
    raw = [step for step in stories.steps if step.asset == "raw/scene_bibles"]
    results = stories.run(0, 1, steps=raw)
    assert failed(results, "raw/scene_bibles") == {}
    assert failed(results, "raw/scene_bibles", 1) == {"bible_faults": ("error", 4)}
    assert not results["raw/scene_bibles", day(1)].accepted
    shown = results["raw/scene_bibles", day(1)].metadata["offending: bible_faults"].markdown
    assert shown.count("segment at $.characters[0].introducedInSegment") == 2
    assert "entity-lost at $.characters" in shown
    assert "char_ada" in shown
    assert "schema at $.characters[0].entityId" in shown


def test_rows_that_no_month_took_are_found(stories: Stories) -> None:
    for table in ("jobs", "segments"):
        stories.sql(f"create table {table}_rest partition of {table} default")
        stories.sql(f"alter table {table} detach partition {table}_2026_01")
    stories.add_segment(1, at(0))
    raw = [step for step in stories.steps if step.asset in ("raw/jobs", "raw/segments")]
    results = stories.run(0, steps=raw)
    assert failed(results, "raw/jobs") == {"jobs_without_month": ("warning", 1)}
    assert failed(results, "raw/segments") == {"segments_without_month": ("warning", 1)}
    assert "jobs_rest" in results["raw/jobs", day(0)].metadata["offending: jobs_without_month"].markdown
