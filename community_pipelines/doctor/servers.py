"""The servers: their version and clock, whether they are replicas and of what, and what is in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from community_pipelines.databases.connections import Connection
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.reach import Database, ask, opened

READS_FROM = 13
WRITES_FROM = 15
CLOCK_SECONDS = 5
LAG_SECONDS = 60
POOLER_ROUNDS = 4


def server_version(database: Database, number: int, writes: bool) -> Diagnosis:
    """`number` is PostgreSQL's own, 150004 for 15.4."""
    major, minor = divmod(number, 10_000)
    least, why = (WRITES_FROM, "publishing uses merge") if writes else (READS_FROM, "days are read by their snapshot")
    subject = f"{database.purpose} version"
    if major >= least:
        return Diagnosis(database.platform, subject, "ok", f"PostgreSQL {major}.{minor}")
    seen = f"PostgreSQL {major}.{minor}, and {why}, which needs {least}"
    return Diagnosis(database.platform, subject, "problem", seen, f"upgrade that server to PostgreSQL {least} or later")


def clock(database: Database, connection: Connection, grace: timedelta) -> Diagnosis:
    """Compares this machine's clock with the server's; the shortest of three round trips is the exactest."""
    tries = []
    for _ in range(3):
        before = datetime.now(UTC)
        ((server,),) = ask(connection, "select clock_timestamp()")
        after = datetime.now(UTC)
        tries.append((after - before, (before + (after - before) / 2 - server).total_seconds()))
    off = min(tries)[1]
    subject = f"{database.purpose} clock"
    seen = f"this machine's clock is {abs(off):.1f} s {'ahead of' if off > 0 else 'behind'} the server's"
    if abs(off) <= CLOCK_SECONDS:
        return Diagnosis(database.platform, subject, "ok", seen)
    advice = "set both clocks by NTP: `timedatectl` shows this machine's; days close by the database's"
    if timedelta(seconds=abs(off)) > grace:
        seen += (
            ", more than COMMUNITY_GRACE_MINUTES: schedules here start before or long after the day has closed there"
        )
        return Diagnosis(database.platform, subject, "problem", seen, advice)
    return Diagnosis(database.platform, subject, "warning", seen, advice)


def pooler(database: Database, connection: Connection) -> Diagnosis:
    """Whether two connections that are open at once are served by the same server process, or by one that is not
    the one announced when connecting. A pooler that keeps its connections apart and passes the ids on is not seen.
    """
    with opened(database) as other:
        announced = {connection.info.backend_pid, other.info.backend_pid}
        mine, others = set(), set()
        for _ in range(POOLER_ROUNDS):
            # Twice, or a pooler that takes turns between two would give each the same one every time.
            mine |= {ask(connection, "select pg_backend_pid()")[0][0] for _ in range(2)}
            others.add(ask(other, "select pg_backend_pid()")[0][0])
    subject = f"{database.purpose} pooler"
    if mine & others or len(mine) > 1 or len(others) > 1:
        return Diagnosis(
            database.platform,
            subject,
            "ok",
            "a transaction pooler is in between: two connections shared a server process",
            "nothing here needs a session, so it may stay; its query_timeout must be longer than reading a day takes, "
            "and its pool needs room for a few connections of this role",
        )
    if (mine | others) - announced:
        return Diagnosis(
            database.platform,
            subject,
            "ok",
            "a pooler or proxy is in between that gives each connection a server process of its own",
        )
    return Diagnosis(
        database.platform, subject, "ok", "none seen (one that passes on process ids and is not busy is not noticed)"
    )


def primary(database: Database, connection: Connection) -> Diagnosis:
    """Whether the publishing database takes writes."""
    ((replica, read_only),) = ask(
        connection, "select pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean"
    )
    subject = f"{database.purpose} server"
    if replica:
        advice = f"set {database.setting} to the primary; a replica may stay the source"
        return Diagnosis(database.platform, subject, "problem", "it is a replica and takes no writes", advice)
    if read_only:
        advice = "alter role current_user reset default_transaction_read_only; or the same for the database"
        seen = "default_transaction_read_only is on for this role or database"
        return Diagnosis(database.platform, subject, "problem", seen, advice)
    return Diagnosis(database.platform, subject, "ok", "it takes writes")


def replica(database: Database, connection: Connection, grace: timedelta) -> Iterator[Diagnosis]:
    """How far a replica is behind, by the rule by which days close; and whether it cancels long reads."""
    ((is_replica, behind, feedback, sees_receiver),) = ask(
        connection,
        """
        select pg_is_in_recovery(),
            extract(epoch from clock_timestamp() - coalesce(
                case when pg_last_wal_replay_lsn() = pg_last_wal_receive_lsn()
                    then (select last_msg_receipt_time from pg_stat_wal_receiver) end,
                pg_last_xact_replay_timestamp()
            ))::float8,
            current_setting('hot_standby_feedback')::boolean,
            pg_has_role(current_user, 'pg_read_all_stats', 'usage')
        """,
    )
    subject = f"{database.purpose} replica"
    if not is_replica:
        yield Diagnosis(database.platform, subject, "ok", "the source is no replica: reads load the primary")
        return
    yield _lag(database, subject, behind, grace)
    if not sees_receiver:
        yield Diagnosis(
            database.platform,
            f"{subject} statistics",
            "warning",
            "this role may not see when the replica last heard from its primary: on a quiet night days close late",
            f"on the primary:\ngrant pg_read_all_stats to {_role(connection)};",
        )
    if not feedback:
        yield Diagnosis(
            database.platform,
            f"{subject} feedback",
            "warning",
            "hot_standby_feedback is off: the primary's vacuum may cancel long reads (they are taken again)",
            "on the replica:\nalter system set hot_standby_feedback = on;\nselect pg_reload_conf();",
        )


def _lag(database: Database, subject: str, behind: float | None, grace: timedelta) -> Diagnosis:
    if behind is None:
        seen = "a replica that has replayed nothing since it started"
        return Diagnosis(database.platform, subject, "warning", seen, "check that it receives from its primary")
    seen = f"a replica, {behind:.0f} s behind"
    advice = "see pg_stat_replication on the primary and the load of the replica; days close when it has replayed them"
    if behind > grace.total_seconds():
        return Diagnosis(database.platform, subject, "problem", f"{seen}: the nightly run finds its day open", advice)
    if behind > LAG_SECONDS:
        return Diagnosis(database.platform, subject, "warning", seen, advice)
    return Diagnosis(database.platform, subject, "ok", seen)


def same_history(
    source: Database, connection: Connection, publish: Database, publish_connection: Connection
) -> Diagnosis:
    """Whether what is published is seen in the source: corrections are fenced by the ledger that the source shows."""
    platform, subject = source.platform, "source and publish"
    here, there = _identity(connection), _identity(publish_connection)
    if here is not None and here == there:
        return Diagnosis(platform, subject, "ok", "they are one database, or a replica and its primary")
    ours, theirs = _newest_correction(connection), _newest_correction(publish_connection)
    advice = (
        f"set {source.setting} to a replica of {publish.setting}'s database; where the source is a logical copy, it "
        "has to hold community.counter_corrections, too"
    )
    if theirs is None:
        seen = "they are different databases, and publish has no correction ledger yet"
        return Diagnosis(platform, subject, "warning", seen, f"`community migrate`, then look again; {advice}")
    if ours is None or ours < theirs:
        seen = "the source does not show the corrections that were made in publish: reconciling would add drift twice"
        return Diagnosis(platform, subject, "problem", seen, advice)
    if ours > theirs:
        seen = "the source's correction ledger is ahead of publish's: they have different histories"
        return Diagnosis(platform, subject, "problem", seen, advice)
    seen = f"they are different databases with the same newest correction ({ours})"
    return Diagnosis(platform, subject, "warning", seen, f"make sure that this is meant; {advice}")


def _identity(connection: Connection) -> tuple[int, int] | None:
    try:
        ((system, database),) = ask(
            connection,
            "select system_identifier, (select oid::bigint from pg_database where datname = current_database()) "
            "from pg_control_system()",
        )
    except psycopg.Error:  # some hosted servers keep it to themselves
        return None
    return int(system), int(database)


def _newest_correction(connection: Connection) -> int | None:
    ((present,),) = ask(
        connection,
        "select exists (select from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
        "where nspname = 'community' and relname = 'counter_corrections')",
    )
    if not present:
        return None
    return int(ask(connection, "select coalesce(max(id), 0) from community.counter_corrections")[0][0])


def _role(connection: Connection) -> str:
    return str(ask(connection, "select quote_ident(current_user)")[0][0])
