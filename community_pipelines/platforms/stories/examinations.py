"""What a rule in SQL cannot say of story videos: whether bibles are what they must be, and rows where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from psycopg import sql

from community_pipelines.databases.connections import Connection
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.duck import parquet, session
from community_pipelines.lake.files import day_bounds
from community_pipelines.lake.ledger import read_ledger
from community_pipelines.models.engine import declared_columns
from community_pipelines.platforms.spec import Stream
from community_pipelines.platforms.stories.bibles import violations_of_day
from community_pipelines.platforms.stories.spec import STREAM_JOBS, STREAM_SCENE_BIBLES, STREAM_SEGMENTS
from community_pipelines.platforms.stories.tables import SCENE_BIBLES, SEGMENTS
from community_pipelines.quality.consistency import Examination

# Bibles of so many scenes are held at once, with the versions before them.
_SCENES = 200


def bible_faults(connection: Connection, deployment: Deployment, path: Path) -> Iterator[tuple[str, str]]:
    """Every violation in a day's bibles, as (bible id, rule, path and message); earlier versions and the numbers of
    segments are the source's."""
    columns = declared_columns(STREAM_SCENE_BIBLES.columns)
    with session() as engine:
        engine.execute(f"create view bibles as select * from {parquet([path], columns)}")
        scenes = engine.execute("select scene_id::varchar, min(version) from bibles group by 1 order by 1").fetchall()
        for start in range(0, len(scenes), _SCENES):
            some = scenes[start : start + _SCENES]
            chosen = [scene for scene, _ in some]
            before = _before(connection, deployment, chosen, [version - 1 for _, version in some])
            segments = _segments(connection, deployment, chosen)
            rows = engine.execute(
                "select id::varchar as id, scene_id::varchar as scene_id, version, data from bibles "
                "where scene_id::varchar in (select unnest(?)) order by scene_id, version, id",
                [chosen],
            ).fetchall()
            bibles = (dict(zip(("id", "scene_id", "version", "data"), row, strict=True)) for row in rows)
            for bible, found in violations_of_day(bibles, before, segments):
                yield bible, f"{found.rule} at {found.path}: {found.message}"


def rows_without_month(
    stream: Stream, connection: Connection, deployment: Deployment, path: Path
) -> Iterator[tuple[str, str]]:
    """The rows of a file's day that lie in a default partition, as (id, its name).

    Found by the partition's own constraint: which partition a row is in may only be asked by who may read all columns.
    """
    names = deployment.names
    table = names.table(stream.table)
    default = connection.execute(
        "select partdefid::regclass::text, coalesce(pg_get_partition_constraintdef(partdefid), 'true') "
        "from pg_partitioned_table where partrelid = to_regclass(%s) and partdefid <> 0",
        (table.as_string(),),
    ).fetchone()
    if default is None:
        return
    start, end = day_bounds(read_ledger(path).day)
    strays = connection.execute(
        sql.SQL("select {id}::text from {table} where {time} >= %s and {time} < %s and ({outside}) order by 1").format(
            id=names.column(stream.table, stream.id),
            table=table,
            time=names.column(stream.table, stream.time),
            outside=sql.SQL(default[1]),
        ),
        (start, end),
    )
    for (row,) in strays:
        yield row, f"it is in {default[0]}: no month was there for it"


JOBS_WITHOUT_MONTH = Examination(
    "jobs_without_month", "warning", "jobs in a default partition", partial(rows_without_month, STREAM_JOBS)
)
SEGMENTS_WITHOUT_MONTH = Examination(
    "segments_without_month", "warning", "segments in a default partition", partial(rows_without_month, STREAM_SEGMENTS)
)
BIBLE_FAULTS = Examination(
    "bible_faults", "error", "what is wrong with bibles, by their JSON schema and their meaning", bible_faults
)


def _before(
    connection: Connection, deployment: Deployment, scenes: list[str], versions: list[int]
) -> dict[tuple[str, int], str]:
    names = deployment.names
    rows = connection.execute(
        sql.SQL(
            """
            select bible.{scene}::text, bible.{version}, bible.{data}::text
            from unnest(%s::uuid[], %s::integer[]) as wanted (scene, version)
            join {bibles} as bible on bible.{scene} = wanted.scene and bible.{version} = wanted.version
            """
        ).format(
            scene=names.column(SCENE_BIBLES, "scene_id"),
            version=names.column(SCENE_BIBLES, "version"),
            data=names.column(SCENE_BIBLES, "data"),
            bibles=names.table(SCENE_BIBLES),
        ),
        (scenes, versions),
    )
    return {(scene, version): data for scene, version, data in rows}


def _segments(connection: Connection, deployment: Deployment, scenes: list[str]) -> dict[str, list[int]]:
    names = deployment.names
    rows = connection.execute(
        sql.SQL(
            "select {scene}::text, array_agg({number}) from {segments} where {scene} = any(%s::uuid[]) group by 1"
        ).format(
            scene=names.column(SEGMENTS, "scene_id"),
            number=names.column(SEGMENTS, "sequence"),
            segments=names.table(SEGMENTS),
        ),
        (scenes,),
    )
    return dict(rows.fetchall())
