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

from community_pipelines.duck import first_row, parquet, session
from community_pipelines.lake.files import Kind, Lake
from community_pipelines.lake.ledger import METADATA_KEY, LakeError, Ledger
from community_pipelines.lake.writer import content_hash_sql, hash_label
from community_pipelines.platforms.deployment import Deployment
from community_pipelines.platforms.spec import Stream
from community_pipelines.settings import Settings

LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class AccountRow:
    """One UTC day of one stream. Counts are rows.

    `read` and `duplicates` are what the extract noted, `accepted` and `quarantined` (by rule) are counted in the
    files. `residue` is what is missing (negative: too much) and `fault` says why and what to do; 0 and empty for a true
    day.
    """

    platform: str
    stream: str
    day: date
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

    With `verify` every file is read to its end and its content hash compared with its ledger's, one file at a
    time; a model's file that fails adds a row named `models/<model>`, without counts. `advance` is called with
    the number of days done.
    """
    lake = Lake(settings.lake_folder)
    platform = deployment.platform.name
    rows = []
    with session(memory_limit=settings.memory_limit, threads=2) as engine:
        for stream in deployment.platform.streams:
            of_stream = []
            for day in _days(lake, platform, stream):
                of_stream.append(_day(engine, lake, platform, stream, day, verify))
                advance(1)
            if any(row.fault for row in of_stream):
                # A run replaces two files one after the other, and a file that is replaced while it is read looks
                # damaged: look again before calling it a fault.
                time.sleep(LOOK_AGAIN_SECONDS)
            rows += [_day(engine, lake, platform, stream, row.day, verify) if row.fault else row for row in of_stream]
        for name in _model_names(lake, platform) if verify else ():
            for day in lake.days("models", platform, name):
                if any(_model_day(engine, lake, platform, name, day)):
                    time.sleep(LOOK_AGAIN_SECONDS)
                    rows += _model_day(engine, lake, platform, name, day)
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


def _model_names(lake: Lake, platform: str) -> list[str]:
    folder = lake.root / "models" / platform
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def _days(lake: Lake, platform: str, stream: Stream) -> list[date]:
    # A day that models were computed for had a file once.
    places: list[tuple[Kind, str]] = [("raw", stream.name), ("quarantine", stream.name)]
    places += [("models", name) for name in _model_names(lake, platform)]
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
            quarantined = _by_rule(engine, broken.path)
        except duckdb.Error as error:
            faults.append(f"{broken.path} cannot be read ({_first_line(error)}); {_again(platform, day)}")
    # Both files of a day carry the same ledger, so either says what was read.
    ledger = next((one.ledger for one in (data, broken) if one is not None and one.ledger is not None), None)
    if data is None:
        faults.append(f"{lake.path('raw', platform, stream.name, day)} is gone; {_again(platform, day)}")
    elif ledger is not None and not faults:
        faults += _disagreement(ledger, broken, quarantined, lake.path("quarantine", platform, stream.name, day))
    if verify and not faults:
        faults += [fault for one in (data, broken) if one is not None and (fault := _content_fault(engine, one))]
    read, duplicates = (ledger.read, ledger.duplicates) if ledger is not None else (0, 0)
    accepted = data.rows if data is not None else 0
    residue = read - accepted - duplicates - sum(quarantined.values())
    if residue and not faults:
        faults.append(f"{residue} of {read} rows are not accounted for; {_again(platform, day)}")
    return AccountRow(platform, stream.name, day, read, accepted, duplicates, quarantined, residue, "; ".join(faults))


def _file(lake: Lake, kind: Kind, platform: str, name: str, day: date) -> _File | None:
    path = lake.path(kind, platform, name, day)
    try:
        ledger = lake.ledger(kind, platform, name, day)
    except LakeError as error:
        return _damaged(path, str(error))
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


def _by_rule(engine: duckdb.DuckDBPyConnection, path: Path) -> dict[str, int]:
    return dict(
        engine.execute(
            "select rule, count(*) from read_parquet(?, hive_partitioning = false) group by rule order by rule",
            [str(path)],
        ).fetchall()
    )


def _disagreement(ledger: Ledger, broken: _File | None, quarantined: dict[str, int], place: Path) -> Iterator[str]:
    again = _again(ledger.platform, ledger.day)
    if broken is None and ledger.rows_quarantined:
        yield f"{place} is gone, with {ledger.rows_quarantined} rows; {again}"
    elif broken is not None and broken.ledger is not None and broken.ledger.read_at != ledger.read_at:
        yield f"{place} was read from the source at another time than the day's file; {again}"
    elif quarantined != ledger.quarantined:
        yield f"{place} holds {quarantined} but the ledger says {ledger.quarantined}; {again}"


def _model_day(
    engine: duckdb.DuckDBPyConnection, lake: Lake, platform: str, name: str, day: date
) -> Iterator[AccountRow]:
    one = _file(lake, "models", platform, name, day)
    fault = (one.fault or _content_fault(engine, one)) if one is not None else ""
    if fault:
        yield AccountRow(platform, f"models/{name}", day, 0, 0, 0, {}, 0, fault)


def _content_fault(engine: duckdb.DuckDBPyConnection, one: _File) -> str:
    """Why the file's content is not what its ledger says; empty when it is, and when the hash cannot be compared
    because another major version of the engine made it."""
    assert one.ledger is not None
    day = (one.ledger.platform, one.ledger.day)
    again = _again(*day, "it") if one.ledger.kind == "models" else _again(*day)
    summed = content_hash_sql(pq.read_schema(one.path).names)
    try:
        found = first_row(engine, f"select count(*), {summed} from {parquet([one.path], [])}")
    except duckdb.Error as error:
        return f"{one.path} cannot be read ({_first_line(error)}); {again}"
    label, expected = hash_label(*found), one.ledger.content_hash
    # A quarantine file carries the ledger of its day, whose hash is that of the accepted rows.
    if one.ledger.kind == "quarantine" or label.partition(":")[0] != expected.partition(":")[0]:
        return ""
    if label == expected:
        return ""
    return f"{one.path} does not hold the rows that were written (hash {label}, its ledger says {expected}); {again}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _again(platform: str, day: date, what: str = "this day's raw and quarantine files") -> str:
    # A re-extracted day that equals its raw file is not written again, so that file has to make room, too.
    return f"move {what} away and run `community backfill {platform} --from {day} --to {day}`"
