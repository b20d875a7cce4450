"""A real supervisor with its workers, and a load of calls that must all succeed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx

from brickscope.audit.event import check_record
from e2e.gate import CATALOGS, HOST, POLICY, TOKEN
from e2e.proxy_process import HOSTS, free_port, plain_environment
from lab.workspace.server import DNS_NAMES, FakeWorkspace

START_SECONDS = 60.0
STOP_SECONDS = 60.0


class FleetProcess:
    """A supervisor that runs; its files are in ``folder``."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
        self.process = process
        self.folder = folder
        self.port = port

    @property
    def proxy_url(self) -> str:
        """What HTTPS_PROXY would be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority that clients have to trust."""
        return self.folder / "confdir" / "mitmproxy-ca-cert.pem"

    @property
    def output(self) -> str:
        """All that supervisor and workers printed."""
        return (self.folder / "output.txt").read_text(errors="replace")

    @property
    def logs(self) -> list[Path]:
        """The logs of all workers."""
        return sorted(self.folder.glob("audit-*.jsonl"))

    def pids(self) -> dict[int, int]:
        """The workers that were ready last, by their numbers."""
        found = re.findall(r"worker (\d+) is ready \(pid (\d+)\)", self.output)
        return {int(number): int(pid) for number, pid in found}

    def audit(self, event: str | None = None) -> list[dict[str, Any]]:
        """The records of all logs, each held against the schema."""
        records = []
        for file in self.logs:
            content = file.read_bytes()
            for line in content[: content.rfind(b"\n") + 1].splitlines():
                check_record(line)
                records.append(json.loads(line))
        return [record for record in records if event is None or record["event"] == event]

    def wait_for[Found](self, look: Callable[[], Found], timeout: float = START_SECONDS) -> Found:
        """Look until there is something true, and return it."""
        deadline = time.monotonic() + timeout
        while not (found := look()):
            assert time.monotonic() < deadline, f"waited {timeout:g} s in vain:\n{self.output}"
            time.sleep(0.05)
        return found

    def wait_for_line(self, pattern: str, count: int = 1) -> None:
        """Wait until so many lines match."""
        self.wait_for(lambda: len(re.findall(pattern, self.output)) >= count)

    def stop(self) -> int:
        """End it in good order. Returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End everything that this test started, by force."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
        for pid in re.findall(r"worker \d+ is ready \(pid (\d+)\)", self.output):
            if self.is_worker(int(pid)):
                os.kill(int(pid), signal.SIGKILL)

    def is_worker(self, pid: int) -> bool:
        """Whether this process runs and is one of this fleet (numbers are used again by others)."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return str(self.folder / "confdir").encode() in command


class Fleet(NamedTuple):
    """A running fleet and the workspace behind it."""

    proxy: FleetProcess
    workspace: FakeWorkspace
    rules: Path


def start_fleet(
    folder: Path,
    authority: Path | None,
    workspace: FakeWorkspace,
    *arguments: str,
    workers: int = 2,
    program: Sequence[str] = (sys.executable, "-m", "brickscope.service.supervisor"),
    pass_fds: Sequence[int] = (),
) -> FleetProcess:
    """Start a supervisor without waiting for its workers. The policy is in ``folder/rules``."""
    folder.mkdir(parents=True, exist_ok=True)
    if authority is not None:
        shutil.copytree(authority, folder / "confdir")
    port = free_port()
    settings = [
        f"confdir={folder / 'confdir'}",
        f"scope_rules={folder / 'rules'}",
        f"scope_audit_log={folder / 'audit.jsonl'}",
        f"scope_connect_to={HOSTS}=127.0.0.1:{workspace.port}",
        f"ssl_verify_upstream_trusted_ca={workspace.ca_file}",
    ]
    command = [*program, "--workers", str(workers), "-p", str(port)]
    command += [part for setting in settings for part in ("--set", setting)]
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=plain_environment() | {"PYTHONUNBUFFERED": "1"},
            cwd=folder,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    return FleetProcess(process, folder, port)


@contextmanager
def running_fleet(
    folder: Path, authority: Path, *arguments: str, workers: int = 2, policy: str = POLICY
) -> Iterator[Fleet]:
    """Start a fleet and wait until all its workers serve."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(policy, encoding="utf-8")
    with FakeWorkspace.start(names=DNS_NAMES) as workspace:
        proxy = start_fleet(folder, authority, workspace, *arguments, workers=workers)
        try:
            proxy.wait_for(lambda: "workers serve" in proxy.output or proxy.process.poll() is not None)
            assert proxy.process.poll() is None, proxy.output
            yield Fleet(proxy, workspace, rules)
        finally:
            try:
                proxy.stop()
            finally:
                proxy.kill()


class Http2Only(ssl.SSLContext):
    """Offers HTTP/2 alone: httpx offers HTTP/1.1 as well, and speaks HTTP/2 whatever was agreed on."""

    def __new__(cls) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Offer what was asked for, but for HTTP/1.1."""
        super().set_alpn_protocols([each for each in alpn_protocols if each != "http/1.1"])


class Load:
    """Clients with kept connections that call without a pause. ``calls``: answered; ``failures``: what went wrong."""

    def __init__(self, proxy_url: str, ca: Path, *, clients: int = 4, http2: bool = False) -> None:
        self._proxy_url, self._http2 = proxy_url, http2
        self._context = Http2Only() if http2 else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(ca)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.calls = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for(self, calls: int) -> None:
        """Wait until so many more calls were answered."""
        wanted, deadline = self.calls + calls, time.monotonic() + 60
        while self.calls < wanted:
            assert time.monotonic() < deadline, self.failures
            time.sleep(0.02)

    def _run(self) -> None:
        with httpx.Client(
            proxy=self._proxy_url,
            verify=self._context,
            http2=self._http2,
            http1=not self._http2,
            timeout=60,
            trust_env=False,
        ) as client:
            while not self._stop.is_set():
                try:
                    answer = client.get(
                        f"https://{HOST}{CATALOGS}", headers={"Authorization": f"Bearer {TOKEN}"}
                    )
                    failure = (
                        "" if answer.status_code == 200 else f"{answer.status_code}: {answer.text[:200]}"
                    )
                except Exception as error:
                    failure = f"{type(error).__name__}: {error}"
                with self._lock:
                    if failure:
                        self.failures.append(failure)
                    else:
                        self.calls += 1


def brickscope(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("brickscope")), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=plain_environment() | {"NO_COLOR": "1", "COLUMNS": "160"},
    )
