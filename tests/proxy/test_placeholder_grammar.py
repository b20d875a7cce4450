"""The holder of a placeholder as an enemy: requests from a grammar. Whatever is sent either has the real credential in the
one Authorization of an allowed call, or no placeholder at all, in any mode and on any path."""

from __future__ import annotations

import asyncio
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_gate import made

from brickscope.core.decision import Refused
from brickscope.core.entrusted import Entrusted, Kind, Source
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import NotYetKnown
from brickscope.core.placeholder import make_placeholder
from brickscope.identity.store import CredentialStore
from brickscope.log.writer import AuditWriter
from brickscope.policy.load import load_policy
from brickscope.proxy.gate import Gate
from brickscope.proxy.ruling import ask, rule
from brickscope.proxy.wire.events import Denied, Hold
from brickscope.proxy.wire.fields import read_request
from brickscope.proxy.wire.head import Cleared, Door, Head, HeadScanner
from core.wire import HOST, TOKEN
from e2e.canary import leaks
from examples import examples

HELD = make_placeholder(bytes(range(32)))
OTHER = make_placeholder(bytes(32))
ELSEWHERE = make_placeholder(bytes([7]) * 32)
REAL = "dapi" + "ca1ab1e5" * 4
POLICY = f"""\
version: 1
mode: %s
tokens:
  etl: {{placeholder: {fingerprint(HELD.encode())}, credential: c, rule_set: r}}
  apart: {{placeholder: {fingerprint(ELSEWHERE.encode())}, credential: elsewhere, rule_set: r}}
  plain: {{fingerprint: {fingerprint(TOKEN)}, rule_set: r}}
rule_sets:
  r:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
      - PUT /api/2.0/fs/files/{{path...}}
      - operation: jobs.run_now
        where: {{job_id: 7}}
      - driver_proxy.ssh
"""
SENT: Counter[bool] = Counter()
"""How often a call was sent, by whether a placeholder was exchanged in it."""
ALLOWED = (
    "GET /api/2.1/unity-catalog/catalogs",
    "PUT /api/2.0/fs/files/",
    "POST /api/2.2/jobs/run-now",
    "GET /driver-proxy-api/",
)


@pytest.fixture(scope="module", params=["enforce", "monitor"])
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder: Path = tmp_path_factory.mktemp("grammar")
    (folder / "rules").mkdir()
    (folder / "rules" / "p.yaml").write_text(POLICY % request.param)
    (folder / "token").write_text(REAL)
    source = Source(file=str(folder / "token"))
    known = {
        "c": Entrusted("c", Kind.TOKEN, source, frozenset({HOST})),
        "elsewhere": Entrusted("elsewhere", Kind.TOKEN, source, frozenset({"dbc-b.cloud.databricks.com"})),
    }
    writer = AuditWriter(folder / "audit.jsonl", folder / "keys")
    yield made(writer, load_policy(folder / "rules", 0).policy, credentials=CredentialStore(known))
    writer.close()
    assert SENT[True] > 10, "too few were exchanged for this to say anything"


# -- the grammar --------------------------------------------------------------------------------------------------


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


holder = st.sampled_from(
    [HELD, HELD, HELD, OTHER, ELSEWHERE, TOKEN.decode(), HELD[:-1], HELD.lower(), HELD.upper()]
)
users = st.sampled_from(
    [
        "token",
        "token",
        "Token",
        "TOKEN",
        "",
        "bob",
        "token ",
        "token:",
        "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e",
    ]
)
pairs = st.one_of(
    st.builds("{}:{}".format, users, holder),
    st.builds("{}:".format, holder),
    holder,
    st.builds("{}:{}\n".format, users, holder),
    st.builds("\ufeff{}:{}".format, users, holder),
)
basics = st.builds(
    lambda pair, end: (
        (b64(pair) if end != "urlsafe" else urlsafe_b64encode(pair.encode()).decode()).rstrip(
            "=" if end == "bare" else ""
        )
        + ("=" if end == "more" else "")
    ),
    pairs,
    st.sampled_from(["", "", "bare", "more", "urlsafe"]),
)
percent = st.builds(
    lambda text, at: f"{text[:at]}%{ord(text[at]):02X}{text[at + 1 :]}", holder, st.integers(0, 20)
)
written = st.one_of(
    holder, percent, basics, st.builds('"{}"'.format, holder), st.builds("token={}".format, holder)
)
schemes = st.sampled_from(
    [
        "Bearer ",
        "Bearer ",
        "Basic ",
        "Basic ",
        "bearer ",
        "BASIC ",
        "Bearer",
        "Bearer  ",
        "Bearer\t",
        "Token ",
        "Digest ",
        "Negotiate ",
        "AWS4-HMAC-SHA256 ",
        "",
        "Bearer x, Bearer ",
        "Basic Og==, Basic ",
    ]
)
ends = st.sampled_from(["", "", "", " ", ",", ", Bearer x", "=", ";", "\t", " x"])
good = st.sampled_from([f"Bearer {HELD}", f"Basic {b64(f'token:{HELD}')}"])
authorization = st.one_of(good, good, st.builds("{}{}{}".format, schemes, written, ends))

names = st.sampled_from(
    [
        "Authorization",
        "authorization",
        "AUTHORIZATION",
        "Authorization_",
        "X-Authorization",
        "Proxy-Authorization",
        "Cookie",
        "X-Databricks-Azure-SP-Management-Token",
        "X-Note",
        "Referer",
        "User-Agent",
        "Host",
        "X-Forwarded-Host",
        "Trailer",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Key",
        "Upgrade",
        "Connection",
        "Expect",
        "TE",
        "Content-Length",
        "Transfer-Encoding",
        "Content-Type",
        "X-Databricks-Org-Id",
        "x-databricks-workspace-id",
        "Content-Encoding",
    ]
)
values = st.one_of(
    authorization,
    written,
    st.sampled_from(
        [
            HOST,
            "other.cloud.databricks.com",
            "websocket",
            "Upgrade",
            "close",
            "authorization",
            "100-continue",
            "trailers",
            "chunked",
            "0",
            "7",
            "a=b",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "13",
            "application/json",
            "gzip",
            "1234",
        ]
    ),
)
others = st.one_of(st.just([]), st.lists(st.tuples(names, values), max_size=2))
WEBSOCKET = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]
asked = st.sampled_from([[], [], [], WEBSOCKET])
paths = st.one_of(
    st.sampled_from(
        [
            "/api/2.1/unity-catalog/catalogs",
            "/api/2.1/unity-catalog/catalogs",
            "/api/2.0/fs/files/Volumes/a/b",
            "/api/2.2/jobs/run-now",
            "/api/2.0/sql/warehouses",
            "/.well-known/databricks-config",
            "/oidc/v1/token",
            "/oidc/.well-known/openid-configuration",
            "/OIDC/v1/token",
            "/oidc/jwks.json",
            "/aad/auth",
            "//api",
            "/api/../x",
            "/",
            "/driver-proxy-api/o/0/0123-abc/7772/ssh?id=1",
            "https://token:x@other.example/",
            f"https://{HOST}/api/2.1/unity-catalog/catalogs",
        ]
    ),
    st.builds("/api/2.0/fs/files/{}".format, written),
    st.builds("https://token:{}@{}/api".format, holder, st.just(HOST)),
)
queries = st.one_of(
    *[st.just("")] * 4,
    st.builds(
        "?{}={}".format, st.sampled_from(["o", "x", "token", "access_token", "q"]), st.one_of(values, written)
    ),
    st.builds("?{}".format, written),
    st.builds(";{}={}".format, st.sampled_from(["jsessionid", "x"]), written),
)
usual = st.sampled_from(
    [
        ("GET", "/api/2.1/unity-catalog/catalogs"),
        ("PUT", "/api/2.0/fs/files/Volumes/a/b"),
        ("POST", "/api/2.2/jobs/run-now"),
    ]
)
methods = st.sampled_from(["GET", "GET", "GET", "PUT", "POST", "POST", "HEAD", "CONNECT"])
calls = st.one_of(usual, st.tuples(methods, paths))
bodies = st.one_of(
    st.just(""),
    st.sampled_from(
        ['{"job_id": 7}', "grant_type=client_credentials", "grant_type=client_credentials&client_id=a"]
    ),
    st.builds('{{"job_id": 7, "x": "{}"}}'.format, written),
    st.builds("grant_type=client_credentials&client_id=a&client_secret={}".format, written),
    st.builds("grant_type=refresh_token&client_id=a&refresh_token={}".format, written),
)


# -- what is true of every one ------------------------------------------------------------------------------------


def ruled(gate: Gate, head: Head, refused: Refused | None, body: bytes) -> Cleared | Denied:
    """As the data path has it: with the body where that is asked for, and what has to be fetched."""
    settled: tuple[str, ...] = ()
    held: bytes | None = None
    for _ in range(4):
        try:
            asked = ask(gate, head, "10.0.0.1", body=held, refused=refused, settled=settled)
            found = asked if isinstance(asked, Hold) else rule(gate, head, asked)
        except NotYetKnown as unknown:
            if unknown.url.startswith("credential:"):
                asyncio.run(gate.learn(unknown))
            settled = (*settled, unknown.url)
            continue
        if not isinstance(found, Hold):
            assert isinstance(found, Cleared | Denied)
            return found
        held = body
    raise AssertionError("it has no end")


def fetch(gate: Gate) -> None:
    """Have the credential at hand: a task of another loop can't be waited for."""
    held = gate.credentials._hold(gate.credentials.known["c"], HOST)
    if held.secret is None:
        asyncio.run(gate.credentials._run(held))


def check(gate: Gate, head: Head, found: Cleared | Denied, sent: bytes, before: bytes) -> None:
    """``sent``: its bytes with the head that is sent; ``before``: as the client wrote it."""
    if isinstance(found, Denied):
        assert leaks([REAL], {"answer": found.answer.body + str(found.answer).encode()}) == []
        return
    SENT[found.placed is not None] += 1
    if found.placed is None:
        assert REAL.encode() not in sent
        assert sent == before
    else:
        wire = head.wire
        assert f"{wire.method.decode()} {wire.target.decode()}".startswith(ALLOWED)
        assert sent.count(REAL.encode()) == 1
        assert f"Bearer {REAL}".encode() in sent
    last = (
        gate.writer.path.read_bytes().rstrip(b"\n").rpartition(b"\n")[2] if found.placed is not None else b""
    )
    assert REAL.encode() not in last
    assert_without_placeholder(sent)


def assert_without_placeholder(sent: bytes) -> None:
    """None whole anywhere, none encoded in a query, and no part of one in Authorization in any form."""
    target = (
        sent.partition(b"\r\nHost:")[0]
        if sent[:1] != b":"
        else sent.partition(b":path: ")[2].partition(b"\r")[0]
    )
    query = unquote_to_bytes(target.partition(b"?")[2])
    for each in (HELD, OTHER, ELSEWHERE):
        assert each.encode() not in sent + query + unquote_to_bytes(query)
    for line in sent.split(b"\r\n"):
        if line.lower().startswith(b"authorization:"):
            assert leaks([HELD, OTHER, ELSEWHERE], {"Authorization": line}) == []


@settings(
    max_examples=examples(2000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls, queries, authorization, others, asked, bodies)
def test_over_http1(
    gate: Gate, call: tuple[str, str], query: str, value: str, more: Any, websocket: Any, body: str
) -> None:
    method, path = call
    fetch(gate)
    lines = [("Host", HOST), ("Authorization", value), *more, *websocket]
    if body:
        lines.append(("Content-Length", str(len(body.encode()))))
    text = (
        f"{method} {path}{query} HTTP/1.1\r\n"
        + "".join(f"{name}: {line}\r\n" for name, line in lines)
        + "\r\n"
    )
    try:
        head = HeadScanner(Door(HOST, 443, HOST, b"http/1.1")).read(text.encode("utf-8"), 0)
    except Refused:
        return
    if head is None:
        return
    found = ruled(gate, head, None, body.encode())
    raw = found.raw if isinstance(found, Cleared) else b""
    check(gate, head, found, raw, head.raw)


@settings(
    max_examples=examples(2000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    calls,
    queries,
    authorization,
    others,
    bodies,
    st.sampled_from([*[""] * 8, ":authority", ":path", ":scheme", ":protocol"]),
)
def test_over_http2(
    gate: Gate, call: tuple[str, str], query: str, value: str, more: Any, body: str, twice: str
) -> None:
    method, path = call
    fetch(gate)
    pseudo = [(":method", method), (":scheme", "https"), (":authority", HOST), (":path", path + query)]
    if twice:
        pseudo.append((twice, "websocket" if twice == ":protocol" else dict(pseudo)[twice]))
    fields = [*pseudo, ("authorization", value), *((name.lower(), line) for name, line in more)]
    encoded = tuple((name.encode(), line.encode("utf-8")) for name, line in fields)
    head, refused = read_request(Door(HOST, 443, HOST, b"h2"), encoded, ended=not body)
    found = ruled(gate, head, refused, body.encode())

    def shown(pairs: Any) -> bytes:
        return b"\r\n".join(b"%b: %b" % pair for pair in pairs)

    sent = shown(found.fields) if isinstance(found, Cleared) else b""
    check(gate, head, found, sent, shown(head.fields))
