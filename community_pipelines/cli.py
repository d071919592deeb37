"""The `community` command. Exit codes: 0 fine, 1 the data or a check says no, 2 usage or configuration.

What its commands do is in `commands/`.
"""

from __future__ import annotations

import click

from community_pipelines.commands import look, samples, snapshots, upkeep, work
from community_pipelines.private import keep_private


@click.group("community", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="community-pipelines")
def main() -> None:
    """Daily metrics and true counters for product communities.

    Exit codes: 0 fine, 1 the data or a check says no, 2 usage or configuration.
    """
    keep_private()


for one in (
    work.run,
    work.ui,
    look.status,
    work.backfill,
    work.release,
    snapshots.ingest,
    work.reconcile,
    upkeep.maintain,
    look.account,
    look.doctor,
    look.sql,
    work.migrate,
    samples.sample,
    work.stop,
):
    main.add_command(one)


if __name__ == "__main__":
    main()
