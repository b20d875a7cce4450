"""Real clients that do not trust the proxy's CA: each leads to a record with its cause, and to a line for the operator."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from clients.authority import make
from e2e.gate import HOST, POLICY, Gate, head, running_gate
from e2e.proxy_process import ProxyProcess, plain_environment
from e2e.raw_client import open_tls, read_h1, send_h1
from lab.workspace.server import FakeWorkspace

URL = f"https://{HOST}/"
TRUST = ("SSL_", "REQUESTS_", "CURL_", "NODE_", "GRPC_", "JAVA_")
NODE = """
const http = require('http'), tls = require('tls'), [port, host] = process.argv.slice(1);
const request = http.request({host: '127.0.0.1', port, method: 'CONNECT', path: host + ':443'});
request.on('connect', (answer, socket) => tls.connect({socket, servername: host})
  .on('secureConnect', () => process.exit(0)).on('error', error => { console.error(error.code); process.exit(3); }));
request.end();
"""
PYTHON = "import requests, sys; requests.get(sys.argv[1])"
HTTPX = "import httpx, sys; httpx.get(sys.argv[1])"
CLIENTS = {
    "curl": (["curl", "-sS", URL], "ca_unknown", 60),
    "curl with TLS 1.2": (["curl", "-sS", "--tls-max", "1.2", URL], "ca_unknown", 60),
    "curl that speaks TLS 1.1 only": (
        ["curl", "-sS", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", URL],
        "protocol_version",
        35,
    ),
    "Python requests": ([sys.executable, "-c", PYTHON, URL], "ca_unknown", 1),
    "Python httpx": ([sys.executable, "-c", HTTPX, URL], "ca_unknown", 1),
    "Node": (["node", "-e", NODE, "{port}", HOST], "closed_by_client", 3),
    # keytool is the one program of a Java runtime without compiler that fetches by https with Java's own trust.
    "Java": (
        [
            "keytool",
            "-printcrl",
            "-file",
            URL,
            "-J-Dhttps.proxyHost=127.0.0.1",
            "-J-Dhttps.proxyPort={port}",
        ],
        "certificate_refused",
        1,
    ),
}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: object) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("refused"), proxy_authority) as gate:  # type: ignore[arg-type]
        yield gate


def environment(gate: Gate) -> Mapping[str, str]:
    plain = {name: value for name, value in plain_environment().items() if not name.startswith(TRUST)}
    return plain | {"HTTPS_PROXY": gate.proxy.proxy_url, "https_proxy": gate.proxy.proxy_url}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_without_the_ca(gate: Gate, name: str) -> None:
    command, cause, status = CLIENTS[name]
    if shutil.which(command[0]) is None:
        assert not os.environ.get("CI"), f"{command[0]} is missing"
        pytest.skip(f"{command[0]} is not installed")
    before = len(gate.proxy.audit("tls_refused"))
    done = subprocess.run(
        [part.replace("{port}", str(gate.proxy.port)) for part in command],
        env=environment(gate),
        capture_output=True,
        text=True,
        timeout=90,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == status, done.stdout + done.stderr
    (record,) = gate.proxy.wait_for(lambda: gate.proxy.audit("tls_refused")[before:])
    assert (record["side"], record["cause"], record["server_address"]) == ("client", cause, HOST)
    assert f"({cause})" in gate.proxy.output
    if cause != "protocol_version":
        assert "brickscope doctor" in gate.proxy.output


def test_made_up_names_do_not_fill_the_operational_log(gate: Gate, tmp_path: Path) -> None:
    other = make().write(tmp_path)
    before = len(gate.proxy.audit("tls_refused"))
    for number in range(20):
        with pytest.raises(ssl.SSLError):
            open_tls(gate.proxy.proxy_url, f"made-up-{number}.cloud.databricks.com", ca=other)
    records = gate.proxy.wait_for(lambda: gate.proxy.audit("tls_refused")[before:][19:])
    assert records, "the audit log has each of them"
    assert gate.proxy.output.count("made-up-") <= 1


def test_a_server_that_is_not_trusted_is_told_from_a_client(gate: Gate) -> None:
    """The fake workspace's certificate is signed by an authority that this proxy was not told of."""
    folder = gate.proxy.folder.parent / "untrusted"
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(POLICY)
    authority = gate.ca.parent
    with (
        FakeWorkspace.start() as workspace,
        ProxyProcess.start(
            folder / "proxy", rules, upstream_port=workspace.port, authority=authority
        ) as proxy,
    ):
        with open_tls(proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
            send_h1(sock, head())
            read_h1(sock)
        (record,) = proxy.wait_for(lambda: proxy.audit("tls_refused"))
        assert (record["side"], record["cause"]) == ("server", "server_untrusted")
        assert workspace.requests == []
