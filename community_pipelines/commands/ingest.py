"""The command `ingest`: projects' scenes into the gallery as templates that never change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from community_pipelines.commands.shared import DAY, NO, as_json, command, load, print_json

if TYPE_CHECKING:
    from community_pipelines.snapshots.ingest import Ingest
    from community_pipelines.snapshots.options import Options
    from community_pipelines.snapshots.outcome import Outcome

# A table of thousands of rows helps nobody: the rejected ones are always shown, of the others so many.
_SHOWN = 30


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--project", "projects", multiple=True, metavar="ID", help="A source project; may be repeated.")
@click.option("--changed-since", type=DAY, help="All projects that changed on this UTC day or later.")
@click.option("--flagged", is_flag=True, help="All that was flagged in community.publication_requests.")
@click.option("--owner", help="User id of the owner, whatever an export says.")
@click.option("--title", help="Instead of the project's title.")
@click.option("--description", help="Plain text.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be repeated.")
@click.option("--category", help="At most 100 characters.")
@click.option("--format", "formats", multiple=True, help="landscape, portrait or square; may be repeated.")
@click.option("--visibility", help="public or unlisted.")
@click.option(
    "--scene", "scenes", multiple=True, type=int, help="A scene's place from 1; repeat it to choose and order."
)
@click.option("--supersede", is_flag=True, help="Disable the project's older templates.")
@click.option("--after-moderation", is_flag=True, help="Publish although a moderator hid a version of it.")
@click.option("--platform", help="Whose gallery, where several platforms have one.")
@click.option("--dry-run", is_flag=True, help="Say what would be created, unchanged or rejected, and write nothing.")
@as_json
@command
def ingest(
    path: Path | None,
    projects: tuple[str, ...],
    changed_since: date | None,
    flagged: bool,
    owner: str | None,
    platform: str | None,
    dry_run: bool,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Publish projects as templates that never change.

    From the app's projects, or from export files: PATH is a JSON or NDJSON export, a folder of .tsx files, or a
    folder of either. Exit code 1 when anything was rejected.

    \b
    Examples:
      community ingest --project 0b6b3c1e-54a5-4a5e-9a53-2f6f0a1e7c11 --title "Launch day"
      community ingest --changed-since 2026-01-31 --dry-run
      community ingest exports/product-launch --owner user-17 --tag launch
    """
    from community_pipelines.commands.report import progress
    from community_pipelines.databases.deployment import deployment
    from community_pipelines.flow.flows import with_snapshots
    from community_pipelines.snapshots.ingest import opened
    from community_pipelines.snapshots.outcome import as_json as to_json

    given = [path is not None, bool(projects), changed_since is not None, flagged]
    if sum(given) != 1:
        raise click.UsageError(
            "say which projects: PATH, --project, --changed-since or --flagged, and only one of them"
        )
    if flagged and any(wishes.values()):
        raise click.UsageError("what is flagged has its own title, tags and so on: leave them out with --flagged")
    settings = load()
    place = deployment(settings, with_snapshots(platform))
    run_id = f"cli-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    outcomes: list[Outcome] = []
    with opened(settings, place, run_id, dry_run) as run, progress("projects", None) as advance:
        for outcome in _outcomes(run, path, projects, changed_since, owner, _options(wishes)):
            outcomes.append(outcome)
            advance(1)
    if as_json:
        print_json([to_json(one) for one in outcomes])
    else:
        _show(outcomes, dry_run)
    sys.exit(NO if any(one.status == "rejected" for one in outcomes) else 0)


def _options(wishes: dict[str, Any]) -> Options:
    from pydantic import ValidationError

    from community_pipelines.snapshots.options import Options

    try:
        return Options.model_validate({name: None if value == () else value for name, value in wishes.items()})
    except ValidationError as error:
        faults = "; ".join(f"--{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise click.UsageError(faults) from None


def _outcomes(
    run: Ingest,
    path: Path | None,
    projects: tuple[str, ...],
    changed_since: date | None,
    owner: str | None,
    options: Options,
) -> Iterator[Outcome]:
    if path is not None:
        return run.exports(path, owner, options)
    if projects:
        return run.projects(projects, options)
    if changed_since is not None:
        return run.changed_since(
            datetime(changed_since.year, changed_since.month, changed_since.day, tzinfo=UTC), options
        )
    return run.flagged()


def _show(outcomes: list[Outcome], dry_run: bool) -> None:
    from community_pipelines.commands.report import console, say, table

    words = {"created": "would be created" if dry_run else "created", "unchanged": "unchanged", "rejected": "rejected"}
    counts = {status: sum(one.status == status for one in outcomes) for status in words}
    shown = [one for one in outcomes if one.status == "rejected"]
    shown += [one for one in outcomes if one.status != "rejected"][: max(0, _SHOWN - len(shown))]
    rows = [
        (one.title or one.project, words[one.status], one.scenes, one.bytes, one.slug or "", _why(one)) for one in shown
    ]
    if rows:
        console.print(table("template snapshots", ("project", "what", "scenes", "bytes", "slug", "why"), rows))
    for one in shown:
        for finding in one.findings:
            where = finding.file if finding.line is None else f"{finding.file}:{finding.line}:{finding.column}"
            colour = "red" if finding.severity == "error" else "yellow"
            say(f"{where} {finding.severity} {finding.rule}: {finding.message}", colour)
    if len(outcomes) > len(shown):
        say(f"and {len(outcomes) - len(shown):,} more; --json has them all")
    say(", ".join(f"{counts[status]:,} {word}" for status, word in words.items()))
    if dry_run:
        say("nothing was written")


def _why(outcome: Outcome) -> str:
    errors = list(dict.fromkeys(one.rule for one in outcome.findings if one.severity == "error"))
    return ", ".join(errors) or outcome.note or (f"version {outcome.version}" if outcome.version else "")
