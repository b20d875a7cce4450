"""JSON-RPC in a body: what is read, and what is refused because two servers could read two things from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.message import MAX_BATCH, RESPONSE, Message, read_messages
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from core.wire import h1, h1_headers

KNOWN = ("initialize", "tools/list", "tools/call", "notifications/initialized", RESPONSE)
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "find", "arguments": {"text": "x"}},
}
MALFORMED, TWICE, DEEP = Reason.MESSAGE_MALFORMED, Reason.BODY_DUPLICATE_KEY, Reason.BODY_TOO_DEEP
NOT_JSON, COMPLEX, LARGE = Reason.BODY_NOT_JSON, Reason.TOO_COMPLEX, Reason.TOO_LARGE


def request(content_type: str = "application/json", *more: tuple[bytes, bytes]) -> ApiRequest:
    fields = h1_headers((b"Content-Type", content_type.encode()), (b"Content-Length", b"9"), *more)
    return read_request(h1(b"POST", b"/api/2.0/mcp/sql", fields))


def read(
    body: Any, content_type: str = "application/json", *more: tuple[bytes, bytes]
) -> tuple[Message, ...]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_messages(request(content_type, *more), raw, KNOWN)


READ: dict[str, tuple[Any, list[Message]]] = {
    "a request": (LIST, [Message("tools/list", 1, {})]),
    "a request with params": (CALL, [Message("tools/call", 2, CALL["params"])]),
    "an id that is text": ({**LIST, "id": "a-1"}, [Message("tools/list", "a-1", {})]),
    "an id that is 0": ({**LIST, "id": 0}, [Message("tools/list", 0, {})]),
    "the greatest id": ({**LIST, "id": 2**53 - 1}, [Message("tools/list", 2**53 - 1, {})]),
    "an id that is empty": ({**LIST, "id": ""}, [Message("tools/list", "", {})]),
    "a notification": (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        [Message("notifications/initialized", None, {})],
    ),
    "a request that nobody is to answer": (
        {"jsonrpc": "2.0", "method": "tools/call", "params": {}},
        [Message("tools/call", None, {})],
    ),
    "a response": ({"jsonrpc": "2.0", "id": 4, "result": {"a": 1}}, [Message(RESPONSE, 4, {})]),
    "a response that is an error": (
        {"jsonrpc": "2.0", "id": 4, "error": {"code": -1, "message": "x"}},
        [Message(RESPONSE, 4, {})],
    ),
    "a batch": ([LIST, CALL], [Message("tools/list", 1, {}), Message("tools/call", 2, CALL["params"])]),
    "a batch of one": ([LIST], [Message("tools/list", 1, {})]),
    "an unknown method": ({**LIST, "method": "x/y"}, [Message("x/y", 1, {})]),
    "a response with the id of a request": (
        [LIST, {"jsonrpc": "2.0", "id": 1, "result": {}}],
        [Message("tools/list", 1, {}), Message(RESPONSE, 1, {})],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case: str) -> None:
    body, expected = READ[case]
    assert list(read(body)) == expected


def test_who_waits_for_an_answer() -> None:
    found = read([LIST, {"jsonrpc": "2.0", "method": "ping"}, {"jsonrpc": "2.0", "id": 3, "result": {}}])
    assert [each.is_answered for each in found] == [True, False, False]


REFUSED: dict[str, tuple[Any, Reason]] = {
    "nothing": (b"", MALFORMED),
    "no JSON": (b"{", NOT_JSON),
    "two values": (b"{} {}", NOT_JSON),
    "text": ("tools/call", MALFORMED),
    "a number": (7, MALFORMED),
    "a long text full of braces": ("{" * 64, MALFORMED),
    "null": (None, MALFORMED),
    "an empty batch": ([], MALFORMED),
    "a batch in a batch": ([[CALL]], MALFORMED),
    "a batch beside a message": ([LIST, [CALL]], MALFORMED),
    "null in a batch": ([LIST, None], MALFORMED),
    "text in a batch": ([LIST, "tools/call"], MALFORMED),
    "no version": ({"id": 1, "method": "tools/list"}, MALFORMED),
    "an older version": ({**LIST, "jsonrpc": "1.0"}, MALFORMED),
    "the version as a number": ({**LIST, "jsonrpc": 2.0}, MALFORMED),
    "an id that is null": ({**LIST, "id": None}, MALFORMED),
    "an id that is true": ({**LIST, "id": True}, MALFORMED),
    "an id that is a fraction": ({**LIST, "id": 1.5}, MALFORMED),
    "an id that is written as a float": (b'{"jsonrpc":"2.0","id":1e0,"method":"tools/list"}', MALFORMED),
    "an id beyond all integers": (
        b'{"jsonrpc":"2.0","id":99999999999999999999,"method":"tools/list"}',
        MALFORMED,
    ),
    "an id that readers round": ({**LIST, "id": -(2**53)}, MALFORMED),
    "an id that is half a character": (b'{"jsonrpc":"2.0","id":"\\ud800","method":"tools/list"}', MALFORMED),
    "an id with a line end": ({**LIST, "id": "a\r\nb"}, MALFORMED),
    "an id of no end": ({**LIST, "id": "a" * 257}, MALFORMED),
    "an id that is minus 0": (b'{"jsonrpc":"2.0","id":-0,"method":"tools/list"}', MALFORMED),
    "an id that is a list": ({**LIST, "id": [1]}, MALFORMED),
    "an id that is an object": ({**LIST, "id": {}}, MALFORMED),
    "the same id twice": ([LIST, {**CALL, "id": 1}], MALFORMED),
    "the same id as a number and as text": ([LIST, {**CALL, "id": "1"}], MALFORMED),
    "the method twice": (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}', TWICE),
    "the method twice, once escaped": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","m\\u0065thod":"tools/call"}',
        TWICE,
    ),
    "a name twice in the params": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
        TWICE,
    ),
    "the method in another case as well": ({**LIST, "Method": "tools/call"}, MALFORMED),
    "a field that nobody knows": ({**LIST, "x": 1}, MALFORMED),
    "no method": ({"jsonrpc": "2.0", "id": 1}, MALFORMED),
    "only the version": ({"jsonrpc": "2.0"}, MALFORMED),
    "a method that is null": ({**LIST, "method": None}, MALFORMED),
    "a method that is a list": ({**LIST, "method": ["tools/call"]}, MALFORMED),
    "a method that is empty": ({**LIST, "method": ""}, MALFORMED),
    "a method in another case": ({**LIST, "method": "Tools/Call"}, MALFORMED),
    "a method without its slash": ({**LIST, "method": "toolscall"}, MALFORMED),
    "a method with another slash": ({**LIST, "method": "tools\\call"}, MALFORMED),
    "a method with a blank": ({**LIST, "method": "tools/call "}, MALFORMED),
    "a method with a NUL": ({**LIST, "method": "tools/call\0"}, MALFORMED),
    "a method with a look-alike": ({**LIST, "method": "tооls/call"}, MALFORMED),
    "a method with a slash at its end": ({**LIST, "method": "tools/call/"}, MALFORMED),
    "a method of no end": ({**LIST, "method": "a" * 129}, MALFORMED),
    "params that are a list": ({**CALL, "params": ["find"]}, MALFORMED),
    "params that are null": ({**CALL, "params": None}, MALFORMED),
    "params that are text": ({**CALL, "params": "find"}, MALFORMED),
    "a request and a response in one": ({**CALL, "result": {}}, MALFORMED),
    "a result and an error": ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}, MALFORMED),
    "a response without an id": ({"jsonrpc": "2.0", "result": {}}, MALFORMED),
    "a response to null": (
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "x"}},
        MALFORMED,
    ),
    "a bad one among good ones": ([LIST, {**CALL, "params": []}], MALFORMED),
    "too many": ([{**LIST, "id": at} for at in range(MAX_BATCH + 1)], COMPLEX),
    "too deep": (
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":' + b"[" * 40 + b"]" * 40 + b"}}",
        DEEP,
    ),
    "deeper than any parser goes": (b"[" * 100_000, DEEP),
    "huge": (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"' + b"a" * 20_000_000 + b'"}}', LARGE),
    "not UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\xff"}}', NOT_JSON),
    "UTF-16": (json.dumps(LIST).encode("utf-16"), NOT_JSON),
    "JSON of several lines, one message each": (
        json.dumps(LIST).encode() + b"\n" + json.dumps(CALL).encode(),
        NOT_JSON,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    body, reason = REFUSED[case]
    with pytest.raises(Refused) as caught:
        read(body)
    assert caught.value.reason is reason
    if case.startswith("an id "):
        assert caught.value.detail.endswith("an id is neither a short text nor an integer")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonrequest",
        "application/json-rpc",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json;x=text/plain",
        "application/jsonx",
    ],
)
def test_another_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(Refused) as caught:
        read(LIST, content_type)
    assert caught.value.reason is MALFORMED


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
def test_the_media_type_of_json_is_read(content_type: str) -> None:
    assert read(LIST, content_type) == (Message("tools/list", 1, {}),)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "Method", "x"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    """Nothing but a refusal is raised, and what is read is just what the body says."""
    try:
        found = read(value)
    except Refused:
        return
    elements = value if isinstance(value, list) else [value]
    assert [each.method for each in found] == [element.get("method", RESPONSE) for element in elements]
    assert [each.params for each in found] == [element.get("params", {}) for element in elements]
