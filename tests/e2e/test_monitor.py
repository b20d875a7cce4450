"""Monitor mode on the wire: what no rule allows goes on as it came, with the reason it would be denied for; only what leaves
unknown whose it is, where it goes or where it ends is refused.

Judged by the bytes that the host got.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.gate import CATALOGS, HOST, POLICY, TOKEN, head
from e2e.proxy_process import ProxyProcess
from e2e.raw_client import open_tls, read_h1, send_h1
from e2e.raw_upstream import RawUpstream, running_raw

RUN = "/api/2.2/jobs/run-now"
MONITOR = (
    POLICY.replace("version: 1", "version: 1\nmode: monitor")
    + """\
      - operation: jobs.run_now
        where: {job_id: 1012}
      - GET /api/2.0/names/{name}
"""
)
JSON = "Content-Type: application/json"
OTHER_TOKEN = "dapi" + "ab12" * 8


def post(body: bytes, *lines: str) -> bytes:
    return head("POST", RUN, JSON, f"Content-Length: {len(body)}", *lines) + body


def chunked(*pieces: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head("POST", RUN, JSON, "Transfer-Encoding: chunked") + body + b"0\r\n\r\n"


GOES_ON: dict[str, tuple[bytes, str]] = {
    "what no rule allows": (head("GET", "/api/2.2/jobs/list"), "no_rule_matches"),
    "what no operation is": (head("GET", "/api/2.0/no/such"), "unknown_operation"),
    "a path with an empty segment": (head("GET", "/api/2.0//names/x"), "path_not_canonical"),
    "a slash at the end of the host": (head("GET", "//api/2.0/names/x"), "path_not_canonical"),
    "dot segments": (head("GET", "/api/2.0/names/%2e%2e"), "path_not_canonical"),
    "several readings": (head("GET", "/api/2.0/names/a%2Fb"), "unknown_operation"),
    "a cookie": (head("GET", CATALOGS, "Cookie: theme=dark"), "multiple_credentials"),
    "an odd header": (head("GET", CATALOGS, "X-Forwarded-Host: x"), "header_forbidden"),
    "another job": (post(b'{"job_id": 13}'), "constraint_not_met"),
    "no JSON": (post(b"job_id=1012"), "body_not_json"),
    "a body that is too large to be looked into": (post(b'{"job_id": "%s"}' % (b"1" * 70_000)), "too_large"),
    "the same in chunks": (chunked(b'{"job_id": "', b"1" * 70_000, b'"}'), "too_large"),
    "a bomb": (post(gzip.compress(b" " * 20_000_000), "Content-Encoding: gzip"), "too_large"),
    "compressed in another way": (post(b"\x1b\x0f\x00", "Content-Encoding: br"), "body_encoded"),
    "compressed and broken": (post(b"\x1f\x8bxxxx", "Content-Encoding: gzip"), "body_encoded"),
    "too much to judge": (post(b'{"job_id": [%s0]}' % (b"0," * 30_000)), "constraint_not_met"),
}
LENGTH = "Content-Length: 3"
STAYS: dict[str, tuple[bytes, str]] = {
    "a second Authorization": (
        head("GET", CATALOGS, f"Authorization: Bearer {OTHER_TOKEN}"),
        "multiple_credentials",
    ),
    "another name for it": (
        head("GET", CATALOGS, f"X-Authorization: Bearer {OTHER_TOKEN}"),
        "multiple_credentials",
    ),
    "a token in an odd header": (head("GET", CATALOGS, f"X-Note: {OTHER_TOKEN}"), "multiple_credentials"),
    "a token in the query": (head("GET", f"{CATALOGS}?a={OTHER_TOKEN}"), "multiple_credentials"),
    "two hosts": (head("GET", CATALOGS, "Host: other.cloud.databricks.com"), "header_duplicate"),
    "two lengths": (head("POST", RUN, LENGTH, "Transfer-Encoding: chunked") + b"abc", "header_forbidden"),
    "a length twice": (head("POST", RUN, LENGTH, LENGTH) + b"abc", "header_duplicate"),
    "a length by another name": (head("POST", RUN, "Content_Length: 3") + b"abc", "header_forbidden"),
    "that after a flaw": (
        head("POST", RUN, "X-Real-IP: x", "Content_Length: 3") + b"abc",
        "header_forbidden",
    ),
    "a folded line": (head("GET", CATALOGS, "X: a\r\n b"), "malformed_head"),
    "bare line feeds": (head().replace(b"\r\n", b"\n"), "malformed_head"),
    "an upgrade": (head("GET", CATALOGS, "Connection: upgrade", "Upgrade: websocket"), "upgrade_refused"),
    "chunks that are none": (
        head("POST", RUN, JSON, "Transfer-Encoding: chunked") + b"zz\r\n",
        "malformed_body",
    ),
    "trailers": (
        head("POST", RUN, JSON, "Transfer-Encoding: chunked") + b"0\r\nX: y\r\n\r\n",
        "trailers_refused",
    ),
}


@pytest.fixture(scope="module")
def raw(
    tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[ProxyProcess, RawUpstream]]:
    folder = tmp_path_factory.mktemp("monitor")
    limit = ("--set", "scope_body_limit=64KB")
    with running_raw(folder, proxy_authority, *limit, policy=MONITOR) as both:
        both[1].answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        yield both


def ask(raw: tuple[ProxyProcess, RawUpstream], request: bytes) -> tuple[int, bytes, dict[str, Any]]:
    """The status, what the host got, and the decision."""
    proxy, upstream = raw
    upstream.received.clear()
    upstream.whole = len(request)  # a host that answers sooner gets no more of it
    before = len(proxy.audit("decision"))
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        send_h1(sock, request)
        response = read_h1(sock)
        assert response is not None
        if response.status == 200:
            proxy.wait_for(lambda: b"".join(map(bytes, upstream.received)) == request)
    (decision,) = proxy.audit("decision")[before:]
    return response.status, b"".join(map(bytes, upstream.received)), decision


@pytest.mark.parametrize("name", GOES_ON)
def test_what_would_be_denied_goes_on_as_it_came(raw: tuple[ProxyProcess, RawUpstream], name: str) -> None:
    request, reason = GOES_ON[name]
    status, got, decision = ask(raw, request)
    assert (status, got) == (200, request)
    assert (decision["decision"], decision["enforced"], decision["mode"]) == ("deny", False, "monitor")
    assert (decision["subject"], decision["reason"]) == ("ci", reason)
    assert bool(decision.get("readings")) is (name == "several readings")


@pytest.mark.parametrize("name", STAYS)
def test_what_leaves_open_whose_it_is_or_where_it_ends_is_refused(
    raw: tuple[ProxyProcess, RawUpstream], name: str
) -> None:
    request, reason = STAYS[name]
    status, got, decision = ask(raw, request)
    assert (status, got) == (403, b"")
    assert (decision["decision"], decision["enforced"], decision["reason"]) == ("deny", True, reason)


def test_what_is_allowed_is_not_marked(raw: tuple[ProxyProcess, RawUpstream]) -> None:
    request = post(b'{"job_id": 1012}')
    status, got, decision = ask(raw, request)
    assert (status, got) == (200, request)
    assert (decision["decision"], decision["enforced"]) == ("allow", True)
    assert TOKEN not in raw[0].output
