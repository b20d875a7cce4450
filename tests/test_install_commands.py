"""No file tells anybody to install this project by its name: on a public index it may be somebody else's, and what is
installed sees tokens."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VERBS = {
    "pip": {"install", "download", "wheel"},
    "pip3": {"install", "download", "wheel"},
    "pipx": {"install", "inject", "run", "upgrade", "reinstall"},
    "uv": {"add", "install", "run", "tool", "sync"},
    "uvx": {""},
    "poetry": {"add"},
    "pdm": {"add"},
    "conda": {"install"},
    "easy_install": {""},
    "additional_dependencies:": {""},  # of a hook of pre-commit
}
NAMED = re.compile(r"\[?(?:--?[a-z-]+=)?brickscope(?:$|[]\[=<>!~@;])", re.IGNORECASE)
_END = re.compile(r"`|\)|&&|[|;\n#]")


def fetches(text: str) -> list[str]:
    """The commands in a text that would fetch a project of this name from an index."""
    found = []
    for command in _END.split(text.replace("\\\n", " ")):
        words = re.split(r"[\s\"',]+", command)
        for index, word in enumerate(words):
            verbs = VERBS.get(word.rpartition("/")[2])
            rest = words[index + 1 :]
            if verbs is None or not ("" in verbs or verbs & set(rest)):
                continue
            if any(NAMED.match(each) for each in rest):
                found.append(" ".join(words[index:]))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "pip install brickscope",
        "pip install 'brickscope[audit]'",
        'pip install "brickscope[audit,test]==0.1.0"',
        "run `python -m pip install --upgrade Brickscope`, or not",
        "$ .venv/bin/pip install -q brickscope>=0.1",
        'RUN ["/opt/x/bin/python", "-m", "pip", "install", "--no-cache-dir", "brickscope"]',
        "pip install \\\n    --no-input \\\n    brickscope",
        "pipx install brickscope",
        "pipx run brickscope demo",
        "uvx brickscope demo",
        "uv pip install brickscope",
        "uv tool install 'brickscope[audit]'",
        "uv add brickscope",
        "additional_dependencies: [brickscope]",
        "cd x && pip install brickscope@latest",
        "uv run --with=brickscope python",
    ],
)
def test_a_command_that_names_the_project_is_found(text: str) -> None:
    assert fetches(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install .",
        "pip install '.[audit]'",
        "pip install ./.brickscope",
        "pip install --no-deps /src/brickscope",
        "pip install './brickscope-0.1.0-py3-none-any.whl[audit]'",
        "/opt/brickscope/bin/pip install --require-hashes -r requirements.txt",
        "`pip install .` also brings the command brickscope",
        "pip install duckdb  # for brickscope",
        "pip show brickscope",
        "uv pip install --python .venv/bin/python -e . && brickscope demo",
    ],
)
def test_a_command_that_installs_this_code_is_not(text: str) -> None:
    assert fetches(text) == []


def test_no_file_has_such_a_command() -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name for name in names.decode().split("\0") if name]
    assert len(files) > 500
    found = {}
    for file in files:
        if file != Path(__file__) and file.is_file():
            content = file.read_bytes()
            if b"\0" not in content and (commands := fetches(content.decode(errors="replace"))):
                found[str(file.relative_to(ROOT))] = commands
    assert found == {}
