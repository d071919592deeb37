"""Cached counters as a careless app keeps them: true by the platform's declared truth, but for few.

Of each counted table about 8% of the rows are off: there the app lost updates, counted a retried request twice, or
never heard that something was taken back. So the first reconcile has true work to do.
"""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg import sql

from community_pipelines.databases.deployment import Deployment
from community_pipelines.platforms.spec import CounterTable
from community_pipelines.samples.writing import Writer

_SHARE = 0.08
# Ids are random, so the first ones of their order are any. `fault` says how the app went wrong there.
_COUNTED = """
create temporary table sample_counts on commit drop as
with truth as ({truth}),
places as (select {key} as key, row_number() over (order by {key}) as place, count(*) over () as total from {table}),
counted as (
    select places.key, case when place <= ceil(total * {share}) then place % 3 end as fault, {truths}
    from places left join truth on truth.key = places.key
)
select key, {truths_again}, {wrong} from counted
"""
_SUM = (
    "greatest({truth} + case fault when 1 then -1 - {truth} / 30 when 2 then 1 + {truth} / 50 else {taken_back} end, 0)"
)
_TAKEN_BACK = "case when fault is null then 0 else 1 end"
_LATEST = """case fault
    when 1 then {truth} - interval '3 hours'
    when 2 then least({truth} + interval '7 minutes', {now})
    else {truth}
end"""


def count_carelessly(writer: Writer, place: Deployment) -> int:
    """Sets the cached counters of all tables that have some, and gives how many of them are off."""
    tables = place.platform.counter_tables
    off = 0
    for step, table in enumerate(tables, start=1):
        off += _count(writer, place, table)
        writer.progress("counters", step, len(tables))
    return off


def _count(writer: Writer, place: Deployment, table: CounterTable) -> int:
    names, now = place.names, sql.Literal(datetime.fromtimestamp(writer.now / 1e6, UTC))
    truth = names.fill(table.truth, since="'-infinity'", until="'infinity'")
    columns = {counter: sql.Identifier(place.taken(counter).column) for counter in table.counters}
    wrong = {counter: sql.Identifier(f"wrong {counter.column}") for counter in table.counters}
    fill = {"key": names.column(table.table, table.key), "table": names.table(table.table)}

    def listed(template: str, join: str = ", ") -> sql.Composed:
        return sql.SQL(join).join(
            sql.SQL(template).format(
                truth=column, wrong=wrong[counter], cached=names.column(table.table, counter.column)
            )
            for counter, column in columns.items()
        )

    def cached(counter_kind: str) -> sql.SQL:
        return sql.SQL(_SUM.replace("{taken_back}", _TAKEN_BACK) if counter_kind == "sum" else _LATEST)

    counted = sql.SQL(_COUNTED).format(
        truth=sql.SQL(truth),
        share=sql.Literal(_SHARE),
        truths=sql.SQL(", ").join(
            sql.SQL("coalesce(truth.{0}, 0) as {0}" if counter.kind == "sum" else "truth.{0}").format(column)
            for counter, column in columns.items()
        ),
        truths_again=listed("{truth}"),
        wrong=sql.SQL(", ").join(
            sql.SQL("{} as {}").format(
                cached(counter.kind).format(truth=column, **({} if counter.kind == "sum" else {"now": now})),
                wrong[counter],
            )
            for counter, column in columns.items()
        ),
        **fill,
    )
    writer.execute(counted.as_string())
    updated = sql.SQL(
        "update {table} as cached set {sets} from sample_counts as counts where counts.key = cached.{key}"
    )
    writer.execute(updated.format(sets=listed("{cached} = counts.{wrong}"), **fill).as_string())
    differ = listed("count(*) filter (where {truth} is distinct from {wrong})", " + ")
    off = int(writer.value(sql.SQL("select {} from sample_counts").format(differ).as_string()))
    writer.execute("drop table sample_counts")
    return off
