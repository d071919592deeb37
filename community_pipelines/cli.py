"""The `community` command. Exit codes: 0 fine, 1 the data or a check says no, 2 usage or configuration.

What its commands do is in `commands/`.
"""

from __future__ import annotations

import click

from community_pipelines.commands.account import account
from community_pipelines.commands.backfill import backfill
from community_pipelines.commands.doctor import doctor
from community_pipelines.commands.ingest import ingest
from community_pipelines.commands.maintain import maintain
from community_pipelines.commands.migrate import migrate
from community_pipelines.commands.reconcile import reconcile
from community_pipelines.commands.release import release
from community_pipelines.commands.run import run
from community_pipelines.commands.sample import sample
from community_pipelines.commands.sql import sql
from community_pipelines.commands.status import status
from community_pipelines.commands.stop import stop
from community_pipelines.commands.ui import ui
from community_pipelines.private import keep_private


@click.group("community", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="community-pipelines")
def main() -> None:
    """Daily metrics and true counters for product communities.

    Exit codes: 0 fine, 1 the data or a check says no, 2 usage or configuration.
    """
    keep_private()


for one in (
    run,
    ui,
    status,
    backfill,
    release,
    ingest,
    reconcile,
    maintain,
    account,
    doctor,
    sql,
    migrate,
    sample,
    stop,
):
    main.add_command(one)


if __name__ == "__main__":
    main()
