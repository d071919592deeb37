"""A seal notices every bit, and files from before there were seals are known by what they hold."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from community_pipelines.lake.duck import session
from community_pipelines.lake.files import Lake
from community_pipelines.lake.ledger import METADATA_KEY, UNSEALED, LakeError, Ledger, read_ledger
from community_pipelines.lake.queries import FINGERPRINT
from community_pipelines.lake.seal import seal, verify
from community_pipelines.lake.verified import Verified, fault_of
from community_pipelines.lake.writer import schema_of, write_dimension, writing_day
from community_pipelines.models.engine import Engine
from community_pipelines.models.inputs import Inputs
from community_pipelines.models.project import load_model
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.quality.verification import PARTS, sampled
from tests.declared import COMMUNITY_EVENTS

DAY = date(2026, 1, 2)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KINDS = ("raw", "quarantine", "models", "dimensions")


def events(types: list[str], agent: str = "a browser") -> pa.RecordBatch:
    rows = len(types)
    values = {
        "id": pa.array([uuid.UUID(int=n).bytes for n in range(rows)], pa.uuid()),
        "template_id": pa.array([uuid.UUID(int=7).bytes] * rows, pa.uuid()),
        "user_id": pa.array([f"user {n}" for n in range(rows)]),
        "event_type": pa.array(types),
        "source": pa.array(["direct"] * rows),
        "project_id": pa.array([None] * rows, pa.uuid()),
        "scene_count": pa.array(range(rows), pa.int32()),
        "referrer": pa.array([None] * rows, pa.string()),
        "user_agent": pa.array([agent] * rows),
        "created_at": pa.array([NOON + timedelta(seconds=n) for n in range(rows)], pa.timestamp("us", tz="UTC")),
        FINGERPRINT: pa.array(range(rows), pa.int64()),
    }
    return pa.RecordBatch.from_pydict(values)


def write_events(lake: Lake, types: list[str], agent: str = "a browser") -> None:
    with lake.staging("bazaar", "run") as folder, writing_day(folder, COMMUNITY_EVENTS, DAY) as writer:
        writer.add(events(types, agent))
        staged = writer.finish(
            kind="raw", platform="bazaar", name="community_events", day=DAY, accepted=writer.accepted,
            read=len(types), run_id="run", code_version="0", read_at=NOON,
        )  # fmt: skip
        lake.swap(staged.data, lake.path("raw", "bazaar", "community_events", DAY))
        if staged.quarantine is not None:
            lake.swap(staged.quarantine, lake.path("quarantine", "bazaar", "community_events", DAY))


def write_all(lake: Lake) -> dict[str, Path]:
    """One file of each kind, by the real writers."""
    write_events(lake, ["view", "poke", "use", "view"])
    with lake.staging("bazaar", "models") as folder, Engine(BAZAAR, lake, "200MB", DAY, folder) as engine:
        model = load_model("bazaar", "community_metrics_daily")
        (staged,) = engine.run(model, [DAY], Inputs(BAZAAR, lake, DAY), folder, "run")
        lake.swap(staged.path, lake.path("models", "bazaar", model.name, DAY))
    (dimension,) = (one for one in BAZAAR.dimensions if one.name == "community_templates")
    schema = schema_of(tuple(dimension.table.column(name) for name in dimension.columns))
    empty = Ledger("dimensions", "bazaar", dimension.name, DAY, 0, "", "", "0", "run", NOON)
    with lake.staging("bazaar", "dimension") as folder, session(threads=1) as session_:
        write_dimension(folder / "one.parquet", schema, schema.empty_table().to_batches(), empty, session_)
        lake.swap(folder / "one.parquet", lake.dimension("bazaar", dimension.name))
    return {
        "raw": lake.path("raw", "bazaar", "community_events", DAY),
        "quarantine": lake.path("quarantine", "bazaar", "community_events", DAY),
        "models": lake.path("models", "bazaar", "community_metrics_daily", DAY),
        "dimensions": lake.dimension("bazaar", dimension.name),
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def files(lake: Lake) -> dict[str, Path]:
    return write_all(lake)


def flips(content: bytes) -> Iterator[tuple[int, int]]:
    """Positions and bits: all of those around the seal, one of many bytes elsewhere."""
    place = content.rindex(b'"seal": "')
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for at in range(len(content)):
        if place - 2 <= at < place + 12:
            yield from ((at, bit) for bit in range(8))
        elif at % (7 if 4 <= at < footer else 2) == 0 or at >= len(content) - 8:
            yield at, at // 2 % 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_flipped_bit_is_noticed_wherever_it_is(files: dict[str, Path], kind: str) -> None:
    path = files[kind]
    assert fault_of(path) == ""
    assert len(read_ledger(path).seal) == len(UNSEALED)
    whole = path.read_bytes()
    unnoticed = []
    for at, bit in flips(whole):
        content = bytearray(whole)
        content[at] ^= 1 << bit
        path.write_bytes(content)
        if not fault_of(path):
            unnoticed.append((at, bit))
    assert unnoticed == []
    path.write_bytes(whole)
    assert fault_of(path) == ""


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[:-20],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"",
        lambda whole: whole + b"\0",
        lambda whole: whole + whole,
        lambda whole: b"\0" + whole,
    ],
    ids=["a byte short", "truncated", "half", "empty", "a byte more", "twice", "shifted"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_shorter_or_longer_is_named(
    files: dict[str, Path], kind: str, spoil: Callable[[bytes], bytes]
) -> None:
    path = files[kind]
    path.write_bytes(spoil(path.read_bytes()))
    assert fault_of(path).startswith(str(path))


def test_a_seal_survives_another_name_a_link_and_a_copy(files: dict[str, Path], tmp_path: Path) -> None:
    for kind, path in files.items():
        others = [tmp_path / f"{kind}-{how}.parquet" for how in ("copied", "linked", "renamed")]
        shutil.copy(path, others[0])
        os.link(path, others[1])
        path.rename(others[2])
        assert all(verify(other) for other in others)


def test_rows_that_look_like_a_seal_do_not_keep_a_day_from_being_sealed(lake: Lake) -> None:
    write_events(lake, ["view", "use"], agent=f'"seal": "{UNSEALED}"')
    path = lake.path("raw", "bazaar", "community_events", DAY)
    assert path.read_bytes().count(b'"seal": "') > 1, "the statistics hold what was written"
    assert fault_of(path) == ""


def test_a_file_without_a_place_for_its_seal_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(LakeError, match="has not just one place for its seal"):
        seal(path)


def before(path: Path, change: Callable[[pa.Table], pa.Table] = lambda rows: rows) -> None:
    """The file as it was written before there were seals: by its rows, with a ledger that knows of none."""
    rows, ledger = pq.read_table(path, partitioning=None), replace(read_ledger(path), seal="")
    text = json.loads(ledger.to_metadata()[METADATA_KEY.decode()])
    text.pop("seal")
    with pq.ParquetWriter(path, rows.schema) as writer:
        writer.write_table(change(rows))
        writer.add_key_value_metadata({METADATA_KEY.decode(): json.dumps(text, sort_keys=True)})


@pytest.mark.parametrize("kind", ["raw", "quarantine", "models"])
def test_a_file_from_before_is_believed_when_it_holds_what_its_ledger_says(files: dict[str, Path], kind: str) -> None:
    before(files[kind])
    assert read_ledger(files[kind]).seal == ""
    assert fault_of(files[kind]) == ""


@pytest.mark.parametrize("kind", ["raw", "models"])
def test_a_file_from_before_that_holds_other_rows_is_named(files: dict[str, Path], kind: str) -> None:
    before(files[kind], lambda rows: pa.concat_tables([rows.slice(1), rows.slice(1, 1)]))
    assert f"{files[kind]} does not hold the rows that were written" in fault_of(files[kind])


def test_a_quarantine_file_from_before_is_compared_by_its_counts_by_rule(files: dict[str, Path]) -> None:
    path = files["quarantine"]
    at = pq.read_schema(path).get_field_index("rule")
    before(path, lambda rows: rows.set_column(at, "rule", pa.array(["missing_id"])))
    assert f"{path} holds {{'missing_id': 1}} by rule" in fault_of(path)


def test_a_dimension_from_before_has_no_ledger_and_is_read(files: dict[str, Path]) -> None:
    path = files["dimensions"]
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    assert fault_of(path) == ""
    path.write_bytes(path.read_bytes()[:-20])
    assert "is no complete Parquet file" in fault_of(path)


def test_a_day_file_without_a_ledger_is_not_believed(files: dict[str, Path]) -> None:
    pq.write_table(pq.read_table(files["raw"], partitioning=None), files["raw"])
    assert "has no ledger in its footer" in fault_of(files["raw"])


def test_a_file_is_verified_once_for_a_run_and_again_when_it_is_replaced(
    files: dict[str, Path], lake: Lake, tmp_path: Path
) -> None:
    verified = Verified(lake.root / "pins")
    read: list[Path] = []

    def verifier(path: Path, shown: Path) -> str:
        read.append(shown)
        return fault_of(path, shown)

    for _ in range(3):
        verified.pinned([files["raw"], files["models"]], verifier)
    assert sorted(read) == sorted([files["raw"], files["models"]])
    shutil.copy(files["raw"], tmp_path / "new")
    (tmp_path / "new").replace(files["raw"])
    verified.pinned([files["raw"], files["models"]], verifier)
    assert read[2:] == [files["raw"]]


def test_every_file_has_its_turn_in_the_sample_once_in_four_weeks() -> None:
    paths = [Path(f"raw/bazaar/community_events/day={DAY + timedelta(days=n)}/data.parquet") for n in range(600)]
    turns = {path: [n for n in range(PARTS) if sampled(path, DAY + timedelta(days=n))] for path in paths}
    assert all(len(found) == 1 for found in turns.values())
    assert all(sampled(path, DAY + timedelta(days=PARTS + turns[path][0])) for path in paths)
    assert len({found[0] for found in turns.values()}) == PARTS
