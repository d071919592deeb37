"""The tables of story videos, as far as they are read or written here. Names and columns come from seed 002."""

from __future__ import annotations

from community_pipelines.platforms.spec import Column, Table

SCENE_STATES = ("active", "hidden", "removed", "locked")
SEGMENT_STATES = ("active", "hidden", "removed")
JOB_STATES = (
    "queued", "processing", "script_ready", "continuity_checked", "preview_ready", "final_ready", "failed", "cancelled",
)  # fmt: skip
JOB_STAGES = (
    "pending", "script_expansion", "continuity_validation", "video_generation", "upload", "finalization", "completed",
    "error",
)  # fmt: skip
FINAL_JOB_STATES = ("final_ready", "failed", "cancelled")
OPEN_JOB_STATES = tuple(state for state in JOB_STATES if state not in FINAL_JOB_STATES)
FLAG_STATES = ("pending", "reviewing", "resolved", "dismissed")

USERS = Table(
    "users",
    "public.users",
    "People with an account.",
    (
        Column("id", "uuid", "User id."),
        Column("role", "text", "user, moderator or admin."),
        Column("is_active", "boolean", "Whether the account may be used."),
        Column("created_at", "timestamptz", "When the person signed up; decides its UTC day."),
    ),
    never_read=(
        "email", "password_hash", "username", "display_name", "avatar_url", "bio", "email_verified", "last_login_at",
    ),
)  # fmt: skip
TOPICS = Table(
    "topics",
    "public.topics",
    "Topics that ideas and scenes belong to.",
    (
        Column("id", "uuid", "Topic id."),
        Column("slug", "text", "Unique readable name in links."),
        Column("name", "text", "Name."),
        Column("is_active", "boolean", "Whether it is shown."),
        Column("scene_count", "integer", "Cached number of active scenes."),
    ),
)
USER_TOPICS = Table(
    "user_topics",
    "public.user_topics",
    "Topics that people propose; some are promoted to topics.",
    (
        Column("id", "uuid", "Proposal id."),
        Column("user_id", "uuid", "Who proposed it."),
        Column("status", "text", "pending, approved or rejected."),
        Column("promoted_to_topic_id", "uuid", "The topic that it became."),
        Column("created_at", "timestamptz", "When it was proposed."),
        Column("reviewed_at", "timestamptz", "When it was reviewed."),
    ),
    never_read=("name", "description", "rejection_reason"),
)
IDEAS = Table(
    "ideas",
    "public.ideas",
    "Prompts that people share; scenes are made of them.",
    (
        Column("id", "uuid", "Idea id."),
        Column("user_id", "uuid", "Who had it."),
        Column("topic_id", "uuid", "Its topic."),
        Column("status", "text", "active, hidden or removed."),
        Column("moderation_status", "text", "pending, approved or rejected."),
        Column("scene_count", "integer", "Cached number of active scenes."),
        Column("like_count", "integer", "Cached number of likes."),
        Column("view_count", "integer", "Cached number of views of its scenes."),
        Column("created_at", "timestamptz", "When it was shared; decides its UTC day."),
    ),
    never_read=("title", "prompt", "tags"),
)
SCENES = Table(
    "scenes",
    "public.scenes",
    "Story threads: one idea, told in segments.",
    (
        Column("id", "uuid", "Scene id."),
        Column("idea_id", "uuid", "Its idea."),
        Column("user_id", "uuid", "Who started it."),
        Column("topic_id", "uuid", "Its topic, which is its idea's."),
        Column("status", "text", f"One of {', '.join(SCENE_STATES)}."),
        Column("segment_count", "integer", "Cached number of active segments."),
        Column("total_duration", "integer", "Cached seconds of its active segments."),
        Column("contributor_count", "integer", "Cached number of people with an active segment."),
        Column("view_count", "integer", "Cached number of views."),
        Column("like_count", "integer", "Cached number of likes."),
        Column("bible_version", "integer", "Version of its newest bible."),
        Column("last_segment_at", "timestamptz", "Cached time of its last active segment."),
        Column("created_at", "timestamptz", "When it was started; decides its UTC day."),
    ),
    never_read=("title", "description", "thumbnail_url"),
)
SEGMENTS = Table(
    "segments",
    "public.segments",
    "The parts of a scene: a person's text, expanded and filmed by a job. Partitioned by month.",
    (
        Column("id", "uuid", "Segment id."),
        Column("scene_id", "uuid", "Its scene."),
        Column("user_id", "uuid", "Who contributed it."),
        Column("job_id", "uuid", "The job that made it."),
        Column("sequence", "integer", "Its place within the scene, from 1."),
        Column("duration", "integer", "Seconds of video."),
        Column("bible_version", "integer", "The bible's version when it was made."),
        Column("status", "text", f"One of {', '.join(SEGMENT_STATES)}."),
        Column("created_at", "timestamptz", "When it was added; decides its UTC day."),
    ),
    never_read=("input_text", "expanded_script", "video_url", "hls_playlist_url", "thumbnail_url"),
)
JOBS = Table(
    "jobs",
    "public.jobs",
    "The AI's work on a continuation, from the queue to the video. Partitioned by month.",
    (
        Column("id", "uuid", "Job id."),
        Column("scene_id", "uuid", "The scene that it works on."),
        Column("user_id", "uuid", "Who asked for it."),
        Column("type", "text", "What it makes, such as continuation."),
        Column("status", "text", f"One of {', '.join(JOB_STATES)}."),
        Column("stage", "text", f"One of {', '.join(JOB_STAGES)}."),
        Column("progress", "integer", "Percent, 0 to 100."),
        Column("result_data", "jsonb", "What came out of it, such as the segment's URLs; null until it is finished."),
        Column("error_code", "text", "Why it failed."),
        Column("retry_count", "integer", "How often it was tried again."),
        Column("max_retries", "integer", "How often it may be."),
        Column("created_at", "timestamptz", "When it was queued; decides its UTC day."),
        Column("started_at", "timestamptz", "When work on it began."),
        Column("completed_at", "timestamptz", "When it reached its final state."),
    ),
    never_read=("message", "input_text", "context_data", "error_message", "idempotency_key"),
)
SCENE_BIBLES = Table(
    "scene_bibles",
    "public.scene_bibles",
    "What is true in a scene's story, a row for each version.",
    (
        Column("id", "uuid", "Id of the version."),
        Column("scene_id", "uuid", "Its scene."),
        Column("version", "integer", "Version, from 1."),
        Column("data", "jsonb", "Characters, setting, timeline, threads and style, as JSON."),
        Column("created_by_segment_id", "uuid", "The segment that made this version."),
        Column("created_at", "timestamptz", "When it was made; decides its UTC day."),
    ),
)
SCENE_SUMMARIES = Table(
    "scene_summaries",
    "public.scene_summaries",
    "Summaries of long scenes, by the numbers of the segments that they cover.",
    (
        Column("id", "uuid", "Summary id."),
        Column("scene_id", "uuid", "Its scene."),
        Column("segments_covered", "integer[]", "Numbers of the segments that it sums up."),
        Column("created_at", "timestamptz", "When it was written."),
    ),
    never_read=("summary",),
)
MODERATION_FLAGS = Table(
    "moderation_flags",
    "public.moderation_flags",
    "Reports of what should not be there, by people and by the app.",
    (
        Column("id", "uuid", "Flag id."),
        Column("target_type", "text", "idea, scene, segment, user or topic."),
        Column("target_id", "uuid", "What is reported."),
        Column("reporter_id", "uuid", "Who reported it; null when the app found it."),
        Column("reason", "text", "Why."),
        Column("status", "text", "pending, reviewing, resolved or dismissed."),
        Column("action_taken", "text", "What was done about it."),
        Column("created_at", "timestamptz", "When it was opened; decides its UTC day."),
        Column("reviewed_at", "timestamptz", "When it was resolved or dismissed."),
    ),
    never_read=("description", "notes"),
)
SCENE_VIEWS = Table(
    "scene_views",
    "public.scene_views",
    "Every time a scene was watched.",
    (
        Column("id", "uuid", "View id."),
        Column("scene_id", "uuid", "The scene. No foreign key."),
        Column("user_id", "uuid", "Who watched; null for an anonymous visitor."),
        Column("ip_hash", "text", "Hashed address of an anonymous visitor."),
        Column("created_at", "timestamptz", "When it was watched; decides its UTC day."),
    ),
)
LIKES = Table(
    "likes",
    "public.likes",
    "Who likes which idea or scene now; a like that is taken back is deleted.",
    (
        Column("id", "uuid", "Like id."),
        Column("user_id", "uuid", "Who likes it."),
        Column("target_type", "text", "idea or scene."),
        Column("target_id", "uuid", "What is liked. No foreign key."),
        Column("created_at", "timestamptz", "When it was liked; decides its UTC day."),
    ),
)
