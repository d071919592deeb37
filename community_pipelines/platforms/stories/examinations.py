"""What a rule in SQL cannot say of story videos: whether bibles are what they must be."""

from __future__ import annotations

from collections.abc import Iterator

from community_pipelines.platforms.declared import sql_file
from community_pipelines.platforms.spec import ExaminedDay
from community_pipelines.platforms.stories.bibles import violations_of_day

# Bibles of so many scenes are held at once, with the versions before them.
_SCENES = 200


def bible_faults(day: ExaminedDay) -> Iterator[tuple[str, str]]:
    """Every violation in a day's bibles, as (bible id, rule, path and message); earlier versions and the numbers of
    segments are the source's."""
    bibles_before, segment_numbers = (
        sql_file("stories", f"rules/{name}") for name in ("bibles_before", "segment_numbers")
    )
    scenes = day.rows("select scene_id::varchar, min(version) from events group by 1 order by 1")
    for start in range(0, len(scenes), _SCENES):
        some = scenes[start : start + _SCENES]
        chosen = [scene for scene, _ in some]
        before = day.ask(bibles_before, chosen, [version - 1 for _, version in some])
        segments = dict(day.ask(segment_numbers, chosen))
        rows = day.rows(
            "select id::varchar as id, scene_id::varchar as scene_id, version, data from events "
            "where scene_id::varchar in (select unnest(?)) order by scene_id, version, id",
            chosen,
        )
        bibles = (dict(zip(("id", "scene_id", "version", "data"), row, strict=True)) for row in rows)
        known = {(scene, version): data for scene, version, data in before}
        for bible, found in violations_of_day(bibles, known, segments):
            yield bible, f"{found.rule} at {found.path}: {found.message}"
