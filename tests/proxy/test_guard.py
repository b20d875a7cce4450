"""The guard: whatever raises in a callback closes all, is told by its type alone, and no callback is without it."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

import brickscope.proxy
from brickscope.proxy.guard import guarded

PROXY = Path(brickscope.proxy.__file__).parent
KINDS = (asyncio.Protocol, asyncio.BufferedProtocol, asyncio.DatagramProtocol, asyncio.SubprocessProtocol)
CALLED_BY_ASYNCIO = {name for kind in KINDS for name in dir(kind) if not name.startswith("_")} | {"look"}
"""And by ``datapath.py``, which looks at all connections in a row."""
CANNOT_RAISE = {("tls.py", "get_buffer"), ("clear.py", "get_buffer")}
"""Gives out one and the same buffer; without TLS it catches what raises, as it has to give one out all the same."""


class Broken:
    def __init__(self, *, at_the_end_as_well: bool = False) -> None:
        self.closed = 0
        self.at_the_end_as_well = at_the_end_as_well

    @guarded
    def call(self, error: BaseException) -> None:
        raise error

    def fail_closed(self) -> None:
        self.closed += 1
        if self.at_the_end_as_well:
            raise ValueError("dapi-secret-2")


@pytest.mark.parametrize("at_the_end_as_well", [False, True])
def test_what_raises_closes_all_and_says_no_more_than_its_type(
    at_the_end_as_well: bool, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Broken(at_the_end_as_well=at_the_end_as_well)
    broken.call(RuntimeError("dapi-secret"))
    assert broken.closed == 1
    assert "RuntimeError in call" in caplog.text
    assert ("ValueError" in caplog.text) is at_the_end_as_well
    assert "dapi-secret" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("kind", [SystemExit, asyncio.CancelledError])
def test_what_ends_the_process_or_the_task_passes(kind: type[BaseException]) -> None:
    broken = Broken()
    with pytest.raises(kind):
        broken.call(kind())
    assert broken.closed == 0


TREES = {
    str(file.relative_to(PROXY)): ast.parse(file.read_text(encoding="utf-8")) for file in PROXY.rglob("*.py")
}


def called_from_outside() -> list[str]:
    """The files with a class that asyncio calls (one of its protocols, or of what is one here), or that ``datapath.py``
    does, or that has a way to fail closed."""
    classes = [
        (file, each)
        for file, tree in TREES.items()
        for each in ast.walk(tree)
        if isinstance(each, ast.ClassDef)
    ]
    kinds = {f"asyncio.{kind.__name__}" for kind in (asyncio.BaseProtocol, *KINDS)}
    files: set[str] = set()
    while True:
        found = [each for each in classes if kinds & {ast.unparse(base) for base in each[1].bases}]
        kinds |= {each.name for _, each in found}
        if {file for file, _ in found} <= files:
            break
        files |= {file for file, _ in found}
    for file, each in classes:
        methods = {
            (part.name, *(argument.arg for argument in part.args.args[1:]))
            for part in each.body
            if isinstance(part, ast.FunctionDef)
        }
        if methods & {("look", "now"), ("fail_closed",)} and "Protocol" not in map(ast.unparse, each.bases):
            files.add(file)
    return sorted(files)


OWN_PATH = called_from_outside()


def test_what_asyncio_calls_is_found() -> None:
    assert {"clear.py", "front.py", "parent.py", "relay.py", "tls.py", "tunnel.py", "upstream.py"} <= set(
        OWN_PATH
    )


def callbacks(file: str) -> dict[str, bool]:
    """What asyncio calls of a module, by name, and whether it is guarded."""
    tree = TREES[file]
    named = {
        argument.attr
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in ("call_soon", "call_later", "call_at", "add_done_callback")
        for argument in call.args
        if isinstance(argument, ast.Attribute)
        if isinstance(argument.value, ast.Name) and argument.value.id == "self"
    }
    return {
        each.name: any(isinstance(by, ast.Name) and by.id == "guarded" for by in each.decorator_list)
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef) and each.name in named | CALLED_BY_ASYNCIO
        if not (each.body and isinstance(each.body[-1], ast.Expr) and len(each.body) == 1)  # of an interface
    }


@pytest.mark.parametrize("file", OWN_PATH)
def test_no_callback_is_without_it(file: str) -> None:
    found = callbacks(file)
    assert found, "no callback was found: the test looks in the wrong place"
    unguarded = {name for name, guarded in found.items() if not guarded and (file, name) not in CANNOT_RAISE}
    assert unguarded == set()


@pytest.mark.parametrize("file", OWN_PATH)
def test_no_task_of_the_own_path_can_end_with_an_exception(file: str) -> None:
    """asyncio would log it with its text, and the connection would stay as it is."""
    tree = TREES[file]
    begun = [
        call.args[0].func
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr == "create_task" and isinstance(call.args[0], ast.Call)
    ]
    names = {each.attr if isinstance(each, ast.Attribute) else ast.unparse(each) for each in begun}
    for each in ast.walk(tree):
        if isinstance(each, ast.AsyncFunctionDef) and each.name in names:
            names.discard(each.name)
            body = [part for part in each.body if not isinstance(part, ast.Expr)]
            assert len(body) == 1, each.name
            assert isinstance(body[0], ast.Try), each.name
            caught = body[0].handlers[-1]
            assert isinstance(caught.type, ast.Name), each.name
            assert caught.type.id == "Exception", each.name
    assert names == set()
