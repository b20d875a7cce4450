"""A proxy that starts with a package of a known flaw says so, and starts."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from e2e.conftest import StartProxy
from e2e.gate import POLICY
from e2e.proxy_process import REPOSITORY

SCRIPT = """\
import sys
from importlib import metadata
true_version = metadata.version
metadata.version = lambda name: "4.2.0" if name == "h2" else true_version(name)
exec(compile(open({script!r}).read(), {script!r}, "exec"))
"""


@pytest.mark.parametrize("flawed", [True, False], ids=["flawed", "as it is"])
def test_a_known_flaw_is_said_at_start_and_the_versions_are_in_the_log(
    flawed: bool, rules: Path, start_proxy: StartProxy, tmp_path: Path
) -> None:
    (rules / "policy.yaml").write_text(POLICY)
    script = REPOSITORY / "addon" / "scope.py"
    if flawed:
        wrapped = tmp_path / "addon" / "scope.py"
        wrapped.parent.mkdir()
        wrapped.write_text(SCRIPT.format(script=str(script)))
        script = wrapped
    proxy = start_proxy(script=script)
    (start,) = proxy.audit("start")
    assert start["versions"]["mitmproxy"] == metadata.version("mitmproxy")
    assert start["versions"]["h2"] == ("4.2.0" if flawed else metadata.version("h2"))
    assert ("h2 4.2.0 has known flaws: install h2>=4.4.1" in proxy.output) is flawed
    assert proxy.running
