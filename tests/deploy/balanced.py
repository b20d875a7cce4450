"""HAProxy with the configuration of docs/deploy before proxies that play machines, and clients that call through it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpcore

from deploy.box import ROOT
from e2e.gate import CATALOGS, HOST, TOKEN
from e2e.proxy_process import HOSTS, free_port, plain_environment
from lab.workspace.server import FakeWorkspace

CONFIG = ROOT / "docs" / "deploy" / "haproxy.cfg"
ADDRESSES = {"10.0.8.11": "127.0.0.11", "10.0.8.12": "127.0.0.12"}
"""Machines of the configuration, and the addresses that play them here."""
BALANCER = "127.0.0.1"
WAIT_SECONDS = 60.0
PAUSE_SECONDS = 0.02


def wait_until(look: Callable[[], object], told: Callable[[], str] = lambda: "") -> None:
    """Look until there is something true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not look():
        assert time.monotonic() < deadline, f"waited in vain; {told()}"
        time.sleep(0.05)


class Machine:
    """One proxy with a folder, a log, log keys and an address of its own, and a copy of the authority that all share."""

    def __init__(self, folder: Path, address: str, port: int, status_port: int, options: list[str]) -> None:
        self.folder = folder
        self.address = address
        self.port = port
        self.status_port = status_port
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.output = folder / "output.txt"
        self.log = folder / "log" / "audit.jsonl"

    def start(self) -> None:
        """Start it, and return when it is ready."""
        command = [str(Path(sys.executable).with_name("brickscope")), "proxy"]
        command += ["--listen-host", self.address, "--listen-port", str(self.port)]
        for option in (
            f"confdir={self.folder / 'ca'}",
            f"scope_audit_log={self.log}",
            f"scope_audit_keys={self.folder / 'keys'}",
            f"scope_status={self.address}:{self.status_port}",
            f"scope_proxy_protocol={BALANCER}/32",
            *self.options,
        ):
            command += ["--set", option]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=plain_environment(),
                start_new_session=True,
            )
        process = self.process
        wait_until(lambda: self.ready() == 200 or process.poll() is not None, self.output.read_text)
        assert process.poll() is None, self.output.read_text()

    def ready(self) -> int | None:
        """The status of /readyz; None if nobody answers."""
        connection = http.client.HTTPConnection(self.address, self.status_port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self) -> int:
        """As systemd stops it: SIGTERM, and wait."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def records(self, event: str) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        return [record for line in lines if (record := json.loads(line))["event"] == event]


class Balancer:
    """HAProxy."""

    def __init__(self, folder: Path, port: int, status_port: int, machine_port: int) -> None:
        self.port = port
        self.url = f"http://{BALANCER}:{port}"
        # In a folder of its own with a short name: the path of a socket has about 100 bytes at most.
        self.socket = folder / "admin.sock"
        text = CONFIG.read_text()
        for old, new in {
            "log /dev/log local0": "log stdout format raw local0",
            "/run/haproxy/admin.sock": str(self.socket),
            "maxconn 10000": "maxconn 200",  # this machine may not have the descriptors
            "bind :8080": f"bind {BALANCER}:{port}",
            "bind 127.0.0.1:9465": f"bind 127.0.0.1:{free_port()}",
            "check port 9464": f"check port {status_port}",
            **{f"{old}:8080": f"{new}:{machine_port}" for old, new in ADDRESSES.items()},
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        if os.geteuid() != 0:
            text = re.sub(r"^    (user|group|chroot) .*\n", "", text, flags=re.M)
        file = folder / "haproxy.cfg"
        file.write_text(text)
        self.output = folder / "haproxy.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: self.socket.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output.read_text()

    def states(self) -> dict[str, str]:
        """``UP`` or ``DOWN``, perhaps with more words, of each machine."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.socket))
            client.sendall(b"show stat machines 4 -1\n")
            answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        header, *rows = answer.strip().removeprefix("# ").splitlines()
        names = header.split(",")
        found = [dict(zip(names, row.split(","), strict=False)) for row in rows]
        return {row["svname"]: row["status"] for row in found}

    def wait_for(self, **states: str) -> None:
        """Until the machines are in these states; ``machine_1="UP"``."""
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        wait_until(
            lambda: all(self.states()[name].startswith(state) for name, state in wanted.items()),
            lambda: f"{self.states()} {self.output.read_text()[-2000:]}",
        )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


CALL: dict[str, Any] = {
    "headers": {"Authorization": f"Bearer {TOKEN}"},
    "extensions": {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), WAIT_SECONDS)},
}


class FromAddress(httpcore.SyncBackend):
    """Connects from one address; httpcore's own ``local_address`` does not hold for tunnels."""

    def __init__(self, address: str) -> None:
        self._address = address

    def connect_tcp(self, host: str, port: int, **how: Any) -> httpcore.NetworkStream:
        return super().connect_tcp(host, port, **{**how, "local_address": self._address})


class Clients:
    """Threads that call, each from an address of its own, until the ``with`` is left. Some keep their connection for a few
    calls, some take a new one for each."""

    def __init__(self, url: str, ca_file: Path, addresses: list[str], path: str = CATALOGS) -> None:
        self.url = url
        self.path = path
        self.statuses: list[int] = []
        self.failures: list[str] = []
        self._trust = ssl.create_default_context(cafile=str(ca_file))
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(address, 1 + index % 2 * 9), daemon=True)
            for index, address in enumerate(addresses)
        ]

    def client(self, address: str) -> httpcore.HTTPProxy:
        """A client that connects from this address."""
        return httpcore.HTTPProxy(
            self.url, ssl_context=self._trust, network_backend=FromAddress(address), retries=0
        )

    def get(self, client: httpcore.HTTPProxy, path: str | None = None) -> int:
        return client.request("GET", f"https://{HOST}{path or self.path}", **CALL).status

    def _run(self, address: str, calls: int) -> None:
        while not self._end.is_set():
            try:
                with self.client(address) as client:
                    for _ in range(calls):
                        self.statuses.append(self.get(client))
                        self._end.wait(PAUSE_SECONDS)
            except Exception as error:
                self.failures.append(f"{address}: {type(error).__name__}: {error}")

    def wait_for(self, more: int) -> None:
        """Until so many further calls were answered."""
        wanted = len(self.statuses) + more
        wait_until(lambda: len(self.statuses) >= wanted, lambda: str(self.failures[-5:]))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(WAIT_SECONDS)


class Site(NamedTuple):
    """All of it."""

    balancer: Balancer
    machines: list[Machine]
    ca_file: Path

    def clients(self, *addresses: str) -> Clients:
        return Clients(self.balancer.url, self.ca_file, list(addresses))


@contextlib.contextmanager
def balanced_site(
    folder: Path, workspace: FakeWorkspace, authority: Path, policy: str, short: Path
) -> Iterator[Site]:
    """Two machines with the same authority and policy, and HAProxy before them. ``short``: a folder with a short name."""
    port, status_port = free_port(), free_port()
    machines = []
    for address in ADDRESSES.values():
        home = folder / address
        home.mkdir()
        shutil.copytree(authority, home / "ca")
        rules = home / "rules"
        rules.mkdir()
        (rules / "policy.yaml").write_text(policy)
        (home / "log").mkdir()
        options = [
            f"scope_rules={rules}",
            f"scope_connect_to={HOSTS}=127.0.0.1:{workspace.port}",
            f"ssl_verify_upstream_trusted_ca={workspace.ca_file}",
        ]
        machines.append(Machine(home, address, port, status_port, options))
    balancer: Balancer | None = None
    try:
        for machine in machines:
            machine.start()
        balancer = Balancer(short, free_port(), status_port, port)
        balancer.wait_for(machine_1="UP", machine_2="UP")
        yield Site(balancer, machines, authority / "mitmproxy-ca-cert.pem")
    finally:
        if balancer is not None:
            balancer.stop()
        for machine in machines:
            machine.kill()
