-- Rows (time that decides the day, what it is, what is wrong with it) from {start} on and before {end}: summaries
-- that cover segments which are not there.
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
