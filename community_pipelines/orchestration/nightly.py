"""The newest run of a platform's nightly schedule, read from Dagster's storage without loading Dagster."""

from __future__ import annotations

from datetime import UTC, datetime

from community_pipelines.databases.connections import connect

_NEWEST = """
    select runs.status, runs.partition, runs.create_timestamp
    from runs
    join run_tags using (run_id)
    where run_tags.key = 'dagster/schedule_name' and run_tags.value = %s
    order by runs.id desc
    limit 1
"""


def last_nightly_run(url: str, setting: str, platform: str) -> dict[str, str] | None:
    """Its status, day and time (UTC); None before the first one, also where Dagster has not made its tables yet.

    `url` is that of Dagster's storage, `setting` the name of the setting that holds it. Raises DatabaseError.
    """
    with connect(url, setting) as connection:
        if connection.execute("select to_regclass('runs')").fetchone() == (None,):
            return None
        row = connection.execute(_NEWEST, (f"{platform}_nightly",)).fetchone()
    if row is None:
        return None
    status, day, created = row
    return {"status": status, "day": day or "", "at": _utc(created).isoformat(timespec="seconds")}


def _utc(created: datetime) -> datetime:
    # Dagster writes UTC into a column without a zone.
    return created.replace(tzinfo=UTC) if created.tzinfo is None else created.astimezone(UTC)
