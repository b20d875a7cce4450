"""The endpoint at which a machine of Azure asks for its own identity's tokens, on loopback.

Shape by source: learn.microsoft.com, "How to use managed identities on a virtual machine to acquire an access token";
databricks-sdk-go config/auth_azure_msi.go and databricks-sdk-js AzureMsiCredentials (``expires_in`` is text).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

PATH = "/metadata/identity/oauth2/token"


@contextmanager
def managed_identity(sign: Callable[[str], str]) -> Iterator[int]:
    """Serve on a port of loopback. ``sign``: makes the token for an audience."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            resource = parse_qs(asked.query).get("resource", [""])[0]
            good = asked.path == PATH and self.headers["Metadata"] == "true" and bool(resource)
            answer = {"error": "invalid_request"}
            if good:
                answer = {"token_type": "Bearer", "expires_in": "86399", "access_token": sign(resource)}
            body = json.dumps(answer).encode()
            self.send_response(200 if good else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: it would go to the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
