"""Who may import whom: imports go down only. A room is a part of the package, on one of the floors."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ADDON = Path(__file__).parent.parent / "addon"
PACKAGE = "brickscope"

FLOORS: list[dict[str, set[str]]] = [
    {"core": set()},
    {"catalog": {"core"}, "log": {"core"}},
    {"policy": {"core", "catalog"}, "identity": {"core", "log"}, "host": {"core", "catalog"}},
    {"audit": {"core", "catalog", "log", "policy"}, "service": {"core", "catalog", "log", "policy"}},
    {
        "proxy": {"core", "catalog", "log", "policy", "identity", "service"},
        "analysis": {"core", "catalog", "log", "policy", "audit"},
    },
    {
        "report": {
            "core",
            "catalog",
            "log",
            "policy",
            "identity",
            "host",
            "audit",
            "service",
            "proxy",
            "analysis",
        }
    },
]
MAY_IMPORT = {room: below for floor in FLOORS for room, below in floor.items()}
ALL = set(MAY_IMPORT)
MAY_IMPORT |= {"cli": ALL, "fake": ALL}

GROUND = {
    PACKAGE,
    *(f"{PACKAGE}.{part}" for part in ("count", "error", "notice", "prerequisites", "script", "shipped")),
}
"""The version, an operator's error, what an operator is told, the words for a Python that lacks something, numbers of things
in words, the script's place, data that is shipped: they import nothing of ours."""

DOORS = {
    f"{PACKAGE}.__main__": "cli",
    f"{PACKAGE}.script.scope": "cli",
}
"""How the program is started from outside: by name and by path, which others know."""

PURE = {
    *(
        "__future__",
        "abc",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "cryptography",
        "dataclasses",
        "datetime",
    ),
    *(
        "decimal",
        "enum",
        "functools",
        "hashlib",
        "ipaddress",
        "itertools",
        "json",
        "jwt",
        "math",
        "operator",
        "re",
    ),
    *("typing", "unicodedata", "urllib.parse", "zlib"),
}
"""What core may import of others: nothing that reads a file, a clock or a network."""


class Import(NamedTuple):
    """``name``: of the module or what is in it, in full."""

    by: str
    name: str


def imports_of(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """All imports in a module, wherever they stand; those for type checkers too."""
    parts = module.split(".")
    package = parts if is_package else parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield Import(module, each.name)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            if name == PACKAGE or (
                node.level and not node.module
            ):  # from brickscope import x, from . import x
                yield from (Import(module, f"{name}.{each.name}") for each in node.names)
            else:
                yield Import(module, name)


@cache
def all_imports() -> list[Import]:
    found: list[Import] = []
    for file in sorted((ADDON / PACKAGE).rglob("*.py")):
        parts = file.relative_to(ADDON).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        found += imports_of(file.read_text(encoding="utf-8"), module, is_package=is_package)
    return found


def room_of(module: str) -> str:
    """The room of a module, or of a name in one. Raises KeyError for a part of the package that is in none."""
    parts = module.split(".")
    for length in range(len(parts), 1, -1):
        part = ".".join(parts[:length])
        if part in DOORS:
            return DOORS[part]
        if part in GROUND:
            return "ground"
    if len(parts) == 1 or parts[1].startswith("__"):
        return "ground"
    if parts[1] not in MAY_IMPORT:
        raise KeyError(f"{module} is in no room: put it on a floor")
    return parts[1]


def upward(imports: Iterable[Import]) -> set[Import]:
    """The imports of ours that no floor allows."""
    found = set()
    for each in imports:
        if each.name.partition(".")[0] != PACKAGE:
            continue
        room, other = room_of(each.by), room_of(each.name)
        allowed = MAY_IMPORT.get(room, set())  # of the ground: nothing
        if other not in (room, "ground") and other not in allowed:
            found.add(each)
    return found


def test_imports_go_down() -> None:
    assert upward(all_imports()) == set()


def test_only_the_proxy_imports_mitmproxy() -> None:
    users = {each.by for each in all_imports() if each.name.partition(".")[0] == "mitmproxy"}
    assert {module for module in users if room_of(module) != "proxy"} == set()


def test_core_is_pure() -> None:
    others = {
        each.name
        for each in all_imports()
        if room_of(each.by) == "core" and each.name.partition(".")[0] != PACKAGE
    }
    assert {name for name in others if name.partition(".")[0] not in PURE and name not in PURE} == set()


def test_each_door_is_there() -> None:
    modules = {each.by for each in all_imports()}
    for part in DOORS:
        assert any(f"{module}.".startswith(f"{part}.") for module in modules), f"{part} is gone: take it out"


def test_the_floors_stand_on_each_other() -> None:
    below: set[str] = set()
    for floor in FLOORS:
        for room, allowed in floor.items():
            assert allowed <= below, room
        below |= set(floor)


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("core.rule", "from brickscope.policy.load import load_policy", {"policy.load"}),
        ("core.rule", "from ..policy.load import load_policy", {"policy.load"}),
        ("core.rule", "from .. import policy", {"policy"}),
        ("core.rule", "from brickscope import policy", {"policy"}),
        ("core.rule", "import brickscope.catalog.catalog", {"catalog.catalog"}),
        ("core.rule", "def f():\n    from brickscope.analysis import call", {"analysis"}),
        ("core.rule", "from .path import Path\nfrom . import path\nimport brickscope", set()),
        ("policy.load", "from brickscope.log.writer import AuditWriter", {"log.writer"}),
        ("identity.fetch", "from brickscope.log.record import printable", set()),
        ("identity.fetch", "from brickscope.audit.reader import AuditLog", {"audit.reader"}),
        ("proxy.gate", "from brickscope.analysis.judge import judge", {"analysis.judge"}),
        ("proxy.gate", "from brickscope.service.monitoring.tally import Tally", set()),
        ("audit.reader", "from brickscope.report.page import render", {"report.page"}),
        ("log.writer", "from brickscope.audit.reader import AuditLog", {"audit.reader"}),
        ("analysis.check.overlap", "from brickscope.proxy.gate import Gate", {"proxy.gate"}),
        ("cli.demo", "from brickscope.fake.demo import main", {"fake.demo"}),
        ("fake.demo", "from brickscope.cli.main import main", {"cli.main"}),
        ("prerequisites", "from brickscope.core.rule import Rule", {"core.rule"}),
    ],
)
def test_an_import_that_goes_up_is_found(module: str, source: str, found: set[str]) -> None:
    seen = upward(imports_of(source, f"{PACKAGE}.{module}"))
    assert {each.name for each in seen} == {f"{PACKAGE}.{name}" for name in found}


def test_a_part_without_a_room_is_found() -> None:
    with pytest.raises(KeyError, match="is in no room"):
        room_of(f"{PACKAGE}.helpers.strings")
