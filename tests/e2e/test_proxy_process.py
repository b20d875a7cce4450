"""The harness itself, with an addon that only knows the options."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.conftest import StartProxy
from e2e.proxy_process import SCRIPT, ProxyFailed
from e2e.raw_client import H2Client, connect, h2_headers, open_tls, read_h1, send_h1
from lab.workspace.server import FakeWorkspace

MITMDUMP = Path(sys.executable).with_name("mitmdump")
HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"

STAND_IN = """
from collections.abc import Sequence

class StandIn:
    def load(self, loader):
        for name in ("scope_rules", "scope_audit_log"):
            loader.add_option(name, str, "", "")
        loader.add_option("scope_connect_to", Sequence[str], [], "")

    def server_connect(self, data):
        from mitmproxy import ctx
        address, _, port = ctx.options.scope_connect_to[0].partition("=")[2].rpartition(":")
        data.server.address = (address, int(port))

    def request(self, flow):
        from mitmproxy import ctx
        with open(ctx.options.scope_audit_log, "a") as log:
            log.write('{"event": "decision"}\\n{"event": "outc')

addons = [StandIn()]
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """An addon that lets everything through."""
    path = tmp_path / "stand_in.py"
    path.write_text(STAND_IN)
    return path


@pytest.mark.parametrize("command", [False, True], ids=["forked", "the command"])
@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_a_call_goes_through_a_real_proxy(
    start_proxy: StartProxy, script: Path, workspace: FakeWorkspace, alpn: str, command: bool
) -> None:
    proxy = start_proxy(script=script, mitmdump=MITMDUMP if command else None)
    sock = open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file, alpn=[alpn])
    assert sock.selected_alpn_protocol() == alpn
    if alpn == "h2":
        client = H2Client(sock)
        over_h2 = client.collect(client.request(h2_headers("GET", "/x?y=1", HOST, "t0ken")))
        assert (over_h2.status, over_h2.complete) == (200, True)
    else:
        send_h1(sock, f"GET /x?y=1 HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer t0ken\r\n\r\n".encode())
        over_h1 = read_h1(sock)
        assert over_h1 is not None
        assert (over_h1.status, over_h1.complete) == (200, True)
    sock.close()
    assert [request.target for request in workspace.requests] == [b"/x?y=1"]
    assert [connection.sni for connection in workspace.connections] == [HOST]
    assert proxy.audit() == [{"event": "decision"}]  # the half line is still being written
    assert proxy.audit("outcome") == []
    assert proxy.rss_kib() > 10_000
    assert proxy.running
    proxy.stop()
    assert not proxy.running
    assert "listening" in proxy.output


def test_a_proxy_that_does_not_start_says_why(start_proxy: StartProxy, script: Path) -> None:
    with pytest.raises(ProxyFailed, match="Failed to parse option http2"):
        start_proxy(script=script, arguments=["--set", "http2=no_such_value"])


def test_a_script_that_does_not_load_says_why(start_proxy: StartProxy, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise RuntimeError('a broken addon')")
    with pytest.raises(ProxyFailed, match="a broken addon"):
        start_proxy(script=script)


def test_waiting_in_vain_shows_the_output(start_proxy: StartProxy, script: Path) -> None:
    proxy = start_proxy(script=script)
    assert proxy.wait_for(lambda: "found") == "found"
    with pytest.raises(ProxyFailed, match="listening"):
        proxy.wait_for(lambda: None, 0.1)


def test_what_the_proxy_answers_to_connect_is_seen(start_proxy: StartProxy, script: Path) -> None:
    proxy = start_proxy(script=script)
    tunnel = connect(proxy.proxy_url, "no port at all")
    assert tunnel.response is not None
    assert tunnel.status == 400
    tunnel.sock.close()


def test_the_demonstration_answers_the_origin_question() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "brickscope", "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"warehouses\s+403", done.stdout)
    assert re.search(r"warehouses\s+200", done.stdout)
