"""Tool servers (MCP) through a real proxy: what is allowed goes on as it came; what is refused gets the protocol's error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from e2e.gate import HOST, TOKEN, Gate, head, running_gate
from e2e.oauth_policy import ask, reason
from e2e.raw_client import H1Reader, H2Client, h2_headers, open_tls, send_h1

SERVER = "/api/2.0/mcp/functions/main/tools"
POLICY = f"""\
version: 1
tokens:
  ci:
    fingerprint: sha256:{sha256(TOKEN.encode()).hexdigest()}
    rule_set: agent
rule_sets:
  agent:
    allow:
      - mcp.initialize
      - mcp.notify
      - mcp.list_tools
      - operation: mcp.call_tool
        where: {{server: functions/main/tools, tool: find}}
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("tools"), proxy_authority, policy=POLICY) as gate:
        yield gate


def message(method: str, params: Any = None, number: Any = 1) -> dict[str, Any]:
    found = {"jsonrpc": "2.0", "method": method} | ({} if number is None else {"id": number})
    return found if params is None else found | {"params": params}


def tool(name: str, number: Any = 1) -> dict[str, Any]:
    return message("tools/call", {"name": name, "arguments": {"text": "hunter2"}}, number)


def post(body: Any, *more: str, target: str = SERVER) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = ("Content-Type: application/json", "Accept: application/json, text/event-stream", *more)
    return head("POST", target, f"Content-Length: {len(raw)}", *lines) + raw


ALLOWED: dict[str, Any] = {
    "the list of tools": message("tools/list"),
    "an allowed tool": tool("find"),
    "a notification": message("notifications/initialized", number=None),
    "a batch": [message("tools/list"), tool("find", 2)],
    "spaces and odd order, which stay as they are": b' {"params" :{ "name":"find"},"id":"a",\n'
    b' "method": "tools/call","jsonrpc":"2.0"} ',
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_allowed_goes_on_byte_for_byte(case: str, gate: Gate) -> None:
    gate.clear()
    raw = post(ALLOWED[case], "Mcp-Session-Id: 4f1d8d0a2b7c4e7f", "MCP-Protocol-Version: 2025-06-18")
    assert reason(ask(gate, raw)) == "forwarded"
    (request,) = gate.workspace.requests
    assert request.body == raw.partition(b"\r\n\r\n")[2]


# body, the ids that are answered, the reason
REFUSED: dict[str, tuple[Any, list[Any], str]] = {
    "another tool": (tool("drop"), [1], "constraint_not_met"),
    "an id that is text": (tool("drop", "a-7"), ["a-7"], "constraint_not_met"),
    "an id that is 0": (tool("drop", 0), [0], "constraint_not_met"),
    "a method without a rule": (message("resources/list"), [1], "no_rule_matches"),
    "an unknown method": (message("x/y"), [1], "unknown_operation"),
    "a batch": (
        [message("tools/list"), tool("drop", 2), message("notifications/initialized", number=None)],
        [1, 2],
        "constraint_not_met",
    ),
    "a batch of one": ([tool("drop", 5)], [5], "constraint_not_met"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_request_gets_the_protocols_own_error(case: str, gate: Gate) -> None:
    body, ids, code = REFUSED[case]
    gate.clear()
    response = ask(gate, post(body))
    assert response.status == 200
    assert gate.workspace.requests == []
    headers = {name.lower(): value for name, value in response.headers}
    assert headers[b"content-type"] == b"application/json"
    found = json.loads(response.body)
    assert isinstance(found, list) is isinstance(body, list)
    errors = found if isinstance(found, list) else [found]
    assert [each["id"] for each in errors] == ids
    (record,) = gate.proxy.audit("decision")[-1:]
    for each in errors:
        assert each.keys() == {"jsonrpc", "id", "error"}
        assert each["error"]["code"] == -32010
        assert "Brickscope denied POST" in each["error"]["message"]
        assert code in each["error"]["message"]
        assert each["error"]["data"]["decision_id"] == record["decision_id"]
        assert each["error"]["data"]["reason"] == code == record["reason"]
    assert b"hunter2" not in response.body
    assert "hunter2" not in gate.proxy.audit_file.read_text()


PLAIN: dict[str, tuple[bytes, str]] = {
    "a notification": (post(message("tools/call", {"name": "drop"}, None)), "constraint_not_met"),
    "an answer to the server": (post({"jsonrpc": "2.0", "id": 1, "result": {}}), "no_rule_matches"),
    "no JSON": (post(b"{"), "body_not_json"),
    "a batch in a batch": (post([[tool("find")]]), "message_malformed"),
    "a method twice": (
        post(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}'),
        "body_duplicate_key",
    ),
    "another media type": (
        head("POST", SERVER, "Content-Length: 2", "Content-Type: text/plain") + b"{}",
        "message_malformed",
    ),
    "no body": (
        head("POST", SERVER, "Content-Length: 0", "Content-Type: application/json"),
        "message_malformed",
    ),
    "the stream of the server": (head("GET", SERVER, "Accept: text/event-stream"), "no_rule_matches"),
    "the end of the session": (head("DELETE", SERVER, "Mcp-Session-Id: a1"), "no_rule_matches"),
}


@pytest.mark.parametrize("case", PLAIN)
def test_all_else_gets_the_403(case: str, gate: Gate) -> None:
    raw, code = PLAIN[case]
    gate.clear()
    response = ask(gate, raw)
    assert response.status == 403
    assert reason(response) == code
    assert gate.workspace.requests == []


def test_the_log_has_operation_tool_and_batch(gate: Gate) -> None:
    ask(gate, post(tool("drop")))
    record = gate.proxy.audit("decision")[-1]
    assert (record["operation"], record["params"]) == (
        "mcp.call_tool",
        {"server": "functions/main/tools", "tool": "drop"},
    )
    assert "batch" not in record
    ask(gate, post([message("tools/list"), tool("find", 2)]))
    record = gate.proxy.audit("decision")[-1]
    assert record["batch"] == ["mcp.list_tools", "mcp.call_tool"]
    assert record["params"]["tool"] == [None, "find"]


def test_the_connection_goes_on_after_a_refused_request(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        reader = H1Reader(sock)
        for body in (tool("drop"), tool("find"), tool("drop", 3), message("tools/list")):
            send_h1(sock, post(body))
            response = reader.read("POST")
            assert response is not None
            assert response.status == 200


def test_over_http2_too(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        fields = h2_headers("POST", SERVER, HOST, TOKEN, [("content-type", "application/json")])
        response = client.collect(client.request(fields, json.dumps(tool("drop", "x")).encode()))
        assert response.status == 200
        assert json.loads(response.body)["id"] == "x"
