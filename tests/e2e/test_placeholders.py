"""Placeholders through a real proxy: exchanged after the decision, or nothing is sent."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied, Unauthenticated

from brickscope.core.fingerprint import fingerprint
from e2e.exchanging import ALLOWED, DENIED, NEXT, PLACEHOLDERS, REAL, Exchanging, exchanging
from e2e.gate import HOST, TOKEN, call_status, head
from e2e.raw_client import H2Client, h2_headers, open_tls, read_h1, send_h1
from lab.workspace.issuer import CLIENT_SECRET

CI = PLACEHOLDERS["ci"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Exchanging]:
    os.environ["BRICKSCOPE_TEST_TOKEN"] = REAL
    try:
        with exchanging(tmp_path_factory.mktemp("exchange"), proxy_authority) as run:
            yield run
    finally:
        del os.environ["BRICKSCOPE_TEST_TOKEN"]


@pytest.fixture(autouse=True)
def fresh(run: Exchanging, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("DATABRICKS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", run.gate.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(run.gate.ca))
    run.gate.clear()


def last(run: Exchanging) -> dict[str, object]:
    return run.gate.proxy.audit("decision")[-1]


@pytest.mark.parametrize("name", ["ci", "variable", "command"])
def test_each_source_gives_what_is_sent(run: Exchanging, name: str) -> None:
    assert call_status(run.gate, token=PLACEHOLDERS[name]) == 200
    assert run.sent() == [f"Bearer {REAL}".encode()]
    record = last(run)
    assert record["subject"] == name
    assert record["fingerprint"] == fingerprint(PLACEHOLDERS[name].encode())
    assert record["credential"] == {"ci": "file"}.get(name, name)
    assert record["credential_fingerprint"] == fingerprint(REAL.encode())


def test_one_value_is_changed_and_nothing_else(run: Exchanging) -> None:
    lines = ("AUTHORIZATION:  Bearer " + CI, "X-Odd:   kept  as it is", "Accept: */*")
    with open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca) as sock:
        send_h1(sock, head("GET", ALLOWED, *lines, token=None))
        assert read_h1(sock).status == 200  # type: ignore[union-attr]
    (request,) = run.gate.workspace.requests
    sent = head("GET", ALLOWED, *lines, token=None).replace(CI.encode(), REAL.encode())
    assert [(name, value) for name, value in request.headers] == [
        tuple(part.strip(b" ") for part in line.split(b":", 1)) for line in sent.split(b"\r\n")[1:-2]
    ]


def test_over_http2_as_well(run: Exchanging) -> None:
    with open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        basic = b"Basic " + b64encode(f"token:{CI}".encode())
        for value in (b"Bearer " + CI.encode(), basic):
            more = [(b"authorization", value), (b"x-note", b"kept")]
            number = client.request(h2_headers("GET", ALLOWED, HOST, None, more))
            assert client.collect(number).status == 200
    assert run.sent() == [f"Bearer {REAL}".encode()] * 2
    for request in run.gate.workspace.requests:
        assert request.values(b"x-note") == [b"kept"]


def test_what_is_denied_is_not_sent(run: Exchanging) -> None:
    assert call_status(run.gate, DENIED, CI) == 403
    assert run.gate.workspace.requests == []
    record = last(run)
    assert (record["reason"], record["credential"]) == ("no_rule_matches", "file")
    assert "credential_fingerprint" not in record


REFUSED = {
    "a credential of another workspace": ("elsewhere", 403, "credential_not_allowed"),
    "a credential that the operator's file does not have": ("nowhere", 403, "credential_not_allowed"),
    "a command that fails": ("broken", 503, "credential_unavailable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_without_the_credential_nothing_is_sent(run: Exchanging, name: str) -> None:
    who, status, reason = REFUSED[name]
    with open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca) as sock:
        send_h1(sock, head(token=PLACEHOLDERS[who]))
        answer = read_h1(sock)
    assert answer is not None
    assert answer.status == status
    assert answer.values(b"x-brickscope-reason") == [reason.encode()]
    assert answer.values(b"retry-after") == ([b"5"] if status == 503 else [])
    assert json.loads(answer.body)["error_code"] == (
        "TEMPORARILY_UNAVAILABLE" if status == 503 else "PERMISSION_DENIED"
    )
    assert run.gate.workspace.requests == []
    assert last(run)["reason"] == reason
    assert call_status(run.gate, token=CI) == 200  # the others go on


def test_the_real_credential_itself_is_refused_unless_it_is_listed(run: Exchanging) -> None:
    assert call_status(run.gate, token=CI) == 200
    assert call_status(run.gate, token=REAL) == 403
    record = last(run)
    assert record["reason"] == "placeholder_bypassed"
    assert record["credential"] in ("file", "variable", "command")  # they are one and the same here
    assert call_status(run.gate, token=TOKEN) == 200
    assert "credential" not in last(run)


@pytest.mark.parametrize("how", ["body", "header", "gzip", "pieces"])
def test_an_answer_that_holds_it_is_cut_off(run: Exchanging, how: str) -> None:
    def cut() -> list[str]:
        errors = [outcome.get("error", "") for outcome in run.gate.proxy.audit("outcome")]
        return [error for error in errors if error.startswith("the answer held the credential that was sent")]

    before = len(cut())
    with open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca) as sock:
        send_h1(sock, head("GET", f"/reflect/{how}", token=CI))
        answer = read_h1(sock)
    assert answer is None or not answer.complete or answer.status == 502
    assert answer is None or REAL.encode()[:20] not in answer.body
    run.gate.proxy.wait_for(lambda: len(cut()) == before + 1)


@pytest.mark.parametrize("how", ["body", "header", "gzip", "pieces"])
def test_over_http2_it_is_reset(run: Exchanging, how: str) -> None:
    with open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        answer = client.collect(client.request(h2_headers("GET", f"/reflect/{how}", HOST, CI)))
        assert answer.status == 502 or answer.reset is not None
        assert REAL.encode()[:20] not in answer.body
        # and the connection goes on
        assert client.collect(client.request(h2_headers("GET", ALLOWED, HOST, CI))).status == 200


def test_a_part_of_it_passes_and_so_does_what_comes_late(run: Exchanging) -> None:
    for how in ("part", "late"):
        with open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca) as sock:
            send_h1(sock, head("GET", f"/reflect/{how}", token=CI))
            answer = read_h1(sock)
        assert answer is not None
        assert (answer.status, answer.complete) == (200, True)


# -- minted tokens ---------------------------------------------------------------------------------------------


def test_a_service_principal_is_minted_once_for_all(run: Exchanging) -> None:
    run.gate.workspace.issuer.requests.clear()
    assert [call_status(run.gate, token=PLACEHOLDERS["minted"]) for _ in range(3)] == [200] * 3
    forms = run.gate.workspace.issuer.requests
    assert forms == [{"grant_type": "client_credentials", "scope": "all-apis"}]
    assert len(set(run.sent())) == 1
    assert run.sent()[0].startswith(b"Bearer ey")


def test_a_401_is_passed_on_and_the_next_call_has_a_new_token(run: Exchanging) -> None:
    issuer = run.gate.workspace.issuer
    assert call_status(run.gate, token=PLACEHOLDERS["minted"]) == 200
    assert issuer.bearers is not None
    before = len(issuer.requests)
    issuer.bearers -= {value.decode().removeprefix("Bearer ") for value in run.sent()}
    assert call_status(run.gate, token=PLACEHOLDERS["minted"]) == 401
    assert len(issuer.requests) == before
    assert call_status(run.gate, token=PLACEHOLDERS["minted"]) == 200
    assert len(issuer.requests) == before + 1
    # A second time within the minute it is not forced.
    issuer.bearers -= {value.decode().removeprefix("Bearer ") for value in run.sent()}
    assert [call_status(run.gate, token=PLACEHOLDERS["minted"]) for _ in range(2)] == [401, 401]
    assert len(issuer.requests) == before + 1


# -- clients ---------------------------------------------------------------------------------------------------


def sdk(token: str) -> WorkspaceClient:
    return WorkspaceClient(config=Config(host=f"https://{HOST}", token=token, retry_timeout_seconds=2))


def test_the_official_sdk(run: Exchanging) -> None:
    client = sdk(CI)
    assert [catalog.name for catalog in client.catalogs.list()] == ["main", "samples"]
    with pytest.raises(PermissionDenied, match="Brickscope denied"):
        list(client.warehouses.list())
    assert set(run.sent()) == {f"Bearer {REAL}".encode()}


def test_files_go_both_ways(run: Exchanging) -> None:
    content = os.urandom(300_000)
    client = sdk(CI)
    client.files.upload("/Volumes/main/raw/in/a.bin", io.BytesIO(content), overwrite=True)
    (upload,) = [each for each in run.gate.workspace.requests if each.method == b"PUT"]
    assert upload.body_sha256 == hashlib.sha256(content).hexdigest()
    answer = client.files.download("/Volumes/main/raw/in/a.bin").contents
    assert answer is not None
    assert answer.read()
    assert set(run.sent()) == {f"Bearer {REAL}".encode()}


def test_round_the_proxy_a_placeholder_is_an_unknown_token(
    run: Exchanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(run.gate.workspace.ca_file))
    config = Config(host=f"https://localhost:{run.gate.workspace.port}", token=CI, retry_timeout_seconds=2)
    with pytest.raises(Unauthenticated):
        list(WorkspaceClient(config=config).catalogs.list())


@pytest.mark.parametrize("how", [("-H", f"Authorization: Bearer {CI}"), ("-u", f"token:{CI}")])
def test_curl(run: Exchanging, how: tuple[str, str]) -> None:
    command = ["curl", "-sS", "--cacert", str(run.gate.ca), *how, f"https://{HOST}{ALLOWED}"]
    found = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert [each["name"] for each in json.loads(found.stdout)["catalogs"]] == ["main", "samples"]
    assert run.sent() == [f"Bearer {REAL}".encode()]


# -- what changes while it runs --------------------------------------------------------------------------------


def test_a_file_that_is_replaced_is_read_anew(run: Exchanging) -> None:
    assert call_status(run.gate, token=CI) == 200
    run.write("token", NEXT)
    run.gate.proxy.wait_for(lambda: call_status(run.gate, token=CI) == 200 and NEXT in str(run.sent()[-1]))
    run.write("token", REAL)
    run.gate.proxy.wait_for(lambda: call_status(run.gate, token=CI) == 200 and REAL in str(run.sent()[-1]))


def test_a_file_that_is_emptied_takes_the_credential_away(run: Exchanging) -> None:
    assert call_status(run.gate, token=CI) == 200
    run.write("token", "")
    run.gate.proxy.wait_for(lambda: call_status(run.gate, token=CI) == 503, timeout=10)
    run.write("token", REAL)
    run.gate.proxy.wait_for(lambda: call_status(run.gate, token=CI) == 200, timeout=10)


def test_a_bad_edit_of_the_operators_file_changes_nothing(run: Exchanging) -> None:
    good = (run.folder / "credentials.yaml").read_text()
    run.write("credentials.yaml", f"version: 1\ncredentials: {{file: {{token: {REAL}}}}}\n")
    run.gate.proxy.wait_for(lambda: "the last good one stays in force" in run.gate.proxy.output)
    assert call_status(run.gate, token=CI) == 200
    fewer = json.loads(good)
    del fewer["credentials"]["file"]
    run.write("credentials.yaml", json.dumps(fewer))
    run.gate.proxy.wait_for(lambda: call_status(run.gate, token=CI) == 403)
    assert last(run)["reason"] == "credential_not_allowed"
    run.write("credentials.yaml", good)
    run.gate.proxy.wait_for(lambda: call_status(run.gate, token=CI) == 200)


def test_what_is_revoked_is_worth_nothing_within_a_second(run: Exchanging) -> None:
    rules = run.gate.proxy.folder.parent / "rules"
    assert call_status(run.gate, token=PLACEHOLDERS["variable"]) == 200
    revoked = json.dumps({"version": 1, "revoked": [fingerprint(PLACEHOLDERS["variable"].encode())]})
    (rules / "revoked.yaml").write_text(revoked)
    began = time.monotonic()
    run.gate.proxy.wait_for(lambda: call_status(run.gate, token=PLACEHOLDERS["variable"]) == 403)
    assert last(run)["reason"] == "unknown_placeholder"
    assert time.monotonic() - began < 5  # a second, on a machine that has time
    (rules / "revoked.yaml").unlink()


def test_no_secret_is_anywhere(run: Exchanging) -> None:
    with open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca) as sock:
        send_h1(sock, head("GET", ALLOWED, token=CI))
        assert read_h1(sock) is not None
    run.gate.proxy.wait_for(lambda: run.gate.proxy.audit("outcome"))
    for file in run.gate.proxy.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for secret in (REAL, NEXT, CLIENT_SECRET, CI):
                assert secret.encode() not in content, file
