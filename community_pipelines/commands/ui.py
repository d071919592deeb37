"""The command `ui`: Dagster in the browser, with its daemon, one for each state folder."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from pathlib import Path

import click

from community_pipelines.commands.shared import UI_PORT, command, load, stop_with


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=UI_PORT, show_default=True, help="On 127.0.0.1.")
@command
def ui(port: int) -> None:
    """Open Dagster on http://127.0.0.1:3000, until Ctrl-C.

    Its webserver, and the daemon that starts schedules and sensors. Only pages of its own are answered: no other
    page that a browser on this machine opens can start or delete anything.

    \b
    Example:
      community ui --port 4000
    """
    from community_pipelines.orchestration.launch import PATIENCE, instance_home
    from community_pipelines.orchestration.storage import storage_url
    from community_pipelines.settings import process_environment
    from community_pipelines.shipped import shipped

    settings = load()
    with _listening(port) as listening:
        environment = process_environment(instance_home(settings.home, storage_url(settings)), PATIENCE)
        _be_the_only_one(Path(environment["DAGSTER_HOME"]), port)
        listening.set_inheritable(True)
        click.echo(f"Dagster UI: http://127.0.0.1:{port} (Ctrl-C stops it)")
        # Dagster reads its environment when it is imported, so it begins in a process of its own: this one, anew.
        module = ("-P", "-m", "community_pipelines.orchestration.webserver")
        os.execve(
            sys.executable,
            [sys.executable, *module, str(listening.fileno()), str(shipped("workspace.yaml"))],
            environment,
        )


def _listening(port: int) -> socket.socket:
    """The port, taken: who asks waits until the pages are there, and nobody else can have it."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except OSError as error:
        listening.close()
        stop_with(
            f"127.0.0.1:{port} cannot be had ({error.strerror}): perhaps another `community ui` is open there; stop "
            "what has the port, or choose another one with --port"
        )
    return listening


def _be_the_only_one(folder: Path, port: int) -> None:
    """Keeps a lock in Dagster's folder until this process ends; stops when another `community ui` has it.

    Two daemons on one instance would start every schedule and sensor twice.
    """
    lock = os.open(folder / "ui.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        there = os.read(lock, 100).decode()
        os.close(lock)
        stop_with(f"a `community ui` of this state folder is open already: {there}")
    os.truncate(lock, 0)
    os.pwrite(lock, f"http://127.0.0.1:{port}".encode(), 0)
    os.set_inheritable(lock, True)
