"""brickscope doctor before a proxy whose CA `brickscope ca new` made: an intermediate signs, and clients hold the root."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main
from brickscope.host.proxy_url import read_proxy_url
from brickscope.host.trust import distrust
from brickscope.host.way import look
from clients.authority import make
from e2e.doctor_host import FAST, Host, detail, mended, problems
from e2e.gate import HOST, Gate, running_gate

pytestmark = pytest.mark.timeout(600)


def new_authority(folder: Path) -> Path:
    made = CliRunner().invoke(main, ["ca", "new", "--confdir", str(folder)])
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    confdir = new_authority(tmp_path_factory.mktemp("limited") / "confdir")
    with running_gate(tmp_path_factory.mktemp("gate"), confdir) as gate:
        yield gate


@pytest.fixture
def host(limited: Gate, tmp_path: Path) -> Host:
    home = tmp_path / "home"
    home.mkdir()
    return Host(limited, home, Path(shutil.copy(limited.ca, home / "ca.pem")))


def line(host: Host, file: Path) -> str:
    return f'eval "$(brickscope client-env --proxy {host.proxy} --ca {shlex.quote(str(file))})"'


@pytest.mark.parametrize("name", ["mitmproxy-ca-cert.pem", "brickscope-ca-bundle.pem"])
def test_a_limited_ca_is_healthy(host: Host, name: str) -> None:
    report = host.doctor(before=line(host, host.gate.ca.with_name(name)))
    assert problems(report) == [], detail(report, problems(report)[0])
    assert "Brickscope CA" in detail(report, "ca")
    assert {check["client"] for check in report["checks"] if check["status"] == "ok"} >= {"requests", "grpc"}


def test_all_clients_trust_a_limited_ca(host: Host) -> None:
    names = [f"--client {name}" for name in ("curl", "java", "node", "requests", "httpx", "grpc")]
    report = host.doctor(" ".join(names), host.good("--java-truststore", "limited.p12"))
    assert report["healthy"], report
    assert "the proxy's CA is in" in detail(report, "ca")


def test_the_server_shows_what_lies_between(host: Host) -> None:
    chain = look(read_proxy_url(host.proxy), HOST).chain
    assert len(chain) >= 2
    assert not distrust(chain, host.ca)
    assert distrust(chain[:1], host.ca), "by the intermediate alone the root is reached"


def test_another_limited_ca_is_lacking(host: Host, tmp_path: Path) -> None:
    other = new_authority(tmp_path / "other") / "mitmproxy-ca-cert.pem"
    before = line(host, other)
    report = host.doctor(before=before)
    assert {"ca", "ca_variable", "client_curl", "client_requests", "client_grpc"} <= set(problems(report))
    assert "it lacks the proxy's CA" in detail(report, "ca_variable")
    known = host.doctor(f"--ca {shlex.quote(str(host.ca))} {FAST}", before=before)
    mended(host, known, before=before)


def test_a_bundle_from_before_the_change_is_lacking(host: Host) -> None:
    report = host.doctor(before=line(host, make("mitmproxy").write(host.home, "old.pem")))
    assert "it lacks the proxy's CA" in detail(report, "ca_variable")
    assert "client_curl" in problems(report)
