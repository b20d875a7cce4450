"""What the headers of a request say, and of which requests it is remembered."""

from __future__ import annotations

import pytest

from brickscope.core import fields as fields_module
from brickscope.core.fields import MAX_HEADERS, Fields, read_fields
from brickscope.core.header import classify
from brickscope.core.reason import Reason
from core.refusal import refusal
from core.wire import HOST

HOST_FIELD = (b"Host", HOST.encode())
PLAIN = Fields(HOST, "", "", "", frozenset(), None, False, None, None, (None, None))
# Headers beside Host, and what of the plain ones they change.
SAYS: dict[str, tuple[list[tuple[bytes, bytes]], Fields]] = {
    "nothing": ([], PLAIN),
    "what nobody reads": ([(b"X-Note", b"a")], PLAIN),
    "the content": (
        [(b"Content-Type", b"a/\xe9"), (b"Content-Encoding", b"gzip")],
        PLAIN._replace(content_type="a/\u00e9", content_encoding="gzip"),
    ),
    "the program": ([(b"User-Agent", b"x/1")], PLAIN._replace(user_agent="x/1")),
    "a workspace": ([(b"X-Databricks-Org-Id", b"17")], PLAIN._replace(workspaces=frozenset({"17"}))),
    "two workspaces": (
        [(b"X-Databricks-Org-Id", b"17"), (b"X-Databricks-Workspace-Id", b"18")],
        PLAIN._replace(workspaces=frozenset({"17", "18"})),
    ),
    "a resource of Azure": (
        [(b"X-Databricks-Azure-Workspace-Resource-Id", b"/x")],
        PLAIN._replace(azure_resource="/x"),
    ),
    "chunks": ([(b"Transfer-Encoding", b"chunked")], PLAIN._replace(chunked=True)),
    "a tool's method and name": (
        [(b"Mcp-Method", b"tools/call"), (b"Mcp-Name", b"a")],
        PLAIN._replace(repeated=(b"tools/call", b"a")),
    ),
    "a method of HTTP": (
        [(b"Mcp-Method", b"DELETE")],
        PLAIN._replace(
            repeated=(b"DELETE", None),
            flaw=(Reason.HEADER_FORBIDDEN, "the header 'mcp-method' could override the method"),
        ),
    ),
    "a transfer coding": (
        [(b"TE", b"gzip")],
        PLAIN._replace(flaw=(Reason.HEADER_FORBIDDEN, "the header TE requests a transfer coding")),
    ),
    "two flaws, of which the value's is told": (
        [(b"TE", b"gzip"), (b"Cookie", b"a=b")],
        PLAIN._replace(flaw=(Reason.HEADER_FORBIDDEN, "the header TE requests a transfer coding")),
    ),
    "a cookie, and a method of HTTP": (
        [(b"Cookie", b"a=b"), (b"Mcp-Method", b"GET")],
        PLAIN._replace(
            repeated=(b"GET", None),
            flaw=(Reason.MULTIPLE_CREDENTIALS, "the header 'cookie' is a second credential"),
        ),
    ),
}


@pytest.mark.parametrize(("more", "fields"), SAYS.values(), ids=SAYS)
def test_what_headers_say(more: list[tuple[bytes, bytes]], fields: Fields) -> None:
    for _ in range(2):
        assert read_fields([HOST_FIELD, *more], http2=False) == (fields, None, None, None)


def test_what_is_read_anew_each_time() -> None:
    for token, length in ((b"Bearer a", 1), (b"Bearer b", 22)):
        more = [
            (b"Authorization", token),
            (b"Content-Length", str(length).encode()),
            (b"X-Databricks-Azure-SP-Management-Token", token),
        ]
        assert read_fields([HOST_FIELD, *more], http2=False) == (PLAIN, token, length, token)


@pytest.mark.parametrize("host", [b"H.example:443", b"h.EXAMPLE"])
def test_the_host_has_no_case_and_no_default_port(host: bytes) -> None:
    assert read_fields([(b"Host", host)], http2=False)[0].host == "h.example"
    assert read_fields([(b"Host", host + b":8443")], http2=False)[0].host != "h.example"
    assert read_fields([], http2=True)[0].host is None


ASKS = [
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"Sec-WebSocket-Version", b"13"),
]


def filled(count: int, size: int) -> list[tuple[bytes, bytes]]:
    """So many headers of so many bytes."""
    made = [HOST_FIELD, *((b"x-%02d" % number, b"") for number in range(count - 2))]
    used = sum(len(name) + len(value) for name, value in made)
    return [*made, (b"x-f", b"a" * (size - used - 3))]


# Headers; whether their names and whether their values are remembered
REMEMBERED: dict[str, tuple[list[tuple[bytes, bytes]], bool, bool]] = {
    "usual ones": ([HOST_FIELD, (b"X-One", b"1")], True, True),
    "as many as are usual": (filled(40, 1000), True, True),
    "one more": (filled(41, 1000), False, False),
    "as long as is usual": (filled(5, 4 * 1024), True, True),
    "one byte more": (filled(6, 4 * 1024 + 1), False, False),
    "with a flaw in a name": ([HOST_FIELD, (b"Cookie", b"x")], True, False),
    "for a websocket": ([HOST_FIELD, *ASKS], True, False),
}


@pytest.mark.parametrize(("headers", "names", "values"), REMEMBERED.values(), ids=REMEMBERED)
def test_what_a_client_makes_up_does_not_fill_the_memory(
    headers: list[tuple[bytes, bytes]], names: bool, values: bool
) -> None:
    caches = (fields_module._usual_layout, fields_module._usual_values)
    for cache in caches:
        cache.cache_clear()
    read_fields(headers, http2=False)
    assert [cache.cache_info().currsize for cache in caches] == [names, values]


def test_no_long_name_is_remembered() -> None:
    classify.cache_clear()
    for length, remembered in ((64, 1), (65, 1)):
        read_fields([HOST_FIELD, *filled(41, 2000)[1:], (b"n" * length, b"")], http2=False)
        assert classify.cache_info().currsize == 41 + remembered
    assert refusal(lambda: read_fields(filled(MAX_HEADERS + 1, 5000), http2=False)) == (
        Reason.TOO_LARGE,
        "the request has 201 headers with 5000 bytes, more than 200 or 65536",
    )
