"""An OAuth token is another one every hour: nothing that Brickscope says of one is to add its fingerprint to the policy."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from brickscope.analysis.logged_remedy import logged_remedy
from brickscope.cli.main import main
from brickscope.core.jwt_token import LIVES_AN_HOUR
from brickscope.core.reason import Reason
from brickscope.log.record import decision_fields
from brickscope.proxy.denial import Asked, message
from core import entra_tokens
from core.oauth import CLIENT_ID, ISSUER, jwk, key_set, signed
from core.wire import HOST
from identity.judged_token import decided
from identity.test_google import GOOGLE, KEYS, claims
from identity.test_google import HOST as GOOGLE_HOST
from lab.workspace.entra import HOST as AZURE_HOST

STRANGER = "99999999-0000-4000-8000-000000000009"
ENTRA = {"oid": STRANGER, "sub": STRANGER}
# What nobody of a policy is: the token, and where it is used.
TOKENS: dict[str, tuple[bytes, str]] = {
    "Databricks, of a service principal": (signed(client_id=STRANGER, sub=STRANGER), HOST),
    "Databricks, of a person": (signed(client_id="databricks-cli", sub="x@example.com"), HOST),
    "Databricks, of another workspace": (signed(iss="https://dbc-x.cloud.databricks.com/oidc"), HOST),
    "Entra ID, v1": (entra_tokens.token(entra_tokens.app_claims(**ENTRA, appid=STRANGER)), AZURE_HOST),
    "Entra ID, v2": (entra_tokens.token(entra_tokens.app_claims("2.0", **ENTRA, azp=STRANGER)), AZURE_HOST),
    "Entra ID, of a person": (entra_tokens.token(entra_tokens.person_claims(oid=STRANGER)), AZURE_HOST),
    "Google, an ID token": (
        entra_tokens.token(claims(sub="999999999999999999999", azp="999999999999999999999")),
        GOOGLE_HOST,
    ),
    "Google, an access token": (b"ya29.a0AfB_byC-abcdefghijklmnop", GOOGLE_HOST),
    "Google, an access token of a service account": (b"ya29.c.b0AUFJQsGabcdefghijkl.x", GOOGLE_HOST),
}
NONE = f"""\
version: 1
tokens:
  ci:
    fingerprint: sha256:{"a" * 64}
    rule_set: reader
rule_sets:
  reader:
    allow: [GET /api/2.1/unity-catalog/catalogs]
"""
PRINCIPALS = entra_tokens.POLICY.replace(
    "service_principals:\n",
    f"""\
issuers:
  google:
    issuer: {GOOGLE}
    keys_url: {KEYS}
    hosts: ["*.gcp.databricks.com"]
    audience: host
service_principals:
  own:
    client_id: {CLIENT_ID}
    rule_set: reader
""",
    1,
)
DOCUMENTS = {
    KEYS: key_set(),
    entra_tokens.V1_KEYS: key_set(jwk(issuer="https://login.microsoftonline.com/{tenantid}/v2.0")),
    entra_tokens.V2_KEYS: key_set(),
    f"{ISSUER}/jwks.json": key_set(),
}
EVERY = pytest.mark.parametrize(("token", "host"), TOKENS.values(), ids=TOKENS)


def run(*arguments: str, given: bytes = b"") -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments, input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@EVERY
def test_no_lines_for_the_policy_are_made_of_one(token: bytes, host: str) -> None:
    status, output = run("fingerprint", "--yaml", "ci", given=token)
    assert status == 2
    assert LIVES_AN_HOUR in output
    assert "sha256:" not in output
    assert token.decode() not in output


@EVERY
def test_its_bare_fingerprint_comes_with_a_warning(token: bytes, host: str) -> None:
    status, output = run("fingerprint", given=token)
    assert status == 0
    assert LIVES_AN_HOUR in output


@pytest.mark.parametrize("policy", [NONE, PRINCIPALS], ids=["tokens alone", "principals"])
@EVERY
def test_neither_the_403_nor_what_is_read_in_the_log_advises_it(
    token: bytes, host: str, policy: str, tmp_path: Path
) -> None:
    decision = decided(entra_tokens.load(tmp_path, policy), token, DOCUMENTS, host)
    assert not decision.allow
    assert decision.reason is not Reason.UNKNOWN_TOKEN
    text = message(decision, "00000001-1", Asked("GET", "/x", host))
    assert "fingerprint" not in text.lower()
    principal = decision.principal
    record: dict[str, Any] = decision_fields(decision) | {
        "server_address": host,
        "method": "GET",
        "path": "/x",
        "principal": None if principal is None else principal._asdict(),
    }
    remedy = logged_remedy(record)
    assert "fingerprint" not in str(remedy).lower()


@EVERY
def test_explain_asks_whose_it_is(token: bytes, host: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(PRINCIPALS)
    call = f"curl -H 'Authorization: Bearer {token.decode()}' https://{host}/api/2.1/unity-catalog/catalogs"
    status, output = run("explain", "--rules", str(tmp_path), call)
    assert status == 2
    assert f"{LIVES_AN_HOUR}: say with --subject who it is" in output
    assert "fingerprint" not in output.replace(LIVES_AN_HOUR, "")


@EVERY
def test_whoami_says_another_reason(token: bytes, host: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(NONE)
    status, output = run("whoami", "--rules", str(tmp_path), "--host", host, given=token)
    assert status == 1
    assert re.search(r"^reason: +unknown_principal$", output, re.M)
    (why,) = re.findall(r"^why: +(.*)$", output, re.M)
    assert "fingerprint" not in why


@EVERY
def test_doctor_says_nothing_of_one_that_clients_would_send(
    token: bytes, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = f"[DEFAULT]\nhost = https://{host}\ntoken = {token.decode()}\n"
    (tmp_path / ".databrickscfg").write_text(written)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DATABRICKS_CONFIG_FILE", raising=False)
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    monkeypatch.setenv("DATABRICKS_TOKEN", token.decode())
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed}")
    status, output = run("doctor", "--client", "curl")
    assert status == 1
    assert f"127.0.0.1:{closed} can't be reached" in output
    for wrong in ("fingerprint", "sha256:", token.decode()):
        assert wrong not in output


def test_what_is_looked_for_is_what_is_said_of_a_personal_access_token(tmp_path: Path) -> None:
    token = b"dapi" + b"0" * 32
    assert "sha256:" in run("fingerprint", "--yaml", "ci", given=token)[1]
    decision = decided(entra_tokens.load(tmp_path, NONE), token, {}, HOST)
    assert "fingerprint" in message(decision, "00000001-1", Asked("GET", "/x", HOST))
    remedy = logged_remedy(decision_fields(decision) | {"server_address": HOST, "principal": None})
    assert "fingerprint" in str(remedy)
    (tmp_path / "p.yaml").write_text(NONE)
    call = f"curl -H 'Authorization: Bearer {token.decode()}' https://{HOST}/x"
    assert "no token with the fingerprint" in run("explain", "--rules", str(tmp_path / "p.yaml"), call)[1]
