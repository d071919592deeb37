"""The source's clock, and how far what is read has replayed: what decides whether a day is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment

# A replica that catches up replays all that it has received, long before it has received all that there is.
_REPLAYED_UNTIL = """
    coalesce(
        (
            select last_msg_send_time
            from pg_stat_wal_receiver
            where pg_last_wal_replay_lsn() >= greatest(latest_end_lsn, pg_last_wal_receive_lsn())
        ),
        pg_last_xact_replay_timestamp()
    )
"""
MOMENT = f"""
    select clock_timestamp(),
        case when pg_is_in_recovery() then coalesce({_REPLAYED_UNTIL}, 'epoch') else clock_timestamp() end,
        pg_current_snapshot()::text
"""


@dataclass(frozen=True)
class Moment:
    """What the server says about itself in a snapshot. Times are UTC; `seen_until` is how far it has replayed."""

    now: datetime
    seen_until: datetime
    snapshot: str

    @property
    def known_until(self) -> datetime:
        """The moment up to which the server has what was written."""
        return min(self.now, self.seen_until)


def source_moment(deployment: Deployment) -> Moment:
    """The source's clock now. Raises DatabaseError when it does not answer."""
    with connect(deployment.source_url, deployment.source_setting) as connection:
        row = connection.execute(MOMENT.encode()).fetchone()
    assert row is not None
    return Moment(*row)
