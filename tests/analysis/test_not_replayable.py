"""``learn`` and ``replay`` agree on which calls of a log can't be judged."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner
from hypothesis import Phase, example, settings
from hypothesis import strategies as st

from analysis.learn.sessions import FINGERPRINT, Did, get, session
from audit.made_log import write_log
from brickscope.cli.main import main
from core.wire import HOST
from reaching import reaching

LIST, RUN, GET = "/api/2.2/jobs/list", "/api/2.2/jobs/run-now", "/api/2.1/unity-catalog/tables/a.b.c"
TOOLS = "/api/2.0/mcp/functions/main/tools"
PATHS = [
    LIST,
    RUN,
    GET,
    TOOLS,
    f"{LIST}/[redacted]",
    "/api/2.0/x/" + "a" * 2100 + "...",
    "/api/2.0/strange/7",
]
PARAMS: list[Any] = [
    None,
    {"job_id": 7},
    {"job_id": 8, "queue": None},
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
    {"server_address": None},
    {"path": None},
    {"path": "/oidc/v1/token"},
    {"reason": "unknown_operation", "operation": None},
    {"reason": "unknown_operation", "operation": None, "has_body": True},
    {"reason": "allowed_by_rule", "decision": "allow", "operation": None, "has_body": True},
    {"operation": "mcp.call_tool", "path": TOOLS, "params": {"tool": "find"}, "has_body": True},
    {"param_names": ["job_id"]},
    {"workspace": "42", "host_workspace": "42"},
    {"workspace": "42"},
]
CALLS = st.builds(
    Did,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(PATHS),
    st.sampled_from(PARAMS),
    st.just(200),
    st.just(0.0),
    fields=st.sampled_from(FIELDS),
)


LIMITS = {
    "none": [],
    "a value": [{"operation": "jobs.run_now", "where": {"job_id": 7}}],
    "no other parameters": [{"operation": "jobs.run_now", "where": {"job_id": [7, 8]}, "only": []}],
    "a part of the path": [{"operation": "tables.get", "where": {"full_name": "a.b.c"}}],
    "two parameters": [{"operation": "jobs.run_now", "where": {"job_id": 7, "idempotency_token": "x"}}],
    "what lies below": [{"operation": "jobs.run_now", "where": {"queue.enabled": True}}],
    "a tool": [{"operation": "mcp.call_tool", "where": {"tool": "find"}}],
}


def asked(folder: Path, *command: str) -> Any:
    """What a command says as JSON of the log and policy of a folder."""
    result = CliRunner().invoke(
        main, [*command, "--rules", str(folder / "policy.yaml"), "--json", str(folder / "log")]
    )
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


@reaching(
    0.8,
    st.lists(CALLS, min_size=40, max_size=90),
    st.sampled_from(list(LIMITS.values())),
    st.sampled_from([rules for name, rules in LIMITS.items() if name != "no other parameters"]),
    st.sampled_from([{}, {"workspaces": [HOST]}]),
)
@example([get(LIST, fields={"workspace": "42"}), *map(get, PATHS)], [], [], {"workspaces": [HOST]})
@settings(
    max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate]
)  # two commands each: shrinking takes minutes
def test_the_commands_leave_out_the_same_of_a_log_with_the_same_words(
    did: list[Did], allow: list[Any], deny: list[Any], bound: dict[str, Any]
) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        policy: Any = {
            "version": 1,
            "tokens": {"ci": {"fingerprint": FINGERPRINT, "rule_set": "r", "mode": "monitor", **bound}},
            "rule_sets": {"r": {"allow": ["current_user.me", *allow], "deny": deny}},
        }
        (folder / "policy.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(policy))))
        # What is no evidence for another reason is left out for that one, if it can be judged again or not.
        write_log(folder / "log", session([*did, get(LIST, status=404), get(LIST, status=None)]))
        learned = asked(folder, "learn", "--subject", "ci")
        replayed = asked(folder, "replay")
    why: Counter[str] = Counter()
    for group in replayed["groups"]:
        if group["change"] == "not_replayable":
            why[group["why"]] += group["calls"]
    assert learned["why_not_replayable"] == why
    assert learned["left_out"].get("not_replayable", 0) == replayed["not_replayable"] == why.total()
    assert learned["left_out"]["failed"] == learned["left_out"]["no_outcome"] == 1
    return len(why) > 1
