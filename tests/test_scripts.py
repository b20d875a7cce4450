"""Scripts: each says what it is for, and takes no step before it has."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
NAMES = sorted(file.name for file in SCRIPTS.iterdir() if file.is_file())
HANDS_ON = '"$@"'
"""What a script ends with that leaves its flags, ``--help`` among them, to a program whose help has tests of its own."""


def test_every_file_is_a_script_that_can_be_run() -> None:
    assert [name for name in NAMES if not os.access(SCRIPTS / name, os.X_OK)] == []


@pytest.mark.parametrize("name", NAMES)
def test_help_is_answered_by_the_script_or_by_the_program_that_it_becomes(name: str) -> None:
    text = (SCRIPTS / name).read_text()
    if "--help ]]" not in text and text.rstrip().endswith(HANDS_ON):
        return
    done = subprocess.run([SCRIPTS / name, "--help"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"scripts/{name}" in done.stdout
