"""A websocket on the wire: what the host's agreement has to be, who may say what before and after it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from http1_line import DENIAL, HOST, Line, answer, clear, judge, request
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request
from wsproto.utilities import generate_accept_token

from brickscope.core.decision import Refused
from brickscope.core.request import read_request
from brickscope.proxy.wire.events import Event, Fault, Phase, Ruling
from brickscope.proxy.wire.head import Announced, Cleared, Head
from brickscope.proxy.wire.upgrade import accept_of
from brickscope.proxy.wire.websocket import WebSocket

KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""Of RFC 6455 section 1.3."""
ASK = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")


def ask(*more: str) -> bytes:
    return request("/ws", *ASK, *more)


def agree(*more: str, without: str = "", accept: str = ACCEPT) -> bytes:
    lines = ["Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Accept: {accept}"]
    kept = [each for each in lines if not without or not each.startswith(without)]
    return "\r\n".join(["HTTP/1.1 101 Switching Protocols", *kept, *more, "", ""]).encode()


def rule(head: Head, body: bytes | None, refused: Refused | None) -> Ruling | None:
    """``/ws…`` may become a websocket; all else is ruled on as elsewhere."""
    if head.wire.target.startswith(b"/ws") and refused is None:
        return clear(head, Announced())._replace(websocket=read_request(head.wire))
    return judge(head, body, refused)


def opened(*more: str, early: bytes = b"") -> Line:
    line = Line(rule)
    line.client(ask(*more))
    line.host(agree() + early)
    assert line.story[:6] == ["judge /ws", "dial", "host<", "answered 101", "client<", "switched"]
    assert isinstance(line.core, WebSocket)
    return line


def test_after_the_agreement_bytes_pass_both_ways_as_they_are() -> None:
    line = opened()
    before = line.to_host, line.to_client
    assert before == (ask(), agree())
    line.client(b"GET /deny HTTP/1.1\r\n\r\n")
    line.host(b"\x81\x05hello")
    line.client(b"\x00")
    assert line.to_host == before[0] + b"GET /deny HTTP/1.1\r\n\r\n\x00"
    assert line.to_client == before[1] + b"\x81\x05hello"
    assert line.core.phase is Phase.CALL
    assert line.core.ahead == line.core.held == 0
    line.do(line.core.host_ended(clean=True))
    assert line.story[-3:] == ["ended 101 23 7", "close host gently", "close client gently"]


def test_what_the_host_says_with_its_agreement_is_counted_and_passed() -> None:
    line = opened(early=b"\x81\x02hi")
    assert line.to_client == agree() + b"\x81\x02hi"
    line.do(line.core.client_ended())
    assert line.story[-3:] == ["ended 101 0 4", "close host gently", "close client gently"]


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=40)), max_size=12), st.integers(1, 9))
def test_however_it_is_cut_all_bytes_arrive_in_order(said: list[tuple[bool, bytes]], piece: int) -> None:
    line = Line(rule)
    for start in range(0, len(ask()), piece):
        line.client(ask()[start : start + piece])
    reply = agree()
    for start in range(0, len(reply), piece):
        line.host(reply[start : start + piece])
    for by_client, data in said:
        (line.client if by_client else line.host)(data)
    assert line.to_host == ask() + b"".join(data for by_client, data in said if by_client)
    assert line.to_client == reply + b"".join(data for by_client, data in said if not by_client)
    assert line.core.ahead == 0
    line.do(line.core.break_off(Fault.CUT))
    assert not line.core.from_client(b"x")
    assert not line.core.from_host(b"x")
    assert not line.core.client_ended()
    assert sum(each.startswith("ended") for each in line.story) == 1


DISAGREE = {
    "no Accept": agree(without="Sec-WebSocket-Accept"),
    "another key's Accept": agree(accept=accept_of(b"AAAAAAAAAAAAAAAAAAAAAA==").decode()),
    "the key itself": agree(accept=KEY),
    "Accept in lower case": agree(accept=ACCEPT.lower()),
    "Accept twice": agree(f"Sec-WebSocket-Accept: {ACCEPT}"),
    "no Upgrade": agree(without="Upgrade"),
    "no Connection": agree(without="Connection"),
    "another protocol": agree("Upgrade: h2c", without="Upgrade"),
    "a list of protocols": agree("Upgrade: websocket, h2c", without="Upgrade"),
    "two Upgrades": agree("Upgrade: h2c"),
    "Connection names more": agree("Connection: Upgrade, close", without="Connection"),
    "a subprotocol that nobody offered": agree("Sec-WebSocket-Protocol: other"),
    "a list of subprotocols": agree("Sec-WebSocket-Protocol: ssh, v1"),
    "an extension that nobody offered": agree("Sec-WebSocket-Extensions: x-other"),
    "a body": agree("Content-Length: 5"),
    "a body in chunks": agree("Transfer-Encoding: chunked"),
    "a body that is packed, in which nothing could be found": agree("Content-Encoding: gzip"),
}


@pytest.mark.parametrize("reply", DISAGREE.values(), ids=DISAGREE)
def test_an_agreement_to_anything_else_ends_both(reply: bytes) -> None:
    line = Line(rule)
    line.client(ask("Sec-WebSocket-Protocol: ssh, v1", "Sec-WebSocket-Extensions: permessage-deflate"))
    line.host(reply + b"\x81\x05hello")
    assert line.story[3:] == [
        "explained",
        "ended None 0 0 HOST_BROKE",
        "close host at once",
        "close client gently",
    ]


def test_what_was_offered_may_be_chosen() -> None:
    line = Line(rule)
    line.client(
        ask("Sec-WebSocket-Protocol: ssh, v1", "Sec-WebSocket-Extensions: permessage-deflate; a, x-b")
    )
    line.host(agree("Sec-WebSocket-Protocol: v1", "Sec-WebSocket-Extensions: permessage-deflate; a=1"))
    assert isinstance(line.core, WebSocket)


@pytest.mark.parametrize("lines", [(), ASK], ids=["not asked", "asked, and not let"])
def test_a_host_that_switches_a_call_that_is_no_websocket_breaks_it(lines: tuple[str, ...]) -> None:
    line = Line(rule)
    line.client(request("/ok", *lines))
    line.host(agree())
    assert "ended None 0 0 HOST_BROKE" in line.story
    assert not isinstance(line.core, WebSocket)


def test_any_other_answer_leaves_http_as_it_is() -> None:
    """A host's refusal must not be followed by requests that nobody judges (what it was asked does not make it so)."""
    for status in (200, 400, 403, 404, 426, 500):
        line = Line(rule)
        line.client(ask())
        refusal = answer(b"no", "Upgrade: websocket", f"Sec-WebSocket-Accept: {ACCEPT}", status=status)
        line.host(refusal)
        line.client(request("/deny"))
        line.client(request("/ok"))
        assert line.story[3:6] == [f"answered {status}", "client<", f"ended {status} 0 2"]
        assert line.story[6:] == ["judge /deny", "client<", "judge /ok", "host<"]
        assert (line.to_host, line.to_client) == (ask() + request("/ok"), refusal + DENIAL)


@pytest.mark.parametrize(
    "ahead", [b"\x81\x80", request("/deny"), b"\r\n"], ids=["a frame", "a request", "a line end"]
)
def test_a_byte_of_the_client_before_the_agreement_ends_it(ahead: bytes) -> None:
    at_once = Line(rule)
    at_once.client(ask() + ahead)
    assert at_once.to_host == b"", "a request that can't become anything is not sent"
    assert at_once.story[1:3] == ["explained", "ended None 0 0 AHEAD"]
    later = Line(rule)
    later.client(ask())
    later.client(ahead)
    assert later.to_host == ask()
    assert later.story[3:] == [
        "explained",
        "ended None 0 0 AHEAD",
        "close host at once",
        "close client gently",
    ]
    assert not later.core.from_host(agree())
    dialling = Line(rule, up=None)
    dialling.client(ask())
    dialling.client(ahead)
    assert not dialling.core.host_up()
    assert dialling.to_host == b""


def test_bytes_behind_a_denied_one_are_requests_as_ever() -> None:
    line = Line(rule)
    line.client(request("/deny", *ASK) + request("/ok"))
    assert line.to_host == request("/ok")


ENDS: dict[str, tuple[Callable[[WebSocket], list[Event]], str]] = {
    "the host is cut off": (lambda core: core.host_ended(clean=False), " HOST_LEFT"),
    "it is no longer allowed": (lambda core: core.break_off(Fault.REVOKED, "expired"), " REVOKED"),
    "the proxy stops": (lambda core: core.break_off(Fault.CUT), " CUT"),
    "nothing moves": (lambda core: core.give_up(core.calls[0][0], Fault.HOST_STUCK), " QUIET"),
}


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_gently_on_both_sides_whatever_ends_it(name: str) -> None:
    line = opened()
    end, fault = ENDS[name]
    assert isinstance(line.core, WebSocket)
    line.do(end(line.core))
    assert line.story[-3:] == [f"ended 101 0 0{fault}", "close host gently", "close client gently"]
    assert line.core.phase is Phase.OVER


def test_it_is_never_idle_and_goes_on_while_the_proxy_drains() -> None:
    line = opened()
    assert not line.core.drain(late=True)
    assert not line.core.close_idle()
    line.client(b"x")
    assert line.to_host.endswith(b"x")


def test_edits_of_the_head_of_an_answer_apply_to_the_agreement() -> None:
    line = Line(rule)
    line.client(ask())
    line.host(agree("alt-svc: h3=1", "x-brickscope-decision: forged"))
    assert line.to_client == agree()


SECRET = b"dapi" + b"0123456789abcdef" * 2


def placing(head: Head, body: bytes | None, refused: Refused | None) -> Ruling | None:
    ruling = rule(head, body, refused)
    return ruling._replace(placed=SECRET) if isinstance(ruling, Cleared) else ruling


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_host_that_repeats_the_credential_that_was_placed_is_cut_off(size: int) -> None:
    line = Line(placing)
    line.client(ask())
    line.host(agree())
    said = b"\x82\x7d before " + SECRET + b" after"
    for start in range(0, len(said), size):
        line.do(line.core.from_host(said[start : start + size]))
    assert SECRET not in line.to_client
    assert SECRET[:-1] not in line.to_client
    assert line.story[-3].endswith("REFLECTED")


def test_what_only_begins_like_it_arrives_in_the_end() -> None:
    line = Line(placing)
    line.client(ask())
    line.host(agree() + b"so far: " + SECRET[:20])
    assert not line.to_client.endswith(SECRET[:20])
    line.do(line.core.host_ended(clean=True))
    assert line.to_client == agree() + b"so far: " + SECRET[:20]


def test_an_agreement_with_the_credential_in_it_is_not_passed_on() -> None:
    line = Line(placing)
    line.client(ask())
    line.host(agree(f"X-Debug: {SECRET.decode()}"))
    assert "ended None 0 0 REFLECTED" in line.story
    assert SECRET not in line.to_client


def test_another_implementation_agrees_on_accept() -> None:
    assert accept_of(KEY.encode()) == ACCEPT.encode() == generate_accept_token(KEY.encode())


def test_what_another_implementation_asks_and_answers_is_regular() -> None:
    client, server = WSConnection(ConnectionType.CLIENT), WSConnection(ConnectionType.SERVER)
    asked = client.send(Request(HOST, "/ws", subprotocols=["ssh", "v1"]))
    server.receive_data(asked)
    assert [type(each) for each in server.events()] == [Request]
    line = Line(rule)
    line.client(asked)
    line.host(server.send(AcceptConnection(subprotocol="v1")))
    assert isinstance(line.core, WebSocket)
