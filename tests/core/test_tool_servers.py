"""Calls to tool servers (MCP): each message of a body is judged as a call of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brickscope.core.decision import Decision
from brickscope.core.reason import Reason
from core.judged import judged, policy

YES, NOT_MET, DENIED = Reason.ALLOWED_BY_RULE, Reason.CONSTRAINT_NOT_MET, Reason.DENIED_BY_RULE
NO_RULE, UNKNOWN, MALFORMED = Reason.NO_RULE_MATCHES, Reason.UNKNOWN_OPERATION, Reason.MESSAGE_MALFORMED
TWICE, MISPLACED = Reason.PARAMETER_TWICE, Reason.PARAMETER_MISPLACED
JSON = (b"Content-Type", b"application/json")
SQL, TOOLS = "/api/2.0/mcp/sql", "/api/2.0/mcp/functions/main/tools"
GATEWAY = "/ai-gateway/mcp-services/main.tools.github"


def message(method: str, params: Any = None, number: Any = 1, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"jsonrpc": "2.0", "method": method, **more}
    if number is not None:
        found["id"] = number
    return found if params is None else found | {"params": params}


def tool(name: Any, arguments: Any = None, number: Any = 1) -> dict[str, Any]:
    return message(
        "tools/call", {"name": name} | ({} if arguments is None else {"arguments": arguments}), number
    )


LIST = message("tools/list", number=9)
START = message("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}})
STARTED = message("notifications/initialized", number=None)


def post(known: Any, body: Any, path: str = TOOLS) -> Decision:
    return judged(known, "POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), JSON)


LIMITED = {
    "operation": "mcp.call_tool",
    "where": {
        "server": "functions/main/tools",
        "tool": ["find", "count"],
        "arguments.path": {"prefix": "/Volumes/main/", "optional": True},
        "arguments.limit": {"max": 100, "optional": True},
    },
}
RULES = ["mcp.initialize", "mcp.notify", "mcp.list_tools", "mcp.respond", LIMITED]

# Under RULES: body, path, reason.
CALLS: dict[str, tuple[Any, str, Reason]] = {
    "the session begins": (START, TOOLS, YES),
    "the session has begun": (STARTED, TOOLS, YES),
    "the list of tools": (LIST, TOOLS, YES),
    "the list of tools of any server": (LIST, SQL, YES),
    "an allowed tool": (tool("find"), TOOLS, YES),
    "an allowed tool, with a slash at the end": (tool("find"), f"{TOOLS}/", YES),
    "an allowed tool, with what it may have": (
        tool("find", {"path": "/Volumes/main/x", "limit": 5, "else": 1}),
        TOOLS,
        YES,
    ),
    "an argument beyond its limit": (tool("find", {"limit": 101}), TOOLS, NOT_MET),
    "an argument elsewhere": (tool("find", {"path": "/Volumes/hr/x"}), TOOLS, NOT_MET),
    "an argument in another case": (tool("find", {"Path": "/Volumes/hr/x"}), TOOLS, TWICE),
    "another tool": (tool("drop"), TOOLS, NOT_MET),
    "an allowed tool of another server": (tool("find"), "/api/2.0/mcp/functions/main/other", NOT_MET),
    "an allowed tool of another kind of server": (tool("find"), SQL, NOT_MET),
    "no name": (message("tools/call", {}), TOOLS, NOT_MET),
    "no params": (message("tools/call"), TOOLS, NOT_MET),
    "a name that is null": (tool(None), TOOLS, NOT_MET),
    "a name that is a list": (tool(["find", "drop"]), TOOLS, NOT_MET),
    "a name that is an object": (tool({"find": 1}), TOOLS, NOT_MET),
    "a name in another case": (tool("Find"), TOOLS, NOT_MET),
    "a name with a blank": (tool("find "), TOOLS, NOT_MET),
    "two names": (message("tools/call", {"name": "find", "Name": "drop"}), TOOLS, TWICE),
    "the server again in the params": (
        message("tools/call", {"name": "find", "server": "sql"}),
        TOOLS,
        TWICE,
    ),
    "a tool that nobody is to answer": (tool("drop", number=None), TOOLS, NOT_MET),
    "an allowed tool that nobody is to answer": (tool("find", number=None), TOOLS, YES),
    "an answer to the server": ({"jsonrpc": "2.0", "id": 3, "result": {"x": 1}}, TOOLS, YES),
    "a method that no rule names": (message("resources/list"), TOOLS, NO_RULE),
    "a method that the catalogue does not know": (message("tools/delete"), TOOLS, UNKNOWN),
    "a notification that it does not know": (message("notifications/other", number=None), TOOLS, UNKNOWN),
    "a request of a server, sent by the client": (message("sampling/createMessage", {}), TOOLS, UNKNOWN),
    "a batch of what is allowed": (
        [START, STARTED, LIST, tool("find", number=2), tool("count", number=3)],
        TOOLS,
        YES,
    ),
    "a batch with one that is not": ([LIST, tool("find", number=2), tool("drop", number=3)], TOOLS, NOT_MET),
    "a batch with one that is not, first": ([tool("drop", number=2), LIST], TOOLS, NOT_MET),
    "a batch with an unknown method": ([LIST, message("x/y", number=2)], TOOLS, UNKNOWN),
    "a batch with a malformed one": ([LIST, [tool("find")]], TOOLS, MALFORMED),
    "no body": (b"", TOOLS, MALFORMED),
    "what is no message": ({"name": "find"}, TOOLS, MALFORMED),
    "a server with a split in its name": (tool("find"), "/api/2.0/mcp/functions%2Fmain%2Ftools", YES),
    "the web interface's mirror": (tool("drop"), "/ajax-api/2.0/mcp/functions/main/tools", NOT_MET),
}


@pytest.mark.parametrize("case", CALLS)
def test_each_message_is_a_call(case: str, tmp_path: Path) -> None:
    body, path, reason = CALLS[case]
    found = post(policy(tmp_path, *RULES), body, path)
    assert found.reason is reason
    assert found.allow is (reason is YES)


# K6 of the real traffic, and what must stay refused: rules, body, reason
K6: dict[str, tuple[list[Any], Any, Reason]] = {
    "some tools of a server": (
        [{"operation": "mcp.call_tool", "where": {"tool": "list_tables"}}],
        tool("list_tables"),
        YES,
    ),
    "not the others": (
        [{"operation": "mcp.call_tool", "where": {"tool": "list_tables"}}],
        tool("drop_table"),
        NOT_MET,
    ),
    "the parameter by its own name": (
        [{"operation": "mcp.call_tool", "where": {"name": "list_tables"}}],
        tool("drop_table"),
        NOT_MET,
    ),
    "list tools": (["mcp.list_tools"], LIST, YES),
    "call none": (["mcp.list_tools"], tool("list_tables"), NO_RULE),
    "a batch in which one call is not allowed": (
        ["mcp.list_tools"],
        [LIST, tool("list_tables", number=2)],
        NO_RULE,
    ),
    "the name is missing": (
        [{"operation": "mcp.call_tool", "where": {"tool": "list_tables"}}],
        message("tools/call", {"arguments": {}}),
        NOT_MET,
    ),
    "the name is there twice": (
        [{"operation": "mcp.call_tool", "where": {"tool": "list_tables"}}],
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop","name":"list_tables"}}',
        Reason.BODY_DUPLICATE_KEY,
    ),
    "all of a service": (["mcp.*"], tool("x"), YES),
    "all of a service, but nothing unknown": (["mcp.*"], message("x/y"), UNKNOWN),
    "by class": ([{"service": "mcp", "class": "read"}], LIST, YES),
    "a tool is not read": ([{"service": "mcp", "class": "read"}], tool("x"), NO_RULE),
}


@pytest.mark.parametrize("case", K6)
def test_limits_on_tools_can_be_written(case: str, tmp_path: Path) -> None:
    rules, body, reason = K6[case]
    assert post(policy(tmp_path, *rules), body).reason is reason


TESTS: dict[str, tuple[Any, Any, bool]] = {
    "one of": (["a", "b"], "b", True),
    "prefix": ({"prefix": "main__"}, "main__x", True),
    "prefix, not met": ({"prefix": "main__"}, "hr__x", False),
    "pattern": ({"pattern": "{any...}"}, "whatever", True),
    "absent, but given": ({"absent": True}, "x", False),
}


@pytest.mark.parametrize("case", TESTS)
def test_a_tool_takes_every_test(case: str, tmp_path: Path) -> None:
    test, name, allowed = TESTS[case]
    known = policy(tmp_path, {"operation": "mcp.call_tool", "where": {"tool": test}})
    assert post(known, tool(name)).allow is allowed


def test_only_limits_what_a_tool_may_be_told(tmp_path: Path) -> None:
    known = policy(tmp_path, {"operation": "mcp.call_tool", "where": {"tool": "find"}, "only": ["arguments"]})
    assert post(known, tool("find", {"a": 1})).allow
    assert not post(known, message("tools/call", {"name": "find", "task": {"ttl": 1}})).allow


# An allow by path beside a deny: deny, body, path, reason
BESIDE: dict[str, tuple[Any, Any, str, Reason]] = {
    "the tool": ({"operation": "mcp.call_tool", "where": {"tool": "drop"}}, tool("drop"), SQL, DENIED),
    "the tool in another case": (
        {"operation": "mcp.call_tool", "where": {"tool": "drop"}},
        tool("DROP"),
        SQL,
        DENIED,
    ),
    "the tool in a batch": (
        {"operation": "mcp.call_tool", "where": {"tool": "drop"}},
        [LIST, tool("x", number=2), tool("drop", number=3)],
        SQL,
        DENIED,
    ),
    "a name that can't be compared": (
        {"operation": "mcp.call_tool", "where": {"tool": "drop"}},
        tool({"drop": 1}),
        SQL,
        DENIED,
    ),
    "another tool": ({"operation": "mcp.call_tool", "where": {"tool": "drop"}}, tool("x"), SQL, YES),
    "another method": ({"operation": "mcp.call_tool", "where": {"tool": "drop"}}, LIST, SQL, YES),
    "a method that could be the denied one": ("mcp.call_tool", message("Tools/Call", {}), SQL, MALFORMED),
    "what can't be read": ("mcp.call_tool", b"{", SQL, Reason.BODY_NOT_JSON),
    "a server in another case": (
        {"operation": "mcp.call_tool", "where": {"server": "functions/main/tools"}},
        tool("x"),
        "/api/2.0/mcp/functions/MAIN/Tools",
        DENIED,
    ),
    "by class": ({"service": "mcp", "class": "execute"}, tool("x"), GATEWAY, DENIED),
    "by class, another": ({"service": "mcp", "class": "execute"}, LIST, GATEWAY, YES),
}


@pytest.mark.parametrize("case", BESIDE)
def test_a_deny_beside_a_path(case: str, tmp_path: Path) -> None:
    deny, body, path, reason = BESIDE[case]
    known = policy(tmp_path, "POST /api/2.0/mcp/{p...}", "POST /ai-gateway/{p...}", deny=[deny])
    assert post(known, body, path).reason is reason


@pytest.mark.parametrize("body", [LIST, b"{", [[]], b"", tool("x")])
def test_a_rule_by_path_does_not_look_at_the_body(body: Any, tmp_path: Path) -> None:
    found = post(policy(tmp_path, "POST /api/2.0/mcp/{p...}"), body)
    assert (found.reason, found.operation, found.ids) == (YES, None, ())


def test_a_deny_by_path_does_not_look_at_the_body(tmp_path: Path) -> None:
    known = policy(tmp_path, "mcp.list_tools", deny=["POST /api/2.0/mcp/sql"])
    assert post(known, b"{", SQL).reason is DENIED
    assert post(known, LIST, TOOLS).reason is YES


# MCP 2026-07-28, Streamable HTTP: the headers Mcp-Method and Mcp-Name, a body, the reason
REPEATED: dict[str, tuple[bytes | None, bytes | None, Any, Reason]] = {
    "the method and the tool": (b"tools/call", b"find", tool("find"), YES),
    "the method alone": (b"tools/list", None, LIST, YES),
    "an empty name where there is none": (b"tools/list", b"", LIST, YES),
    "a notification": (b"notifications/initialized", None, STARTED, YES),
    "a name in base64": (b"tools/call", b"=?base64?ZmluZA==?=", tool("find"), YES),
    "another method": (b"tools/list", b"find", tool("find"), MALFORMED),
    "the method in another case": (b"Tools/Call", b"find", tool("find"), MALFORMED),
    "another tool": (b"tools/call", b"count", tool("find"), MALFORMED),
    "another tool in base64": (b"tools/call", b"=?base64?Y291bnQ=?=", tool("find"), MALFORMED),
    "base64 with a sign in it": (b"tools/call", b"=?base64?Zm!luZA==?=", tool("find"), MALFORMED),
    "base64 that is none": (b"tools/call", b"=?base64?ZmluZA=?=", tool("find"), MALFORMED),
    "a name where there is none": (b"tools/list", b"find", LIST, MALFORMED),
    "bytes beyond ASCII": (b"tools/call", "f\u00efnd".encode(), tool("f\u00efnd"), MALFORMED),
    "one of two names": (
        b"tools/call",
        b"find",
        message("tools/call", {"name": "find", "uri": "x"}),
        MALFORMED,
    ),
    "the tool, not allowed": (b"tools/call", b"drop", tool("drop"), NOT_MET),
    "a method for two messages": (b"tools/list", None, [LIST, tool("find")], MALFORMED),
    "a response": (b"tools/list", None, {"jsonrpc": "2.0", "id": 1, "result": {}}, MALFORMED),
}


@pytest.mark.parametrize("case", REPEATED)
def test_what_headers_repeat_of_a_body_is_what_the_body_says(case: str, tmp_path: Path) -> None:
    method, name, body, reason = REPEATED[case]
    sent = {b"Mcp-Method": method, b"Mcp-Name": name}
    more = [(header, value) for header, value in sent.items() if value is not None]
    known = policy(tmp_path, *RULES)
    assert judged(known, "POST", TOOLS, json.dumps(body).encode(), JSON, *more).reason is reason


def test_a_header_of_tool_servers_overrides_no_method(tmp_path: Path) -> None:
    known = policy(tmp_path, "jobs.list", "POST /api/2.0/mcp/{p...}")
    for value in (b"DELETE", b"delete", b"PURGE", b'"DELETE"', b"DELETE, GET", b"", b"tools/"):
        header = (b"Mcp-Method", value)
        assert judged(known, "GET", "/api/2.2/jobs/list", None, header).reason is Reason.HEADER_FORBIDDEN
        assert judged(known, "POST", "/api/2.0/mcp/sql", LIST, header).reason is Reason.HEADER_FORBIDDEN
    header = (b"Mcp-Method", b"tools/list")
    assert judged(known, "GET", "/api/2.2/jobs/list", None, header).reason is YES
    assert judged(known, "POST", "/api/2.0/mcp/sql", LIST, header).reason is YES
    assert judged(known, "GET", "/api/2.2/jobs/list", None, (b"Mcp-Name", b"x")).reason is YES


SESSION: dict[str, tuple[str, str, str]] = {
    "the stream of the server": ("GET", TOOLS, "mcp.listen"),
    "the end of the session": ("DELETE", TOOLS, "mcp.end_session"),
    "the stream of a gateway's server": ("GET", GATEWAY, "mcp.listen"),
}


@pytest.mark.parametrize("case", SESSION)
def test_a_session_has_its_operations(case: str, tmp_path: Path) -> None:
    method, path, name = SESSION[case]
    session = (b"Mcp-Session-Id", b"4f1d8d0a2b7c4e7f9a6b0c1d2e3f4a5b")
    allowed = judged(policy(tmp_path, name), method, path, None, session)
    assert (allowed.reason, allowed.operation) == (YES, name)
    assert judged(policy(tmp_path, "mcp.call_tool"), method, path, None, session).reason is NO_RULE


def test_the_log_has_each_call_of_a_batch(tmp_path: Path) -> None:
    found = post(
        policy(tmp_path, *RULES), [LIST, tool("find", number=2), tool("count", {"limit": 3}, number=3)]
    )
    assert found.batch == ("mcp.list_tools", "mcp.call_tool", "mcp.call_tool")
    assert found.params["tool"] == [None, "find", "count"]
    assert found.params["arguments.limit"] == [None, None, 3]


def test_of_a_denied_batch_the_call_that_decided_is_named(tmp_path: Path) -> None:
    found = post(policy(tmp_path, *RULES), [LIST, message("x/y", number=2), tool("drop", number=3)])
    assert (found.reason, found.operation) == (UNKNOWN, None)
    assert found.batch == ("mcp.list_tools", None, "mcp.call_tool")
    assert found.ids == (9, 2, 3)


def test_what_waits_for_an_answer_is_known_where_the_body_was_read(tmp_path: Path) -> None:
    known = policy(tmp_path, "mcp.list_tools")
    assert post(known, tool("x", number="a")).ids == ("a",)
    assert post(known, tool("x", number=None)).ids == ()
    assert post(known, b"{").ids == ()


def test_judging_a_batch_costs_no_more_than_judging_one(tmp_path: Path) -> None:
    """Many messages, each with many values: what is compared is counted for all of them together."""
    rule = {"operation": "mcp.call_tool", "where": {"arguments.names": {"pattern": "{a}.{b}"}}}
    many = [f"a{at}.x" for at in range(2_100)]
    batch = [tool("x", {"names": many}, number=at) for at in range(40)]
    known = policy(tmp_path, rule)
    assert post(known, batch[:20]).reason is YES
    assert post(known, batch).reason is Reason.TOO_COMPLEX
