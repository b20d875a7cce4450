"""What is said by a Python that lacks something: what to run, in words that fit how Brickscope was installed."""

from __future__ import annotations

import ast
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any, NoReturn

import pytest

from brickscope import prerequisites
from brickscope.prerequisites import Guard, explain, install_command

ROOT = Path(__file__).parent.parent
PIP = shlex.join([sys.executable, "-m", "pip", "install"])
REQUIRES = [
    "pydantic<3,>=2.11",
    "PyJWT[crypto]<3,>=2.13",
    'duckdb<2,>=1; extra == "audit"',
    'x; extra == "audits"',
    f'built-in; python_version < "{sys.version_info[0]}.{sys.version_info[1]}"',
]
LACK = ModuleNotFoundError("No module named 'pydantic'")


class Ended(BaseException):
    """In place of the end of the process."""


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The status that the process ended with."""
    found: list[int] = []

    def end(status: int) -> NoReturn:
        found.append(status)
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    return found


Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Let Brickscope be installed from a wheel, with these packages beside it; with ``none`` not even that is known."""

    def installed(*names: str, none: bool = False, pip: bool = True) -> None:
        def version(name: str) -> str:
            if name not in names:
                raise metadata.PackageNotFoundError(name)
            return "1"

        def requires(name: str) -> list[str]:
            if none:
                raise metadata.PackageNotFoundError(name)
            return REQUIRES

        monkeypatch.setattr(prerequisites, "CHECKOUT", tmp_path)
        monkeypatch.setattr(metadata, "version", version)
        monkeypatch.setattr(metadata, "requires", requires)
        monkeypatch.setattr(util, "find_spec", lambda name: object() if pip else None)

    return installed


def test_in_a_checkouts_own_environment_its_script_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    assert install_command("audit") == f"{ROOT}/scripts/environment audit"
    assert install_command() == f"{ROOT}/scripts/environment"


@pytest.mark.parametrize("extras", ["", "audit", "policytest", "test", "mutants"])
def test_an_environment_with_more_than_the_proxy_needs_is_not_made_again(extras: str, tmp_path: Path) -> None:
    for name in ("scripts/environment", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    digest = hashlib.sha256((tmp_path / "pyproject.toml").read_bytes()).hexdigest()
    made_from = f"{digest} python={sys.version.split()[0]} extras={extras} root={tmp_path.resolve()}"
    (venv / ".brickscope-stamp").write_text(f"{made_from}\n")
    environment = {name: value for name, value in os.environ.items() if name != "BRICKSCOPE_PYTHON"}
    ran = subprocess.run(
        [tmp_path / "scripts" / "environment"], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_in_another_environment_the_checkout_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/elsewhere")
    assert install_command() == f"{PIP} {ROOT}"
    assert install_command("audit") == f"{PIP} '{ROOT}[audit]'"
    told = explain(LACK)
    assert told.startswith(f"No module named 'pydantic'; run {ROOT}/scripts/proxy, which makes")
    assert told.endswith(f"or install what it needs: {PIP} {ROOT}")


def test_an_installed_one_names_the_packages_that_are_missing(install: Install) -> None:
    install("PyJWT")
    assert install_command() == f"{PIP} 'pydantic<3,>=2.11'"
    assert install_command("audit") == f"{PIP} 'pydantic<3,>=2.11' 'duckdb<2,>=1'"
    assert explain(LACK) == f"{LACK}; install what it needs: {PIP} 'pydantic<3,>=2.11'"


def test_what_only_older_pythons_need_counts_there(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("pydantic", "PyJWT")
    monkeypatch.setattr(sys, "version_info", (sys.version_info[0], sys.version_info[1] - 1, 0))
    assert install_command() == f"{PIP} built-in"


def test_all_are_named_if_one_of_them_is_only_too_old(install: Install) -> None:
    install("PyJWT", "pydantic")
    assert install_command() == f"{PIP} 'pydantic<3,>=2.11' 'PyJWT[crypto]<3,>=2.13'"


def test_without_pip_it_is_uvs_command(install: Install) -> None:
    install("PyJWT", pip=False)
    assert install_command() == shlex.join(
        ["uv", "pip", "install", "--python", sys.executable, "pydantic<3,>=2.11"]
    )


def test_a_program_that_can_have_no_more_is_told_no_command(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("PyJWT")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert install_command() == ""
    assert explain(LACK) == f"{LACK}; install it from its checkout or its wheel"


def test_files_that_were_only_copied_know_no_command(install: Install) -> None:
    install(none=True)
    assert install_command("audit") == ""


# -- the guard ------------------------------------------------------------------------------------------------------


def test_a_failed_import_ends_the_process_in_one_sentence(
    ended: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Ended), Guard():
        raise LACK
    assert ended == [1]
    told = capsys.readouterr().err
    assert told.startswith("Brickscope can't start: No module named 'pydantic'; run ")
    assert told.count("\n") == 1


def test_any_other_failure_ends_it_too(ended: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Ended), Guard():
        raise RuntimeError("of another kind")
    assert ended == [1]
    told = capsys.readouterr().err
    assert "RuntimeError: of another kind" in told
    assert told.endswith("Brickscope can't start: its script failed, as told above\n")


def test_what_goes_well_goes_on(ended: list[int]) -> None:
    with Guard():
        pass
    assert ended == []


def test_an_old_python_is_told_before_anything_is_imported(
    ended: list[int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 7, "final", 0))
    with pytest.raises(Ended), Guard():
        pytest.fail("the body ran")
    assert ended == [1]
    told = capsys.readouterr().err
    assert told == (
        "Brickscope can't start: this mitmdump runs on Python 3.11.7, where 3.12 or newer is needed; "
        f"run {ROOT}/scripts/proxy, which looks for one\n"
    )


@pytest.mark.parametrize("name", ["scope.py", "brickscope/__init__.py", "brickscope/prerequisites.py"])
def test_what_runs_before_the_guard_can_be_read_by_an_old_python(name: str) -> None:
    tree = ast.parse((ROOT / "addon" / name).read_text(), feature_version=(3, 7))
    top: list[Any] = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {
        module.partition(".")[0]
        for node in top
        for module in (
            [node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
        )
    }
    assert modules <= {*sys.stdlib_module_names, "brickscope"}
