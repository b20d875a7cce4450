"""What must not be told: no record and no answer holds a credential of the call, wherever it stands."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from made_gate import POLICY, RULES, decisions, made, on_record

from brickscope.core.constraint import Constraint
from brickscope.core.constraint import Test as Condition
from brickscope.core.fingerprint import fingerprint
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Mode, Policy, Principals, Subject
from brickscope.core.reason import Reason
from brickscope.core.rule import Rule, RuleTable
from brickscope.core.template import parse_template
from brickscope.identity.directory import TokenDirectory
from brickscope.log.key import DigestKey
from brickscope.log.writer import AuditWriter
from brickscope.proxy.denial import Asked
from brickscope.proxy.gate import Gate, find_secrets
from core.oauth import CLAIMS, unsigned
from core.wire import HOST, TOKEN, h1, h1_headers

OWN = b"an-odd-secret-of-12"
BASIC = b"Basic dG9rZW46YW4tb2RkLXNlY3JldC1vZi0xMg=="  # token:an-odd-secret-of-12


@pytest.mark.parametrize(
    "value", [b"Bearer " + OWN, BASIC, b"Bearer  " + OWN, b"Digest " + OWN, b"bearer " + OWN, OWN]
)
def test_a_token_in_path_or_agent_is_in_no_record(gate: Gate, value: bytes) -> None:
    """Also where it is of no known shape, and where its header is refused."""
    fields = [(name, value if name == b"Authorization" else old) for name, old in h1_headers()]
    told = [(name, b"agent/" + OWN if name == b"User-Agent" else old) for name, old in fields]
    for wire in (h1(target=b"/api/" + OWN, headers=told), h1(b"get", b"/api/" + OWN, told)):
        verdict = on_record(gate, wire, "10.0.0.1")
        assert OWN.decode() not in str(verdict.asked)
        assert verdict.asked.path == "[redacted]"
    assert {(each["path"], each["user_agent"]) for each in decisions(gate)} == {("[redacted]", "[redacted]")}
    assert OWN not in gate.writer.path.read_bytes()


SECRETS: dict[str, tuple[bytes, bytes, set[bytes]]] = {
    "a bearer": (b"Authorization", b"Bearer " + OWN, {OWN}),
    "a pair": (b"Authorization", BASIC, {OWN, BASIC[6:]}),
    "in capitals": (b"AUTHORIZATION", b"Bearer " + OWN, {OWN}),
    "with blanks round the name": (b" authorization ", b"Bearer " + OWN, {OWN}),
    "for the proxy": (b"Proxy-Authorization", BASIC, {OWN, BASIC[6:]}),
    "Azure's second token": (b"X-Databricks-Azure-SP-Management-Token", OWN, {OWN}),
    "a cookie": (b"Cookie", b"DBAUTH=" + OWN, {b"DBAUTH=" + OWN}),
    "a token without a scheme": (b"Authorization", OWN, {OWN}),
    "a token after two schemes": (b"Authorization", b"Bearer Bearer " + OWN, {OWN}),
    "two tokens": (b"Authorization", b"Bearer " + OWN + b" " + OWN[::-1], {OWN, OWN[::-1]}),
    "something short": (b"Authorization", b"Bearer short", set()),
    "a short pair": (b"Authorization", b"Basic dG9rZW46YQ==", {b"dG9rZW46YQ=="}),
    "another header": (b"X-Note", b"Bearer " + OWN, set()),
    "nothing": (b"Authorization", b"", set()),
}


@pytest.mark.parametrize(("name", "value", "secrets"), SECRETS.values(), ids=SECRETS)
def test_what_must_not_be_told(name: bytes, value: bytes, secrets: set[bytes]) -> None:
    found = set(find_secrets(h1(headers=[(name, value)])))
    assert found == secrets or (b"Bearer" in value and found - {b"Bearer"} == secrets)


def test_azures_second_token_is_in_no_record_and_no_answer(gate: Gate) -> None:
    """Refused or read, in whatever else of the call it stands as well; also one that has no known shape."""
    own = [(b"X-Databricks-Azure-SP-Management-Token", OWN)]
    told = [(name, b"agent/" + OWN if name == b"User-Agent" else old) for name, old in h1_headers(*own)]
    for wire in (
        h1(headers=told),
        h1(target=b"/api/" + OWN, headers=told),
        h1(b"get", b"/api/" + OWN, told),
        h1(target=b"/api/" + OWN, headers=[*told, *own]),
    ):
        verdict = on_record(gate, wire, "10.0.0.1")
        assert not verdict.decision.forwards
        assert verdict.decision.reason is not Reason.AUDIT_UNAVAILABLE
        assert OWN.decode() not in f"{verdict.decision} {verdict.asked}"
    assert OWN not in gate.writer.path.read_bytes()
    assert OWN.decode() not in str(gate.tally.__dict__)


def test_parameters_are_told_by_digest_where_they_are_the_calls_own_secret(writer: AuditWriter) -> None:
    where = Constraint("name", "query", ("name",), Condition(one_of=frozenset({"x"})), "name is x")
    rules = RULES._replace(operations={"x.get": (OperationRule("x.get", "x.get", (where,), frozenset()),)})
    catalogue = RuleTable([Rule("GET", parse_template("/x"), "x.get")])
    gate = made(
        writer,
        Policy({fingerprint(OWN): Subject("ci", rules)}, {}, Mode.ENFORCE, "r", Principals(), catalogue),
    )
    fields = [(name, b"Bearer " + OWN if name == b"Authorization" else old) for name, old in h1_headers()]
    on_record(gate, h1(target=b"/x?name=" + OWN, headers=fields), "10.0.0.1")
    on_record(gate, h1(target=b"/x?name=x&" + OWN + b"=1", headers=fields), "10.0.0.1")
    first, second = decisions(gate)
    assert first["params"] == {"name": {"hmac_sha256": DigestKey(b"k").digest(OWN.decode())}}
    assert second["params"] == {"name": "x"}
    assert set(second["param_names"]) == {"name", f"hmac_sha256:{DigestKey(b'k').digest(OWN.decode())}"}
    assert OWN not in writer.path.read_bytes()


def test_a_denial_of_a_call_with_a_secret_in_it_tells_the_rest(gate: Gate) -> None:
    asked = on_record(gate, h1(b"GET", b"/api/" + TOKEN), "10.0.0.1").asked
    assert asked == Asked("GET", "[redacted]", HOST, oauth=False)
    assert on_record(gate, h1(b"GET", b"/oidc/" + TOKEN), "10.0.0.1").asked == Asked(
        "GET", "[redacted]", HOST, oauth=True
    )


def test_a_secret_in_the_method_is_not_told(gate: Gate) -> None:
    fields = [(name, b"Bearer " + OWN if name == b"Authorization" else old) for name, old in h1_headers()]
    assert on_record(gate, h1(OWN, headers=fields), "10.0.0.1").asked.method == "[redacted]"


def test_a_token_in_what_a_detail_names_is_in_no_record_and_no_answer(writer: AuditWriter) -> None:
    """A claim of a token that nobody has verified yet, and the name of a header."""

    async def fetch(url: str) -> bytes | None:
        raise AssertionError(url)

    known = POLICY._replace(principals=Principals({"sp": Subject("sp", RULES)}))
    gate = Gate(None, writer, known, TokenDirectory(fetch), DigestKey(b"k"))  # type: ignore[arg-type]
    for claim in (TOKEN, b64encode(b"token:" + TOKEN)):
        bearer = unsigned(
            '{"alg":"RS256","kid":"k"}', json.dumps({**CLAIMS, "client_id": claim.decode(), "sub": "x"})
        )
        fields = [
            (name, b"Bearer " + bearer if name == b"Authorization" else old) for name, old in h1_headers()
        ]
        assert on_record(gate, h1(headers=fields), "10.0.0.1").decision.detail == "[redacted]"
    named = on_record(gate, h1(headers=h1_headers((TOKEN + b"-token", b"x"))), "10.0.0.1")
    assert named.decision.detail == "[redacted]"
    reasons = ["unknown_principal", "unknown_principal", "multiple_credentials"]
    assert [(each["reason"], each["detail"]) for each in decisions(gate)] == [
        (each, "[redacted]") for each in reasons
    ]


def test_the_secrets_of_all_headers_are_known() -> None:
    fields = [
        (b"Authorization", b"Bearer first-secret"),
        (b"Cookie", b"second-secret"),
        (b"Authorization", b"third-secret"),
    ]
    assert set(find_secrets(h1(headers=fields))) >= {b"first-secret", b"second-secret", b"third-secret"}


@pytest.mark.parametrize("scheme", [b"Bearer ", b"Digest ", b""])
def test_from_which_length_on_something_is_a_secret(scheme: bytes) -> None:
    """Shorter texts stand in many others, and no credential has so few characters."""
    assert find_secrets(h1(headers=[(b"Authorization", scheme + b"12345678")])) != ()
    assert b"1234567" not in find_secrets(h1(headers=[(b"Authorization", scheme + b"1234567")]))


def test_a_bearer_is_found_as_it_was_sent() -> None:
    assert find_secrets(h1(headers=[(b"Authorization", b"Bearer 12345678")])) == (b"12345678",)
    pair = b"Basic " + b64encode(b"me:12345678")
    assert b"12345678" in find_secrets(h1(headers=[(b"Authorization", pair)]))
    assert b"1234567" not in find_secrets(
        h1(headers=[(b"Authorization", b"Basic " + b64encode(b"me:1234567"))])
    )
