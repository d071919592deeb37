"""A `community ui` of its own for a test, and what one asks it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.community import wait_until

# The program of this environment.
PROGRAM = Path(sys.executable).with_name("community")
JSON = ("content-type", "application/json")

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def refused(self) -> bool:
        return self.status == 403 and self.text.startswith("refused: ")


@dataclass(frozen=True)
class Ui:
    """A `community ui` that runs, and the state folder that it has."""

    port: int
    home: Path
    process: subprocess.Popen[str]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, headers: Headers = (), body: str | None = None) -> Answer:
        """One request with just these headers; Host is the right one unless it is among them."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if "host" not in [name for name, _ in headers]:
                connection.putheader("host", self.host)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(None if body is None else body.encode())
            answer = connection.getresponse()
            got = {name.lower(): ", ".join(answer.headers.get_all(name, [])) for name in answer.headers}
            return Answer(answer.status, answer.read().decode(), got)

    def query(self, text: str, *headers: tuple[str, str]) -> Answer:
        return self.ask("POST", "/graphql", [JSON, *headers], json.dumps({"query": text}))

    def data(self, text: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a query or a mutation gives."""
        body = json.dumps({"query": text, "variables": variables or {}})
        answer = self.ask("POST", "/graphql", [JSON], body)
        assert answer.status == 200, answer.text
        found: dict[str, Any] = json.loads(answer.text)["data"]
        return found

    @property
    def awake(self) -> bool:
        """Whether a mutation was carried out."""
        data = json.loads(self.query("{ instance { autoMaterializePaused } }").text)
        return not data["data"]["instance"]["autoMaterializePaused"]

    @property
    def reported(self) -> bool:
        """Whether a day was reported from outside."""
        asked = '{ assetOrError(assetKey: {path: ["bazaar", "raw", "community_events"]}) '
        data = json.loads(self.query(asked + "{ ... on Asset { assetMaterializations { runId } } } }").text)
        return bool(data["data"]["assetOrError"].get("assetMaterializations"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def opened(program: Path, home: Path, settings: Mapping[str, str]) -> Iterator[Ui]:
    """`community ui` of that installation, started in its state folder, on a free port.

    At the end one Ctrl-C ends all of it, and nothing was raised in it.
    """
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMMUNITY_", "DAGSTER_"))}
    environment |= {"COMMUNITY_HOME": str(home), **settings}
    log = home / "log"
    command = [str(program), "ui", "--port", str(port)]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=file, stderr=file, text=True)
    wait_until(lambda: process.poll() is not None or f"http://127.0.0.1:{port} " in log.read_text())
    assert process.poll() is None, log.read_text()
    ui = Ui(port, home, process)
    ui.query("{ version }")
    yield ui
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, log.read_text()
    assert len(children) >= 3
    _, alive = psutil.wait_procs(children, 60)
    assert not alive
    assert "Traceback" not in log.read_text(), log.read_text()
