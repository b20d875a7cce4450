"""Header lists: ours against the library's own checks, which are off for what comes in. We refuse all that it refuses."""

from __future__ import annotations

import pytest
from h2.exceptions import ProtocolError
from h2.utilities import HeaderValidationFlags, validate_headers
from hpack.struct import HeaderTuple, NeverIndexedHeaderTuple
from http2_line import DOOR
from hypothesis import settings
from hypothesis import strategies as st

from brickscope.core.reason import Reason
from brickscope.proxy.wire.fields import as_secrets, pass_on, read_answer, read_request
from brickscope.proxy.wire.framing import Broken
from examples import examples
from http2_by_hand import HOST, pseudo
from reaching import reaching

EXAMPLES = examples(1000)
Pairs = list[tuple[bytes, bytes]]

NAMES = st.sampled_from(
    [
        *(b"x", b"accept", b"authorization", b"te", b"host", b"content-length", b"cookie", b"alt-svc"),
        *(b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"X", b""),
        *(b"a b", b"a:b", b":x", b":path", b":status", b":protocol", b"x-\xe9", b"x\x7f", b"x-brickscope-x"),
    ]
)
VALUES = st.sampled_from(
    [
        *(b"", b"a", b"a b", b"trailers", b"5", b"0", b"chunked", HOST.encode(), b" a", b"a ", b"\ta"),
        *(b"a\x00b", b"a\rb", b"a\nb", b"\xe9", b"a\x0bb", b"https", b"/x", b"200"),
    ]
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=3)
GOOD = st.tuples(
    st.sampled_from([b"x", b"accept", b"te", b"content-length"]), st.sampled_from([b"trailers", b"0"])
)

MIXED = FIELDS | st.lists(GOOD, max_size=2, unique_by=lambda field: field[0])


@st.composite
def requests(draw: st.DrawFn) -> Pairs:
    fields = pseudo("/ok")
    for _ in range(draw(st.integers(0, 2))):
        what = draw(st.sampled_from(["drop", "double", "swap", "change"]))
        at = draw(st.integers(0, len(fields) - 1))
        if what == "drop":
            fields = fields[:at] + fields[at + 1 :] or fields
        elif what == "double":
            fields.insert(at, fields[-1])
        elif what == "swap":
            fields[0], fields[at] = fields[at], fields[0]
        else:
            fields[at] = (fields[at][0], draw(VALUES))
    return fields + draw(FIELDS | st.lists(GOOD, max_size=2))


def library(fields: Pairs, *, answer: bool = False, trailer: bool = False) -> bool:
    """Whether the library would take them."""
    flags = HeaderValidationFlags(
        is_client=answer or trailer, is_trailer=trailer, is_response_header=answer, is_push_promise=False
    )
    try:
        list(validate_headers(fields, flags))
    except (ProtocolError, IndexError):
        return False
    return True


@reaching(0.1, requests(), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_we_take_of_a_client_the_library_would_take(fields: Pairs, ended: bool) -> bool:
    head, refused = read_request(DOOR, fields, ended=ended)
    assert head.is_regular is (refused is None)
    if refused is not None:
        assert refused.reason is Reason.MALFORMED_HEAD
        return False
    hosts = [value for name, value in fields if name == b"host"]
    if hosts and (len(hosts) > 1 or hosts[0] != head.wire.authority):
        return False  # the core refuses these, with their own reason
    if not head.wire.target:
        return False  # so it does an empty path
    assert library(fields)
    assert list(head.fields) == fields
    wire = head.wire
    assert [(b":method", wire.method), (b":path", wire.target)] == [
        field for field in sorted(fields) if field[0] in (b":method", b":path")
    ]
    return True


@reaching(0.1, MIXED, st.booleans(), st.sampled_from([b"200", b"204", b"304", b"404", b"2x0"]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_we_take_of_a_host_the_library_would_take(more: Pairs, ended: bool, status: bytes) -> bool:
    fields = [(b":status", status), *more]
    try:
        code, passed, _ = read_answer(fields, to_head=False, ended=ended)
    except Broken:
        return False
    assert library(fields, answer=True)
    kept = [field for field in fields if field[0] not in (b"alt-svc", b"x-brickscope-x")]
    assert (code, list(passed)) == (int(status), kept)
    return True


@reaching(0.1, MIXED)
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_we_take_after_an_answer_the_library_would_take(fields: Pairs) -> bool:
    try:
        passed = pass_on(fields)
    except Broken:
        return False
    assert library(fields, trailer=True)
    assert list(passed) == [field for field in fields if field[0] not in (b"alt-svc", b"x-brickscope-x")]
    return True


@pytest.mark.parametrize("name", [b"authorization", b"cookie", b"set-cookie", b"proxy-authorization"])
@pytest.mark.parametrize("kind", [tuple, HeaderTuple, NeverIndexedHeaderTuple])
def test_what_is_secret_is_in_no_table(name: bytes, kind: type) -> None:
    field = kind((name, b"x")) if kind is tuple else kind(name, b"x")
    (made,) = as_secrets([field])
    assert isinstance(made, NeverIndexedHeaderTuple)
    assert made == (name, b"x")
