"""What the last thorough comparison with the source found, and when: a look at the lake need not compare again.

One small file for each platform, beside its day files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from community_pipelines.lake.files import Lake
from community_pipelines.lake.ledger import writing_to

Fingerprint = tuple[int, int]


@dataclass(frozen=True)
class Compared:
    """All closed days of a platform were compared at that moment (the source's clock, UTC).

    `late` has by stream the days whose rows differed, with the fingerprint that the source had then.
    """

    at: datetime
    late: Mapping[str, Mapping[date, Fingerprint]] = field(default_factory=dict)


def remember_comparison(lake: Lake, platform: str, compared: Compared) -> None:
    """Keeps it in the place of the one before. Raises LakeError when the lake cannot be written."""
    path = lake.compared(platform)
    late = {stream: {str(day): list(print_) for day, print_ in days.items()} for stream, days in compared.late.items()}
    what = f"what was found late in {platform}"
    with writing_to(path.parent, what), lake.staging(platform, f"compared-{uuid4().hex}") as folder:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder / path.name
        unfinished.write_text(json.dumps({"at": compared.at.isoformat(), "late": late}))
        unfinished.replace(path)


def last_comparison(lake: Lake, platform: str) -> Compared | None:
    """The newest comparison; None when there was none, or when its file is not to be read."""
    try:
        return _read(lake.compared(platform))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(path: Path) -> Compared:
    data = json.loads(path.read_text())
    late = {
        str(stream): {date.fromisoformat(day): (int(rows), int(xor)) for day, (rows, xor) in days.items()}
        for stream, days in data["late"].items()
    }
    return Compared(datetime.fromisoformat(data["at"]), late)
