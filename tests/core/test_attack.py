"""Calls of somebody who holds a narrow token, made from a grammar and judged by an oracle that knows nothing of the code.

Everything that is allowed has to be surely meant by the policy, as ``meant.py`` has it. Nothing may raise, and a further
deny may never allow more.
"""

# ruff: noqa: SIM905 - lists that read as words

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Policy
from brickscope.core.request import read_request
from core.judged import policy
from core.meant import CATALOGS, EXPORT, FILES, IMPORT, RUN, TABLES, Call, is_meant
from core.wire import h1, h1_headers

AMOUNT = 3000

ALLOW: list[Any] = [
    f"GET {CATALOGS}",
    {"operation": "tables.get", "where": {"full_name": {"prefix": "main.a."}}},
    {"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/raw/"}}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/ada/"}}},
    {"operation": "workspace.import_", "where": {"path": {"prefix": "/Users/ada/"}}},
    {"operation": "jobs.run_now", "where": {"job_id": [7, 77, 777]}, "only": ["queue"]},
]
DENY: list[Any] = [
    {"operation": "tables.get", "where": {"full_name": "main.a.secret"}},
    {"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/raw/v/secret/"}}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Workspace/Users/ada/secret/"}}},
    {"operation": "workspace.import_", "where": {"path": {"prefix": "/Workspace/Users/ada/secret/"}}},
    {"operation": "jobs.run_now", "where": {"job_id": 77}},
    {"operation": "jobs.run_now", "where": {"queue.enabled": True}},
]
FURTHER: list[Any] = [
    f"GET {TABLES}main.a.t",
    {"operation": "tables.get", "where": {"full_name": {"pattern": "main.{s}.t"}}},
    {"operation": "files.download", "where": {"file_path": "/Volumes/main/raw/v/a.csv"}},
    {"operation": "workspace.export", "where": {"path": "/Users/ada/x"}},
    {"operation": "jobs.run_now", "where": {"job_id": {"min": 100}}},
]


# -- the grammar -------------------------------------------------------------------------------------------------------

_OBJECTS = {
    TABLES: ["main.a.t", "main.a.secret", "main.a.x-1", "main.b.t", "MAIN.A.T", "Main.a.Secret"],
    FILES: ["v/a.csv", "v/secret/a.csv", "v/in/b.csv", "V/Secret/a.csv"],
    EXPORT: ["/Users/ada/x", "/Users/ada/secret/x", "/Workspace/Users/ada/x", "/Users/bob/x", "/Users/ada/secret"],
}  # fmt: skip
_PIECES = (
    "%2F ; %3B %3F %23 %25 %252F %2e %2E%2E .. . // / : %3A :run %00 %20 %09 %0a %7F %5C \\ ? # & = + %26 %3D "
    "%C3%A9 %EF%BC%8F %E2%88%95 %E3%80%82 %C0%AF %u002f %25u002f %E2%80%8B %EF%B8%8F ~ ~1 * ! @ , %2C secret "
    "%73ecret SECRET main.a.secret ..%2f..%2f ;x=1 ;path=/Users/bob/x /monitor /../ %2F.. ?path=x"
).split(" ")
_PAIRS = (
    "path=/Users/bob/x Path=/x p%61th=/x p%2561th=/x path[]=/x path.x=/x pa_th=/x path=/Users/ada/secret/x o=17 "
    "o=18 O=17 a=1;path=/Users/bob/x a=1?path=/x a=%26path=/x a=%3Bpath%3D/x format=SOURCE direct_download=true "
    "_method=DELETE access_token=x token=x full_name=main.b.t job_id=9 JobId=9 x=y = & ;path=/x %00path=/x "
    "path%00=/x page_token=abc workspace_id=9 path=/Users/ada/x"
).split(" ")
_FIELDS = [
    (b"X-Request-Id", b"1"), (b"Accept-Language", b"en"), (b"X-HTTP-Method-Override", b"DELETE"), (b"X-Tag", b"a"),
    (b"Authorization", b"Bearer dapi00000000000000000000000000000000"), (b"X-Forwarded-Host", b"evil"),
    (b"Cookie", b"a=b"), (b"Content-Type", b"text/plain"), (b"Transfer-Encoding", b"chunked"), (b"Host", b"evil"),
    (b"X-Original-URL", b"/x"), (b"Content-Length", b"0"), (b"X_Databricks_Token", b"x"), (b"Upgrade", b"h2c"),
    (b"X-Tag", b"dapi0123456789abcdef0123456789abcdef"), (b"X-Request-Id", b"a\tb"), (b"X-Request-Id", b"a\x00b"),
    (b"X-Databricks-Org-Id", b"17"), (b"Content-Encoding", b"br"), (b"Expect", b"200-maybe"), (b"TE", b"gzip"),
    (b"Trailer", b"x"), (b"X-Request-Id\xc2", b"1"), (b"Connection", b"authorization"), (b"content_length", b"3"),
]  # fmt: skip
_JOBS = (
    '7 | "7" | 777 | 77 | "77" | 8 | 07 | 7.0 | 7e0 | 77.0 | 7.7e1 | "7 " | " 7" | "\\u0037" | "\uff17" | '
    '"7\\u0000" | [7] | [7,77] | [] | [[7]] | {"id":7} | null | true | -7 | +7 | 70 | 0x7 | 1e999 | NaN | '
    '77777777777777777777 | 7,7 | "seven" | 7_7 | [null] | [true] | "77.0" | "+77"'
).split(" | ")
_KEYS = (
    "job_id queue jobId job-id JOB_ID job\\u005fid j\\u006fb_id job_id\\u0000 job__id \uff4aob_id notebook_params "
    "queue.enabled Queue x job_idx _job_id job_id[] python_params job_parameters"
).split(" ")
_QUEUES = (
    '{"enabled":false} {"enabled":true} {"Enabled":true} {"enabled":"true"} {"enabled":1} [] [["enabled",true]] '
    "null 5 {}"
).split(" ")
_PATHS = (
    '"/Users/ada/x" | "/Users/ada/secret/x" | "/Workspace/Users/ada/x" | "/Users/bob/x" | "\\/Users\\/ada\\/x" | '
    '"/Users/ada/../bob" | "/Users/ada//x" | "/Users/ada/x/" | "Users/ada/x" | ["/Users/ada/x"] | null | '
    '"/Users/ada/%73ecret/x" | "/Users/ada/secret" | "/Users/ada/ x" | "/users/ada/x" | "/Users/ada/x\\u0000" | '
    '"/Users/ada/\uff53\uff45\uff43\uff52\uff45\uff54/x" | "workspace:/Users/ada/x" | "/Users/ada"'
).split(" | ")


def _encoded(chance: Random, text: str) -> str:
    """A text with some of its characters as escapes, once or twice."""
    sign = chance.choice(["%", "%25"])
    return "".join(f"{sign}{ord(char):02X}" if chance.random() < 0.1 else char for char in text)


def _get(chance: Random) -> Call:
    head = chance.choice([CATALOGS, TABLES, FILES, EXPORT])
    call = Call("GET", head)
    if head in _OBJECTS:
        name = chance.choice(_OBJECTS[head])
        call = call._replace(target=f"{head}?path={name}" if head == EXPORT else head + name)
    return call


def _post(chance: Random) -> Call:
    kind = chance.choice(["run", "run", "import", "form"])
    job = chance.choice(_JOBS[:5] if chance.random() < 0.6 else _JOBS)
    path = chance.choice(_PATHS[:3] if chance.random() < 0.6 else _PATHS)
    if kind == "form":
        parts = [("path", path.strip('"'))]
        if chance.random() < 0.5:
            name = chance.choice(["format", "path", "Path", "content", "path[]"])
            parts.append((name, chance.choice(["SOURCE", "/Users/bob/x"])))
        body = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in parts
        )
        form = (b"Content-Type", b"multipart/form-data; boundary=b")
        return Call("POST", IMPORT, (form,), f"{body}--b--\r\n".encode())
    members = [("path", path)] if kind == "import" else [("job_id", job)]
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        key = chance.choice([*_KEYS, "queue", "queue", "queue", "path", "Path", "format"])
        members.append((key, chance.choice(_QUEUES if key == "queue" else [*_JOBS, *_PATHS])))
    chance.shuffle(members)
    body = "{" + ", ".join(f'"{key}": {value}' for key, value in members) + "}"
    return Call(
        "POST", IMPORT if kind == "import" else RUN, ((b"Content-Type", b"application/json"),), body.encode()
    )


def _escape(chance: Random, call: Call) -> Call:
    at = chance.randrange(8, len(call.target))
    return call.step("escape", target=call.target[:at] + _encoded(chance, call.target[at:]))


def _insert(chance: Random, call: Call) -> Call:
    at, piece = chance.randrange(8, len(call.target) + 1), chance.choice(_PIECES)
    if chance.random() < 0.5:
        at = len(call.target)
    return call.step(f"insert {piece}", target=call.target[:at] + piece + call.target[at:])


def _pair(chance: Random, call: Call) -> Call:
    pair = chance.choice(_PAIRS)
    return call.step(f"query {pair}", target=call.target + ("&" if "?" in call.target else "?") + pair)


def _field(chance: Random, call: Call) -> Call:
    field = chance.choice(_FIELDS)
    return call.step(f"header {field[0]!r}", headers=(*call.headers, field))


def _method(chance: Random, call: Call) -> Call:
    return call.step("method", method=chance.choice(["HEAD", "POST", "GET", "PUT", "DELETE", "get"]))


def _bytes(chance: Random, call: Call) -> Call:
    if not call.body:
        return call.step("a body", body=b'{"path": "/Users/bob/x"}')
    at = chance.randrange(len(call.body))
    piece = chance.choice(
        [b"\x00", b" ", b"\xff", b'"', b",", b"\xef\xbb\xbf", b"--b", b"\r\n", b"}", b"=1&job_id=9", b"\\"]
    )
    return call.step(f"body {piece!r}", body=call.body[:at] + piece + call.body[at:])


def _packed(chance: Random, call: Call) -> Call:
    packed = gzip.compress(call.body, mtime=0)
    twice = chance.random() < 0.3
    return call.step(
        "packed twice" if twice else "packed",
        body=packed + gzip.compress(b'{"job_id": 9}', mtime=0) if twice else packed,
        headers=(*call.headers, (b"Content-Encoding", b"gzip")),
    )


_STEPS: list[Callable[[Random, Call], Call]] = [
    _escape, _insert, _insert, _insert, _pair, _pair, _field, _method, _bytes, _bytes, _packed
]  # fmt: skip


def calls(seed: int, amount: int) -> Iterator[Call]:
    """Calls from the grammar: one near the policy, and up to three steps away from it."""
    chance = Random(seed)
    for _ in range(amount):
        call = chance.choice([_get, _post])(chance)
        for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
            call = chance.choice(_STEPS)(chance, call)
        yield call


# -- judging -----------------------------------------------------------------------------------------------------------


@cache
def compiled(further: int | None = None) -> Policy:
    with TemporaryDirectory() as folder:
        return policy(Path(folder), *ALLOW, deny=DENY if further is None else [*DENY, FURTHER[further]])


def judged(known: Policy, call: Call) -> Decision | Refused:
    length = () if not call.body else ((b"Content-Length", str(len(call.body)).encode()),)
    fields = h1_headers(*length, *call.headers)
    try:
        request = read_request(h1(call.method.encode(), call.target.encode("utf-8"), fields))
    except Refused as refused:
        return refused
    try:
        return decide(known, request, "10.0.0.1", 0)
    except BodyNeeded:
        return decide(known, request, "10.0.0.1", 0, None, call.body)


def allows(known: Policy, call: Call) -> bool:
    found = judged(known, call)
    return isinstance(found, Decision) and found.allow


@pytest.mark.no_cover  # a property
def test_whatever_is_allowed_is_surely_meant_and_a_further_deny_allows_nothing_more() -> None:
    counts: Counter[str] = Counter()
    for number, call in enumerate(calls(14, AMOUNT)):
        allowed = allows(compiled(), call)
        counts["allowed"] += allowed
        if allowed:
            assert is_meant(call), call
            counts[call.method] += 1
            counts["far"] += len(call.steps) > 1
        further = allows(compiled(number % len(FURTHER)), call)
        assert allowed or not further, call
        counts["taken away"] += allowed and not further
    assert counts["allowed"] > AMOUNT // 10, counts
    assert counts["GET"] > AMOUNT // 40, counts
    assert counts["POST"] > AMOUNT // 40, counts
    assert counts["far"] > AMOUNT // 100, counts
    assert counts["taken away"] > AMOUNT // 100, counts


JSON, FORM = (b"Content-Type", b"application/json"), (b"Content-Type", b"multipart/form-data; boundary=b")
# What official clients send, and people with curl.
OFFICIAL: dict[str, Call] = {
    "a list": Call("GET", CATALOGS),
    "a list with parameters": Call("GET", f"{CATALOGS}?max_results=100&page_token=abc%3D"),
    "a table": Call("GET", f"{TABLES}main.a.t?include_browse=true"),
    "a table in another case": Call("GET", f"{TABLES}Main.A.T"),
    "a table, its name quoted": Call("GET", f"{TABLES}main.a.t%2D1"),
    "a file": Call("GET", f"{FILES}v/a.csv"),
    "a notebook": Call("GET", f"{EXPORT}?path=%2FUsers%2Fada%2Fx&format=SOURCE&direct_download=true"),
    "a notebook by its long name": Call("GET", f"{EXPORT}?path=/Workspace/Users/ada/x"),
    "a run": Call("POST", RUN, (JSON,), b'{"job_id": 7}'),
    "a run by curl": Call("POST", RUN, ((b"Content-Type", b"application/x-www-form-urlencoded"),), b'{"job_id": 7}'),
    "a run with a queue": Call("POST", RUN, (JSON,), b'{"job_id": 777, "queue": {"enabled": false}}'),
    "a run, packed": Call("POST", RUN, (JSON, (b"Content-Encoding", b"gzip")), gzip.compress(b'{"job_id": "7"}', mtime=0)),
    "an import": Call("POST", IMPORT, (JSON,), b'{"path": "/Users/ada/x", "content": "eA==", "overwrite": true}'),
    "an import by form": Call(
        "POST", IMPORT, (FORM,), b'--b\r\nContent-Disposition: form-data; name="path"\r\n\r\n/Users/ada/x\r\n--b--\r\n'
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OFFICIAL)
def test_what_official_clients_send_is_allowed(name: str) -> None:
    assert is_meant(OFFICIAL[name])
    assert allows(compiled(), OFFICIAL[name]), judged(compiled(), OFFICIAL[name])
