"""The operator's file: strict, apart from the policy, and no word of it in a message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brickscope.core.entrusted import Entrusted, Kind, Source
from brickscope.policy.credentials import read_credentials
from brickscope.policy.problem import PolicyError

SECRET = "hunter2-hunter2-hunter2-hunter2"
HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
GUID = "0d26daa6-5e44-4c97-a497-ef015f91254a"
GOOD = f"""\
version: 1
credentials:
  etl:
    file: /run/secrets/etl
    workspaces: [{HOST}]
  ci:
    kind: azure_service_principal
    client_id: {GUID}
    tenant: {GUID}
    command: [vault, read, -field=secret, kv/ci]
    workspaces: [{HOST}, "acme.databricks.com?o=123"]
"""


def read(folder: Path, text: str) -> dict[str, Entrusted]:
    file = folder / "credentials.yaml"
    file.write_text(text)
    return read_credentials(file, folder / "rules")


def test_what_it_says(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found["etl"] == Entrusted("etl", Kind.TOKEN, Source(file="/run/secrets/etl"), frozenset({HOST}))
    assert found["ci"].source.command == ("vault", "read", "-field=secret", "kv/ci")
    assert found["ci"].login == "login.microsoftonline.com"


WRONG = {
    "a secret": (f"token: {SECRET}", "5:5: error: the key 'token' is unknown (a secret is never written"),
    "a key that nobody knows": (f"{SECRET}: 1", "5:5: error: this key is unknown"),
    "no source": ("description: x", "4:3: error: a credential has one source"),
    "two sources": ("file: /a\n    environment: A", "a credential has one source"),
    "a relative path": (f"file: {SECRET}", "5:11: error: the path is not absolute"),
    "a token for a path": (f"file: dapi{'0' * 32}", "looks like a secret"),
    "a token among the arguments": (f"command: [vault, dapi{'0' * 32}]", "looks like a secret"),
    "a command in one string": (
        f"command: vault {SECRET}",
        "5:14: error: this must be a list, '- one entry a line'",
    ),
    "no variable's name": (f"environment: '{SECRET}'", "5:18: error: a name has letters, digits"),
    "a command of nothing": ("command: []", "5:14: error: the list is empty"),
    "another kind": (f"file: /a\n    kind: {SECRET}", "this is no kind"),
    "no client": ("file: /a\n    kind: databricks_service_principal", "the key 'client_id' is missing"),
    "a client for a token": (f"file: /a\n    client_id: {GUID}", "the key 'client_id' is of no use"),
    "the same key twice": (f"file: /a\n    file: {SECRET}", "(not shown)"),
    "no YAML": (f"file: [{SECRET}", "not valid YAML"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_its_place_and_without_its_words(tmp_path: Path, name: str) -> None:
    lines, message = WRONG[name]
    text = f"version: 1\ncredentials:\n\n  etl:\n    {lines}\n    workspaces: [{HOST}]\n"
    with pytest.raises(PolicyError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "0" * 32 not in str(caught.value)
    assert str(caught.value).startswith("The file of credentials has")


def test_a_credential_is_for_some_workspaces(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="'workspaces' is missing"):
        read(tmp_path, "version: 1\ncredentials:\n  etl:\n    file: /a\n")


def test_it_does_not_lie_where_rules_are_edited(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    file = tmp_path / "rules" / "credentials.txt"
    file.write_text(GOOD)
    with pytest.raises(PolicyError, match="it lies in the policy's folder"):
        read_credentials(file, tmp_path / "rules")
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    with pytest.raises(PolicyError, match="it lies in the policy's folder"):
        read_credentials(link, tmp_path / "rules")


def test_nobody_else_may_write_it(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(GOOD)
    os.chmod(file, 0o666)  # noqa: PTH101
    with pytest.raises(PolicyError, match="everybody may write to it"):
        read_credentials(file, tmp_path / "rules")


def test_one_in_whose_place_everybody_may_put_another(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "c.yaml").write_text(GOOD)
    folder.chmod(0o777)
    with pytest.raises(PolicyError, match="everybody may write to its folder"):
        read_credentials(folder / "c.yaml", tmp_path / "rules")
    folder.chmod(0o1777)  # as /tmp: nobody but its owner may replace it
    assert read_credentials(folder / "c.yaml", tmp_path / "rules")


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="can't be read: No such file"):
        read_credentials(tmp_path / "none", tmp_path)
