"""`community ui`: a real one on a port of its own, asked by real HTTP and websockets, as a foreign page would ask."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from community_pipelines.embedded.postgres import EmbeddedServer
from tests.community import Community, community, unwrapped, wait_until
from tests.ui import JSON, PROGRAM, Headers, Ui, free_port, opened

# Paused is how an instance begins.
WAKE = "mutation { setAutoMaterializePaused(paused: false) }"
PAUSE = "mutation { setAutoMaterializePaused(paused: true) }"
BY_GET = f"/graphql?query={quote(WAKE)}"
BODY = json.dumps({"query": WAKE})
PROXY = "dagster.example.org"
REPORT = "/report_asset_materialization/bazaar/raw/community_events"


@pytest.fixture(scope="module")
def ui(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    home = tmp_path_factory.mktemp("ui")
    # From today on: no day is over, so that no sensor starts a run.
    made = Community(postgres.url("ui_gallery"), home, datetime.now(UTC).date(), postgres.url("ui_dagster")).create()
    settings = {
        "COMMUNITY_START_DATE": str(made.first),
        "COMMUNITY_DATABASE_URL": made.storage,
        "COMMUNITY_BAZAAR__SOURCE_URL": made.url,
        "COMMUNITY_UI__HOSTS": json.dumps([PROXY.upper()]),
    }
    with opened(PROGRAM, home, settings) as running:
        yield running


@pytest.fixture
def untouched(ui: Ui) -> Iterator[Ui]:
    """Nothing was carried out afterwards."""
    yield ui
    assert not ui.awake
    assert not ui.reported


FORM = ("content-type", "application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ([("host", "evil.example")], "not the address"),
        ([("host", "evil.example:{port}")], "not the address"),
        ([("host", "0.0.0.0:{port}")], "not the address"),
        ([("host", "127.0.0.1")], "not the address"),
        ([("host", "127.0.0.1:{port}.evil.example")], "not the address"),
        ([("host", "evil.example"), ("x-forwarded-host", "127.0.0.1:{port}")], "not the address"),
        ([("host", "127.0.0.1:{port}"), ("host", "evil.example")], "not the address"),
        ([("origin", "http://evil.example")], "another origin"),
        ([("origin", "null")], "another origin"),
        ([("origin", "http://127.0.0.1:{port}.evil.example")], "another origin"),
        ([("origin", "http://127.0.0.1:8000")], "another origin"),
        ([("origin", "http://localhost:{port}")], "another origin"),
        ([("origin", "https://dagster.example.org")], "another origin"),
        ([("origin", "http://127.0.0.1:{port}"), ("origin", "http://evil.example")], "another origin"),
        ([("sec-fetch-site", "cross-site")], "another site"),
        ([("sec-fetch-site", "same-site")], "another site"),
        (
            [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
            "another site",
        ),
    ],
)
def test_a_mutation_of_a_foreign_host_or_page_is_refused(untouched: Ui, headers: Headers, says: str) -> None:
    sent = [JSON, *((name, value.format(port=untouched.port)) for name, value in headers)]
    answer = untouched.ask("POST", "/graphql", sent, BODY)
    assert answer.refused
    assert says in answer.text


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "says"),
    [
        ("GET", BY_GET, [], None, "asked by POST"),
        ("GET", BY_GET, [("accept", "*/*"), ("origin", "http://evil.example")], None, "another origin"),
        ("GET", BY_GET.replace("graphql?", "%67raphql?"), [], None, "asked by POST"),
        ("GET", BY_GET.replace("graphql?", "graphql%0A?"), [], None, "control character"),
        ("GET", BY_GET.replace("graphql?", "graphql%0A?"), [("accept", "text/html")], None, "control character"),
        ("HEAD", BY_GET, [], None, ""),
        ("POST", BY_GET, [], "", "content type"),
        ("POST", BY_GET, [FORM], "", "content type"),
        ("POST", "/graphql", [("content-type", "text/plain")], BODY, "content type"),
        ("POST", "/graphql", [("content-type", "text/plain; application/json")], BODY, "content type"),
        ("POST", "/graphql", [("content-type", "application/graphql")], WAKE, "content type"),
        ("POST", BY_GET, [("content-type", "multipart/form-data; boundary=x")], "--x--", "content type"),
        ("POST", REPORT, [FORM], "description=x", "content type"),
        ("POST", REPORT, [JSON, ("origin", "http://evil.example")], "{}", "another origin"),
        ("POST", f"{REPORT}?data_version=1", [], "", "content type"),
        ("OPTIONS", "/graphql", [("access-control-request-method", "POST")], None, "method OPTIONS"),
        ("PUT", BY_GET, [JSON], BODY, "method PUT"),
        ("DELETE", "/", [], None, "method DELETE"),
    ],
)
def test_what_any_page_can_send_without_being_asked_first_carries_out_nothing(
    untouched: Ui, method: str, path: str, headers: Headers, body: str | None, says: str
) -> None:
    answer = untouched.ask(method, path, headers, body)
    assert answer.status == 403
    assert says in answer.text
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_page_to_write_queries_in_is_shown_and_executes_nothing_of_its_address(untouched: Ui) -> None:
    answer = untouched.ask("GET", BY_GET, [("accept", "text/html,*/*")])
    assert answer.status == 200
    assert "GraphiQL" in answer.text


@pytest.mark.parametrize("path", ["/", "/assets", "/runs/x", "/locations/x"])
def test_a_foreign_page_cannot_read_or_frame_a_page_but_a_person_may_follow_a_link(ui: Ui, path: str) -> None:
    foreign = ("sec-fetch-site", "cross-site")
    link = [foreign, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
    assert ui.ask("GET", path, link).status == 200
    assert ui.ask("GET", path, [foreign, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]).refused
    assert ui.ask("GET", path, [foreign, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")]).refused
    assert ui.ask("GET", path, [("origin", "http://evil.example")]).refused
    shown = ui.ask("GET", path)
    assert shown.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in shown.headers["content-security-policy"]
    assert "script-src" in shown.headers["content-security-policy"]
    assert "access-control-allow-origin" not in shown.headers


def test_its_own_pages_go_on(ui: Ui) -> None:
    index = ui.ask("GET", "/", [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")])
    assert index.status == 200
    (script, *_) = re.findall(r'src="(/[^"]+\.js)"', index.text)
    own = [("sec-fetch-site", "same-origin"), ("origin", f"http://{ui.host}")]
    loaded = ui.ask("GET", script, own)
    assert loaded.status == 200
    assert loaded.headers["content-type"].startswith(("application/javascript", "text/javascript"))
    assert ui.ask("GET", "/server_info", own).status == 200
    # Dagster's own answer, for a log that is not there.
    assert "refused" not in ui.ask("GET", "/logs/a/compute_logs/b/out", own).text


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("origin", "http://127.0.0.1:{port}"), ("sec-fetch-site", "same-origin")],
        [("host", "localhost:{port}"), ("origin", "http://localhost:{port}")],
        [("host", "LOCALHOST:{port}")],
        [("host", PROXY), ("origin", f"https://{PROXY}"), ("x-forwarded-proto", "https")],
        [("x-forwarded-host", "evil.example")],
    ],
)
def test_its_own_pages_and_scripts_carry_out_mutations(ui: Ui, headers: Headers) -> None:
    sent = [(name, value.format(port=ui.port)) for name, value in headers]
    try:
        assert ui.query(WAKE, *sent).status == 200
        assert ui.awake
    finally:
        assert ui.query(PAUSE, *sent).status == 200
    assert not ui.awake


def test_a_script_may_report_what_happened_elsewhere(ui: Ui) -> None:
    answer = ui.ask("POST", "/report_asset_materialization/elsewhere", [JSON], json.dumps({"description": "by hand"}))
    assert (answer.status, answer.text) == (200, "{}")


def _subscribe(ui: Ui, origin: str | None, headers: dict[str, str] | None = None) -> list[str]:
    """The types of the messages that a subscription by websocket gets, until it says what is wrong with a query."""
    given = None if origin is None else Origin(origin)
    with connect(
        f"ws://{ui.host}/graphql", origin=given, subprotocols=[Subprotocol("graphql-ws")], additional_headers=headers
    ) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        got = [json.loads(socket.recv(30))["type"]]
        events = "subscription { locationStateChangeEvents { event { message } } }"
        socket.send(json.dumps({"type": "start", "id": "1", "payload": {"query": events}}))
        socket.send(json.dumps({"type": "start", "id": "2", "payload": {"query": "subscription { nothing }"}}))
        answer = json.loads(socket.recv(30))
        return [*got, answer["type"], answer["id"]]


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:{port}"])
def test_live_updates_come_by_websocket(ui: Ui, origin: str | None) -> None:
    got = _subscribe(ui, origin and origin.format(port=ui.port))
    assert got == ["connection_ack", "error", "2"]


@pytest.mark.parametrize(
    ("origin", "headers"),
    [("http://evil.example", {}), ("null", {}), ("http://127.0.0.1:8000", {}), (None, {"Sec-Fetch-Site": "same-site"})],
)
def test_a_foreign_page_gets_no_websocket(ui: Ui, origin: str | None, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as error:
        _subscribe(ui, origin, headers)
    assert error.value.response.status_code == 403
    assert b"refused: a page of another" in (error.value.response.body or b"")


def test_nothing_else_of_it_listens_on_a_port(ui: Ui) -> None:
    ui.query("{ version }")
    process = psutil.Process(ui.process.pid)
    listening = {
        tuple(found.laddr)
        for one in (process, *process.children(recursive=True))
        for found in one.net_connections("inet")
        if found.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", ui.port)}


def test_a_port_that_is_taken_is_named_with_what_to_do(ui: Ui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path))
    result = community("ui", "--port", ui.port)
    assert result.exit_code == 2
    assert f"127.0.0.1:{ui.port} cannot be had (Address already in use)" in unwrapped(result.output)
    assert "choose another one with --port" in unwrapped(result.output)
    assert not list(tmp_path.iterdir())


def test_a_state_folder_has_one_daemon_whatever_the_port(
    ui: Ui, postgres: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(ui.home))
    monkeypatch.setenv("COMMUNITY_DATABASE_URL", postgres.url("ui_dagster"))
    result = community("ui", "--port", free_port())
    assert result.exit_code == 2
    assert f"of this state folder is open already: http://127.0.0.1:{ui.port}" in unwrapped(result.output)


class SignIn(BaseHTTPRequestHandler):
    """oauth2-proxy's part: who has the cookie is known."""

    def do_GET(self) -> None:
        self.send_response(202 if self.headers["cookie"] == "known=1" else 401)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def proxy(ui: Ui, tmp_path: Path) -> Iterator[int]:
    """The nginx of the manual before it, without TLS, and the port that it has."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("there is no nginx on this machine")
    manual = (Path(__file__).parents[1] / "README.md").read_text()
    (site,) = re.findall(r"```nginx\n(.*?)```", manual, re.DOTALL)
    port, people = free_port(), HTTPServer(("127.0.0.1", 0), SignIn)
    for said, here in (
        ("443 ssl", f"127.0.0.1:{port}"),
        (":3000", f":{ui.port}"),
        (":4180", f":{people.server_port}"),
    ):
        assert said in site
        site = site.replace(said, here)
    site = re.sub(r"ssl_\w+ .*;", "", site)
    file = tmp_path / "nginx.conf"
    file.write_text(f"daemon off; pid {tmp_path}/pid; events {{}} http {{ access_log off; {site} }}")
    with people, subprocess.Popen([nginx, "-e", "stderr", "-p", str(tmp_path), "-c", str(file)]) as running:
        signing_in = threading.Thread(target=people.serve_forever)
        signing_in.start()
        wait_until(lambda: running.poll() is not None or _answers(port))
        assert running.poll() is None
        yield port
        running.terminate()
        people.shutdown()
        signing_in.join()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_proxy_of_the_manual_lets_people_through_who_have_signed_in(untouched: Ui, proxy: int) -> None:
    site, known = ("host", PROXY), ("cookie", "known=1")
    own, foreign = ("origin", f"https://{PROXY}"), ("origin", "https://evil.example")
    here = replace(untouched, port=proxy)
    assert here.ask("GET", "/", [site]).status == 302
    assert here.query(WAKE, site, own).status == 302
    assert "x-dagster-call-counts" in here.ask("GET", "/", [site, known]).headers
    assert here.query("{ version }", site, known, own).status == 200
    assert here.query(WAKE, site, known, foreign).refused
    assert here.query(WAKE, ("host", "evil.example"), known).refused
    wire = socket.create_connection(("127.0.0.1", proxy))
    cookie = {"Cookie": "known=1"}
    with connect(
        f"ws://{PROXY}/graphql",
        sock=wire,
        origin=Origin(own[1]),
        subprotocols=[Subprotocol("graphql-ws")],
        additional_headers=cookie,
    ) as live:
        live.send(json.dumps({"type": "connection_init"}))
        assert json.loads(live.recv(30)) == {"type": "connection_ack"}
