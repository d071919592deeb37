"""The monthly job in Dagster does what `community maintain` does, and fails where a person has to look."""

from __future__ import annotations

from typing import Any

import dagster as dg

from community_pipelines.orchestration.definitions import build_definitions
from tests.stories.stories import Stories


def run(stories: Stories, instance: dg.DagsterInstance, **config: Any) -> dg.ExecuteInProcessResult:
    """One run of the job with that configuration."""
    job = build_definitions(stories.settings).resolve_job_def("stories_maintain")
    return job.execute_in_process(
        run_config={"ops": {"stories_partitions": {"config": config}}}, instance=instance, raise_on_error=False
    )


def months(stories: Stories, table: str) -> list[str]:
    """The partitions of a table."""
    listed = stories.sql("select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass", (table,))
    return sorted(name for (name,) in listed)


def test_the_job_makes_months_ahead_and_fails_for_what_a_person_has_to_look_at(
    stories: Stories, dagster_instance: dg.DagsterInstance
) -> None:
    for month in (1, 2, 3):
        stories.sql(f"drop table jobs_2026_0{month}, segments_2026_0{month}")
    assert run(stories, dagster_instance, months=2, dry_run=True).success
    assert (months(stories, "segments"), months(stories, "jobs")) == ([], [])
    assert run(stories, dagster_instance, months=2).success
    assert [len(months(stories, table)) for table in ("segments", "jobs")] == [3, 3]
    stories.sql("select create_monthly_partition('jobs', 2026, 1)")
    result = run(stories, dagster_instance, months=2)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "jobs jobs_2026_01 refused: 31 of its days are not in the lake" in str(failure.step_failure_data.error)
    assert "jobs_2026_01" in months(stories, "jobs")
