"""Tool servers (MCP) through a real proxy: what is allowed goes on as it came; what is refused gets the protocol's error."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from e2e.gate import HOST, TOKEN, Gate, head, running_gate
from e2e.oauth_policy import ask, reason
from e2e.raw_client import H1Reader, H2Client, h2_headers, open_tls, send_h1
from lab.workspace.exchange import Exchange
from lab.workspace.route import Route

SERVER = "/api/2.0/mcp/functions/main/tools"
OTHER_SERVER = "/api/2.0/mcp/functions/hr/tools"
LISTENER = "dapi" + "1157e4e2" * 4
SESSION = "Mcp-Session-Id: 4f1d8d0a2b7c4e7f"
STREAM = "Accept: text/event-stream"
POLICY = f"""\
version: 1
tokens:
  ci:
    fingerprint: sha256:{sha256(TOKEN.encode()).hexdigest()}
    rule_set: agent
  listener:
    fingerprint: sha256:{sha256(LISTENER.encode()).hexdigest()}
    rule_set: listener
rule_sets:
  listener:
    allow:
      - mcp.list_tools
      - {{operation: mcp.listen, where: {{server: functions/main/tools}}}}
      - {{operation: mcp.end_session, where: {{server: functions/main/tools}}}}
  agent:
    allow:
      - mcp.initialize
      - mcp.notify
      - mcp.list_tools
      - operation: mcp.call_tool
        where: {{server: functions/main/tools, tool: find}}
"""


TOLD: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
"""What the tool server is told to say on the stream that somebody listens to; None ends it."""


async def say(exchange: Exchange) -> None:
    """A stream of the server's own: it says what the test tells it, when the test tells it."""
    await exchange.respond(200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")])
    while True:
        while TOLD.empty():  # noqa: ASYNC110 - filled by another thread
            await asyncio.sleep(0.005)
        event = TOLD.get()
        if event is None:
            break
        await exchange.send(event)
    await exchange.finish()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("tools")
    routes = (Route((b"GET",), SERVER.encode(), say),)
    with running_gate(folder, proxy_authority, policy=POLICY, routes=routes) as gate:
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


# As servers write them: an id to go on from, a comment that keeps the stream alive, each kind of end of line, a letter
# beyond ASCII that comes in two pieces, an event of many lines.
EVENTS = (
    b'id: 1\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n',
    b": ping\r\n\r\n",
    b'data:{"text":"Gr\xc3',
    b'\xbc\xc3\x9fe"}\r\r',
    b"data: one\ndata: two\ndata:\n\n",
    b"retry: 1000\nid: 5\ndata: " + b"x" * 40_000 + b"\n\n",
)


def test_what_a_server_says_by_itself_passes_at_once_and_untouched(gate: Gate) -> None:
    """Each event is read before the server is told the next one, so none may wait in the proxy for more."""
    gate.clear()
    with (
        open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as listening,
        open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as calling,
    ):
        reader, calls = H1Reader(listening), H1Reader(calling)
        send_h1(listening, head("GET", SERVER, STREAM, SESSION, "Last-Event-ID: 0", token=LISTENER))
        for event in EVENTS:
            TOLD.put(event)
            reader.wait_for(event)
            # The session goes on beside its stream.
            raw = json.dumps(message("tools/list")).encode()
            length = (f"Content-Length: {len(raw)}", "Content-Type: application/json")
            send_h1(calling, head("POST", SERVER, *length, SESSION, token=LISTENER) + raw)
            response = calls.read("POST")
            assert response is not None
            assert reason(response) == "forwarded"
        TOLD.put(None)
        response = reader.read("GET")
    assert response is not None
    assert response.complete
    assert response.values(b"content-type") == [b"text/event-stream"]
    assert response.body == b"".join(EVENTS)
    listened = gate.workspace.requests[0]
    assert (listened.method, listened.target) == (b"GET", SERVER.encode())
    sent = {name.lower(): value for name, value in listened.headers}
    assert sent[b"mcp-session-id"] == b"4f1d8d0a2b7c4e7f"
    assert (sent[b"last-event-id"], sent[b"accept"]) == (b"0", b"text/event-stream")
    assert len(gate.workspace.requests) == 1 + len(EVENTS)


def test_the_session_is_ended_while_its_stream_is_open(gate: Gate) -> None:
    gate.clear()
    with (
        open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as listening,
        open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as calling,
    ):
        reader = H1Reader(listening)
        send_h1(listening, head("GET", SERVER, STREAM, SESSION, token=LISTENER))
        TOLD.put(EVENTS[0])
        reader.wait_for(EVENTS[0])
        send_h1(calling, head("DELETE", SERVER, SESSION, token=LISTENER))
        response = H1Reader(calling).read("DELETE")
        assert response is not None
        assert reason(response) == "forwarded"
        assert [request.method for request in gate.workspace.requests] == [b"GET", b"DELETE"]
        TOLD.put(None)
        ended = reader.read("GET")
    assert ended is not None
    assert (ended.complete, ended.body) == (True, EVENTS[0])


@pytest.mark.parametrize(("method", "operation"), [("GET", "mcp.listen"), ("DELETE", "mcp.end_session")])
def test_a_servers_stream_and_the_end_of_its_session_need_their_rule(
    method: str, operation: str, gate: Gate
) -> None:
    gate.clear()
    for target, token, code in (
        (SERVER, TOKEN, "no_rule_matches"),
        (OTHER_SERVER, LISTENER, "constraint_not_met"),
    ):
        response = ask(gate, head(method, target, STREAM, SESSION, token=token))
        assert (response.status, reason(response)) == (403, code)
        assert gate.proxy.audit("decision")[-1]["operation"] == operation
    assert gate.workspace.requests == []
