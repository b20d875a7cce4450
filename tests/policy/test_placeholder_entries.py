"""Placeholders in a policy: a mark and the name of a credential, never more."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.core.decide import decide
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import BodyNeeded
from brickscope.core.placeholder import make_placeholder
from brickscope.core.policy import Policy
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from brickscope.policy.load import Loaded, load_policy
from brickscope.policy.problem import PolicyError
from core.wire import TOKEN, h1, h1_headers

PLACEHOLDER = make_placeholder(bytes(range(32)))
P, T = fingerprint(PLACEHOLDER.encode()), fingerprint(TOKEN)
RULES = "rule_sets:\n  r:\n    allow: [GET /a]\n"
BOTH = f"    fingerprint: {T}\n    placeholder: {P}\n    credential: store\n"


def load(folder: Path, token: str, more: str = "") -> Loaded:
    (folder / "p.yaml").write_text(f"version: 1\n{more}tokens:\n  ci:\n    rule_set: r\n{token}{RULES}")
    return load_policy(folder, 0)


def credentials(known: Policy) -> dict[str, str | None]:
    return {mark: subject.credential for mark, subject in known.tokens.items()}


def test_only_the_placeholder_is_exchanged(tmp_path: Path) -> None:
    assert credentials(load(tmp_path, BOTH).policy) == {T: None, P: "store"}


def test_a_placeholder_alone_makes_a_subject(tmp_path: Path) -> None:
    known = load(tmp_path, f"    placeholder: [{P}]\n    credential: store\n").policy
    assert credentials(known) == {P: "store"}


def test_the_credential_changes_the_revision(tmp_path: Path) -> None:
    one = load(tmp_path, BOTH).policy
    assert load(tmp_path, BOTH.replace("store", "other")).policy.revision != one.revision


@pytest.mark.parametrize("revoked", [P, T])
def test_what_is_revoked_is_worth_nothing(tmp_path: Path, revoked: str) -> None:
    known = load(tmp_path, BOTH, f"revoked: [{revoked}]\n").policy
    assert set(known.tokens) == {P, T} - {revoked}


WRONG = {
    "neither mark": ("", "the key 'fingerprint' is missing"),
    "no credential": (f"    placeholder: {P}\n", "the key 'credential' is missing"),
    "no placeholder": (
        f"    fingerprint: {T}\n    credential: store\n",
        "the key 'placeholder' is missing",
    ),
    "one mark twice": (BOTH.replace(T, P), "belongs to another token already"),
    "the placeholder itself": (BOTH.replace(P, PLACEHOLDER), "never write a token here"),
    "a command": (BOTH.replace("store", "[vault, read]"), "this must be one text and no list"),
    "a path": (BOTH.replace("store", "/run/secrets/x"), "a name has letters"),
    "a source": (f"{BOTH}    file: /run/secrets/x\n", "unknown key 'file'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_say_what_is_wrong_and_repeat_no_secret(tmp_path: Path, name: str) -> None:
    token, message = WRONG[name]
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, token)
    assert message in str(caught.value)
    assert PLACEHOLDER not in str(caught.value)


def test_monitor_is_said_to_be_of_no_use(tmp_path: Path) -> None:
    warnings = load(tmp_path, f"{BOTH}    mode: monitor\n").warnings
    assert [each for each in warnings if "nothing is exchanged" in each.message]


def test_a_placeholder_in_a_body_that_rules_look_into_is_refused(tmp_path: Path) -> None:
    rules = (
        "rule_sets:\n  r:\n    mode: monitor\n    allow: [{operation: jobs.run_now, where: {job_id: 7}}]\n"
    )
    (tmp_path / "p.yaml").write_text(
        f"version: 1\ntokens:\n  ci:\n    rule_set: r\n    fingerprint: {T}\n{rules}"
    )
    known = load_policy(tmp_path, 0).policy
    body = b'{"job_id": 7, "python_params": ["%b"]}' % PLACEHOLDER.encode()
    fields = h1_headers((b"Content-Length", str(len(body)).encode()))
    request = read_request(h1(b"POST", b"/api/2.2/jobs/run-now", fields))
    with pytest.raises(BodyNeeded):
        decide(known, request, "10.0.0.1", 0)
    decision = decide(known, request, "10.0.0.1", 0, None, body)
    assert (decision.reason, decision.forwards) == (Reason.PLACEHOLDER_MISPLACED, False)
