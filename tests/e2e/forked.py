"""Proxies that are forked from a process which has imported mitmproxy and the package: imports are most of a start.

What runs is mitmproxy's own ``mitmdump`` with its arguments, in a process, session, folder and environment of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

SERVER = Path(__file__).with_name("fork_server.py")
END_SECONDS = 5.0


class Forked:
    """A process; as much of ``subprocess.Popen`` as tests use."""

    def __init__(self, command: list[str], answers: socket.socket) -> None:
        self.args = command
        self.returncode: int | None = None
        self._answers = answers
        self._told = answers.makefile("rb")
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = int(self._told.readline())
            self._answers.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        if self.returncode is None:
            select.select([self._answers], [], [], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Server:
    """The process that forks them, which has the environment of whoever makes it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._one = threading.Lock()
        self._environment = interpreters(dict(os.environ))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self.stop)

    def can_start(self, environment: dict[str, str]) -> bool:
        """Whether a process with this environment would be as one that was executed."""
        return interpreters(environment) == self._environment

    def start(self, command: list[str], cwd: Path, env: dict[str, str], output: Path) -> Forked:
        """Start ``command``, a mitmdump and its arguments. ``output``: a file that is there."""
        request = json.dumps(
            {"command": command, "cwd": str(cwd), "env": env, "output": str(output)}
        ).encode()
        content = len(request).to_bytes(4) + request
        ours, theirs = socket.socketpair()
        with theirs, self._one:
            sent = socket.send_fds(self._control, [content], [theirs.fileno()])
            self._control.sendall(content[sent:])
        return Forked(command, ours)

    def stop(self) -> None:
        self._control.close()
        self._process.wait(END_SECONDS)


def interpreters(environment: dict[str, str]) -> dict[str, str]:
    """The part of an environment that is read before the first line of Python."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("LD_", "DYLD_", "PYTHON", "MALLOC_", "COVERAGE_"))
    }


@cache
def server(measured: bool) -> Server:
    """The one of this process of tests; another one makes proxies whose branches are counted."""
    return Server()
