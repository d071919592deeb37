"""Entities that are gone from the app: their rows leave the published tables, and return when the entity does.

Here: finding them, recounting what is left out, remembering whose rows it is. Not here: a day that is being
published, which leaves them out by itself. The lake keeps all rows, so that what left can come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from psycopg import errors, sql

from community_pipelines.databases.connections import Connection, connect, retried, writing
from community_pipelines.databases.deployment import Deployment
from community_pipelines.errors import ExplainedError
from community_pipelines.lake.duck import parquet, session
from community_pipelines.lake.files import Lake
from community_pipelines.lake.ledger import read_ledger
from community_pipelines.lake.verified import Verified
from community_pipelines.models.project import Model, load_models
from community_pipelines.models.publish import (
    RECOMPUTE,
    REPUBLISH,
    Publication,
    entity_dimension,
    publications,
    publish,
    remember,
    target_column,
    target_table,
    why_left_out,
)
from community_pipelines.platforms.spec import ENTITY_KEY, Platform

if TYPE_CHECKING:
    import duckdb

# So many may always go at once; more than these and than the setting `gone_limit` are taken for an accident.
FEW = 100
# By that name people see how many rows left a table at the end of a run.
SWEPT = "rows that left"


class GoneError(ExplainedError):
    """Too many entities are gone at once to be believed; the message names the tables and what to do."""


@dataclass(frozen=True)
class Found:
    """What a published table says that the app does not: of `named` entities these are `gone`, these that were left
    out came `back`, and of these days rows went by themselves (`short`)."""

    named: int
    gone: tuple[str, ...]
    back: tuple[str, ...]
    short: tuple[date, ...]

    @property
    def anything(self) -> bool:
        """Whether there is something to do."""
        return bool(self.gone or self.back or self.short)

    @property
    def why(self) -> str:
        """What was found, in words."""
        facts = [
            (len(self.gone), "of the entities that it names are gone"),
            (len(self.back), "of those that were left out came back"),
            (len(self.short), "of its days lost rows outside of a run"),
        ]
        return ", ".join(f"{count:,} {what}" for count, what in facts if count)

    @property
    def version(self) -> str:
        """Changes when something else is found."""
        return "gone:" + hashlib.sha256(repr((self.gone, self.back, self.short)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Swept:
    """What became of one published table: so many `rows` of entities that are gone left so many `days`; so many
    entities came `back`, and so many days were `restored` for them."""

    model: str
    table: str
    rows: int
    days: int
    back: int
    restored: int

    @property
    def text(self) -> str:
        """It, in a sentence."""
        left = f"{self.rows:,} rows of entities that are gone left {self.days:,} days"
        returned = f"{self.back:,} entities came back, {self.restored:,} days were published again"
        told = [left] * bool(self.rows) + [returned] * bool(self.back or self.restored)
        return f"{self.table}: {'; '.join(told)}"

    @property
    def metadata(self) -> dict[str, int]:
        """It, by name."""
        return {
            SWEPT: self.rows,
            "days that they left": self.days,
            "entities back": self.back,
            "days restored": self.restored,
        }


@dataclass(frozen=True)
class _Place:
    """A published table and the app's table of its entities, as SQL. `ordered`: an index begins with the entity;
    `shared`: the app, or a foreign key to the app, takes rows out by itself."""

    table: sql.Identifier
    entity: sql.Identifier
    day: sql.Identifier
    entity_type: sql.SQL
    app: sql.Identifier
    id: sql.Identifier
    id_type: sql.SQL
    ordered: bool
    shared: bool

    def sql(self, query: str) -> sql.Composed:
        """The query with the names filled in."""
        return sql.SQL(query).format(**{name: part for name, part in vars(self).items() if not isinstance(part, bool)})


def models_with_entities(platform: Platform) -> list[Model]:
    """The platform's models whose rows are of entities that can be deleted."""
    return [model for model in load_models(platform.name) if model.contract.entity is not None]


def look(connection: Connection, deployment: Deployment, model: Model) -> Found:
    """What a sweep of the model's table would find now, by the primary; nothing is changed."""
    place = _place(connection, deployment, model)
    named, gone = _gone(connection, place)
    key = (deployment.platform.name, model.contract.publish)
    return Found(named, gone, _back(connection, place, *key), tuple(_short(connection, place, *key)))


def left_out(connection: Connection, platform: str) -> dict[str, tuple[int, int]]:
    """By published table: rows of accepted days that are left out, and the entities whose rows they are."""
    rows = connection.execute(
        """
        select table_name, rows::bigint, (
            select count(*) from community.left_out_entities as entity
            where entity.platform = %(platform)s and entity.table_name = published.table_name
        )
        from (
            select table_name, sum(left_out) as rows from community.publications
            where platform = %(platform)s group by table_name
        ) as published
        where rows > 0
        order by table_name
        """,
        {"platform": platform},
    ).fetchall()
    return {table: (count, entities) for table, count, entities in rows}


@contextmanager
def sweeping(deployment: Deployment, lake: Lake, run_id: str, rows_limit: int) -> Iterator[list[Swept]]:
    """Sweeps the platform's tables at the block's end, also where the block failed; what was done is in the list.

    Raises GoneError where too many entities are gone, after the other tables.
    """
    remember_earlier(deployment, lake, run_id)
    swept: list[Swept] = []
    try:
        yield swept
    except Exception as failure:
        try:
            sweep(deployment, lake, run_id, rows_limit, swept)
        except Exception as error:
            failure.add_note(f"the rows of entities that are gone were not all taken out either: {error}")
        raise
    sweep(deployment, lake, run_id, rows_limit, swept)


def sweep(deployment: Deployment, lake: Lake, run_id: str, rows_limit: int, swept: list[Swept]) -> None:
    """Takes the rows of entities that are gone out of the platform's published tables, and publishes the days of
    those that came back again. Adds what was done to the list.

    A table's rows leave in one transaction. An entity that is inserted again while that commits is found by the next
    sweep: it is remembered. Raises GoneError where too many are gone, after the other tables; DatabaseError when the
    database is away.
    """
    refused = []
    with connect(deployment.publish_url, deployment.publish_setting) as connection:
        for model in models_with_entities(deployment.platform):
            try:
                done = retried(partial(_sweep, connection, deployment, model, lake, run_id))
            except GoneError as error:
                refused.append(str(error))
                continue
            again = _to_publish_again(connection, deployment, model, lake)
            if again:
                publish(deployment, model, lake, again, run_id, rows_limit)
            if again or done.rows or done.back:
                swept.append(replace(done, restored=len(again)))
    if refused:
        raise GoneError("\n".join(refused))


def remember_earlier(deployment: Deployment, lake: Lake, run_id: str) -> None:
    """Fills the memory of a table that has rows left out and none remembered, from the lake: an earlier version did
    not remember them. Days that should have these rows by now are marked to be published again."""
    platform = deployment.platform.name
    with connect(deployment.publish_url, deployment.publish_setting) as connection:
        tables = connection.execute(
            """
            select distinct table_name from community.publications as published
            where platform = %s and left_out > 0 and not exists (
                select from community.left_out_entities as entity
                where entity.platform = published.platform and entity.table_name = published.table_name
            )
            """,
            (platform,),
        ).fetchall()
        for model in models_with_entities(deployment.platform):
            if (model.contract.publish,) in tables:
                retried(partial(_remember_earlier, connection, deployment, model, lake, run_id))


def _remember_earlier(connection: Connection, deployment: Deployment, model: Model, lake: Lake, run_id: str) -> None:
    platform, table = deployment.platform.name, model.contract.publish
    with writing(connection, f"publish:{platform}:{table}"):
        place = _place(connection, deployment, model)
        days = [day for day, one in publications(connection, platform, table).items() if one.left_out]
        gone, again = _examine(connection, deployment, model, lake, place, days)
        remember(connection, platform, table, gone)
        _mark(connection, deployment, model, [], again, run_id)


def _sweep(connection: Connection, deployment: Deployment, model: Model, lake: Lake, run_id: str) -> Swept:
    platform, table = deployment.platform.name, model.contract.publish
    with writing(connection, f"publish:{platform}:{table}"):
        place = _place(connection, deployment, model)
        named, gone = _gone(connection, place)
        if len(gone) > FEW and len(gone) > deployment.settings.gone_limit * named:
            raise GoneError(_too_many(deployment, model, len(gone), named))
        lost, left = _delete(connection, place, gone)
        _recount(connection, model, platform, lost)
        remember(connection, platform, table, left)
        back = _back(connection, place, platform, table)
        if returned := set(left) & set(back):
            raise errors.SerializationFailure(f"{len(returned)} entities of {table} came back while their rows left")
        short = _short(connection, place, platform, table)
        for day, rows in short.items():
            lost[day] = lost.get(day, 0) + rows
        known = publications(connection, platform, table)
        days = {*short, *(day for day, one in known.items() if back and one.left_out)}
        _forget(connection, platform, table, back)
        also_gone, again = _examine(connection, deployment, model, lake, place, sorted(days))
        remember(connection, platform, table, also_gone)
        _mark(connection, deployment, model, lost, again, run_id)
        return Swept(model.name, table, sum(lost.values()), len(lost), len(back), 0)


def _too_many(deployment: Deployment, model: Model, gone: int, named: int) -> str:
    entities = deployment.names.table(deployment.platform.table(str(model.contract.entity_table))).as_string()
    setting = f"COMMUNITY_{deployment.platform.name.upper()}__GONE_LIMIT"
    return (
        f"{deployment.platform.name}: {gone:,} of the {named:,} entities that {model.contract.publish} names are gone "
        f"from {entities}, more than {deployment.settings.gone_limit:.0%}: their rows stay until a person has looked. "
        f"If {entities} was emptied by mistake, or {deployment.publish_setting} is another database, mend that; if "
        f"they were really deleted, run once with {setting}=1"
    )


def _place(connection: Connection, deployment: Deployment, model: Model) -> _Place:
    contract = model.contract
    entity = deployment.platform.table(str(contract.entity_table))
    table, column = target_table(deployment, model), target_column(deployment, model, str(contract.entity))
    row = connection.execute(
        """
        select format_type(atttypid, null),
            exists (
                select from pg_index
                join pg_class on pg_class.oid = indexrelid
                join pg_am on pg_am.oid = relam
                where indrelid = attrelid and indkey[0] = attnum and indpred is null and indisvalid
                    and amname = 'btree'
            ),
            exists (select from pg_constraint where conrelid = attrelid and contype = 'f')
        from pg_attribute
        where attrelid = %s::regclass and '"' || replace(attname, '"', '""') || '"' = %s
        """,
        (table.as_string(), column.as_string()),
    ).fetchone()
    if row is None:
        raise errors.UndefinedColumn(f"{table.as_string()} has no column {column.as_string()}")
    return _Place(
        table=table,
        entity=column,
        day=target_column(deployment, model, "day"),
        entity_type=sql.SQL(row[0]),
        app=deployment.names.table(entity),
        id=deployment.names.column(entity, ENTITY_KEY),
        id_type=sql.SQL(entity.column(ENTITY_KEY).type),
        ordered=row[1],
        shared=row[2] or "." not in contract.publish,
    )


# One step of the index from each entity to the next: as many reads as entities, however many rows they have.
_NAMED_IN_ORDER = """
with recursive steps as (
    (select {entity} as key from {table} order by {entity} limit 1)
    union all
    select (select {entity} from {table} where {entity} > steps.key order by {entity} limit 1)
    from steps
    where steps.key is not null
),
named as (select key from steps where key is not null)
"""
_NAMED = "with named as (select distinct {entity} as key from {table} where {entity} is not null)"
_GONE = """
select count(*), array_agg(key::text order by key) filter (
    where not exists (select from {app} where {id} = named.key::{id_type})
)
from named
"""


def _gone(connection: Connection, place: _Place) -> tuple[int, tuple[str, ...]]:
    """How many entities the table names, and which of them are gone."""
    query = place.sql((_NAMED_IN_ORDER if place.ordered else _NAMED) + _GONE)
    named, gone = _row(connection, query)
    return named, tuple(gone or ())


def _delete(connection: Connection, place: _Place, gone: Sequence[str]) -> tuple[dict[date, int], list[str]]:
    """Rows deleted by day, and whose they were: those that are gone still, as this statement sees it."""
    if not gone:
        return {}, []
    query = place.sql(
        """
        with deleted as (
            delete from {table} as published
            where {entity} = any(%s::text[]::{entity_type}[])
                and not exists (select from {app} where {id} = published.{entity}::{id_type})
            returning {day} as day, {entity}::text as key
        )
        select day, null, count(*) from deleted group by day
        union all
        select null, key, count(*) from deleted group by key
        """
    )
    rows = connection.execute(query, (list(gone),)).fetchall()
    return {day: count for day, _, count in rows if day}, [key for _, key, _ in rows if key is not None]


def _recount(connection: Connection, model: Model, platform: str, lost: Mapping[date, int]) -> None:
    """Notes rows that left: of each day's rows so many fewer are published and so many more left out."""
    connection.execute(
        """
        update community.publications as published
        set rows = published.rows - lost.rows, left_out = published.left_out + lost.rows, left_out_why = %s
        from unnest(%s::date[], %s::bigint[]) as lost (day, rows)
        where platform = %s and table_name = %s and published.day = lost.day
        """,
        (why_left_out(model), list(lost), list(lost.values()), platform, model.contract.publish),
    )


def _back(connection: Connection, place: _Place, platform: str, table: str) -> tuple[str, ...]:
    """The entities that were left out and exist again."""
    query = place.sql(
        """
        select entity_id from community.left_out_entities
        where platform = %s and table_name = %s and exists (select from {app} where {id} = entity_id::{id_type})
        order by entity_id
        """
    )
    return tuple(key for (key,) in connection.execute(query, (platform, table)).fetchall())


def _forget(connection: Connection, platform: str, table: str, entities: Sequence[str]) -> None:
    connection.execute(
        "delete from community.left_out_entities where platform = %s and table_name = %s and entity_id = any(%s)",
        (platform, table, list(entities)),
    )


def _short(connection: Connection, place: _Place, platform: str, table: str) -> dict[date, int]:
    """By day, rows that were published and are there no more, though no run took them out."""
    if not place.shared:
        return {}
    query = place.sql(
        """
        select published.day, published.rows - coalesce(counted.rows, 0)
        from community.publications as published
        left join (select {day} as day, count(*) as rows from {table} group by {day}) as counted using (day)
        where platform = %s and table_name = %s and published.rows > coalesce(counted.rows, 0)
        order by published.day
        """
    )
    return dict(connection.execute(query, (platform, table)).fetchall())


def _examine(
    connection: Connection,
    deployment: Deployment,
    model: Model,
    lake: Lake,
    place: _Place,
    days: Sequence[date],
) -> tuple[list[str], list[date]]:
    """Compares days with the lake's files of them: the entities in them that are gone, and the days that lack rows of
    one that is not. Corrects the counts of the others."""
    if not days:
        return [], []
    platform, table = deployment.platform.name, model.contract.publish
    recorded = publications(connection, platform, table)
    query = place.sql("select {day}, count(*) from {table} where {day} = any(%s) group by {day}")
    counted: dict[date, int] = dict(connection.execute(query, (list(days),)).fetchall())
    with lake.staging(platform, f"gone-{uuid4().hex}") as folder, session() as engine:
        of_day = _files_of(Verified(folder), lake.files("models", platform, model.name, days), recorded)
        gone, missing = _left_out_by_day(connection, engine, place, model, of_day)
    again, corrected = [], {}
    for day in days:
        one, rows = recorded[day], counted.get(day, 0)
        accepted = one.rows + one.left_out
        if day in of_day and rows != accepted - missing.get(day, 0):
            again.append(day)
        elif rows < one.rows:
            corrected[day] = one.rows - rows
    _recount(connection, model, platform, corrected)
    return gone, again


def _files_of(verified: Verified, paths: Sequence[Path], recorded: Mapping[date, Publication]) -> dict[date, Path]:
    """Of those files the ones that are published as they are. A damaged one is left alone: that day is made anew."""
    damaged = verified.faults(paths)
    found = {}
    for file in verified.pinned(path for path in paths if path not in damaged):
        ledger = read_ledger(file)
        if recorded[ledger.day].content_hash == ledger.content_hash:
            found[ledger.day] = file
    return found


def _left_out_by_day(
    connection: Connection,
    engine: duckdb.DuckDBPyConnection,
    place: _Place,
    model: Model,
    files: Mapping[date, Path],
) -> tuple[list[str], dict[date, int]]:
    """The entities in those files that are gone, and how many rows they have by day."""
    if not files:
        return [], {}
    engine.execute(
        f'create view rows as select day, "{model.contract.entity}"::varchar as key '
        f"from {parquet(list(files.values()), [])}"
    )
    keys = [key for (key,) in engine.execute("select distinct key from rows").fetchall()]
    query = place.sql(
        """
        select key from unnest(%s::text[]) as named (key)
        where not exists (select from {app} where {id} = key::{id_type})
        """
    )
    gone = [key for (key,) in connection.execute(query, (keys,)).fetchall()]
    by_day = "select day, count(*) from rows where list_contains(?, key) group by day"
    return gone, dict(engine.execute(by_day, [gone]).fetchall()) if gone else {}


def _mark(
    connection: Connection,
    deployment: Deployment,
    model: Model,
    lost: Collection[date],
    again: Collection[date],
    run_id: str,
) -> None:
    """Marks days to be published again, and the newest one to be computed again where others' numbers in it depend
    on who exists."""
    platform, table = deployment.platform.name, model.contract.publish
    (newest,) = _row(
        connection,
        sql.SQL("select max(day) from community.publications where platform = %s and table_name = %s"),
        (platform, table),
    )
    recomputed = {newest} & {*lost, *again} if entity_dimension(deployment.platform, model) else set()
    for what, days in ((RECOMPUTE, recomputed), (REPUBLISH, set(again) - recomputed)):
        connection.execute(
            "update community.publications set content_hash = %s "
            "where platform = %s and table_name = %s and day = any(%s)",
            (f"{what}: {run_id}", platform, table, sorted(days)),
        )


def _to_publish_again(connection: Connection, deployment: Deployment, model: Model, lake: Lake) -> list[date]:
    """The marked days, also those that a killed run left. A day without a file is missing, and made anew."""
    recorded = publications(connection, deployment.platform.name, model.contract.publish)
    there = lake.days("models", deployment.platform.name, model.name)
    return [day for day in there if day in recorded and recorded[day].content_hash.startswith(REPUBLISH)]


def _row(connection: Connection, query: sql.Composed | sql.SQL, values: Sequence[object] = ()) -> tuple[Any, ...]:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row
