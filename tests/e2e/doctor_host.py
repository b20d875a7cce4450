"""A user's host for the tests of brickscope doctor, and what they ask of a report."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from e2e.gate import HOST, Gate

SETTINGS = ("SSL_", "REQUESTS_", "CURL_", "NODE_", "GRPC_", "JAVA_", "PIP_", "DATABRICKS_", "MLFLOW_", "XDG_")
BIN = Path(sys.executable).parent
ALL = ("curl", "node", "java", "go", "requests", "httpx", "grpc")
FAST = "--client curl --client requests --client grpc"


class Host(NamedTuple):
    """A user's host: a home of its own, the CA's file, and nothing set that the test did not set."""

    gate: Gate
    home: Path
    ca: Path

    @property
    def proxy(self) -> str:
        return self.gate.proxy.proxy_url

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy") and not name.startswith(SETTINGS)
        }
        return (
            kept
            | {"HOME": str(self.home), "SHELL": "/bin/bash", "PATH": f"{BIN}:{os.environ['PATH']}"}
            | more
        )

    def run(self, script: str, shell: str = "sh", **more: str) -> subprocess.CompletedProcess[str]:
        """A script in a real shell."""
        if shutil.which(shell) is None:
            assert not os.environ.get("CI"), f"{shell} is missing"
            pytest.skip(f"{shell} is not installed")
        return subprocess.run(
            [shell, "-c", script],
            env=self.environment(more),
            capture_output=True,
            text=True,
            timeout=240,
            cwd=self.home,
        )

    def doctor(
        self, options: str = FAST, before: str = "true", shell: str = "sh", **more: str
    ) -> dict[str, Any]:
        """What doctor says, in a shell in which ``before`` was run."""
        command = (
            f"brickscope doctor --workspace {HOST} --python {shlex.quote(sys.executable)} {options} --json"
        )
        done = self.run(f"{before}; {command}", shell, **more)
        assert done.returncode in (0, 1), done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if report["healthy"] else 1)
        return report

    def good(self, *more: str) -> str:
        """The line that sets all right."""
        ca = shlex.quote(str(self.ca))
        return f'eval "$(brickscope client-env --proxy {self.proxy} --ca {ca} {" ".join(more)})"'


def problems(report: dict[str, Any]) -> list[str]:
    return [check["name"] for check in report["checks"] if check["status"] == "problem"]


def detail(report: dict[str, Any], name: str) -> str:
    return "\n".join(check["detail"] for check in report["checks"] if check["name"] == name)


def mended(
    host: Host, report: dict[str, Any], options: str = FAST, before: str = "true", **more: str
) -> None:
    """The printed lines, run in the same shell, make doctor content."""
    assert report["fixes"], report
    after = host.doctor(options, "; ".join([before, *report["fixes"]]), **more)
    assert after["healthy"], (report["fixes"], after)
