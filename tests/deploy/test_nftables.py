"""The packet filters of docs/deploy: taken by nft, and tried in network namespaces."""

from __future__ import annotations

import pwd
import subprocess

import pytest

from deploy.box import ROOT, need
from deploy.network import Attempt, outcomes

HOST_RULES = (ROOT / "docs" / "deploy" / "nftables.conf").read_text()
POD_RULES = (ROOT / "docs" / "deploy" / "kubernetes" / "sidecar" / "only-by-brickscope.nft").read_text()
NOBODY = pwd.getpwnam("nobody").pw_uid
SIDECAR, AGENT = 65532, 10001


def played(rules: str) -> str:
    """The proxy's user is played by one that every machine has."""
    assert rules.count("define proxy_user = brickscope\n") == 1
    return rules.replace("define proxy_user = brickscope\n", "define proxy_user = nobody\n")


@pytest.mark.parametrize("rules", [played(HOST_RULES), POD_RULES], ids=["host", "pod"])
def test_nft_takes_the_rules(rules: str) -> None:
    need("nft", root=True)
    done = subprocess.run(["nft", "-c", "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_on_a_host_only_the_user_of_the_proxy_reaches_databricks() -> None:
    need("nft", "unshare", "ip", root=True)
    workspace, workspace6, elsewhere = "192.0.2.7", "2001:db8::7", "198.51.100.7"
    expected = {
        Attempt(NOBODY, workspace): "reached",
        Attempt(NOBODY, workspace6): "reached",
        Attempt(NOBODY, workspace, kind="udp"): "reached",
        Attempt(AGENT, workspace): "ECONNREFUSED",
        Attempt(AGENT, workspace6): "ECONNREFUSED",
        Attempt(AGENT, workspace, 444): "ECONNREFUSED",
        Attempt(AGENT, workspace, kind="udp"): "EPERM",
        Attempt(0, workspace): "ECONNREFUSED",
        Attempt(AGENT, elsewhere): "reached",
        Attempt(AGENT, "127.0.0.1", 8080): "reached",
    }
    found = outcomes([played(HOST_RULES)], [workspace, workspace6, elsewhere], list(expected))
    assert dict(zip(expected, found, strict=True)) == expected


def test_loading_the_rules_again_replaces_them() -> None:
    need("nft", "unshare", "ip", root=True)
    rules = played(HOST_RULES)
    assert outcomes([rules, rules], ["192.0.2.7"], [Attempt(AGENT, "192.0.2.7")]) == ["ECONNREFUSED"]


def test_without_the_rules_the_host_reaches_databricks() -> None:
    """Otherwise the tests here would prove nothing."""
    need("nft", "unshare", "ip", root=True)
    tried = [
        Attempt(AGENT, "192.0.2.7"),
        Attempt(AGENT, "2001:db8::7"),
        Attempt(AGENT, "192.0.2.7", 443, "udp"),
    ]
    assert outcomes([], ["192.0.2.7", "2001:db8::7"], tried) == ["reached"] * 3


def test_in_a_pod_only_the_sidecar_reaches_anything() -> None:
    need("nft", "unshare", "ip", root=True)
    expected = {
        Attempt(SIDECAR, "192.0.2.7"): "reached",
        Attempt(SIDECAR, "2001:db8::7"): "reached",
        Attempt(SIDECAR, "192.0.2.7", 8080): "ECONNREFUSED",
        Attempt(AGENT, "127.0.0.1", 8080): "reached",
        Attempt(AGENT, "192.0.2.7"): "ECONNREFUSED",
        Attempt(AGENT, "2001:db8::7"): "ECONNREFUSED",
        Attempt(AGENT, "192.0.2.7", kind="udp"): "EPERM",
        Attempt(0, "192.0.2.7"): "ECONNREFUSED",
    }
    found = outcomes([POD_RULES], ["192.0.2.7", "2001:db8::7"], list(expected))
    assert dict(zip(expected, found, strict=True)) == expected
