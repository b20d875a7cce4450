"""brickscope placeholder, and client-env --placeholder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from brickscope.cli.main import main
from brickscope.core.fingerprint import fingerprint
from brickscope.core.placeholder import is_whole
from brickscope.policy.load import load_policy
from e2e.proxy_process import make_authority


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given)


def policy(folder: Path, lines: str) -> None:
    (folder / "p.yaml").write_text(f"version: 1\n{lines}rule_sets:\n  r:\n    allow: [GET /a]\n")


def test_a_new_one_and_its_lines_make_a_policy(tmp_path: Path) -> None:
    found = run("placeholder", "new", "etl", "--rule-set", "r", "--credential", "store")
    placeholder = found.stdout.strip()
    assert is_whole(placeholder)
    assert placeholder not in found.stderr
    policy(tmp_path, found.stderr)
    known = load_policy(tmp_path, 0).policy.tokens
    (subject,) = known.values()
    assert set(known) == {fingerprint(placeholder.encode())}
    assert (subject.name, subject.credential) == ("etl", "store")


def test_no_two_are_the_same() -> None:
    assert len({run("placeholder", "new", "etl").stdout for _ in range(20)}) == 20


def two(folder: Path) -> dict[str, str]:
    made = {name: run("placeholder", "new", name, "--rule-set", "r") for name in ("etl", "ci")}
    lines = {name: each.stderr.removeprefix("tokens:\n") for name, each in made.items()}
    policy(folder, "tokens:\n" + "".join(lines.values()))
    return {name: fingerprint(each.stdout.strip().encode()) for name, each in made.items()}


def test_revoked_by_name_then_by_fingerprint(tmp_path: Path) -> None:
    marks = two(tmp_path)
    assert run("placeholder", "revoke", "etl", "--rules", str(tmp_path)).exit_code == 0
    assert set(load_policy(tmp_path, 0).policy.tokens) == {marks["ci"]}
    assert run("placeholder", "revoke", marks["ci"], "--rules", str(tmp_path)).exit_code == 0
    assert load_policy(tmp_path, 0).policy.tokens == {}
    content = yaml.safe_load((tmp_path / "revoked.yaml").read_text())
    assert content == {"version": 1, "revoked": [marks["etl"], marks["ci"]]}


@pytest.mark.parametrize("which", ["nobody", "sha256:" + "0" * 64])
def test_what_is_not_there_is_not_revoked(tmp_path: Path, which: str) -> None:
    two(tmp_path)
    found = run("placeholder", "revoke", which, "--rules", str(tmp_path))
    assert found.exit_code == 2
    assert not (tmp_path / "revoked.yaml").exists()


def test_a_file_that_is_not_ours_is_said(tmp_path: Path) -> None:
    """The proxy would keep the policy before, and the placeholder with it."""
    two(tmp_path)
    (tmp_path / "revoked.yaml").write_text("version: 1\ncontact: '#data'\n")
    found = run("placeholder", "revoke", "etl", "--rules", str(tmp_path))
    assert found.exit_code == 2
    assert "revoked.yaml" in found.output


def test_client_env_sets_it(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "ca")
    placeholder = run("placeholder", "new", "etl").stdout
    arguments = ["client-env", "--proxy", "http://10.0.8.2:8080", "--bundle", str(tmp_path / "b.pem")]
    ca = str(authority / "mitmproxy-ca-cert.pem")
    found = run(*arguments, "--ca", ca, "--placeholder", "-", "--format", "json", given=placeholder)
    made = json.loads(found.stdout)
    assert made["DATABRICKS_TOKEN"] == placeholder.strip()
    assert made["DATABRICKS_AUTH_TYPE"] == "pat"


def test_client_env_takes_no_real_token() -> None:
    token = "dapi" + "0" * 32
    found = run("client-env", "--proxy", "http://10.0.8.2:8080", "--placeholder", "-", given=token)
    assert found.exit_code == 2
    assert token not in found.output
