"""An app database for the doctor's tests: tables, events, roles, and what the doctor says about it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.examine import examine
from community_pipelines.embedded.postgres import EmbeddedServer, database_url
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.settings import Settings, load
from tests.community import Community, span

FIRST = date(2026, 1, 1)
TEMPLATE = "doctor_template"


@dataclass
class Patient:
    """One app database of its own, with an empty one for Dagster. `roles` are dropped at its end."""

    server: EmbeddedServer
    name: str
    home: Path
    roles: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As the superuser."""
        return database_url(self.server.home, self.name)

    @property
    def socket(self) -> Path:
        """The server's socket."""
        return self.server.home / "postgres" / ".s.PGSQL.5432"

    def url_of(self, role: str) -> str:
        """As that role."""
        return self.url.replace("user=postgres", f"user={role}")

    def run(self, *statements: str, role: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs statements one by one; the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(self.url_of(role), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def paste(self, advice: str) -> None:
        """Runs the SQL of an advice, as an administrator would: its lines that end with ; or begin with --."""
        lines = [line.partition(";  --")[0] for line in advice.splitlines()]
        self.run(*(line for line in lines if line.rstrip(";") != line or line.startswith(("grant", "create", "drop"))))

    def role(self, name: str) -> str:
        """A new role that may log in, and nothing else."""
        full = f"{name}-{self.name[-6:]}"
        self.run(sql.SQL("create role {} login").format(sql.Identifier(full)).as_string())
        self.roles.append(full)
        return full

    def settings(self, **more: Any) -> Settings:
        """Both URLs are the superuser's unless they are given."""
        bazaar = {"source_url": self.url, **more.pop("bazaar", {})}
        storage = database_url(self.server.home, f"{self.name}_dagster")
        return load(**{"home": self.home, "start_date": FIRST, "database_url": storage, "bazaar": bazaar, **more})

    def examine(self, **more: Any) -> list[Diagnosis]:
        """Everything that the doctor says."""
        return examine(self.settings(**more), [BAZAAR])

    def says(self, subject: str, platform: str = "bazaar", **more: Any) -> Diagnosis:
        """What the doctor says about one thing."""
        return one(self.examine(**more), subject, platform)


def one(found: list[Diagnosis], subject: str, platform: str = "bazaar") -> Diagnosis:
    """The only diagnosis of that subject."""
    (diagnosis,) = [d for d in found if (d.platform, d.subject) == (platform, subject)]
    return diagnosis


def subjects(found: list[Diagnosis], *levels: str) -> set[str]:
    """What is of those levels, as platform and subject; the disks of this machine are left out."""
    return {f"{d.platform} {d.subject}" for d in found if d.level in levels and not d.subject.endswith(" disk")}


@contextmanager
def admitted(server: EmbeddedServer, home: Path) -> Iterator[Patient]:
    """A patient: a gallery of three days, as `community migrate --app` and an app leave it."""
    name = f"doctor_{uuid.uuid4().hex[:12]}"
    administration = database_url(server.home, "postgres")
    with psycopg.connect(administration, autocommit=True) as connection:
        known = connection.execute("select 1 from pg_database where datname = %s", [TEMPLATE]).fetchone()
        if known is None:
            made = Community(server.url(TEMPLATE), home, FIRST).create()
            made.add_events(span(FIRST, 3))
            made.count_truly()
        for database, template in ((name, TEMPLATE), (f"{name}_dagster", "template0")):
            connection.execute(f"create database {database} template {template} strategy file_copy")
        patient = Patient(server, name, home)
        yield patient
        for database in (name, f"{name}_dagster"):
            connection.execute(f"drop database {database} with (force)")
        for role in patient.roles:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
