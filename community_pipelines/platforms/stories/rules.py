"""Rules of story videos that need more than a day's own rows, in SQL for the source. Rows belong to the day that the
first column says."""

from __future__ import annotations

from community_pipelines.platforms.spec import Consistency
from community_pipelines.platforms.stories.tables import OPEN_JOB_STATES

# Longer than any job takes, retries included.
STUCK_HOURS = 24

BIBLE_VERSIONS = Consistency(
    "bible_version_faults",
    "error",
    "bible versions that repeat or follow no version before",
    """
    select bible.{scene_bibles.created_at}, bible.{scene_bibles.scene_id},
        case when repeats.there then 'version ' || bible.{scene_bibles.version} || ' is there twice'
            else 'version ' || bible.{scene_bibles.version} || ' follows no version '
                || bible.{scene_bibles.version} - 1 end
    from {scene_bibles} as bible
    cross join lateral (
        select exists (
            select from {scene_bibles} as other
            where other.{scene_bibles.scene_id} = bible.{scene_bibles.scene_id}
                and other.{scene_bibles.version} = bible.{scene_bibles.version}
                and other.{scene_bibles.id} <> bible.{scene_bibles.id}
        ) as there
    ) as repeats
    where bible.{scene_bibles.created_at} >= {start} and bible.{scene_bibles.created_at} < {end}
        and (
            repeats.there
            or bible.{scene_bibles.version} < 1
            or bible.{scene_bibles.version} > 1 and not exists (
                select from {scene_bibles} as before
                where before.{scene_bibles.scene_id} = bible.{scene_bibles.scene_id}
                    and before.{scene_bibles.version} = bible.{scene_bibles.version} - 1
            )
        )
    """,
)
NEWEST_BIBLE = Consistency(
    "newest_bible_faults",
    "error",
    "scenes whose bible_version is not that of their newest bible",
    """
    select newest.made_at, scene.{scenes.id},
        'bible_version is ' || scene.{scenes.bible_version} || ', the newest bible is version ' || newest.version
    from {scenes} as scene
    cross join lateral (
        select bible.{scene_bibles.version} as version, bible.{scene_bibles.created_at} as made_at
        from {scene_bibles} as bible
        where bible.{scene_bibles.scene_id} = scene.{scenes.id}
        order by bible.{scene_bibles.version} desc
        limit 1
    ) as newest
    where newest.made_at >= {start} and newest.made_at < {end} and newest.version <> scene.{scenes.bible_version}
    """,
)
SEGMENT_SEQUENCE = Consistency(
    "segment_sequence_faults",
    "warning",
    "segments whose number repeats or follows no number before",
    """
    select segment.{segments.created_at}, segment.{segments.scene_id},
        case when repeats.there then 'segment ' || segment.{segments.sequence} || ' is there twice'
            else 'segment ' || segment.{segments.sequence} || ' follows no segment '
                || segment.{segments.sequence} - 1 end
    from {segments} as segment
    cross join lateral (
        select exists (
            select from {segments} as other
            where other.{segments.scene_id} = segment.{segments.scene_id}
                and other.{segments.sequence} = segment.{segments.sequence}
                and other.{segments.id} <> segment.{segments.id}
        ) as there
    ) as repeats
    where segment.{segments.created_at} >= {start} and segment.{segments.created_at} < {end}
        and (
            repeats.there
            or segment.{segments.sequence} < 1
            or segment.{segments.sequence} > 1 and not exists (
                select from {segments} as before
                where before.{segments.scene_id} = segment.{segments.scene_id}
                    and before.{segments.sequence} = segment.{segments.sequence} - 1
            )
        )
    """,
)
SEGMENT_BIBLE = Consistency(
    "segments_without_bible",
    "warning",
    "segments made by a version of the bible that is not there",
    """
    select segment.{segments.created_at}, segment.{segments.id},
        'version ' || segment.{segments.bible_version} || ' of the bible of scene ' || segment.{segments.scene_id}
            || ' is not there'
    from {segments} as segment
    where segment.{segments.created_at} >= {start} and segment.{segments.created_at} < {end}
        and not exists (
            select from {scene_bibles} as bible
            where bible.{scene_bibles.scene_id} = segment.{segments.scene_id}
                and bible.{scene_bibles.version} = segment.{segments.bible_version}
        )
    """,
)
SUMMARIES = Consistency(
    "summaries_of_nothing",
    "warning",
    "summaries that cover segments which are not there",
    """
    select summary.{scene_summaries.created_at}, summary.{scene_summaries.scene_id},
        'the summary covers segment ' || covered.sequence || ', which is not there'
    from {scene_summaries} as summary
    cross join lateral unnest(summary.{scene_summaries.segments_covered}) as covered (sequence)
    where summary.{scene_summaries.created_at} >= {start} and summary.{scene_summaries.created_at} < {end}
        and not exists (
            select from {segments} as segment
            where segment.{segments.scene_id} = summary.{scene_summaries.scene_id}
                and segment.{segments.sequence} = covered.sequence
        )
    """,
)
JOB_RESULTS = Consistency(
    "jobs_without_result",
    "warning",
    "finished jobs that have no result",
    """
    select job.{jobs.created_at}, job.{jobs.id}, 'it is final_ready and has no result_data'
    from {jobs} as job
    where job.{jobs.created_at} >= {start} and job.{jobs.created_at} < {end}
        and job.{jobs.status} = 'final_ready' and job.{jobs.result_data} is null
    """,
)
STUCK_JOBS = Consistency(
    "stuck_jobs",
    "warning",
    f"jobs that are still open after {STUCK_HOURS} hours",
    f"""
    select job.{{jobs.created_at}}, job.{{jobs.id}},
        'it is ' || job.{{jobs.status}} || ' since ' || to_char(job.{{jobs.created_at}} at time zone 'UTC',
            'YYYY-MM-DD HH24:MI') || ' UTC'
    from {{jobs}} as job
    where job.{{jobs.created_at}} >= {{start}} and job.{{jobs.created_at}} < {{end}}
        and job.{{jobs.status}} in ({", ".join(f"'{state}'" for state in OPEN_JOB_STATES)})
        and job.{{jobs.created_at}} < now() - interval '{STUCK_HOURS} hours'
    """,
)
