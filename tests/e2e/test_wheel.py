"""What is installed from the wheel, used as whoever installs it does: in an environment of its own, from an empty folder."""

from __future__ import annotations

import os
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest

from e2e.built_wheel import build_wheel, tracked
from e2e.gate import POLICY
from e2e.proxy_process import REPOSITORY, free_port, plain_environment

SECONDS = 110
pytestmark = pytest.mark.timeout(300)  # makes environments by pip


def run(*command: str | Path, folder: Path, installs: bool = False) -> subprocess.CompletedProcess[str]:
    """``installs``: pip finds its index as it does for whoever runs the tests."""
    found = dict(os.environ) if installs else plain_environment()
    environment = {name: value for name, value in found.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=environment,
    )


def environment_with(folder: Path, *packages: str | Path) -> Path:
    """A new environment with these packages. Gives the folder of its programs."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    # Each module is compiled when it is first imported; most never are.
    install = (programs / "python", "-m", "pip", "install", "-q", "--no-compile", *packages)
    done = run(*install, folder=folder, installs=True)
    assert done.returncode == 0, done.stderr
    return programs


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment with the wheel and what it asks for."""
    return environment_with(tmp_path_factory.mktemp("installed"), wheel)


def test_it_holds_the_product_and_neither_the_lab_nor_makers(wheel: Path) -> None:
    names = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    code = [name for name in names if not name.parts[0].endswith(".dist-info")]
    assert {name.parts[0] for name in code} == {"brickscope"}
    assert set(code) == {path.relative_to("addon") for path in tracked("addon/brickscope")}
    for part in ("bench", "soak", "lab", "advisories", "catalogue", "dependencies"):
        assert not [name for name in code if part in name.parts], part
    made_by = {path.name for path in tracked("scripts/catalogue")} - {"__init__.py"}
    assert {"build.py", "overlay.yaml", "classes.yaml"} <= made_by
    assert not [name for name in code if name.parent.name == "catalog" and name.name in made_by]


def test_all_that_it_asks_for_is_there(programs: Path, tmp_path: Path) -> None:
    done = run(programs / "python", "-m", "pip", "check", folder=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_demonstration_runs_from_an_empty_folder(programs: Path, tmp_path: Path) -> None:
    done = run(programs / "brickscope", "demo", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "That was all of it." in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_proxy_without_a_policy_says_what_to_write(programs: Path, tmp_path: Path) -> None:
    done = run(
        *(programs / "brickscope", "proxy", "-p", str(free_port()), "--set", f"confdir={tmp_path / 'ca'}"),
        folder=tmp_path,
    )
    assert done.returncode == 1
    assert f"There is no policy in {tmp_path / 'rules'}." in done.stderr
    assert f"brickscope init {tmp_path / 'rules'}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["one process", "workers"])
def test_the_proxy_judges_by_the_policy_here_and_says_where_that_is(
    programs: Path, tmp_path: Path, workers: list[str]
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    command = [programs / "brickscope", "proxy", *workers, "-p", str(free_port())]
    with subprocess.Popen(
        [*map(str, command), "--set", f"confdir={tmp_path / 'ca'}"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=plain_environment(),
    ) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if " judges " in line:
                break
        process.terminate()
        process.communicate(timeout=SECONDS)
    assert f"by {tmp_path / 'rules'} (revision" in seen[-1], seen
    assert process.returncode == 0


def test_reading_the_log_names_what_to_install_and_not_this_project(programs: Path, tmp_path: Path) -> None:
    done = run(programs / "brickscope", "audit", "summary", folder=tmp_path)
    assert done.returncode == 2
    command = f"{programs / 'python'} -m pip install 'duckdb"
    assert f"not installed; to install it: {command}" in done.stderr
    assert "brickscope" not in done.stderr.partition("pip install")[2]


def test_the_literal_command_is_told_what_to_run(tmp_path: Path) -> None:
    """``pip install mitmproxy pyyaml``, ``mitmdump -s addon/scope.py``: what whoever asked for this would type first."""
    programs = environment_with(tmp_path / "bare", "mitmproxy", "pyyaml")
    script = REPOSITORY / "addon" / "scope.py"
    done = run(programs / "mitmdump", "-p", str(free_port()), "-s", script, folder=tmp_path)
    (line,) = done.stderr.splitlines()
    assert line.startswith("Brickscope can't start: No module named '")
    assert f"run {REPOSITORY / 'scripts' / 'proxy'}, which makes an environment of its own" in line
    assert line.endswith(f"-m pip install {REPOSITORY}")
    assert done.returncode == 1
