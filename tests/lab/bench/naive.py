"""The gate that anybody would write in an afternoon, for comparison. It has the holes that such a gate has.

Loaded by the end-to-end bench into a mitmdump of its own: ``NAIVE_CONFIG`` names a JSON file with ``tokens`` (rules of
each fingerprint, as regular expressions over ``METHOD /path``) and ``log``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import IO

from mitmproxy import http


class Naive:
    """sha256, a list of regular expressions, a 403, a line of JSON."""

    def __init__(self, tokens: dict[str, list[str]], log: IO[str]) -> None:
        self.tokens = {name: [re.compile(rule) for rule in rules] for name, rules in tokens.items()}
        self.log = log

    def request(self, flow: http.HTTPFlow) -> None:
        """Decide."""
        token = flow.request.headers.get("authorization", "").removeprefix("Bearer ")
        flow.metadata["fingerprint"] = hashlib.sha256(token.encode()).hexdigest()
        call = f"{flow.request.method} {flow.request.path.partition('?')[0]}"
        rules = self.tokens.get(flow.metadata["fingerprint"], [])
        if not any(rule.fullmatch(call) for rule in rules):
            flow.response = http.Response.make(403, b'{"error_code":"PERMISSION_DENIED"}')

    def response(self, flow: http.HTTPFlow) -> None:
        """Write the line."""
        assert flow.response is not None
        line = {
            "time": time.time(),
            "fingerprint": flow.metadata["fingerprint"],
            "method": flow.request.method,
            "url": flow.request.pretty_url,
            "status": flow.response.status_code,
            "decision": "deny" if flow.response.status_code == 403 else "allow",
            "user_agent": flow.request.headers.get("user-agent", ""),
        }
        self.log.write(json.dumps(line) + "\n")
        self.log.flush()


def load_naive(config: Path) -> Naive:
    """The addon as its configuration file describes it. The log stays open as long as the process lives."""
    settings = json.loads(config.read_text())
    return Naive(settings["tokens"], Path(settings["log"]).open("a"))


if "NAIVE_CONFIG" in os.environ:
    addons = [load_naive(Path(os.environ["NAIVE_CONFIG"]))]
