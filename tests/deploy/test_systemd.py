"""The unit: verified and rated by systemd itself, and its sandbox put on a real proxy where systemd does not run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.box import ROOT, USER, Box, need
from deploy.boxed_proxy import BoxedProxy, boxed_proxy
from deploy.unit_file import confinement, read_unit
from lab.workspace.server import FakeWorkspace

FOLDER = ROOT / "docs" / "deploy" / "systemd"
SERVICE = FOLDER / "brickscope.service"
UNIT = read_unit(SERVICE)
CONFINE = Path(__file__).with_name("confine.py")
EXPOSURE = 15
"""In tenths: systemd 252 says 1.3. Above that something was taken out of the unit."""
INSTALLED = "/opt/brickscope/bin/brickscope"


def test_systemd_takes_every_line(tmp_path: Path) -> None:
    need("systemd-analyze")
    program = tmp_path / "brickscope"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / SERVICE.name
    unit.write_text(SERVICE.read_text().replace(INSTALLED, str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_little_to_expose() -> None:
    need("systemd-analyze")
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--no-pager",
            "--offline=true",
            f"--threshold={EXPOSURE}",
            str(SERVICE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_weaker_unit_is_found(tmp_path: Path) -> None:
    need("systemd-analyze")
    unit = tmp_path / SERVICE.name
    unit.write_text(
        SERVICE.read_text().replace("CapabilityBoundingSet=\n", "").replace("SystemCallFilter=", "X-")
    )
    command = [
        "systemd-analyze",
        "security",
        "--no-pager",
        "--offline=true",
        f"--threshold={EXPOSURE}",
        str(unit),
    ]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    need("systemd-sysusers", "systemd-tmpfiles", root=True)
    (tmp_path / "etc").mkdir()
    for program, name in (("systemd-sysusers", "sysusers"), ("systemd-tmpfiles", "tmpfiles")):
        file = FOLDER / f"brickscope.{name}.conf"
        more = ["--create"] if name == "tmpfiles" else []
        done = subprocess.run(
            [program, f"--root={tmp_path}", *more, str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    (line,) = [x for x in (tmp_path / "etc/passwd").read_text().splitlines() if x.startswith("brickscope:")]
    assert line.endswith(":/usr/sbin/nologin")
    user = int(line.split(":")[2])
    rules, keys = tmp_path / "etc/brickscope/rules", tmp_path / "etc/brickscope/ca"
    assert (rules.stat().st_uid, rules.stat().st_mode & 0o777) == (0, 0o750)
    assert rules.stat().st_gid == user, "the service reads the policy and can't write it"
    assert (keys.stat().st_uid, keys.stat().st_mode & 0o777) == (0, 0o700)


def test_time_to_stop_is_longer_than_calls_are_waited_for() -> None:
    assert float(UNIT.one("TimeoutStopSec")) > 30
    assert UNIT.one("KillMode") == "mixed"


def test_no_secret_reaches_core_file_or_swap() -> None:
    assert (UNIT.one("LimitCORE"), UNIT.one("MemorySwapMax")) == ("0", "0")


def test_both_files_of_the_authority_are_handed_over() -> None:
    """With one of them missing the proxy would write into its folder, which it can't."""
    names = [value.partition(":")[0] for value in UNIT.all("LoadCredential")]
    assert names == ["mitmproxy-ca.pem", "mitmproxy-dhparam.pem"]


def _run(image: Box, *code: str) -> subprocess.CompletedProcess[str]:
    return image.run(
        ["python", "/confine.py", json.dumps(confinement(UNIT)), "python", "-c", "\n".join(code)],
        user=USER,
        readable={"/confine.py": CONFINE},
        writable=["/var/lib/brickscope", "/var/log/brickscope"],
    )


@pytest.mark.parametrize(
    ("what", "code", "error"),
    [
        (
            "netlink sockets",
            "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
            "EAFNOSUPPORT",
        ),
        ("raw packets", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "EAFNOSUPPORT"),
        (
            "namespaces",
            "import ctypes, os; c = ctypes.CDLL(None, use_errno=True)\n"
            "if c.unshare(0x10000000): raise OSError(ctypes.get_errno(), '')",
            "EPERM",
        ),
        ("other priorities", "import os; os.nice(-5)", "EPERM"),
        ("the code", "open('/opt/brickscope/bin/x', 'w')", "EROFS"),
        ("temporary files of others", "open('/tmp/x', 'w')", "EROFS"),
        ("the policy's folder", "open('/etc/brickscope.yaml', 'w')", "EROFS"),
    ],
)
def test_the_sandbox_of_these_tests_holds(image: Box, what: str, code: str, error: str) -> None:
    """Otherwise the test below would prove nothing."""
    need("systemd-analyze")
    done = _run(
        image,
        "import errno",
        "try:",
        *[f"    {line}" for line in code.splitlines()],
        "except OSError as error: print(errno.errorcode[error.errno])",
    )
    assert done.stdout.strip() == error, done.stderr


@contextmanager
def confined(
    image: Box, tmp_path: Path, workspace: FakeWorkspace, authority: Path, **changes: object
) -> Iterator[BoxedProxy]:
    """The unit's command in the unit's sandbox, but for ``changes`` of the confinement."""
    need("systemd-analyze")
    credentials = "/run/credentials/brickscope.service"
    how = json.dumps(confinement(UNIT) | changes)
    command = ["python", "/confine.py", how, *UNIT.command("ExecStart", {"%d": credentials})]
    with boxed_proxy(
        image,
        tmp_path,
        command,
        workspace,
        authority,
        confdir=credentials,
        readable={"/confine.py": CONFINE},
        environment=dict(
            each.split("=", 1) for each in UNIT.one("Environment").replace("%t", "/run").split()
        ),
        writable=["/run/brickscope"],
    ) as proxy:
        yield proxy


def test_the_proxy_works_in_the_sandbox_of_the_unit(
    image: Box, tmp_path: Path, workspace: FakeWorkspace, authority: Path
) -> None:
    """Its user, root filesystem, capabilities, system calls, address families and limits as the unit has them: it starts,
    allows, denies, logs and ends."""
    with confined(image, tmp_path, workspace, authority) as proxy:
        proxy.works()
        limits = Path(f"/proc/{proxy.boxed.pid}/limits").read_text()
        assert limits.partition("Max core file size")[2].split()[:2] == ["0", "0"]
        assert "\nSeccomp:\t2\n" in Path(f"/proc/{proxy.boxed.pid}/status").read_text()
        for _ in range(20):
            assert proxy.call() == 200
        assert {file.stat().st_mode & 0o777 for file in proxy.log.parent.iterdir()} == {0o600}
        assert proxy.boxed.stop(60) == 0
        assert proxy.records("stop")


def test_memory_that_is_both_written_and_run_is_still_needed(
    image: Box, tmp_path: Path, workspace: FakeWorkspace, authority: Path
) -> None:
    """If this fails, a newer pyOpenSSL no longer needs it: put MemoryDenyWriteExecute=yes into the unit."""
    assert UNIT.one("MemoryDenyWriteExecute") == "no"
    with (
        pytest.raises(AssertionError, match=r"can't start(?s:.*)write\+execute"),
        confined(image, tmp_path, workspace, authority, no_exec_gain=True),
    ):
        pass
