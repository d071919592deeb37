"""The linter that proves a migration additive: it parses the SQL as PostgreSQL does and allows a short list.

What is not on the list is refused, so a statement that nobody thought of is refused, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pglast import enums, parse_sql
from pglast.parser import ParseError

_ADDITIVE = {"CreateStmt", "IndexStmt", "AlterTableStmt"}
_ADDED_COLUMN_MAY_HAVE = {enums.ConstrType.CONSTR_DEFAULT, enums.ConstrType.CONSTR_NULL}
# Looked for in the whole body, because dynamic SQL is a string there.
_DESTRUCTIVE = re.compile(r"\b(drop|truncate|detach|rename)\b", re.IGNORECASE)


def problems(sql: str, schema: str, also: Collection[str] = ()) -> list[str]:
    """Why a migration may not be merged, one line per reason; empty when it only adds things to `schema`.

    `also` names kinds of statements that this folder may hold beside tables, columns and indexes:
    CreateFunctionStmt, CreateTrigStmt.
    """
    try:
        statements = [raw.stmt for raw in parse_sql(sql)]
    except ParseError as error:
        return [f"does not parse: {error}"]
    if not statements:
        return ["holds no statement"]
    created = {_name(statement) for statement in statements if _kind(statement) == "CreateStmt"}
    return [
        *(reason for statement in statements for reason in _reasons(statement, schema, created, also)),
        *(f"{name} runs as its owner: revoke execute on it from public here" for name in _open_doors(statements)),
    ]


def _open_doors(statements: Collection[Any]) -> list[str]:
    """Functions that run as their owner, and that everybody may execute."""
    definers, closed = [], set()
    for statement in statements:
        if _kind(statement) == "CreateFunctionStmt":
            if any(option.defname == "security" and option.arg.boolval for option in statement.options):
                definers.append(_dotted(statement.funcname))
        elif _kind(statement) == "GrantStmt" and not _grant(statement):
            closed |= {_dotted(function.objname) for function in statement.objects}
    return [name for name in definers if name not in closed]


def _reasons(statement: Any, schema: str, created: set[str], also: Collection[str]) -> list[str]:
    # pglast's node attributes are typed as optional throughout, hence Any.
    kind = _kind(statement)
    if kind == "CommentStmt":
        return []
    if kind == "GrantStmt":
        return _grant(statement)
    if kind not in _ADDITIVE and kind not in also:
        return [f"{kind} is not on the list of additive statements"]
    if kind == "CreateFunctionStmt":
        return _function(statement, schema)

    reasons = []
    if statement.relation.schemaname != schema:
        reasons.append(f"{_name(statement)} must be written {schema}.{statement.relation.relname}")
    if kind == "AlterTableStmt":
        return reasons + [reason for command in statement.cmds for reason in _alteration(command)]
    if kind == "CreateTrigStmt":
        return reasons + (["'or replace' changes what is there"] if statement.replace else [])
    if statement.if_not_exists:
        reasons.append("'if not exists' hides a relation of another shape")
    if kind == "CreateStmt" and statement.partbound:
        reasons.append("partitions are made month by month, not by a migration")
    if kind == "IndexStmt" and statement.concurrent:
        reasons.append("a concurrent index cannot be built in a transaction")
    if kind == "IndexStmt" and statement.unique and _name(statement) not in created:
        reasons.append("a unique index on an existing table may refuse its rows")
    return reasons


def _grant(statement: Any) -> list[str]:
    roles = {enums.RoleSpecType(role.roletype) for role in statement.grantees}
    takes_from_all = not statement.is_grant and roles == {enums.RoleSpecType.ROLESPEC_PUBLIC}
    if takes_from_all and enums.ObjectType(statement.objtype) is enums.ObjectType.OBJECT_FUNCTION:
        return []
    return ["rights are the owner's to give: only 'revoke execute on function … from public' is for a migration"]


def _dotted(name: Any) -> str:
    return ".".join(part.sval for part in name)


def _function(statement: Any, schema: str) -> list[str]:
    name = _dotted(statement.funcname)
    options = {option.defname: option.arg for option in statement.options}
    body = " ".join(part.sval for part in options.get("as") or ())
    reasons = []
    if name != (expected := f"{schema}.{statement.funcname[-1].sval}"):
        reasons.append(f"{name} must be written {expected}")
    if statement.replace:
        reasons.append("'or replace' changes what is there")
    if not any(option.defname == "set" and option.arg.name == "search_path" for option in statement.options):
        reasons.append(f"{name} must set its search_path, or the caller's decides what its names mean")
    if found := _DESTRUCTIVE.search(body):
        reasons.append(f"{name} holds {found[0]!r}")
    return reasons


def _alteration(command: Any) -> list[str]:
    kind = enums.AlterTableType(command.subtype)
    if kind is not enums.AlterTableType.AT_AddColumn:
        return [f"alter table {kind.name} is not additive"]
    found = {enums.ConstrType(constraint.contype) for constraint in command.def_.constraints or ()}
    if found - _ADDED_COLUMN_MAY_HAVE:
        return [f"the new column {command.def_.colname} has a constraint that existing writers may break"]
    return []


def _kind(statement: Any) -> str:
    return type(statement).__name__


def _name(statement: Any) -> str:
    relation = statement.relation
    return ".".join(filter(None, [relation.schemaname, relation.relname]))
