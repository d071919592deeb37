"""Everything that the doctor looks at, in the order it is told. An unreachable database stops no other check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Literal

import psycopg
from psycopg import sql

from community_pipelines.databases.connections import Connection
from community_pipelines.databases.deployment import Deployment, deployment
from community_pipelines.databases.inspect import find_faults, found_in
from community_pipelines.doctor import archives, partitions, rights, servers, tables
from community_pipelines.doctor import definer_functions as definers
from community_pipelines.doctor.diagnosis import MACHINE, Diagnosis
from community_pipelines.doctor.file_modes import modes
from community_pipelines.doctor.machine import examine_machine
from community_pipelines.doctor.reach import Database, ask, named, opened, unanswered, unreachable
from community_pipelines.embedded import postgres
from community_pipelines.models.lineage import checked
from community_pipelines.models.project import Model, ModelError, load_model
from community_pipelines.orchestration import webhook
from community_pipelines.platforms.declared import MODELS_FOLDER
from community_pipelines.platforms.spec import Platform
from community_pipelines.settings import ConfigurationError, Settings

STORAGE = "dagster"
Findings = Iterable[Diagnosis] | Diagnosis | None


def examine(settings: Settings, platforms: Sequence[Platform]) -> list[Diagnosis]:
    """All that can be seen from here, with what to do about it; changes nothing and raises nothing expected.

    A local PostgreSQL that was made before is started when it does not run.
    """
    found = list(_settings(settings))
    found += examine_machine(settings)
    found += modes(settings)
    found += _storage(settings)
    for platform in platforms:
        found += _platform(settings, platform)
    return found


def _settings(settings: Settings) -> Iterator[Diagnosis]:
    seen = f"they load; home {settings.home}, lake {settings.lake_folder}, days from {settings.start_date} on"
    yield Diagnosis(MACHINE, "settings", "ok", seen)
    if settings.start_date > datetime.now(UTC).date():
        seen = f"the first day {settings.start_date} is not over yet: there is nothing to run"
        yield Diagnosis(MACHINE, "first day", "problem", seen, "set COMMUNITY_START_DATE to a past day")
    if settings.webhook_url is not None:
        try:
            webhook.admitted(settings.webhook_url.get_secret_value(), settings.webhook_local)
        except webhook.WebhookError as error:
            yield Diagnosis(MACHINE, "webhook", "problem", f"alerts are not delivered: {error}", "correct that setting")
        else:
            yield Diagnosis(MACHINE, "webhook", "ok", "its host is known and admitted")


def _storage(settings: Settings) -> Iterator[Diagnosis]:
    if settings.database_url is not None:
        url, setting = settings.database_url.get_secret_value(), "COMMUNITY_DATABASE_URL"
    else:
        local = _local_server(settings, STORAGE)
        if isinstance(local, Diagnosis):
            yield local
            return
        url, setting = local.url(STORAGE), "COMMUNITY_HOME"
    database = Database(STORAGE, "storage", url, setting)
    with _reached(database) as connection:
        if isinstance(connection, Diagnosis):
            yield connection
            return
        yield from _answers(database, "storage version", lambda: _version(database, connection, writes=False))
        yield from _answers(database, "storage rights", lambda: rights.storage_rights(database, connection))
        yield from _answers(database, "storage clock", lambda: servers.clock(database, connection, settings.grace))
        yield from _answers(database, "storage pooler", lambda: servers.pooler(database, connection))


def _platform(settings: Settings, platform: Platform) -> Iterator[Diagnosis]:
    try:
        own = settings.platform(platform.name)
        if own.embedded and isinstance(local := _local_server(settings, platform.name), Diagnosis):
            yield local
            return
        place = deployment(settings, platform)
        models = models_of(platform)
        for model in models:
            checked(model)
    except ConfigurationError as error:
        yield Diagnosis(platform.name, "settings", "problem", str(error), "correct that setting")
        return
    except ModelError as error:
        yield Diagnosis(platform.name, "models", "problem", str(error), "correct that file; nothing else was looked at")
        return
    yield from archives.wide_archives(settings.lake_folder, place)
    with ExitStack() as stack:
        one = _Patient(settings, place, models, own.embedded)
        source = stack.enter_context(_reached(one.source))
        publish = stack.enter_context(_reached(one.publish))
        keeper = publish
        if place.platform.partitioned and one.keeper.url != one.publish.url:
            keeper = stack.enter_context(_reached(one.keeper))
        for connection in dict.fromkeys((source, publish, keeper)):
            if isinstance(connection, Diagnosis):
                yield connection
        if not isinstance(source, Diagnosis):
            yield from one.reading(source)
        if not isinstance(publish, Diagnosis):
            yield from one.publishing(publish, None if isinstance(source, Diagnosis) else source)
        if not isinstance(keeper, Diagnosis):
            yield from one.caring(keeper)
        if not own.embedded:
            yield one.grants(source, publish, keeper)


@dataclass(frozen=True)
class _Patient:
    """One platform's two databases, and what is looked at in each."""

    settings: Settings
    place: Deployment
    models: Sequence[Model]
    embedded: bool

    @property
    def platform(self) -> str:
        return self.place.platform.name

    @property
    def source(self) -> Database:
        setting = "COMMUNITY_HOME" if self.embedded else self.place.source_setting
        return Database(self.platform, "source", self.place.source_url, setting)

    @property
    def publish(self) -> Database:
        given = self.settings.platform(self.platform).publish_url is not None
        setting = self.place.publish_setting if given else self.source.setting
        return Database(self.platform, "publish", self.place.publish_url, setting)

    @property
    def keeper(self) -> Database:
        given = self.settings.platform(self.platform).maintain_url is not None
        setting = self.place.maintain_setting if given else self.publish.setting
        return Database(self.platform, "maintain", self.place.maintain_url, setting)

    def reading(self, connection: Connection) -> Iterator[Diagnosis]:
        database, place, grace = self.source, self.place, self.settings.grace
        reads = cache(lambda: rights.reading_needs(found_in(connection, place), self.models))
        checks: list[tuple[str, Callable[[], Findings]]] = [
            ("source version", lambda: _version(database, connection, writes=False)),
            ("source clock", lambda: servers.clock(database, connection, grace)),
            ("source pooler", lambda: servers.pooler(database, connection)),
            ("source replica", lambda: servers.replica(database, connection, grace)),
            ("source tables", lambda: tables.declared(database, connection, place)),
            ("source tables of template snapshots", lambda: tables.declared_for_snapshots(database, connection, place)),
            ("source rights", lambda: rights.rights(database, connection, reads(), "source rights")),
            ("source rights of template snapshots", lambda: self._for_snapshots(database, connection, "reading")),
            ("source row security", lambda: rights.hidden_rows(database, connection, reads())),
        ]
        for subject, check in checks:
            yield from _answers(database, subject, check)
        faulty = _faulty(connection, place)
        for stream in place.platform.streams:
            if stream.table.name in faulty:
                continue
            yield from _answers(
                database,
                f"time index of {stream.name}",
                lambda stream=stream: tables.time_index(database, connection, place, stream),  # type: ignore[misc]
            )
            yield from _answers(
                database,
                f"oldest row of {stream.name}",
                lambda stream=stream: tables.start(  # type: ignore[misc]
                    database, connection, place, stream, self.settings.start_date
                ),
            )

    def publishing(self, connection: Connection, source: Connection | None) -> Iterator[Diagnosis]:
        database, place, grace = self.publish, self.place, self.settings.grace
        if place.publish_url != place.source_url:
            yield from _answers(database, "publish version", lambda: _version(database, connection, writes=True))
            yield from _answers(database, "publish clock", lambda: servers.clock(database, connection, grace))
            yield from _answers(database, "publish pooler", lambda: servers.pooler(database, connection))
            if source is not None:
                yield from _answers(
                    database,
                    "source and publish",
                    lambda: servers.same_history(self.source, source, database, connection),
                )
            yield from _answers(database, "publish tables", lambda: tables.declared(database, connection, place))
        else:
            yield from _answers(database, "publish version", lambda: _version(database, connection, writes=True))
        yield from _answers(database, "publish server", lambda: servers.primary(database, connection))
        migrated, pending = tables.migrated(database, self.embedded, self.models)
        yield migrated
        writes = [*rights.publishing_needs(place, self.models), *rights.own_needs(place.platform, self.models)]
        yield from _answers(database, "schema community", lambda: rights.own_schema(database, connection, pending))
        yield from _answers(
            database, "publish rights", lambda: rights.rights(database, connection, writes, "publish rights")
        )
        yield from _answers(
            database,
            "publish rights of template snapshots",
            lambda: self._for_snapshots(database, connection, "publishing"),
        )
        schemas = [rights.SCHEMA, *(place.names.parts(table)[0] for table in place.platform.all_tables)]
        yield from _answers(
            database,
            definers.SUBJECT,
            lambda: definers.definer_functions(database, connection, schemas),
        )
        faulty = _faulty(connection, place)
        for model in self.models:
            if "." not in model.contract.publish and model.contract.publish not in faulty:
                yield from _answers(
                    database,
                    f"day index of {model.contract.publish}",
                    lambda model=model: tables.day_index(database, connection, place, model),  # type: ignore[misc]
                )

    def caring(self, connection: Connection) -> Iterator[Diagnosis]:
        """What partition care needs, where the platform has partitioned tables: warnings, the daily flow goes on."""
        database, place = self.keeper, self.place
        needs = rights.care_needs(place)
        if needs:
            yield from _answers(
                database,
                "maintain rights",
                lambda: _as_warning(rights.rights(database, connection, needs, "maintain rights")),
            )
        for one in place.platform.partitioned:
            yield from _answers(
                database,
                f"owner of {one.table.name}",
                lambda one=one: partitions.ownership(database, connection, place, one),  # type: ignore[misc]
            )
            yield from _answers(
                database,
                f"partitions of {one.table.name}",
                lambda one=one: partitions.next_months(database, connection, place, one),  # type: ignore[misc]
            )

    def _for_snapshots(
        self, database: Database, connection: Connection, which: Literal["reading", "publishing"]
    ) -> Iterator[Diagnosis]:
        """What `community ingest` may not do: a warning, since the daily flow goes on without it."""
        found = rights.snapshot_needs(found_in(connection, self.place))
        needs = found.reading if which == "reading" else found.publishing
        if needs:
            subject = f"{database.purpose} rights of template snapshots"
            yield _as_warning(rights.rights(database, connection, needs, subject))
        if which == "publishing" and found.changing:
            subject = "publish rights to disable templates"
            yield _as_warning(rights.rights(database, connection, found.changing, subject))

    def grants(self, *reached: Connection | Diagnosis) -> Diagnosis:
        """The minimum grants, for the roles and databases of the three URLs: as the servers name them, else as the URLs
        do. An administrator's place is taken by a role that is yet to be made."""
        source, publish, keeper = reached
        # What nobody could ask for is not granted: a statement that names a column that is absent fails as a whole.
        place = self.place.having(())
        of_owners: list[str] = []
        names = [
            _named(self.source, source, rights.READER),
            _named(self.publish, publish, rights.PUBLISHER),
            _named(self.keeper, keeper, rights.KEEPER),
        ]
        care_setting = "" if place.settings.maintain_url else place.setting("maintain_url")
        if care_setting:
            names[2] = (rights.KEEPER, names[2][1])
        roles = rights.Roles(names[0][0], names[1][0], names[2][0], names[0][1], names[1][1])
        try:
            for connection in (source, publish):
                if not isinstance(connection, Diagnosis):
                    place = found_in(connection, place)
            for one in place.platform.partitioned:
                of_owners += partitions.owners_grants(publish, place, one, roles.keeper)
        except psycopg.Error:
            pass
        who = f"{roles.reader} (reading), {roles.publisher} (publishing)"
        who += f" and {roles.keeper} (partitions)" if place.platform.partitioned else ""
        return Diagnosis(
            self.platform,
            "minimum grants",
            "ok",
            f"what {who} need, and no more",
            rights.minimum_grants(place, self.models, roles, of_owners, care_setting),
        )


def models_of(platform: Platform) -> list[Model]:
    """The platform's models. Raises ModelError for one that cannot be loaded."""
    return [load_model(platform.name, path.stem) for path in sorted((MODELS_FOLDER / platform.name).glob("*.sql"))]


def _local_server(settings: Settings, platform: str) -> postgres.EmbeddedServer | Diagnosis:
    try:
        # A doctor makes nothing: without a data folder there is nothing to look at yet.
        if (settings.home / "postgres" / "data").exists():
            return postgres.ensure_running(settings.home)
        seen = f"the local PostgreSQL of {settings.home} was not made yet"
        return Diagnosis(platform, "local PostgreSQL", "warning", seen, "make run")
    except (postgres.EmbeddedPostgresError, PermissionError) as error:
        advice = "settle that, or configure databases of your own"
        return Diagnosis(platform, "local PostgreSQL", "problem", str(error), advice)


@contextmanager
def _reached(database: Database) -> Iterator[Connection | Diagnosis]:
    with ExitStack() as stack:
        reached: Connection | Diagnosis
        try:
            reached = stack.enter_context(opened(database))
        except psycopg.Error as error:
            reached = unreachable(database, error)
        yield reached


def _answers(database: Database, subject: str, check: Callable[[], Findings]) -> Iterator[Diagnosis]:
    try:
        found = check()
        yield from [found] if isinstance(found, Diagnosis) else list(found or ())
    except psycopg.Error as error:
        yield unanswered(database, subject, error)


def _faulty(connection: Connection, place: Deployment) -> set[str]:
    return {fault.table for fault in find_faults(connection, place, place.platform.tables)}


def _version(database: Database, connection: Connection, writes: bool) -> Diagnosis:
    return servers.server_version(database, connection.info.server_version, writes)


def _named(database: Database, reached: Connection | Diagnosis, instead: str) -> tuple[str, str]:
    """The role and the database, quoted: as the server that was reached names them, else as the URL does. `instead` is
    the role where that is a superuser's, or nobody's."""
    role, name = named(database.url)
    if not isinstance(reached, Diagnosis):
        try:
            ((role, name, plain),) = ask(
                reached,
                "select current_user, current_database(), not rolsuper from pg_roles where rolname = current_user",
            )
            role = role if plain else None
        except psycopg.Error:
            pass
    return _quoted(role) if role else instead, _quoted(name) if name else rights.DATABASE


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _as_warning(found: Diagnosis) -> Diagnosis:
    return replace(found, level="warning") if found.level == "problem" else found
