"""docs/azure.md, run as it is written: the SDK's own strategy, a fake Entra ID, one call allowed, one denied, its record."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from e2e.gate import CATALOGS
from e2e.proxy_process import REPOSITORY, free_port, plain_environment
from e2e.test_first_host import Shell, plain, wait_for_port
from lab.workspace.entra import APPLICATION, HOSTS, LOGIN, OBJECT, SECRET, Entra
from lab.workspace.server import DNS_NAMES, FakeWorkspace

GUIDE = (REPOSITORY / "docs" / "azure.md").read_text()
_DECISION = re.compile(r"\b[0-9a-f]{8}-[1-9]\d*\b(?!-)")


def still(text: str) -> list[str]:
    """The lines, without what another run or another SDK has otherwise: a token of Entra ID is a new one each time."""
    text = re.sub(r"^user agent .*databricks-sdk-py.*(?= auth/)", "user agent SDK", text, flags=re.M)
    return plain(re.sub(r"sha256:[0-9a-f]{64}", "FINGERPRINT", text))


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the guide in its order, and what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```$", GUIDE, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def test_the_guide_leads_to_an_allowed_and_a_denied_call(tmp_path: Path) -> None:
    file = re.search(r"`(rules/azure\.yaml)`:\n\n```yaml\n(.*?)^```$", GUIDE, re.M | re.S)
    assert file
    home, port, proxy = tmp_path / "ada", str(free_port()), None
    home.mkdir()
    kept = {
        name: value
        for name, value in plain_environment().items()
        if not name.startswith(("DATABRICKS_", "ARM_")) and "CA_BUNDLE" not in name
    }
    environment = kept | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    output, denied, printed_in_all = tmp_path / "proxy.txt", "", ""
    entra = Entra({APPLICATION: OBJECT})
    with FakeWorkspace.start(names=(*DNS_NAMES, *HOSTS), routes=entra.routes) as workspace:
        # What stands in Azure's place; the guide has every other option.
        options = [f"ssl_verify_upstream_trusted_ca={workspace.ca_file}", "scope_allow_addresses=127.0.0.0/8"]
        options += [
            f"scope_connect_to={name}=127.0.0.1:{workspace.port}" for name in ("*.azuredatabricks.net", LOGIN)
        ]
        shell = Shell(home, environment)
        try:
            for command, shown in commands():
                if command.startswith("brickscope proxy"):
                    flags = [part for option in options for part in ("--set", option)]
                    with output.open("wb") as sink:
                        proxy = subprocess.Popen(
                            [*shlex.split(command), "-p", port, *flags],
                            cwd=home,
                            env=environment,
                            stdin=subprocess.DEVNULL,
                            stdout=sink,
                            stderr=subprocess.STDOUT,
                        )
                    wait_for_port(proxy, output)
                    continue
                if command.startswith("brickscope check"):
                    (home / file[1]).parent.mkdir()
                    (home / file[1]).write_text(file[2])
                if command.startswith("brickscope audit show"):
                    command = _DECISION.sub(denied, command)
                typed = SECRET if command.startswith("read ") else ""
                status, printed = shell.run(command.replace(":8080", f":{port}"), typed)
                assert status == 0, (command, printed, shell.errors, output.read_text())
                if command.startswith("eval "):  # the SDK asks Entra ID itself: it has to trust the fake one
                    with (home / ".config" / "brickscope" / "clients.pem").open("ab") as bundle:
                        bundle.write(workspace.ca_file.read_bytes())
                found = re.search(r"decision (\S+?)\)", printed)
                denied = found[1] if found else denied
                printed_in_all += printed
                assert still(printed.replace(f":{port}", ":8080")) == still(shown), command
        finally:
            shell.close()
            if proxy is not None:
                proxy.send_signal(signal.SIGINT)
                proxy.wait(60)
        arrived = [each.path for each in workspace.requests if each.path.startswith(b"/api/")]
    assert arrived == [CATALOGS.encode()]
    assert entra.forms
    assert denied
    kept_text = output.read_text() + (home / "audit.jsonl").read_text() + printed_in_all
    assert SECRET not in kept_text
    assert "eyJ" not in kept_text
