"""Dagster's webserver behind our guard, with its daemon and code server: what `community ui` turns into.

Nothing else listens on a port: the code server has a socket, and the webserver is an app in this process. Not here:
who is let in (`guard.py`), and the environment, which `community ui` prepares.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import dagster as dg
import uvicorn

from community_pipelines.orchestration.dagster_internals import code_server, daemon, webserver
from community_pipelines.orchestration.guard import Guard, local_hosts
from community_pipelines.settings import load

# So long an open page may keep its connection when the server is told to end.
_LAST_SECONDS = 3


def serve(listening: socket.socket, workspace: Path, hosts: Sequence[str]) -> int:
    """Serves the UI on a bound socket until Ctrl-C or SIGTERM; the exit code, 1 when the daemon ended by itself.

    `hosts` are answered beside the names of this machine.
    """
    # Both, since a shell without job control starts what is in its background deaf to Ctrl-C.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        listening,
        dg.DagsterInstance.get() as instance,
        code_server(instance, workspace) as location,
        daemon(location) as process,
        webserver(instance, location) as app,
    ):
        allowed = {*local_hosts(listening.getsockname()[1]), *hosts}
        # Headers that a proxy adds are not believed: the guard compares what the browser itself has sent.
        config = uvicorn.Config(
            Guard(app, allowed), log_level="warning", proxy_headers=False, timeout_graceful_shutdown=_LAST_SECONDS
        )
        server = uvicorn.Server(config)
        by_itself = threading.Event()
        threading.Thread(target=_end_with, args=(process, server, by_itself), daemon=True).start()
        server.run(sockets=[listening])
        # A Ctrl-C ends the server, too, and not always as an exception: asyncio keeps one that comes at its very end.
        if by_itself.is_set():
            print(f"error: the Dagster daemon ended by itself with code {process.poll()}", file=sys.stderr)
            return 1
    return 0


def _end_with(process: subprocess.Popen[bytes], server: uvicorn.Server, by_itself: threading.Event) -> None:
    process.wait()
    # One that was interrupted with the server ends after it was told to.
    if not server.should_exit:
        by_itself.set()
        server.should_exit = True


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("descriptor", type=int)
    parser.add_argument("workspace", type=Path)
    given = parser.parse_args()
    sys.exit(serve(socket.socket(fileno=given.descriptor), given.workspace, load().ui.hosts))
