"""Whom the policy does not name: denied, and sent on only where the whole proxy monitors and nobody's limits are passed."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.jwt_token import Claims
from brickscope.core.policy import Mode, Policy, Principals, Subject
from brickscope.core.reason import Kind, Reason
from brickscope.core.request import read_request
from core.oauth import ISSUER, signed, unsigned
from core.one_subject import ENFORCE, MONITOR, policy, rule_set
from core.wire import TOKEN, h1, h1_headers

UNNAMED = {
    "an unknown token": (b"Bearer other", Reason.UNKNOWN_TOKEN),
    "no credential": (None, Reason.MISSING_CREDENTIAL),
    "another scheme": (b"Digest x", Reason.UNSUPPORTED_CREDENTIAL),
}


@pytest.mark.parametrize(("authorization", "reason"), UNNAMED.values(), ids=UNNAMED)
@pytest.mark.parametrize("mode", [ENFORCE, MONITOR])
def test_nobody_goes_on_only_when_the_whole_proxy_monitors(
    authorization: bytes | None, reason: Reason, mode: Mode
) -> None:
    fields = [field for field in h1_headers() if field[0] != b"Authorization"]
    if authorization is not None:
        fields.append((b"Authorization", authorization))
    decision = decide(policy(mode), read_request(h1(headers=fields)), "10.0.8.7", 0)
    assert (decision.allow, decision.reason, decision.forwards) == (False, reason, mode is MONITOR)
    assert decision.subject is None


ENFORCED = Principals(
    {"sp": Subject("sp", rule_set(), ENFORCE)}, {"al@a.b": Subject("al", rule_set(), ENFORCE)}
)
MAY_BE_ENFORCED = {
    "Basic of another user": b"Basic " + b64encode(b"bob:" + TOKEN),
    "Basic of it as the user": b"Basic " + b64encode(TOKEN + b":"),
    "another scheme": b"Token " + TOKEN,
    "no scheme": TOKEN,
    "with a letter encoded": b"Token %64" + TOKEN[1:],
    "in quotes": b'Token token="%b"' % TOKEN,
    "with a tail": b"Bearer " + TOKEN + b"=",
    "a token that is not verified": b"Bearer " + signed(client_id="sp", sub="sp"),
    "that by Basic": b"Basic " + b64encode(b"token:" + signed(client_id="sp", sub="sp")),
    "that of an account": b"Bearer " + signed(iss=f"{ISSUER}/accounts/1", client_id="sp", sub="sp"),
    "a person's": b"Bearer " + signed(client_id="cli", sub="al@a.b"),
    "one that names no key": b"Bearer " + unsigned('{"alg": "RS256"}'),
}
NOBODYS = {
    "another token": b"Bearer " + TOKEN[::-1],
    "another one by Basic": b"Basic " + b64encode(b"bob:" + TOKEN[::-1]),
    "a token of somebody else": b"Bearer " + signed(client_id="x", sub="x"),
    "no token": b"Digest x",
}


@pytest.mark.parametrize("name", [*MAY_BE_ENFORCED, *NOBODYS])
def test_what_may_be_the_credential_of_a_subject_in_enforce_is_not_sent_by_a_proxy_that_monitors(
    name: str,
) -> None:
    authorization = {**MAY_BE_ENFORCED, **NOBODYS}[name]
    fields = [(each, authorization if each == b"Authorization" else value) for each, value in h1_headers()]
    request = read_request(h1(headers=fields))

    class NotVerified:
        def verify(self, *_: Any, **__: Any) -> Claims:
            raise Refused(Reason.WRONG_ISSUER, "the token's issuer is none of these here")

    for mode, subjects in ((ENFORCE, ENFORCED), (MONITOR, Principals())):
        known = policy(MONITOR, rule_set(mode))._replace(principals=subjects)
        decision = decide(known, request, "10.0.8.7", 0, NotVerified())  # type: ignore[arg-type]
        assert decision.reason.kind is Kind.SUBJECT
        assert (decision.allow, decision.forwards) == (False, mode is MONITOR or name in NOBODYS)


def test_the_fingerprint_of_an_unknown_token_is_told() -> None:
    fields = [(name, b"Bearer other" if name == b"Authorization" else value) for name, value in h1_headers()]
    decision = decide(policy(), read_request(h1(headers=fields)), "10.0.8.7", 0)
    assert decision.fingerprint == fingerprint(b"other")
    assert fingerprint(b"other") in decision.detail


def test_a_stranger_is_told_whole() -> None:
    known = Policy({}, {}, ENFORCE, "rev")
    found = decide(known, read_request(h1()), "10.0.8.7", 0)
    assert found == Decision(
        False,
        Reason.UNKNOWN_TOKEN,
        f"the policy names no token with the fingerprint {fingerprint(TOKEN)}",
        fingerprint=fingerprint(TOKEN),
        policy_revision="rev",
    )
    again = decide(known._replace(mode=MONITOR), read_request(h1()), "10.0.8.7", 0)
    assert again == found._replace(mode="monitor", enforced=False)
