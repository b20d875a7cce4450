"""Fail closed: each part is broken on purpose, and nothing passes. A whole part passes before and after, so that a
dead proxy does not pass for a closed one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from e2e.broken import broken_gate, copy_of_the_checkout
from e2e.gate import CATALOGS, HOST, POLICY, TOKEN, WAREHOUSES, Gate, head, running_gate
from e2e.proxy_process import SCRIPT, ProxyFailed, ProxyProcess
from e2e.raw_client import (
    HUNG_UP,
    H1Response,
    H2Client,
    connect,
    dial,
    h2_headers,
    open_tls,
    read_h1,
    send_h1,
)


def call(gate: Gate, target: str = CATALOGS, alpn: str = "http/1.1") -> H1Response | None:
    """The answer to one allowed call on a new connection; None where the connection was closed instead."""
    with suppress(*HUNG_UP), open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=[alpn]) as sock:
        send_h1(sock, head(target=target))
        return read_h1(sock)
    return None


EITHER = {
    "the decision": "g.decide = broken",
    "the reading": "g.read_request = broken",
    "the record": "g.decision_record = broken",
    "keeping it": "a.Gate._keep = broken",
    "writing what was kept": "a.Gate.commit = broken",
}
READY = "Contexts.make_ready = lambda self, hosts: None\n"
"""Otherwise the start fails: what the first connection would stumble over is made there."""
OURS = EITHER | {
    "the first bytes": "Front._begin = broken",
    "the head": "Front._read_head = broken",
    "the decision on its target": "f.admit = broken",
    "the reading of its target": "a.read_connect = broken",
    "the ClientHello": "Front._read_hello = broken",
    "the certificate": READY + "Contexts.for_client = broken",
    "TLS with the client": "End._shake = broken",
    "reading": "End._read = broken",
    "writing": "End.write = broken",
    "the core": "Http1.from_client = broken",
    "the core's answer to a ruling": "Http1.rule = broken",
    "asking the gate": "Tunnel._ask = broken",
    "the question": "t.ask = broken",
    "the ruling": "t.rule = broken",
    "what follows from it": "Tunnel._obey = broken",
    "carrying out": "Tunnel._carry_out = broken",
    "dialling": "Upstream._reach = broken",
    "TLS with the host": READY + "Contexts.for_host = broken",
    "the check of the address": "Upstream.end_made = broken",
}
OVER_HTTP2 = EITHER | {
    "what is agreed on": "Tunnel._answer_hello = broken",
    "the core": "Http2.from_client = broken",
    "the core's answer to a ruling": "Http2.rule = broken",
    "the frames": "FrameReader.read = broken",
    "the header lists": "calls.read_request = broken",
    "the requests": "Calls.open = broken",
    "the stream of the host": "Peer.open = broken",
    "the ruling": "t.rule = broken",
    "TLS with the host": READY + "Contexts.for_host = broken",
}
ELSEWHERE = {
    "the decision": "f.admit = broken",
    "the record": "a.Gate.record_tunnel = broken",
    "the rules": "g.Destinations.classify = broken",
    "the relay": "Relay.begin = broken",
    "its look at the first bytes": "Fence.take = broken",
    "a call in the clear": "PlainCall._judge = broken",
    "the leave for it": "import brickscope.proxy.relay as p\np.clear_plain = broken",
    "dialling": "Upstream._reach = broken",
    "the check of the address": "Upstream.end_made = broken",
}


@pytest.mark.parametrize("change", ["", *ELSEWHERE.values()], ids=["nothing", *ELSEWHERE])
def test_a_broken_part_lets_nothing_through_to_another_host(
    change: str, tmp_path: Path, proxy_authority: Path
) -> None:
    received: list[bytes] = []

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _ = server.accept()
                peer.settimeout(5)
                with peer, suppress(OSError):
                    received.append(peer.recv(100))
                    peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        port = server.getsockname()[1]
        led = ("--set", f"scope_connect_to=other.example=127.0.0.1:{port}")
        with broken_gate(tmp_path, proxy_authority, change, *led) as gate:
            firsts = (
                "CONNECT other.example:443 HTTP/1.1\r\n\r\nSSH-2.0-x\r\n",
                "GET http://other.example/ HTTP/1.1\r\n\r\n",
            )
            for first in firsts:
                with dial(gate.proxy.proxy_url) as sock, suppress(*HUNG_UP):
                    send_h1(sock, first.encode())
                    while sock.recv(1000):
                        pass
            assert gate.proxy.running
            assert "broken on purpose" not in gate.proxy.output
        server.close()
    sent = [each for each in received if each]
    if not change:
        assert sent == [
            b"SSH-2.0-x\r\n",
            b"GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n",
        ]
    elif "Relay" in change or "Fence" in change:
        assert sent == [b"GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"]
    elif "lain" in change:
        assert sent == [b"SSH-2.0-x\r\n"]
    else:
        assert sent == []


def call_over_http2(gate: Gate) -> int | None:
    """The status of one allowed call by a client that speaks HTTP/2 only; None where the connection was closed instead."""
    with suppress(OSError), open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock, timeout=5)
        return client.collect(client.request(h2_headers("GET", CATALOGS, HOST, TOKEN))).status
    return None


@pytest.mark.parametrize("change", OURS.values(), ids=OURS)
def test_a_broken_part_lets_nothing_through(change: str, tmp_path: Path, proxy_authority: Path) -> None:
    with broken_gate(tmp_path, proxy_authority, change) as gate:
        response = call(gate)
        assert response is None or response.status in (403, 502)
        assert gate.workspace.requests == []
        assert gate.proxy.running
        assert "broken on purpose" not in gate.proxy.output


@pytest.mark.parametrize("change", OVER_HTTP2.values(), ids=OVER_HTTP2)
def test_nor_does_one_over_http2(change: str, tmp_path: Path, proxy_authority: Path) -> None:
    with broken_gate(tmp_path, proxy_authority, change) as gate:
        assert call_over_http2(gate) in (None, 403, 502)
        assert gate.workspace.requests == []
        assert gate.proxy.running
        assert "broken on purpose" not in gate.proxy.output


def test_both_versions_are_open_where_nothing_is_broken(tmp_path: Path, proxy_authority: Path) -> None:
    with broken_gate(tmp_path, proxy_authority, "") as gate:
        assert call_over_http2(gate) == 200
        response = call(gate)
        assert response is not None
        assert response.status == 200


def test_edits_of_the_script_and_its_removal_change_nothing(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path, proxy_authority) as gate:
        gate.proxy.stop()
        script = copy_of_the_checkout(tmp_path, "")
        proxy = ProxyProcess.start(
            tmp_path / "edited",
            tmp_path / "rules",
            upstream_port=gate.workspace.port,
            upstream_ca=gate.workspace.ca_file,
            authority=proxy_authority,
            script=script,
        )
        try:
            edited = Gate(proxy, gate.workspace)
            for text in ("this is no Python", "", "addons = []", None):
                if text is None:
                    script.unlink()
                else:
                    script.write_text(text)
                    os.utime(script, (2_000_000_000, 2_000_000_000))
                # mitmproxy looks once a second; two calls with the time between them would see the gate gone.
                for _ in range(15):
                    response = call(edited, WAREHOUSES)
                    assert response is not None
                    assert response.status == 403
            allowed = call(edited)
            assert allowed is not None
            assert allowed.status == 200
        finally:
            proxy.stop()
        assert [request.target for request in gate.workspace.requests] == [CATALOGS.encode()]


def test_without_a_log_nothing_is_sent_and_it_recovers(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path / "x", proxy_authority) as gate:
        before = call(gate)
        assert before is not None
        assert before.status == 200
        gate.clear()
        # The file is replaced by a folder: the next record can neither be written nor a new file be made.
        gate.proxy.audit_file.unlink()
        gate.proxy.audit_file.mkdir()
        denied = call(gate)
        assert denied is not None
        assert denied.status == 403
        assert b"audit_unavailable" in denied.body
        assert gate.workspace.requests == []
        gate.proxy.audit_file.rmdir()
        after = call(gate)
        assert after is not None
        assert after.status == 200


def test_a_log_that_cannot_be_opened_stops_the_start(tmp_path: Path, proxy_authority: Path) -> None:
    (tmp_path / "proxy" / "audit.jsonl").mkdir(parents=True)
    with pytest.raises(ProxyFailed, match="audit log"), running_gate(tmp_path, proxy_authority):
        pass


def test_a_killed_proxy_has_acted_on_nothing_that_is_not_logged(
    tmp_path: Path, proxy_authority: Path
) -> None:
    with running_gate(tmp_path, proxy_authority) as gate:
        for _ in range(5):
            assert call(gate) is not None
        os.kill(gate.proxy.process.pid, signal.SIGKILL)
        gate.proxy.process.wait(10)
        decisions = [json.loads(line) for line in gate.proxy.audit_file.read_text().splitlines()]
        allowed = [
            record for record in decisions if record["event"] == "decision" and record["decision"] == "allow"
        ]
        assert len(allowed) >= len(gate.workspace.requests) == 5


def test_reload(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path, proxy_authority) as gate:
        policy = tmp_path / "rules" / "policy.yaml"
        with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:

            def status(target: str) -> int | None:
                send_h1(sock, head(target=target))
                response = read_h1(sock)
                return response.status if response else None

            assert status(WAREHOUSES) == 403
            policy.write_text(POLICY + f"      - GET {WAREHOUSES}\n")
            assert gate.proxy.wait_for(lambda: status(WAREHOUSES) == 200, timeout=15)
            policy.write_text(POLICY.replace("rule_set: reader", "rule_set: raeder"))
            assert gate.proxy.wait_for(lambda: "did you mean 'reader'" in gate.proxy.output, timeout=15)
            assert status(WAREHOUSES) == 200, "the last good policy stays in force"
            policy.unlink()
            assert gate.proxy.wait_for(lambda: "no policy file" in gate.proxy.output, timeout=15)
            assert status(WAREHOUSES) == 200
            policy.write_text(POLICY + f"      - GET {WAREHOUSES}\n")
            assert gate.proxy.wait_for(lambda: "has no errors any more" in gate.proxy.output, timeout=15)
            assert status(WAREHOUSES) == 200
            policy.write_text(POLICY)
            assert gate.proxy.wait_for(lambda: status(WAREHOUSES) == 403, timeout=15)
            policy.write_text("version: 1\n")
            assert gate.proxy.wait_for(lambda: status(CATALOGS) == 403, timeout=15), "the last one is revoked"
        loaded = [record["loaded"] for record in gate.proxy.audit("reload")]
        assert loaded == [True, False, False, True, True, True]


def test_an_upstream_that_is_not_trusted_gets_nothing(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path, proxy_authority) as gate:
        gate.proxy.stop()
        proxy = ProxyProcess.start(
            tmp_path / "untrusting",
            tmp_path / "rules",
            upstream_port=gate.workspace.port,
            authority=proxy_authority,
        )
        try:
            response = call(Gate(proxy, gate.workspace))
            assert response is not None
            assert response.status == 502
            assert gate.workspace.requests == []
            assert [record["side"] for record in proxy.audit("tls_refused")] == ["server"]
        finally:
            proxy.stop()


def test_an_address_inside_is_not_reached_by_name(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path, proxy_authority) as gate:
        assert connect(gate.proxy.proxy_url, f"localhost:{gate.workspace.port}").status == 502
        assert gate.workspace.connections == []


START = {
    "a broken policy": ([], "version: 1\nrule_sets: {a: {allow: [get /x]}}\n", "write GET"),
    "an empty policy": ([], "", "the file is empty"),
    "a misspelt option": (["--set", "scope_other_host=deny"], POLICY, "did you mean scope_other_hosts"),
    "a bad value": (["--set", "scope_other_hosts=maybe"], POLICY, "neither tunnel nor deny"),
    "an option twice": (["--set", "scope_rules=a", "--set", "scope_rules=b"], POLICY, "dropped the script"),
    "a hole": (["--set", "ignore_hosts=.*"], POLICY, "ignore_hosts"),
    "another mode": (["--mode", "socks5"], POLICY, "regular"),
    "unverified upstreams": (["--ssl-insecure"], POLICY, "ssl_insecure"),
    "a second script": (["-s", str(Path(__file__).with_name("gate.py"))], POLICY, "only script"),
}


@pytest.mark.parametrize(("arguments", "policy", "words"), START.values(), ids=START)
def test_a_proxy_that_could_not_guard_does_not_start(
    arguments: list[str], policy: str, words: str, tmp_path: Path, proxy_authority: Path
) -> None:
    with (
        pytest.raises(ProxyFailed) as failed,
        running_gate(tmp_path, proxy_authority, *arguments, policy=policy),
    ):
        pass
    assert words in str(failed.value)
    assert "Traceback" not in str(failed.value)


def test_a_configuration_file_cannot_open_the_gate(tmp_path: Path, proxy_authority: Path) -> None:
    authority = tmp_path / "authority"
    shutil.copytree(proxy_authority, authority)
    (authority / "config.yaml").write_text("rawtcp: true\nconnection_strategy: eager\nwebsocket: true\n")
    with running_gate(tmp_path, authority) as gate:
        response = call(gate)
        assert response is not None
        assert response.status == 200


def test_by_hand_it_listens_on_loopback_only(tmp_path: Path, proxy_authority: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "policy.yaml").write_text(POLICY)
    shutil.copytree(proxy_authority, tmp_path / "confdir")
    command = [str(Path(sys.executable).with_name("mitmdump")), "-s", str(SCRIPT), "--listen-port", "0"]
    settings = ["--set", f"confdir={tmp_path / 'confdir'}", "--set", f"scope_rules={rules}"]
    with subprocess.Popen(
        [*command, *settings], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if "Brickscope: listening" in line:
                break
        process.terminate()
    bound = re.findall(r"listening at (\S+):\d+", "".join(seen))
    assert bound == ["127.0.0.1"], "nor does anything say so"
