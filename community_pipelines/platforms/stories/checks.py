"""What the days of the story videos must be like. Errors withhold a day, warnings report.

An error makes a number wrong: a state that no count knows, an end before its start. What is only odd is a warning.
"""

from __future__ import annotations

from community_pipelines.quality.judge import Bound, none_of

RAW_SCENE_VIEWS = (
    none_of("views_of_nobody", "warning", "views without a user and without a hashed address"),
    none_of("views_of_no_scene", "warning", "views of a scene that is not there"),
)
RAW_LIKES = (none_of("likes_of_nothing", "warning", "likes of an idea or scene that is not there"),)
RAW_SEGMENTS = (
    none_of("unknown_states", "error", "segments in a state that is not known"),
    none_of("durations_of_nothing", "warning", "segments that last no second"),
)
RAW_JOBS = (
    none_of("unknown_states", "error", "jobs in a status or stage that is not known"),
    none_of("stages_of_another_status", "warning", "jobs whose stage does not fit their status"),
    none_of("progress_outside", "warning", "jobs whose progress is not from 0 to 100"),
    none_of("ends_that_do_not_fit", "error", "jobs with an end that are not over, or over without an end"),
    none_of("ends_before_starts", "error", "jobs that end before they start, or start before they were queued"),
    none_of("too_many_retries", "warning", "jobs tried again more often than allowed"),
)
RAW_IDEAS = (none_of("unknown_topics", "warning", "ideas of a topic that is not there"),)
RAW_SCENES = (
    none_of("unknown_ideas", "warning", "scenes of an idea that is not there"),
    none_of("topics_of_another_idea", "warning", "scenes whose topic is not their idea's"),
)
RAW_USER_TOPICS = (none_of("promotions_without_approval", "warning", "promoted proposals that were not approved"),)
RAW_USER_TOPIC_REVIEWS = (none_of("reviews_without_decision", "warning", "reviewed proposals that are still pending"),)
RAW_SCENE_BIBLES = (none_of("bibles_of_no_scene", "warning", "bibles of a scene that is not there"),)
RAW_MODERATION_FLAGS = (none_of("unknown_states", "error", "flags in a state that is not known"),)
RAW_MODERATION_REVIEWS = (
    none_of("reviews_without_decision", "warning", "reviewed flags that are still pending"),
    none_of("reviews_before_flags", "warning", "flags that were reviewed before they were opened"),
)
RAW_USERS = (none_of("unknown_roles", "warning", "people with a role that is not known"),)

METRICS_SCENE_ACTIVITY_DAILY = (Bound("negative_seconds", "error", "seconds below zero", 0, 0),)
METRICS_TOPIC_ACTIVITY_DAILY = (Bound("negative_segments", "error", "segments below zero", 0, 0),)
METRICS_IDEA_ACTIVITY_DAILY = (Bound("negative_scenes", "error", "scenes below zero", 0, 0),)
METRICS_CONTRIBUTOR_DAILY = (Bound("negative_seconds", "error", "seconds below zero", 0, 0),)
METRICS_CONTRIBUTORS_DAILY = (Bound("negative_returning_contributors", "error", "contributors below zero", 0, 0),)
METRICS_JOB_HEALTH_DAILY = (
    Bound("negative_still_open", "error", "jobs below zero", 0, 0),
    Bound("negative_total_p50_seconds", "error", "durations below zero", 0, 0),
)
METRICS_JOB_FAILURES_DAILY = (Bound("negative_failures", "error", "failures below zero", 0, 0),)
METRICS_MODERATION_DAILY = (
    Bound("negative_pending_at_end", "error", "flags pending below zero: more decided than opened", 0, 0),
)
METRICS_MODERATION_ACTIONS_DAILY = (Bound("negative_resolved", "error", "flags below zero", 0, 0),)
METRICS_SUBMISSIONS_DAILY = (Bound("negative_submitted", "error", "submissions below zero", 0, 0),)

COUNTERS_SCENE_COUNTERS_DAILY = (
    Bound("negative_segments_total", "error", "totals of segments below zero", 0, 0),
    Bound("negative_duration_total", "error", "totals of seconds below zero", 0, 0),
    Bound("negative_views_total", "error", "totals of views below zero", 0, 0),
    Bound("negative_likes_total", "error", "totals of likes below zero", 0, 0),
)
COUNTERS_IDEA_COUNTERS_DAILY = (
    Bound("negative_scenes_total", "error", "totals of scenes below zero", 0, 0),
    Bound("negative_views_total", "error", "totals of views below zero", 0, 0),
    Bound("negative_likes_total", "error", "totals of likes below zero", 0, 0),
)
COUNTERS_TOPIC_COUNTERS_DAILY = (Bound("negative_scenes_total", "error", "totals of scenes below zero", 0, 0),)
