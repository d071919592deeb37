"""What must hold in the gallery's two tables after a run, judged by Great Expectations.

The rules of scenes are for the templates that this project made; status and visibility for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from community_pipelines.databases.connections import connect, snapshot
from community_pipelines.databases.deployment import Deployment
from community_pipelines.quality.findings import Finding
from community_pipelines.quality.judge import judge, none_of

BOUNDS = (
    none_of("broken_order", "error", "scene_index is 0, 1, 2, … in every template"),
    none_of("wrong_hashes", "error", "code_hash is the SHA-256 of the code"),
    none_of("durations", "error", "durations are positive"),
    none_of("previews", "error", "preview_frame lies inside the scene"),
    none_of("without_scenes", "error", "every template of ours has at least one scene"),
    none_of("published_twice", "error", "no content is published twice within a project"),
    none_of("statuses", "error", "status is active or disabled"),
    none_of("visibilities", "error", "visibility is public or unlisted"),
    none_of("others_without_scenes", "warning", "every other template has a scene, too"),
    none_of("empty_titles", "warning", "titles are not empty"),
    none_of("many_tags", "warning", "at most 20 tags"),
)

# Every number is a count of what breaks the rule, so that 0 is expected of each.
_COUNTS = """
with ours as (
    select version.project_key, template.{id} as id
    from community.template_versions as version
    join {templates} as template on template.{id} = version.template_id
),
scenes as (
    select ours.project_key, scene.{template_id} as template_id, scene.{scene_index} as place,
        scene.{duration} as duration, scene.{preview_frame} as preview, scene.{code_hash} as hash,
        encode(sha256(convert_to(scene.{tsx_code}, 'UTF8')), 'hex') as true_hash
    from {scenes} as scene
    join ours on ours.id = scene.{template_id}
),
contents as (
    select project_key, template_id, count(*) as scenes, min(place) as first, max(place) as last,
        count(distinct place) as places, string_agg(true_hash || ':' || duration, ',' order by place) as content
    from scenes
    group by project_key, template_id
)
select
    (select count(*) from contents where first <> 0 or last <> scenes - 1 or places <> scenes) as broken_order,
    (select count(*) from scenes where hash is distinct from true_hash) as wrong_hashes,
    (select count(*) from scenes where duration <= 0) as durations,
    (
        select count(*)
        from scenes
        -- A duration that is not positive is its own finding.
        where preview is null or preview < 0 or (duration > 0 and preview >= duration)
    ) as previews,
    (select count(*) from ours where not exists (select from scenes where template_id = ours.id)) as without_scenes,
    (select count(*) - count(distinct (project_key, content)) from contents) as published_twice,
    (select count(*) from {templates} where coalesce({status}, '') not in ('active', 'disabled')) as statuses,
    (select count(*) from {templates} where coalesce({visibility}, '') not in ('public', 'unlisted')) as visibilities,
    (
        select count(*)
        from {templates} as template
        where not exists (select from ours where ours.id = template.{id})
            and not exists (select from {scenes} where {template_id} = template.{id})
    ) as others_without_scenes,
    (select count(*) from {templates} where btrim({title}) = '') as empty_titles,
    (
        select count(*)
        from {templates}
        -- The order of `and` is PostgreSQL's to choose, and what is no list has no length.
        where case when jsonb_typeof({tags}) = 'array' then jsonb_array_length({tags}) > 20 end
    ) as many_tags
"""


def examine_tables(deployment: Deployment) -> list[Finding]:
    """One finding for each rule, as the tables are now. Raises DatabaseError."""
    import pandas as pd

    columns = ("template_id", "scene_index", "duration", "preview_frame", "code_hash", "tsx_code")
    names, declared = deployment.names, deployment.snapshots
    fields: dict[str, Any] = {
        "templates": names.table(declared.templates),
        "scenes": names.table(declared.template_scenes),
    }
    fields |= {name: names.column(declared.templates, name) for name in ("id", "status", "visibility", "title", "tags")}
    fields |= {name: names.column(declared.template_scenes, name) for name in columns}
    with connect(deployment.publish_url, deployment.publish_setting) as connection, snapshot(connection):
        cursor = connection.execute(sql.SQL(_COUNTS).format(**fields))
        found: Sequence[Any] = cursor.fetchone() or ()
        counted = {column.name: value for column, value in zip(cursor.description or (), found, strict=True)}
    # The judge wants days; the tables are as they are today.
    today = datetime.now(UTC).date()
    frame = pd.DataFrame([{"day": today, **counted}])
    return judge(f"snapshots/{declared.templates.name}", frame, BOUNDS, [today])[today]
