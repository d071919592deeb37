"""The gallery's side: what it knows of a project, and the one transaction that adds a template.

A scene's row is never updated or deleted here. What is decided is pure (`decide`); what is written is decided
again under the owner's lock, so that two jobs at once make one template.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg import errors, sql
from psycopg.types.json import Jsonb

from community_pipelines.databases.connections import Connection, retried, writing
from community_pipelines.databases.deployment import Deployment, Names
from community_pipelines.databases.inspect import default_of, found_in
from community_pipelines.platforms.spec import Snapshots
from community_pipelines.snapshots import wording
from community_pipelines.snapshots.options import Options
from community_pipelines.snapshots.project import Finding, Project

Reason = Literal["superseded", "moderated"]
# A template's id follows from what it is, so that a run that was killed and made again makes the same one.
_NAMESPACE = uuid.UUID("6f4c1a2e-6b0e-5f43-9d0c-3d7c1f0f2a55")
_ATTEMPTS = 8


@dataclass(frozen=True)
class Version:
    """One template that was made of a project. `status` is None when the app has deleted the template."""

    template_id: str
    version: int
    content_hash: str
    disabled_reason: Reason | None
    status: str | None
    slug: str | None

    @property
    def moderated(self) -> bool:
        """Whether somebody hid or deleted it who was not us."""
        hidden = self.status == "disabled" and self.disabled_reason is None
        return self.status is None or hidden or self.disabled_reason == "moderated"


@dataclass(frozen=True)
class Known:
    """What the gallery knows: a project's versions, oldest first, and its owner's templates of this UTC day."""

    versions: Sequence[Version] = ()
    of_owner_today: int = 0


@dataclass(frozen=True)
class Decision:
    """What is to be done with a project.

    `same` is the version that has this content already; `enable` whether it is to be shown again; `disable` are
    templates that a new or enabled one takes the place of. `note` is for people.
    """

    status: Literal["created", "unchanged", "rejected"]
    findings: tuple[Finding, ...] = ()
    same: Version | None = None
    version: int = 0
    enable: bool = False
    disable: tuple[str, ...] = ()
    note: str = ""

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return self.status == "created" or self.enable or bool(self.disable)


@dataclass(frozen=True)
class Written:
    """A decision as it was carried out."""

    decision: Decision
    template_id: str | None = None
    slug: str | None = None


def decide(label: str, content: str, known: Known, options: Options, a_day: int) -> Decision:
    """What becomes of a project with that content, by what is known. Pure."""
    same = next((one for one in known.versions if one.content_hash == content), None)
    moderated = [one for one in known.versions if one.moderated]
    others = tuple(one.template_id for one in known.versions if one is not same and one.status == "active")
    disable = others if options.supersede else ()
    if same is not None and same.moderated:
        if not options.after_moderation:
            return Decision("unchanged", same=same, note="its template was hidden or deleted by a moderator")
        return Decision("unchanged", same=same, enable=True, disable=disable, note="enabled again")
    if same is not None:
        enable = options.supersede and same.status == "disabled"
        return Decision("unchanged", same=same, enable=enable, disable=disable, note="enabled again" if enable else "")
    if moderated and not options.after_moderation:
        message = (
            f"version {moderated[-1].version} was hidden or deleted by a moderator: publish with --after-moderation"
        )
        return Decision("rejected", (Finding(label, "moderated", message),))
    if known.of_owner_today >= a_day:
        message = f"its owner has {known.of_owner_today} new templates today, at most {a_day} are allowed: try tomorrow"
        return Decision("rejected", (Finding(label, "owner-limit", message),))
    version = max((one.version for one in known.versions), default=0) + 1
    return Decision("created", version=version, disable=disable)


@dataclass(frozen=True)
class Store:
    """The gallery's tables as they are in one database: their names, which columns, and the app's preview frame."""

    declared: Snapshots
    names: Names
    preview_frame: int
    _texts: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Connection, deployment: Deployment) -> Store:
        """The gallery of that database, which is asked for what it has; its tables have to be there."""
        declared = deployment.snapshots
        default = default_of(connection, deployment, declared.template_scenes, "preview_frame")
        frame = declared.preview_frame if default is None else int(default)
        return cls(declared, found_in(connection, deployment).names, frame)

    def known(self, connection: Connection, keys: Sequence[str]) -> dict[str, list[Version]]:
        """The versions of each project that has any."""
        rows = connection.execute(self._statement("known"), (list(keys),)).fetchall()
        found: dict[str, list[Version]] = {}
        for key, template, *rest in rows:
            found.setdefault(key, []).append(Version(str(template), *rest))
        return found

    def publish(
        self,
        connection: Connection,
        project: Project,
        options: Options,
        a_day: int,
        warnings: Sequence[Finding],
        run_id: str,
    ) -> Written:
        """Decides under the owner's lock, and writes it: template, scenes and version together or not at all."""
        longer = 0

        def transaction() -> Written:
            # A backend keeps its plans of foreign keys. One that was made while the gallery was nearly empty would
            # scan the whole table for every scene of a run that fills it.
            with connection.pipeline(), writing(connection, f"snapshots:{project.owner}", enable_seqscan="off"):
                return self._write(connection, project, options, a_day, warnings, run_id, longer)

        for _ in range(_ATTEMPTS):
            try:
                return retried(transaction)
            except errors.UniqueViolation as error:
                # The slug is another template's; anything else was written meanwhile, and is seen the next time.
                longer += error.diag.table_name == self.names.parts(self.declared.templates)[1]
            except errors.ForeignKeyViolation:
                message = "its owner, the project or a scene of it was deleted meanwhile: nothing was written"
                finding = Finding(project.title, "source-gone", message)
                return Written(Decision("rejected", (finding,)))
            except (errors.DataError, errors.ProgramLimitExceeded) as error:
                # A column of the app is narrower than ours, or a key is too large for an index.
                message = f"the database does not take it: {error.diag.message_primary}"
                return Written(Decision("rejected", (Finding(project.title, "not-taken", message),)))
        finding = Finding(
            project.title, "busy", f"not written in {_ATTEMPTS} attempts: others write it, too; try again"
        )
        return Written(Decision("rejected", (finding,)))

    def _write(
        self,
        connection: Connection,
        project: Project,
        options: Options,
        a_day: int,
        warnings: Sequence[Finding],
        run_id: str,
        longer: int,
    ) -> Written:
        asked = (slug_of(project, 1), project.owner, project.key)
        rows = connection.execute(self._statement("of_project"), asked).fetchall()
        today, taken = rows[0][:2]
        versions = [Version(str(row[2]), *row[3:]) for row in rows if row[2] is not None]
        decision = decide(project.title, project.content_hash, Known(versions, today), options, a_day)
        # Most titles that are taken are seen here; of two that come at once, one hits the table's unique slugs.
        longer = max(longer, int(taken and decision.version == 1))
        same = decision.same
        template, slug = (same.template_id, same.slug) if same else (template_id(project), None)
        if decision.status == "created" or (decision.enable and same is not None and same.status is None):
            slug = slug_of(project, decision.version or (same.version if same else 1), longer)
            added = _added(project, template, slug, self.preview_frame)
            if decision.status == "created":
                notes = Jsonb([vars(one) for one in warnings])
                added |= {"version": decision.version, "content": project.content_hash, "key": project.key,
                          "scenes": len(project.scenes), "bytes": project.size, "findings": notes,
                          "run": run_id}  # fmt: skip
                connection.execute(self._adding("created", len(project.scenes)), added)
            else:
                connection.execute(self._adding("template", len(project.scenes)), added)
        if decision.enable:
            connection.execute(self._statement("status"), ("active", [template]))
            connection.execute(self._statement("reason"), (None, None, [template]))
        if decision.disable:
            connection.execute(self._statement("status"), ("disabled", list(decision.disable)))
            connection.execute(self._statement("reason"), ("superseded", "superseded", list(decision.disable)))
        return Written(decision, None if decision.status == "rejected" else template, slug)

    def note_moderation(self, connection: Connection, versions: Sequence[Version]) -> None:
        """Keeps the reason of templates that somebody else disabled or deleted."""
        unnoted = [one.template_id for one in versions if one.moderated and one.disabled_reason is None]
        if unnoted:
            connection.execute(self._statement("reason"), ("moderated", "moderated", unnoted))

    def _statement(self, name: str) -> bytes:
        if name not in self._texts:
            self._texts[name] = sql.SQL(_STATEMENTS[name]).format(**self._fields()).as_bytes()
        return self._texts[name]

    def _adding(self, name: str, scenes: int) -> bytes:
        # A row of values for each scene: psycopg takes five arrays apart in Python, which costs more than all the rest.
        row = f"({', '.join(_SCENE_VALUES[name] for name in self._scene_columns)})"
        rows = ", ".join(row.format(number) for number in range(scenes))
        return self._statement(name).replace(b"/* scenes */", rows.encode())

    @property
    def _scene_columns(self) -> list[str]:
        return [one.name for one in self.names.present(self.declared.template_scenes) if one.name in _SCENE_VALUES]

    def _fields(self) -> dict[str, Any]:
        templates, scenes = self.declared.templates, self.declared.template_scenes
        fields: dict[str, Any] = {"templates": self.names.table(templates), "scenes": self.names.table(scenes)}
        fields |= {f"template_{c.name}": self.names.column(templates, c.name) for c in templates.columns}
        added = (self.names.column(scenes, name) for name in self._scene_columns)
        fields["scene_columns"] = sql.SQL(", ").join(added)
        return fields


def _added(project: Project, template: str, slug: str, preview_frame: int) -> dict[str, Any]:
    """What the statement that adds a template takes."""
    scenes = {
        f"{name}_{number}": value
        for number, scene in enumerate(project.scenes)
        for name, value in (
            ("title", scene.name),
            ("code", scene.code),
            ("duration", scene.duration),
            ("preview", scene.preview_frame(preview_frame)),
            ("hash", scene.code_hash),
            ("source", scene.scene_id),
        )
    }
    return {
        **scenes,
        "id": template,
        "slug": slug,
        "title": project.title,
        "description": project.description,
        "owner": project.owner,
        "project": project.project_id,
        "formats": json.dumps(list(project.formats)),
        "tags": json.dumps(list(project.tags)),
        "category": project.category,
        "visibility": project.visibility,
    }


def template_id(project: Project) -> str:
    """The id of the template that a project with this content becomes."""
    return str(uuid.uuid5(_NAMESPACE, f"{project.key}\n{project.content_hash}"))


def slug_of(project: Project, version: int, longer: int = 0) -> str:
    """The slug: the title, the version from the second on, and where another has it some digits of the id."""
    parts = [wording.slug(project.title)]
    if version > 1:
        parts.append(f"v{version}")
    if longer:
        parts.append(template_id(project).replace("-", "")[: 4 + 4 * longer])
    return "-".join(parts)


_ADD_TEMPLATE = """
with template as (
    insert into {templates} (
        {template_id}, {template_slug}, {template_title}, {template_description}, {template_owner_user_id},
        {template_source_project_id}, {template_supported_formats}, {template_tags}, {template_category},
        {template_visibility}, {template_status}
    )
    values (
        %(id)s, %(slug)s, %(title)s, %(description)s, %(owner)s, %(project)s, %(formats)s::jsonb,
        %(tags)s::jsonb, %(category)s, %(visibility)s, 'active'
    )
)
/* version */
insert into {scenes} ({scene_columns})
values /* scenes */
"""
# What is written of the scene with that number; the row's own id is the database's.
_SCENE_VALUES = {
    "template_id": "%(id)s",
    "scene_index": "{0}",
    "title": "%(title_{0})s",
    "tsx_code": "%(code_{0})s",
    "duration": "%(duration_{0})s",
    "preview_frame": "%(preview_{0})s",
    "code_hash": "%(hash_{0})s",
    "source_scene_id": "%(source_{0})s",
}

_ADD_VERSION = """
, version as (
    insert into community.template_versions (
        template_id, project_key, version, content_hash, owner_user_id, scenes, bytes, findings, run_id
    )
    values (
        %(id)s, %(key)s, %(version)s, %(content)s, %(owner)s, %(scenes)s, %(bytes)s, %(findings)s, %(run)s
    )
)
"""

_STATEMENTS = {
    "known": """
        select version.project_key, version.template_id, version.version, version.content_hash,
            version.disabled_reason, template.{template_status}, template.{template_slug}
        from community.template_versions as version
        left join {templates} as template on template.{template_id} = version.template_id
        where version.project_key = any(%s)
        order by version.project_key, version.version
    """,
    "of_project": """
        select today.templates, exists (select from {templates} where {template_slug} = %s) as slug_taken,
            version.template_id, version.version, version.content_hash, version.disabled_reason,
            template.{template_status}, template.{template_slug}
        from (
            select count(*) as templates
            from community.template_versions
            where owner_user_id = %s
                and created_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'
        ) as today
        left join community.template_versions as version on version.project_key = %s
        left join {templates} as template on template.{template_id} = version.template_id
        order by version.version
    """,
    "template": _ADD_TEMPLATE.replace("/* version */", ""),
    "created": _ADD_TEMPLATE.replace("/* version */", _ADD_VERSION),
    "status": """
        update {templates}
        set {template_status} = %s, {template_updated_at} = now()
        where {template_id} = any(%s::uuid[])
    """,
    "reason": """
        update community.template_versions
        set disabled_reason = %s, disabled_at = case when %s::text is not null then now() end
        where template_id = any(%s::uuid[])
    """,
}
