"""Connections that write templates side by side, so that one waits for its disk while another sends."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from zlib import crc32

from community_pipelines.databases.connections import Connection, connect
from community_pipelines.databases.deployment import Deployment
from community_pipelines.snapshots.options import Options
from community_pipelines.snapshots.project import Finding, Project
from community_pipelines.snapshots.store import Store, Written

_CONNECTIONS = 2


@dataclass
class Writers(AbstractContextManager["Writers"]):
    """Writes in threads, each with a connection of its own; what was begun is finished at the end, the rest dropped.

    Projects of one title are written in their order, so that the first of them gets the shorter slug.
    """

    deployment: Deployment
    store: Store
    a_day: int
    run_id: str
    _lanes: list[tuple[ThreadPoolExecutor, Connection]] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool, _ in self._lanes:
            pool.shutdown(cancel_futures=True)
        self._stack.close()

    def write(self, project: Project, options: Options, findings: Sequence[Finding]) -> Future[Written]:
        """`Store.publish` in the thread of that title. Connects at the first project."""
        if not self._lanes:
            place = self.deployment
            connections = [connect(place.publish_url, place.publish_setting) for _ in range(_CONNECTIONS)]
            self._lanes = [(ThreadPoolExecutor(1), self._stack.enter_context(one)) for one in connections]
        pool, connection = self._lanes[crc32(project.title.casefold().encode()) % _CONNECTIONS]
        return pool.submit(self.store.publish, connection, project, options, self.a_day, findings, self.run_id)
