"""Adds drift to cached counters, never sets them, and writes what was added into the ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from psycopg import sql

from community_pipelines.counters.drift import Drift, Reconciliation, as_number, measure, refusal
from community_pipelines.databases.connections import Connection, connect, retried, writing
from community_pipelines.databases.deployment import Deployment
from community_pipelines.errors import ExplainedError
from community_pipelines.models.project import load_model
from community_pipelines.models.publish import target_table
from community_pipelines.platforms.spec import Counter, CounterTable

ATTEMPTS = 6
# What a counter becomes, by what it is just before and what its drift was in the snapshot (`seen` + `drift`). A time
# that the app has set since is kept where it is later, and it is lowered only where the app has not set it since.
_AFTER = {
    "sum": "greatest(0, before + drift)",
    "latest": "case when seen + drift > before or before = seen then seen + drift else before end",
}
_VALUE = {
    "sum": "corrected.after",
    "latest": "case when after > 0 then '1970-01-01 00:00:00+00'::{type} + after * interval '1 microsecond' end",
}
_LOWERED = "nothing that counts is as late: it was hidden, removed or deleted"


class CounterError(ExplainedError):
    """Counters could not be corrected; the message names platform and table, and what to do."""


class _FenceMoved(Exception):
    """The ledger has a newer correction than the snapshot saw: the drift would be added twice."""


@dataclass(frozen=True)
class Outcome:
    """What a reconciliation found and did. `corrected` counts counters changed; `refused` says why none was."""

    mode: Literal["report", "apply"]
    found: Reconciliation
    corrected: int
    refused: str | None


def reconcile(
    deployment: Deployment,
    table: CounterTable,
    run_id: str,
    mode: Literal["report", "apply"],
    until: datetime | None = None,
) -> Outcome:
    """Measures drift and, in `apply` mode, adds it. Exact while the app goes on incrementing.

    A drift that `refusal` objects to is reported and not applied. When another reconciliation came between the
    snapshot and the lock, a new snapshot is taken. Raises CounterError when that never settles (a replica that
    does not follow), DatabaseError when a database is away. `until` is passed on to `measure`.
    """
    for attempt in range(ATTEMPTS):
        found = measure(deployment, table, until)
        with connect(deployment.publish_url, deployment.publish_setting) as connection:
            refused = refusal(found, deployment, table, _oldest_published(connection, deployment, table))
            try:
                corrected = 0
                if mode == "apply" and refused is None and found.drifts:
                    corrected = _apply(connection, deployment, table, found, run_id)
            except _FenceMoved:
                time.sleep(0.2 * 2**attempt)
                continue
            outcome = Outcome(mode, found, corrected, refused)
            _record(connection, deployment, table, outcome, run_id)
            return outcome
    raise CounterError(
        f"{deployment.platform.name}: {table.table.name} was corrected by another run {ATTEMPTS} times in a row, or "
        "the replica does not replay the ledger; check its lag with `community doctor`, then reconcile again"
    )


def _oldest_published(connection: Connection, deployment: Deployment, table: CounterTable) -> date | None:
    if table.log is None:
        return None
    history = target_table(deployment, load_model(deployment.platform.name, table.history_model))
    row = connection.execute(sql.SQL("select min(day) from {} where {}").format(history, sql.SQL(table.log))).fetchone()
    assert row is not None
    oldest: date | None = row[0]
    return oldest


def _apply(
    connection: Connection, deployment: Deployment, table: CounterTable, found: Reconciliation, run_id: str
) -> int:
    return retried(lambda: _apply_once(connection, deployment, table, found, run_id))


def _apply_once(
    connection: Connection, deployment: Deployment, table: CounterTable, found: Reconciliation, run_id: str
) -> int:
    platform = deployment.platform.name
    with writing(connection, f"counters:{platform}:{table.table.name}"):
        newest = connection.execute(
            "select coalesce(max(id), 0) from community.counter_corrections where platform = %s and table_name = %s",
            (platform, table.table.name),
        ).fetchone()
        assert newest is not None
        if newest[0] != found.newest_correction:
            raise _FenceMoved
        _lock_rows(connection, deployment, table, sorted({drift.entity for drift in found.drifts}))
        return sum(
            _apply_counter(connection, deployment, table, counter, found.drifts, run_id) for counter in table.counters
        )


def _lock_rows(connection: Connection, deployment: Deployment, table: CounterTable, entities: list[str]) -> None:
    # All at once and in id order; the statements after this one see what the app last wrote, and nothing newer.
    names = deployment.names
    connection.execute(
        sql.SQL("select 1 from {table} where {key} = any(%s::{type}[]) order by {key} for no key update").format(
            table=names.table(table.table),
            key=names.column(table.table, table.key),
            type=sql.SQL(table.table.column(table.key).type),
        ),
        (entities,),
    )


def _apply_counter(
    connection: Connection,
    deployment: Deployment,
    table: CounterTable,
    counter: Counter,
    drifts: list[Drift],
    run_id: str,
) -> int:
    off = [drift for drift in drifts if drift.counter == counter.column]
    names = deployment.names
    name = names.column(table.table, counter.column)
    row = connection.execute(
        sql.SQL(
            """
            with drifts as (
                select entity::{key_type} as entity, seen, drift
                from unnest(%(entities)s::text[], %(seen)s::bigint[], %(drifts)s::bigint[])
                    as given (entity, seen, drift)
            ),
            cached as (
                select drifts.entity, coalesce({before}, 0) as before, drifts.seen, drifts.drift
                from drifts join {table} as cached on cached.{key} = drifts.entity
            ),
            corrected as (
                select entity, before, drift, {after} as after
                from cached
            ),
            applied as (
                update {table} as kept
                set {counter} = {value}
                from corrected
                where kept.{key} = corrected.entity
                returning corrected.entity, corrected.before, corrected.drift, corrected.after
            ),
            noted as (
                insert into community.counter_corrections
                    (platform, run_id, table_name, entity_id, counter, before, drift, applied, reason)
                select %(platform)s, %(run_id)s, %(table_name)s, entity::text, %(counter)s, before, drift,
                    after - before, case when after < before then %(reason)s::text end
                from applied
                order by entity
                returning 1
            )
            select count(*) from noted
            """
        ).format(
            key_type=sql.SQL(table.table.column(table.key).type),
            key=names.column(table.table, table.key),
            counter=name,
            before=as_number(counter, sql.SQL("cached.{}").format(name)),
            after=sql.SQL(_AFTER[counter.kind]),
            value=sql.SQL(_VALUE[counter.kind]).format(
                type=sql.SQL(table.table.column(counter.column).type if counter.kind == "latest" else "bigint")
            ),
            table=names.table(table.table),
        ),
        {
            "entities": [drift.entity for drift in off],
            "seen": [drift.cached for drift in off],
            "drifts": [drift.drift for drift in off],
            "platform": deployment.platform.name,
            "run_id": run_id,
            "table_name": table.table.name,
            "counter": counter.column,
            "reason": _LOWERED if counter.kind == "latest" else None,
        },
    ).fetchone()
    assert row is not None
    return int(row[0])


def reconciled_at(
    connection: Connection, platform: str, table: CounterTable, mode: Literal["report", "apply"]
) -> datetime | None:
    """When the counters of that table were last reconciled to the end, by the primary's clock (UTC); None for never.

    In `apply` mode a report does not count: it corrects nothing.
    """
    row = connection.execute(
        "select max(reconciled_at) from community.reconciliations "
        "where platform = %s and coalesce(table_name, %s) = %s and mode = any(%s)",
        (platform, table.table.name, table.table.name, ["apply"] if mode == "apply" else ["report", "apply"]),
    ).fetchone()
    assert row is not None
    newest: datetime | None = row[0]
    return newest


@dataclass(frozen=True)
class Recorded:
    """What a reconciliation found and did, as it was written down. `at` is the primary's clock (UTC)."""

    mode: str
    entities: int
    entities_off: int
    drift: int
    truth: int
    corrected: int
    refused: str | None
    at: datetime


def last_reconciliation(connection: Connection, platform: str, table: CounterTable) -> Recorded | None:
    """The newest reconciliation of that table's counters; None before the first one."""
    row = connection.execute(
        "select mode, coalesce(entities, 0), coalesce(entities_off, 0), coalesce(drift_total, 0), "
        "coalesce(truth_total, 0), coalesce(corrected, 0), refused, reconciled_at from community.reconciliations "
        "where platform = %s and coalesce(table_name, %s) = %s order by id desc limit 1",
        (platform, table.table.name, table.table.name),
    ).fetchone()
    return Recorded(*row) if row else None


def _record(connection: Connection, deployment: Deployment, table: CounterTable, outcome: Outcome, run_id: str) -> None:
    found = outcome.found
    connection.execute(
        """
        insert into community.reconciliations (platform, table_name, run_id, mode, newest_correction, entities,
            entities_off, drift_total, truth_total, corrected, refused)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            deployment.platform.name,
            table.table.name,
            run_id,
            outcome.mode,
            found.newest_correction,
            found.entities,
            len({drift.entity for drift in found.drifts}),
            found.drift_total,
            found.truth_total,
            outcome.corrected,
            outcome.refused,
        ),
    )
