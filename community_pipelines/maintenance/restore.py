"""A day of an archived partition as a day file, read from the archive: its rows are no longer in the source."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import Deployment
from community_pipelines.lake.duck import first_row, literal, parquet, session
from community_pipelines.lake.files import Lake, day_bounds, days_between
from community_pipelines.lake.ledger import DamagedError
from community_pipelines.lake.queries import FINGERPRINT
from community_pipelines.lake.verified import Verified
from community_pipelines.lake.writer import StagedDay, code_version, writing_day
from community_pipelines.maintenance.cold import archive_fault, read_footer
from community_pipelines.maintenance.pins import archived_days
from community_pipelines.models.engine import declared_columns
from community_pipelines.platforms.spec import Stream

_ROWS = 10_000


def pinned_days(deployment: Deployment, stream: Stream) -> dict[date, Path]:
    """The days (UTC) of a stream that are archived, each with its file below the lake's folder."""
    tables = {(one.table.name, one.time) for one in deployment.platform.partitioned}
    if (stream.table.name, stream.time) not in tables:
        return {}
    with connect(deployment.publish_url, deployment.publish_setting) as connection:
        archived = archived_days(connection, deployment.platform.name, stream.table.name)
    return {day: file for first, last, file in archived for day in days_between(first, last)}


def restored_day(
    deployment: Deployment,
    stream: Stream,
    day: date,
    lake: Lake,
    file: Path,
    folder: Path,
    run_id: str,
    verified: Verified,
) -> StagedDay:
    """Stages one day of an archive in `folder`, as if it had been read when the archive was made.

    `verified` verifies each archive once. Raises DamagedError when the archive is gone or damaged.
    """
    import duckdb

    archive = lake.root / file
    footer = read_footer(archive)
    (path,) = verified.pinned([archive], lambda pin, shown: archive_fault(deployment, pin, shown))
    names = deployment.names
    time = names.column_name(stream.table, stream.time)
    id_name = names.column_name(stream.table, stream.id)
    start, end = day_bounds(day)
    within = f'"{time}" >= {literal(f"{start:%Y-%m-%d}")} and "{time}" < {literal(f"{end:%Y-%m-%d}")}'
    real = {one.name: names.column_name(stream.table, one.name) for one in stream.columns}
    absent = {one.name for one in stream.columns if one.optional and real[one.name] not in footer.columns}
    listed = ", ".join(
        (f"null::{type_}" if name in absent else f'"{real[name]}"') + f' as "{name}"'
        for name, type_ in declared_columns(stream.columns)
    )
    rows = f"from {parquet([path], [])} where {within}"
    with session() as engine, writing_day(folder, stream, day) as staged:
        # Otherwise a uuid comes as its text.
        engine.execute("set arrow_lossless_conversion = true")
        try:
            counted = f'select count(*), count("{id_name}") - count(distinct "{id_name}") {rows}'
            read, duplicates = first_row(engine, counted)
            batches = engine.sql(
                f'select {listed}, 0::bigint as "{FINGERPRINT}" {rows} '
                f'qualify "{id_name}" is null or row_number() over (partition by "{id_name}" order by "{time}") = 1'
            ).to_arrow_reader(_ROWS)
            for batch in batches:
                staged.add(batch)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise DamagedError(f"{archive} cannot be read for {day} ({reason}); bring it back from a backup") from None
        return staged.finish(
            kind="raw",
            platform=deployment.platform.name,
            name=stream.name,
            day=day,
            accepted=staged.accepted,
            read=read,
            duplicates=duplicates,
            snapshot="",
            # Nobody compares it: the source has no such day any more.
            fingerprint=(read, 0),
            read_at=footer.read_at,
            run_id=run_id,
            code_version=code_version(),
        )
