"""What somebody wishes a template to be, and whether a project may become one. Pure.

Not here: what its code may not do (`tsx`), and what the gallery knows of it already (`store`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from community_pipelines.settings import SnapshotSettings
from community_pipelines.snapshots import wording
from community_pipelines.snapshots.project import Finding, Project, Scene

VISIBILITIES = ("public", "unlisted")
_Tag = Annotated[str, Field(max_length=wording.MOST_TYPED["tag"])]


class Options(BaseModel):
    """Wishes for one template; what is None is taken from the project. `scenes` are positions counted from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str | None = Field(default=None, max_length=wording.MOST_TYPED["title"])
    description: str | None = Field(default=None, max_length=wording.MOST_TYPED["description"])
    tags: tuple[_Tag, ...] | None = Field(default=None, max_length=wording.MOST_TYPED_TAGS)
    category: str | None = Field(default=None, max_length=100)
    formats: tuple[str, ...] | None = None
    visibility: str | None = None
    scenes: tuple[int, ...] | None = None
    supersede: bool = False
    after_moderation: bool = False


def chosen(count: int, positions: Sequence[int] | None) -> list[int]:
    """Which of that many scenes are taken, as indexes from 0 in their new order; positions outside are left out."""
    if positions is None:
        return list(range(count))
    return [position - 1 for position in positions if 0 < position <= count]


def prepared(project: Project, options: Options) -> Project:
    """The project as it would be published: the scenes that were chosen, its texts clean."""
    scenes: tuple[Scene, ...] = tuple(project.scenes[index] for index in chosen(len(project.scenes), options.scenes))
    described = project.description if options.description is None else options.description
    category = wording.title(options.category or project.category or "")[:100]
    return replace(
        project,
        scenes=scenes,
        title=wording.title(project.title if options.title is None else options.title),
        description=wording.plain_text(described or "") or None,
        tags=wording.tags(project.tags if options.tags is None else options.tags),
        category=category or None,
        formats=tuple(dict.fromkeys(options.formats or project.formats or wording.FORMATS)),
        visibility=options.visibility or project.visibility,
    )


def objections(project: Project, options: Options, available: int, limits: SnapshotSettings) -> list[Finding]:
    """What keeps a prepared project from being published, apart from its code; `available` scenes it had."""
    label = project.title or project.key
    found = []

    def object_to(rule: str, message: str, file: str = label) -> None:
        found.append(Finding(file, rule, message))

    if not project.title:
        object_to("no-title", "the title is empty once it is cleaned: give one with --title", project.key)
    if not available:
        object_to("no-scenes", "the project has no scenes: there is nothing to publish")
    wrong = [position for position in options.scenes or () if not 0 < position <= available]
    if available and wrong:
        object_to("scene-choice", f"scenes {wrong} were chosen, but there are only 1 to {available}")
    elif options.scenes is not None and len(set(options.scenes)) < len(options.scenes):
        object_to("scene-choice", "a scene was chosen twice")
    elif available and not project.scenes:
        object_to("scene-choice", "no scene was chosen")
    if len(project.scenes) > limits.scenes_per_template:
        object_to("too-many-scenes", f"{len(project.scenes)} scenes, at most {limits.scenes_per_template} are allowed")
    for scene in project.scenes:
        if len(scene.encoded) > limits.bytes_per_scene:
            object_to(
                "scene-too-large", f"{len(scene.encoded):,} bytes, at most {limits.bytes_per_scene:,}", scene.file
            )
        if scene.duration <= 0:
            object_to("duration", f"a duration of {scene.duration} frames: at least 1 is expected", scene.file)
    if project.size > limits.bytes_per_template:
        object_to("template-too-large", f"{project.size:,} bytes of code, at most {limits.bytes_per_template:,}")
    if unknown := wording.unknown_formats(project.formats):
        object_to("format", f"unknown formats {unknown}: expected some of {', '.join(wording.FORMATS)}")
    if project.visibility not in VISIBILITIES:
        object_to("visibility", f"visibility {project.visibility!r}: expected public or unlisted")
    return found
