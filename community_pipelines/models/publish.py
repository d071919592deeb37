"""Replaces whole days of a model's table in PostgreSQL, with a record of what was published.

A transaction holds whole days. Unchanged days are not touched. Rows of entities that no longer exist are left
out and remembered: the keys of the others are locked against deletion while the transaction lasts. What is deleted
after its rows were published is the business of gone.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from community_pipelines.databases.connections import Connection, connect, retried, writing
from community_pipelines.databases.deployment import Deployment
from community_pipelines.errors import ExplainedError
from community_pipelines.lake.duck import first_row, literal, parquet, session
from community_pipelines.lake.files import Lake
from community_pipelines.lake.ledger import read_ledger
from community_pipelines.lake.verified import Verified
from community_pipelines.models.project import Contract, Model
from community_pipelines.platforms.spec import ENTITY_KEY, Dimension, Platform, Table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ATTEMPTS = 5
COPY_ROWS = 65_536
# What stands in the place of a content hash, which none of them equals, when a day is to be computed again because
# entities came or went meanwhile, or published again as it is.
RECOMPUTE = "compute again"
REPUBLISH = "publish again"


class PublishError(ExplainedError):
    """Days could not be published; the message names platform, table and days, and what to do."""


class _FenceMoved(Exception):
    """A day's file was replaced while it was being published: publish what is there now."""


@dataclass(frozen=True)
class Published:
    """One published day: rows in the table, rows left out because their entity is gone, and whether anything
    was written (an unchanged day is not)."""

    day: date
    rows: int
    left_out: int
    written: bool


@dataclass(frozen=True)
class Publication:
    """What is recorded of a published day: the content that it is made of, where its rows are, and when it was
    published last, by the primary's clock (UTC)."""

    content_hash: str
    rows: int
    left_out: int
    published_at: datetime


def target_table(deployment: Deployment, model: Model) -> sql.Identifier:
    """The quoted table that the model is published to, by its mapped name when it is the app's."""
    schema, dot, name = model.contract.publish.partition(".")
    if dot:
        return sql.Identifier(schema, name)
    return deployment.names.table(deployment.platform.table(model.contract.publish))


def target_column(deployment: Deployment, model: Model, column: str) -> sql.Identifier:
    """The quoted column of that table."""
    if "." in model.contract.publish:
        return sql.Identifier(column)
    return deployment.names.column(deployment.platform.table(model.contract.publish), column)


def publications(connection: Connection, platform: str, table: str) -> dict[date, Publication]:
    """What is recorded of every day that was published to that table."""
    rows = connection.execute(
        "select day, content_hash, rows, left_out, published_at from community.publications "
        "where platform = %s and table_name = %s",
        (platform, table),
    ).fetchall()
    return {day: Publication(*rest) for day, *rest in rows}


def published_hashes(connection: Connection, platform: str, table: str) -> dict[date, str]:
    """The content hash of every day that was published to that table, or why it is no longer good."""
    return {day: one.content_hash for day, one in publications(connection, platform, table).items()}


def why_left_out(model: Model) -> str:
    """Why rows of that model are left out."""
    return f"their {model.contract.entity} no longer exists"


def remember(connection: Connection, platform: str, table: str, entities: Sequence[str]) -> None:
    """Notes whose rows are left out of that table, so that they are missed when they are back."""
    connection.execute(
        "insert into community.left_out_entities (platform, table_name, entity_id) select %s, %s, unnest(%s::text[]) "
        "on conflict do nothing",
        (platform, table, list(entities)),
    )


def entity_dimension(platform: Platform, model: Model) -> Dimension | None:
    """The dimension by which the model knows who exists; None where nobody's numbers depend on that."""
    for dimension in platform.dimensions:
        if dimension.table.name == model.contract.entity_table and dimension.name in model.reads("source"):
            return dimension
    return None


def publish(
    deployment: Deployment,
    model: Model,
    lake: Lake,
    days: Sequence[date],
    run_id: str,
    rows_limit: int,
    verified: Verified | None = None,
) -> list[Published]:
    """Publishes the lake's present files of those days; returns one entry for each.

    They are verified, but for those that `verified` knows. A damaged one is a LakeError, and nothing is published.

    Raises PublishError when files keep being replaced underneath; DatabaseError when the database is away.
    """
    platform, table = deployment.platform.name, model.contract.publish
    with connect(deployment.publish_url, deployment.publish_setting) as connection:
        recorded = publications(connection, platform, table)
        done: dict[date, Published] = {}
        changed: dict[date, int] = {}
        for day in days:
            ledger = lake.ledger("models", platform, model.name, day)
            if ledger is None:
                raise PublishError(f"{platform}: {model.name} has no file for {day}; run the day first")
            known = recorded.get(day)
            if known is not None and known.content_hash == ledger.content_hash:
                done[day] = Published(day, known.rows, known.left_out, written=False)
            else:
                changed[day] = ledger.accepted
        for group in _groups(changed, rows_limit):
            for published in _group(connection, deployment, model, lake, group, run_id, verified):
                done[published.day] = published
    return [done[day] for day in days]


def _groups(days: Mapping[date, int], rows_limit: int) -> Iterator[list[date]]:
    group: list[date] = []
    rows = 0
    for day, count in days.items():
        if group and rows + count > rows_limit:
            yield group
            group, rows = [], 0
        group.append(day)
        rows += count
    if group:
        yield group


def _group(
    connection: Connection,
    deployment: Deployment,
    model: Model,
    lake: Lake,
    days: list[date],
    run_id: str,
    verified: Verified | None,
) -> list[Published]:
    for _ in range(ATTEMPTS):
        try:
            return retried(lambda: _transaction(connection, deployment, model, lake, days, run_id, verified))
        except _FenceMoved:
            continue
    raise PublishError(
        f"{deployment.platform.name}: {model.name} for {days[0]} to {days[-1]} was replaced in the lake {ATTEMPTS} "
        "times while being published; another run works on the same days, run it again when it has finished"
    )


def _transaction(
    connection: Connection,
    deployment: Deployment,
    model: Model,
    lake: Lake,
    days: list[date],
    run_id: str,
    verified: Verified | None,
) -> list[Published]:
    platform, table = deployment.platform.name, model.contract.publish
    with (
        writing(connection, f"publish:{platform}:{table}"),
        lake.pinned("models", platform, model.name, days, verified) as files,
        session() as engine,
    ):
        pinned = dict(zip(days, files, strict=True))
        before = {day: read_ledger(file).content_hash for day, file in pinned.items()}
        # Another run may have published the same content while this one waited for the lock.
        recorded = publications(connection, platform, table)
        same = {day: one for day, one in recorded.items() if before.get(day) == one.content_hash}
        published = [Published(day, same[day].rows, same[day].left_out, False) for day in days if day in same]
        days = [day for day in days if day not in same]
        if not days:
            return published
        paths = ", ".join(literal(str(pinned[day])) for day in days)
        engine.execute(f"create view rows as select * from read_parquet([{paths}], hive_partitioning = false)")
        remember(connection, platform, table, _keep_existing(connection, deployment, model.contract, engine))
        hashes = {day: before[day] for day in days}
        newest = max([*days, *recorded])
        if newest in hashes and _exist_otherwise(deployment, model, lake, newest, pinned[newest].parent, engine):
            hashes[newest] = f"{RECOMPUTE}: {run_id}"
        _replace(connection, deployment, model, days, engine)
        total = dict(engine.execute("select day, count(*) from rows group by day").fetchall())
        kept = dict(engine.execute("select day, count(*) from kept group by day").fetchall())
        left_out = {day: total.get(day, 0) - kept.get(day, 0) for day in days}
        connection.execute(
            """
            insert into community.publications
                (platform, table_name, day, content_hash, rows, left_out, left_out_why, run_id)
            select %s, %s, day, content_hash, rows, left_out, case when left_out > 0 then %s end, %s
            from unnest(%s::date[], %s::text[], %s::bigint[], %s::bigint[]) as new (day, content_hash, rows, left_out)
            on conflict (platform, table_name, day) do update set
                content_hash = excluded.content_hash, rows = excluded.rows, left_out = excluded.left_out,
                left_out_why = excluded.left_out_why, run_id = excluded.run_id, published_at = now()
            """,
            (
                platform,
                table,
                why_left_out(model),
                run_id,
                days,
                list(hashes.values()),
                [kept.get(day, 0) for day in days],
                list(left_out.values()),
            ),
        )
        published += [Published(day, kept.get(day, 0), left_out[day], written=True) for day in days]
        if any(_content(lake, platform, model, day) != before[day] for day in days):
            raise _FenceMoved
        return published


def _content(lake: Lake, platform: str, model: Model, day: date) -> str:
    ledger = lake.ledger("models", platform, model.name, day)
    return ledger.content_hash if ledger else ""


def _keep_existing(
    connection: Connection, deployment: Deployment, contract: Contract, engine: duckdb.DuckDBPyConnection
) -> list[str]:
    """Makes the view `kept`: the rows whose entity is there, and stays there until the transaction ends where its row
    may be locked. Returns the entities that are not there."""
    if contract.entity is None or contract.entity_table is None:
        engine.execute("create view kept as select * from rows")
        return []
    keys = engine.sql(f'select distinct "{contract.entity}"::varchar as key from rows').to_arrow_table()
    entity = deployment.platform.table(contract.entity_table)
    named = keys["key"].to_pylist()
    existing = _existing(connection, deployment, entity, named)
    engine.register("existing", existing)
    engine.execute(
        f'create view kept as select * from rows where "{contract.entity}"::varchar in (select key from existing)'
    )
    there = set(existing["key"].to_pylist())
    return [key for key in named if key not in there]


def _exist_otherwise(
    deployment: Deployment, model: Model, lake: Lake, day: date, folder: Path, engine: duckdb.DuckDBPyConnection
) -> bool:
    """Whether an entity of that day came or went since the dimension was read that the day was computed with: the
    others' numbers count on it, such as ranks."""
    dimension = entity_dimension(deployment.platform, model)
    path = lake.dimension(deployment.platform.name, dimension.name) if dimension else None
    if path is None or not path.exists():
        return False
    known = parquet(Verified(folder).pinned([path]), [])
    (differs,) = first_row(
        engine,
        f"""
        with named as (select distinct "{model.contract.entity}"::varchar as key from rows where day = ?),
        known as (select "{ENTITY_KEY}"::varchar as key from {known})
        select count(*) from named where (key in (from known)) <> (key in (from existing))
        """,
        [day],
    )
    return bool(differs)


def _existing(connection: Connection, deployment: Deployment, entity: Table, keys: list[str]) -> pa.Table:
    import pyarrow as pa

    # `for key share` is what a foreign key takes: the app's counter updates go on, only deletions wait. It needs the
    # right to update a column: where we correct no counter we have none, and the next sweep finds what is deleted now.
    corrected = any(counters.table.name == entity.name for counters in deployment.platform.counter_tables)
    query = sql.SQL("select {key}::text from {table} where {key} = any(%s::{type}[]) order by {key} {lock}").format(
        lock=sql.SQL("for key share" if corrected else ""),
        key=deployment.names.column(entity, ENTITY_KEY),
        table=deployment.names.table(entity),
        type=sql.SQL(entity.column(ENTITY_KEY).type),
    )
    rows = connection.execute(query, (keys,)).fetchall()
    return pa.table({"key": pa.array([row[0] for row in rows], pa.string())})


def _replace(
    connection: Connection,
    deployment: Deployment,
    model: Model,
    days: list[date],
    engine: duckdb.DuckDBPyConnection,
) -> None:
    table = target_table(deployment, model)
    columns = {c.name: target_column(deployment, model, c.name) for c in model.contract.columns}
    occupied = connection.execute(
        sql.SQL("select exists (select from {} where {} = any(%s))").format(table, columns["day"]), (days,)
    ).fetchone()
    assert occupied is not None
    if not occupied[0]:
        _copy(connection, table, list(columns.values()), model.contract, engine)
        return
    connection.execute(
        sql.SQL("create temporary table new_days on commit drop as select {} from {} limit 0").format(
            sql.SQL(", ").join(columns.values()), table
        )
    )
    new = sql.Identifier("new_days")
    _copy(connection, new, list(columns.values()), model.contract, engine)
    same = sql.SQL(" and ").join(sql.SQL("old.{0} = new.{0}").format(columns[name]) for name in model.contract.grain)
    values = [column for name, column in columns.items() if name not in model.contract.grain]
    connection.execute(
        sql.SQL("delete from {} as old where {} = any(%s) and not exists (select from {} as new where {})").format(
            table, columns["day"], new, same
        ),
        (days,),
    )
    connection.execute(
        sql.SQL(
            """
            merge into {table} as old using {new} as new on {same}
            when matched and ({old_values}) is distinct from ({new_values}) then update set {updates}
            when not matched then insert ({names}) values ({inserted})
            """
        ).format(
            table=table,
            new=new,
            same=same,
            old_values=sql.SQL(", ").join(sql.SQL("old.{}").format(column) for column in values),
            new_values=sql.SQL(", ").join(sql.SQL("new.{}").format(column) for column in values),
            updates=sql.SQL(", ").join(sql.SQL("{0} = new.{0}").format(column) for column in values),
            names=sql.SQL(", ").join(columns.values()),
            inserted=sql.SQL(", ").join(sql.SQL("new.{}").format(column) for column in columns.values()),
        )
    )


def _copy(
    connection: Connection,
    table: sql.Identifier,
    columns: list[sql.Identifier],
    contract: Contract,
    engine: duckdb.DuckDBPyConnection,
) -> None:
    import pyarrow.csv as pa_csv

    listed = ", ".join(
        f'"{c.name}"::varchar as "{c.name}"' if c.type == "uuid" else f'"{c.name}"' for c in contract.columns
    )
    # In the order of the primary key its index grows at one end, which takes a third less time.
    order = ", ".join(f'kept."{name}"' for name in contract.grain)
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(table, sql.SQL(", ").join(columns))
    batches = engine.sql(f"select {listed} from kept order by {order}").to_arrow_reader(COPY_ROWS)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in batches:
            text = BytesIO()
            pa_csv.write_csv(batch, text, pa_csv.WriteOptions(include_header=False))
            copy.write(text.getbuffer())
