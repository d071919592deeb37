"""The only reader of the environment and of `community.toml`.

Everything else gets a `Settings` object. Secrets are `SecretStr`: they never show in a log or an error.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from community_pipelines.errors import ExplainedError
from community_pipelines.platforms.registry import PLATFORMS, platform
from community_pipelines.platforms.spec import Platform

CONFIG_FILE = "community.toml"

# What scenes of the gallery usually import: React, Remotion, icons, drawing and small helpers.
ALLOWED_IMPORTS = (
    "react", "react-dom", "remotion", "@remotion/*", "lucide-react", "framer-motion", "motion", "three",
    "@react-three/*", "d3", "d3-*", "@iconify/react", "lottie-web", "lottie-react", "gsap", "animejs", "popmotion",
    "flubber", "simplex-noise", "chroma-js", "tinycolor2", "polished", "culori", "clsx", "classnames", "tailwind-merge",
    "lodash", "lodash-es", "date-fns", "dayjs", "zod", "nanoid", "seedrandom", "styled-components", "@emotion/*",
    "recharts", "mathjs", "katex", "react-katex", "prismjs", "react-icons", "@heroicons/react", "@mui/material",
)  # fmt: skip


class ConfigurationError(ExplainedError):
    """A setting is wrong or missing; the message names it and what was expected."""


def _postgresql_url(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    # What the parsers say of a wrong URL may quote a part of its password.
    wrong = "expected a URL like postgresql://user:password@host:5432/database"
    try:
        head, mark, query = value.get_secret_value().partition("?")
        # For libpq a + stands for itself, for SQLAlchemy for a space.
        url = make_url(f"{head}{mark}{query.replace('+', '%2B')}")
        unquote(value.get_secret_value(), errors="strict")
    except (ArgumentError, ValueError):
        raise ValueError(wrong) from None
    # After an @ of the password that was not escaped comes the rest of it, read as the host.
    if any("@" in str(part) for part in (url.host, url.database, *chain.from_iterable(url.normalized_query.values()))):
        raise ValueError(f"{wrong}; an @ in the user, the password or a name is written %40, and a % is written %25")
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(f"{wrong}, found the scheme {url.drivername!r}")
    # SQLAlchemy leaves a space as it is, or writes it as + after the ?.
    text = url.set(drivername="postgresql").render_as_string(hide_password=False).replace(" ", "%20")
    head, mark, query = text.partition("?")
    text = f"{head}{mark}{query.replace('+', '%20')}"
    try:
        conninfo_to_dict(text)
    except ProgrammingError:
        raise ValueError(f"{wrong}; after a ? only names that libpq knows, such as sslmode") from None
    return SecretStr(text)


def _web_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not re.fullmatch(r"https?://[^/\s]+\S*", value.get_secret_value()):
        raise ValueError("expected a URL like https://host/path")
    return value


def _home_of_user(value: Path | None) -> Path | None:
    if value is None:
        return None
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError(f"expected a folder, and the user of {value.parts[0]!r} has none here") from None


class PlatformSettings(BaseModel):
    """One platform's databases and names.

    `source_url` is read (a replica will do), `publish_url` is written (the primary; the source when not set), and
    `maintain_url` is the primary by a role that owns the partitioned tables (the publishing one when not set).
    Without a `source_url` the platform lives on the embedded PostgreSQL. `tables` and `columns` map the logical
    names of the platform's spec to the names in that database.
    """

    model_config = ConfigDict(extra="forbid")

    source_url: SecretStr | None = None
    publish_url: SecretStr | None = None
    maintain_url: SecretStr | None = None
    counters: Literal["report", "apply"] | None = None
    drift_limit: float = Field(default=0.2, ge=0, description="Largest total |drift| to apply, as a share of the truth")
    drift_limit_absolute: int = Field(
        default=100, ge=0, description="Total |drift| to apply whatever its share of the truth; 0 for none"
    )
    gone_limit: float = Field(default=0.5, ge=0, le=1, description="Largest share of a table's entities gone at once")
    tables: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, dict[str, str]] = Field(default_factory=dict)

    _urls = field_validator("source_url", "publish_url", "maintain_url")(_postgresql_url)

    def chosen(self, setting: str) -> str | None:
        """What is set of a choice that the platform declares; None when nothing is."""
        value: str | None = getattr(self, setting, None)
        return value

    @property
    def embedded(self) -> bool:
        """Whether the platform lives on the embedded PostgreSQL."""
        return self.source_url is None

    @property
    def counters_mode(self) -> Literal["report", "apply"]:
        """`apply` only where a person said so, or on the embedded database."""
        return self.counters or ("apply" if self.embedded else "report")

    @model_validator(mode="after")
    def _others_need_source(self) -> PlatformSettings:
        for name in ("publish_url", "maintain_url"):
            if getattr(self, name) is not None and self.source_url is None:
                raise ValueError(f"{name} is set but source_url is not: set the database that is read, too")
        return self


def settings_of(platform: Platform) -> type[PlatformSettings]:
    """The settings of a platform: those of every platform, and one for each choice that it declares."""
    own: dict[str, Any] = {
        choice.setting: (Literal[tuple(option.name for option in choice.options)] | None, None)
        for _, choice in platform.choices
    }
    return create_model(f"{platform.name.capitalize()}Settings", __base__=PlatformSettings, **own)


_OWN = {name: settings_of(platform(name)) for name in PLATFORMS}
_SOURCE_URL = f"COMMUNITY_{PLATFORMS[0].upper()}__SOURCE_URL"


class SnapshotSettings(BaseModel):
    """What a template may be made of."""

    model_config = ConfigDict(extra="forbid")

    scenes_per_template: int = Field(default=50, ge=1, description="Most scenes of a template")
    bytes_per_scene: int = Field(default=256 * 1024, ge=1, description="Most bytes of one scene's code")
    bytes_per_template: int = Field(default=2 * 1024 * 1024, ge=1, description="Most bytes of all its code")
    seconds_per_scene: float = Field(default=5, gt=0, description="Most seconds of computing to look through a scene")
    templates_per_owner_and_day: int = Field(default=100, ge=1, description="Most new templates by UTC day")
    allowed_imports: tuple[str, ...] = Field(
        default=ALLOWED_IMPORTS, description="Packages that a scene may import; a name may end with *"
    )


class UiSettings(BaseModel):
    """Who may reach the UI."""

    model_config = ConfigDict(extra="forbid")

    hosts: tuple[str, ...] = Field(
        default=(), description="Hosts, as browsers name them, that are answered beside 127.0.0.1 and localhost"
    )

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not re.fullmatch(r"([\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(:\d{1,5})?", host, re.ASCII):
                raise ValueError(f"expected hosts like dagster.example.org or localhost:4000, found {host!r}")
        return hosts


class _TomlFile(TomlConfigSettingsSource):
    """A settings file; ConfigurationError names the one that cannot be read."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        try:
            return super()._read_file(file_path)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file_path} is no valid TOML: {error}") from None
        except OSError as error:
            raise ConfigurationError(f"{file_path} cannot be read: {error.strerror}") from None


class Common(BaseSettings):
    """The settings that are no platform's."""

    model_config = SettingsConfigDict(
        env_prefix="COMMUNITY_", env_nested_delimiter="__", extra="forbid", env_ignore_empty=True
    )

    home: Path = Field(Path(".community"), description="State folder")
    lake: Path | None = Field(None, description="Lake folder; <home>/lake when not set")
    start_date: date = Field(date(2026, 1, 1), description="First day partition, UTC")
    database_url: SecretStr | None = Field(None, description="Dagster's storage; embedded when not set")
    grace_minutes: int = Field(15, ge=0, description="A day is closed this long after its end")
    quarantine_limit: float = Field(0.01, ge=0, le=1, description="Largest share of a day's rows in quarantine")
    shrink_limit: float = Field(0.01, ge=0, le=1, description="Largest share of rows a re-extracted day may lose")
    superseded_days: int = Field(7, ge=0, description="How long replaced files are kept")
    publish_rows: int = Field(500_000, ge=1, description="Rows a publishing transaction holds before it ends")
    memory_limit: str = Field("300MB", pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$", description="DuckDB's memory limit")
    webhook_url: SecretStr | None = Field(None, description="Failure alerts are posted here")
    webhook_local: bool = Field(False, description="Whether the webhook may be on this machine or its own link")
    snapshots: SnapshotSettings = Field(default_factory=lambda: SnapshotSettings())
    ui: UiSettings = Field(default_factory=lambda: UiSettings())

    _urls = field_validator("database_url")(_postgresql_url)
    _web_urls = field_validator("webhook_url")(_web_url)
    _folders = field_validator("home", "lake")(_home_of_user)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment before ./community.toml before <home>/community.toml."""
        here = Path(CONFIG_FILE)
        toml = _TomlFile(settings_cls, toml_file=here)
        home = init_settings().get("home") or env_settings().get("home") or toml().get("home") or ".community"
        if not isinstance(home, (str, Path)):
            return (init_settings, env_settings, toml)
        # One that starts with ~ and the name of nobody is refused below, where the setting is named.
        with suppress(RuntimeError):
            return (init_settings, env_settings, toml, _TomlFile(settings_cls, Path(home).expanduser() / CONFIG_FILE))
        return (init_settings, env_settings, toml)

    @property
    def lake_folder(self) -> Path:
        """Where the day files are."""
        return self.lake or self.home / "lake"

    @property
    def grace(self) -> timedelta:
        """How long after its end a day closes."""
        return timedelta(minutes=self.grace_minutes)

    def platform(self, name: str) -> PlatformSettings:
        """The settings of one platform, by name."""
        found = getattr(self, name, None)
        if not isinstance(found, PlatformSettings):
            raise ConfigurationError(f"unknown platform {name!r}: expected one of {', '.join(PLATFORMS)}")
        return found


_OF_PLATFORMS: dict[str, Any] = {name: (own, Field(default_factory=own)) for name, own in _OWN.items()}

if TYPE_CHECKING:

    class Settings(Common):
        """All settings, those of a platform by `platform(name)`."""

else:
    Settings = create_model(
        "Settings",
        __base__=Common,
        __module__=__name__,
        __doc__="All settings; in the environment `COMMUNITY_<NAME>`, nested ones like `COMMUNITY_<P>__SOURCE_URL`.",
        **_OF_PLATFORMS,
    )


def process_environment(
    extra: Mapping[str, str], unless_set: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """This process's environment with more names in it, for a child process."""
    return {**unless_set, **os.environ, **extra}


def _unknown_names() -> list[str]:
    # pydantic-settings passes over names that it does not know: a misspelt one would count for nothing.
    known = {name.upper() for name in Settings.model_fields}
    names = (name for name in os.environ if name.startswith("COMMUNITY_"))
    return sorted(n for n in names if n.removeprefix("COMMUNITY_").split("__")[0].upper() not in known)


def load(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises ConfigurationError naming every wrong setting and what was expected, never a secret's value.
    """
    unknown = _unknown_names()
    if unknown:
        raise ConfigurationError(
            f"unknown settings in the environment: {', '.join(unknown)}; expected COMMUNITY_<NAME>, where <NAME> is "
            f"one of {', '.join(name.upper() for name in Settings.model_fields)}"
        )
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [_fault(item) for item in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError("wrong settings:\n  " + "\n  ".join(lines)) from None
    except SettingsError:
        names = ", ".join(f"COMMUNITY_{name.upper()}" for name in PLATFORMS)
        raise ConfigurationError(
            f"one of {names} has a value of its own: expected names below it, such as {_SOURCE_URL}"
        ) from None


def _fault(item: Mapping[str, Any]) -> str:
    path = [str(part) for part in item["loc"]]
    kind, expected = item["type"], item["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = _OWN[path[0]].model_fields if path[0] in _OWN else Settings.model_fields
        expected = f"there is no such setting, expected one of {', '.join(known)}"
    elif kind.startswith("date"):
        expected = "expected a day like 2026-01-31"
    elif kind == "string_pattern_mismatch":
        expected = "expected a size like 300MB"
    return f"{'.'.join(path)} (environment: COMMUNITY_{'__'.join(part.upper() for part in path)}): {expected}"
