"""Where alerts are posted to, and where they are not."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from community_pipelines.orchestration.webhook import WebhookError, post
from tests.hook import Hook

BODY = {"text": "a run failed"}


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook(200) as running:
        yield running


def refusal(url: str, local: bool = False) -> str:
    with pytest.raises(WebhookError) as error:
        post(url, BODY, local)
    assert "secret-token" not in str(error.value)
    return str(error.value)


def lead(monkeypatch: pytest.MonkeyPatch, name: str, *addresses: str) -> None:
    """The first look at a name gives these addresses, any later one another: no test has a DNS to change."""
    answers = [list(addresses)]
    real = socket.getaddrinfo

    def found(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host != name:
            return real(host, port, *more, **named)
        return [entry for one in answers.pop() for entry in real(one, port, *more, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "127.9.9.9", "0.0.0.0", "0", "[::ffff:127.0.0.1]"],
)
def test_nothing_is_posted_to_this_machine_unless_a_setting_says_so(hook: Hook, host: str) -> None:
    url = f"http://{host}:{hook.port}/secret-token"
    assert "if that is meant, set COMMUNITY_WEBHOOK_LOCAL=true" in refusal(url)
    assert hook.posted == []


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::1]", "[::]", "[fe80::1]", "[::ffff:169.254.169.254]", "224.0.0.1"]
)
def test_nothing_is_posted_to_the_metadata_of_a_cloud_or_any_other_neighbour(host: str) -> None:
    assert "only this machine or its own link" in refusal(f"http://{host}/secret-token")


def test_with_the_setting_it_is_posted(hook: Hook) -> None:
    post(hook.url, BODY, local=True)
    assert hook.posted == [BODY]
    assert hook.hosts == [f"127.0.0.1:{hook.port}"]


def test_one_local_address_of_a_name_is_enough_to_refuse_it(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    lead(monkeypatch, "hooks.example", "192.0.2.1", "127.0.0.1")
    assert "has the address 127.0.0.1" in refusal(f"http://hooks.example:{hook.port}/secret-token")
    assert hook.posted == []


def test_the_address_that_was_looked_at_is_the_one_that_is_posted_to(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead(monkeypatch, "hooks.example", "127.0.0.9", "127.0.0.1")
    post(f"http://hooks.example:{hook.port}/secret-token", BODY, local=True)
    assert hook.posted == [BODY]
    assert hook.hosts == [f"hooks.example:{hook.port}"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_answer_that_points_elsewhere_is_not_followed(hook: Hook, status: int) -> None:
    with Hook(status, hook.url) as first:
        assert f"HTTP {status} points elsewhere" in refusal(first.url, local=True)
    assert hook.posted == []


def test_what_is_not_accepted_or_not_there_is_an_error(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hook(404) as gone:
        assert refusal(gone.url, local=True) == "HTTP 404"
    assert refusal(gone.url, local=True) == "ConnectionError"
    assert "its host is not known" in refusal("http://nowhere.invalid/secret-token")


def test_where_a_proxy_does_the_connecting_it_is_asked_and_names_are_its_own(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{hook.port}")
    post("http://hooks.invalid/secret-token", BODY)
    assert (hook.posted, hook.hosts) == ([BODY], ["hooks.invalid"])
    assert "only this machine" in refusal("http://169.254.169.254/secret-token")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_the_certificate_is_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=hooks.example", "-addext"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem")]
    subprocess.run([*made, "subjectAltName=DNS:hooks.example", *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "pem"))
    with Hook(200, tls=tls) as hook:
        lead(monkeypatch, "hooks.example", "127.0.0.1")
        post(f"https://hooks.example:{hook.port}/secret-token", BODY, local=True)
        lead(monkeypatch, "other.example", "127.0.0.1")
        assert refusal(f"https://other.example:{hook.port}/secret-token", local=True) == "SSLError"
    assert hook.posted == [BODY]
