"""The lines that mend, for each shell, and where the program is not on the path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from brickscope.host.fix import Fixes, find_shell
from brickscope.host.proxy_url import read_proxy_url

PROXY = read_proxy_url("http://h:8080")
SECRET = read_proxy_url("http://me:s3cret@h:8080")


def remedy(shell: str = "sh", **more: object) -> Fixes:
    environment = {"PATH": str(Path(sys.executable).parent), "HTTPS_PROXY": PROXY.url}
    return Fixes(shell, environment, PROXY)._replace(**more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("sh", """eval "$(brickscope client-env --ca '/a b/it'"'"'s.pem')\""""),
        ("fish", r"brickscope client-env --ca '/a b/it\'s.pem' --format fish | source"),
        (
            "powershell",
            "brickscope client-env --ca '/a b/it''s.pem' --format powershell | Out-String | Invoke-Expression",
        ),
    ],
)
def test_the_line_that_sets_everything(shell: str, line: str) -> None:
    assert remedy(shell, authority=Path("/a b/it's.pem")).everything() == line


def test_a_bundle_that_is_right_is_used_as_it_is() -> None:
    line = remedy(bundle=Path("/b.pem"), authority=Path("/ca.pem"), java=True).everything()
    assert line == 'eval "$(brickscope client-env --bundle /b.pem --java-truststore /b.p12)"'


def test_a_password_is_never_in_a_line() -> None:
    held = {"PATH": "/nowhere", "HTTPS_PROXY": SECRET.url}
    for shell in ("sh", "fish", "powershell"):
        for environment in (held, {"PATH": "/nowhere"}):
            for made in (
                Fixes(shell, environment, SECRET, Path("/ca.pem")),
                Fixes(shell, environment, SECRET),
            ):
                assert "s3cret" not in made.everything()
    assert "--proxy" not in Fixes("sh", held, SECRET).everything(), "client-env finds it in HTTPS_PROXY"


@pytest.mark.parametrize(
    ("shell", "copied", "unset", "assigned"),
    [
        ("sh", 'export b="$a"', "unset b", "export b='x y'"),
        ("fish", 'set -gx b "$a"', "set -e b", "set -gx b 'x y'"),
        ("powershell", "$env:b = $env:a", "Remove-Item Env:b", "$env:b = 'x y'"),
    ],
)
def test_one_variable(shell: str, copied: str, unset: str, assigned: str) -> None:
    made = remedy(shell)
    assert made.copy("a", "b") == copied
    assert made.unset("b") == made.replace("b", "") == unset
    assert made.assign(b="x y") == made.replace("b", "x y") == assigned


def test_a_program_that_is_not_on_the_path_is_named_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "a b" / "brickscope"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr(sys, "argv", [str(program)])
    elsewhere = {"PATH": "/nowhere"}
    assert f"eval \"$('{program}' client-env" in remedy(environment=elsewhere).everything()
    assert remedy("powershell", environment=elsewhere).everything().startswith(f"& '{program}' client-env")
    monkeypatch.setattr(sys, "argv", ["/x/pytest"])
    assert f"{sys.executable} -m brickscope client-env" in remedy(environment=elsewhere).everything()


@pytest.mark.parametrize(
    ("path", "shell"),
    [
        ("/bin/bash", "sh"),
        ("/usr/bin/fish", "fish"),
        ("/usr/bin/pwsh", "powershell"),
        ("/bin/zsh", "sh"),
        ("", "sh"),
    ],
)
def test_the_users_shell(path: str, shell: str) -> None:
    assert find_shell({"SHELL": path}) == shell


def test_the_package_itself_is_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "brickscope", "client-env", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: brickscope client-env")
