"""What is learned of calls to models and tool servers: which models, which servers, which tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.learn.sessions import Did, learned, proposed
from brickscope.analysis.learn.proposal import Wish
from core.test_apps import APP

EXECUTE = Wish(classes=frozenset({"execute"}))
SERVER = "/api/2.0/mcp/functions/main/tools"
TOOLS = {"server": "functions/main/tools"}


def call(tool: str | None, path: str = SERVER, hours: float = 0.0, **more: Any) -> Did:
    params = None if tool is None else {**TOOLS, "tool": tool}
    return Did(
        "POST", path, params, hours=hours, fields={"operation": "mcp.call_tool", "has_body": True, **more}
    )


def test_tools_that_were_called_are_named(tmp_path: Path) -> None:
    calls = [call(tool, hours=hours) for tool in ("find", "count") for hours in (0.0, 30.0)]
    said = learned(tmp_path, calls, EXECUTE)
    (rule,) = proposed(said)
    assert rule["operation"] == "mcp.call_tool"
    assert rule["where"] == {"server": ["functions/main/tools"], "tool": ["count", "find"]}
    assert said.proof is not None
    assert said.proof.holds


def test_each_method_is_an_operation(tmp_path: Path) -> None:
    fields = {"operation": "mcp.list_tools", "has_body": True}
    said = learned(tmp_path, [Did("POST", SERVER, fields=fields)] * 2)
    assert [rule if isinstance(rule, str) else rule["operation"] for rule in proposed(said)] == [
        "mcp.list_tools"
    ]
    assert said.proof is not None
    assert said.proof.holds


def test_tools_that_the_log_lacks_are_to_be_watched(tmp_path: Path) -> None:
    said = learned(tmp_path, [call(None), call(None, hours=30)], EXECUTE)
    assert said.proposal.unlogged == {"mcp.call_tool": ("tool",)}


def test_a_batch_is_no_evidence_since_the_log_has_not_all_of_it(tmp_path: Path) -> None:
    said = learned(tmp_path, [call("find", batch=["mcp.list_tools", "mcp.call_tool"])], EXECUTE)
    assert (said.left_out, proposed(said)) == ({"not_replayable": 1}, [])


def test_models_that_were_asked_are_named(tmp_path: Path) -> None:
    calls = [
        Did("POST", "/serving-endpoints/chat/completions", {"model": model}, hours=hours)
        for model in ("small", "tiny")
        for hours in (0.0, 30.0)
    ]
    said = learned(tmp_path, calls, EXECUTE)
    assert proposed(said) == [
        {"operation": "serving.chat_completions", "where": {"model": ["small", "tiny"]}}
    ]


def test_apps_that_were_called_are_named(tmp_path: Path) -> None:
    there = {"server_address": APP, "operation": "apps.request"}
    said = learned(
        tmp_path, [Did("GET", "/api/orders", hours=hours, fields=there) for hours in (0.0, 30.0)], EXECUTE
    )
    (rule,) = proposed(said)
    assert rule["where"]["app"] == [APP]
    assert said.proof is not None
    assert said.proof.holds
