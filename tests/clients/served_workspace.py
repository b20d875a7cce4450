"""The fake workspace of ``clients.served`` as a process of the clients' own Python."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.proxy_process import REPOSITORY, plain_environment

STOP_SECONDS = 10.0


class ServedWorkspace:
    """What is running: where it is, and what reached it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        first = self._read()
        self.port: int = first["port"]
        self.ca_file = Path(first["ca_file"])
        self.identity_port: int = first["identity_port"]
        """Where a managed identity's tokens are."""

    def requests(self) -> list[dict[str, Any]]:
        """What reached it since it was last cleared, oldest first."""
        found: list[dict[str, Any]] = self._ask("requests")
        return found

    def clear(self) -> None:
        """Forget what reached it."""
        self._ask("clear")

    def know(self, bearers: Collection[str]) -> None:
        """Answer 401 to all other tokens."""
        self._ask(f"bearers {' '.join(bearers)}")

    def _ask(self, wish: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(wish + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the served workspace ended with status {self._process.wait(STOP_SECONDS)}")
        return json.loads(line)


@contextmanager
def serve_workspace(python: Path, folder: Path) -> Iterator[ServedWorkspace]:
    """Start one; end it with the ``with``."""
    errors = folder / "served-errors.txt"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [str(python), "-m", "clients.served", str(folder / "served")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=plain_environment() | {"PYTHONPATH": f"{REPOSITORY / 'addon'}:{REPOSITORY / 'tests'}"},
            cwd=folder,
        )
    try:
        yield ServedWorkspace(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
