"""Dagster's storage: where it is, and the instance over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from community_pipelines.databases.connections import connect
from community_pipelines.embedded import postgres
from community_pipelines.settings import Settings

if TYPE_CHECKING:
    from community_pipelines.orchestration.launch import Instance


def storage_url(settings: Settings) -> str:
    """The libpq URL of Dagster's storage; starts the embedded PostgreSQL when it lives there.

    Raises DatabaseError when it does not answer, which Dagster would try many times before it says so.
    """
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        with connect(url, "COMMUNITY_DATABASE_URL"):
            return url
    return postgres.ensure_running(settings.home).url("dagster", durable=False)


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[Instance]:
    """The persistent Dagster instance of these settings."""
    from community_pipelines.orchestration.launch import instance

    with instance(settings.home, storage_url(settings)) as opened:
        yield opened
