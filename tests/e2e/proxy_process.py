"""A real mitmdump in a process of its own, with a rule folder and an audit log of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from brickscope.audit.event import check_record
from e2e.forked import Forked, server

type Process = subprocess.Popen[bytes] | Forked

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "addon" / "scope.py"
HOSTS = "*.cloud.databricks.com"
CA_NAME = "mitmproxy"

START_SECONDS = 30.0
STOP_SECONDS = 5.0
PAUSE = 0.02
SETTLE_SECONDS = 3.0
ATTEMPTS = 3


class ProxyFailed(Exception):
    """The proxy ended, or did not start in time; the message holds what it printed."""


class ProxyProcess:
    """A proxy that runs. ``start`` makes one; ``stop`` (or leaving the ``with``) ends it."""

    def __init__(self, process: Process, folder: Path, port: int, output_file: Path) -> None:
        self.process = process
        self.folder = folder
        self.port = port
        self.output_file = output_file
        self.audit_file = folder / "audit.jsonl"

    @classmethod
    def start(
        cls,
        folder: Path,
        rules: Path,
        *,
        upstream_port: int | None = None,
        upstream_ca: Path | None = None,
        authority: Path | None = None,
        arguments: Sequence[str] = (),
        script: Path = SCRIPT,
        mitmdump: Path | None = None,
        audit_file: Path | None = None,
    ) -> Self:
        """Start a proxy and wait until it accepts connections. Raises ProxyFailed with its output if it does not.

        ``folder``: its own; configuration, audit log and output go there. ``rules``: the policy.
        ``upstream_port``, ``upstream_ca``: the fake workspace that stands behind every Databricks host.
        ``authority``: a folder made by ``make_authority``, copied; without it mitmdump makes an authority, slowly.
        ``arguments``: further ones for mitmdump. ``script``: the addon. ``mitmdump``: which command; otherwise the one of
        the Python that runs, forked. ``audit_file``: the log, if it is not to be in the folder.
        """
        confdir = folder / "confdir"
        if authority is not None and not confdir.exists():
            shutil.copytree(authority, confdir)
        folder.mkdir(parents=True, exist_ok=True)
        log = audit_file or folder / "audit.jsonl"
        if not any("scope_stop_after" in argument for argument in arguments):
            arguments = [*arguments, "--set", "scope_stop_after=0"]  # tests leave connections open
        options = [f"confdir={confdir}", f"scope_rules={rules}", f"scope_audit_log={log}"]
        if upstream_port is not None:
            options.append(f"scope_connect_to={HOSTS}=127.0.0.1:{upstream_port}")
        if upstream_ca is not None:
            options.append(f"ssl_verify_upstream_trusted_ca={upstream_ca}")
        program = mitmdump or Path(sys.executable).with_name("mitmdump")
        logged = _size(log)
        for attempt in range(ATTEMPTS):
            port = free_port()
            command = [
                str(program),
                "-s",
                str(script),
                "--listen-host",
                "127.0.0.1",
                "--listen-port",
                str(port),
            ]
            for option in options:
                command += ["--set", option]
            output_file = folder / f"output-{time.monotonic_ns()}.txt"
            process = run([*command, *arguments], folder, output_file, fork=mitmdump is None)
            proxy = cls(process, folder, port, output_file)
            proxy.audit_file = log
            try:
                proxy._wait_until_ready(logged)
            except ProxyFailed as error:
                if "address already in use" in str(error).lower() and attempt + 1 < ATTEMPTS:
                    continue
                raise
            except BaseException:
                proxy.stop()
                raise
            return proxy
        raise AssertionError("unreachable")

    def _wait_until_ready(self, logged: int) -> None:
        """Wait for the port, and then for a record beyond the first ``logged`` bytes of the audit log.

        mitmdump listens for a moment before it gives up over a script that does not load. An addon that writes no
        record, or writes it elsewhere, has settled if it is alive a little later.
        """
        deadline = time.monotonic() + START_SECONDS
        listening: float | None = None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ProxyFailed(f"mitmdump ended with status {self.process.returncode}:\n{self.output}")
            # The port takes connections before anything reads them: what counts is that the program says so.
            if listening is None and self._accepts() and "listening at" in self.output:
                listening = time.monotonic()
            if listening is not None and (
                _size(self.audit_file) > logged or time.monotonic() - listening > SETTLE_SECONDS
            ):
                return
            time.sleep(PAUSE)
        self.stop()
        raise ProxyFailed(f"mitmdump did not listen within {START_SECONDS:.0f} s:\n{self.output}")

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    # -- what it is --------------------------------------------------------------------------------------------

    @property
    def proxy_url(self) -> str:
        """What HTTPS_PROXY would be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority that clients of this proxy have to trust."""
        return self.folder / "confdir" / f"{CA_NAME}-ca-cert.pem"

    @property
    def output(self) -> str:
        """All that it printed."""
        return self.output_file.read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.process.poll() is None

    def audit(self, event: str | None = None) -> list[dict[str, Any]]:
        """The records of the audit log, whole lines only, if wanted of one kind. Each is held against the schema."""
        try:
            content = self.audit_file.read_bytes()
        except FileNotFoundError:
            return []
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        for line in lines:
            if b'"schema":' in line:  # a stand-in for the addon writes what it likes
                check_record(line)
        records: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [record for record in records if event is None or record.get("event") == event]

    def rss_kib(self) -> int:
        """Resident memory now, in KiB (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise ProxyFailed(f"mitmdump is not running any more:\n{self.output}")

    def wait_for[Found](self, look: Callable[[], Found], timeout: float = 5.0) -> Found:
        """Look until there is something (anything true) and return it. Raises ProxyFailed when time is up."""
        deadline = time.monotonic() + timeout
        while not (found := look()):
            if time.monotonic() > deadline:
                raise ProxyFailed(f"waited {timeout:.1f} s in vain; the proxy printed:\n{self.output}")
            time.sleep(PAUSE)
        return found

    # -- its life ----------------------------------------------------------------------------------------------

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """End it, by force if it must be. Returns its exit status. May be called twice."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def run(command: list[str], folder: Path, output_file: Path, *, fork: bool) -> Process:
    """Start a mitmdump. ``fork``: from a process that has its modules already, where the environment allows it."""
    output_file.touch()
    environment = plain_environment()
    forking = server("COVERAGE_PROCESS_START" in environment)
    if fork and forking.can_start(environment):
        return forking.start(command, folder, environment, output_file)
    with output_file.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,  # a Ctrl-C in the terminal is for the tests, which stop it themselves
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def make_authority(folder: Path) -> Path:
    """Make mitmproxy's certificate authority once, to be copied into each confdir: its RSA key takes a while."""
    from mitmproxy.certs import CertStore

    CertStore.from_store(folder, CA_NAME, 2048)
    return folder


def plain_environment() -> dict[str, str]:
    """The environment without what would lead clients to another proxy."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def free_port() -> int:
    """A port nobody listens on, below those that the kernel gives to outgoing connections."""
    for _ in range(100):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port was found")
