"""Every kind of file that the lake keeps, verified; and the nightly sample of a platform's files.

The sample takes another part of the files every day, so that rot shows in files that nobody reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from uuid import uuid4

from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.files import Lake, LakeFile
from community_pipelines.lake.verified import Verified, fault_of, made_anew
from community_pipelines.maintenance.cold import archive_fault
from community_pipelines.models.project import model_names
from community_pipelines.platforms.spec import Platform
from community_pipelines.quality import withheld

# After so many days the turn of every file has come.
PARTS = 28
RUN_ID = "sample_verified"


def stored_fault(
    deployment: Deployment,
    lake: Lake,
    file: LakeFile,
    read: Callable[[Path, Callable[[Path, Path], str]], str] = lambda path, verifier: verifier(path, path),
) -> str:
    """What is wrong with a file and what to do; empty for a sound one, and for one that is gone by now.

    `read` calls the verifier that it is given with a name of the file that stays, and its own.
    """
    try:
        if file.kind == "cold":
            return read(file.path, lambda path, shown: archive_fault(deployment, path, shown))
        if file.kind != "dimensions" and file.day is not None:
            _, misplaced = lake.look(file.kind, deployment.platform.name, file.name, file.day)
            if misplaced:
                return misplaced
        fault = read(file.path, fault_of)
    except FileNotFoundError:
        return ""
    remedy = "the next run makes it anew" if file.day is None else made_anew(deployment.platform.name, file.day)
    return f"{fault}; {remedy}" if fault else ""


def sampled(path: Path, day: date) -> bool:
    """Whether it is that day's turn for the file, which is named below the lake's folder."""
    digest = hashlib.sha256(path.as_posix().encode()).digest()
    return int.from_bytes(digest[:8]) % PARTS == day.toordinal() % PARTS


def verify_sample(deployment: Deployment, lake: Lake, day: date) -> list[str]:
    """Verifies the files whose turn it is on that day (UTC); says of each damaged one what is wrong.

    A day whose accepted file is damaged is recorded, so that the plan asks for it again.
    """
    platform = deployment.platform
    found: list[str] = []
    with lake.staging(platform.name, f"sample-{uuid4().hex}") as folder:
        verified = Verified(folder)

        def read(path: Path, verifier: Callable[[Path, Path], str]) -> str:
            return verified.faults([path], verifier).get(path, "")

        for file in lake.everything(platform.name):
            if sampled(file.path.relative_to(lake.root), day) and (fault := stored_fault(deployment, lake, file, read)):
                found.append(fault)
                _record(deployment, file, fault)
    return found


def _record(deployment: Deployment, file: LakeFile, fault: str) -> None:
    platform = deployment.platform
    if file.day is None or file.name not in _made(platform, file.kind):
        return
    with connect(deployment.publish_url, deployment.publish_setting) as connection:
        asset = platform.asset(file.kind, file.name)
        withheld.record_damage(connection, platform.name, RUN_ID, asset, file.day, fault)


def _made(platform: Platform, kind: str) -> set[str]:
    """The names whose accepted day files of that kind a run makes."""
    if kind == "models":
        return set(model_names(platform.name))
    return {stream.name for stream in platform.streams} if kind in ("raw", "quarantine") else set()
