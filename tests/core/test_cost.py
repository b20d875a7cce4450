"""What judging one call may cost: long paths, odd letters and many names are bounded before they are looked at.

Each case took seconds, up to minutes, in which nobody else's call was judged; the runner's time limit would end it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from brickscope.core.object_path import read_import_path
from brickscope.core.parameters import MAX_FIELDS, MAX_SEPARATORS
from brickscope.core.query import MAX_PAIRS
from brickscope.core.reason import Reason
from core.judged import judged, policy

IMPORT, EXPORT, CREATE = "/api/2.0/workspace/import", "/api/2.0/workspace/export", "/api/2.2/jobs/create"
RULES: list[Any] = [
    {"operation": "workspace.import_", "where": {"path": {"prefix": "/Users/ada/"}}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/ada/"}}},
    {"operation": "jobs.create"},
    {"operation": "jobs.run_now", "where": {"job_id": 7}},
]
DENY: list[Any] = [
    {"operation": "workspace.import_", "where": {"path": {"prefix": "/Users/ada/secret/"}}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/ada/secret/"}}},
    {"operation": "jobs.create", "where": {"tasks.notebook_task.notebook_path": {"prefix": "/Users/ceo/"}}},
    {"operation": "jobs.run_now", "where": {"only": "secret"}},
]
ALLOWED, COMPLEX, DENIED = Reason.ALLOWED_BY_RULE, Reason.TOO_COMPLEX, Reason.DENIED_BY_RULE
PATHS = {
    "a long plain path": ("a/" * 32_000, ALLOWED),
    "a long path of odd letters": ("\u00e9/" * 32_000, COMPLEX),
    "a long path of escapes": ("%C3%A9/" * 9_000, COMPLEX),
    "a letter that stands for eighteen": ("\ufdfa", ALLOWED),
    "many of them": ("\ufdfa" * 1_000, DENIED),
    "more than are looked at": ("\ufdfa" * 60_000, COMPLEX),
    "a usual path with odd letters": ("\u00e9t\u00e9/n\u00b0 1/\u65e5\u672c\u8a9e" * 20, ALLOWED),
}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return policy(tmp_path_factory.mktemp("cost"), *RULES, deny=DENY)


@pytest.mark.parametrize(("rest", "reason"), PATHS.values(), ids=PATHS)
def test_one_path(known: Any, rest: str, reason: Reason) -> None:
    body = {"path": f"/Users/ada/{rest}", "content": "eA=="}
    assert judged(known, "POST", IMPORT, body).reason is reason


TEXTS = {
    "many long texts of plain letters": ("a" * 150, 90_000, ALLOWED),
    "three thousand Japanese names": ("\u65e5\u672c\u8a9e\u306e\u540d\u524d" * 4, 3_000, ALLOWED),
    "the longest text": ("\u65e5" * 64_000, 1, ALLOWED),
    "eight of them": ("\u65e5" * 64_000, 8, COMPLEX),
    "letters that stand for eighteen": ("\ufdfa" * 50, 100, ALLOWED),
    "many of them": ("\ufdfa" * 50, 9_000, COMPLEX),
    "few long texts of them": ("\ufdfa" * 8_000, 8, COMPLEX),
    "letters with marks": ("a\u0301" * 40, 90_000, COMPLEX),
}


@pytest.mark.parametrize(("text", "count", "reason"), TEXTS.values(), ids=TEXTS)
def test_many_texts(known: Any, text: str, count: int, reason: Reason) -> None:
    body = {"job_id": 7, "only": [f"{text}{at}" for at in range(count)]}
    raw = json.dumps(body, ensure_ascii=False).encode()
    assert judged(known, "POST", "/api/2.2/jobs/run-now", raw).reason is reason


def test_many_long_paths(known: Any) -> None:
    for part in ("\u00e9/", "%25/"):
        tasks = [{"notebook_task": {"notebook_path": f"/Users/{at}/{part * 2000}"}} for at in range(500)]
        assert judged(known, "POST", CREATE, {"tasks": tasks}).reason is COMPLEX
    tasks = [{"notebook_task": {"notebook_path": f"/Users/{at}/\u00e9/%25"}} for at in range(100)]
    assert judged(known, "POST", CREATE, {"tasks": tasks}).reason is ALLOWED


def test_the_letters_of_a_url_stand_for_few(known: Any) -> None:
    decision = judged(known, "GET", f"{EXPORT}/{'%EF%B7%BA' * 1700}")
    assert decision.reason is Reason.PATH_NOT_CANONICAL


def test_many_parameters_of_a_query(known: Any) -> None:
    for mark in "&;":
        target = f"{EXPORT}?path=/Users/ada/x" + f"{mark}a%2561=1" * MAX_PAIRS
        assert judged(known, "GET", target).reason is ALLOWED
        assert judged(known, "GET", f"{target}{mark}b=1").reason is Reason.QUERY_NOT_CANONICAL


def test_many_fields_of_json_that_says_it_is_a_form(known: Any) -> None:
    form = (b"Content-Type", b"application/x-www-form-urlencoded")
    for count, reason in ((MAX_FIELDS, ALLOWED), (MAX_FIELDS + 1, COMPLEX)):
        body = json.dumps({"job_id": 7, "note": "&a=" * count}).encode()
        assert judged(known, "POST", "/api/2.2/jobs/run-now", body, form).reason is reason
    for count, reason in ((MAX_SEPARATORS, ALLOWED), (MAX_SEPARATORS + 1, COMPLEX)):
        body = json.dumps({"job_id": 7, "note": ";&" * (count // 2) + "&" * (count % 2)}).encode()
        assert judged(known, "POST", "/api/2.2/jobs/run-now", body, form).reason is reason


def test_an_imported_notebook_loses_its_extension_at_the_end_alone() -> None:
    found = {path: read_import_path(path) for path in ("/a.py", "/a.python", "/a.py/b", "/b.R", "/.py")}
    assert {path: objects and objects[1:] for path, objects in found.items()} == {
        "/a.py": ("/Workspace/a",),
        "/a.python": (),
        "/a.py/b": (),
        "/b.R": ("/Workspace/b",),
        "/.py": (),
    }
