"""The wheel, built as whoever releases it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from e2e.proxy_process import REPOSITORY


def tracked(*paths: str) -> list[Path]:
    """The files below these paths that are in git, from the root of the checkout."""
    done = subprocess.run(
        ["git", "ls-files", *paths], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return [Path(line) for line in done.stdout.splitlines()]


def build_wheel(folder: Path) -> Path:
    """Built from a copy of the files in git: setuptools writes beside what it builds from."""
    source = folder / "source"
    for name in tracked("addon", "pyproject.toml", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, source / name)
    # pip finds its index as it does for whoever runs the tests.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made
