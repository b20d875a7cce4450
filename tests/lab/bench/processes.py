"""Processes that are measured or measure: started on their core, read by ``/proc``, ended by their id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

START_SECONDS = 30.0
STOP_SECONDS = 5.0
SETTLE_SECONDS = 0.3
KIB = 1024


def usable_cores() -> list[int]:
    """The processor cores that this process may use; without their numbers (not Linux) none."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def pin(pid: int, number: int) -> None:
    """Keep a process on one core: 0 for the proxy, 1 for client and upstream. With one core, there is no choice."""
    cores = usable_cores()
    if sys.platform == "linux" and len(cores) > 1:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, {cores[number]})


class StartError(Exception):
    """A process did not come up; the message holds what it printed."""


class Proxy(NamedTuple):
    """A proxy that runs, with all processes that it started."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Processor time since its start, of all threads and processes, those that have ended included."""
        return sum(_ticks(pid) for pid in self.family()) / os.sysconf("SC_CLK_TCK")

    def memory(self, name: str = "VmRSS") -> int:
        """Bytes of memory: ``VmRSS`` now, ``VmHWM`` at the highest. Pages that processes share count in each."""
        sizes = [_memory(pid, name) for pid in self.family()]
        if not sizes[0]:
            raise StartError(f"the proxy {self.pid} does not run any more")
        return sum(sizes)

    def descriptors(self) -> int:
        """Open file descriptors."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def forget_peak(self) -> None:
        """Let the highest memory start anew (proc(5), clear_refs), so that it is not the one of starting."""
        for pid in self.family():
            with contextlib.suppress(OSError):  # it may have ended, or belong to another user
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def family(self) -> list[int]:
        """The process, and all that descend from it."""
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and (fields := _stat(int(folder.name))):
                children.setdefault(int(fields[1]), []).append(int(folder.name))
        found = [self.pid]
        for pid in found:
            found += children.get(pid, ())
        return found


def _stat(pid: int) -> list[str]:
    """What proc(5) has after a process's name; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _ticks(pid: int) -> int:
    """Of the process, and of those of its children that have ended and were waited for."""
    return sum(map(int, _stat(pid)[11:15]))


def _memory(pid: int, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * KIB
    return 0


@contextmanager
def start_proxy(
    command: Sequence[str], port: int, folder: Path, settings: Mapping[str, str]
) -> Iterator[Proxy]:
    """Run a proxy until it listens; end it afterwards. ``settings``: environment variables beyond ours."""
    output = folder / f"output-{time.monotonic_ns()}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment() | dict(settings),
            cwd=folder,
            start_new_session=True,  # a Ctrl-C is for the bench, which ends it
        )
    try:
        pin(process.pid, 0)
        _wait(process, port, output)
        proxy = Proxy(process.pid, port)
        for pid in proxy.family():  # some may have been started before their parent was pinned
            pin(pid, 0)
        yield proxy
        if process.poll() is not None:
            raise StartError(
                f"the proxy ended with status {process.returncode}:\n{output.read_text(errors='replace')}"
            )
    finally:
        stop(process)


def _wait(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            # mitmdump listens for a moment before it ends over a script that can't be loaded.
            time.sleep(SETTLE_SECONDS)
            if process.poll() is None:
                return
        time.sleep(0.02)
    raise StartError(f"the proxy did not start; it printed:\n{output.read_text(errors='replace')}")


@contextmanager
def start_helper(module: str, *arguments: str) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run a module of this package that ends with its input; gives its input and output."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"lab.bench.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pin(process.pid, 1)
        yield process.stdin, process.stdout
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        stop(process)
        process.stdout.close()


def stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a process and what it started, by force if it must be."""
    family = Proxy(process.pid, 0).family() if sys.platform == "linux" and process.poll() is None else []
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
    group = process.pid  # each is started in a session of its own, which tells its children from a reused id
    for pid in family[1:]:
        with contextlib.suppress(OSError):
            if os.getpgid(pid) == group:
                os.kill(pid, signal.SIGKILL)


def environment() -> dict[str, str]:
    """The environment without other proxies, and with the product and this package where Python looks."""
    plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    root = Path(__file__).resolve().parents[3]
    folders = [str(root / "addon"), str(root / "tests"), plain.get("PYTHONPATH")]
    return plain | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
