"""Withheld days: why a day was not published, and a person's decision to release it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from community_pipelines.databases.connections import Connection
from community_pipelines.quality.findings import Finding

# The measure of a finding that a file is damaged.
SEAL = "seal"


@dataclass(frozen=True)
class Withheld:
    """A day of one asset (`raw/community_events`) that an error-level expectation keeps back.

    `failures` are the findings; `content_hash` and `fingerprint` say of which content (a release counts for that
    content only). `releasable` is false where releasing cannot help: the result breaks its contract.
    """

    asset: str
    day: date
    failures: tuple[Finding, ...]
    content_hash: str
    fingerprint: str
    releasable: bool
    withheld_at: datetime
    released_by: str | None
    release_reason: str | None

    @property
    def released(self) -> bool:
        """Whether a person accepted it as it is."""
        return self.release_reason is not None

    @property
    def damage(self) -> str:
        """What is wrong with the accepted file; empty when nothing is known to be."""
        return "; ".join(str(failure.observed) for failure in self.failures if failure.column == SEAL)

    @property
    def damaged(self) -> bool:
        """Whether all that is wrong is that the accepted file is damaged: it has to be made anew."""
        return all(failure.column == SEAL for failure in self.failures)

    @property
    def why(self) -> str:
        """The reasons in a sentence."""
        return reason(self.failures)


def reason(failures: Iterable[Finding]) -> str:
    """Failed findings in a sentence: what was expected, what was seen."""
    return "; ".join(f"{f.expectation}: {f.observed} (expected {f.expected})" for f in failures)


def current(connection: Connection, platform: str) -> dict[tuple[str, date], Withheld]:
    """All days that are withheld or released and not accepted since, by asset and day."""
    rows = connection.execute(
        """
        select asset, day, failures, content_hash, source_fingerprint, releasable, withheld_at, released_by,
            release_reason
        from community.withheld_days
        where platform = %s and resolved_at is null
        order by asset, day
        """,
        (platform,),
    ).fetchall()
    found = {}
    for asset, day, failures, *rest in rows:
        found[asset, day] = Withheld(asset, day, tuple(Finding(**item) for item in failures), *rest)
    return found


def withhold(
    connection: Connection,
    platform: str,
    run_id: str,
    asset: str,
    day: date,
    failures: Sequence[Finding],
    content_hash: str,
    fingerprint: str,
    releasable: bool,
) -> None:
    """Records that a day is kept back. A release of other content than this is void."""
    connection.execute(
        """
        insert into community.withheld_days
            (platform, asset, day, run_id, content_hash, source_fingerprint, failures, releasable)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (platform, asset, day) where resolved_at is null do update set
            run_id = excluded.run_id, content_hash = excluded.content_hash,
            source_fingerprint = excluded.source_fingerprint, failures = excluded.failures,
            releasable = excluded.releasable, withheld_at = now(),
            released_at = null, released_by = null, release_reason = null
        """,
        (
            platform,
            asset,
            day,
            run_id,
            content_hash,
            fingerprint,
            json.dumps([vars(failure) for failure in failures], default=str),
            releasable,
        ),
    )


def damage(fault: str) -> Finding:
    """The finding that an accepted file is not to be believed."""
    return Finding("the file holds what was written", SEAL, "error", False, fault, "the bytes of its seal")


def record_damage(connection: Connection, platform: str, run_id: str, asset: str, day: date, fault: str) -> None:
    """Records that the accepted file of a day is damaged. What else keeps the day back, or released it, stays."""
    connection.execute(
        """
        insert into community.withheld_days as known
            (platform, asset, day, run_id, content_hash, source_fingerprint, failures, releasable)
        values (%s, %s, %s, %s, '', '', %s, false)
        on conflict (platform, asset, day) where resolved_at is null do update
            set failures = known.failures || excluded.failures
            where not known.failures @> %s
        """,
        (
            platform,
            asset,
            day,
            run_id,
            json.dumps([vars(damage(fault))]),
            json.dumps([{"column": SEAL}]),
        ),
    )


def resolve(connection: Connection, platform: str, asset: str, days: Sequence[date]) -> None:
    """Records that those days were accepted."""
    connection.execute(
        """
        update community.withheld_days set resolved_at = now()
        where platform = %s and asset = %s and day = any(%s) and resolved_at is null
        """,
        (platform, asset, list(days)),
    )


def release(connection: Connection, platform: str, day: date, by: str, reason_given: str) -> list[str]:
    """Accepts a day as it is, in every asset that keeps it back; returns those assets.

    Assets whose result breaks its contract stay withheld. The next run of the day publishes it.
    """
    rows = connection.execute(
        """
        update community.withheld_days set released_at = now(), released_by = %s, release_reason = %s
        where platform = %s and day = %s and resolved_at is null and releasable
        returning asset
        """,
        (by, reason_given, platform, day),
    ).fetchall()
    return sorted(row[0] for row in rows)


def apply_release(findings: Sequence[Finding], content_hash: str, known: Withheld | None) -> list[Finding]:
    """The findings, with failed errors as warnings where a person released them for just this content."""
    if known is None or not known.released or known.content_hash != content_hash:
        return list(findings)
    accepted = {failure.column for failure in known.failures}
    return [
        replace(f, severity="warning", expectation=f"{f.expectation} (released: {known.release_reason})")
        if f.severity == "error" and not f.success and f.column in accepted
        else f
        for f in findings
    ]
