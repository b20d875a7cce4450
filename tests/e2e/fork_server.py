"""Imports what a proxy imports, then forks one for each request: see ``forked.py``."""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from pathlib import Path

from mitmproxy.tools.main import mitmdump

import brickscope.proxy.addon  # noqa: F401

LENGTH = 4
"""Bytes of a request's length, before it."""


def receive(control: socket.socket) -> tuple[dict[str, object], int] | None:
    """The next request and the descriptor for the answers; None once there will be none."""
    content, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
    if not content:
        return None
    while len(content) < LENGTH + int.from_bytes(content[:LENGTH]):
        content += control.recv(65536)
    request: dict[str, object] = json.loads(content[LENGTH:])
    return request, descriptors[0]


def become(command: list[str], cwd: str, env: dict[str, str], output: str) -> None:
    """Make this process what it would be had it been started so, its modules aside."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    empty, out = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_APPEND)
    for source, target in ((empty, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(empty)
    os.close(out)
    sys.argv = command
    sys.path[0] = str(Path(command[0]).parent)


def watch(pid: int, answers: socket.socket) -> None:
    """Tell the number of a process, and once it has ended its exit status."""
    answers.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    answers.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def serve(control: socket.socket) -> None:
    """Fork until there are no more requests. Returns in each of the processes that were asked for."""
    watchers: set[int] = set()
    while found := receive(control):
        request, descriptor = found
        watchers -= {pid for pid in watchers if os.waitpid(pid, os.WNOHANG)[0]}
        if watcher := os.fork():
            os.close(descriptor)
            watchers.add(watcher)
            continue
        control.close()
        with socket.socket(fileno=descriptor) as answers:
            if pid := os.fork():
                watch(pid, answers)
                os._exit(0)
        become(**request)  # type: ignore[arg-type]
        return
    os._exit(0)


if __name__ == "__main__":
    gc.freeze()  # or collecting would copy every page in each process
    serve(socket.socket(fileno=int(sys.argv[1])))
    sys.exit(mitmdump())  # type: ignore[func-returns-value]
