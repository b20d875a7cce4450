"""Comparisons of rules for models, tool servers, parts of the gateway and apps: what an edit means, and its proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.diff.test_comparison import check_proofs, diff, effects
from brickscope.analysis.answer import render
from brickscope.analysis.diff.report import data
from brickscope.analysis.diff.rule_sets import Effect
from core.test_apps import APP, OTHER

POLICY = f"""\
version: 1
tokens:
  agent:
    fingerprint: sha256:{"1" * 64}
    rule_set: agent
rule_sets:
  agent:
    allow:
      - operation: serving.chat_completions
        where: {{model: [small, tiny], max_tokens: {{max: 1000}}}}
      - operation: gateway.generate_content
        where: {{model: {{prefix: main.ai.}}}}
      - gateway.list_models
      - mcp.list_tools
      - operation: mcp.call_tool
        where: {{server: [functions/main/tools, sql], tool: [find, count], arguments.region: [eu, us]}}
      - operation: apps.request
        where: {{app: {APP}, path: {{prefix: /api/}}}}
    deny:
      - {{operation: mcp.call_tool, where: {{tool: drop}}}}
"""
EDITS: dict[str, tuple[str, str, dict[str, str]]] = {
    "a model more": ("[small, tiny]", "[small, tiny, large]", {"serving.chat_completions": "wider"}),
    "a model less": ("[small, tiny]", "[small]", {"serving.chat_completions": "narrower"}),
    "another model": ("[small, tiny]", "[small, large]", {"serving.chat_completions": "other"}),
    "the same models in another order": ("[small, tiny]", "[tiny, small]", {}),
    "longer answers": ("max: 1000", "max: 2000", {"serving.chat_completions": "wider"}),
    "shorter answers": ("max: 1000", "max: 10", {"serving.chat_completions": "narrower"}),
    "answers of any length": (", max_tokens: {max: 1000}", "", {"serving.chat_completions": "wider"}),
    "any model": ("model: [small, tiny], ", "", {"serving.chat_completions": "wider"}),
    "a longer prefix of a model in the path": (
        "{prefix: main.ai.}",
        "{prefix: main.ai.eu.}",
        {"gateway.generate_content": "narrower"},
    ),
    "another part of the gateway": (
        "- gateway.list_models\n",
        "- gateway.list_models\n      - gateway.messages\n",
        {"gateway.messages": "allowed"},
    ),
    "a part of the gateway less": ("      - gateway.list_models\n", "", {"gateway.list_models": "denied"}),
    "a tool more": ("[find, count]", "[find, count, sum]", {"mcp.call_tool": "wider"}),
    "a tool less": ("[find, count]", "[find]", {"mcp.call_tool": "narrower"}),
    "any tool": ("tool: [find, count], ", "", {"mcp.call_tool": "wider"}),
    "a server more": ("tools, sql]", "tools, sql, genie/g1]", {"mcp.call_tool": "wider"}),
    "a server of the gateway instead": (
        "[functions/main/tools, sql]",
        "[functions/main/tools, mcp-services/main.tools.github]",
        {"mcp.call_tool": "other"},
    ),
    "an argument more": ("[eu, us]", "[eu, us, asia]", {"mcp.call_tool": "wider"}),
    "an argument less": ("[eu, us]", "[eu]", {"mcp.call_tool": "narrower"}),
    "any arguments": (", arguments.region: [eu, us]", "", {"mcp.call_tool": "wider"}),
    "a deny of what nothing allows": (
        "    deny:\n      - {operation: mcp.call_tool, where: {tool: drop}}\n",
        "",
        {"mcp.call_tool": "same"},
    ),
    "a deny of a tool that is allowed": ("tool: drop", "tool: find", {"mcp.call_tool": "narrower"}),
    "a deny of another tool that nothing allows": ("tool: drop", "tool: truncate", {"mcp.call_tool": "same"}),
    "the stream of a server": (
        "- mcp.list_tools\n",
        "- mcp.list_tools\n      - {operation: mcp.listen, where: {server: sql}}\n",
        {"mcp.listen": "allowed"},
    ),
    "the list of tools no more": ("      - mcp.list_tools\n", "", {"mcp.list_tools": "denied"}),
    "another app": (APP, OTHER, {"apps.request": "other"}),
    "all of an app": (", path: {prefix: /api/}", "", {"apps.request": "wider"}),
    "less of an app": ("{prefix: /api/}", "{prefix: /api/v1/}", {"apps.request": "narrower"}),
    "the tool server of an app": (
        "- mcp.list_tools\n",
        f"- mcp.list_tools\n      - {{operation: mcp.end_session, where: {{app: {APP}}}}}\n",
        {"mcp.end_session": "allowed"},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_said_by_what_it_means(tmp_path: Path, edit: str) -> None:
    before, after, expected = EDITS[edit]
    assert before in POLICY
    said = diff(tmp_path, POLICY, POLICY.replace(before, after, 1))
    assert effects(said) == expected
    opens = any(Effect(effect).opens for effect in expected.values())
    assert said.opens is opens
    proofs = check_proofs(said)
    assert (proofs > 0) is opens, render("diff", data(said))
