"""The linter that proves a migration additive: it parses the SQL as PostgreSQL does and allows a short list.

What is not on the list is refused, so a statement that nobody thought of is refused, too.
"""

from __future__ import annotations

from typing import Any

from pglast import enums, parse_sql
from pglast.parser import ParseError

_ADDED_COLUMN_MAY_HAVE = {enums.ConstrType.CONSTR_DEFAULT, enums.ConstrType.CONSTR_NULL}


def problems(sql: str, schema: str) -> list[str]:
    """Why a migration may not be merged, one line per reason; empty when it only adds things to `schema`."""
    try:
        statements = [raw.stmt for raw in parse_sql(sql)]
    except ParseError as error:
        return [f"does not parse: {error}"]
    if not statements:
        return ["holds no statement"]
    created = {_name(statement) for statement in statements if _kind(statement) == "CreateStmt"}
    return [reason for statement in statements for reason in _reasons(statement, schema, created)]


def _reasons(statement: Any, schema: str, created: set[str]) -> list[str]:
    # pglast's node attributes are typed as optional throughout, hence Any.
    kind = _kind(statement)
    if kind == "CommentStmt":
        return []
    if kind not in ("CreateStmt", "IndexStmt", "AlterTableStmt"):
        return [f"{kind} is not on the list of additive statements"]

    reasons = []
    if statement.relation.schemaname != schema:
        reasons.append(f"{_name(statement)} must be written {schema}.{statement.relation.relname}")
    if kind == "AlterTableStmt":
        return reasons + [reason for command in statement.cmds for reason in _alteration(command)]
    if statement.if_not_exists:
        reasons.append("'if not exists' hides a relation of another shape")
    if kind == "IndexStmt" and statement.concurrent:
        reasons.append("a concurrent index cannot be built in a transaction")
    if kind == "IndexStmt" and statement.unique and _name(statement) not in created:
        reasons.append("a unique index on an existing table may refuse its rows")
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
