"""A webhook on this machine."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Hook:
    """Keeps what is posted, and for which host. Answers with that status, and says where to go instead."""

    def __init__(self, status: int, elsewhere: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.posted: list[dict[str, Any]] = []
        self.hosts: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                hook.hosts.append(self.headers["host"])
                self.send_response(status)
                if elsewhere:
                    self.send_header("location", elsewhere)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/secret-token"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> Hook:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
