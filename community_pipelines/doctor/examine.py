"""Everything that the doctor looks at, in the order it is told. An unreachable database stops no other check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import psycopg

from community_pipelines import webhook
from community_pipelines.databases import Connection
from community_pipelines.doctor import rights, servers, tables
from community_pipelines.doctor.diagnosis import MACHINE, Diagnosis
from community_pipelines.doctor.machine import examine_machine
from community_pipelines.doctor.reach import Database, ask, opened, unanswered, unreachable
from community_pipelines.embedded import postgres
from community_pipelines.models.project import MODELS_FOLDER, Model, ModelError, load_model
from community_pipelines.platforms.deployment import Deployment, deployment
from community_pipelines.platforms.inspect import find_faults, found_in
from community_pipelines.platforms.spec import Platform
from community_pipelines.settings import ConfigurationError, Settings

STORAGE = "dagster"
Findings = Iterable[Diagnosis] | Diagnosis


def examine(settings: Settings, platforms: Sequence[Platform]) -> list[Diagnosis]:
    """All that can be seen from here, with what to do about it; changes nothing and raises nothing expected.

    A local PostgreSQL that was made before is started when it does not run.
    """
    found = list(_settings(settings))
    found += examine_machine(settings)
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
    except ConfigurationError as error:
        yield Diagnosis(platform.name, "settings", "problem", str(error), "correct that setting")
        return
    except ModelError as error:
        yield Diagnosis(platform.name, "models", "problem", str(error), "correct that file; nothing else was looked at")
        return
    with ExitStack() as stack:
        one = _Patient(settings, place, models, own.embedded)
        source = stack.enter_context(_reached(one.source))
        publish = stack.enter_context(_reached(one.publish))
        for connection in (source, publish):
            if isinstance(connection, Diagnosis):
                yield connection
        if not isinstance(source, Diagnosis):
            yield from one.reading(source)
        if not isinstance(publish, Diagnosis):
            yield from one.publishing(publish, None if isinstance(source, Diagnosis) else source)
        if not own.embedded:
            yield one.grants(source, publish)


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
            ("source rights of template snapshots", lambda: self._for_snapshots(database, connection, 0)),
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
        migrated, pending = tables.migrated(database, ("app", "pipeline") if self.embedded else ("pipeline",))
        yield migrated
        writes = [*rights.publishing_needs(place, self.models), *rights.own_needs(self.models)]
        yield from _answers(database, "schema community", lambda: rights.own_schema(database, connection, pending))
        yield from _answers(
            database, "publish rights", lambda: rights.rights(database, connection, writes, "publish rights")
        )
        yield from _answers(
            database, "publish rights of template snapshots", lambda: self._for_snapshots(database, connection, 1)
        )
        faulty = _faulty(connection, place)
        for model in self.models:
            if "." not in model.contract.publish and model.contract.publish not in faulty:
                yield from _answers(
                    database,
                    f"day index of {model.contract.publish}",
                    lambda model=model: tables.day_index(database, connection, place, model),  # type: ignore[misc]
                )

    def _for_snapshots(self, database: Database, connection: Connection, role: int) -> Iterator[Diagnosis]:
        """What `community ingest` may not do: a warning, since the daily flow goes on without it."""
        needs = rights.snapshot_needs(found_in(connection, self.place))[role]
        if needs:
            subject = f"{database.purpose} rights of template snapshots"
            found = rights.rights(database, connection, needs, subject)
            yield replace(found, level="warning") if found.level == "problem" else found

    def grants(self, source: Connection | Diagnosis, publish: Connection | Diagnosis) -> Diagnosis:
        """The minimum grants, with the connected roles' names where they are not the administrator's."""
        reader, publisher, database = rights.READER, rights.PUBLISHER, "app"
        # What nobody could ask for is not granted: a statement that names a column that is absent fails as a whole.
        place = self.place.having(())
        try:
            if not isinstance(source, Diagnosis):
                place = found_in(source, place)
                reader = _plain_role(source) or reader
            if not isinstance(publish, Diagnosis):
                place = found_in(publish, place)
                publisher = _plain_role(publish) or publisher
                database = str(ask(publish, "select current_database()")[0][0])
        except psycopg.Error:
            pass
        return Diagnosis(
            self.platform,
            "minimum grants",
            "ok",
            f"what {reader} (reading) and {publisher} (publishing) need, and no more",
            rights.minimum_grants(place, self.models, reader, publisher, database),
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
        yield from [found] if isinstance(found, Diagnosis) else list(found)
    except psycopg.Error as error:
        yield unanswered(database, subject, error)


def _faulty(connection: Connection, place: Deployment) -> set[str]:
    return {fault.table for fault in find_faults(connection, place, place.platform.tables)}


def _version(database: Database, connection: Connection, writes: bool) -> Diagnosis:
    return servers.server_version(database, connection.info.server_version, writes)


def _plain_role(connection: Connection) -> str | None:
    ((role, plain),) = ask(
        connection, "select quote_ident(current_user), not rolsuper from pg_roles where rolname = current_user"
    )
    return str(role) if plain else None
