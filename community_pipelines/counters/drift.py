"""Drift of cached counters: cached values, newest correction and truth, all from one snapshot of the source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from psycopg import sql

from community_pipelines.databases.connections import Connection, connect, retried, snapshot
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.queries import (
    END_OF_TIMES,
    FIRST_TIME,
    oldest_query,
    once_order,
    unique_id_query,
)
from community_pipelines.platforms.spec import Counter, CounterTable, Option, Stream


@dataclass(frozen=True)
class Drift:
    """One counter of one entity that is off by `drift` = truth - cached.

    The values of a `latest` counter are microseconds since 1970 (UTC), 0 for none.
    """

    entity: str
    counter: str
    cached: int
    truth: int
    kind: Literal["sum", "latest"] = "sum"

    @property
    def drift(self) -> int:
        """What has to be added."""
        return self.truth - self.cached

    @property
    def size(self) -> int:
        """How much it weighs among others: a time that is off counts as 1."""
        return abs(self.drift) if self.kind == "sum" else 1

    @property
    def shown(self) -> tuple[str, str, object, object, object]:
        """Entity, counter, cached value, truth and drift, for people."""
        if self.kind == "sum":
            return (self.entity, self.counter, self.cached, self.truth, self.drift)
        return (self.entity, self.counter, moment(self.cached), moment(self.truth), timedelta(microseconds=self.drift))


@dataclass(frozen=True)
class Alternative:
    """What a counter is by another of its rules, beside the one that a setting chooses.

    `differences` are the entities where the two differ: (entity, value by the chosen one, value by the other one), the
    largest differences first.
    """

    counter: str
    setting: str
    chosen: str
    chosen_total: int
    other: str
    other_total: int
    differences: list[tuple[str, int, int]]

    @property
    def totals(self) -> dict[str, Any]:
        """All but the entities, for programs."""
        totals = {name: value for name, value in vars(self).items() if name != "differences"}
        return {**totals, "entities_different": len(self.differences)}

    @property
    def line(self) -> str:
        """Both totals, for people."""
        return (
            f"{self.counter}: {self.chosen_total:,} by {self.chosen} ({self.setting}), {self.other_total:,} by "
            f"{self.other}; they differ for {len(self.differences):,} entities"
        )


@dataclass(frozen=True)
class Reconciliation:
    """What one snapshot of the source says.

    `truths` holds the true value of every counter of every entity by the chosen rules, `drifts` those that are off,
    `alternatives` what the rules say that are not chosen.
    `newest_correction` is the ledger's newest id in the snapshot (0 for an empty ledger), `oldest_event` the
    oldest event that the source still holds, `latest` the counters that are times. `truths_until` are the true values
    as of a moment, where one was asked for, and `disagreements` what the platform's agreements found: name → (entity,
    one side, the other side).
    """

    entities: int
    truths: dict[str, dict[str, int]]
    drifts: list[Drift]
    newest_correction: int
    oldest_event: datetime | None
    truths_until: dict[str, dict[str, int]] = field(default_factory=dict)
    disagreements: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    latest: frozenset[str] = frozenset()
    alternatives: tuple[Alternative, ...] = ()

    @property
    def drift_total(self) -> int:
        """The sum of all absolute drifts."""
        return sum(drift.size for drift in self.drifts)

    @property
    def truth_total(self) -> int:
        """The sum of all true values; a time counts as 1."""
        return sum(
            1 if counter in self.latest and value else value if counter not in self.latest else 0
            for values in self.truths.values()
            for counter, value in values.items()
        )


def measure(deployment: Deployment, table: CounterTable, until: datetime | None = None) -> Reconciliation:
    """Counts in the source, in one repeatable-read snapshot, and compares with the cached values.

    With `until` (UTC) the same snapshot is also counted as of that moment. Raises DatabaseError when the source is
    away; retries when a replica cancels the query.
    """
    with connect(deployment.source_url, deployment.source_setting) as connection:
        return retried(lambda: _measure(connection, deployment, table, until))


def _measure(
    connection: Connection, deployment: Deployment, table: CounterTable, until: datetime | None
) -> Reconciliation:
    names = deployment.names
    columns = [option.column for _, option in _options(table)]
    with snapshot(connection):
        newest = connection.execute(
            "select coalesce(max(id), 0) from community.counter_corrections where platform = %s and table_name = %s",
            (deployment.platform.name, table.table.name),
        ).fetchone()
        oldest = connection.execute(oldest_query(deployment, table.events)).fetchone()
        repeating = _repeating(connection, deployment, table)
        rows = connection.execute(
            sql.SQL(
                """
                with truth as ({truth})
                select cached.{key}::text, {cached}, {truths}
                from {table} as cached left join truth on truth.key = cached.{key}
                """
            ).format(
                truth=_truth(deployment, table, repeating, None),
                key=names.column(table.table, table.key),
                cached=sql.SQL(", ").join(
                    sql.SQL("coalesce({}, 0)").format(
                        as_number(counter, sql.SQL("cached.{}").format(names.column(table.table, counter.column)))
                    )
                    for counter in table.counters
                ),
                truths=sql.SQL(", ").join(sql.SQL("coalesce(truth.{}, 0)").format(sql.Identifier(c)) for c in columns),
                table=names.table(table.table),
            )
        ).fetchall()
        as_of = connection.execute(_truth(deployment, table, repeating, until)).fetchall() if until else []
        disagreements = {
            agreement.name: [
                (str(key), int(one), int(other))
                for key, one, other in connection.execute(
                    _filled(deployment, table, repeating, agreement.disagreements, None)
                ).fetchall()
            ]
            for agreement in table.agreements
        }
    assert newest is not None
    assert oldest is not None
    chosen = {counter.column: deployment.taken(counter).column for counter in table.counters}
    counted: dict[str, dict[str, int]] = {}
    truths: dict[str, dict[str, int]] = {}
    drifts = []
    for entity, *values in rows:
        cached, by_column = values[: len(chosen)], dict(zip(columns, values[len(chosen) :], strict=True))
        counted[entity] = by_column
        truths[entity] = {counter: by_column[column] for counter, column in chosen.items()}
        drifts += [
            Drift(entity, counter.column, have, want, counter.kind)
            for counter, have, want in zip(table.counters, cached, truths[entity].values(), strict=True)
            if have != want
        ]
    drifts.sort(key=lambda drift: (drift.entity, drift.counter))
    until_end = {str(entity): dict(zip(columns, values, strict=True)) for entity, *values in as_of}
    return Reconciliation(
        entities=len(rows),
        truths=truths,
        drifts=drifts,
        newest_correction=int(newest[0]),
        oldest_event=_utc(oldest[0]),
        truths_until={
            entity: {counter: values[column] for counter, column in chosen.items()}
            for entity, values in until_end.items()
        },
        disagreements=disagreements,
        latest=frozenset(counter.column for counter in table.counters if counter.kind == "latest"),
        alternatives=tuple(_alternatives(deployment, table, counted)),
    )


def _options(table: CounterTable) -> list[tuple[Counter, Option]]:
    """All ways to count all counters, in the order in which they are counted."""
    return [(counter, option) for counter in table.counters for option in counter.options]


def _alternatives(
    deployment: Deployment, table: CounterTable, counted: Mapping[str, Mapping[str, int]]
) -> Iterator[Alternative]:
    """What every rule that is not chosen says, from what all rules say of every entity."""
    for counter, choice in table.choices:
        taken = deployment.taken(counter)
        for other in choice.options:
            if other == taken:
                continue
            pairs = [(entity, values[taken.column], values[other.column]) for entity, values in counted.items()]
            differences = [(entity, one, another) for entity, one, another in pairs if one != another]
            yield Alternative(
                counter=counter.column,
                setting=deployment.setting(choice.setting),
                chosen=taken.name,
                chosen_total=sum(one for _, one, _ in pairs),
                other=other.name,
                other_total=sum(another for _, _, another in pairs),
                differences=sorted(differences, key=lambda found: (-abs(found[1] - found[2]), found[0])),
            )


def _truth(
    deployment: Deployment, table: CounterTable, repeating: Sequence[Stream], until: datetime | None
) -> sql.Composed:
    columns = [
        sql.SQL("{} as {}").format(as_number(counter, name), name)
        for counter, option in _options(table)
        for name in [sql.Identifier(option.column)]
    ]
    return sql.SQL("select key, {} from ({}) as truth").format(
        sql.SQL(", ").join(columns), _filled(deployment, table, repeating, table.truth, until)
    )


def _repeating(connection: Connection, deployment: Deployment, table: CounterTable) -> list[Stream]:
    """The first stream of each table that is counted in, where the table has an id twice or a row without one."""
    counted_in = " ".join([table.truth, *(agreement.disagreements for agreement in table.agreements)])
    streams: dict[str, Stream] = {}
    for stream in deployment.platform.streams:
        if f"{{{stream.table.name}}}" in counted_in:
            streams.setdefault(stream.table.name, stream)
    return [stream for stream in streams.values() if _repeats(connection, deployment, stream)]


def _repeats(connection: Connection, deployment: Deployment, stream: Stream) -> bool:
    guaranteed = connection.execute(unique_id_query(deployment, stream)).fetchone()
    if guaranteed == (True, True):
        return False
    # Reading the ids alone costs little beside sorting whole rows, and most tables without the guarantee keep it.
    names = deployment.names
    found = connection.execute(
        sql.SQL("select exists (select from {table} group by {id} having count(*) > 1 or {id} is null)").format(
            table=names.table(stream.table), id=names.column(stream.table, stream.id)
        )
    ).fetchone()
    return found == (True,)


def _filled(
    deployment: Deployment, table: CounterTable, repeating: Sequence[Stream], template: str, until: datetime | None
) -> sql.Composed:
    """SQL of the platform's spec with its names; a table whose ids repeat is read with one row for each id.

    Only rows that have a day count, as in the lake, and of those the ones before `until`.
    """
    names = deployment.names
    # A time without zone is UTC; the comparison is written so that the session's zone does not matter.
    zone = "" if table.events.table.column(table.events.time).type == "timestamp" else "+00"
    moment = sql.Literal(until.astimezone(UTC).strftime(f"%Y-%m-%d %H:%M:%S{zone}")) if until else END_OF_TIMES
    once = {stream.table.name: sql.Identifier(f"{stream.table.name} once") for stream in repeating}
    query = sql.SQL(names.fill(template, once, since=FIRST_TIME.as_string(), until=moment.as_string()))
    if not repeating:
        return sql.Composed([query])
    return sql.SQL("with {} select * from ({}) as counted").format(
        sql.SQL(", ").join(
            sql.SQL(
                "{name} as not materialized "
                "(select distinct on ({id}) {columns} from {table} where {id} is not null order by {order})"
            ).format(
                name=once[stream.table.name],
                id=names.column(stream.table, stream.id),
                columns=sql.SQL(", ").join(
                    names.column(stream.table, one.name) for one in stream.table.columns if not one.optional
                ),
                table=names.table(stream.table),
                order=once_order(deployment, stream),
            )
            for stream in repeating
        ),
        query,
    )


def as_number(counter: Counter, value: sql.Composable) -> sql.Composable:
    """A counter's value as a number: a time in microseconds since 1970, UTC."""
    if counter.kind == "sum":
        return value
    return sql.SQL("(extract(epoch from {}) * 1000000)::bigint").format(value)


def moment(microseconds: int) -> datetime | None:
    """The time (UTC) that such a number stands for; None for 0."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds) if microseconds else None


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def refusal(
    found: Reconciliation, deployment: Deployment, table: CounterTable, oldest_published: date | None
) -> str | None:
    """Why this drift must not be applied; None when it may.

    `oldest_published` is the oldest published day that the source's events explain: when the source begins later,
    the app has pruned it and its counts are too low to be the truth. A total |drift| may be as large as the larger one
    of two limits: a share of the truth, and a number for where the truth is small or 0.
    """
    if oldest_published is not None and (found.oldest_event is None or found.oldest_event.date() > oldest_published):
        begins = "is empty" if found.oldest_event is None else f"begins at {found.oldest_event:%Y-%m-%d}"
        return (
            f"the source {begins} but numbers are published from {oldest_published} on: it has been pruned, and "
            f"counting {table.table.name} in it would lower the counters"
        )
    own = deployment.settings
    # A quotient is rounded as the setting is read, so that the share which the message names is large enough.
    share = found.drift_total / found.truth_total if found.truth_total > 0 else math.inf
    if found.drift_total <= own.drift_limit_absolute or share <= own.drift_limit:
        return None
    relative, absolute = deployment.setting("drift_limit"), deployment.setting("drift_limit_absolute")
    raised = [f"{absolute} to {found.drift_total}"]
    if math.isfinite(share):
        raised.append(f"{relative} to {-(-100 * found.drift_total // found.truth_total) / 100:.2f}")
    return (
        f"the total drift of {found.drift_total} is more than {own.drift_limit:.0%} of the truth ({found.truth_total}; "
        f"{relative}) and more than {own.drift_limit_absolute} ({absolute}); look at "
        f"`community reconcile {deployment.platform.name}`, and if it is right raise {' or '.join(raised)}"
    )
