"""``learn`` and ``replay`` agree on which calls of a log can't be judged."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from analysis.learn.sessions import POLICY, Did, session
from audit.made_log import START
from brickscope.analysis.facts import NotReplayable
from brickscope.analysis.learn.learning import _made_again
from brickscope.analysis.replay.again import judge_again
from brickscope.policy.load import load_policy
from reaching import reaching

LIST, RUN, GET = "/api/2.2/jobs/list", "/api/2.2/jobs/run-now", "/api/2.1/unity-catalog/tables/a.b.c"
PATHS = [LIST, RUN, GET, f"{LIST}/[redacted]", "/api/2.0/x/" + "a" * 2100 + "...", "/api/2.0/strange/7"]
PARAMS: list[Any] = [
    None,
    {"job_id": 7},
    {"job_id": {"hmac_sha256": "0"}},
    {"job_id": {"keys": ["a"]}},
    {"limit": 3, "no_such": "x"},
    {"a.b": 1, "a": 2},
    {"full_name": "a.b.c"},
]
FIELDS: list[dict[str, Any]] = [
    {},
    {"batch": 2},
    {"has_body": True},
    {"param_names": ["job_id", "x"]},
    {"method": "unknown/method"},
    {"server_address": "no host"},
    {"workspace": "42", "host_workspace": "42"},
]
with tempfile.TemporaryDirectory() as _folder:
    Path(_folder, "policy.yaml").write_text(POLICY)
    LOADED = load_policy(Path(_folder, "policy.yaml"), START.timestamp())
CALLS = st.builds(
    Did,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(PATHS),
    st.sampled_from(PARAMS),
    st.just(200),
    st.just(0.0),
    fields=st.sampled_from(FIELDS),
)


def why_not(judge: Callable[[], Any]) -> str | None:
    """Why a call can't be judged, None where it can."""
    try:
        judge()
    except NotReplayable as why:
        return str(why)
    return None


@reaching(0.2, CALLS)
@settings(max_examples=300, deadline=None)
def test_what_one_can_not_judge_the_other_can_not_either_and_both_say_the_same(did: Did) -> bool:
    record = session([did])[0]
    said = why_not(lambda: judge_again(LOADED.policy, record))
    assert why_not(lambda: _made_again(record)) == said
    return said is not None
