"""The gallery before ingest, as rows: users, projects, their scenes, and what is flagged for publishing.

Not here: drawing what they are (`gallery`, `scenes`), and publishing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from community_pipelines.databases.connections import connect
from community_pipelines.databases.connections import place as where
from community_pipelines.databases.deployment import Deployment
from community_pipelines.samples.bazaar.gallery import Gallery
from community_pipelines.samples.bazaar.scenes import scenes
from community_pipelines.samples.chance import any_of, random_ids
from community_pipelines.samples.people import full_names
from community_pipelines.samples.spec import SampleError
from community_pipelines.samples.words import words
from community_pipelines.samples.writing import Writer, packed, statement, uuids

REQUESTED_BY = "sample"

_FORMATS = (["landscape", "portrait", "square"], ["portrait"], ["landscape", "square"], ["landscape"])
_FORMATS_OFTEN = (0.7, 0.15, 0.1, 0.05)


def write(writer: Writer, gallery: Gallery) -> None:
    """Writes all of it."""
    writer.write("bazaar-vid_user", _users(gallery), "users")
    writer.write("bazaar-vid_project", _projects(gallery), "projects")
    writer.write("bazaar-vid_scene", _scenes(gallery), "scenes")
    writer.write("community.publication_requests", _requests(gallery))


def flag_again(place: Deployment) -> None:
    """Flags what was not published."""
    with connect(place.publish_url, place.publish_setting) as connection:
        connection.execute(statement("bazaar", "flag_again").encode())


def published(writer: Writer, place: Deployment, gallery: Gallery) -> Gallery:
    """The gallery with its templates' true ids and slugs. Raises SampleError when ingest did not make them all."""
    writer.execute(statement("bazaar", "published"))
    made = {key: (one, slug) for key, one, slug in writer.cursor.fetchall()}
    keys = [str(project) for project in gallery.templates.projects]
    missing = [key for key in keys if key not in made]
    if missing:
        raise SampleError(
            f"{len(missing)} of the sample's {len(keys)} templates were not published into {where(place.source_url)}: "
            f"community.publication_requests says why in the column detail (project {missing[0]}, for one); "
            "load the sample again to go on"
        )
    ids = np.frombuffer(b"".join(made[key][0] for key in keys), dtype=np.uint8).reshape(-1, 16)
    writer.progress("templates", len(keys), len(keys))
    return replace(gallery, templates=replace(gallery.templates, ids=ids, slugs=[made[key][1] for key in keys]))


def _users(gallery: Gallery) -> dict[str, Any]:
    """Those who still have an account."""
    people, domains = gallery.people, words()["mail_domains"]
    there = np.flatnonzero(people.exists)
    named = full_names(gallery.dice("names"), len(there))
    return {
        "id": [str(people.ids[user]) for user in there],
        "name": [f"{first} {last}" for first, last in named],
        "email": [f"{one}.{other}.{n}@{domains[n % len(domains)]}".lower() for n, (one, other) in enumerate(named)],
        "createdAt": people.created[there],
    }


def _projects(gallery: Gallery) -> dict[str, Any]:
    """At least one for each user, and one for each template."""
    people, own, templates, rng = gallery.people, gallery.projects, gallery.templates, gallery.dice("titles")
    known = words("bazaar")
    kept = people.exists[own.owner]
    count = int(kept.sum())
    subjects = [subject for about in known["categories"].values() for subject in about["subjects"]]
    drawn = zip(any_of(rng, subjects, count), any_of(rng, known["project_words"], count), strict=True)
    created = np.concatenate((own.created[kept], templates.project_created))
    return {
        "id": np.concatenate((own.ids[kept], packed(templates.projects))),
        "userId": [str(people.ids[user]) for user in np.concatenate((own.owner[kept], templates.owner))],
        "title": [f"{subject} {word}" for subject, word in drawn] + [text["title"] for text in templates.texts],
        "createdAt": created,
        "updatedAt": created,
    }


def _scenes(gallery: Gallery) -> dict[str, Any]:
    """The scenes of the projects that become templates."""
    templates = gallery.templates
    # A project's scenes are its own: another number of projects does not change them.
    made = [
        scenes(gallery.dice("scenes", number), text["category"], text["title"], int(count))
        for number, (text, count) in enumerate(zip(templates.texts, templates.scenes, strict=True))
    ]
    owner = np.repeat(np.arange(len(made)), templates.scenes)
    flat = [scene for project in made for scene in project]
    return {
        "id": uuids(random_ids(gallery.dice("scene ids"), len(flat))),
        "projectId": packed(templates.projects)[owner],
        "order": [place for project in made for place in range(len(project))],
        "name": [scene.name for scene in flat],
        "tsxCode": [scene.code for scene in flat],
        "duration": [scene.duration for scene in flat],
        "createdAt": templates.project_created[owner],
        "updatedAt": templates.project_created[owner],
    }


def _requests(gallery: Gallery) -> dict[str, Any]:
    """One for each template, with what it says about itself."""
    templates = gallery.templates
    fitting = gallery.dice("formats").choice(len(_FORMATS), len(templates.texts), p=_FORMATS_OFTEN)
    return {
        "project_key": [str(project) for project in templates.projects],
        "options": [
            {**text, "formats": _FORMATS[formats], "visibility": "public" if listed else "unlisted"}
            for text, formats, listed in zip(templates.texts, fitting, templates.listed, strict=True)
        ],
        "requested_by": pa.array([REQUESTED_BY] * len(templates.texts)),
        "requested_at": np.full(len(templates.texts), gallery.calendar.now),
    }
