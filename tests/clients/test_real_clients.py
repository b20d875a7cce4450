"""Every client of the table, for real, through a real proxy that enforces the client's own rule set of docs/clients."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from clients.installed import HOME, PROGRAMS, need_program
from clients.roster import CLIENTS, DRIVERS, GO_PROGRAM, Client
from clients.stage import Stage, outcome

pytestmark = pytest.mark.timeout(300)
by_name = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


def command_of(wanted: tuple[str, ...], stage: Stage) -> tuple[str, ...]:
    """The command, its program there and compiled if it has to be."""
    program = "go" if wanted[0] == GO_PROGRAM else wanted[0]
    if program in PROGRAMS:
        need_program(program)
    if program != "go":
        return wanted
    compiled = stage.folder / GO_PROGRAM
    if not compiled.exists():
        build = ["go", "build", "-o", str(compiled), str(DRIVERS / "rest.go")]
        settings = os.environ | {"GOCACHE": str(HOME / "go-cache"), "GO111MODULE": "off"}
        subprocess.run(build, env=settings, check=True, capture_output=True, timeout=200)
    return (str(compiled), *wanted[1:])


def joined(text: str) -> str:
    """The text of a message that its client printed as a Python literal over several lines."""
    return re.sub(r"""['"]\s*\n\s*['"]""", "", text)


@by_name
def test_what_is_allowed_arrives(client: Client, stage: Stage) -> None:
    command = command_of(client.allowed, stage)
    before = len(stage.decisions())
    done = stage.run(command, client.settings, client.credentials(allowed=True))
    assert outcome(done) == {"value": client.value}, done.stderr
    decided = stage.decisions(before)
    assert [record for record in decided if record["decision"] == "deny"] == []
    subjects = {record["subject"] for record in decided if record["reason"] == "allowed_by_rule"}
    assert subjects == {client.rule_set}
    versions = {request["version"] for request in stage.workspace.requests()}
    assert ("2" in versions) == client.protocol.endswith("HTTP/2")


@by_name
def test_what_is_refused_says_so_at_once(client: Client, stage: Stage) -> None:
    command = command_of(client.refused, stage)
    before = len(stage.decisions())
    done = stage.run(command, client.settings, client.credentials(allowed=False))
    shown = outcome(done)
    said = joined(shown["error"])
    refused = [
        record
        for record in stage.decisions(before)
        if record["path"] == client.path
        and record["reason"] != "missing_credential"
        and not (client.session and record["decision"] == "allow")
    ]
    assert len(refused) == 1, "it tried again"
    (record,) = refused
    assert record["decision"] == "deny"
    assert said.count("Brickscope denied") == client.repeats, said
    assert client.path in said
    assert f"(reason {record['reason']}, decision {record['decision_id']})" in said
    if client.kind is not None:
        assert shown["kind"] == client.kind
    if not client.session:
        assert client.path not in {request["path"] for request in stage.workspace.requests()}
