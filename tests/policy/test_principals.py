"""Service principals, users, logins and issuers in the policy: what is taken, and what is said when it is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brickscope.core.policy import Grant, Policy
from brickscope.policy.load import Loaded, load_policy, signature
from brickscope.policy.problem import PolicyError
from core.oauth import CLIENT_ID, jwk, key_set
from core.wire import HOST

RULES = "rule_sets:\n  r:\n    allow: [GET /x]\n"
A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
SP = f"service_principals:\n  etl:\n    client_id: {CLIENT_ID}\n    rule_set: r\n"


def load(folder: Path, text: str, **files: bytes) -> Loaded:
    (folder / "p.yaml").write_text(f"version: 1\n{RULES}{text}")
    for name, content in files.items():
        (folder / f"{name}.jwks.json").write_bytes(content)
    return load_policy(folder, 1_800_000_000)


def policy(folder: Path, text: str, **files: bytes) -> Policy:
    return load(folder, text, **files).policy


def test_a_service_principal_mints_by_default_and_nothing_else(tmp_path: Path) -> None:
    subject = policy(tmp_path, SP).principals.service_principals[CLIENT_ID]
    assert (subject.name, subject.grants) == ("etl", {Grant.CLIENT_CREDENTIALS})


def test_grants_are_what_is_written(tmp_path: Path) -> None:
    subject = policy(tmp_path, SP + "    grants: [federation]\n").principals.service_principals[CLIENT_ID]
    assert subject.grants == {Grant.FEDERATION}


def test_every_kind_takes_the_same_bindings(tmp_path: Path) -> None:
    bindings = (
        f"    workspaces: [{HOST}, acme.databricks.com?o=123]\n    clients: [10.0.8.0/24]\n"
        "    expires: 2030-01-01\n    mode: monitor\n"
    )
    known = policy(
        tmp_path,
        f"tokens:\n  t:\n    fingerprint: {A}\n    rule_set: r\n{bindings}{SP}{bindings}"
        f"users:\n  u:\n    sub: a@b.c\n    rule_set: r\n{bindings}"
        f"logins:\n  l:\n    client_id: databricks-cli\n    grants: [refresh]\n{bindings}",
    )
    principals = known.principals
    every = [
        known.tokens[A],
        principals.service_principals[CLIENT_ID],
        principals.users["a@b.c"],
        principals.logins[0],
    ]
    for each in every:
        assert each.workspaces == {HOST, "acme.databricks.com?o=123"}
        assert (str(each.clients and each.clients[0]), each.mode) == ("10.0.8.0/24", "monitor")
        assert each.expires


def test_a_token_that_is_being_replaced_has_two_fingerprints(tmp_path: Path) -> None:
    tokens = policy(tmp_path, f"tokens:\n  t:\n    fingerprint: [{A}, {B}]\n    rule_set: r\n").tokens
    assert tokens[A] is tokens[B]
    assert tokens[A].name == "t"


def test_an_issuer_with_a_key_file_is_read_again_when_the_file_changes(tmp_path: Path) -> None:
    issuer = f"issuers:\n  ws:\n    issuer: https://{HOST}/oidc\n    keys_file: ws.jwks.json\n"
    first = load(tmp_path, SP + issuer, ws=key_set())
    assert list(first.policy.principals.issuers[f"https://{HOST}/oidc"].keys.keys) == ["key-1"]  # type: ignore[union-attr]
    assert first.signature == signature(tmp_path)
    second = load(tmp_path, SP + issuer, ws=key_set(jwk("key-2")))
    assert second.signature != first.signature
    assert second.policy.revision != first.policy.revision


def test_a_policy_of_tokens_alone_keeps_its_revision(tmp_path: Path) -> None:
    assert (
        policy(tmp_path, f"tokens:\n  t:\n    fingerprint: {A}\n    rule_set: r\n").revision
        == "0841a54a0ffb906b"
    )


def test_every_entry_changes_the_revision(tmp_path: Path) -> None:
    seen = set()
    for text in (
        SP,
        SP + "    grants: [federation]\n",
        SP + "    mode: monitor\n",
        SP + "users:\n  u:\n    sub: a@b.c\n    rule_set: r\n",
        SP + "logins:\n  l:\n    grants: [federation]\n",
        SP + "logins:\n  l:\n    grants: [federation]\n    client_id: x\n",
        SP + f"issuers:\n  ws:\n    issuer: https://{HOST}/oidc\n",
        SP + f"issuers:\n  ws:\n    issuer: https://{HOST}/oidc\n    hosts: ['*.example.com']\n",
    ):
        seen.add(policy(tmp_path, text).revision)
    assert len(seen) == 8


PRIVATE = json.dumps({"keys": [jwk() | {"d": "AQ"}]}).encode()
WRONG = {
    "no client id": (
        "service_principals:\n  a:\n    rule_set: r\n",
        "the issuer of these tokens is missing (add client_id:",
    ),
    "a secret for a client id": (
        f"service_principals:\n  a:\n    client_id: dose{'0' * 32}\n    rule_set: r\n",
        "this may be a secret",
    ),
    "a secret beside it": (SP + "    client_secret: hunter2hunter2\n", "unknown key 'client_secret'"),
    "a rule set that is none": (
        f"service_principals:\n  a:\n    client_id: {CLIENT_ID}\n    rule_set: q\n",
        "there is no rule set 'q'",
    ),
    "one client id for two": (
        SP + f"  other:\n    client_id: {CLIENT_ID}\n    rule_set: r\n",
        "the client_id belongs to another service principal already",
    ),
    "one name for two": (
        SP + "users:\n  etl:\n    sub: a@b.c\n    rule_set: r\n",
        "the service principal 'etl' is defined already",
    ),
    "a grant that is none": (
        SP + "    grants: [federated]\n",
        "'federated' is not a grant that can be named (did you mean 'federation'?)",
    ),
    "a grant that never can be": (SP + "    grants: [jwt_bearer]\n", "'jwt_bearer' is not a grant"),
    "no grants": (SP + "    grants: []\n", "the list is empty"),
    "grants that are null": (SP + "    grants:\n", "the key has no value"),
    "a login without grants": (SP + "logins:\n  l:\n    client_id: x\n", "the key 'grants' is missing"),
    "a user with a space": (
        SP + "users:\n  u:\n    sub: Alice Smith\n    rule_set: r\n",
        "this is not a login name",
    ),
    "three fingerprints": (
        f"tokens:\n  t:\n    fingerprint: [{A}, {B}, sha256:{'c' * 64}]\n    rule_set: r\n",
        "one fingerprint, or two while it is replaced",
    ),
    "one fingerprint twice": (
        f"tokens:\n  t:\n    fingerprint: [{A}, {A}]\n    rule_set: r\n",
        "the fingerprint belongs to another token already",
    ),
    "a token in the list": (
        f"tokens:\n  t:\n    fingerprint:\n      - {A}\n      - my-secret-token-text\n    rule_set: r\n",
        "may be a token itself",
    ),
    "a workspace with a path": (
        SP + "    workspaces: ['https://acme.databricks.com/?o=123']\n",
        "write acme.databricks.com?o=123",
    ),
    "a workspace with a word": (
        SP + "    workspaces: [acme.databricks.com?o=prod]\n",
        "a workspace is a plain",
    ),
    "an issuer in the clear": (
        SP + "issuers:\n  i:\n    issuer: http://x.example.com/oidc\n",
        "an https URL",
    ),
    "an issuer with a query": (
        SP + "issuers:\n  i:\n    issuer: https://x.example.com/oidc?x\n",
        "an https URL",
    ),
    "one issuer twice": (
        SP
        + "issuers:\n  i:\n    issuer: https://x.example.com/oidc\n  j:\n    issuer: https://x.example.com/oidc\n",
        "the issuer is defined already",
    ),
    "a key file that is not there": (
        SP + "issuers:\n  i:\n    issuer: https://x.example.com/oidc\n    keys_file: wz.jwks.json\n",
        "there is no key file 'wz.jwks.json' (did you mean 'ws.jwks.json'?)",
    ),
    "a key file somewhere else": (
        SP + "issuers:\n  i:\n    issuer: https://x.example.com/oidc\n    keys_file: ../ws.jwks.json\n",
        "a key file is named NAME.jwks.json",
    ),
    "a private key": (
        SP + "issuers:\n  i:\n    issuer: https://x.example.com/oidc\n    keys_file: private.jwks.json\n",
        "can't be used: it holds a private or symmetric key",
    ),
    "a file and a place": (
        SP
        + "issuers:\n  i:\n    issuer: https://x.example.com/oidc\n    keys_file: ws.jwks.json\n"
        + "    keys_url: https://x.example.com/keys\n",
        "not both",
    ),
    "a host pattern that is none": (
        SP + "issuers:\n  i:\n    issuer: https://x.example.com/oidc\n    hosts: ['*']\n",
        "is not a host pattern",
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, text, ws=key_set(), private=PRIVATE)
    said = str(error.value)
    assert expected in said
    for secret in ("hunter2", "my-secret-token-text", f"dose{'0' * 32}"):
        assert secret not in said


def test_a_user_who_counts_everywhere_is_a_warning(tmp_path: Path) -> None:
    warnings = load(tmp_path, "users:\n  u:\n    sub: a@b.c\n    rule_set: r\n").warnings
    (warning,) = [each for each in warnings if "no call that the catalogue knows" not in each.message]
    assert "the user 'u' is accepted on every host" in str(warning)
