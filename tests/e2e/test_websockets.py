"""Websockets through a real proxy: a real client before it (websocket-client), a host by wsproto behind it."""

from __future__ import annotations

import contextlib
import json
import signal
import ssl
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websocket import (
    WebSocket,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketTimeoutException,
    create_connection,
)

from brickscope.core.fingerprint import fingerprint
from brickscope.core.placeholder import make_placeholder
from e2e.gate import HOST, TOKEN
from e2e.proxy_process import ProxyProcess
from e2e.websocket_host import WebSocketHost
from lab.workspace.server import DNS_NAMES

APP = "orders-1234567890123456.aws.databricksapps.com"
SSH = "/driver-proxy-api/o/0/0123-abc/7772/ssh?id="
pytestmark = pytest.mark.timeout(120)


def policy(*allow: Any, mode: str = "enforce") -> str:
    subject = {"fingerprint": f"sha256:{sha256(TOKEN.encode()).hexdigest()}", "rule_set": "dev", "mode": mode}
    return json.dumps(
        {"version": 1, "tokens": {"dev": subject}, "rule_sets": {"dev": {"allow": list(allow)}}}
    )


TUNNEL = {"operation": "driver_proxy.ssh", "where": {"cluster_id": "0123-abc"}}
LOGS = {"operation": "apps.stream_logs", "where": {"app": APP}}


class Scene(NamedTuple):
    proxy: ProxyProcess
    host: WebSocketHost
    rules: Path

    def open(
        self, target: str, host: str = HOST, *headers: str, token: str = TOKEN, **more: Any
    ) -> WebSocket:
        """As a client with HTTPS_PROXY set."""
        found: WebSocket = create_connection(
            f"wss://{host}{target}",
            timeout=10,
            header=[f"Authorization: Bearer {token}", *headers],
            http_proxy_host="127.0.0.1",
            http_proxy_port=self.proxy.port,
            proxy_type="http",
            sslopt={"ca_certs": str(self.proxy.ca_file)},
            **more,
        )
        return found

    def outcomes(self, count: int = 1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.proxy.wait_for(
            lambda: each if len(each := self.proxy.audit("outcome")) >= count else []
        )
        return found


@pytest.fixture
def scene(tmp_path: Path, proxy_authority: Path) -> Iterator[Scene]:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "p.yaml").write_text(policy(TUNNEL, LOGS))
    with WebSocketHost.start(tmp_path / "host", (*DNS_NAMES, "*.aws.databricksapps.com")) as host:
        proxy = ProxyProcess.start(
            tmp_path / "proxy",
            rules,
            upstream_port=host.port,
            upstream_ca=host.ca_file,
            authority=proxy_authority,
            arguments=[
                *("--set", f"scope_connect_to=*.aws.databricksapps.com=127.0.0.1:{host.port}"),
                *("--set", "scope_stop_after=1"),
            ],
        )
        try:
            yield Scene(proxy, host, rules)
        finally:
            proxy.stop()


def test_a_tunnel_carries_bytes_both_ways_and_its_end_is_on_record(scene: Scene) -> None:
    client = scene.open(f"{SSH}1")
    said = [b"SSH-2.0-test\r\n", bytes(range(256)) * 4096, b"x"]
    for each in said:
        client.send_binary(each)
        assert client.recv() == each
    client.ping("there")
    client.close()
    (outcome,) = scene.outcomes()
    assert outcome["status"] == 101
    assert outcome.get("error") is None
    total = sum(map(len, said))
    for name in ("request_bytes", "response_bytes"):
        assert total < outcome[name] < total + 10_000, "and the heads of frames"
    assert outcome["duration_ms"] > 0
    (decision,) = scene.proxy.audit("decision")
    wanted = {
        "decision": "allow",
        "method": "WEBSOCKET",
        "path": SSH.partition("?")[0],
        "operation": "driver_proxy.ssh",
        "params": {"cluster_id": "0123-abc"},
    }
    assert {name: decision[name] for name in wanted} == wanted
    assert decision["decision_id"] == outcome["decision_id"]
    written = scene.proxy.audit_file.read_bytes() + scene.proxy.output.encode()
    assert b"SSH-2.0" not in written
    assert TOKEN.encode() not in written


def test_the_bytes_that_were_judged_are_those_that_are_sent(scene: Scene) -> None:
    client = scene.open(
        f"{SSH}1", HOST, "X-Databricks-Traffic-Id: testenv://liteswap/x", subprotocols=["ssh"]
    )
    head = scene.host.asked[0]
    assert head.startswith(f"GET {SSH}1 HTTP/1.1\r\n".encode())
    for line in (
        "Upgrade: websocket",
        "Sec-WebSocket-Protocol: ssh",
        "X-Databricks-Traffic-Id: testenv://liteswap/x",
    ):
        assert f"\r\n{line}\r\n".encode() in head
    client.close()


def test_the_log_of_an_app_streams(scene: Scene) -> None:
    client = scene.open("/logz/stream", APP, f"Origin: https://{APP}")
    client.send("")
    assert [json.loads(client.recv())["message"] for _ in range(2)] == ["line 0", "line 1"]
    client.close()
    assert scene.proxy.audit("decision")[0]["operation"] == "apps.stream_logs"


REFUSED = {
    "another cluster": (SSH.replace("0123-abc", "9"), HOST, (), "constraint_not_met"),
    "another path of the driver": (SSH.replace("/ssh", "/kernel"), HOST, (), "upgrade_refused"),
    "another app": ("/logz/stream", f"evil{APP}", (), "constraint_not_met"),
    "another path of the app": ("/", APP, (), "upgrade_refused"),
    "a second token": (SSH, HOST, (f"Sec-WebSocket-Protocol: {TOKEN[::-1]}",), "token_in_subprotocol"),
}


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
def test_what_no_rule_names_is_denied_in_every_mode(scene: Scene, mode: str) -> None:
    wide = ["driver_proxy.*", {"class": "read"}, {"class": "execute"}, "GET /{path...}"]
    (scene.rules / "p.yaml").write_text(policy(TUNNEL, LOGS, *wide, mode=mode))
    scene.proxy.wait_for(lambda: scene.proxy.audit("reload"))
    for target, host, headers, reason in REFUSED.values():
        with pytest.raises(WebSocketBadStatusException) as caught:
            scene.open(target, host, *headers)
        assert caught.value.status_code == 403
        decision = scene.proxy.audit("decision")[-1]
        assert (decision["reason"], decision["enforced"]) == (reason, True)
    assert scene.host.asked == []


def test_a_hosts_refusal_is_an_ordinary_answer(scene: Scene) -> None:
    with pytest.raises(WebSocketBadStatusException) as caught:
        scene.open(f"{SSH}refuse")
    assert caught.value.status_code == 404
    assert caught.value.resp_body == b"no such tunnel"
    assert [(each["status"], each.get("error")) for each in scene.outcomes()] == [(404, None)]


def ends(client: WebSocket) -> float:
    """How long it takes until it ends: by the end of TLS, which no reset is."""
    started = time.monotonic()
    client.settimeout(15)
    with pytest.raises((WebSocketConnectionClosedException, ssl.SSLZeroReturnError)):
        client.recv()
    return time.monotonic() - started


def test_an_edit_of_the_policy_ends_what_it_no_longer_allows(scene: Scene) -> None:
    shell, log = scene.open(f"{SSH}1"), scene.open("/logz/stream", APP)
    (scene.rules / "p.yaml").write_text(policy(LOGS))
    assert ends(shell) < 10
    (outcome,) = scene.outcomes()
    assert outcome["error"].startswith("it is no longer allowed: no_rule_matches, ")
    log.send("")
    assert json.loads(log.recv())["message"] == "line 0"
    log.close()


@pytest.mark.parametrize("by", ["revocation", "operator"])
def test_behind_a_placeholder_it_ends_with_that_or_its_credential(
    by: str, tmp_path: Path, proxy_authority: Path
) -> None:
    held, real = make_placeholder(bytes(32)), "dapi" + "ca1ab1e5" * 4
    rules, store = tmp_path / "rules", tmp_path / "store"
    for folder in (rules, store):
        folder.mkdir()
    known = {"c": {"file": str(store / "token"), "workspaces": [HOST]}}
    (store / "token").write_text(real)
    (store / "c.yaml").write_text(json.dumps({"version": 1, "credentials": known}))
    mark = fingerprint(held.encode())
    subject = {"placeholder": mark, "credential": "c", "rule_set": "dev"}
    content = json.loads(policy(TUNNEL)) | {"tokens": {"dev": subject}}
    (rules / "p.yaml").write_text(json.dumps(content))
    with WebSocketHost.start(tmp_path / "host", DNS_NAMES) as host:
        proxy = ProxyProcess.start(
            tmp_path / "proxy",
            rules,
            upstream_port=host.port,
            upstream_ca=host.ca_file,
            authority=proxy_authority,
            arguments=["--set", f"scope_credentials={store / 'c.yaml'}"],
        )
        try:
            client = Scene(proxy, host, rules).open(f"{SSH}1", token=held)
            assert f"Authorization: Bearer {real}".encode() in host.asked[0]
            if by == "revocation":
                (rules / "revoked.yaml").write_text(json.dumps({"version": 1, "revoked": [mark]}))
            else:
                new = store / "new"
                new.write_text(json.dumps({"version": 1, "credentials": {}}))
                new.replace(store / "c.yaml")
            assert ends(client) < 5  # one second, two for the operator's file, on a machine that has time
            reason = {"revocation": "unknown_placeholder", "operator": "credential_not_allowed"}[by]
            (outcome,) = Scene(proxy, host, rules).outcomes()
            assert outcome["error"].startswith(f"it is no longer allowed: {reason}, ")
        finally:
            proxy.stop()


def test_the_end_of_the_proxy_ends_it_with_a_record(scene: Scene) -> None:
    client = scene.open(f"{SSH}1")
    scene.proxy.signal(signal.SIGTERM)
    ends(client)
    client.shutdown()
    assert scene.proxy.process.wait(20) == 0
    assert [(each["status"], each["error"]) for each in scene.outcomes()] == [(101, "the proxy stopped")]
    assert scene.proxy.audit("stop")[0]["cut"] == 1


def test_a_host_that_does_not_read_stops_the_client_and_costs_no_memory(scene: Scene) -> None:
    client = scene.open(f"{SSH}stall")
    before = scene.proxy.rss_kib()
    client.settimeout(1)
    sent = 0
    piece = b"x" * 1024 * 1024
    with contextlib.suppress(WebSocketTimeoutException, TimeoutError):
        while sent < 200:
            client.send_binary(piece)
            sent += 1
    assert sent < 64
    assert scene.proxy.rss_kib() - before < 10 * 1024
