"""Properties of deciding by readings: what holds for every call, whatever it is made of."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from brickscope.catalog.catalog import operation_table
from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Mode, Policy
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from core.judged import policy
from core.wire import h1, h1_headers
from examples import examples
from reaching import reaching

UC, FILES = "/api/2.1/unity-catalog", "/api/2.0/fs/files/Volumes/main/raw"

# Rules around the names of which calls are made.
ALLOW: list[Any] = [
    *(f"{method} /{{p...}}" for method in ("GET", "POST", "PUT")),
    "GET /api/2.1/unity-catalog/tables/{t}",
    "GET /api/2.1/unity-catalog/tables/{t...}",
    "tables.get",
    {"operation": "tables.get", "where": {"full_name": {"prefix": "main.a."}}},
    {"operation": "tables.get", "where": {"full_name": ["main.a.t", "main.a.x/y", "main.a.t;v"]}},
    "quality_monitors.get",
    {"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/raw/"}}},
    {"operation": "files.download", "where": {"file_path": {"pattern": "/Volumes/main/raw/{f}"}}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/ada/"}}},
    {"operation": "workspace.export", "where": {"path": "/Workspace/Users/ada/t"}},
    {"operation": "jobs.run_now", "where": {"job_id": [7, 77]}},
    {"operation": "jobs.run_now", "where": {"job_id": 7}, "only": ["queue"]},
    {"operation": "jobs.run_now", "where": {"queue.enabled": {"one_of": [True], "optional": True}}},
    "jobs.run_now",
]
DENY: list[Any] = [
    "GET /api/2.1/unity-catalog/tables/main.a.t/monitor",
    "GET /api/2.1/unity-catalog/tables/main.a.t",
    {"operation": "tables.get", "where": {"full_name": "main.a.t"}},
    {"operation": "tables.get", "where": {"full_name": {"pattern": "main.{s}.x"}}},
    {"operation": "quality_monitors.get", "where": {"table_name": {"prefix": "main.a."}}},
    {"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/raw/t"}}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Workspace/Users/ada/x/"}}},
    {"operation": "workspace.export", "where": {"path": "/Users/ada/t"}},
    {"operation": "jobs.run_now", "where": {"job_id": 77}},
    {"operation": "jobs.run_now", "where": {"queue.enabled": True}},
    {"operation": "jobs.run_now", "where": {"notebook_params.t": {"prefix": "x"}}},
]


@cache
def compiled(allow: tuple[int, ...], deny: tuple[int, ...]) -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        return policy(Path(folder), *(ALLOW[each] for each in allow), deny=[DENY[each] for each in deny])


_PIECES = st.sampled_from(
    [
        "t",
        "x",
        "main.a.",
        "t",
        "x",
        "a",
        "/monitor",
        "%2F",
        "%2Fmonitor",
        "%252F",
        "%3F",
        "%23",
        ";",
        "%3B",
        "%20",
        "%74",
        "%7E",
        "%3A",
        ":t",
        "%C3%A9",
        "%EF%BD%94",
        "%25",
        "..",
        "%2E",
    ]
)
_NAME = st.lists(_PIECES, min_size=1, max_size=5).map("".join)
_FOLDERS = st.sampled_from(["/Users/ada/", "/Workspace/Users/ada/", "/Users//ada/", "Users/ada/", "/"])
_PAIRS = st.sampled_from(
    [
        "path=/Users/ada/t",
        "path=/Users/ada/x",
        "pat%68=/x",
        "Path=/x",
        "p%2561th=/x",
        "path[]=/x",
        "a=b;path=/x",
        "a=1?path=/x",
        "a=1",
    ]
)
_TARGETS = st.one_of(
    _NAME.map(lambda name: ("GET", f"{UC}/tables/main.a.{name}")),
    _NAME.map(lambda name: ("GET", f"{UC}/tables/{name}")),
    _NAME.map(lambda name: ("GET", f"{FILES}/{name}")),
    st.tuples(_FOLDERS, _NAME).map(lambda parts: ("GET", f"/api/2.0/workspace/export?path={''.join(parts)}")),
    st.lists(_PAIRS, max_size=3).map(lambda pairs: ("GET", f"/api/2.0/workspace/export?{'&'.join(pairs)}")),
)
_KEYS = st.sampled_from(
    [
        "job_id",
        "jobId",
        "job__id",
        "queue",
        "Queue",
        "notebook_params",
        "x",
        "only",
        "\uff4aob_id",
        "job_id\0x",
    ]
)
_VALUES = st.recursive(
    st.sampled_from([7, 77, 8, "7", "77", "07", 7.0, True, False, "true", "True", None, "", "x1", " x", "7\0", 2**63]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["enabled", "Enabled", "t", "T", "u"]), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
_BODIES = st.dictionaries(_KEYS, _VALUES, max_size=3).map(lambda body: json.dumps(body).encode())
_RULES, _DENIES = (
    st.lists(st.integers(0, len(rules) - 1), min_size=least, max_size=most, unique=True).map(
        lambda found: tuple(sorted(found))
    )
    for rules, least, most in ((ALLOW, 1, 2), (DENY, 0, 1))
)

Call = tuple[str, str, bytes]
CALLS = st.one_of(
    _TARGETS.map(lambda target: (*target, b"")),
    _BODIES.map(lambda body: ("POST", "/api/2.2/jobs/run-now", body)),
)


def read(call: Call) -> ApiRequest | None:
    """The call, read as the proxy reads it; None where it is refused before anybody is asked."""
    method, target, body = call
    length = [(b"Content-Length", str(len(body)).encode())] if body else []
    try:
        return read_request(h1(method.encode(), target.encode(), h1_headers(*length)))
    except Refused:
        return None


def judged(known: Policy, request: ApiRequest, body: bytes) -> Decision:
    try:
        return decide(known, request, "10.0.0.1", 0)
    except BodyNeeded:
        return decide(known, request, "10.0.0.1", 0, None, body)


# -- calls near a policy -----------------------------------------------------------------------------------------------

_TABLE, _EXPORTED, _STARTED = f"{UC}/tables/", "/api/2.0/workspace/export?path=", "/api/2.2/jobs/run-now"
BASES: list[Call] = [
    *(("GET", f"{_TABLE}main.a.{name}", b"") for name in ("t", "x", "t/monitor", "x%2Fy", "t%3Bv")),
    *(("GET", f"{FILES}/{name}", b"") for name in ("t", "x")),
    *(
        ("GET", f"{_EXPORTED}{path}", b"")
        for path in ("/Users/ada/t", "/Workspace/Users/ada/t", "/Users/ada/x/t")
    ),
    *(
        ("POST", _STARTED, json.dumps(body).encode())
        for body in (
            {"job_id": 7},
            {"job_id": 77},
            {"job_id": 7, "queue": {"enabled": True}},
            {"job_id": 7, "notebook_params": {"t": "x1"}},
        )
    ),
]
"""Calls that meet rules above, of those that allow and those that deny."""


class Near(NamedTuple):
    """A call, rules by which it was made, and one deny more."""

    call: Call
    allow: tuple[int, ...]
    deny: tuple[int, ...]
    more: int


@cache
def met(base: Call) -> tuple[list[int], list[int]]:
    """The rules that allow a call, and the denies that it meets, each by itself."""
    request = read(base)
    assert request is not None
    allowing = [each for each in range(len(ALLOW)) if judged(compiled((each,), ()), request, base[2]).allow]
    reasons = [judged(compiled((0, 1, 2), (each,)), request, base[2]).reason for each in range(len(DENY))]
    return allowing, [each for each, reason in enumerate(reasons) if reason is Reason.DENIED_BY_RULE]


_READ_TWICE = ["%2F", "%2Fx", "%252F", "%3Fx", "%23", ";x", "%3B", "%7E", "%74", "%25", "%EF%BD%94"]
"""Pieces of a path of which servers make more than one thing."""


@st.composite
def _changed(draw: st.DrawFn, base: Call, pieces: st.SearchStrategy[str], least: int) -> Call:
    """A call with a piece or two more in its name, or a member more in its body."""
    method, target, body = base
    if body:
        more = draw(st.dictionaries(_KEYS, _VALUES, min_size=least, max_size=1))
        return method, target, json.dumps({**json.loads(body), **more}).encode()
    last = max(target.rfind(sign) for sign in "/.") + 1
    for piece in draw(st.lists(pieces, min_size=least, max_size=2)):
        at = draw(st.sampled_from([len(target), len(target), last]))
        target = target[:at] + piece + target[at:]
    return method, target, body


@st.composite
def near(draw: st.DrawFn, *, denied: bool | None = None, several: bool = False) -> Near:
    """A call near rules that it meets. ``denied``: whether a deny is among them; None for either. ``several``: whether the
    call is to have more than one reading."""
    bases = [
        each
        for each in BASES
        if (met(each)[1] or not denied) and not (several and (each[2] or "?" in each[1]))
    ]
    base = draw(st.sampled_from(bases))
    allowing, denying = met(base)
    allow = {draw(st.sampled_from(allowing)), *draw(st.lists(st.sampled_from([0, 1]), max_size=1))}
    more = draw(st.sampled_from(denying or [0, 1, 2]))
    others = draw(st.lists(st.sampled_from([each for each in (1, 4, 10) if each not in denying]), max_size=1))
    meets = draw(st.booleans()) if denied is None else denied
    call = draw(_changed(base, st.sampled_from(_READ_TWICE), 1) if several else _changed(base, _PIECES, 0))
    return Near(call, tuple(sorted(allow)), tuple(sorted({*others, more} if meets else set(others))), more)


_FAR = st.builds(Near, CALLS, _RULES, _DENIES, st.integers(0, len(DENY) - 1))
"""Calls of all kinds, and whatever rules."""
ANY = st.one_of(near(denied=False), near(), _FAR)
SEVERAL, SEVERAL_DENIED = (
    st.one_of(*[near(denied=denied, several=True)] * 2, _FAR) for denied in (False, True)
)


@reaching(0.2, SEVERAL)
@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
def test_no_reading_of_an_allowed_call_is_denied(made: Near) -> bool:
    call = made.call
    request, known = read(call), compiled(made.allow, made.deny)
    if request is None or not judged(known, request, call[2]).allow:
        return False
    first = request.readings[0]
    alone = [judged(known, request._replace(readings=(each,)), call[2]) for each in request.readings]
    assert all(each.reason is not Reason.DENIED_BY_RULE for each in alone)
    plain = next(
        operation_table().match(request.method, reading.route)
        for reading, decision in zip(request.readings, alone, strict=True)
        if decision.allow and (reading.segments, reading.query) == (first.segments, first.query)
    )
    for reading, decision in zip(request.readings, alone, strict=True):
        if not decision.allow:
            # Only a name with separators in it, of an operation whose server knows such names, may look like more.
            assert plain is not None, reading
            assert plain.encoded, reading
            called = operation_table().match(request.method, reading.route)
            assert called is None or called.text == plain.text, reading
    return len(request.readings) > 1


@reaching(0.1, SEVERAL_DENIED)
@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
def test_a_call_is_denied_where_one_of_its_readings_is(made: Near) -> bool:
    call = made.call
    request, known = read(call), compiled((0, 1, 2), made.deny)
    if request is None or not request.readings:
        return False
    whole = judged(known, request, call[2])
    alone = [judged(known, request._replace(readings=(each,)), call[2]) for each in request.readings]
    denied = any(each.reason is Reason.DENIED_BY_RULE for each in alone)
    assert denied is (whole.reason is Reason.DENIED_BY_RULE)
    return denied and len(alone) > 1


@reaching(0.2, st.one_of(near(denied=False), near(denied=False), _FAR))
@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
def test_a_further_deny_never_allows_more(made: Near) -> bool:
    call, allow, deny, more = made
    request = read(call)
    if request is None:
        return False
    without = judged(compiled(allow, deny), request, call[2])
    with_it = judged(compiled(allow, tuple(sorted({*deny, more}))), request, call[2])
    assert without.allow or not with_it.allow
    return without.allow and not with_it.allow


@reaching(0.3, ANY)
@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
def test_a_call_is_judged_alike_each_time_and_by_each_copy_of_a_policy(made: Near) -> bool:
    call, allow, deny, _ = made
    request, again = read(call), read(call)
    if request is None or again is None:
        assert request is again
        return False
    first = judged(compiled(allow, deny), request, call[2])
    assert first == judged(compiled(allow, deny), again, call[2])
    assert first == judged(compiled.__wrapped__(allow, deny), again, call[2])
    return first.allow


@reaching(0.3, ANY)
@settings(max_examples=examples(800), deadline=None, suppress_health_check=list(HealthCheck))
def test_monitor_lets_go_on_what_enforce_denies_and_gives_the_same_reason(made: Near) -> bool:
    call = made.call
    request, known = read(call), compiled(made.allow, made.deny)
    if request is None:
        return False
    enforcing = judged(known, request, call[2])
    monitoring = judged(known._replace(mode=Mode.MONITOR), request, call[2])
    assert enforcing.enforced
    assert monitoring.enforced is enforcing.allow
    same = {"enforced": None, "mode": None}
    assert enforcing._replace(**same) == monitoring._replace(**same)
    return not enforcing.allow


# -- spellings of one object -------------------------------------------------------------------------------------------

EXPORT, RUN = "/api/2.0/workspace/export?path=", "/api/2.2/jobs/run-now"
# Of one object: an operation, the parameter by which rules name it, and calls that spell it in confirmed ways.
SUBMIT, IMPORT = "/api/2.2/jobs/runs/submit", "/api/2.0/workspace-files/import-file"


def submit(path: str) -> bytes:
    return json.dumps({"tasks": [{"notebook_task": {"notebook_path": path}}]}).encode()


SPELLINGS: dict[str, tuple[str, str, list[Any], list[Call]]] = {
    "a notebook in the query": (
        "workspace.export",
        "path",
        ["/Users/ada/x", "/Workspace/Users/ada/x", "/Users/ada/x/"],
        [("GET", f"{EXPORT}{path}", b"") for path in ("/Users/ada/x", "/Workspace/Users/ada/x/", "%2FUsers%2Fada%2Fx")],
    ),
    "a notebook in a task": (
        "jobs.submit",
        "tasks.notebook_task.notebook_path",
        ["/Users/ada/x", "/Workspace/Users/ada/x"],
        [
            ("POST", SUBMIT, submit(path))
            for path in ("/Users/ada/x", "/Workspace/Users/ada/x", "/Users/ada/x/")
        ],
    ),
    "a workspace file in the path": (
        "workspace.files_import",
        "path",
        ["/Users/ada/x", "/Workspace/Users/ada/x"],
        [
            ("POST", f"{IMPORT}/{path}", b"x")
            for path in ("Users/ada/x", "Workspace/Users/ada/x", "Workspace%2FUsers%2Fada%2Fx", "Users%2Fada%2Fx")
        ],
    ),
    "a table": (
        "tables.get",
        "full_name",
        ["main.a.t", "MAIN.A.T"],
        [("GET", f"{UC}/tables/{name}", b"") for name in ("main.a.t", "Main.A.t", "MAIN.A.T")],
    ),
    "a file of a volume": (
        "files.download",
        "file_path",
        ["/Volumes/main/raw/in/a.csv", "/Volumes/Main/Raw/In/a.csv"],
        [("GET", f"/api/2.0/fs/files/Volumes/{path}", b"") for path in ("main/raw/in/a.csv", "MAIN/raw/In/a.csv")],
    ),
    "a file of DBFS": (
        "dbfs.read",
        "path",
        ["/x/y", "dbfs:/x/y"],
        [("GET", f"/api/2.0/dbfs/read?path={path}", b"") for path in ("/x/y", "dbfs:/x/y", "dbfs%3A%2Fx%2Fy")],
    ),
    "a job": (
        "jobs.run_now",
        "job_id",
        [77, "77"],
        [("POST", RUN, body) for body in (b'{"job_id": 77}', b'{"job_id": "77"}', b'{"job\\u005fid": [77]}')],
    ),
    "a secret scope": (
        "secrets.get_secret",
        "scope",
        ["prod", "PROD"],
        [("GET", f"/api/2.0/secrets/get?key=k&scope={scope}", b"") for scope in ("prod", "Prod", "PROD")],
    ),
    "a truth value": (
        "jobs.run_now",
        "queue.enabled",
        [True, "true"],
        [("POST", RUN, body) for body in (b'{"queue": {"enabled": true}}', b'{"queue": {"enabled": "true"}}')],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPELLINGS)
def test_all_confirmed_spellings_of_an_object_are_judged_alike(case: str, tmp_path: Path) -> None:
    operation, parameter, named, calls = SPELLINGS[case]
    other = {"job_id": 8, "queue.enabled": False}.get(
        parameter, "/Users/ada/other" if "/" in str(named[0]) else "other"
    )
    for name in named:
        allowing = policy(tmp_path, {"operation": operation, "where": {parameter: name}})
        denying = policy(tmp_path, operation, deny=[{"operation": operation, "where": {parameter: name}}])
        elsewhere = policy(tmp_path, {"operation": operation, "where": {parameter: other}})
        beside = policy(tmp_path, operation, deny=[{"operation": operation, "where": {parameter: other}}])
        for call in calls:
            request = read(call)
            assert request is not None
            assert judged(allowing, request, call[2]).reason is Reason.ALLOWED_BY_RULE, (name, call)
            assert judged(denying, request, call[2]).reason is Reason.DENIED_BY_RULE, (name, call)
            assert judged(elsewhere, request, call[2]).reason is Reason.CONSTRAINT_NOT_MET, (name, call)
            assert judged(beside, request, call[2]).reason is Reason.ALLOWED_BY_RULE, (name, call)
