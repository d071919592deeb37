"""What the sample of stories holds at `now`, as Arrow tables whose columns are called as in the app database.

Here: rows of everything but views and likes (`sample_stories_visits`), as their tables show them at `now`: what comes
later is left out. Not here: making any of it up, and writing to a database (`sample_stories`).

Counters are left at what the tables give by themselves; `sample_stories` sets them from what was loaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from community_pipelines.embedded import sample_stories_words as words
from community_pipelines.embedded.sample_events import uuids
from community_pipelines.embedded.sample_gallery import Flags, Ints
from community_pipelines.embedded.sample_stories_jobs import MAX_RETRIES, Job, sentence, state
from community_pipelines.embedded.sample_stories_moderation import Flag, Moderation, flag_status
from community_pipelines.embedded.sample_stories_scenes import BibleVersion, Course, Segment, Summary, title
from community_pipelines.embedded.sample_stories_world import NEVER, TEAM, Proposal, Topic, World, new_id, packed

MARK = "The team's rehearsals of the sample: trial runs of the AI from before the first day."

_TIME = pa.timestamp("us", tz="UTC")
_WITH_PROVIDER = 0.3


def tables(world: World, course: Course, moderation: Moderation) -> Iterator[tuple[str, pa.Table]]:
    """Each table's name and rows, in the order in which the references between them allow."""
    now = world.calendar.now
    users = int(np.searchsorted(world.people.created, now, side="right"))
    yield "users", _users(world, users, moderation)
    yield "oauth_accounts", _accounts(world, users)
    topics = [topic for topic in world.topics if topic.created <= now]
    yield "topics", _topics(topics)
    yield "user_topics", _proposals(world, [one for one in world.proposals if one.created <= now])
    dice = world.dice(160)
    category_ids = [[new_id(dice) for _ in topic.categories] for topic in topics]
    yield "categories", _categories(topics, category_ids)
    yield "ideas", _ideas(world, category_ids)
    bibles = [bible for bible in course.bibles if bible.created <= now]
    yield "scenes", _scenes(world, bibles)
    jobs = sorted((job for job in course.jobs if job.created <= now), key=lambda job: job.created)
    yield "jobs", _jobs(jobs, now)
    segments = sorted((one for one in course.segments if one.created <= now), key=lambda one: one.created)
    yield "segments", _segments(world, segments, moderation)
    yield "scene_bibles", _bibles(world, bibles)
    yield "scene_summaries", _summaries(world, [one for one in course.summaries if one.created <= now])
    yield "moderation_flags", _flags([flag for flag in moderation.flags if flag.created <= now], now)


def _users(world: World, count: int, moderation: Moderation) -> pa.Table:
    rng, people, now = world.dice(161), world.people, world.calendar.now
    created = people.created[:count]
    seen = created + (np.sqrt(rng.random(count)) * (now - created)).astype(np.int64)
    changed = [
        suspended if (suspended := moderation.suspended.get(user, NEVER)) <= now else int(created[user])
        for user in range(count)
    ]
    bios = rng.integers(0, len(words.BIOS) * 4, count)
    names = zip(rng.integers(0, len(words.ADJECTIVES), count), rng.integers(0, len(words.NOUNS), count), strict=True)
    return pa.table(
        {
            "id": _ids(people.ids[:count]),
            "email": [f"user{number}@example.org" for number in range(1, count + 1)],
            # Not a hash: nobody can sign in with it.
            "password_hash": pa.array(
                [None if known else "sample, no password fits" for known in _with_provider(world, count)]
            ),
            "username": [f"user{number}" for number in range(1, count + 1)],
            "display_name": [f"{words.ADJECTIVES[one]} {words.NOUNS[other]}" for one, other in names],
            "bio": pa.array([words.BIOS[bio] if bio < len(words.BIOS) else None for bio in bios], pa.string()),
            "role": ["admin" if user == 0 else "moderator" if user < TEAM else "user" for user in range(count)],
            "email_verified": pa.array(rng.random(count) < 0.9),
            "is_active": [moderation.suspended.get(user, NEVER) > now for user in range(count)],
            "created_at": _times(created, now),
            "updated_at": _times(changed, now),
            "last_login_at": _times(seen, now),
        }
    )


def _accounts(world: World, users: int) -> pa.Table:
    rng, people, now = world.dice(162), world.people, world.calendar.now
    chosen = np.flatnonzero(_with_provider(world, users))
    return pa.table(
        {
            "id": _ids([new_id(rng) for _ in chosen]),
            "user_id": _ids([people.ids[user] for user in chosen]),
            "provider": np.where(rng.random(len(chosen)) < 0.75, "google", "github"),
            "provider_id": [rng.bytes(8).hex() for _ in chosen],
            "created_at": _times(people.created[chosen], now),
        }
    )


def _with_provider(world: World, users: int) -> Flags:
    flags: Flags = world.dice(166).random(users) < _WITH_PROVIDER
    return flags


def _topics(topics: list[Topic]) -> pa.Table:
    times = [topic.created for topic in topics]
    return pa.table(
        {
            "id": _ids([topic.id for topic in topics]),
            "name": [topic.name for topic in topics],
            "slug": [_slug(topic.name) for topic in topics],
            "description": [topic.description for topic in topics],
            "is_curated": [topic.curated for topic in topics],
            "display_order": pa.array(range(len(topics)), pa.int32()),
            "created_at": _times(times, NEVER),
            "updated_at": _times(times, NEVER),
        }
    )


def _categories(topics: list[Topic], ids: list[list[UUID]]) -> pa.Table:
    rows = [
        (one, topic, name, place)
        for topic, known in zip(topics, ids, strict=True)
        for place, (one, name) in enumerate(zip(known, topic.categories, strict=True))
    ]
    return pa.table(
        {
            "id": _ids([one for one, _, _, _ in rows]),
            "topic_id": _ids([topic.id for _, topic, _, _ in rows]),
            "name": [name for _, _, name, _ in rows],
            "slug": [_slug(name) for _, _, name, _ in rows],
            "display_order": pa.array([place for _, _, _, place in rows], pa.int32()),
            "created_at": _times([topic.created for _, topic, _, _ in rows], NEVER),
        }
    )


def _proposals(world: World, proposals: list[Proposal]) -> pa.Table:
    rng, now = world.dice(163), world.calendar.now
    reasons = [words.REJECTIONS[place] for place in rng.integers(0, len(words.REJECTIONS), len(proposals))]
    reviewers = [world.people.ids[place] for place in rng.integers(1, TEAM, len(proposals))]
    decided = [one.reviewed <= now for one in proposals]
    states = ["approved" if one.approved else "rejected" for one in proposals]
    said = list(zip(proposals, decided, states, strict=True))
    return pa.table(
        {
            "id": _ids([one.id for one in proposals]),
            "user_id": _ids([world.people.ids[one.user] for one in proposals]),
            "name": [one.name for one in proposals],
            "status": [status if over else "pending" for _, over, status in said],
            "reviewed_by": _ids([who if over else None for who, over in zip(reviewers, decided, strict=True)]),
            "reviewed_at": _times([one.reviewed for one in proposals], now),
            "rejection_reason": pa.array(
                [
                    reason if over and status == "rejected" else None
                    for reason, (_, over, status) in zip(reasons, said, strict=True)
                ],
                pa.string(),
            ),
            "promoted_to_topic_id": _ids([one.promoted_to if over else None for one, over, _ in said]),
            "created_at": _times([one.created for one in proposals], now),
        }
    )


def _ideas(world: World, category_ids: list[list[UUID]]) -> pa.Table:
    rng, ideas, now = world.dice(164), world.ideas, world.calendar.now
    count = int(np.searchsorted(ideas.created, now, side="right"))
    closed = ideas.closed[:count] <= now
    decided = ideas.moderated[:count] <= now
    categories = [category_ids[topic] for topic in ideas.topic[:count]]
    placed = list(zip(categories, ideas.category[:count], strict=True))
    tags = [[words.TAGS[tag] for tag in rng.permutation(len(words.TAGS))[:size]] for size in rng.integers(0, 5, count)]
    changed = np.where(closed, ideas.closed[:count], np.where(decided, ideas.moderated[:count], ideas.created[:count]))
    return pa.table(
        {
            "id": _ids(ideas.ids[:count]),
            "user_id": _ids([world.people.ids[user] for user in ideas.user[:count]]),
            "topic_id": _ids([world.topics[topic].id for topic in ideas.topic[:count]]),
            "category_id": _ids([known[place] if place < len(known) else None for known, place in placed]),
            "title": [title(rng) for _ in range(count)],
            "prompt": [f"{sentence(rng)} {sentence(rng)}" for _ in range(count)],
            "tags": pa.array(tags, pa.list_(pa.string())),
            "status": [as_ if over else "active" for as_, over in zip(ideas.closed_as[:count], closed, strict=True)],
            "moderation_status": np.where(
                decided, np.where(ideas.rejected[:count] > 0, "rejected", "approved"), "pending"
            ),
            "created_at": _times(ideas.created[:count], now),
            "updated_at": _times(changed, now),
        }
    )


def _scenes(world: World, bibles: list[BibleVersion]) -> pa.Table:
    rng, scenes, now = world.dice(165), world.scenes, world.calendar.now
    count = int(np.searchsorted(scenes.created, now, side="right"))
    closed = scenes.closed[:count] <= now
    newest = {bible.scene: bible for bible in bibles}
    changed = [max(int(at), newest[scene].created) for scene, at in enumerate(scenes.created[:count])]
    # A load that is taken up again on another day needs the first one's end.
    changed[0] = now
    topics = world.ideas.topic[scenes.idea[:count]]
    return pa.table(
        {
            "id": _ids(scenes.ids[:count]),
            "idea_id": _ids([world.ideas.ids[idea] for idea in scenes.idea[:count]]),
            "user_id": _ids([world.people.ids[user] for user in scenes.user[:count]]),
            "topic_id": _ids([world.topics[topic].id for topic in topics]),
            "title": ["Rehearsals", *(title(rng) for _ in range(count - 1))],
            "description": [MARK, *(sentence(rng) for _ in range(count - 1))],
            "status": [as_ if over else "active" for as_, over in zip(scenes.closed_as[:count], closed, strict=True)],
            "bible_version": pa.array([newest[scene].version for scene in range(count)], pa.int32()),
            "created_at": _times(scenes.created[:count], now),
            "updated_at": _times(changed, now),
        }
    )


def _jobs(jobs: list[Job], now: int) -> pa.Table:
    states = [state(job, now) for job in jobs]
    said = list(zip(jobs, states, strict=True))
    errors = [job.error if one.over else None for job, one in said]
    return pa.table(
        {
            "id": _ids([job.id for job in jobs]),
            "scene_id": _ids([job.scene for job in jobs]),
            "user_id": _ids([job.user for job in jobs]),
            "type": [job.kind for job in jobs],
            "status": [one.status for one in states],
            "stage": [one.stage for one in states],
            "progress": pa.array([one.progress for one in states], pa.int32()),
            "message": [one.message for one in states],
            "input_text": [job.input_text for job in jobs],
            "bible_version": pa.array([job.bible_version for job in jobs], pa.int32()),
            "context_data": _json([job.context for job in jobs]),
            "result_data": _json([job.result if one.over else None for job, one in said]),
            "error_code": pa.array(errors, pa.string()),
            "error_message": pa.array(
                [error and f"{one.stage}: {error}" for error, one in zip(errors, states, strict=True)], pa.string()
            ),
            "retry_count": pa.array([job.retries if one.over else 0 for job, one in said], pa.int32()),
            "max_retries": pa.array([MAX_RETRIES] * len(jobs), pa.int32()),
            "created_at": _times([job.created for job in jobs], now),
            "started_at": _times([one.started for one in states], now),
            "completed_at": _times([one.ended for one in states], now),
            "idempotency_key": pa.array([job.key for job in jobs], pa.string()),
        }
    )


def _segments(world: World, segments: list[Segment], moderation: Moderation) -> pa.Table:
    now = world.calendar.now
    closings = [moderation.segments.get(one.id, (NEVER, "")) for one in segments]
    return pa.table(
        {
            "id": _ids([one.id for one in segments]),
            "scene_id": _ids([world.scenes.ids[one.scene] for one in segments]),
            "user_id": _ids([one.user for one in segments]),
            "job_id": _ids([one.job for one in segments]),
            "sequence": pa.array([one.sequence for one in segments], pa.int32()),
            "input_text": [one.input_text for one in segments],
            "expanded_script": [one.script for one in segments],
            "video_url": [f"{one.folder}/video.mp4" for one in segments],
            "hls_playlist_url": [f"{one.folder}/index.m3u8" for one in segments],
            "thumbnail_url": [f"{one.folder}/thumbnail.jpg" for one in segments],
            "duration": pa.array([one.seconds for one in segments], pa.int32()),
            "resolution": [one.resolution for one in segments],
            "file_size": pa.array([one.bytes for one in segments], pa.int64()),
            "bible_version": pa.array([one.made_with for one in segments], pa.int32()),
            "status": [closed_as if at <= now else "active" for at, closed_as in closings],
            "created_at": _times([one.created for one in segments], now),
        }
    )


def _bibles(world: World, bibles: list[BibleVersion]) -> pa.Table:
    return pa.table(
        {
            "id": _ids([one.id for one in bibles]),
            "scene_id": _ids([world.scenes.ids[one.scene] for one in bibles]),
            "version": pa.array([one.version for one in bibles], pa.int32()),
            "data": pa.array([_binary(one.data) for one in bibles], pa.binary()),
            "created_at": _times([one.created for one in bibles], NEVER),
            "created_by_segment_id": _ids([one.segment for one in bibles]),
        }
    )


def _summaries(world: World, summaries: list[Summary]) -> pa.Table:
    times = [one.created for one in summaries]
    return pa.table(
        {
            "id": _ids([one.id for one in summaries]),
            "scene_id": _ids([world.scenes.ids[one.scene] for one in summaries]),
            "summary": pa.array([one.text for one in summaries], pa.string()),
            "segments_covered": pa.array([one.covered for one in summaries], pa.list_(pa.int32())),
            "created_at": _times(times, NEVER),
            "updated_at": _times(times, NEVER),
        }
    )


def _flags(flags: list[Flag], now: int) -> pa.Table:
    over = [flag.reviewed <= now for flag in flags]
    taken_up = [flag.taken_up <= now or done for flag, done in zip(flags, over, strict=True)]
    return pa.table(
        {
            "id": _ids([flag.id for flag in flags]),
            "target_type": pa.array([flag.target_type for flag in flags], pa.string()),
            "target_id": _ids([flag.target for flag in flags]),
            "reporter_id": _ids([flag.reporter for flag in flags]),
            "reason": pa.array([flag.reason for flag in flags], pa.string()),
            "description": pa.array([flag.description for flag in flags], pa.string()),
            "status": pa.array([flag_status(flag, now) for flag in flags], pa.string()),
            "reviewed_by": _ids([flag.reviewer if seen else None for flag, seen in zip(flags, taken_up, strict=True)]),
            "reviewed_at": _times([flag.reviewed for flag in flags], now),
            "action_taken": pa.array(
                [flag.action if done else None for flag, done in zip(flags, over, strict=True)], pa.string()
            ),
            "created_at": _times([flag.created for flag in flags], now),
        }
    )


def _ids(ids: Sequence[UUID | None]) -> pa.Array:
    missing = UUID(int=0)
    return uuids(packed([one or missing for one in ids]), np.array([one is not None for one in ids], dtype=np.bool_))


def _times(microseconds: Ints | Iterable[int], now: int) -> pa.Array:
    """Times as Arrow has them; null for what comes after `now` or never."""
    times = np.asarray(microseconds, dtype=np.int64)
    return pa.array(times, mask=(times > now) | (times == NEVER)).cast(_TIME)


def _json(values: Iterable[dict[str, Any] | None]) -> pa.Array:
    return pa.array([None if value is None else _binary(json.dumps(value)) for value in values], pa.binary())


def _binary(text: str) -> bytes:
    # PostgreSQL's binary form of jsonb is a version byte before the text.
    return b"\x01" + text.encode()


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
