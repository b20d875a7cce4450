"""``brickscope explain`` and ``brickscope test`` of calls to models, tool servers, parts of the gateway and apps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.diff.test_diff_models_and_tools import POLICY
from brickscope.cli.main import main
from core.test_apps import APP, OTHER

SERVER = "/api/2.0/mcp/functions/main/tools"


def tool(name: str, region: str = "eu") -> str:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    return json.dumps(message | {"params": {"name": name, "arguments": {"region": region}}})


# The call as somebody writes it, the reason, what is shown beside.
CALLS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "a model by its operation": (
        ("serving.chat_completions", "model=small", "max_tokens=9"),
        "allowed_by_rule",
        "serving.chat_completions",
    ),
    "another model": (
        ("serving.chat_completions", "model=large", "max_tokens=9"),
        "constraint_not_met",
        "model",
    ),
    "answers too long, by another name": (
        ("serving.chat_completions", "model=small", "max_completion_tokens=9000"),
        "constraint_not_met",
        "max_completion_tokens",
    ),
    "a model in the path of the gateway": (
        ("POST", "/ai-gateway/gemini/v1beta/models/main.ai.g:generateContent", '{"contents": []}'),
        "allowed_by_rule",
        "gateway.generate_content",
    ),
    "another model in the path": (
        ("POST", "/ai-gateway/gemini/v1beta/models/main.hr.g:generateContent", '{"contents": []}'),
        "constraint_not_met",
        "gateway.generate_content",
    ),
    "a part of the gateway without a rule": (
        (
            "POST",
            "/ai-gateway/anthropic/v1/messages",
            '{"model": "main.ai.c", "messages": [], "max_tokens": 1}',
        ),
        "no_rule_matches",
        "gateway.messages",
    ),
    "a part of the gateway that nobody knows": (
        ("POST", "/ai-gateway/anthropic/v1/files", "{}"),
        "unknown_operation",
        "",
    ),
    "a tool by its operation": (
        ("mcp.call_tool", "server=functions/main/tools", "tool=find", "arguments.region=eu"),
        "allowed_by_rule",
        "mcp.call_tool",
    ),
    "a tool as its client calls it": (("POST", SERVER, tool("find")), "allowed_by_rule", "mcp.call_tool"),
    "another tool": (("POST", SERVER, tool("sum")), "constraint_not_met", "tool"),
    "another argument": (("POST", SERVER, tool("find", "asia")), "constraint_not_met", "arguments.region"),
    "a tool that a deny names": (("POST", SERVER, tool("drop")), "denied_by_rule", "mcp.call_tool"),
    "another method": (
        ("POST", SERVER, '{"jsonrpc": "2.0", "id": 1, "method": "resources/list"}'),
        "no_rule_matches",
        "mcp.list_resources",
    ),
    "the stream of a server": (("GET", SERVER), "no_rule_matches", "mcp.listen"),
    "an app": (("GET", f"https://{APP}/api/orders"), "allowed_by_rule", "apps.request"),
    "another path of the app": (("GET", f"https://{APP}/admin"), "constraint_not_met", "apps.request"),
    "another app": (("GET", f"https://{OTHER}/api/orders"), "constraint_not_met", "apps.request"),
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY)
    return folder


@pytest.mark.parametrize("case", CALLS)
def test_a_call_is_explained(case: str, rules: Path) -> None:
    call, reason, shown = CALLS[case]
    arguments = ["explain", "--rules", str(rules), "--time", "2026-09-21", "--subject", "agent", *call]
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == (0 if reason == "allowed_by_rule" else 1), result.output
    assert reason in result.output
    assert shown in result.output


TESTS = f"""\
policy_tests: 1
now: 2026-09-21
calls:
  the model: serving.chat_completions model=small max_tokens=9
  another model: serving.chat_completions model=large max_tokens=9
  the model of the gateway: gateway.generate_content model=main.ai.g
  messages of the gateway: gateway.messages model=main.ai.g
  the tool: mcp.call_tool server=sql tool=find arguments.region=us
  another tool: mcp.call_tool server=sql tool=sum arguments.region=us
  the tool as sent: 'POST {SERVER} {tool("count")}'
  the app: GET https://{APP}/api/orders
  another app: GET https://{OTHER}/api/orders
subjects:
  agent:
    allow: [the model, the model of the gateway, the tool, the tool as sent, the app]
    deny: {{another model: constraint_not_met, another tool: constraint_not_met, another app: constraint_not_met}}
"""


def run_tests(rules: Path, text: str) -> tuple[int, str]:
    (rules / "agent.test.yaml").write_text(text)
    result = CliRunner().invoke(main, ["test", str(rules)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_a_policy_test_says_what_an_agent_may(rules: Path) -> None:
    status, output = run_tests(rules, TESTS)
    assert (status, "9 passed, 0 failed" in output) == (0, True), output


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("model=small max_tokens=9", "model=large max_tokens=9"),
        ("arguments.region=us\n  another", "arguments.region=asia\n  another"),
        ('"name": "count"', '"name": "drop"'),
        (f"the app: GET https://{APP}/api", f"the app: GET https://{APP}/admin"),
    ],
    ids=["another model", "another argument", "a tool that a deny names", "another path of the app"],
)
def test_a_policy_test_fails_where_an_agent_may_not(before: str, after: str, rules: Path) -> None:
    assert before in TESTS
    status, output = run_tests(rules, TESTS.replace(before, after, 1))
    assert (status, "1 failed" in output) == (1, True), output
