"""What a day's rows must agree on with the rest of their source, counted by day with some of the offenders.

Here: rules in SQL that a platform declares (`Consistency`), asked in one snapshot of the source. Rules over one row
are measures of the stream; what SQL cannot say is an `Examination` of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from psycopg import sql

from community_pipelines.databases.connections import Connection, connect, retried, snapshot
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.files import day_bounds
from community_pipelines.platforms.spec import Consistency

SHOWN = 20


@dataclass(frozen=True)
class Offences:
    """How many rows of a day break a rule, and some of them as (what it is, what is wrong with it)."""

    count: int
    shown: Sequence[tuple[str, str]]


NONE = Offences(0, ())


@dataclass(frozen=True)
class Examination:
    """A rule that takes more than SQL: `look` gives every offender of a day's file, as (what it is, what is wrong)."""

    name: str
    severity: Literal["error", "warning"]
    description: str
    look: Callable[[Connection, Deployment, Path], Iterable[tuple[str, str]]]


def inconsistencies(
    deployment: Deployment, rules: Sequence[Consistency], first: date, last: date
) -> dict[str, dict[date, Offences]]:
    """By rule and UTC day from first to last, where there are any, as the source says in one snapshot."""
    if not rules:
        return {}
    start, end = day_bounds(first)[0], day_bounds(last)[1]
    names = deployment.names
    with connect(deployment.source_url, deployment.source_setting) as connection:

        def ask() -> dict[str, dict[date, Offences]]:
            with snapshot(connection):
                return {
                    rule.name: _by_day(
                        connection,
                        names.fill(rule.broken, start=f"'{start:%Y-%m-%d}+00'", end=f"'{end:%Y-%m-%d}+00'"),
                    )
                    for rule in rules
                }

        return retried(ask)


def examined(
    deployment: Deployment, examinations: Sequence[Examination], files: Mapping[date, Path]
) -> dict[str, dict[date, Offences]]:
    """By examination and day, where there are any."""
    if not examinations:
        return {}
    with connect(deployment.source_url, deployment.source_setting) as connection:
        found: dict[str, dict[date, Offences]] = {}
        for one in examinations:
            for day, path in files.items():
                offenders = list(one.look(connection, deployment, path))
                if offenders:
                    found.setdefault(one.name, {})[day] = Offences(len(offenders), offenders[:SHOWN])
        return found


def _by_day(connection: Connection, broken: str) -> dict[date, Offences]:
    rows = connection.execute(
        sql.SQL(
            """
            select (happened at time zone 'UTC')::date, count(*),
                (array_agg(subject::text order by subject::text, what))[1:{shown}],
                (array_agg(what order by subject::text, what))[1:{shown}]
            from ({broken}) as broken (happened, subject, what)
            group by 1
            """
        ).format(shown=sql.Literal(SHOWN), broken=sql.SQL(broken))
    ).fetchall()
    return {day: Offences(count, list(zip(subjects, whats, strict=True))) for day, count, subjects, whats in rows}
