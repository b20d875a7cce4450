"""Reading the status pages of a proxy that runs."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]


class Answer(NamedTuple):
    """What a page said."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.series: dict[tuple[str, Labels], float] = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """The value of one series; -1 where there is none."""
        return self.series.get((name, tuple(sorted(labels.items()))), -1.0)

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series of a name that have these labels."""
        wanted = set(labels.items())
        return sum(
            value for (each, found), value in self.series.items() if each == name and wanted <= set(found)
        )

    @property
    def names(self) -> set[str]:
        """Of all series."""
        return {name for name, _ in self.series}


class Status:
    """The status server at a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def option(self) -> tuple[str, str]:
        """The flags that make a proxy serve there."""
        return "--set", f"scope_status=127.0.0.1:{self.port}"

    def get(self, path: str, timeout: float = 30) -> Answer:
        """GET a page; of a proxy that is just starting, once it serves any."""
        deadline = time.monotonic() + 10
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                return Answer(response.status, response.read().decode())
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            finally:
                connection.close()

    def metrics(self) -> Metrics:
        """A scrape."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return Metrics(answer.body)

    def reasons(self) -> list[str]:
        """Why the proxy is not ready; empty if it is."""
        answer = self.get("/readyz")
        found = [reason["reason"] for reason in answer.json["reasons"]]
        assert (answer.status == 200) is answer.json["ready"]
        return found

    def stuck(self, request: bytes = b"GET /metrics HTTP/1.1\r\nX-Slow: ") -> socket.socket:
        """A connection that sends this and then no more."""
        sock = socket.create_connection(("127.0.0.1", self.port), 10)
        sock.sendall(request)
        return sock


def check_exposition(text: str) -> None:
    """Have Prometheus' own checker look at a scrape."""
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool is missing: install the package prometheus"
        pytest.skip("promtool is not installed")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
