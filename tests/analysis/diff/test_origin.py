"""Versions of a policy: files, folders and revisions of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from analysis.policies import NOW, POLICY
from brickscope.analysis.diff.origin import load_version
from brickscope.policy.problem import PolicyError


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "-q")
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "policy.yaml").write_text(POLICY)
    (rules / "some.test.yaml").write_text("no policy")
    (rules / ".hidden.yaml").write_text("no policy")
    (rules / "notes.txt").write_text("no policy")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (rules / "policy.yaml").write_text(POLICY.replace("- jobs.list\n", "- jobs.get\n"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_a_file_and_a_revision(repository: Path) -> None:
    committed = load_version("HEAD:rules", NOW)
    assert committed.written.rules[0].position.file == "HEAD:rules/policy.yaml"
    assert load_version("HEAD:rules/policy.yaml", NOW).policy.revision == committed.policy.revision
    assert (
        load_version("rules", NOW).policy.revision == load_version("rules/policy.yaml", NOW).policy.revision
    )
    assert load_version("rules", NOW).policy.revision != committed.policy.revision
    git(repository, "commit", "-qam", "second")
    assert load_version("HEAD~1:rules", NOW).policy.revision == committed.policy.revision


def test_key_files_come_from_the_same_revision(repository: Path) -> None:
    issuer = (
        "issuers:\n  company:\n    issuer: https://accounts.cloud.databricks.com/oidc/accounts/"
        "0d26daa6-5e44-4c97-a497-ef015f91254a\n    keys_file: prod.jwks.json\n"
    )
    (repository / "rules" / "policy.yaml").write_text(POLICY + issuer)
    (repository / "rules" / "prod.jwks.json").write_text('{"keys": []}')
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "keys")
    (repository / "rules" / "prod.jwks.json").unlink()
    for name in ("HEAD:rules", "HEAD:rules/policy.yaml"):
        with pytest.raises(PolicyError, match="the key file 'prod\\.jwks\\.json' can't be used"):
            load_version(name, NOW)  # it was found, and holds no key


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no/such/folder", "there is no such policy folder"),
        ("HEAD:nowhere", "there is no such path or revision"),
        ("v9:rules", "there is no such path or revision"),
        ("--output=x:rules", "no revision begins with '-'"),
        ("HEAD:", "there is no policy file"),
        ("HEAD:rules/notes.txt", "not"),
    ],
)
def test_what_is_no_version(repository: Path, name: str, text: str) -> None:
    with pytest.raises(PolicyError, match=text):
        load_version(name, NOW)
    assert not (repository / "x:rules").exists()


def test_a_link_in_a_revision_is_not_followed(repository: Path) -> None:
    (repository / "rules" / "more.yaml").symlink_to("/etc/hostname")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "link")
    with pytest.raises(PolicyError, match="symbolic link"):
        load_version("HEAD:rules", NOW)


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(PolicyError, match="no such path or revision"):
        load_version("HEAD:rules", NOW)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PolicyError, match="git could not be asked"):
        load_version("HEAD:rules", NOW)
