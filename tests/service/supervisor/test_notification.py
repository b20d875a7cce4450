"""systemd: sockets are taken once and by their owner only; notes go where the unit says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from brickscope.service.supervisor.systemd import inherited_sockets, notify, watchdog_seconds

TAKE = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid()) if sys.argv[1] == "own" else "1"
os.environ["LISTEN_FDS"] = sys.argv[2]
os.dup2(int(sys.argv[3]), 3)
from brickscope.service.supervisor.systemd import inherited_sockets
first = inherited_sockets()
print([each.getsockname()[1] for each in first], len(inherited_sockets()), [each.get_inheritable() for each in first])
"""


@pytest.mark.parametrize(
    ("whose", "count", "found"), [("own", "1", True), ("other", "1", False), ("own", "x", False)]
)
def test_a_socket_is_taken_once_and_by_its_owner_only(whose: str, count: str, found: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, fd = server.getsockname()[1], server.fileno()
        output = subprocess.run(
            [sys.executable, "-c", TAKE, whose, count, str(fd)],
            pass_fds=[fd],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
    assert output.strip() == (f"[{port}] 0 [False]" if found else "[] 0 []")


def test_without_systemd_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN_PID", "LISTEN_FDS", "NOTIFY_SOCKET", "WATCHDOG_USEC"):
        monkeypatch.delenv(name, raising=False)
    assert inherited_sockets() == []
    assert watchdog_seconds() is None
    notify("READY=1")


@pytest.mark.parametrize("abstract", [False, True], ids=["a path", "an abstract name"])
def test_a_note_reaches_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"@brickscope-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0") if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        heard.settimeout(5)
        assert heard.recv(100) == b"READY=1"


def test_a_note_that_nobody_hears_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("10000000", None, 5.0),
        ("10000000", "own", 5.0),
        ("10000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, pid: str | None, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert watchdog_seconds() == seconds
