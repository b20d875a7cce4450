"""No test hides what it asserts: an assertion that an error skips holds for any code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def hidden(tree: ast.AST) -> Iterator[int]:
    """The lines of assertions that stand where an error that they may meet is thrown away."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            silent = any(map(_is_suppression, node.items))
            body: list[ast.stmt] = node.body
        elif isinstance(node, ast.Try):
            silent = any(isinstance(last, ast.Pass) for each in node.handlers for last in each.body[-1:])
            body = node.body
        else:
            continue
        for statement in body if silent else ():
            yield from (each.lineno for each in ast.walk(statement) if isinstance(each, ast.Assert))


def _is_suppression(item: ast.withitem) -> bool:
    """``suppress(OSError)`` and the like; HUNG_UP is the end of a connection and nothing else (e2e/raw_client.py)."""
    call = item.context_expr
    name = ast.unparse(call.func).rpartition(".")[2] if isinstance(call, ast.Call) else ""
    return name == "suppress" and ast.unparse(call) not in (
        "suppress(*HUNG_UP)",
        "contextlib.suppress(*HUNG_UP)",
    )


def test_no_assertion_is_hidden() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in hidden(ast.parse(path.read_text()))
    ]
    assert found == []


def test_a_hidden_assertion_is_found() -> None:
    source = "with suppress(OSError):\n    assert x\ntry:\n    assert y\nexcept OSError:\n    pass\n"
    assert list(hidden(ast.parse(source))) == [2, 4]
