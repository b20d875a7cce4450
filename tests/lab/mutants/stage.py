"""A copy of the project in which mutmut works, so that nothing is changed where people work.

mutmut names a module by its path below ``src``, so that is where the package stands in the copy.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutmut.configuration import reset_config
from mutmut.stats import status_by_exit_code

from .ground import Ground
from .mutant import Mutant, mutants_of

ROOT = Path(__file__).parents[3]
# No properties (`no_cover`): they take most of the time, and what only they see has no table that says it.
_PYTEST = ["-p", "no:cacheprovider", "-m", "not no_cover"]
_PYTHONPATH = 'pythonpath = ["addon", '
_MUTMUT = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
also_copy = ["docs", "rules", "scripts"]
pytest_add_cli_args = {arguments}
pytest_add_cli_args_test_selection = {tests}
track_dependencies = false
use_git_change_detection = false
"""
_ENDLESS_S = 600
_FAIL = "fail"
"""mutmut's name for: raise, whichever function is called."""
KILLED = frozenset({"killed", "timeout", "segfault"})
ALIVE = frozenset({"survived", "no tests"})


class StageError(Exception):
    """mutmut did not come to an end; the message is the end of what it said."""


class Stage:
    """The copy, in ``folder``, made for one ground."""

    def __init__(self, folder: Path, ground: Ground) -> None:
        self.folder = folder
        for name in ("tests", "docs", "rules", "scripts"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "addon", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        project = (ROOT / "pyproject.toml").read_text()
        assert _PYTHONPATH in project, "pyproject.toml says otherwise now where the package is"
        package = Path("src/brickscope")
        self.tests = [f"tests/{name}" for name in ground.tests]
        self.files = [
            path.relative_to(folder)
            for pattern in ground.files
            for path in sorted((folder / package).glob(pattern))
        ]
        (folder / "pyproject.toml").write_text(
            project.replace(_PYTHONPATH, 'pythonpath = ["src", ')
            + _MUTMUT.format(
                arguments=json.dumps(_PYTEST),
                files=json.dumps([str(path) for path in self.files]),
                tests=json.dumps(self.tests),
            )
        )

    def mutants(self) -> list[Mutant]:
        """All mutants of the ground."""
        with contextlib.chdir(self.folder):
            reset_config()
            return [mutant for path in self.files for mutant in mutants_of(path)]

    def run(self, mutants: Sequence[Mutant], jobs: int) -> dict[str, str]:
        """What became of each mutant, by name: one of ``KILLED`` or ``ALIVE``. Raises StageError."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("mutmut")), "run", f"--max-children={jobs}"]
            + [each.name for each in mutants],
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        codes: dict[str, int | None] = {}
        for path in self.files:
            meta = self.folder / "mutants" / f"{path}.meta"
            if meta.exists():
                codes |= json.loads(meta.read_text())["exit_code_by_key"]
        found = {each.name: status_by_exit_code[codes.get(each.name)] for each in mutants}
        if done.returncode or not set(found.values()) <= KILLED | ALIVE:
            odd = {name: status for name, status in found.items() if status not in KILLED | ALIVE}
            raise StageError(f"{(done.stdout + done.stderr)[-3000:]}\n{dict(list(odd.items())[:5])}")
        if not self._passes("") or self._passes(_FAIL):
            raise StageError("in a process of its own the code as it is fails, or mutants are not seen")
        alive = [name for name, status in found.items() if status in ALIVE]
        with ThreadPoolExecutor(jobs) as pool:
            return found | {
                name: "killed"
                for name, passes in zip(alive, pool.map(self._passes, alive), strict=True)
                if not passes
            }

    def _passes(self, name: str) -> bool:
        """Whether no test of the ground fails with this mutant in a process of its own. mutmut forks one in which modules
        were imported and caches filled with the code as it is: what runs at import, or once, could not be seen there."""
        pytest = [sys.executable, "-m", "pytest", "--rootdir=.", "-x", "-q", *_PYTEST, *self.tests]
        done = subprocess.run(
            # Seconds of the processor: how long it takes says how busy the machine is.
            ["sh", "-c", f'ulimit -t {_ENDLESS_S}; exec "$@"', "sh", *pytest],
            cwd=self.folder / "mutants",
            env=os.environ | {"MUTANT_UNDER_TEST": name, "PYTHONPATH": "src"},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode == 0
