"""Passes: leave to send exactly this request, once; and what else a flow carries."""

from __future__ import annotations

from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from brickscope.proxy.gate import Gate, Pass
from core.wire import HOST, h1

# -- passes ----------------------------------------------------------------------------------------------------------


def flow(**changes: Any) -> http.HTTPFlow:
    made = tflow.tflow()
    made.request = http.Request.make("PUT", f"https://{HOST}/a?b=c", b"body", {"Host": HOST, "X-Note": "1"})
    for name, value in changes.items():
        setattr(made.request, name, value)
    return made


def test_a_pass_is_for_the_request_as_it_stands_and_for_once(gate: Gate) -> None:
    one = flow()
    assert not gate.may_leave(one), "nobody asked for a pass"
    gate.grant(one)
    assert gate.may_leave(one)
    assert not gate.may_leave(one), "a pass is used up"
    gate.grant(one)
    assert not gate.may_leave(flow()), "a pass is for one flow"


def _edit_headers(request: http.Request) -> None:
    request.headers["X-Note"] = "2"


EDITS: dict[str, Any] = {
    "the method": lambda request: setattr(request, "method", "DELETE"),
    "the path": lambda request: setattr(request, "path", "/x"),
    "the query": lambda request: setattr(request, "path", "/a?b=d"),
    "the host": lambda request: setattr(request, "host", "other.example"),
    "the port": lambda request: setattr(request, "port", 8443),
    "the scheme": lambda request: setattr(request, "scheme", "http"),
    "the authority": lambda request: setattr(request, "authority", "other.example"),
    "a header": _edit_headers,
    "a header more": lambda request: request.headers.add("X-More", "1"),
    "a header less": lambda request: request.headers.pop("X-Note"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_request_that_was_edited_does_not_leave(gate: Gate, edit: Any) -> None:
    for held in (False, True):
        one = flow()
        gate.grant(one, held)
        edit(one.request)
        assert not gate.may_leave(one)


def test_a_body_that_was_held_is_part_of_the_pass(gate: Gate) -> None:
    for held, leaves in ((False, True), (True, False)):
        one = flow()
        gate.grant(one, held)
        one.request.data.content = b"another"
        assert gate.may_leave(one) is leaves
    one = flow()
    gate.grant(one, held=True)
    assert gate.may_leave(one)


def test_an_expect_that_was_answered_may_be_gone(gate: Gate) -> None:
    for name, leaves in (("Expect", True), ("expect", True), ("X-Expect", False)):
        one = flow()
        one.request.headers[name] = "100-continue"
        gate.grant(one)
        del one.request.headers[name]
        assert gate.may_leave(one) is leaves
    one = flow()
    gate.grant(one)
    one.request.headers["Expect"] = "100-continue"
    assert not gate.may_leave(one), "it may go and not come"


def test_what_a_pass_holds() -> None:
    data = flow().request.data
    assert Pass.of(flow().request) == Pass(
        b"PUT", b"/a?b=c", data.authority, HOST, 443, b"https", data.headers.fields, None
    )
    assert Pass.of(flow().request, held=True).body == b"body"


def test_something_else_in_its_place_is_no_pass(gate: Gate) -> None:
    one = flow()
    one.metadata["brickscope.pass"] = True
    assert not gate.may_leave(one)
    assert "brickscope.pass" not in one.metadata


# -- what a flow carries ---------------------------------------------------------------------------------------------


def test_how_much_of_a_body_is_held(gate: Gate) -> None:
    one = flow()
    assert gate.held(one) is None
    gate.hold(one, 100)
    assert gate.held(one) == 100
    one.metadata["brickscope.held"] = "100"
    assert gate.held(one) is None


def test_a_verdict_is_kept_until_the_end(gate: Gate) -> None:
    one = flow()
    assert not gate.forwards(one)
    assert gate.finish(one) is None
    for wire, goes_on in ((h1(), True), (h1(target=b"/other"), False)):
        verdict = gate.judge(wire, "10.0.0.1")
        gate.remember(one, verdict)
        assert gate.forwards(one) is goes_on
        assert gate.finish(one) is verdict
        assert gate.finish(one) is None
        assert not gate.forwards(one)
    one.metadata["brickscope.verdict"] = True
    assert not gate.forwards(one)
    assert gate.finish(one) is None


def test_a_gate_begins_with_nothing(gate: Gate) -> None:
    assert (gate.ahead, gate.draining, gate.hints) == (0, False, True)
    assert gate.start_hooks(None) is False  # type: ignore[arg-type]
