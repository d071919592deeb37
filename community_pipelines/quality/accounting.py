"""Every row is accounted for: read = accepted + duplicates + quarantined, counted from the lake's files.

Counts come from the files themselves, not from what a ledger says of them, so that a lost or damaged file shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.duck import session
from community_pipelines.lake.files import Kind, Lake
from community_pipelines.lake.ledger import METADATA_KEY, Ledger
from community_pipelines.lake.verified import counts_by_rule, fault_of, made_anew
from community_pipelines.platforms.spec import Stream
from community_pipelines.quality.verification import stored_fault
from community_pipelines.settings import Settings

LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class AccountRow:
    """One UTC day of one stream, or a damaged file of another kind. Counts are rows.

    `read` and `duplicates` are what the extract noted, `accepted` and `quarantined` (by rule) are counted in the
    files. `residue` is what is missing (negative: too much) and `fault` says why and what to do; 0 and empty for a true
    day.
    """

    platform: str
    stream: str
    day: date | None
    read: int
    accepted: int
    duplicates: int
    quarantined: dict[str, int]
    residue: int
    fault: str


@dataclass(frozen=True)
class _File:
    """What one day file holds; `ledger` is None where its footer cannot be read."""

    path: Path
    ledger: Ledger | None
    rows: int
    fault: str


def account(
    settings: Settings,
    deployment: Deployment,
    verify: bool = False,
    advance: Callable[[int], None] = lambda files: None,
) -> list[AccountRow]:
    """The days of every stream, ascending; needs no database.

    With `verify` the bytes of every file are verified, one file at a time. A file that fails and is no day file of a
    stream adds a row without counts, named by its kind (`models/<model>`, `dimensions/<dimension>`); only an archive
    from before there were seals needs the database. `advance` is called with the number of days or files done.
    """
    lake = Lake(settings.lake_folder)
    platform = deployment.platform.name
    rows = []
    with session(memory_limit=settings.memory_limit, threads=2) as engine:
        for stream in deployment.platform.streams:
            of_stream = {}
            for day in _days(lake, platform, stream):
                of_stream[day] = _day(engine, lake, platform, stream, day, verify)
                advance(1)
            if any(row.fault for row in of_stream.values()):
                # A run replaces two files one after the other, and a file that is replaced while it is read looks
                # damaged: look again before calling it a fault.
                time.sleep(LOOK_AGAIN_SECONDS)
            for day, row in of_stream.items():
                rows.append(_day(engine, lake, platform, stream, day, verify) if row.fault else row)
        for file in lake.everything(platform) if verify else ():
            if file.kind not in ("raw", "quarantine"):
                if stored_fault(deployment, lake, file):
                    time.sleep(LOOK_AGAIN_SECONDS)
                if fault := stored_fault(deployment, lake, file):
                    rows.append(AccountRow(platform, f"{file.kind}/{file.name}", file.day, 0, 0, 0, {}, 0, fault))
                advance(1)
    return rows


def without_day(settings: Settings, deployment: Deployment) -> dict[str, dict[str, int]]:
    """By stream the rows of its table that belong to no day, as its newest extract found them; only where there are
    any. No day's account has them."""
    lake = Lake(settings.lake_folder)
    platform = deployment.platform
    found = {}
    for stream in platform.streams:
        ledgers = (
            _file(lake, "raw", platform.name, stream.name, day) for day in lake.days("raw", platform.name, stream.name)
        )
        read = [one.ledger for one in ledgers if one is not None and one.ledger is not None]
        newest = max(read, key=lambda ledger: ledger.read_at, default=None)
        if newest is not None and (counts := newest.measures.get("without_day")):
            found[stream.name] = counts
    return found


def _days(lake: Lake, platform: str, stream: Stream) -> list[date]:
    # A day that models were computed for had a file once.
    places: list[tuple[Kind, str]] = [("raw", stream.name), ("quarantine", stream.name)]
    places += [("models", name) for name in lake.names("models", platform)]
    return sorted({day for kind, name in places for day in lake.days(kind, platform, name)})


def _day(
    engine: duckdb.DuckDBPyConnection, lake: Lake, platform: str, stream: Stream, day: date, verify: bool
) -> AccountRow:
    data = _file(lake, "raw", platform, stream.name, day)
    broken = _file(lake, "quarantine", platform, stream.name, day)
    faults = [one.fault for one in (data, broken) if one is not None and one.fault]
    quarantined: dict[str, int] = {}
    if broken is not None and not broken.fault:
        try:
            quarantined = counts_by_rule(engine, broken.path)
        except duckdb.Error as error:
            faults.append(f"{broken.path} cannot be read ({_first_line(error)}); {made_anew(platform, day)}")
    # Both files of a day carry the same ledger, so either says what was read.
    ledger = next((one.ledger for one in (data, broken) if one is not None and one.ledger is not None), None)
    if data is None:
        faults.append(f"{lake.path('raw', platform, stream.name, day)} is gone; {made_anew(platform, day)}")
    elif ledger is not None and not faults:
        faults += _disagreement(ledger, broken, quarantined, lake.path("quarantine", platform, stream.name, day))
    if verify and not faults:
        found = [fault_of(one.path) for one in (data, broken) if one is not None]
        faults += [f"{fault}; {made_anew(platform, day)}" for fault in found if fault]
    read, duplicates = (ledger.read, ledger.duplicates) if ledger is not None else (0, 0)
    accepted = data.rows if data is not None else 0
    residue = read - accepted - duplicates - sum(quarantined.values())
    if residue and not faults:
        faults.append(f"{residue} of {read} rows are not accounted for; {made_anew(platform, day)}")
    return AccountRow(platform, stream.name, day, read, accepted, duplicates, quarantined, residue, "; ".join(faults))


def _file(lake: Lake, kind: Kind, platform: str, name: str, day: date) -> _File | None:
    path = lake.path(kind, platform, name, day)
    ledger, fault = lake.look(kind, platform, name, day)
    if fault:
        return _damaged(path, fault)
    if ledger is None:
        return None
    return _File(path, ledger, ledger.rows_quarantined if kind == "quarantine" else ledger.accepted, "")


def _damaged(path: Path, fault: str) -> _File:
    try:
        footer = pq.read_metadata(path)
        ledger = Ledger.from_json((footer.metadata or {})[METADATA_KEY])
    except Exception:  # whatever is wrong with the file, the fault says it already
        return _File(path, None, 0, fault)
    return _File(path, ledger, footer.num_rows, fault)


def _disagreement(ledger: Ledger, broken: _File | None, quarantined: dict[str, int], place: Path) -> Iterator[str]:
    again = made_anew(ledger.platform, ledger.day)
    if broken is None and ledger.rows_quarantined:
        yield f"{place} is gone, with {ledger.rows_quarantined} rows; {again}"
    elif broken is not None and broken.ledger is not None and broken.ledger.read_at != ledger.read_at:
        yield f"{place} was read from the source at another time than the day's file; {again}"
    elif quarantined != ledger.quarantined:
        yield f"{place} holds {quarantined} but the ledger says {ledger.quarantined}; {again}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
