"""What is published: a project with its scenes, and what is found wrong with it. Data only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, at a place that a person can go to.

    `file` is a file's name, or `scene 3 (Intro)` of a project; `line` and `column` count from 1, the column in
    characters, and are None for what concerns the whole. An `error` rejects the template, a `warning` is recorded.
    """

    file: str
    rule: str
    message: str
    severity: Severity = "error"
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Scene:
    """One scene: `code` is what the source holds, character for character; `duration` is in frames.

    `scene_id` is the id of the app's scene; None for a scene of an export, which was copied from a file.
    """

    file: str
    name: str | None
    code: str
    duration: int
    scene_id: str | None = None

    @cached_property
    def encoded(self) -> bytes:
        """The exact UTF-8 bytes of the code."""
        return self.code.encode()

    @cached_property
    def code_hash(self) -> str:
        """SHA-256 of the UTF-8 bytes of the code, as 64 hexadecimal digits."""
        return hashlib.sha256(self.encoded).hexdigest()

    def preview_frame(self, default: int) -> int:
        """The frame that is shown of it: the app's default, or the last one of a scene that ends before it."""
        return max(0, min(default, self.duration - 1))


@dataclass(frozen=True)
class Project:
    """A project as it is published. `key` is its id, or a name made of owner and title where it has none.

    `scenes` are in the project's order. `tags`, `category`, `formats` and `visibility` are as they were asked for;
    `description` and `category` are None when there is none. `warnings` are what was noticed while it was read.
    """

    key: str
    project_id: str | None
    owner: str | None
    title: str
    scenes: tuple[Scene, ...]
    description: str | None = None
    tags: tuple[str, ...] = ()
    category: str | None = None
    formats: tuple[str, ...] = ()
    visibility: str = "public"
    warnings: tuple[Finding, ...] = ()

    @cached_property
    def content_hash(self) -> str:
        """What makes two snapshots the same: code hashes, order and durations, wherever they were copied from."""
        return content_hash([(scene.code_hash, scene.duration) for scene in self.scenes])

    @property
    def size(self) -> int:
        """Bytes of all code."""
        return sum(len(scene.encoded) for scene in self.scenes)


def content_hash(scenes: Sequence[tuple[str, int]]) -> str:
    """SHA-256 of `hash:duration` of every scene in order, joined by commas."""
    return hashlib.sha256(",".join(f"{code}:{duration}" for code, duration in scenes).encode()).hexdigest()
