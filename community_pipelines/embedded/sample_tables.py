"""What the sample gallery is at rest, as Arrow tables whose columns are called as in the app database.

Here: users, projects, scenes, what is flagged for publishing, and what the templates shall look like afterwards. Not
here: drawing any of it (`sample_gallery`, `sample_scenes`), events (`sample_events`) and loading (`sample`).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from community_pipelines.embedded import sample_words as words
from community_pipelines.embedded.sample_events import uuids
from community_pipelines.embedded.sample_gallery import Gallery, Ints, Templates, random_ids
from community_pipelines.embedded.sample_scenes import scenes

REQUESTED_BY = "sample"

_TIME = pa.timestamp("us", tz="UTC")
_FORMATS = (["landscape", "portrait", "square"], ["portrait"], ["landscape", "square"], ["landscape"])
_FORMATS_OFTEN = (0.7, 0.15, 0.1, 0.05)
_PICTURED = 0.96

_Columns = dict[str, Any]


def users_table(gallery: Gallery) -> pa.Table:
    """The rows of the app's users: those who still have an account."""
    people = gallery.people
    rng = np.random.default_rng([gallery.size.seed, 7])
    first = rng.integers(0, len(words.FIRST_NAMES), len(people.ids))
    last = rng.integers(0, len(words.LAST_NAMES), len(people.ids))
    names = [(words.FIRST_NAMES[one], words.LAST_NAMES[other]) for one, other in zip(first, last, strict=True)]
    mails = [
        f"{one}.{other}.{number}@{words.MAIL_DOMAINS[number % len(words.MAIL_DOMAINS)]}".lower()
        for number, (one, other) in enumerate(names)
    ]
    columns: _Columns = {
        "id": people.ids,
        "name": [f"{one} {other}" for one, other in names],
        "email": mails,
        "createdAt": _times(people.created),
    }
    return pa.table(columns).filter(pa.array(people.exists))


def projects_table(gallery: Gallery) -> pa.Table:
    """The rows of the app's projects: at least one for each user, and one for each template."""
    people, templates = gallery.people, gallery.templates
    rng = np.random.default_rng([gallery.size.seed, 8])
    count = len(people.project_owner)
    subjects = [subject for about, _ in words.CATEGORIES.values() for subject in about]
    chosen = zip(rng.integers(0, len(subjects), count), rng.integers(0, len(words.PROJECT_WORDS), count), strict=True)
    columns: _Columns = {
        "id": uuids(people.project_ids),
        "userId": pa.array(people.ids).take(people.project_owner),
        "title": [f"{subjects[subject]} {words.PROJECT_WORDS[word]}" for subject, word in chosen],
        "createdAt": _times(people.project_created),
        "updatedAt": _times(people.project_created),
    }
    published: _Columns = {
        "id": uuids(templates.projects),
        "userId": pa.array(people.ids).take(templates.owner),
        "title": [text.title for text in templates.texts],
        "createdAt": _times(templates.project_created),
        "updatedAt": _times(templates.project_created),
    }
    own = pa.table(columns).filter(pa.array(people.exists[people.project_owner]))
    return pa.concat_tables([own, pa.table(published)])


def scenes_table(gallery: Gallery) -> pa.Table:
    """The rows of the scenes of the projects that become templates."""
    templates = gallery.templates
    rng = np.random.default_rng([gallery.size.seed, 11])
    # A project's scenes are its own: another number of projects does not change them.
    made = [
        scenes(np.random.default_rng([gallery.size.seed, 12, number]), text.category, text.title, int(count))
        for number, (text, count) in enumerate(zip(templates.texts, templates.scenes, strict=True))
    ]
    owner = np.repeat(np.arange(len(made)), templates.scenes)
    flat = [scene for project in made for scene in project]
    columns: _Columns = {
        "id": uuids(random_ids(rng, len(flat))),
        "projectId": uuids(templates.projects[owner]),
        "order": pa.array([place for project in made for place in range(len(project))], pa.int32()),
        "name": [scene.name for scene in flat],
        "tsxCode": [scene.code for scene in flat],
        "duration": pa.array([scene.duration for scene in flat], pa.int32()),
        "createdAt": _times(templates.project_created[owner]),
        "updatedAt": _times(templates.project_created[owner]),
    }
    return pa.table(columns)


def requests_table(gallery: Gallery) -> pa.Table:
    """One row of `community.publication_requests` for each template, with what it says about itself.

    The time of all is the gallery's `now`: a load that is taken up again on another day needs it.
    """
    templates = gallery.templates
    rng = np.random.default_rng([gallery.size.seed, 9])
    fitting = rng.choice(len(_FORMATS), len(templates.texts), p=_FORMATS_OFTEN)
    options = [
        {
            "title": text.title,
            "description": text.description,
            "tags": text.tags,
            "category": text.category,
            "formats": _FORMATS[formats],
            "visibility": "public" if listed else "unlisted",
        }
        for text, formats, listed in zip(templates.texts, fitting, templates.listed, strict=True)
    ]
    columns: _Columns = {
        "project_key": project_keys(templates),
        # PostgreSQL's binary form of jsonb is a version byte before the text.
        "options": [b"\x01" + json.dumps(one).encode() for one in options],
        "requested_by": [REQUESTED_BY] * len(options),
        "requested_at": _times(np.full(len(options), gallery.now)),
    }
    return pa.table(columns)


def story_table(gallery: Gallery) -> pa.Table:
    """For each template what ingest cannot know: when it was made and changed, its state and whether it has a picture.

    `template_id` is that of `gallery.templates.ids`.
    """
    templates = gallery.templates
    rng = np.random.default_rng([gallery.size.seed, 13])
    today = gallery.start(gallery.size.days)
    columns: _Columns = {
        "template_id": uuids(templates.ids),
        "created_at": _times(templates.created),
        "updated_at": _times(templates.updated),
        "status": ["disabled" if at <= today else "active" for at in templates.disabled_at],
        "pictured": pa.array(rng.random(len(templates.texts)) < _PICTURED),
    }
    return pa.table(columns)


def project_keys(templates: Templates) -> list[str]:
    """The ids of the templates' projects as texts, in the order of the templates."""
    return [str(one) for one in uuids(templates.projects).to_pylist()]


def _times(microseconds: Ints) -> pa.Array[Any]:
    return pa.array(microseconds).cast(_TIME)
