"""Which columns a model's columns come from, read from its SQL with sqlglot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from community_pipelines.models.project import Model, ModelError

if TYPE_CHECKING:
    from sqlglot.lineage import Node

# One shape for every upstream column: the lineage needs names, not types.
UpstreamColumns = dict[str, list[str]]


def _text(model: Model) -> str:
    class Plain:
        def __init__(self, name: str) -> None:
            self._name = name

        def __str__(self) -> str:
            return f'"{self._name}"'

        def render(self) -> str:
            return str(self)

    return model.rendered(Plain, lambda _, table: Plain(table))


def _parsed(model: Model) -> Any:
    """The query as a tree. Raises ModelError, with the place, for SQL that does not parse."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(_text(model), dialect="duckdb")
    except SqlglotError as error:
        raise ModelError(f"{model.path} is no valid SQL: {error}") from None


def _output_columns(model: Model, tree: Any) -> list[str]:
    """The columns that the SQL gives, in order. Raises ModelError for a last select that names no columns."""
    from sqlglot import exp

    last: Any = tree
    ctes = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
    # The house's models end in `select * from <cte>`: follow the star to the query that names the columns.
    while isinstance(last, exp.Select) and last.is_star:
        source = last.args["from_"].this if last.args.get("from_") else None
        if source is None or source.name not in ctes:
            raise ModelError(f"{model.path}: the last select must name its columns or be `select * from <cte>`")
        last = ctes[source.name]
    return [column for column in last.named_selects if column]


def checked(model: Model) -> Any:
    """The model's query as a tree, when it gives just the columns of its contract.

    Raises ModelError for SQL that does not parse or names no columns, and for other columns than the contract's.
    """
    tree = _parsed(model)
    written, promised = set(_output_columns(model, tree)), set(model.contract.column_names())
    if written != promised:
        raise ModelError(
            f"{model.path.with_suffix('.yml')} and {model.path.name} name different columns: the SQL lacks "
            f"{sorted(promised - written) or 'none'}, the contract lacks {sorted(written - promised) or 'none'}; make "
            "them agree"
        )
    return tree


def column_lineage(model: Model, upstream: UpstreamColumns) -> dict[str, list[tuple[str, str]]]:
    """For every output column the upstream (table, column) pairs that it is computed from.

    `upstream` names the columns of every table that the model reads. Raises ModelError as `checked` does.
    """
    from sqlglot.lineage import lineage

    schema = {table: dict.fromkeys(columns, "text") for table, columns in upstream.items()}
    # All columns at once: the query is qualified for each call.
    nodes = lineage(None, checked(model), schema=schema, dialect="duckdb", trim_selects=False)
    found: dict[str, list[tuple[str, str]]] = {}
    for column in model.contract.column_names():
        pairs = set()
        for leaf in _leaves(nodes[column]):
            table = getattr(leaf.source, "name", "")
            name = leaf.name.rsplit(".", 1)[-1].strip('"')
            if table in upstream and name in upstream[table]:
                pairs.add((table, name))
        found[column] = sorted(pairs)
    return found


def _leaves(node: Node) -> Iterator[Node]:
    """The nodes where a column's lineage ends, each once: columns share what they are computed from."""
    waiting, seen = [node], {id(node)}
    while waiting:
        one = waiting.pop()
        if not one.downstream:
            yield one
        for below in one.downstream:
            if id(below) not in seen:
                seen.add(id(below))
                waiting.append(below)
