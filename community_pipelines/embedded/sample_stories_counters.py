"""The cached counters of the sample of stories, as a careless app keeps them.

The app counts well but for about 8% of its topics, ideas and scenes: there it lost updates, or counted a retried
request twice, or never heard of a like that was taken back. So the first reconcile has true work to do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import adbc_driver_postgresql.dbapi as adbc

# Ids are random, so the first ones of their order are any. `place` says how the app went wrong there.
_DRIFTED = """
create temporary table sample_drifted on commit drop as
with ranked as (
    select id, row_number() over (order by id) as place, count(*) over () as total
    from public.{table}
)
select id, place % 3 as place from ranked where place <= ceil(total * 0.08)
"""

_TOPIC_TRUTH = """
create temporary table sample_truth on commit drop as
select topic.id, count(scene.id) as scene_count
from public.topics as topic
left join public.scenes as scene on scene.topic_id = topic.id and scene.status = 'active'
group by topic.id
"""
_IDEA_TRUTH = """
create temporary table sample_truth on commit drop as
with scenes as (
    select idea_id as id, count(*) filter (where status = 'active') as scene_count, sum(views.views) as view_count
    from public.scenes as scene
    left join (select scene_id, count(*) as views from public.scene_views group by scene_id) as views
        on views.scene_id = scene.id
    group by idea_id
),
likes as (
    select target_id as id, count(*) as like_count from public.likes where target_type = 'idea' group by target_id
)
select
    idea.id,
    coalesce(scenes.scene_count, 0) as scene_count,
    coalesce(likes.like_count, 0) as like_count,
    coalesce(scenes.view_count, 0)::bigint as view_count
from public.ideas as idea
left join scenes on scenes.id = idea.id
left join likes on likes.id = idea.id
"""
_SCENE_TRUTH = """
create temporary table sample_truth on commit drop as
with segments as (
    select
        scene_id as id,
        count(*) as segment_count,
        sum(duration) as total_duration,
        count(distinct user_id) as contributor_count,
        max(created_at) as last_segment_at
    from public.segments
    where status = 'active'
    group by scene_id
),
views as (
    select scene_id as id, count(*) as view_count from public.scene_views group by scene_id
),
likes as (
    select target_id as id, count(*) as like_count from public.likes where target_type = 'scene' group by target_id
)
select
    scene.id,
    coalesce(segments.segment_count, 0) as segment_count,
    coalesce(segments.total_duration, 0) as total_duration,
    coalesce(segments.contributor_count, 0) as contributor_count,
    coalesce(views.view_count, 0) as view_count,
    coalesce(likes.like_count, 0) as like_count,
    segments.last_segment_at
from public.scenes as scene
left join segments on segments.id = scene.id
left join views on views.id = scene.id
left join likes on likes.id = scene.id
"""

_COUNT_TOPICS = """
update public.topics as topic
set scene_count = greatest(truth.scene_count + case drifted.place when 2 then 2 when 1 then -3 else 0 end, 0)
from sample_truth as truth
left join sample_drifted as drifted on drifted.id = truth.id
where topic.id = truth.id
"""
_COUNT_IDEAS = """
update public.ideas as idea
set scene_count = greatest(truth.scene_count + case drifted.place when 2 then 1 when 1 then -1 else 0 end, 0),
    like_count = greatest(
        truth.like_count + case drifted.place
            when 2 then 1
            when 1 then -1
            when 0 then coalesce(forgotten.likes, 0)
            else 0
        end,
        0
    ),
    view_count = greatest(
        truth.view_count + case
            when drifted.place = 2 then 2 + truth.view_count / 50
            when drifted.place is not null then -1 - truth.view_count / 30
            else 0
        end,
        0
    )
from sample_truth as truth
left join sample_drifted as drifted on drifted.id = truth.id
left join sample_forgotten as forgotten on forgotten.target_id = truth.id
where idea.id = truth.id
"""
_COUNT_SCENES = """
update public.scenes as scene
set segment_count = greatest(truth.segment_count + case drifted.place when 2 then 1 when 1 then -1 else 0 end, 0),
    total_duration = greatest(truth.total_duration + case drifted.place when 2 then 8 when 1 then -8 else 0 end, 0),
    contributor_count = greatest(truth.contributor_count - case drifted.place when 1 then 1 else 0 end, 0),
    view_count = greatest(
        truth.view_count + case
            when drifted.place = 2 then 1 + truth.view_count / 50
            when drifted.place is not null then -1 - truth.view_count / 30
            else 0
        end,
        0
    ),
    like_count = greatest(
        truth.like_count + case drifted.place
            when 2 then 1
            when 1 then -1
            when 0 then coalesce(forgotten.likes, 0)
            else 0
        end,
        0
    ),
    last_segment_at = case
        when drifted.place = 1 then greatest(truth.last_segment_at - interval '3 hours', scene.created_at)
        when drifted.place = 2 then least(truth.last_segment_at + interval '7 minutes', '{now}')
        else truth.last_segment_at
    end
from sample_truth as truth
left join sample_drifted as drifted on drifted.id = truth.id
left join sample_forgotten as forgotten on forgotten.target_id = truth.id
where scene.id = truth.id
"""
# table → its truth, what the app made of it, and its counters
COUNTERS = {
    "topics": (_TOPIC_TRUTH, _COUNT_TOPICS, ("scene_count",)),
    "ideas": (_IDEA_TRUTH, _COUNT_IDEAS, ("scene_count", "like_count", "view_count")),
    "scenes": (
        _SCENE_TRUTH,
        _COUNT_SCENES,
        ("segment_count", "total_duration", "contributor_count", "view_count", "like_count", "last_segment_at"),
    ),
}


def count_carelessly(cursor: adbc.Cursor, table: str, now: int) -> int:
    """Sets the counters of one of COUNTERS' tables, and gives how many of them are off; no time is after `now`.

    Needs the temporary table `sample_forgotten` with the likes that were taken back of each target.
    """
    truth, count, counters = COUNTERS[table]
    cursor.execute(truth)
    cursor.execute(_DRIFTED.format(table=table))
    cursor.execute(count.format(now=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)))
    differ = " + ".join(
        f"count(*) filter (where cached.{counter} is distinct from truth.{counter})" for counter in counters
    )
    cursor.execute(f"select {differ} from public.{table} as cached join sample_truth as truth using (id)")
    (off,) = cursor.fetchone()
    cursor.execute("drop table sample_truth, sample_drifted")
    cursor.execute(f"analyze public.{table}")
    return int(off)
