"""Values that a rule by name lets through: of all bodies and texts, only those that are what the rule says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from brickscope.core.policy import Policy
from brickscope.core.reason import Reason
from core.judged import ONE, RUN, judged, policy
from examples import examples
from reaching import reaching

TABLE: dict[str, Any] = {
    "operation": "tables.get",
    "where": {"full_name": {"pattern": "main.{schema}.{table}"}},
}
VOLUME: dict[str, Any] = {
    "operation": "files.download",
    "where": {"file_path": {"pattern": "/Volumes/main/{schema}/raw/{path...}"}},
}
# a value, whether the pattern is met
TABLES = {
    "main.a.b": True,
    "main.a.": False,
    "main..b": False,
    "main..": False,
    ".a.b": False,
    "main.a.b.": False,
    "main.a.b.c": False,
    "main.a": False,
    "main": False,
    "Main.a.b": True,
}
FILES = {
    "/Volumes/main/a/raw/x": True,
    "/Volumes/main/a/raw/x/y": True,
    "/Volumes/main/a/raw": False,
    "/Volumes/main/raw/x": False,
    "/Volumes/other/a/raw/x": False,
    "/Volumes/main/a/b/raw/x": False,
}


@pytest.mark.parametrize(("name", "met"), TABLES.items(), ids=TABLES)
def test_a_pattern_has_no_empty_segment(name: str, met: bool, tmp_path: Path) -> None:
    decision = judged(policy(tmp_path, TABLE), "GET", f"/api/2.1/unity-catalog/tables/{name}")
    assert decision.allow is met
    assert met or decision.reason is Reason.CONSTRAINT_NOT_MET


@pytest.mark.parametrize(("name", "met"), FILES.items(), ids=FILES)
def test_a_pattern_of_a_path_takes_whole_segments(name: str, met: bool, tmp_path: Path) -> None:
    assert judged(policy(tmp_path, VOLUME), "GET", f"/api/2.0/fs/files{name}").allow is met


LISTED: dict[str, Any] = {
    "operation": "workspace.list",
    "where": {"path": {"pattern": "/Users/{name}/raw/{path...}"}},
}


@pytest.mark.parametrize(
    ("value", "met"),
    [
        ("/Users/me/raw/x", True),
        ("/Users/me/raw/x/y", True),
        ("/Users//raw/x", False),
        ("/Users/me/raw/", False),
        ("/Users/me/raw//x", False),
        ("/Users/me/raw/x/", True),
        ("/Users/me/raw", False),
        ("//Users/me/raw/x", False),
    ],
)
def test_a_pattern_in_the_query_has_no_empty_segment(value: str, met: bool, tmp_path: Path) -> None:
    assert judged(policy(tmp_path, LISTED), "GET", f"/api/2.0/workspace/list?path={value}").allow is met


SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3000) | st.sampled_from(["1012", "x", ""]) | st.floats(0, 9)
)
ODD = (
    SCALARS
    | st.lists(SCALARS, max_size=3)
    | st.dictionaries(st.sampled_from(["job_id", "x"]), SCALARS, max_size=2)
)
NAMED = st.sampled_from([1012, 1013, "1012", "1013"])
BODIES = st.builds(
    lambda named, others: named | others,
    st.fixed_dictionaries(
        {"job_id": NAMED | st.lists(NAMED, min_size=1, max_size=2) | st.lists(NAMED | SCALARS) | ODD}
    ),
    st.dictionaries(st.sampled_from(["run_id", "queue", "only"]), ODD, max_size=2)
    | st.dictionaries(st.sampled_from(["job_id", "jobId", "JOB_ID", "job-id"]), ODD, max_size=1),
)


@reaching(0.05, BODIES)
@settings(max_examples=examples(400))
def test_no_body_gets_through_but_with_a_job_that_is_named(
    tmp_path_factory: pytest.TempPathFactory, body: Any
) -> bool:
    decision = judged(one_policy(tmp_path_factory), "POST", RUN, body)
    if not decision.allow:
        return False
    value = body["job_id"]
    values = value if isinstance(value, list) else [value]
    assert values
    assert all(str(each) in ("1012", "1013") and not isinstance(each, bool | float) for each in values)
    assert not {"jobId", "JOB_ID", "job-id"} & set(body)
    return True


_made: list[Policy] = []


def one_policy(factory: pytest.TempPathFactory) -> Policy:
    if not _made:
        _made.append(policy(factory.mktemp("one"), ONE))
    return _made[0]
