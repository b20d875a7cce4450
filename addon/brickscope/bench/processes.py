"""Processes that are measured or measure: started on their core, read by ``/proc``, ended by their id."""

from __future__ import annotations

import contextlib
import os
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
        os.sched_setaffinity(pid, {cores[number]})


class StartError(Exception):
    """A process did not come up; the message holds what it printed."""


class Proxy(NamedTuple):
    """A proxy that runs."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Processor time since its start, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name: str = "VmRSS") -> int:
        """Bytes of memory: ``VmRSS`` now, ``VmHWM`` at the highest."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * KIB
        raise StartError(f"the proxy {self.pid} does not run any more")

    def descriptors(self) -> int:
        """Open file descriptors."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def forget_peak(self) -> None:
        """Let the highest memory start anew (proc(5), clear_refs), so that it is not the one of starting."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


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
        yield Proxy(process.pid, port)
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
        [sys.executable, "-m", f"brickscope.bench.{module}", *arguments],
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
    """End a process, by force if it must be."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)


def environment() -> dict[str, str]:
    """The environment without other proxies, and with this package where Python looks."""
    plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    source = str(Path(__file__).resolve().parents[2])
    return plain | {"PYTHONPATH": os.pathsep.join(filter(None, [source, plain.get("PYTHONPATH")]))}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
