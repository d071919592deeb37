"""Every command does its work as roles that have the printed grants alone; what they must not do fails."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from community_pipelines.cli import main
from community_pipelines.databases.connections import connect
from community_pipelines.databases.deployment import deployment
from community_pipelines.databases.migrations import migrate
from community_pipelines.doctor.diagnosis import Diagnosis
from community_pipelines.doctor.examine import examine
from community_pipelines.embedded.postgres import EmbeddedServer, database_url
from community_pipelines.maintenance.partitions import create_month, month_of, months
from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.settings import load
from tests.community import Community, administration, community, span
from tests.patient import one

SQL = Path(__file__).parents[1] / "sql"
TODAY = datetime.now(UTC)
FIRST = TODAY.date() - timedelta(days=2)
OLD = month_of(TODAY, -8)
OLD_JOBS = f"jobs_{OLD:%Y_%m}"
PROJECT = "00000000-0000-0000-0000-00000000abcd"
ROLES = ("reader", "publisher", "keeper", "owner")
# It reads Dagster's storage alone, and serves until it is stopped; the runs that it starts are those of `run`.
NOT_HERE = {"ui"}


@dataclass(frozen=True)
class Installation:
    """The databases of both platforms on one server, their tables made by a role of the app's own."""

    server: EmbeddedServer
    name: str

    def role(self, which: str) -> str:
        return f"{which}-{self.name}"

    def url(self, platform: str, role: str | None = None) -> str:
        url = database_url(self.server.home, f"{self.name}_{platform}")
        return url if role is None else url.replace("user=postgres", f"user={self.role(role)}")

    def run(self, platform: str, *statements: str, role: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of the last statement; each is a transaction of its own."""
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(self.url(platform, role), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def refuses(self, role: str, platform: str, statement: str) -> bool:
        try:
            self.run(platform, statement, role=role)
        except (psycopg.errors.InsufficientPrivilege, psycopg.OperationalError) as refusal:
            return "permission denied" in str(refusal) or "must be owner" in str(refusal)
        return False

    def paste(self) -> None:
        """Runs the grants that `community doctor` prints, as an administrator; no statement of any other advice."""
        platform, within = "", False
        for line in community("doctor").output.splitlines():
            words = line.split()
            if "minimum grants" in line:
                platform, within = next(name for name in ("bazaar", "stories") if name in words), True
            elif within and words and words[0] in ("grant", "create"):
                # What is for a table of ours fails before that was made, as it would in psql, and is pasted again.
                try:
                    self.run(platform, line.strip())
                except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                    assert "community" in line
            elif within and words and words[0] != "--":
                within = False


@pytest.fixture
def installed(postgres: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Roles that may do nothing yet, databases that are open to nobody, and the settings of both platforms."""
    made = Installation(postgres, f"roles{uuid.uuid4().hex[:8]}")
    databases = [f"{made.name}_{name}" for name in ("bazaar", "stories", "dagster")]
    with administration(postgres) as connection:
        for role in ROLES:
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(made.role(role))))
        for database in databases:
            connection.execute(f"create database {database} template template0 strategy file_copy".encode())
        for platform in ("bazaar", "stories"):
            owner = made.role("owner")
            made.run(
                platform,
                f'grant create on database {made.name}_{platform} to "{owner}"',
                f'grant usage, create on schema public to "{owner}"',
            )
            migrate(made.url(platform, "owner"), SQL / platform / "app")
            made.run(
                platform,
                "drop schema community cascade",
                "revoke all on schema public from public",
                f"revoke all on database {made.name}_{platform} from public",
                f'revoke create on database {made.name}_{platform} from "{owner}"',
                f'grant connect on database {made.name}_{platform} to "{owner}"',
            )
        names = {"HOME": tmp_path / "home", "START_DATE": FIRST, "DATABASE_URL": made.url("dagster")}
        for platform in ("bazaar", "stories"):
            for setting, role in (("SOURCE", "reader"), ("PUBLISH", "publisher")):
                names[f"{platform.upper()}__{setting}_URL"] = made.url(platform, role)
            names[f"{platform.upper()}__COUNTERS"] = "apply"
        names["STORIES__MAINTAIN_URL"] = made.url("stories", "keeper")
        for name, value in names.items():
            monkeypatch.setenv(f"COMMUNITY_{name}", str(value))
        yield made
        for database in databases:
            connection.execute(f"drop database {database} with (force)".encode())
        for role in ROLES:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(made.role(role))))


def fill(installed: Installation) -> None:
    """Two closed days of both platforms, and a month of jobs that is due to be archived."""
    gallery = Community(installed.url("bazaar"), Path(), FIRST)
    gallery.rows("insert into \"bazaar-vid_user\" (id) select 'user ' || n from generate_series(0, 6) as n")
    gallery.rows(
        "insert into community_templates (id, slug, title) "
        "select md5('template ' || n)::uuid, 'template-' || n, 'Template ' || n from generate_series(0, 4) as n"
    )
    gallery.add_events(span(FIRST, 2))
    gallery.rows(
        f"insert into \"bazaar-vid_project\" (id, \"userId\", title) values ('{PROJECT}', 'user 1', 'Launch day')"
    )
    gallery.rows(
        f'insert into "bazaar-vid_scene" ("projectId", "order", "tsxCode", duration) '
        f"values ('{PROJECT}', 0, 'export default () => null', 90)"
    )
    when = [OLD, *(month_of(TODAY, later) for later in range(-7, 1))]
    months = [
        f"select create_monthly_partition('{table}', {month.year}, {month.month})"
        for table in ("jobs", "segments")
        for month in when
    ]
    noon = f"'{FIRST} 12:00Z'"
    installed.run("stories", *months, role="owner")
    installed.run(
        "stories",
        f"insert into users (id, email, username, created_at) select gen_random_uuid(), n || '@example.org', 'u' || n, "
        f"{noon} from generate_series(1, 3) as n",
        f"insert into topics (id, name, slug, created_at) values (gen_random_uuid(), 'Space', 'space', {noon})",
        f"insert into ideas (user_id, topic_id, title, prompt, created_at) "
        f"select users.id, topics.id, 'Lost', 'It calls.', {noon} from users, topics where username = 'u1'",
        f"insert into scenes (idea_id, user_id, topic_id, title, created_at) "
        f"select id, user_id, topic_id, 'Found', {noon} from ideas",
        "insert into scene_bibles (scene_id, version, data, created_at) select id, 1, "
        f'\'{{"version": 1, "characters": [], "setting": {{}}, "timeline": {{}}}}\', {noon} from scenes',
        f"insert into scene_views (scene_id, ip_hash, created_at) select id, 'x', {noon} from scenes",
        "insert into jobs (scene_id, user_id, input_text, bible_version, created_at, idempotency_key, status, stage, "
        "completed_at) select id, user_id, 'secret', 1, moment, moment::text, 'final_ready', 'completed', moment "
        f"from scenes, unnest(array['{OLD:%Y-%m}-15 12:00Z', {noon}]::timestamptz[]) as moment",
    )


def test_every_command_does_its_work_with_the_printed_grants_alone(installed: Installation, tmp_path: Path) -> None:
    fill(installed)
    done = set()

    def works(*arguments: object, code: int = 0, says: str = "") -> str:
        result = community(*arguments)
        assert result.exit_code == code, result.output
        assert says in result.output
        done.add(arguments[0])
        return result.output

    installed.paste()
    works("migrate", "--dry-run", says="create table community.publications")
    works("migrate")
    installed.paste()
    told = works("doctor", "--json")
    assert '"level": "problem"' not in told
    assert "owner of jobs" in told

    works("run", says="Next")
    works("status", says="stories")
    works("account", "--verify")
    works("sql", "-c", "from bazaar.community_metrics_daily limit 1")
    for platform in ("bazaar", "stories"):
        works("backfill", platform, "--from", FIRST, "--to", FIRST)
    installed.run("bazaar", "update community_templates set views_count = views_count + 1")
    installed.run("stories", "update scenes set view_count = view_count + 1", "update topics set scene_count = 4")
    for platform in ("bazaar", "stories"):
        works("reconcile", platform, code=1)
        works("reconcile", platform, "--apply")

    installed.run("bazaar", f"delete from community_events where created_at < '{FIRST} 12:00Z'")
    works("backfill", "bazaar", "--from", FIRST, "--to", FIRST, code=1)
    works("release", "bazaar", FIRST, "--reason", "they were a bot's", says="released")
    works("run")

    works("ingest", "--project", PROJECT, says="1 created")
    installed.run("bazaar", 'update "bazaar-vid_scene" set "tsxCode" = \'export default () => <b />\'')
    works("ingest", "--changed-since", FIRST, "--supersede", says="1 created")
    installed.run("bazaar", f"insert into community.publication_requests (project_key) values ('{PROJECT}')")
    works("ingest", "--flagged", says="1 unchanged")
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "1.tsx").write_text("export default () => null")
    works("ingest", tmp_path / "scenes", "--owner", "user 1", says="1 created")

    works("maintain", "--dry-run", says="would archive and detach")
    works("maintain", says=OLD_JOBS)
    works("maintain", "--platform", "bazaar")
    partitions = "select relname from pg_class where relkind = 'r' and relname ~ '^(jobs|segments)_2' and relowner <> "
    assert installed.run("stories", f"{partitions} '\"{installed.role('owner')}\"'::regrole") == []
    assert installed.run("stories", "select count(*) from jobs") == [(1,)]
    works("backfill", "stories", "--from", FIRST, "--to", FIRST)
    works("sample", code=2, says="names another one")
    works("stop")
    assert done | NOT_HERE == set(main.commands)


READING = [
    ("stories", "select email from users"),
    ("stories", "select input_text from jobs"),
    ("stories", f"select * from {OLD_JOBS}"),
    ("stories", "delete from jobs"),
    ("stories", "update jobs set status = 'failed'"),
    ("stories", "select * from job_idempotency_keys"),
    ("stories", "create table public.mine (a int)"),
    ("bazaar", "delete from community_events"),
    ("bazaar", "insert into community.publication_requests (project_key) values ('x')"),
]
PUBLISHING = [
    ("stories", "select email from users"),
    ("stories", "update users set id = gen_random_uuid()"),
    ("stories", "update users set role = 'admin'"),
    ("stories", "update scenes set title = 'x'"),
    ("stories", "delete from scenes"),
    ("stories", "insert into jobs (scene_id) values (null)"),
    ("stories", f"drop table {OLD_JOBS}"),
    ("stories", f"alter table jobs detach partition {OLD_JOBS}"),
    ("stories", "create table jobs_x partition of jobs default"),
    ("bazaar", "update community_templates set title = 'x'"),
    ("bazaar", "update community_templates set owner_user_id = 'user 2'"),
    ("bazaar", "update community_template_scenes set tsx_code = 'x'"),
    ("bazaar", "delete from community_template_scenes"),
    ("bazaar", "delete from community_templates"),
    ("bazaar", 'select "tsxCode" from "bazaar-vid_scene"'),
    ("bazaar", "insert into community_events (id) values (gen_random_uuid())"),
]
CARING = [
    ("stories", "delete from community.publications"),
    ("stories", "delete from community.archived_partitions"),
    ("stories", "create role another"),
]


def test_what_the_roles_must_not_do_fails(installed: Installation) -> None:
    fill(installed)
    installed.paste()
    assert community("migrate").exit_code == 0
    installed.paste()
    tried = {"reader": READING, "publisher": PUBLISHING, "keeper": CARING}
    allowed = [one for role, statements in tried.items() for one in statements if not installed.refuses(role, *one)]
    assert allowed == []
    taking = "create temporary table mine (idempotency_key text, id uuid, created_at timestamptz)"
    for function in ("keep_job_idempotency_key", "keep_scene_of_segments"):
        trigger = f"create trigger t after delete on mine for each row execute function public.{function}()"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=function):
            installed.run("stories", taking, trigger, role="publisher")


def test_the_doctor_says_whether_care_can_be_taken_and_whether_next_month_is_there(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.run("stories", f'grant connect on database {installed.name}_stories to "publisher-{installed.name}"')

    def says(subject: str) -> Diagnosis:
        return one(examine(load(), [STORIES]), subject, "stories")

    monkeypatch.delenv("COMMUNITY_STORIES__MAINTAIN_URL")
    owner = says("owner of jobs")
    assert (owner.level, "may not act as the owner" in owner.seen) == ("warning", True)
    assert owner.advice.startswith("set COMMUNITY_STORIES__MAINTAIN_URL to a role that may, or:")
    assert "set COMMUNITY_STORIES__MAINTAIN_URL to it" in says("minimum grants").advice
    monkeypatch.setenv("COMMUNITY_STORIES__MAINTAIN_URL", installed.url("stories", "keeper"))
    assert says("maintain connection").level == "problem"
    installed.run("stories", f'grant connect on database {installed.name}_stories to "keeper-{installed.name}"')
    assert f'role "{installed.role("keeper")}" may not act' in says("owner of jobs").seen
    installed.run("stories", owner.advice.splitlines()[1].replace("publisher", "keeper"))
    assert says("owner of jobs").level == "ok"

    installed.run(
        "stories", "create table jobs_old partition of jobs for values from ('2019-01-01Z') to ('2020-01-01Z')"
    )
    strange = says("owner of jobs")
    assert (strange.level, "1 partitions of" in strange.seen) == ("warning", True)
    installed.run("stories", strange.advice)
    assert says("owner of jobs").level == "ok"
    function = "public.keep_job_idempotency_key()"
    owners = installed.role("owner")
    installed.run(
        "stories",
        f"alter function {function} owner to postgres",
        f'revoke execute on function {function} from "{owners}"',
    )
    closed = says("owner of jobs")
    assert "may not execute what its triggers run" in closed.seen
    assert closed.advice in says("minimum grants").advice
    installed.run("stories", closed.advice)
    assert says("owner of jobs").level == "ok"

    def add(later: int) -> None:
        month = month_of(TODAY, later)
        installed.run("stories", f"select create_monthly_partition('jobs', {month.year}, {month.month})", role="owner")

    lacking = says("partitions of jobs")
    assert (lacking.level, lacking.advice) == ("problem", "community maintain --platform stories")
    assert f"no partition for {TODAY:%Y-%m} and {month_of(TODAY, 1):%Y-%m}" in lacking.seen
    add(0)
    assert says("partitions of jobs").level == "warning"
    add(1)
    assert says("partitions of jobs").level == "ok"


def test_a_month_that_another_role_makes_belongs_to_the_owner_of_its_table(installed: Installation) -> None:
    """Otherwise the app's next `alter table` fails."""
    installed.run("stories", f'grant "{installed.role("owner")}" to "{installed.role("keeper")}"')
    installed.run("stories", f'grant connect on database {installed.name}_stories to "keeper-{installed.name}"')
    place = deployment(load(), STORIES)
    with connect(place.maintain_url, place.maintain_setting) as connection:
        for one_table in STORIES.partitioned:
            (month,) = months(connection, place, one_table, [], 0)
            assert create_month(connection, place, one_table, month)
    installed.run(
        "stories", "alter table jobs add column more text", "alter table segments add column more text", role="owner"
    )


def test_the_grants_name_the_roles_and_databases_of_the_urls_also_where_nobody_answers(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, user in (("SOURCE", "ann"), ("PUBLISH", "bob"), ("MAINTAIN", "cem")):
        monkeypatch.setenv(f"COMMUNITY_STORIES__{name}_URL", f"postgresql://{user}:secret@127.0.0.1:1/tales")
    grants = one(examine(load(), [STORIES]), "minimum grants", "stories").advice
    for role in ("ann", "bob", "cem"):
        assert f'on database "tales" to "{role}";' in grants
    assert 'grant select, insert, update on "community"."archived_partitions" to "cem";' in grants
    assert 'grant the role that owns "public"."jobs" to "cem"' in grants
    assert "secret" not in grants
