"""`make bench`: measures every stage, prints the table, writes bench-results.json; exit code 1 for a missed limit."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date, timedelta
from pathlib import Path

import click

from benchmarks import snapshots, stages, startup, stories
from benchmarks.processes import PROJECT, command, work
from benchmarks.report import Line, console, machine, table, write
from community_pipelines.embedded import postgres

LARGE = {"extract": stages.extract, "models": stages.models, "quality": stages.quality, "publish": stages.publish}
SMALL = {"night": stages.night, "year": stages.year}
SNAPSHOTS = "snapshots"
STORIES = "stories"
START = "start"
RESULTS = PROJECT / "bench-results.json"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--repeat", default=5, help="How often everything is measured; the median counts.")
@click.option("--rows", default=10_000_000, help="Events of the large gallery.")
@click.option("--days", default=30, help="Days of the large gallery.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([*LARGE, *SMALL, SNAPSHOTS, STORIES, START]),
    help="Only this stage; may be repeated.",
)
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the galleries here, and use them.")
def main(repeat: int, rows: int, days: int, only: Sequence[str], keep: Path | None) -> None:
    """Measure speed and memory against floors that are measured in the same run.

    Example: python -m benchmarks --rows 1000000 --repeat 1 --only extract --keep /var/tmp/bench
    """
    wanted = only or [*LARGE, *SMALL, SNAPSHOTS, STORIES, START]
    lines: list[Line] = []
    facts: dict[str, Mapping[str, object]] = {"machine": machine()}
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="community-bench-") as folder:
        base = Path(folder).resolve()
        if chosen := [name for name in LARGE if name in wanted]:
            with _gallery(base / f"events-{rows}-days-{days}", rows, days) as home:
                work(home, "prepare", days=days)
                facts["versions"] = work(home, "versions").facts
                for name in chosen:
                    with console.status(f"measuring {name}"):
                        lines += LARGE[name](stages.Large(home, rows, days), repeat)
        if chosen := [name for name in SMALL if name in wanted]:
            with _gallery(base / "year", stages.YEAR * stages.SMALL_DAY, stages.YEAR) as home:
                small = _done(home)
                facts["versions"] = work(home, "versions").facts
                for name in chosen:
                    with console.status(f"measuring {name}"):
                        lines += SMALL[name](small, repeat)
        if SNAPSHOTS in wanted:
            with _server(base / SNAPSHOTS) as home, console.status(f"measuring {SNAPSHOTS}"):
                lines += snapshots.snapshots(home, repeat)
                facts["versions"] = work(home, "versions").facts
        if STORIES in wanted:
            with _server(base / STORIES) as home, console.status(f"measuring {STORIES}"):
                lines += stories.stories(home, repeat)
                facts["versions"] = work(home, "versions").facts
        if START in wanted:
            with _server(base / START) as home, console.status(f"measuring {START}"):
                lines += startup.startup(home, repeat)
                facts["versions"] = work(home, "versions").facts
    write(RESULTS, lines, {**facts, "repeat": repeat, "rows": rows, "days": days})
    console.print(table(f"medians of {repeat}", lines))
    for about in facts.values():
        console.print(", ".join(f"{name} {value}" for name, value in about.items()), style="dim")
    console.print(f"written to {RESULTS.name}", style="dim")
    sys.exit(1 if any(line.met is False for line in lines) else 0)


@contextmanager
def _gallery(home: Path, rows: int, days: int) -> Iterator[Path]:
    """A state folder with a gallery of that size."""
    with _server(home):
        with console.status(f"loading {rows:,} events of {days} days"):
            work(home, "load", rows=rows, days=days)
        yield home


@contextmanager
def _server(home: Path) -> Iterator[Path]:
    """A state folder; its PostgreSQL is stopped at the end."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        yield home
    finally:
        postgres.stop(home)


def _done(home: Path) -> stages.Small:
    """The year with all its days done, and with Dagster's storage made by a first run."""
    with console.status("preparing a year of days"):
        work(home, "prepare", days=stages.YEAR)
        first = date.fromisoformat(work(home, "first_day").facts["first_day"])
        last = first + timedelta(days=stages.YEAR - 1)
        command(home, "backfill", "bazaar", "--from", str(last), "--to", str(last))
    return stages.Small(home, first)


if __name__ == "__main__":
    main()
