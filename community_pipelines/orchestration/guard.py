"""The door of Dagster's webserver: who may ask for what, decided before Dagster sees it.

Dagster has no sign-in, answers any `Host`, and takes mutations by GET and by form posts, so that any page that a
browser on this machine opens could delete assets. Here: ASGI middleware that refuses what no page of the webserver
itself sends. Not here: who a person is; a proxy with a sign-in says that.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRAPHQL = "/graphql"
# Our own pages, and what a person typed. A page of another port of this machine is `same-site`, and foreign.
_OWN_SITES = ("same-origin", "none")
# No foreign page shows ours in a frame, where clicks can be stolen, or reads what a script tag can load.
_PROTECTION = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
_FRAMES = ("Content-Security-Policy", "frame-ancestors 'self'")


def local_hosts(port: int) -> frozenset[str]:
    """The values of the header `Host` by which a browser on this machine reaches that port."""
    names = ("127.0.0.1", "localhost")
    return frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())


def refusal(scope: Scope, hosts: Collection[str]) -> str | None:
    """Why a request is refused, a sentence for people; None for one that is let through.

    `hosts` are the values of `Host` that are answered, in lower case. A forwarded host is never believed.
    """
    headers = Headers(scope=scope)
    # A route that ends in `$` takes a line end behind it, too.
    if any(ord(one) < 0x20 for one in scope["path"]):
        return "no address here has a control character in it"
    method = "GET" if scope["type"] == "websocket" else scope["method"]
    given = [value.lower() for value in headers.getlist("host")]
    if len(given) != 1 or given[0] not in hosts:
        return (
            "this is not the address that it was started for; open that one, or name this one in the setting ui.hosts "
            "(environment: COMMUNITY_UI__HOSTS) and let the proxy pass on the header Host"
        )
    origins = [value.lower() for value in headers.getlist("origin")]
    if any(origin not in (f"http://{given[0]}", f"https://{given[0]}") for origin in origins):
        return "a page of another origin asked for it"
    if any(site.lower() not in _OWN_SITES for site in headers.getlist("sec-fetch-site")) and not _is_link(
        scope, headers
    ):
        return "a page of another site asked for it"
    if method not in ("GET", "HEAD", "POST"):
        return f"the method {method} is not used here"
    if method == "POST" and _media_type(headers) != "application/json":
        return "a POST has the content type application/json here, which a form of a foreign page cannot have"
    if scope["type"] == "http" and method != "POST" and scope["path"] == GRAPHQL and not _wants_page(headers):
        return "GraphQL is asked by POST here: a GET changes nothing, and any page can make one"
    return None


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether a person follows a link from elsewhere to a page, such as one in a message."""
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


class Guard:
    """Lets an ASGI app see only requests for one of these hosts that no foreign page can have made."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses with status 403 and the reason, or hands the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        why = refusal(scope, self._hosts)
        if why is not None:
            # Starlette's responses know how a websocket is refused before it is accepted.
            await PlainTextResponse(f"refused: {why}\n", 403, _PROTECTION)(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] != "POST" and scope["path"] == GRAPHQL:
            # What comes by GET is the page that people write queries in: there is nothing to be executed in it.
            scope = {**scope, "query_string": b""}

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_PROTECTION)
                # Beside the page's own policy: a browser obeys both.
                headers.append(*_FRAMES)
            await send(message)

        await self._app(scope, receive, protected)
