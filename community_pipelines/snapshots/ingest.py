"""The job: projects in, an outcome for each out. The command line and the Dagster job only call this.

A page of projects is compared with what is published, what is new is read, examined in worker processes and
written one transaction a template. Nothing is held for longer than its page.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from community_pipelines.databases.connections import Connection, connect
from community_pipelines.databases.deployment import Deployment
from community_pipelines.databases.inspect import find_faults, refuse_faults
from community_pipelines.settings import Settings, SnapshotSettings
from community_pipelines.snapshots import source
from community_pipelines.snapshots.exports import key_of, read_exports
from community_pipelines.snapshots.options import Options, chosen, objections, prepared
from community_pipelines.snapshots.outcome import (
    Outcome,
    as_json,
    carried_out,
    described,
    owner_missing,
    rejected,
    unreadable,
    wrong_options,
)
from community_pipelines.snapshots.project import Finding, Project, content_hash
from community_pipelines.snapshots.store import Known, Store, Version, Written, decide, slug_of, template_id
from community_pipelines.snapshots.tsx import examine_all
from community_pipelines.snapshots.writers import Writers

# Code that is read and examined at once: large enough for a worker, small enough to hold several.
_GROUP_BYTES = 1_000_000
# Starting workers takes half a second; less code than this is examined faster here.
_ALONE_BYTES = 2_000_000
_EXPORTS_AT_ONCE = 20
_ANSWERS_AT_ONCE = 100
# How many groups are examined while one is written, and how many templates are being written at once.
_AHEAD = 4
_IN_FLIGHT = 20


@dataclass(frozen=True)
class _Candidate:
    """A project on its way: as it would be published, and what keeps it from that."""

    project: Project
    options: Options
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Group:
    """Projects that are worked on together: those that are settled, by their place, and those whose code is examined
    while the group before is written."""

    places: int
    settled: Mapping[int, Outcome]
    candidates: Sequence[_Candidate]
    of_code: Iterator[list[Finding]]
    versions: Mapping[str, Sequence[Version]]


@dataclass
class Ingest:
    """One run of the job, over the databases of a deployment. Nothing is written when `dry_run` is set."""

    settings: Settings
    deployment: Deployment
    store: Store
    run_id: str
    dry_run: bool = False
    _pool: Executor | None = None
    _bytes: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def limits(self) -> SnapshotSettings:
        """What a template may be made of."""
        return self.settings.snapshots

    def projects(self, ids: Sequence[str], options: Options) -> Iterator[Outcome]:
        """Publishes the app's projects of those ids; those that do not exist are rejected."""
        return self._publish(_pages(((one.strip().lower(), options) for one in ids), source.PAGE))

    def changed_since(self, since: datetime, options: Options) -> Iterator[Outcome]:
        """Publishes the app's projects that changed at that time or later."""
        with connect(self.deployment.source_url, self.deployment.source_setting) as connection:
            pages = source.changed_since(connection, self.deployment.names, since)
            yield from self._publish([(one, options) for one in page] for page in pages)

    def flagged(self) -> Iterator[Outcome]:
        """Publishes what was flagged in `community.publication_requests`, and notes there what became of it."""
        numbers: deque[int] = deque()
        answers: list[tuple[int, Outcome]] = []
        wrong: list[tuple[int, Outcome]] = []

        def pages() -> Iterator[list[tuple[str, Options]]]:
            after = 0
            while rows := self._requests(after):
                after = rows[-1][0]
                wishes = []
                for number, key, raw in rows:
                    try:
                        wishes.append((key.strip().lower(), Options.model_validate(raw)))
                        numbers.append(number)
                    except ValidationError as error:
                        wrong.append((number, wrong_options(key, error)))
                yield wishes

        try:
            for outcome in self._publish(pages()):
                answers.append((numbers.popleft(), outcome))
                if len(answers) == _ANSWERS_AT_ONCE:
                    self._answer(answers)
                    answers.clear()
                yield outcome
            for _, outcome in wrong:
                yield outcome
        finally:
            self._answer([*answers, *wrong])

    def exports(self, path: Path, owner: str | None, options: Options) -> Iterator[Outcome]:
        """Publishes the projects of export files: a file, or a folder of them."""
        found = read_exports(path, owner, self.limits)
        for group in _pages(found, _EXPORTS_AT_ONCE):
            readable = [one for one in group if isinstance(one, Project)]
            written = iter(self._exported(readable, options))
            for one in group:
                yield next(written) if isinstance(one, Project) else unreadable(one)

    def _exported(self, projects: Sequence[Project], options: Options) -> list[Outcome]:
        with connect(self.deployment.publish_url, self.deployment.publish_setting) as publishing:
            owners, owner_of = self._existing(publishing, projects)
            owned = [_owned(project, owner_of) for project in projects]
            versions = self.store.known(publishing, [project.key for project in owned])
            candidates = []
            for one in owned:
                project = prepared(one, options)
                findings = [*one.warnings, *objections(project, options, len(one.scenes), self.limits)]
                if project.owner is None:
                    findings.append(Finding(project.title, "no-owner", "the template has no owner", "warning"))
                elif project.owner not in owners:
                    findings.append(owner_missing(project.title, project.owner))
                candidates.append(_Candidate(project, options, tuple(findings)))
            self._expect(sum(one.project.size for one in candidates))
            group = _Group(len(candidates), {}, candidates, self._examined(candidates), versions)
            with self._writers() as writers:
                return list(self._finished(writers, [group]))

    def _existing(self, connection: Connection, projects: Sequence[Project]) -> tuple[set[str], dict[str, str]]:
        """Which of the owners have an account, and whose the projects are that the app knows."""
        names = self.deployment.names
        owners = connection.execute(
            names.fill("select {users.id} from {users} where {users.id} = any(%s)"),
            ([project.owner for project in projects if project.owner],),
        ).fetchall()
        known = connection.execute(
            names.fill(
                "select {projects.id}::text, {projects.userId} from {projects} where {projects.id} = any(%s::uuid[])"
            ),
            ([project.project_id for project in projects if project.project_id],),
        ).fetchall()
        return {row[0] for row in owners}, dict(known)

    def _publish(self, pages: Iterable[Sequence[tuple[str, Options]]]) -> Iterator[Outcome]:
        """The outcomes of all pages, in their order."""
        place = self.deployment
        with (
            connect(place.source_url, place.source_setting) as reading,
            connect(place.publish_url, place.publish_setting) as publishing,
            self._writers() as writers,
        ):
            yield from self._finished(writers, _ahead(self._groups(reading, publishing, pages)))

    def _groups(
        self,
        reading: Connection,
        publishing: Connection,
        pages: Iterable[Sequence[tuple[str, Options]]],
    ) -> Iterator[_Group]:
        for page in pages:
            keys = [key for key, _ in page]
            versions = self.store.known(publishing, keys)
            found = source.digests(reading, self.deployment.names, keys, versions)
            if not self.dry_run:
                self.store.note_moderation(publishing, [one for many in versions.values() for one in many])
            self._expect(sum(sum(one.sizes) for key, one in found.items() if key not in versions))
            for wishes in _by_size(page, found):
                yield self._group(reading, wishes, found, versions)

    def _group(
        self,
        reading: Connection,
        wishes: Sequence[tuple[str, Options]],
        found: Mapping[str, source.Digest],
        versions: Mapping[str, Sequence[Version]],
    ) -> _Group:
        settled: dict[int, Outcome] = {}
        needed: dict[str, source.Digest] = {}
        for number, (key, options) in enumerate(wishes):
            outcome = self._early(key, options, found.get(key), versions.get(key, ()))
            if outcome is None:
                needed[key] = found[key]
            else:
                settled[number] = outcome
        loaded = source.projects(reading, self.deployment.names, list(needed.values())) if needed else []
        code = {project.key: project for project in loaded}
        candidates = []
        for number, (key, options) in enumerate(wishes):
            if number not in settled:
                project = prepared(code[key], options)
                findings = objections(project, options, len(code[key].scenes), self.limits)
                candidates.append(_Candidate(project, options, tuple(findings)))
        return _Group(len(wishes), settled, candidates, self._examined(candidates), versions)

    def _early(
        self, key: str, options: Options, digest: source.Digest | None, versions: Sequence[Version]
    ) -> Outcome | None:
        """What can be said of a project without its code; None where the code is needed."""
        if digest is None:
            message = "there is no such project: it was deleted, or its id is wrong"
            return rejected(key, Finding(key, "project-missing", message))
        if not digest.owner_exists:
            return rejected(key, owner_missing(digest.title, digest.owner), title=digest.title)
        picked = chosen(len(digest.hashes), options.scenes)
        content = content_hash([(digest.hashes[one], digest.durations[one]) for one in picked])
        if not picked or sum(digest.sizes) > 2 * self.limits.bytes_per_template:
            # Far too large to be read only to be refused; what is nearly allowed is refused with all its findings.
            size = sum(digest.sizes)
            rule, message = "no-scenes", "the project has no scenes: there is nothing to publish"
            if picked:
                most = self.limits.bytes_per_template
                rule, message = "template-too-large", f"{size:,} bytes of code, at most {most:,}"
            elif digest.hashes:
                rule, message = "scene-choice", f"no scene was chosen: there are 1 to {len(digest.hashes)}"
            return rejected(key, Finding(digest.title, rule, message), title=digest.title)
        decision = decide(digest.title, content, Known(versions), options, self.limits.templates_per_owner_and_day)
        if decision.status == "rejected":
            return rejected(key, *decision.findings, title=digest.title)
        if decision.status == "unchanged" and not decision.writes and decision.same is not None:
            same = decision.same
            return Outcome(
                key, digest.title, "unchanged", (), decision.note, same.template_id, same.slug, same.version,
                len(picked), sum(digest.sizes[one] for one in picked), content,
                tuple(digest.hashes[one] for one in picked),
            )  # fmt: skip
        return None

    def _writers(self) -> Writers:
        return Writers(self.deployment, self.store, self.limits.templates_per_owner_and_day, self.run_id)

    def _finished(self, writers: Writers, groups: Iterable[_Group]) -> Iterator[Outcome]:
        """The outcomes of all groups, in their order; a few are written while the next ones are looked at."""
        begun: deque[Callable[[], Outcome]] = deque()
        for group in groups:
            for step in self._steps(writers, group):
                begun.append(step)
                if len(begun) > _IN_FLIGHT:
                    yield begun.popleft()()
        while begun:
            yield begun.popleft()()

    def _steps(self, writers: Writers, group: _Group) -> Iterator[Callable[[], Outcome]]:
        """For each project, in its order, what gives its outcome; writing what has no error has begun by then."""
        examined = zip(group.candidates, group.of_code, strict=True)
        for number in range(group.places):
            if number in group.settled:
                yield partial(group.settled.__getitem__, number)
                continue
            candidate, of_code = next(examined)
            project, options = candidate.project, candidate.options
            findings = (*candidate.findings, *of_code)
            if any(one.severity == "error" for one in findings):
                yield partial(described, project, "rejected", findings)
            elif self.dry_run:
                yield partial(carried_out, project, self._foreseen(project, options, group), findings)
            else:
                writing = writers.write(project, options, findings)
                yield partial(_awaited, project, writing, findings)

    def _foreseen(self, project: Project, options: Options, group: _Group) -> Written:
        """What would be written."""
        known = Known(group.versions.get(project.key, ()))
        decision = decide(project.title, project.content_hash, known, options, self.limits.templates_per_owner_and_day)
        if decision.same is not None:
            return Written(decision, decision.same.template_id, decision.same.slug)
        return Written(decision, template_id(project), slug_of(project, decision.version))

    def _examined(self, candidates: Sequence[_Candidate]) -> Iterator[list[Finding]]:
        """What is wrong with each project's code; workers begin at once."""
        scenes = [[(scene.file, scene.encoded) for scene in one.project.scenes] for one in candidates]
        look = partial(examine_all, allowed_imports=self.limits.allowed_imports, seconds=self.limits.seconds_per_scene)
        return map(look, scenes) if self._pool is None else self._pool.map(look, scenes, chunksize=10)

    def _expect(self, code: int) -> None:
        """Starts workers once the run has so many bytes of code to examine that they are worth their start."""
        self._bytes += code
        if self._pool is None and self._bytes > _ALONE_BYTES:
            # Spawned, since a forked child would share connections and Dagster's threads.
            # They give way, so that writing never waits for a processor.
            workers = ProcessPoolExecutor(
                os.cpu_count(), mp_context=get_context("spawn"), initializer=os.nice, initargs=(10,)
            )
            self._pool = self._stack.enter_context(workers)

    def _requests(self, after: int) -> list[tuple[Any, ...]]:
        with connect(self.deployment.publish_url, self.deployment.publish_setting) as connection:
            return connection.execute(
                "select id, project_key, options from community.publication_requests "
                "where done_at is null and id > %s order by id limit %s",
                (after, source.PAGE),
            ).fetchall()

    def _answer(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        if self.dry_run or not outcomes:
            return
        with (
            connect(self.deployment.publish_url, self.deployment.publish_setting) as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            cursor.executemany(
                "update community.publication_requests set done_at = now(), status = %s, detail = %s "
                "where id = %s and done_at is null",
                [(one.status, Jsonb(as_json(one)), number) for number, one in outcomes],
            )


@contextmanager
def opened(settings: Settings, deployment: Deployment, run_id: str, dry_run: bool = False) -> Iterator[Ingest]:
    """A run of the job; its workers end with it.

    Raises DatabaseError when a database does not answer, SourceError when one of its tables is not as declared.
    """
    declared = deployment.snapshots
    with connect(deployment.source_url, deployment.source_setting) as connection:
        faults = find_faults(connection, deployment, (declared.users, declared.projects, declared.scenes))
    with connect(deployment.publish_url, deployment.publish_setting) as connection:
        faults += find_faults(connection, deployment, (declared.templates, declared.template_scenes))
        refuse_faults(deployment, faults)
        store = Store.of(connection, deployment)
    with ExitStack() as stack:
        yield Ingest(settings, deployment, store, run_id, dry_run, _stack=stack)


def _owned(project: Project, owner_of: Mapping[str, str]) -> Project:
    """The project, apart from that of the app whose id its file names where that is somebody else's or unknown."""
    key = project.project_id
    if key is None or owner_of.get(key) == project.owner:
        return project
    if key not in owner_of:
        return replace(project, project_id=None)
    message = f"the file names the project {key} of {owner_of[key]!r}: it is published as a project of its own"
    warning = Finding(project.title, "other-project", message, "warning")
    own = key_of(project.owner, project.title)
    return replace(project, key=own, project_id=None, warnings=(*project.warnings, warning))


def _pages(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


def _by_size(
    wishes: Sequence[tuple[str, Options]], found: Mapping[str, source.Digest]
) -> Iterator[list[tuple[str, Options]]]:
    """The page in parts whose code is about a megabyte."""
    part: list[tuple[str, Options]] = []
    size = 0
    for wish in wishes:
        part.append(wish)
        size += sum(found[wish[0]].sizes) if wish[0] in found else 0
        if size >= _GROUP_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _ahead(groups: Iterator[_Group]) -> Iterator[_Group]:
    """The same groups, each given out when the code of the next ones is being examined already."""
    waiting: deque[_Group] = deque()
    for group in groups:
        waiting.append(group)
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _awaited(project: Project, writing: Future[Written], findings: Sequence[Finding]) -> Outcome:
    return carried_out(project, writing.result(), findings)
