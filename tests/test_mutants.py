"""What scripts/mutants breaks, and what has to see it, is where it says."""

from __future__ import annotations

from pathlib import Path

import pytest

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
