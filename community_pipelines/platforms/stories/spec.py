"""What the platform of story videos declares. Names, columns and promises come from seed 002.

People's ideas become scenes, scenes grow by segments that AI jobs make, and a scene's bible keeps them consistent.
"""

from __future__ import annotations

from community_pipelines.platforms.spec import (
    Counter,
    CounterTable,
    Dimension,
    PartitionedTable,
    Platform,
    RowRule,
    Stream,
)
from community_pipelines.platforms.stories import rules
from community_pipelines.platforms.stories.tables import (
    FINAL_JOB_STATES,
    FLAG_STATES,
    IDEAS,
    JOB_STAGES,
    JOB_STATES,
    JOBS,
    LIKES,
    MODERATION_FLAGS,
    SCENE_BIBLES,
    SCENE_SUMMARIES,
    SCENE_VIEWS,
    SCENES,
    SEGMENT_STATES,
    SEGMENTS,
    TOPICS,
    USER_TOPICS,
    USERS,
)

_MISSING_ID = RowRule("missing_id", "id is null", "the row has no id")


def _missing(column: str, what: str) -> RowRule:
    return RowRule(f"missing_{what}", f"{column} is null", f"the row names no {what}")


# A failed or cancelled job keeps the stage that it had come to, or says error.
_STAGE_FITS_STATUS = """
    case status
        when 'queued' then stage = 'pending'
        when 'final_ready' then stage = 'completed'
        when 'failed' then stage <> 'completed'
        when 'cancelled' then stage not in ('completed', 'error')
        else stage not in ('pending', 'completed', 'error')
    end
"""

STREAM_SCENE_VIEWS = Stream(
    table=SCENE_VIEWS,
    description="One UTC day of views of scenes.",
    id="id",
    time="created_at",
    entity="scene_id",
    quarantine=(_MISSING_ID, _missing("scene_id", "scene")),
    measures=(
        ("views_of_nobody", "count(*) filter (where events.user_id is null and ip_hash is null)"),
        ("views_of_no_scene", "count(*) - count(dim_scenes.id)"),
    ),
    joins="left join dim_scenes on dim_scenes.id = events.scene_id",
)
STREAM_LIKES = Stream(
    table=LIKES,
    description="One UTC day of likes, as far as they were not taken back.",
    id="id",
    time="created_at",
    entity="target_id",
    quarantine=(
        _MISSING_ID,
        _missing("target_id", "target"),
        RowRule(
            "unknown_target_type",
            "target_type is null or target_type not in ('idea', 'scene')",
            "the target is neither an idea nor a scene",
            names="target_type",
        ),
    ),
    measures=(
        (
            "likes_of_nothing",
            "count(*) filter (where coalesce(dim_scenes.id, dim_ideas.id) is null)",
        ),
    ),
    joins="""
        left join dim_scenes on events.target_type = 'scene' and dim_scenes.id = events.target_id
        left join dim_ideas on events.target_type = 'idea' and dim_ideas.id = events.target_id
    """,
    states=("target_type",),
    shrink_limit=1.0,
)
STREAM_SEGMENTS = Stream(
    table=SEGMENTS,
    description="One UTC day of segments that were added to scenes.",
    id="id",
    time="created_at",
    entity="scene_id",
    quarantine=(_MISSING_ID, _missing("scene_id", "scene")),
    measures=(
        ("unknown_states", f"count(*) filter (where status not in {SEGMENT_STATES})"),
        ("durations_of_nothing", "count(*) filter (where duration <= 0)"),
    ),
    states=("status",),
    settles_days=2,
    consistency=(rules.SEGMENT_SEQUENCE, rules.SEGMENT_BIBLE, rules.SUMMARIES),
)
STREAM_JOBS = Stream(
    table=JOBS,
    description="One UTC day of jobs, by the day on which they were queued.",
    id="id",
    time="created_at",
    entity="scene_id",
    quarantine=(_MISSING_ID, _missing("scene_id", "scene")),
    measures=(
        ("unknown_states", f"count(*) filter (where status not in {JOB_STATES} or stage not in {JOB_STAGES})"),
        ("stages_of_another_status", f"count(*) filter (where not ({_STAGE_FITS_STATUS}))"),
        ("progress_outside", "count(*) filter (where progress not between 0 and 100)"),
        (
            "ends_that_do_not_fit",
            f"count(*) filter (where (completed_at is not null) <> (status in {FINAL_JOB_STATES}))",
        ),
        ("ends_before_starts", "count(*) filter (where completed_at < started_at or started_at < created_at)"),
        ("too_many_retries", "count(*) filter (where retry_count not between 0 and max_retries)"),
    ),
    states=("status", "stage", "retry_count"),
    settles_days=3,
    left_out=("result_data",),
    consistency=(rules.JOB_RESULTS, rules.STUCK_JOBS),
)
STREAM_IDEAS = Stream(
    table=IDEAS,
    description="One UTC day of ideas.",
    id="id",
    time="created_at",
    entity="id",
    quarantine=(_MISSING_ID, _missing("topic_id", "topic")),
    measures=(("unknown_topics", "count(*) - count(dim_topics.id)"),),
    joins="left join dim_topics on dim_topics.id = events.topic_id",
    states=("status", "moderation_status", "topic_id"),
    left_out=("scene_count", "like_count", "view_count"),
)
STREAM_SCENES = Stream(
    table=SCENES,
    description="One UTC day of scenes that were started.",
    id="id",
    time="created_at",
    entity="id",
    quarantine=(_MISSING_ID, _missing("idea_id", "idea"), _missing("topic_id", "topic")),
    measures=(
        ("unknown_ideas", "count(*) - count(dim_ideas.id)"),
        ("topics_of_another_idea", "count(*) filter (where dim_ideas.topic_id <> events.topic_id)"),
    ),
    joins="left join dim_ideas on dim_ideas.id = events.idea_id",
    states=("status", "idea_id", "topic_id"),
    left_out=(
        "segment_count",
        "total_duration",
        "contributor_count",
        "view_count",
        "like_count",
        "bible_version",
        "last_segment_at",
    ),
)
STREAM_USER_TOPICS = Stream(
    table=USER_TOPICS,
    description="One UTC day of topics that people proposed.",
    id="id",
    time="created_at",
    entity="id",
    quarantine=(_MISSING_ID,),
    measures=(
        (
            "promotions_without_approval",
            "count(*) filter (where promoted_to_topic_id is not null and status <> 'approved')",
        ),
    ),
    states=("status", "promoted_to_topic_id"),
)
STREAM_USER_TOPIC_REVIEWS = Stream(
    table=USER_TOPICS,
    description="One UTC day of decisions about proposed topics, by the time of the review.",
    id="id",
    time="reviewed_at",
    entity="id",
    quarantine=(_MISSING_ID,),
    measures=(("reviews_without_decision", "count(*) filter (where status = 'pending')"),),
    states=("status", "promoted_to_topic_id"),
    named="user_topic_reviews",
    timeless="not reviewed yet",
)
STREAM_SCENE_BIBLES = Stream(
    table=SCENE_BIBLES,
    description="One UTC day of new versions of scene bibles.",
    id="id",
    time="created_at",
    entity="scene_id",
    quarantine=(_MISSING_ID, _missing("scene_id", "scene")),
    measures=(("bibles_of_no_scene", "count(*) - count(dim_scenes.id)"),),
    joins="left join dim_scenes on dim_scenes.id = events.scene_id",
    states=("version",),
    consistency=(rules.BIBLE_VERSIONS, rules.NEWEST_BIBLE),
)
STREAM_MODERATION_FLAGS = Stream(
    table=MODERATION_FLAGS,
    description="One UTC day of moderation flags, by the time at which they were opened.",
    id="id",
    time="created_at",
    entity="target_id",
    quarantine=(_MISSING_ID, _missing("target_id", "target")),
    measures=(("unknown_states", f"count(*) filter (where status not in {FLAG_STATES})"),),
    states=("status",),
)
STREAM_MODERATION_REVIEWS = Stream(
    table=MODERATION_FLAGS,
    description="One UTC day of decisions about moderation flags, by the time of the review.",
    id="id",
    time="reviewed_at",
    entity="target_id",
    quarantine=(_MISSING_ID, _missing("target_id", "target")),
    measures=(
        ("reviews_without_decision", "count(*) filter (where status = 'pending')"),
        ("reviews_before_flags", "count(*) filter (where reviewed_at < created_at)"),
    ),
    states=("status", "action_taken"),
    named="moderation_reviews",
    timeless="not reviewed yet",
)
STREAM_USERS = Stream(
    table=USERS,
    description="One UTC day of people who signed up.",
    id="id",
    time="created_at",
    entity="id",
    quarantine=(_MISSING_ID,),
    measures=(("unknown_roles", "count(*) filter (where role not in ('user', 'moderator', 'admin'))"),),
)

TOPIC_COUNTERS = CounterTable(
    table=TOPICS,
    key="id",
    counters=(Counter("scene_count", "scenes_total", "active scenes of the topic"),),
    truth="""
        select {scenes.topic_id} as key, count(*) as scene_count
        from {scenes}
        where {scenes.status} = 'active'
            and {scenes.created_at} >= {since} and {scenes.created_at} < {until}
        group by {scenes.topic_id}
    """,
    history_model="topic_counters_daily",
    events=STREAM_SCENES,
    log=None,
)
IDEA_COUNTERS = CounterTable(
    table=IDEAS,
    key="id",
    counters=(
        Counter("scene_count", "scenes_total", "active scenes made of the idea"),
        Counter("like_count", "likes_total", "likes of the idea that were not taken back"),
        Counter("view_count", "views_total", "all views of all its scenes, whatever became of them"),
    ),
    truth="""
        with scenes as (
            select {scenes.idea_id} as key, count(*) as scene_count
            from {scenes}
            where {scenes.status} = 'active'
                and {scenes.created_at} >= {since} and {scenes.created_at} < {until}
            group by {scenes.idea_id}
        ),
        likes as (
            select {likes.target_id} as key, count(*) as like_count
            from {likes}
            where {likes.target_type} = 'idea'
                and {likes.created_at} >= {since} and {likes.created_at} < {until}
            group by {likes.target_id}
        ),
        views_of_scenes as (
            select {scene_views.scene_id} as scene_id, count(*) as views
            from {scene_views}
            where {scene_views.created_at} >= {since} and {scene_views.created_at} < {until}
            group by {scene_views.scene_id}
        ),
        views as (
            select scene.{scenes.idea_id} as key, sum(views_of_scenes.views)::bigint as view_count
            from {scenes} as scene
            join views_of_scenes on views_of_scenes.scene_id = scene.{scenes.id}
            group by scene.{scenes.idea_id}
        )
        select key,
            coalesce(scene_count, 0) as scene_count,
            coalesce(like_count, 0) as like_count,
            coalesce(view_count, 0) as view_count
        from scenes full join likes using (key) full join views using (key)
    """,
    history_model="idea_counters_daily",
    events=STREAM_SCENE_VIEWS,
    log="views_change <> 0",
)
SCENE_COUNTERS = CounterTable(
    table=SCENES,
    key="id",
    counters=(
        Counter("segment_count", "segments_total", "active segments"),
        Counter("total_duration", "duration_total", "seconds of its active segments"),
        Counter("contributor_count", "contributors_total", "people with an active segment in it"),
        Counter("view_count", "views_total", "all views"),
        Counter("like_count", "likes_total", "likes that were not taken back"),
        Counter("last_segment_at", None, "time of the latest active segment", kind="latest"),
    ),
    truth="""
        with segments as (
            select {segments.scene_id} as key,
                count(*) as segment_count,
                sum({segments.duration})::bigint as total_duration,
                count(distinct {segments.user_id}) as contributor_count,
                max({segments.created_at}) as last_segment_at
            from {segments}
            where {segments.status} = 'active'
                and {segments.created_at} >= {since} and {segments.created_at} < {until}
            group by {segments.scene_id}
        ),
        views as (
            select {scene_views.scene_id} as key, count(*) as view_count
            from {scene_views}
            where {scene_views.created_at} >= {since} and {scene_views.created_at} < {until}
            group by {scene_views.scene_id}
        ),
        likes as (
            select {likes.target_id} as key, count(*) as like_count
            from {likes}
            where {likes.target_type} = 'scene'
                and {likes.created_at} >= {since} and {likes.created_at} < {until}
            group by {likes.target_id}
        )
        select key,
            coalesce(segment_count, 0) as segment_count,
            coalesce(total_duration, 0) as total_duration,
            coalesce(contributor_count, 0) as contributor_count,
            coalesce(view_count, 0) as view_count,
            coalesce(like_count, 0) as like_count,
            last_segment_at
        from segments full join views using (key) full join likes using (key)
    """,
    history_model="scene_counters_daily",
    events=STREAM_SCENE_VIEWS,
    log="views_change <> 0",
)

STORIES = Platform(
    name="stories",
    title="Collaborative story videos",
    description="Topics, ideas, scenes and their segments, the AI's jobs, bibles and moderation.",
    tables=(
        USERS, TOPICS, USER_TOPICS, IDEAS, SCENES, SEGMENTS, JOBS, SCENE_BIBLES, SCENE_SUMMARIES, MODERATION_FLAGS,
        SCENE_VIEWS, LIKES,
    ),
    streams=(
        STREAM_SCENE_VIEWS, STREAM_LIKES, STREAM_SEGMENTS, STREAM_JOBS, STREAM_IDEAS, STREAM_SCENES, STREAM_USER_TOPICS,
        STREAM_USER_TOPIC_REVIEWS, STREAM_SCENE_BIBLES, STREAM_MODERATION_FLAGS, STREAM_MODERATION_REVIEWS,
        STREAM_USERS,
    ),
    dimensions=(
        Dimension(TOPICS, ("id", "slug", "name", "is_active"), "dim_topics"),
        Dimension(IDEAS, ("id", "topic_id", "user_id", "status"), "dim_ideas"),
        Dimension(SCENES, ("id", "idea_id", "topic_id", "user_id", "status"), "dim_scenes"),
    ),
    counter_tables=(TOPIC_COUNTERS, IDEA_COUNTERS, SCENE_COUNTERS),
    watched="scene_views",
    partitioned=(
        PartitionedTable(JOBS, "created_at", archive_after_months=6),
        PartitionedTable(SEGMENTS, "created_at", archive_after_months=None),
    ),
)  # fmt: skip
PLATFORM = STORIES
