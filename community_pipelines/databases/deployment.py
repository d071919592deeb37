"""A platform where it really lives: its databases, and its tables and columns by their names there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from psycopg import sql

from community_pipelines.platforms.spec import Choice, Column, Counter, Option, Platform, Snapshots, Table
from community_pipelines.settings import ConfigurationError, PlatformSettings, Settings


@dataclass(frozen=True)
class Names:
    """Logical names → quoted names of one database.

    `optional` are the (table, column) of the optional columns that it has; None before it was asked (`inspect`).
    """

    platform: Platform
    tables: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]
    optional: frozenset[tuple[str, str]] | None = None

    def parts(self, table: Table) -> tuple[str, str]:
        """Schema and table as they are called in the database, unquoted."""
        name = self.tables.get(table.name, table.default)
        schema, dot, rest = name.partition(".")
        return (schema, rest) if dot else ("public", name)

    def table(self, table: Table) -> sql.Identifier:
        """The quoted table."""
        return sql.Identifier(*self.parts(table))

    def column_name(self, table: Table, column: str) -> str:
        """The column as it is called in the database, unquoted."""
        return self.columns.get(table.name, {}).get(column, column)

    def column(self, table: Table, column: str) -> sql.Identifier:
        """The quoted column."""
        return sql.Identifier(self.column_name(table, column))

    def has(self, table: Table, column: Column) -> bool:
        """Whether the database has that declared column. LookupError for an optional one that nobody asked for."""
        if not column.optional:
            return True
        if self.optional is None:
            raise LookupError(f"{table.name}.{column.name} is optional, and the database was not asked for it")
        return (table.name, column.name) in self.optional

    def present(self, table: Table) -> tuple[Column, ...]:
        """The declared columns that the database has."""
        return tuple(column for column in table.columns if self.has(table, column))

    def fill(self, template: str, instead: Mapping[str, sql.Identifier] | None = None, **values: str) -> str:
        """SQL with `{table}`, `{table.column}` and `{value}` replaced.

        `instead` names what takes the place of tables, with the same columns. KeyError for a name that is not
        declared, or a column that a database may not have.
        """
        read = {table.name: self.table(table) for table in self.platform.all_tables} | dict(instead or {})
        tables = {table.name: _Filler(self, table, read[table.name]) for table in self.platform.all_tables}
        return template.format(**tables, **values)


class _Filler:
    """What `str.format` asks for `{table}` and `{table.column}`."""

    def __init__(self, names: Names, table: Table, read: sql.Identifier) -> None:
        self._names = names
        self._table = table
        self._read = read

    def __str__(self) -> str:
        return self._read.as_string()

    def __getattr__(self, column: str) -> str:
        if self._table.column(column).optional:
            raise KeyError(f"{self._table.name}.{column} is optional: SQL that names it fails where it is absent")
        return self._names.column(self._table, column).as_string()


@dataclass(frozen=True)
class Deployment:
    """One platform with its settings. URLs are libpq's; they hold secrets and are never printed."""

    platform: Platform
    source_url: str = field(repr=False)
    publish_url: str = field(repr=False)
    names: Names
    settings: PlatformSettings

    def setting(self, name: str) -> str:
        """A setting of this platform as the environment has it, for messages."""
        return f"COMMUNITY_{self.platform.name.upper()}__{name.upper()}"

    @property
    def source_setting(self) -> str:
        """The setting that holds the source's URL, for messages."""
        return self.setting("source_url")

    @property
    def publish_setting(self) -> str:
        """The setting that holds the publishing URL, for messages."""
        return self.setting("publish_url")

    @property
    def maintain_url(self) -> str:
        """The primary, by the role that takes care of partitions."""
        own = self.settings.maintain_url
        return self.publish_url if own is None else own.get_secret_value()

    @property
    def maintain_setting(self) -> str:
        """The setting that holds that URL, for messages."""
        return self.publish_setting if self.settings.maintain_url is None else self.setting("maintain_url")

    @property
    def snapshots(self) -> Snapshots:
        """The tables of its template snapshots; LookupError where the platform declares none."""
        if self.platform.snapshots is None:
            raise LookupError(f"{self.platform.name} declares no template snapshots")
        return self.platform.snapshots

    def taken(self, counter: Counter) -> Option:
        """The way to count it that the settings choose."""
        name = self.settings.chosen(counter.rule.setting) if isinstance(counter.rule, Choice) else None
        return next((option for option in counter.options if option.name == name), counter.options[0])

    def having(self, optional: Iterable[tuple[str, str]]) -> Deployment:
        """The same where the database has these optional columns, as (table, column), and no others."""
        return replace(self, names=replace(self.names, optional=frozenset(optional)))

    def table_setting(self, table: Table) -> str:
        """The setting that maps a table, for messages."""
        return f"[{self.platform.name}.tables] {table.name}"


def deployment(settings: Settings, platform: Platform) -> Deployment:
    """Where the platform lives by these settings; starts the embedded PostgreSQL when it lives there.

    Raises ConfigurationError for a mapping of a table or column that the platform does not declare.
    """
    own = settings.platform(platform.name)
    _check_mapping(platform, own)
    names = Names(platform, own.tables, own.columns)
    if own.source_url is None:
        from community_pipelines.embedded import postgres

        url = postgres.ensure_running(settings.home).url(platform.name)
        return Deployment(platform, url, url, names, own)
    source = own.source_url.get_secret_value()
    publish = own.publish_url.get_secret_value() if own.publish_url else source
    return Deployment(platform, source, publish, names, own)


def _check_mapping(platform: Platform, own: PlatformSettings) -> None:
    declared: dict[str, set[str]] = {}
    for table in platform.all_tables:
        declared.setdefault(table.name, set()).update(column.name for column in table.columns)
    for name in (*own.tables, *own.columns):
        if name not in declared:
            raise ConfigurationError(
                f"[{platform.name}.tables] maps {name!r}, which {platform.name} does not have: "
                f"expected one of {', '.join(sorted(declared))}"
            )
    for name, columns in own.columns.items():
        for column in columns:
            if column not in declared[name]:
                raise ConfigurationError(
                    f"[{platform.name}.columns.{name}] maps {column!r}, which is not read: "
                    f"expected one of {', '.join(sorted(declared[name]))}"
                )
