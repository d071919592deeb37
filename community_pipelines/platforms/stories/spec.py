"""What the platform of story videos declares beside its tables and streams, which are in `sources.yml`. Names, columns
and promises come from seed 002.

People's ideas become scenes, scenes grow by segments that AI jobs make, and a scene's bible keeps them consistent.
"""

from __future__ import annotations

from community_pipelines.platforms.declared import declared, sql_file
from community_pipelines.platforms.spec import Counter, CounterTable, Examination, PartitionedTable, Platform
from community_pipelines.platforms.stories.examinations import bible_faults

APP = declared("stories")

TOPIC_COUNTERS = CounterTable(
    table=APP.table("topics"),
    key="id",
    counters=(Counter("scene_count", "scenes_total", "active scenes of the topic"),),
    truth=sql_file("stories", "truth/topics"),
    history_model="topic_counters_daily",
    events=APP.stream("scenes"),
    log=None,
)
IDEA_COUNTERS = CounterTable(
    table=APP.table("ideas"),
    key="id",
    counters=(
        Counter("scene_count", "scenes_total", "active scenes made of the idea"),
        Counter("like_count", "likes_total", "likes of the idea that were not taken back"),
        Counter("view_count", "views_total", "all views of all its scenes, whatever became of them"),
    ),
    truth=sql_file("stories", "truth/ideas"),
    history_model="idea_counters_daily",
    events=APP.stream("scene_views"),
    log="views_change <> 0",
)
SCENE_COUNTERS = CounterTable(
    table=APP.table("scenes"),
    key="id",
    counters=(
        Counter("segment_count", "segments_total", "active segments"),
        Counter("total_duration", "duration_total", "seconds of its active segments"),
        Counter("contributor_count", "contributors_total", "people with an active segment in it"),
        Counter("view_count", "views_total", "all views"),
        Counter("like_count", "likes_total", "likes that were not taken back"),
        Counter("last_segment_at", None, "time of the latest active segment", kind="latest"),
    ),
    truth=sql_file("stories", "truth/scenes"),
    history_model="scene_counters_daily",
    events=APP.stream("scene_views"),
    log="views_change <> 0",
)

STORIES = Platform(
    name="stories",
    title="Collaborative story videos",
    description="Topics, ideas, scenes and their segments, the AI's jobs, bibles and moderation.",
    tables=APP.tables,
    streams=APP.streams,
    dimensions=APP.dimensions,
    counter_tables=(TOPIC_COUNTERS, IDEA_COUNTERS, SCENE_COUNTERS),
    watched="scene_views",
    partitioned=(
        PartitionedTable(APP.table("jobs"), "created_at", archive_after_months=6),
        PartitionedTable(APP.table("segments"), "created_at", archive_after_months=None),
    ),
    examinations=(
        Examination(
            "scene_bibles",
            "bible_faults",
            "error",
            "what is wrong with bibles, by their JSON schema and their meaning",
            bible_faults,
        ),
    ),
)
PLATFORM = STORIES
