"""What became of each project of a run, for people and for programs. Data only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from community_pipelines.snapshots.exports import Unreadable
from community_pipelines.snapshots.project import Finding, Project
from community_pipelines.snapshots.store import Written

Status = Literal["created", "unchanged", "rejected"]
STATUSES: tuple[Status, ...] = ("created", "unchanged", "rejected")


@dataclass(frozen=True)
class Outcome:
    """What became of one project. `findings` are errors when it was rejected, else warnings.

    `template_id` and `slug` are those of the template that has this content, also in a dry run, where `created`
    means that it would be.
    """

    project: str
    title: str
    status: Status
    findings: tuple[Finding, ...] = ()
    note: str = ""
    template_id: str | None = None
    slug: str | None = None
    version: int | None = None
    scenes: int = 0
    bytes: int = 0
    content_hash: str | None = None
    code_hashes: tuple[str, ...] = ()


def as_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome for a program."""
    return json.loads(json.dumps({**vars(outcome), "findings": [vars(one) for one in outcome.findings]}))  # type: ignore[no-any-return]


def described(project: Project, status: Status, findings: Sequence[Finding], **more: Any) -> Outcome:
    """What became of a project whose scenes are known; `more` are the fields that are not the project's own."""
    hashes = tuple(scene.code_hash for scene in project.scenes)
    return Outcome(
        project.key, project.title, status, tuple(findings), scenes=len(project.scenes), bytes=project.size,
        content_hash=project.content_hash, code_hashes=hashes, **more,
    )  # fmt: skip


def carried_out(project: Project, written: Written, findings: Sequence[Finding]) -> Outcome:
    """What the store did with a project, and what was found in it."""
    decision = written.decision
    version = decision.same.version if decision.same else decision.version or None
    return described(
        project, decision.status, (*findings, *decision.findings), note=decision.note,
        template_id=written.template_id, slug=written.slug, version=version,
    )  # fmt: skip


def rejected(key: str, *findings: Finding, title: str = "") -> Outcome:
    """A project that was refused before its scenes were looked at."""
    return Outcome(key, title, "rejected", findings)


def unreadable(one: Unreadable) -> Outcome:
    """An export that is no project."""
    return Outcome(one.label, "", "rejected", one.findings)


def wrong_options(key: str, error: ValidationError) -> Outcome:
    """A request that asks for what there is not."""
    faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return rejected(key, Finding(key, "options", f"the request's options are wrong: {faults}"))


def owner_missing(title: str, owner: str) -> Finding:
    """The finding for a project of nobody."""
    return Finding(title, "owner-missing", f"its owner {owner!r} is not among the users: the account was deleted")
