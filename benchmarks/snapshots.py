"""Template snapshots: many projects of five scenes of 4 kB each, published, and published again unchanged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data import settings_here
from benchmarks.processes import Measurement, in_turns, work
from benchmarks.report import Line
from community_pipelines.databases.connections import connect
from community_pipelines.snapshots.ingest import opened
from community_pipelines.snapshots.options import Options

PROJECTS = 10_000
SCENES = 5
BYTES = 4_000
# What the issue of speed asks for: so many templates a second on two cores, examined and written.
A_SECOND = 300


def load_projects(count: int) -> dict[str, float]:
    """Fills the state folder's database with projects, unless it has them: every scene's code is another one."""
    from community_pipelines.commands.runs import prepare_embedded

    _, place = settings_here()
    prepare_embedded(place)
    with connect(place.source_url, place.source_setting) as connection:
        found = connection.execute('select count(*) from "bazaar-vid_project"').fetchone()
        if found and found[0] == count:
            return {}
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(
                "insert into \"bazaar-vid_user\" (id) select 'user' || number from generate_series(0, 999) as number"
            )
            cursor.execute(
                'insert into "bazaar-vid_project" (id, "userId", title) '
                "select lpad(to_hex(number), 32, '0')::uuid, 'user' || number %% 1000, 'Project ' || number %% 5000 "
                "from generate_series(1, %s) as number",
                (count,),
            )
            with cursor.copy(
                'copy "bazaar-vid_scene" ("projectId", "order", name, "tsxCode", duration) from stdin'
            ) as copy:
                for row in _scenes(count):
                    copy.write_row(row)
        connection.unguarded(b"vacuum (analyze)")
        connection.execute("checkpoint")
    return {}


def unpublish_templates() -> dict[str, float]:
    """Forgets every template."""
    _, place = settings_here()
    with connect(place.publish_url, place.publish_setting) as connection:
        connection.execute("truncate community_templates, community.template_versions cascade")
        connection.execute("checkpoint")
    return {}


def ingest_projects(count: int) -> dict[str, float]:
    """Publishes the first so many projects, from the source database to the gallery; seconds without imports."""
    settings, place = settings_here()
    keys = [f"00000000-0000-0000-0000-{number:012x}" for number in range(1, count + 1)]
    started = time.perf_counter()
    created = 0
    with opened(settings, place, "bench") as run:
        for outcome in run.projects(keys, Options()):
            if outcome.status == "rejected":
                raise RuntimeError(f"{outcome.title} was rejected: {outcome.findings}")
            created += outcome.status == "created"
    return {"seconds": time.perf_counter() - started, "created": created}


def copy_scenes() -> dict[str, float]:
    """The floor: the same rows read and copied into empty tables, with no look at them."""
    _, place = settings_here()
    with (
        connect(place.source_url, place.source_setting) as reading,
        connect(place.publish_url, place.publish_setting) as writing,
    ):
        writing.execute("drop table if exists bench_scenes")
        writing.execute("create table bench_scenes (like community_template_scenes including all)")
        started = time.perf_counter()
        with (
            reading.cursor().copy(
                'copy (select "projectId", "order", name, "tsxCode", duration from "bazaar-vid_scene") to stdout'
            ) as source,
            writing.cursor().copy(
                "copy bench_scenes (template_id, scene_index, title, tsx_code, duration) from stdin"
            ) as target,
        ):
            for block in source:
                target.write(block)
        seconds = time.perf_counter() - started
        writing.execute("drop table bench_scenes")
    return {"seconds": seconds}


def snapshots(home: Path, repeat: int) -> list[Line]:
    """Templates a second with validation, against copying the same rows; and a second run against the first."""
    work(home, "load_projects", count=PROJECTS)

    def first(count: int) -> Measurement:
        work(home, "unpublish_templates")
        return work(home, "ingest_projects", count=count)

    floor, tenth, ours, again = in_turns(
        repeat,
        lambda: work(home, "copy_scenes"),
        lambda: first(PROJECTS // 10),
        lambda: first(PROJECTS),
        lambda: work(home, "ingest_projects", count=PROJECTS),
    )
    name = f"snapshots, {PROJECTS:,} templates of {SCENES} scenes of 4 kB"
    rate = PROJECTS / ours.seconds
    return [
        Line(name, f"time for all at {A_SECOND} a second", f"{ours.seconds:.1f} s = {rate:.0f}/s",
             f"{PROJECTS / A_SECOND:.1f} s", ours.seconds / (PROJECTS / A_SECOND), "x", 1.0),
        Line(name, "time against copying the same rows unseen", f"{ours.seconds:.1f} s", f"{floor.seconds:.1f} s",
             ours.seconds / floor.seconds),
        Line(name, "a second run, nothing changed, against the first", f"{again.seconds:.2f} s",
             f"{ours.seconds:.1f} s", again.seconds / ours.seconds, "x", 0.1),
        Line(name, "peak memory against a tenth of the templates", f"{ours.peak_mb:.0f} MB", f"{tenth.peak_mb:.0f} MB",
             ours.peak_mb / tenth.peak_mb, "x", 1.25),
    ]  # fmt: skip


def _scenes(count: int) -> Iterator[tuple[str, int, str, str, int]]:
    for project in range(1, count + 1):
        for place in range(SCENES):
            yield f"{project:032x}", place, f"Scene {place + 1}", _code(project * SCENES + place), 90 + place


def _code(number: int) -> str:
    """About 4 kB of TSX that no other number has."""
    lines = [
        'import React from "react";',
        'import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";',
        "",
        f"const SEED = {number};",
        "",
        "export default function Scene() {",
        "  const frame = useCurrentFrame();",
        "  const { fps } = useVideoConfig();",
        "  return (",
        '    <AbsoluteFill style={{ backgroundColor: "#101418" }}>',
    ]
    size = sum(len(line) + 1 for line in lines)
    part = 0
    while size < BYTES - 60:
        shade = (number * 31 + part * 977) % 0xFFFFFF
        line = (
            f'      <div key={{{part}}} style={{{{ color: "#{shade:06x}", opacity: interpolate(frame, '
            f"[{part}, {part + 12}], [0, 1]), left: {part * 7 % 640} }}}}>Line {part} of {{SEED}}</div>"
        )
        lines.append(line)
        size += len(line) + 1
        part += 1
    return "\n".join([*lines, "      {spring({ frame, fps })}", "    </AbsoluteFill>", "  );", "}", ""])
