"""The stage for the clients: the served workspace, a proxy with the rule sets of docs/clients, and what clients are told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clients.installed import HOME, PYTHON
from clients.roster import DRIVERS
from clients.served_workspace import ServedWorkspace, serve_workspace
from e2e.proxy_process import REPOSITORY, ProxyProcess
from lab.workspace.entra import LOGIN

RULES = REPOSITORY / "docs" / "clients"
RUN_SECONDS = 200.0
STORE_PASSWORD = "changeit"


class Stage:
    """What is running. ``bundle``: what a client trusts, the proxy's authority beside the "public" one, which here is the
    fake workspace's: storage behind presigned links is reached in a tunnel that the proxy does not open."""

    def __init__(self, folder: Path, proxy: ProxyProcess, workspace: ServedWorkspace) -> None:
        self.folder = folder
        self.proxy = proxy
        self.workspace = workspace
        self.bundle = folder / "bundle.pem"
        self.bundle.write_bytes(proxy.ca_file.read_bytes() + workspace.ca_file.read_bytes())

    def value_of(self, setting: str) -> str:
        """What a variable of the table of clients is set to."""
        if setting.lower() == "https_proxy":
            return self.proxy.proxy_url
        if setting == "JAVA_TOOL_OPTIONS":
            properties = {
                "javax.net.ssl.trustStore": str(self._java_store()),
                "javax.net.ssl.trustStorePassword": STORE_PASSWORD,
                "https.proxyHost": "127.0.0.1",
                "https.proxyPort": str(self.proxy.port),
            }
            return " ".join(f"-D{name}={value}" for name, value in properties.items())
        return str(self.bundle)

    def run(
        self, command: Sequence[str], settings: Sequence[str], more: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a client with nothing in its environment but these settings and ``more``."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        environment |= {setting: self.value_of(setting) for setting in settings}
        return subprocess.run(
            list(command),
            env=environment | dict(more),
            cwd=home,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            stdin=subprocess.DEVNULL,
        )

    def decisions(self, before: int = 0) -> list[dict[str, Any]]:
        """The decisions that were logged after the first ``before``."""
        return self.proxy.audit("decision")[before:]

    def _java_store(self) -> Path:
        store = self.folder / "trust.p12"
        if not store.exists():
            made = ["keytool", "-importcert", "-noprompt", "-alias", "brickscope", "-storetype", "PKCS12"]
            made += ["-file", str(self.proxy.ca_file), "-keystore", str(store), "-storepass", STORE_PASSWORD]
            subprocess.run(made, check=True, capture_output=True, timeout=60)
        return store


def outcome(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a driver told, or the answer that a plain program printed."""
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            if "catalogs" in found:
                return {"value": [catalog["name"] for catalog in found["catalogs"]]}
            if "error_code" in found:
                return {"error": found["message"], "kind": None}
            return found
    raise AssertionError(f"no outcome, exit status {done.returncode}:\n{done.stdout}\n{done.stderr}")


@contextmanager
def open_stage(
    folder: Path, authority: Path, rules: Path = RULES, arguments: Sequence[str] = ()
) -> Iterator[Stage]:
    """Start workspace and proxy; stop both at the end. ``arguments``: further ones for the proxy."""
    if (HOME / "node").exists():
        for driver in DRIVERS.glob("*.mjs"):  # a module finds its packages from where it lies
            place = HOME / "node" / driver.name
            # Put there at once: another process of the tests may be running it.
            Path(shutil.copy(driver, place.with_suffix(f".{os.getpid()}"))).replace(place)
    with (
        serve_workspace(PYTHON, folder) as workspace,
        ProxyProcess.start(
            folder / "proxy",
            rules,
            upstream_port=workspace.port,
            upstream_ca=workspace.ca_file,
            authority=authority,
            arguments=[*_options(workspace.port), *arguments],
        ) as proxy,
    ):
        yield Stage(folder, proxy, workspace)


def _options(port: int) -> list[str]:
    """For the proxy: Azure's hosts too, and all that stands on this machine. ``port``: of the fake workspace, to which the
    login of Entra ID leads as well, a name that clients have written in."""
    azure = "*.azuredatabricks.net"
    options = ["scope_hosts=*.cloud.databricks.com", f"scope_hosts={azure}"]
    options += ["scope_allow_addresses=127.0.0.0/8"]  # storage stands on this machine too
    options += [f"scope_connect_to={host}=127.0.0.1:{port}" for host in (azure, LOGIN)]
    return [part for option in options for part in ("--set", option)]
