"""A real proxy whose clock is set while it runs (libfaketime): the log stays one chain, and nothing of it goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.log.closed import series
from brickscope.log.head import HeadFile
from brickscope.log.key import VerifyKey
from e2e.gate import CATALOGS, TOKEN, Gate, head, running_gate
from e2e.oauth_policy import ask

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that says what the proxy's clock shows, as `+0`, `-1d` or `+10y`."""
    if LIBRARY is None:
        if os.environ.get("CI") == "true":
            pytest.fail("libfaketime is not installed (Debian's package faketime)")
        pytest.skip("libfaketime is not installed")
    file = tmp_path / "clock"
    file.write_text("+0")
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARY))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return file


def call(gate: Gate) -> int:
    return ask(gate, head("GET", CATALOGS, token=TOKEN)).status


def test_a_clock_that_is_set_changes_only_times(tmp_path: Path, proxy_authority: object, clock: Path) -> None:
    folder = tmp_path / "gate"
    settings = ("scope_audit_rotate=daily", "scope_audit_keep=30 days")
    arguments = [each for setting in settings for each in ("--set", setting)]
    with running_gate(folder, proxy_authority, *arguments) as gate:  # type: ignore[arg-type]
        log = gate.proxy.audit_file
        expected = 0
        for shown in ("+0", "+2y", "-3y", "+0", "-1d"):
            clock.write_text(shown)
            time.sleep(1.2)  # the clock is looked at once a second
            call(gate)
            expected += 1
        time.sleep(2.5)  # upkeep looks once a second what is to be deleted
        keys = (
            next(log.parent.rglob("brickscope-audit-key.pem")).parent if log.parent.exists() else log.parent
        )
    files = [*series(log), log]
    assert len(files) > 3
    key = VerifyKey.load(keys / "brickscope-audit-key.pem")
    (found,) = verify_logs(files, lambda _: Verifier(key, HeadFile(keys, log).read()))
    assert found.findings == []
    assert found.begins
    assert found.stopped
    assert any("the clock went back here" in note.text for note in found.notes)
    content = b"".join(_content(path) for path in files)
    assert content.count(b'"event":"decision"') == expected


def _content(path: Path) -> bytes:
    from brickscope.log.closed import open_log

    with open_log(path) as file:
        return file.read()
