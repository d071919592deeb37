"""The shell of `community sql` on a pseudo terminal, as a person has it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress

from community_pipelines.settings import Settings

SHELL = """
import sys
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.settings import load
from community_pipelines.commands.sql_shell import interactive, open_lake
with open_lake(load(home=sys.argv[1], lake=sys.argv[2]), [BAZAAR]) as lake:
    interactive(lake)
"""


def _as_in_a_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # A shell without job control starts what is in its background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """The shell in a process of its own, on a pseudo terminal."""

    def __init__(self, settings: Settings) -> None:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-c", SHELL, str(settings.home), str(settings.lake_folder)]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            preexec_fn=_as_in_a_terminal,
        )
        os.close(theirs)
        self.ours = ours
        self.said = ""
        self.until("lake> ")

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def drop_line(self) -> None:
        """Ctrl-C while a line is typed. Python loses one that comes just before readline waits: pressed again, then."""
        for _ in range(10):
            self.type("\x03")
            if select.select([self.ours], [], [], 5)[0]:
                break
        self.until("lake> ")

    def stop_query(self) -> None:
        """Ctrl-C while a query runs; pressed again where the machine is so busy that it has not begun."""
        for _ in range(10):
            self.type("\x03")
            with suppress(AssertionError):
                self.until("stopped", seconds=6)
                return
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"the query is not stopped after {self.said!r}")

    def until(self, text: str, seconds: float = 60) -> str:
        """What was said up to and including that text, and after the last call."""
        deadline = time.monotonic() + seconds
        while text not in self.said:
            assert time.monotonic() < deadline, f"{text!r} does not come after {self.said!r}"
            if select.select([self.ours], [], [], 0.2)[0]:
                self.said += os.read(self.ours, 65_536).decode()
        before, _, self.said = self.said.partition(text)
        return before + text

    def close(self) -> int:
        self.type(".quit\n")
        code = self.process.wait(20)
        os.close(self.ours)
        return code
