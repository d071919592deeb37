"""The flow of story videos, in the order the data flows."""

from __future__ import annotations

from community_pipelines.flow.counters import Counters
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.raw import Raw
from community_pipelines.platforms.stories import checks
from community_pipelines.platforms.stories.examinations import BIBLE_FAULTS, JOBS_WITHOUT_MONTH, SEGMENTS_WITHOUT_MONTH
from community_pipelines.platforms.stories.spec import (
    IDEA_COUNTERS,
    SCENE_COUNTERS,
    STORIES,
    STREAM_IDEAS,
    STREAM_JOBS,
    STREAM_LIKES,
    STREAM_MODERATION_FLAGS,
    STREAM_MODERATION_REVIEWS,
    STREAM_SCENE_BIBLES,
    STREAM_SCENE_VIEWS,
    STREAM_SCENES,
    STREAM_SEGMENTS,
    STREAM_USER_TOPIC_REVIEWS,
    STREAM_USER_TOPICS,
    STREAM_USERS,
    TOPIC_COUNTERS,
)
from community_pipelines.platforms.stories.tables import (
    IDEAS,
    JOBS,
    LIKES,
    MODERATION_FLAGS,
    SCENE_BIBLES,
    SCENE_SUMMARIES,
    SCENE_VIEWS,
    SCENES,
    SEGMENTS,
    TOPICS,
    USER_TOPICS,
    USERS,
)

# stories/source/users, stories/source/topics, … are the app's tables.
SOURCES = (
    USERS, TOPICS, USER_TOPICS, IDEAS, SCENES, SEGMENTS, JOBS, SCENE_BIBLES, SCENE_SUMMARIES, MODERATION_FLAGS,
    SCENE_VIEWS, LIKES,
)  # fmt: skip

STEPS = (
    # stories/raw/users
    Raw(STORIES, STREAM_USERS, checks.RAW_USERS),
    # stories/raw/user_topics
    Raw(STORIES, STREAM_USER_TOPICS, checks.RAW_USER_TOPICS),
    # stories/raw/user_topic_reviews
    Raw(STORIES, STREAM_USER_TOPIC_REVIEWS, checks.RAW_USER_TOPIC_REVIEWS),
    # stories/raw/ideas
    Raw(STORIES, STREAM_IDEAS, checks.RAW_IDEAS),
    # stories/raw/scenes
    Raw(STORIES, STREAM_SCENES, checks.RAW_SCENES),
    # stories/raw/jobs
    Raw(STORIES, STREAM_JOBS, checks.RAW_JOBS, [JOBS_WITHOUT_MONTH]),
    # stories/raw/segments
    Raw(STORIES, STREAM_SEGMENTS, checks.RAW_SEGMENTS, [SEGMENTS_WITHOUT_MONTH]),
    # stories/raw/scene_bibles
    Raw(STORIES, STREAM_SCENE_BIBLES, checks.RAW_SCENE_BIBLES, [BIBLE_FAULTS]),
    # stories/raw/scene_views
    Raw(STORIES, STREAM_SCENE_VIEWS, checks.RAW_SCENE_VIEWS),
    # stories/raw/likes
    Raw(STORIES, STREAM_LIKES, checks.RAW_LIKES),
    # stories/raw/moderation_flags
    Raw(STORIES, STREAM_MODERATION_FLAGS, checks.RAW_MODERATION_FLAGS),
    # stories/raw/moderation_reviews
    Raw(STORIES, STREAM_MODERATION_REVIEWS, checks.RAW_MODERATION_REVIEWS),
    # stories/metrics/scene_activity_daily
    SqlModel(STORIES, "metrics", "scene_activity_daily", checks.METRICS_SCENE_ACTIVITY_DAILY),
    # stories/metrics/topic_activity_daily
    SqlModel(STORIES, "metrics", "topic_activity_daily", checks.METRICS_TOPIC_ACTIVITY_DAILY),
    # stories/metrics/idea_activity_daily
    SqlModel(STORIES, "metrics", "idea_activity_daily", checks.METRICS_IDEA_ACTIVITY_DAILY),
    # stories/metrics/contributor_daily
    SqlModel(STORIES, "metrics", "contributor_daily", checks.METRICS_CONTRIBUTOR_DAILY),
    # stories/metrics/contributors_daily
    SqlModel(STORIES, "metrics", "contributors_daily", checks.METRICS_CONTRIBUTORS_DAILY),
    # stories/metrics/job_health_daily
    SqlModel(STORIES, "metrics", "job_health_daily", checks.METRICS_JOB_HEALTH_DAILY),
    # stories/metrics/job_failures_daily
    SqlModel(STORIES, "metrics", "job_failures_daily", checks.METRICS_JOB_FAILURES_DAILY),
    # stories/metrics/moderation_daily
    SqlModel(STORIES, "metrics", "moderation_daily", checks.METRICS_MODERATION_DAILY),
    # stories/metrics/moderation_actions_daily
    SqlModel(STORIES, "metrics", "moderation_actions_daily", checks.METRICS_MODERATION_ACTIONS_DAILY),
    # stories/metrics/submissions_daily
    SqlModel(STORIES, "metrics", "submissions_daily", checks.METRICS_SUBMISSIONS_DAILY),
    # stories/counters/scene_counters_daily
    SqlModel(STORIES, "counters", "scene_counters_daily", checks.COUNTERS_SCENE_COUNTERS_DAILY),
    # stories/counters/idea_counters_daily
    SqlModel(STORIES, "counters", "idea_counters_daily", checks.COUNTERS_IDEA_COUNTERS_DAILY),
    # stories/counters/topic_counters_daily
    SqlModel(STORIES, "counters", "topic_counters_daily", checks.COUNTERS_TOPIC_COUNTERS_DAILY),
    # stories/counters/scenes
    Counters(STORIES, SCENE_COUNTERS),
    # stories/counters/ideas
    Counters(STORIES, IDEA_COUNTERS),
    # stories/counters/topics
    Counters(STORIES, TOPIC_COUNTERS),
)
