"""brickscope client-env: its exit status, its messages, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brickscope.cli.client_env import default_bundle
from brickscope.cli.main import main
from clients.authority import Authority, make

PROXY = "http://10.0.8.2:8080"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make()


@pytest.fixture
def ca(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The proxy's CA, in a home with nothing else, where no variable is set."""
    for name in ("HTTPS_PROXY", "https_proxy", "JAVA_TOOL_OPTIONS", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return authority.write(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["client-env", *arguments])


def test_it_prints_the_variables_and_writes_the_bundle_once(ca: Path) -> None:
    done = run("--proxy", PROXY, "--ca", str(ca), "--format", "json")
    assert done.exit_code == 0
    made = json.loads(done.stdout)
    assert made["HTTPS_PROXY"] == made["https_proxy"] == PROXY
    assert made["SSL_CERT_FILE"] == str(default_bundle())
    assert default_bundle().is_file()
    assert "wrote" in done.stderr
    again = run("--proxy", PROXY, "--ca", str(ca), "--format", "json")
    assert (again.stdout, again.stderr) == (done.stdout, "")
    # The bundle is there, so nothing more has to be said.
    assert run("--proxy", PROXY, "--format", "json").stdout == done.stdout


def test_paths_are_whole_wherever_the_variables_are_used(ca: Path) -> None:
    made = json.loads(
        run(
            *("--proxy", PROXY, "--ca", ca.name, "--bundle", "b.pem", "--java-truststore", "j.p12"),
            *("--format", "json"),
        ).stdout
    )
    assert made["SSL_CERT_FILE"] == str(ca.parent / "b.pem")
    assert f"trustStore={ca.parent / 'j.p12'}" in made["JAVA_TOOL_OPTIONS"]
    elsewhere = run("--proxy", PROXY, "--ca", ca.name, "--bundle", "b.pem", "--bundle-at", "/etc/b.pem")
    assert "export SSL_CERT_FILE=/etc/b.pem\n" in elsewhere.stdout


def test_java_keeps_its_options_in_a_shell_and_not_in_a_file(
    ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1g")
    more = ("--proxy", PROXY, "--ca", str(ca), "--java-truststore", "j.p12")
    assert "-Xmx1g -Dhttps.proxyHost" in run(*more).stdout
    assert "-Xmx1g" not in run(*more, "--format", "systemd").stdout


def test_the_proxy_comes_from_the_variable(ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:s3cret@h:1")
    done = run("--ca", str(ca), "--no-proxy", "localhost")
    assert "export HTTPS_PROXY=http://me:s3cret@h:1\n" in done.stdout
    assert "export no_proxy=localhost\n" in done.stdout


def test_the_ca_of_ones_own_proxy_is_found(ca: Path, authority: Authority) -> None:
    folder = ca.parent / ".mitmproxy"
    folder.mkdir()
    authority.write(folder, "mitmproxy-ca-cert.pem")
    assert run("--proxy", PROXY).exit_code == 0
    assert authority.pem.decode().strip() in default_bundle().read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say where the proxy is"),
        (["--proxy", "https://me:s3cret@h:1"], "the way to the proxy is http://"),
        (["--proxy", PROXY], "say which CA the proxy has"),
        (["--proxy", PROXY, "--ca", "missing.pem"], "can't be read"),
        (["--proxy", PROXY, "--ca", "key.pem"], "private key"),
        (["--proxy", PROXY, "--bundle", "key.pem"], "private key"),
        (["--proxy", PROXY, "--ca", "ca.pem", "--bundle", "key.pem"], "not changed"),
        (["--proxy", PROXY, "--ca", "ca.pem", "--bundle", "a\nb"], "line end"),
        (["--proxy", PROXY, "--ca", "ca.pem", "--also", "missing.pem"], "can't be read"),
    ],
)
def test_what_can_t_be_is_said_and_nothing_is_written(
    ca: Path, authority: Authority, arguments: list[str], words: str
) -> None:
    (ca.parent / "key.pem").write_bytes(authority.key_pem + authority.pem)
    before = sorted(ca.parent.rglob("*"))
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr
    assert done.stdout == ""
    assert sorted(ca.parent.rglob("*")) == before
