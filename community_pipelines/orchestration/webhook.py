"""Posting alerts to the webhook: to where its name leads, unless that is this machine or its own link.

What only this machine may reach (services on 127.0.0.1, a cloud's metadata on 169.254.169.254) is no chat service; a
setting says so where it is. The URL is a secret and shows in no message.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from community_pipelines.errors import ExplainedError

_SECONDS = 10
_LOCAL = "COMMUNITY_WEBHOOK_LOCAL=true"


class WebhookError(ExplainedError):
    """An alert was not delivered; the message says why and what to do, never the URL."""


class _Named(HTTPAdapter):
    """Asks an address for the certificate of the name that led to it."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, server_hostname=self._name, assert_hostname=self._name)


def post(url: str, body: Any, local: bool = False) -> None:
    """Posts JSON. `local` admits this machine and its own link. Raises WebhookError when it was not accepted.

    The name is resolved once, all its addresses are looked at, and one of them is connected to: a name that leads
    elsewhere a moment later, or an answer that points elsewhere, gets nothing.
    """
    try:
        answer = _answer(url, body, admitted(url, local))
    except requests.RequestException as error:
        # What it says holds the URL.
        raise WebhookError(type(error).__name__) from None
    if 300 <= answer.status_code < 400:
        raise WebhookError(f"HTTP {answer.status_code} points elsewhere: set COMMUNITY_WEBHOOK_URL to where it leads")
    if not answer.ok:
        raise WebhookError(f"HTTP {answer.status_code}")


def admitted(url: str, local: bool) -> list[str]:
    """The addresses that the URL's host has, all of them admitted; none where a proxy does the connecting.

    Raises WebhookError for a host that has none, or one on this machine or its own link without `local`.
    """
    place = _parsed(url)
    name = _name(place)
    if select_proxy(url, get_environ_proxies(url)) and not _is_address(name):
        return []
    try:
        found = socket.getaddrinfo(name, place.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise WebhookError("its host is not known; correct COMMUNITY_WEBHOOK_URL, or this machine's DNS") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not local and _is_local(address):
            raise WebhookError(
                f"its host has the address {address}, which only this machine or its own link can reach; if that is "
                f"meant, set {_LOCAL}, else correct COMMUNITY_WEBHOOK_URL"
            )
    return addresses


def _answer(url: str, body: Any, addresses: Sequence[str]) -> requests.Response:
    """The answer of the first address that can be connected to."""
    place = _parsed(url)
    with requests.Session() as session:
        ask = partial(session.post, json=body, timeout=_SECONDS, allow_redirects=False)
        if not addresses:
            return ask(url)
        session.mount("https://", _Named(_name(place)))
        there = [place._replace(host=f"[{one}]" if ":" in one else one).url for one in addresses]
        headers = {"host": str(place._replace(auth=None).netloc)}
        for one in there[:-1]:
            with suppress(requests.ConnectionError):
                return ask(one, headers=headers)
        return ask(there[-1], headers=headers)


def _parsed(url: str) -> Url:
    try:
        place = parse_url(url)
    except LocationParseError:
        raise WebhookError("COMMUNITY_WEBHOOK_URL is no URL like https://host/path") from None
    if not place.host:
        raise WebhookError("COMMUNITY_WEBHOOK_URL has no host")
    return place


def _name(place: Url) -> str:
    return str(place.host).strip("[]")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_local(address: str) -> bool:
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast
