"""Adds drift to cached counters, never sets them, and writes what was added into the ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from psycopg import sql

from community_pipelines.counters.drift import Drift, Reconciliation, measure, refusal
from community_pipelines.databases import Connection, connect, retried, writing
from community_pipelines.platforms.deployment import Deployment
from community_pipelines.platforms.spec import CounterTable

ATTEMPTS = 6


class CounterError(Exception):
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
            refused = refusal(found, deployment, table, _oldest_published(connection, deployment.platform.name))
            try:
                corrected = 0
                if mode == "apply" and refused is None and found.drifts:
                    corrected = _apply(connection, deployment, table, found, run_id)
            except _FenceMoved:
                time.sleep(0.2 * 2**attempt)
                continue
            outcome = Outcome(mode, found, corrected, refused)
            _record(connection, deployment, outcome, run_id)
            return outcome
    raise CounterError(
        f"{deployment.platform.name}: {table.table.name} was corrected by another run {ATTEMPTS} times in a row, or "
        "the replica does not replay the ledger; check its lag with `community doctor`, then reconcile again"
    )


def _oldest_published(connection: Connection, platform: str) -> date | None:
    row = connection.execute(
        "select min(day) from community.publications where platform = %s and rows > 0", (platform,)
    ).fetchone()
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
            _apply_counter(connection, deployment, table, counter.column, found.drifts, run_id)
            for counter in table.counters
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
    counter: str,
    drifts: list[Drift],
    run_id: str,
) -> int:
    off = [drift for drift in drifts if drift.counter == counter]
    names = deployment.names
    row = connection.execute(
        sql.SQL(
            """
            with drifts as (
                select entity::{key_type} as entity, drift
                from unnest(%(entities)s::text[], %(drifts)s::bigint[]) as given (entity, drift)
            ),
            cached as (
                select drifts.entity, coalesce(cached.{counter}, 0) as before, drifts.drift
                from drifts join {table} as cached on cached.{key} = drifts.entity
            ),
            applied as (
                update {table} as kept
                set {counter} = greatest(0, coalesce(kept.{counter}, 0) + cached.drift)
                from cached
                where kept.{key} = cached.entity
                returning cached.entity, cached.before, cached.drift
            ),
            noted as (
                insert into community.counter_corrections
                    (platform, run_id, table_name, entity_id, counter, before, drift, applied)
                select %(platform)s, %(run_id)s, %(table_name)s, entity::text, %(counter)s, before, drift,
                    greatest(0, before + drift) - before
                from applied
                order by entity
                returning 1
            )
            select count(*) from noted
            """
        ).format(
            key_type=sql.SQL(table.table.column(table.key).type),
            key=names.column(table.table, table.key),
            counter=names.column(table.table, counter),
            table=names.table(table.table),
        ),
        {
            "entities": [drift.entity for drift in off],
            "drifts": [drift.drift for drift in off],
            "platform": deployment.platform.name,
            "run_id": run_id,
            "table_name": table.table.name,
            "counter": counter,
        },
    ).fetchone()
    assert row is not None
    return int(row[0])


def _record(connection: Connection, deployment: Deployment, outcome: Outcome, run_id: str) -> None:
    found = outcome.found
    connection.execute(
        """
        insert into community.reconciliations (platform, run_id, mode, newest_correction, entities, entities_off,
            drift_total, truth_total, corrected, refused)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            deployment.platform.name,
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
