"""What scripts/mutants breaks, and what has to see it, is where it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lab.mutants.explained import Change, explained
from lab.mutants.ground import GROUNDS, Ground

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_files_and_tests_are_there(ground: Ground) -> None:
    for pattern in ground.files:
        assert list((ROOT / "addon" / "brickscope").glob(pattern)), pattern
    for name in ground.tests:
        assert (ROOT / "tests" / name).exists(), name


def test_all_of_core_is_broken() -> None:
    assert GROUNDS["core"] == Ground(("core/*.py",), ("core",))


@pytest.mark.parametrize("change", explained(), ids=lambda change: change.function)
def test_what_is_explained_is_still_there(change: Change) -> None:
    """The lines that it changes stand in the function that it names, as ast writes them."""
    package = ROOT / "addon" / "brickscope"
    parts = change.function.split(".")
    module = next(
        at for at in range(len(parts), 0, -1) if package.joinpath(*parts[:at]).with_suffix(".py").exists()
    )
    node: ast.AST = ast.parse(package.joinpath(*parts[:module]).with_suffix(".py").read_text())
    for name in parts[module:]:
        node = next(each for each in ast.iter_child_nodes(node) if getattr(each, "name", None) == name)
    written = ast.unparse(node).splitlines()
    gone = [line[1:] for line in change.diff.splitlines() if line.startswith("-")]
    assert gone
    assert set(gone) <= set(written)
