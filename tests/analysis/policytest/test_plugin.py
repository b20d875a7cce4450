"""The pytest plugin: one item a cell, and nothing at all for whoever has no policy tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.policies import POLICY

TESTS = """\
policy_tests: 1
now: 2026-09-21
calls:
  list: jobs.list
  run mine: jobs.run_now job_id=1012
subjects:
  ci: {allow: [list, run mine]}
  etl: {allow: [list]}
without: [alice, watch]
"""


def run_pytest(folder: Path, *arguments: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-rA",
        "--color=no",
        *arguments,
    ]
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_each_cell_is_a_test(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "a.test.yaml").write_text(TESTS)
    (tmp_path / "other.test.yaml").write_text("stages: []\n")
    (tmp_path / "test_code.py").write_text("def test_code(): pass\n")
    said = run_pytest(tmp_path)
    for line in (
        "PASSED a.test.yaml::ci: list",
        "PASSED a.test.yaml::old: list",
        "PASSED test_code.py::test_code",
    ):
        assert line in said
    assert "FAILED a.test.yaml::etl: run mine" in said
    assert "expected deny (it is not listed, so it must be denied), got allow" in said
    assert "a.test.yaml:8:3" in said
    assert "Traceback" not in said
    assert "other.test.yaml" not in said
    assert "1 failed, 6 passed" in said
    assert "1 passed" in run_pytest(tmp_path, "-k", "ci and mine")


def test_a_mistake_is_an_error_of_collection_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "a.test.yaml").write_text(TESTS.replace("  ci:", "  cii:"))
    said = run_pytest(tmp_path)
    assert "a.test.yaml:7:3: error: the policy names nobody 'cii' (did you mean 'ci'?)" in said
    assert "1 error" in said


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        # A run of pytest without policy tests loads the plugin's own file, and nothing of the program.
        (
            "import brickscope.analysis.policytest.plugin",
            ("brickscope.analysis.policytest.suite", "brickscope.core", "pydantic", "yaml"),
        ),
        # The proxy never loads any of this.
        (
            "import brickscope.proxy.addon",
            ("brickscope.analysis.policytest", "brickscope.analysis", "pytest"),
        ),
    ],
)
def test_what_is_not_needed_is_not_imported(code: str, absent: tuple[str, ...]) -> None:
    code += f"; import sys; print([name for name in {absent!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
