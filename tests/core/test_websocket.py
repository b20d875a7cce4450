"""Requests for a websocket: the one regular form, and who may send one."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.fields import _usual_values
from brickscope.core.policy import Mode, Policy
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from brickscope.policy.problem import PolicyError
from core.header_names import TOKENS
from core.judged import policy
from core.refusal import refusal, tried
from core.wire import TOKEN, Fields, h1, h1_headers, h2

SSH = b"/driver-proxy-api/o/0/0123-abc/7772/ssh?id=9f0c"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
"""Of RFC 6455 section 1.3."""
ASKED = {
    b"Connection": b"Upgrade",
    b"Upgrade": b"websocket",
    b"Sec-WebSocket-Version": b"13",
    b"Sec-WebSocket-Key": KEY,
}
REFUSED, SECRET = Reason.UPGRADE_REFUSED, Reason.TOKEN_IN_SUBPROTOCOL


def asking(*more: tuple[bytes, bytes], **changed: bytes | None) -> Fields:
    """The headers of a handshake; ``changed``: by name with underscores, None to leave one out."""
    plain = [each for each in h1_headers() if each[0] != b"Connection"]
    others = {name.replace("_", "-").encode(): value for name, value in changed.items()}
    fields = {**ASKED, **others}
    return [*plain, *((name, value) for name, value in fields.items() if value is not None), *more]


def judged(
    known: Policy, target: bytes = SSH, headers: Fields | None = None, method: bytes = b"GET"
) -> Decision:
    return decide(
        known, read_request(h1(method, target, asking() if headers is None else headers)), "10.0.0.1", 0
    )


def test_a_handshake_is_read_with_all_that_the_answer_has_to_fit() -> None:
    more = (
        (b"Sec-WebSocket-Protocol", b"v1.kernel.websocket.jupyter.org, ssh"),
        (b"Sec-WebSocket-Extensions", b"permessage-deflate \t; client_max_window_bits, x-other"),
    )
    request = read_request(h1(target=SSH, headers=asking(*more)))
    assert request.method == "WEBSOCKET"
    assert request.offer is not None
    assert request.offer.key == KEY
    assert request.offer.protocols == {b"v1.kernel.websocket.jupyter.org", b"ssh"}
    assert request.offer.extensions == {b"permessage-deflate", b"x-other"}
    assert not request.may_have_body


IRREGULAR = {
    "no Upgrade": asking(Upgrade=None),
    "another protocol": asking(Upgrade=b"h2c"),
    "a list of protocols": asking(Upgrade=b"websocket, h2c"),
    "a version of the protocol": asking(Upgrade=b"websocket/13"),
    "no Connection": asking(Connection=None),
    "Connection names a header": asking(Connection=b"Upgrade, Authorization"),
    "Connection keeps alive": asking(Connection=b"keep-alive, Upgrade"),
    "h2c, as RFC 9113 forbids it": asking((b"HTTP2-Settings", b"AAMAAABk"), Upgrade=b"h2c"),
    "no version": asking(Sec_WebSocket_Version=None),
    "an older version": asking(Sec_WebSocket_Version=b"8"),
    "two versions": asking(Sec_WebSocket_Version=b"13, 8"),
    "no key": asking(Sec_WebSocket_Key=None),
    "an empty key": asking(Sec_WebSocket_Key=b""),
    "a key that is no base64": asking(Sec_WebSocket_Key=b"the sample nonce!!!!!!=="),
    "a key of 15 bytes": asking(Sec_WebSocket_Key=base64.b64encode(b"x" * 15)),
    "a key of 17 bytes": asking(Sec_WebSocket_Key=base64.b64encode(b"x" * 17)),
    "a key in a second spelling": asking(Sec_WebSocket_Key=b"dGhlIHNhbXBsZSBub25jZR=="),
    "another spelling of a name": asking((b"Sec_WebSocket_Key", KEY)),
    "a name of an older draft": asking((b"Sec-WebSocket-Key1", b"1")),
    "an answer's header": asking((b"Sec-WebSocket-Accept", b"1")),
    "an extension without a name": asking((b"Sec-WebSocket-Extensions", b"; a=1")),
    "a body": asking((b"Content-Length", b"5")),
    "a body of no bytes": asking((b"Content-Length", b"0")),
    "a body in chunks": asking((b"Transfer-Encoding", b"chunked")),
    "a body that waits": asking((b"Expect", b"100-continue")),
    "a transfer coding": asking((b"TE", b"trailers")),
    "a subprotocol twice": asking((b"Sec-WebSocket-Protocol", b"a, a")),
    "a subprotocol without a name": asking((b"Sec-WebSocket-Protocol", b"a,,b")),
    "a subprotocol with a blank": asking((b"Sec-WebSocket-Protocol", b"a b")),
    "nine subprotocols": asking((b"Sec-WebSocket-Protocol", b"a,b,c,d,e,f,g,h,i")),
    "a subprotocol for no websocket": h1_headers((b"Sec-WebSocket-Protocol", b"a")),
    "extensions for no websocket": h1_headers((b"Sec-WebSocket-Extensions", b"permessage-deflate")),
}


@pytest.mark.parametrize("headers", IRREGULAR.values(), ids=IRREGULAR)
def test_what_is_no_plain_handshake_is_refused(headers: Fields) -> None:
    assert refusal(read_request, h1(target=SSH, headers=headers))[0] is REFUSED


@pytest.mark.parametrize("name", ASKED)
def test_each_header_stands_there_once(name: bytes) -> None:
    twice = asking((name.lower(), ASKED[name]))
    assert refusal(read_request, h1(target=SSH, headers=twice))[0] is Reason.HEADER_DUPLICATE


@pytest.mark.parametrize("method", [b"HEAD", b"POST", b"PUT", b"OPTIONS", b"DELETE", b"PATCH"])
def test_only_a_get_asks_for_a_websocket(method: bytes) -> None:
    assert refusal(read_request, h1(method, SSH, asking()))[0] is REFUSED


@pytest.mark.parametrize("method", [b"WEBSOCKET", b"CONNECT"])
def test_its_name_among_us_is_no_method_on_the_wire(method: bytes) -> None:
    assert refusal(read_request, h1(method, SSH, asking()))[0] is Reason.METHOD_NOT_CANONICAL
    assert refusal(read_request, h1(method, SSH))[0] is Reason.METHOD_NOT_CANONICAL


@pytest.mark.parametrize("name", [*ASKED, b"Sec-WebSocket-Protocol"])
def test_over_http2_nobody_asks(name: bytes) -> None:
    fields = [(b"authorization", b"Bearer " + TOKEN)]
    asked = h2(b"GET", SSH, [*fields, (name.lower(), ASKED.get(name, b"a"))])
    assert refusal(read_request, asked)[0] in (REFUSED, Reason.HEADER_FORBIDDEN)
    whole = h2(b"GET", SSH, [*fields, *((each.lower(), value) for each, value in ASKED.items())])
    assert refusal(read_request, whole)[0] is REFUSED


SECRETS = {
    "a token": TOKEN,
    "a token among names": b"ssh, " + TOKEN,
    "a token behind a word": b"access_token, 0123456789abcdef",
    "as Kubernetes has it": b"base64url.bearer.authorization.k8s.io.ZGFwaTAxMjM0NTY3ODlhYmNkZWY, v4.channel.k8s.io",
    "Bearer": b"Bearer",
    "an authorization": b"Authorization, x",
    "a long word": b"0123456789abcdef0123",
    "many short words": b"-".join([b"a1b2c3d4"] * 6),
    "a cookie": b"my-cookie",
    "a token in base64": base64.b64encode(TOKEN),
    **{f"a token of the shape {each[:5]}": each.encode() for each in TOKENS},
}


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS)
def test_a_credential_as_a_subprotocol_has_its_own_reason(value: bytes) -> None:
    for headers in (
        asking((b"Sec-WebSocket-Protocol", value)),
        h1_headers((b"Sec-WebSocket-Protocol", value)),
    ):
        reason, detail = refusal(read_request, h1(target=SSH, headers=headers))
        assert reason is SECRET
        assert value.decode() not in detail


@given(st.binary(min_size=37, max_size=60))
def test_nothing_as_long_as_a_token_passes_as_a_subprotocol(secret: bytes) -> None:
    for value in (base64.urlsafe_b64encode(secret).rstrip(b"="), secret.hex().encode()):
        asked = asking((b"Sec-WebSocket-Protocol", value))
        assert refusal(read_request, h1(target=SSH, headers=asked))[0] is SECRET


@given(st.binary(max_size=30), st.sampled_from(sorted(ASKED)))
def test_a_handshake_with_any_other_value_is_refused(value: bytes, name: bytes) -> None:
    if value.lower() == ASKED[name].lower():
        return
    key = (
        name == b"Sec-WebSocket-Key"
        and len(value) == 24
        and base64.b64encode(base64.b64decode(value + b"==")) == value
    )
    found = tried(read_request, h1(target=SSH, headers=asking(**{name.decode(): value})))
    assert isinstance(found, Exception) is not key


WIDE = {
    "a rule by path": "GET /driver-proxy-api/o/{w}/{c}/{port}/{path...}",
    "the path itself": "GET /driver-proxy-api/o/0/0123-abc/7772/ssh",
    "everything by path": "GET /{path...}",
    "the operation of the GET": "driver_proxy.request",
    "a wildcard": "driver_proxy.*",
    "a wildcard with a condition": {"operation": "driver_proxy.*", "where": {"cluster_id": "0123-abc"}},
    "a class": {"class": "execute"},
    "a class of the service": {"service": "driver_proxy", "class": "execute"},
    "the service": {"service": "driver_proxy"},
    "a preset": {"preset": "read-only"},
}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("rule", WIDE.values(), ids=WIDE)
def test_no_rule_that_does_not_write_its_name_opens_a_websocket_in_any_mode(
    rule: Any, mode: Mode, tmp_path: Path
) -> None:
    found = judged(policy(tmp_path, rule)._replace(mode=mode))
    assert (found.reason, found.allow, found.enforced) == (Reason.NO_RULE_MATCHES, False, True)
    assert found.operation == "driver_proxy.ssh"


@pytest.mark.parametrize("mode", Mode)
def test_a_websocket_that_nobody_knows_is_refused_in_any_mode(mode: Mode, tmp_path: Path) -> None:
    known = policy(tmp_path, "GET /{path...}", "driver_proxy.*", "driver_proxy.ssh")._replace(mode=mode)
    for target in (
        b"/driver-proxy-api/o/0/0123-abc/7772/",
        b"/driver-proxy/o/0/0123-abc/7772/ssh",
        b"/",
        b"/ssh",
    ):
        found = judged(known, target)
        assert (found.reason, found.enforced) == (REFUSED, True)


@pytest.mark.parametrize("mode", Mode)
def test_nobody_else_gets_one_in_any_mode(mode: Mode, tmp_path: Path) -> None:
    known = policy(tmp_path, "driver_proxy.ssh")._replace(mode=mode)
    stranger = [
        (name, b"Bearer " + TOKEN[::-1] if name == b"Authorization" else value) for name, value in asking()
    ]
    nobody = [each for each in asking() if each[0] != b"Authorization"]
    for headers, reason in ((stranger, Reason.UNKNOWN_TOKEN), (nobody, Reason.MISSING_CREDENTIAL)):
        found = judged(known, headers=headers)
        assert (found.reason, found.enforced) == (reason, True)
    for target in (b"/oidc/v1/token", b"/.well-known/databricks-config"):
        assert not judged(known, target, nobody).forwards
        assert not judged(known, target).forwards


@pytest.mark.parametrize("mode", Mode)
def test_a_flaw_goes_on_in_monitor_mode_but_not_as_a_websocket(mode: Mode, tmp_path: Path) -> None:
    known = policy(tmp_path, "driver_proxy.ssh")._replace(mode=mode)
    for headers, target in (
        (asking((b"X-Api-Key", b"1")), SSH),
        (asking(), SSH.replace(b"/7772", b"//7772")),
    ):
        assert not judged(known, target, headers).forwards


def test_the_rule_that_writes_its_name_opens_it(tmp_path: Path) -> None:
    known = policy(
        tmp_path, {"operation": "driver_proxy.ssh", "where": {"cluster_id": "0123-abc", "port": "7772"}}
    )
    assert judged(known).reason is Reason.ALLOWED_BY_RULE
    assert judged(known, SSH.replace(b"0123-abc", b"0123-abd")).reason is Reason.CONSTRAINT_NOT_MET
    assert judged(known, SSH.replace(b"/7772", b"%2F7772")).reason is not Reason.ALLOWED_BY_RULE
    # and not the GET, which a client could go on with
    plain = decide(known, read_request(h1(target=SSH)), "10.0.0.1", 0)
    assert plain.reason is Reason.NO_RULE_MATCHES


DENIES = {
    "its name": {"operation": "driver_proxy.ssh", "where": {"port": "7772"}},
    "a wildcard": {"operation": "driver_proxy.*", "where": {"cluster_id": "0123-abc"}},
    "the path of the GET that it is": "GET /driver-proxy-api/o/{w}/{c}/{port}/ssh",
    "a wider path": "GET /driver-proxy-api/{path...}",
    "the operation of the GET": {"operation": "driver_proxy.request", "where": {"port": "7772"}},
}


@pytest.mark.parametrize("deny", DENIES.values(), ids=DENIES)
def test_a_deny_of_it_or_of_the_get_that_it_is_denies_it(deny: Any, tmp_path: Path) -> None:
    known = policy(tmp_path, "driver_proxy.ssh", deny=[deny])
    assert judged(known).reason is Reason.DENIED_BY_RULE


@pytest.mark.parametrize("deny", ["driver_proxy.ssh", "driver_proxy.*", {"class": "execute"}], ids=str)
def test_a_deny_of_all_of_it_leaves_nothing_to_allow(deny: Any, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="can never allow anything"):
        policy(tmp_path, "driver_proxy.ssh", deny=[deny])


def test_keys_are_not_remembered() -> None:
    """Each handshake has a key of its own: kept, they would push out what all other clients send."""
    before = _usual_values.cache_info().currsize
    for number in range(600):
        key = base64.b64encode(number.to_bytes(16))
        read_request(h1(target=SSH, headers=asking(Sec_WebSocket_Key=key)))
    assert _usual_values.cache_info().currsize == before


@given(st.binary(max_size=60), st.sampled_from([b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions"]))
def test_whatever_is_offered_is_read_or_refused(value: bytes, name: bytes) -> None:
    found = tried(read_request, h1(target=SSH, headers=asking((name, value))))
    assert isinstance(found, Refused) or found.method == "WEBSOCKET"
