"""Functions that run as their owner: for everybody who may execute one it is a way around the grants.

A trigger's function cannot be called, but whoever may execute it can put it on a temporary table of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from community_pipelines.databases.connections import Connection
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.reach import Database, ask

SUBJECT = "definer functions"


def definer_functions(database: Database, connection: Connection, schemas: Sequence[str]) -> Iterator[Diagnosis]:
    """Names `security definer` functions of those schemas that everybody may execute, or whose names mean what the
    caller's search path says; those of extensions are their own business."""
    rows = ask(
        connection,
        """
        select format('%%I.%%I(%%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)),
            quote_ident(nspname), prorettype in ('trigger'::regtype, 'event_trigger'::regtype),
            exists (
                select from aclexplode(coalesce(proacl, acldefault('f', proowner)))
                where grantee = 0 and privilege_type = 'EXECUTE'
            ),
            exists (select from unnest(proconfig) as setting where starts_with(setting, 'search_path='))
        from pg_proc
        join pg_namespace on pg_namespace.oid = pronamespace
        where prosecdef and nspname = any(%s)
            and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
        order by 1
        """,
        (sorted(set(schemas)),),
    )
    faults = False
    for name, schema, by_trigger, open_to_all, fixed in rows:
        seen, advice = [], []
        if open_to_all:
            seen.append("everybody may execute it")
            advice.append(f"revoke execute on function {name} from public;")
            if not by_trigger:
                advice.insert(0, f"-- first, for each role that calls it: grant execute on function {name} to …")
        if not fixed:
            seen.append("the caller's search path decides what its names mean")
            advice.append(f"alter function {name} set search_path = {schema}, pg_temp;")
        if seen:
            faults = True
            what = f"{name} runs as its owner, and {' and '.join(seen)}"
            yield Diagnosis(database.platform, SUBJECT, "warning", what, "\n".join(advice))
    if not faults:
        seen_of_all = f"{len(rows)} run as their owner, none of them for everybody" if rows else "there are none"
        yield Diagnosis(database.platform, SUBJECT, "ok", seen_of_all)
