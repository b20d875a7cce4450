"""Calls to tool servers, judged again from what the log tells of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.learn.sessions import Did, session
from brickscope.analysis.again import judge_again
from brickscope.analysis.facts import NotReplayable
from brickscope.core.reason import Reason
from core.judged import NAME, policy

SERVER = "/api/2.0/mcp/functions/main/tools"
TOOL = {"server": "functions/main/tools", "tool": "find"}
FIND = {"operation": "mcp.call_tool", "where": {"tool": "find"}}
DROP = {"operation": "mcp.call_tool", "where": {"tool": "drop"}}
PATH = "POST /api/2.0/mcp/{server...}"
BY_PATH = {"operation": None, "decision": "allow", "reason": "allowed_by_rule", "rule": PATH}


def record(params: Any = None, **fields: Any) -> dict[str, Any]:
    said = {"operation": "mcp.call_tool", "has_body": True, "fingerprint": NAME, **fields}
    return session([Did("POST", SERVER, params, fields=said)])[0]


TOLD: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "the tool that a rule names": ([FIND], record(TOOL), "allowed_by_rule"),
    "another tool": ([DROP], record(TOOL), "constraint_not_met"),
    "a method without a rule": ([FIND], record(operation="mcp.list_tools"), "no_rule_matches"),
    "a method with a rule": (["mcp.list_tools"], record(operation="mcp.list_tools"), "allowed_by_rule"),
    "a notification": (["mcp.notify"], record(operation="mcp.notify"), "allowed_by_rule"),
    "an answer to the server": (["mcp.respond"], record(operation="mcp.respond"), "allowed_by_rule"),
    "a method that is not known": (
        ["mcp.*"],
        record(operation=None, reason="unknown_operation"),
        "unknown_operation",
    ),
    "the same, by path": ([PATH], record(operation=None, reason="unknown_operation"), "allowed_by_rule"),
    "a body that nobody looked into": ([PATH], record(**BY_PATH), "allowed_by_rule"),
}


@pytest.mark.parametrize("case", TOLD)
def test_a_call_is_judged_by_what_the_log_tells(case: str, tmp_path: Path) -> None:
    rules, told, reason = TOLD[case]
    assert judge_again(policy(tmp_path, *rules), told).reason == Reason(reason)


UNTOLD: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "a body that nobody looked into": (["mcp.*"], record(**BY_PATH), "what is in the body"),
    "a tool that the log has not": ([FIND], record(), "tool"),
    "a batch": ([FIND], record(TOOL, batch=["mcp.list_tools", "mcp.call_tool"]), "several calls"),
}


@pytest.mark.parametrize("case", UNTOLD)
def test_what_the_log_does_not_tell_is_not_guessed(case: str, tmp_path: Path) -> None:
    rules, told, why = UNTOLD[case]
    with pytest.raises(NotReplayable, match=why):
        judge_again(policy(tmp_path, *rules), told)
