"""The tables of headers and credentials, by lists that the tests hold themselves: no entry can be taken out unseen."""

from __future__ import annotations

import pytest

from brickscope.core.credential import find_query_flaw, holds_token
from brickscope.core.query import read_query
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from core.header_names import CREDENTIALS, ONCE, OVERRIDES, PSEUDO, QUERY_CREDENTIALS, TOKENS
from core.refusal import refusal, tried
from core.wire import TOKEN, h1, h1_headers, h2

BEARER = (b"authorization", b"Bearer " + TOKEN)


def judge_query(query: str) -> None:
    """Raises Refused for a query that no rule can allow."""
    flaw = find_query_flaw(read_query(query))
    if flaw is not None:
        raise flaw


def spellings(name: str) -> list[bytes]:
    """As HTTP/2, HTTP/1.1, capitals and CGI know it."""
    return [each.encode() for each in {name, name.title(), name.upper(), name.replace("-", "_")}]


def test_azures_second_token_is_read_under_its_one_name() -> None:
    """Whether it passes, the policy says (identity/test_second_token.py). Another spelling is a second credential."""
    name = "x-databricks-azure-sp-management-token"
    for spelling in (name, name.title(), name.upper()):
        assert read_request(h1(headers=h1_headers((spelling.encode(), b"x")))).management == b"x"
    for odd in (name.replace("-", "_"), name.replace("-", "."), f"{name}-"):
        reason, _ = refusal(read_request, h1(headers=h1_headers((odd.encode(), b"x"))))
        assert reason in (Reason.MULTIPLE_CREDENTIALS, Reason.HEADER_FORBIDDEN)


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_second_credential_is_refused(name: str) -> None:
    assert (
        refusal(read_request, h1(headers=h1_headers((name.encode(), b"x"))))[0] is Reason.MULTIPLE_CREDENTIALS
    )
    for spelling in spellings(name):
        reason, detail = refusal(read_request, h1(headers=h1_headers((spelling, b"secret-value"))))
        assert reason in (Reason.MULTIPLE_CREDENTIALS, Reason.HEADER_FORBIDDEN)
        assert "secret-value" not in detail
    assert (
        refusal(read_request, h2(headers=[BEARER, (name.encode(), b"x")]))[0] is Reason.MULTIPLE_CREDENTIALS
    )


ADVISED = {
    "x-api-key": "the Anthropic client sends Authorization with auth_token or ANTHROPIC_AUTH_TOKEN",
    "X-Goog-Api-Key": "the Google client sends Authorization by http_options(headers={'Authorization': 'Bearer ...'})",
    "api-key": "the OpenAI client sends Authorization with api_key, its Azure form with azure_ad_token",
}


def test_a_clients_own_key_is_refused_with_what_to_set_instead() -> None:
    for name, advice in ADVISED.items():
        found = refusal(read_request, h1(headers=h1_headers((name.encode(), b"x"))))
        assert found == (
            Reason.MULTIPLE_CREDENTIALS,
            f"the header {name.lower()!r} is a second credential; {advice}",
        )
    assert refusal(read_request, h1(headers=h1_headers((b"X-Auth-Token", b"x")))) == (
        Reason.MULTIPLE_CREDENTIALS,
        "the header 'x-auth-token' is a second credential",
    )


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_is_refused(name: str) -> None:
    for spelling in spellings(name):
        for wire in (h1(headers=h1_headers((spelling, b"x"))), h2(headers=[BEARER, (spelling, b"x")])):
            reason, detail = refusal(read_request, wire)
            assert reason is Reason.HEADER_FORBIDDEN
            assert name[:40] in detail.lower().replace("_", "-")


@pytest.mark.parametrize("name", PSEUDO)
def test_a_pseudo_header_spelt_as_a_header_is_refused(name: str) -> None:
    assert refusal(read_request, h2(headers=[BEARER, (name.encode(), b"x")]))[0] is Reason.HEADER_MALFORMED


ASKING = {
    "upgrade": Reason.UPGRADE_REFUSED,
    "sec-websocket-key": Reason.UPGRADE_REFUSED,
    "sec-websocket-version": Reason.UPGRADE_REFUSED,
    "trailer": Reason.TRAILERS_REFUSED,
}


@pytest.mark.parametrize(("name", "reason"), ASKING.items(), ids=ASKING)
def test_what_asks_for_another_protocol_or_for_trailers_is_refused(name: str, reason: Reason) -> None:
    assert refusal(read_request, h1(headers=h1_headers((name.encode(), b"x"))))[0] is reason
    assert refusal(read_request, h1(headers=h1_headers((name.title().encode(), b"x"))))[0] is reason


# a value with which the header may stand there once
VALUES = {
    "te": b"trailers",
    "expect": b"100-continue",
    "transfer-encoding": b"chunked",
    "connection": b"close",
}


@pytest.mark.parametrize("name", ONCE)
def test_what_decides_on_framing_or_routing_stands_there_once(name: str) -> None:
    value = VALUES.get(name, b"1")
    field = (name.encode(), value)
    headers = [each for each in h1_headers() if each[0].lower() != name.encode()]
    if name == "host":
        field = (b"host", dict(h1_headers())[b"Host"])
    assert not isinstance(tried(read_request, h1(headers=[*headers, field])), Exception)
    reason, detail = refusal(read_request, h1(headers=[*headers, field, (name.title().encode(), field[1])]))
    assert reason is Reason.HEADER_DUPLICATE
    assert name in detail


def test_two_authorizations_are_two_credentials() -> None:
    reason, detail = refusal(read_request, h1(headers=h1_headers(BEARER)))
    assert (reason, detail) == (Reason.MULTIPLE_CREDENTIALS, "there are two Authorization headers")


@pytest.mark.parametrize("name", QUERY_CREDENTIALS)
def test_a_credential_in_the_query_is_refused_by_its_name(name: str) -> None:
    for spelling in (
        name,
        name.upper(),
        name.replace("_", "-"),
        name.replace("-", "_"),
        f"%{ord(name[0]):02X}{name[1:]}",
    ):
        for query in (f"{spelling}=x", f"a=1&{spelling}=x", f"a=1;{spelling}=x", f"+{spelling}=x"):
            reason, detail = refusal(judge_query, query)
            assert reason is Reason.MULTIPLE_CREDENTIALS
            assert "is a second credential" in detail
            assert "'a'" not in detail


@pytest.mark.parametrize(
    "name",
    ["_method", "http_method", "method_override", "x-http-method-override", "x-http-method", "X-HTTP-Method"],
)
def test_a_parameter_that_overrides_the_method_is_refused_by_its_name(name: str) -> None:
    for query in (f"{name}=DELETE", f"a=1&{name}=x", f"a=1;{name}"):
        assert refusal(judge_query, query) == (
            Reason.HEADER_FORBIDDEN,
            f"the query parameter {name!r} could override the method that was judged",
        )


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_in_the_query_is_refused_by_its_shape(token: str) -> None:
    encoded = f"%{ord(token[0]):02X}{token[1:]}"
    for query in (f"q={token}", f"a=1&q={encoded}", f"q=x{token}", f"a=b;q=x+{token}+y"):
        reason, detail = refusal(judge_query, query)
        assert reason is Reason.MULTIPLE_CREDENTIALS
        assert "looks like a token" in detail
        assert "'q'" in detail or ";" in query
        assert token not in detail
    assert holds_token(f"({token})")
    reason, detail = refusal(judge_query, f"{token}={token}")
    assert token[:12] not in detail
    for query in (token, f"{token}=", f"{encoded}=x"):
        assert refusal(judge_query, query) == (
            Reason.MULTIPLE_CREDENTIALS,
            "the name of a query parameter looks like a token",
        )


@pytest.mark.parametrize(
    "text", ["dapi0123456789abcdef", "dapi", "eyJ", "eyJabcdefgh", "eyJab.cd", "a" * 80, "dapi" + "g" * 40]
)
def test_what_only_begins_like_a_token_is_none(text: str) -> None:
    assert not holds_token(text)
    assert tried(judge_query, f"q={text}&page_token=x&max_results=20") is None


def test_the_limits_of_headers() -> None:
    def wire(count: int, size: int) -> object:
        filling = [(b"x-%03d" % number, b"") for number in range(count - len(h1_headers()) - 1)]
        used = sum(len(name) + len(value) for name, value in [*h1_headers(), *filling])
        return tried(read_request, h1(headers=[*h1_headers(), *filling, (b"x-f", b"a" * (size - used - 3))]))

    assert not isinstance(wire(200, 60_000), Exception)
    assert not isinstance(wire(200, 64 * 1024), Exception)
    for count, size in ((201, 60_000), (200, 64 * 1024 + 1)):
        assert getattr(wire(count, size), "reason", None) is Reason.TOO_LARGE


MALFORMED = [b"a b", b"a:", b"a\x00", b"", b"\xe9", b"a(", b"a,b", b"a/b", b"x=y", b"x{"]


@pytest.mark.parametrize("name", MALFORMED)
def test_a_name_that_is_none_is_refused(name: bytes) -> None:
    for written in (name, name + b"(" + b"-" * 80):
        assert refusal(read_request, h1(headers=h1_headers((written, b"x"))))[0] is Reason.HEADER_MALFORMED


@pytest.mark.parametrize("byte", [*range(9), *range(10, 32), 127])
def test_a_control_character_in_a_value_is_refused(byte: int) -> None:
    reason, detail = refusal(read_request, h1(headers=h1_headers((b"X-Note", b"a" + bytes([byte]) + b"b"))))
    assert reason is Reason.HEADER_MALFORMED
    assert "'X-Note'" in detail


def test_a_tab_in_a_value_passes() -> None:
    assert not isinstance(tried(read_request, h1(headers=h1_headers((b"X-Note", b"a\tb")))), Exception)


def test_a_long_name_is_judged_like_a_short_one() -> None:
    long = b"x-forwarded-" + b"a" * 80
    reason, detail = refusal(read_request, h1(headers=h1_headers((long, b"x"))))
    assert reason is Reason.HEADER_FORBIDDEN
    assert len(detail) < 120
    assert not isinstance(tried(read_request, h1(headers=h1_headers((b"x-" + b"a" * 80, b"x")))), Exception)


def test_what_was_judged_once_is_judged_again_the_same() -> None:
    """Layouts of names are remembered; a refusal is not, and values are read from where they stand each time."""
    for _ in range(3):
        first = read_request(h1(headers=h1_headers((b"Content-Type", b"a/b"))))
        second = read_request(h1(headers=h1_headers((b"Content-Type", b"c/d"))))
        moved = read_request(h1(headers=[(b"Content-Type", b"e/f"), *h1_headers()]))
        assert (first.content_type, second.content_type, moved.content_type) == ("a/b", "c/d", "e/f")
        assert (
            refusal(read_request, h1(headers=h1_headers((b"Cookie", b"x"))))[0] is Reason.MULTIPLE_CREDENTIALS
        )
    many = [(b"x-%d" % number, b"") for number in range(60)]
    assert read_request(h1(headers=[*many, *h1_headers((b"Content-Type", b"g/h"))])).content_type == "g/h"
    assert (
        refusal(read_request, h1(headers=[*many, *h1_headers((b"Cookie", b"x"))]))[0]
        is Reason.MULTIPLE_CREDENTIALS
    )
