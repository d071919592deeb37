"""Projects and their scenes as the app holds them, read a page at a time.

A page is first read without its code, with hashes that PostgreSQL computes: what is published already is never
carried out of the database. Not here: export files (`exports`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from community_pipelines.databases.connections import Connection
from community_pipelines.databases.deployment import Names
from community_pipelines.snapshots.project import Project, Scene

# A page's digests are a few hundred bytes each.
PAGE = 500

_DIGESTS = """
select project.{projects.id}::text, project.{projects.userId}, project.{projects.title}, owner.{users.id} is not null,
    scenes.names, scenes.durations, scenes.bytes, scenes.hashes
from {projects} as project
left join {users} as owner on owner.{users.id} = project.{projects.userId}
cross join lateral (
    select
        coalesce(array_agg({scenes.name}::text order by {scenes.order}, {scenes.id}), '{{}}') as names,
        coalesce(array_agg({scenes.duration} order by {scenes.order}, {scenes.id}), '{{}}') as durations,
        coalesce(array_agg(octet_length({scenes.tsxCode}) order by {scenes.order}, {scenes.id}), '{{}}') as bytes,
        coalesce(
            array_agg(
                case when project.{projects.id} = any(%(published)s)
                    then encode(sha256(convert_to({scenes.tsxCode}, 'UTF8')), 'hex') else '' end
                order by {scenes.order}, {scenes.id}
            ),
            '{{}}'
        ) as hashes
    from {scenes}
    where {scenes.projectId} = project.{projects.id}
) as scenes
where project.{projects.id} = any(%(wanted)s)
"""

_CHANGED = """
select {projects.id}
from {projects} as project
where {projects.id} > %(after)s and (
    {projects.updatedAt} >= %(since)s
    or exists (
        select from {scenes}
        where {scenes.projectId} = project.{projects.id} and {scenes.updatedAt} >= %(since)s
    )
)
order by {projects.id}
limit %(page)s
"""

_SCENES = """
select {scenes.projectId}::text, {scenes.name}::text, {scenes.duration}, {scenes.tsxCode}, {scenes.id}::text
from {scenes}
where {scenes.projectId} = any(%s)
order by {scenes.projectId}, {scenes.order}, {scenes.id}
"""


@dataclass(frozen=True)
class Digest:
    """A project without its code: what its scenes are called, how long they are, their bytes and hashes.

    The hashes are empty where there is no template to compare them with; the bytes are as the database holds them.
    """

    project_id: str
    owner: str
    title: str
    owner_exists: bool
    names: tuple[str | None, ...]
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    hashes: tuple[str, ...]


def changed_since(connection: Connection, names: Names, since: datetime) -> Iterator[list[str]]:
    """Pages of ids of the projects that changed, or one of whose scenes did, at that time or later."""
    query = names.fill(_CHANGED)
    after = uuid.UUID(int=0)
    while True:
        rows = connection.execute(query, {"after": after, "since": since, "page": PAGE}).fetchall()
        if rows:
            yield [str(row[0]) for row in rows]
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def digests(connection: Connection, names: Names, ids: Sequence[str], published: Collection[str]) -> dict[str, Digest]:
    """The projects of those ids that exist, by id. Ids that are no UUIDs are nobody's.

    Only of the `published` ones is the code read, to be hashed.
    """
    values = {"wanted": _uuids(ids), "published": _uuids(published)}
    rows = connection.execute(names.fill(_DIGESTS), values).fetchall()
    return {row[0]: Digest(*row[:4], *(tuple(column) for column in row[4:])) for row in rows}


def projects(connection: Connection, names: Names, found: Sequence[Digest]) -> list[Project]:
    """The same projects with their code as it is now, in the same order."""
    scenes: dict[str, list[Scene]] = {one.project_id: [] for one in found}
    for key, name, duration, code, scene_id in connection.execute(
        names.fill(_SCENES), ([uuid.UUID(one.project_id) for one in found],)
    ):
        label = f"scene {len(scenes[key]) + 1}" + (f" ({name})" if name else "")
        scenes[key].append(Scene(label, name, code, duration, scene_id))
    return [
        Project(one.project_id, one.project_id, one.owner, one.title, tuple(scenes[one.project_id])) for one in found
    ]


def _uuids(ids: Iterable[str]) -> list[uuid.UUID]:
    return [uuid.UUID(one) for one in ids if is_uuid(one)]


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as PostgreSQL writes it."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
