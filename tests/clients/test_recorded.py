"""Recorded calls of clients that cannot be installed here, put through the decision by the client's own rule set."""

from __future__ import annotations

import re

import pytest

from brickscope.core.decide import decide
from brickscope.core.decision import Decision
from brickscope.core.pending import BodyNeeded
from brickscope.core.request import read_request
from brickscope.policy.load import load_policy
from clients.recorded_client import RecordedCall, RecordedClient, recorded_clients
from clients.roster import token_of
from clients.stage import RULES
from core.wire import HOST, h1, h2

CLIENTS = tuple(recorded_clients())
CALLS = [(client, call) for client in CLIENTS for call in client.calls]


def decided(client: RecordedClient, call: RecordedCall, http: int) -> Decision:
    bearer = [] if call.anonymous else [(b"Authorization", b"Bearer " + token_of(client.rule_set).encode())]
    fields = [*bearer, *call.fields]
    method, target = call.method.encode(), call.target.encode()
    if http == 2:
        lower = [(name.lower(), value) for name, value in fields]
        wire = h2(method, target, lower)._replace(ended=not call.body)
    else:
        wire = h1(method, target, [(b"Host", HOST.encode()), *fields])
    request, known = read_request(wire), load_policy(RULES / f"{client.rule_set}.yaml", 0).policy
    try:
        return decide(known, request, "10.0.0.1", 0)
    except BodyNeeded:
        return decide(known, request, "10.0.0.1", 0, None, call.body)


@pytest.mark.parametrize(
    ("client", "call"),
    CALLS,
    ids=[f"{client.name}: {call.method} {call.target[:60]}" for client, call in CALLS],
)
@pytest.mark.parametrize("http", [1, 2])
def test_a_recorded_call_is_decided_as_its_rule_set_says(
    client: RecordedClient, call: RecordedCall, http: int
) -> None:
    decision = decided(client, call, http)
    allowed = "allowed_without_credential" if call.anonymous else "allowed_by_rule"
    assert decision.reason.value == (call.reason or allowed), decision.detail


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_no_denial_has_words_that_make_its_client_try_again(client: RecordedClient) -> None:
    refused = [call for call in client.calls if call.reason]
    assert refused
    for call in refused:
        message = decided(client, call, 1).detail
        assert not [words for words in client.transient if re.search(words, message)]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_each_call_names_its_source(client: RecordedClient) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", client.repository)
    assert re.fullmatch(r"[0-9a-f]{40}|main", client.commit)
    assert client.retries_on_403
    assert all(
        re.search(r"\.(go|java|R|json|txt)$|^src/test/resources/", call.source) for call in client.calls
    )
