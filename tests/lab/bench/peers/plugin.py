"""The bench's policy as a plugin of proxy.py, which imports this by name. ``BENCH_POLICY`` names a JSON file with
``tokens`` (expressions over ``METHOD /path`` by token), ``upstream_port`` and ``log``."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from proxy.http.exception import HttpRequestRejected
from proxy.http.parser import HttpParser
from proxy.http.proxy import HttpProxyBasePlugin

from .rules import REFUSAL

_SETTINGS = json.loads(Path(os.environ["BENCH_POLICY"]).read_text())
_RULES = {
    f"Bearer {token}".encode(): [re.compile(rule.encode()) for rule in rules]
    for token, rules in _SETTINGS["tokens"].items()
}
_PORT = int(_SETTINGS["upstream_port"])
_LOG = Path(_SETTINGS["log"]).open("a")  # noqa: SIM115 - open as long as the process lives


class Policy(HttpProxyBasePlugin):
    """Denies what the token's rules do not allow, and logs each request."""

    def resolve_dns(self, host: str, port: int) -> tuple[str | None, Any]:
        """Every host is on this machine."""
        return "127.0.0.1", None

    def before_upstream_connection(self, request: HttpParser) -> HttpParser | None:
        """Every host is the bench's upstream."""
        request.port = _PORT
        return request

    def handle_client_request(self, request: HttpParser) -> HttpParser | None:
        """The decision. The CONNECT passes; each request inside is asked for."""
        if request.method == b"CONNECT":
            return request
        call = b"%b %b" % (request.method or b"", request.path or b"")
        credential = request.header(b"authorization") if request.has_header(b"authorization") else b""
        allowed = any(rule.match(call) for rule in _RULES.get(credential, ()))
        line = {
            "time": time.time(),
            "call": call.decode("latin-1"),
            "decision": "allow" if allowed else "deny",
        }
        _LOG.write(json.dumps(line) + "\n")
        _LOG.flush()
        if not allowed:
            raise HttpRequestRejected(
                status_code=403,
                reason=b"Forbidden",
                headers={b"Content-Type": b"application/json"},
                body=REFUSAL,
            )
        return request
