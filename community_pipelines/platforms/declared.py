"""Reads what a platform declares in files: `dbt_like_models/<platform>/sources.yml`, and SQL beside its `spec.py`.

`sources.yml` has three kinds of sources. The one that is called as the platform holds what is in the lake: tables with
`config.meta.stream` are streams, tables with `config.meta.dimension` are dimensions. `<platform>_app` holds the app's
tables in PostgreSQL with the columns that nothing copies. Any other holds tables that one job of the platform needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from community_pipelines.platforms.data_tests import (
    GRAIN_TEST,
    SEVERITIES,
    DeclarationError,
    check_parents,
    read_data_tests,
    refuse_unknown,
)
from community_pipelines.platforms.spec import Column, ColumnType, Consistency, Dimension, RowRule, Stream, Table
from community_pipelines.shipped import shipped

MODELS_FOLDER = shipped("dbt_like_models")
# PostgreSQL's name of what the lake calls otherwise.
IN_THE_APP: Mapping[str, str] = {"varchar": "text"}
ITEM = {"name", "description", "config", "columns"}
COLUMN = {"name", "data_type", "description", "config"}
STREAM_FACTS = {"table", "id", "entity", "states", "settles_days", "shrink_limit", "timeless"}


@dataclass(frozen=True)
class Declared:
    """What the files of a platform declare. `others` are the tables of further sources, by source and name."""

    tables: tuple[Table, ...]
    streams: tuple[Stream, ...]
    dimensions: tuple[Dimension, ...]
    others: Mapping[str, Mapping[str, Table]]

    def table(self, name: str) -> Table:
        """The app's table of that logical name; KeyError when there is none."""
        return {table.name: table for table in self.tables}[name]

    def stream(self, name: str) -> Stream:
        """The stream of that name; KeyError when there is none."""
        return {stream.name: stream for stream in self.streams}[name]


def sql_file(platform: str, name: str) -> str:
    """The SQL of a platform's file such as `truth/scenes`, with its names in braces.

    Raises DeclarationError when it is not there.
    """
    path = Path(__file__).parent / platform / f"{name}.sql"
    if not path.exists():
        raise DeclarationError(f"{path} does not exist: {platform} declares it; write it, or take the name away")
    return path.read_text(encoding="utf-8")


@cache
def declared(platform: str, folder: Path = MODELS_FOLDER) -> Declared:
    """All tables, streams and dimensions of a platform.

    Raises DeclarationError, naming the file and the table, for what is missing, unknown or said wrongly.
    """
    import yaml

    path = folder / platform / "sources.yml"
    try:
        sources = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["sources"]
        return _declared(platform, path, {source["name"]: source for source in sources})
    except OSError as error:
        reason = f"cannot be read ({error.strerror}): a platform's streams are declared there"
    except yaml.YAMLError as error:
        reason = f"is no valid YAML: {error}"
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"is not written as sources.yml of the other platforms are ({type(error).__name__}: {error})"
    raise DeclarationError(f"{path} {reason}")


def _declared(platform: str, path: Path, sources: dict[str, Any]) -> Declared:
    lake, app = sources.pop(platform, None), sources.pop(f"{platform}_app", None)
    if lake is None or app is None:
        raise DeclarationError(f"{path} needs the sources {platform} (the lake) and {platform}_app (the app's tables)")
    copied: dict[str, dict[str, Column]] = {}
    for item in lake["tables"]:
        kind = _kind(item, path)
        of_table = copied.setdefault(_meta(item)[kind].get("table", item["name"]), {})
        for column in _columns(item, path, lake=True, tested=kind == "stream"):
            known = of_table.setdefault(column.name, column)
            if (known.type, known.optional) != (column.type, column.optional):
                raise DeclarationError(f"{path}, {item['name']}: {column.name} has another type than in another table")
    tables = {
        item["name"]: _table(app, item, path, tuple(copied.pop(item["name"], {}).values())) for item in app["tables"]
    }
    if copied:
        raise DeclarationError(f"{path}: the source {platform}_app lacks the table {', '.join(sorted(copied))}")
    streams, dimensions = [], []
    for item in lake["tables"]:
        table = tables[_meta(item)[_kind(item, path)].get("table", item["name"])]
        if _kind(item, path) == "stream":
            streams.append(_stream(platform, table, item, path))
        else:
            columns = tuple(column["name"] for column in item["columns"])
            dimensions.append(Dimension(table, columns, _own_name(item, table)))
    parents = {f"{platform}/{dimension.name}": set(dimension.columns) for dimension in dimensions}
    for stream in streams:
        check_parents(stream.data_tests, parents, f"{path}, {stream.name}")
    others = {
        name: {item["name"]: _table(source, item, path) for item in source["tables"]}
        for name, source in sources.items()
    }
    return Declared(tuple(tables.values()), tuple(streams), tuple(dimensions), others)


def _meta(item: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = (item.get("config") or {}).get("meta") or {}
    return meta


def _kind(item: Mapping[str, Any], path: Path) -> str:
    where, meta = f"{path}, {item['name']}", _meta(item)
    kinds = [kind for kind in ("stream", "dimension") if kind in meta]
    if "meta" in item or len(kinds) != 1:
        raise DeclarationError(
            f"{where}: config.meta says either stream or dimension, and nothing is said in a meta beside config: dbt "
            "loses it"
        )
    if kinds == ["stream"]:
        refuse_unknown(item, ITEM | {"data_tests"}, where)
        refuse_unknown(item["config"], {"event_time", "meta"}, f"{where}: config")
        refuse_unknown(meta, {"external_location", "stream", "quarantine", "consistency"}, f"{where}: config.meta")
        refuse_unknown(meta["stream"], STREAM_FACTS, f"{where}: config.meta.stream")
    else:
        refuse_unknown(item, ITEM, where)
        refuse_unknown(meta, {"external_location", "dimension"}, f"{where}: config.meta")
        refuse_unknown(meta["dimension"], {"table"}, f"{where}: config.meta.dimension")
    return kinds[0]


def _own_name(item: Mapping[str, Any], table: Table) -> str:
    return "" if item["name"] == table.name else str(item["name"])


def _text(value: Any) -> str:
    return " ".join(str(value).split())


def _columns(item: Mapping[str, Any], path: Path, lake: bool, tested: bool = False) -> tuple[Column, ...]:
    found = []
    for column in item.get("columns") or ():
        where = f"{path}, {item['name']}, column {column.get('name')}"
        refuse_unknown(column, COLUMN | ({"data_tests"} if tested else set()), where)
        refuse_unknown(_meta(column), {"source_type", "optional"}, f"{where}: config.meta")
        try:
            meta = _meta(column)
            said = str(column["data_type"])
            type_name = meta.get("source_type", IN_THE_APP.get(said, said) if lake else said)
            found.append(
                Column(column["name"], type_name, _text(column["description"]), bool(meta.get("optional", False)))
            )
        except KeyError as error:
            raise DeclarationError(f"{path}, {item['name']}: a column lacks {error}") from None
        if type_name not in get_args(ColumnType):
            raise DeclarationError(
                f"{path}, {item['name']}: {column['name']} has the type {type_name}; expected one of "
                f"{', '.join(get_args(ColumnType))}"
            )
    return tuple(found)


def _table(source: Mapping[str, Any], item: Mapping[str, Any], path: Path, copied: tuple[Column, ...] = ()) -> Table:
    where = f"{path}, {source['name']}.{item['name']}"
    refuse_unknown(item, ITEM | {"identifier"}, where)
    refuse_unknown(_meta(item), {"never_read"}, f"{where}: config.meta")
    own = _columns(item, path, lake=False)
    repeated = sorted({column.name for column in own} & {column.name for column in copied})
    if repeated:
        raise DeclarationError(f"{where}: {', '.join(repeated)} is said where it is copied; take it away")
    never_read = tuple(_meta(item).get("never_read", ()))
    if read := sorted({column.name for column in (*copied, *own)} & set(never_read)):
        raise DeclarationError(f"{where}: {', '.join(read)} is to leave the app and is never_read; take one away")
    return Table(
        item["name"],
        f"{source.get('schema', 'public')}.{item.get('identifier', item['name'])}",
        _text(item["description"]),
        (*copied, *own),
        never_read,
    )


def _stream(platform: str, table: Table, item: Mapping[str, Any], path: Path) -> Stream:
    meta, where = _meta(item), f"{path}, {item['name']}"
    facts, tests = meta["stream"], read_data_tests(item, where)
    if GRAIN_TEST in {test.kind for test in tests}:
        raise DeclarationError(f"{where}: {GRAIN_TEST} is for models; repeated ids of a stream are counted anyhow")
    if type(facts.get("settles_days", 0)) is not int:
        raise DeclarationError(f"{where}: settles_days is {facts['settles_days']!r}; expected a whole number")
    try:
        return Stream(
            table=table,
            description=_text(item["description"]),
            columns=tuple(table.column(column["name"]) for column in item["columns"]),
            id=facts.get("id", "id"),
            time=item["config"]["event_time"],
            entity=facts["entity"],
            quarantine=tuple(_rule(rule, where) for rule in meta["quarantine"]),
            data_tests=tests,
            states=tuple(facts.get("states", ())),
            settles_days=facts.get("settles_days", 0),
            shrink_limit=facts.get("shrink_limit"),
            named=_own_name(item, table),
            consistency=tuple(_consistency(platform, rule, where) for rule in meta.get("consistency", ())),
            timeless=facts.get("timeless", ""),
        )
    except KeyError as error:
        raise DeclarationError(
            f"{where}: {error} is missing; a stream has columns, config.event_time, config.meta.stream with its entity "
            "and config.meta.quarantine"
        ) from None
    except ValueError as error:
        raise DeclarationError(f"{where}: {error}") from None


def _rule(rule: Mapping[str, Any], where: str) -> RowRule:
    refuse_unknown(rule, {"name", "description", "broken", "accepted_values"}, f"{where}: a quarantine rule")
    name, description = rule["name"], rule["description"]
    if "accepted_values" not in rule:
        return RowRule(name, rule["broken"], description)
    column = rule["accepted_values"]["column"]
    accepted = tuple(str(value) for value in rule["accepted_values"]["values"])
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in accepted)
    return RowRule(name, f"{column} is null or {column} not in ({listed})", description, column, accepted)


def _consistency(platform: str, rule: Mapping[str, Any], where: str) -> Consistency:
    refuse_unknown(rule, {"name", "description", "severity"}, f"{where}: a consistency rule")
    if rule["severity"] not in SEVERITIES:
        raise DeclarationError(f"{where}: {rule['name']} has severity {rule['severity']!r}; expected error or warn")
    return Consistency(
        rule["name"],
        SEVERITIES[rule["severity"]],
        rule["description"],
        sql_file(platform, f"rules/{rule['name']}"),
    )
