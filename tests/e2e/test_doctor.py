"""brickscope doctor before a real proxy: healthy, and with wrong variables or CAs; and what it prints mends it.

Each line is run in a real shell as it was printed, and then doctor is run again in that shell: it has to be content.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from clients.authority import make
from e2e.doctor_host import ALL, FAST, Host, detail, mended, problems
from e2e.gate import HOST, running_gate
from e2e.proxy_process import free_port, make_authority

# Programs start slowly where other tests run; nothing here rests on time.
pytestmark = pytest.mark.timeout(600)


def test_a_healthy_host_with_all_clients(host: Host) -> None:
    before = host.good("--java-truststore", "'it has a blank.p12'")
    report = host.doctor(" ".join(f"--client {name}" for name in ALL), before)
    assert report["healthy"], report
    assert problems(report) == []
    reached = {check["client"] for check in report["checks"] if check["status"] == "ok" and check["client"]}
    assert {"requests", "httpx", "grpc"} <= reached
    for name, program in (("curl", "curl"), ("java", "java")):
        assert (name in reached) == (shutil.which(program) is not None)
    assert report["fixes"] == []
    again = host.run(f"{before}; brickscope doctor --workspace {HOST} --client curl")
    assert again.returncode == 0
    assert "No problems found." in again.stdout


def test_no_variable(host: Host) -> None:
    options = f"--proxy {host.proxy} --ca {shlex.quote(str(host.ca))} {FAST}"
    report = host.doctor(options)
    assert {"proxy_variable", "client_curl", "client_requests", "client_grpc"} <= set(problems(report))
    quoted = shlex.quote(str(host.ca))
    assert report["fixes"] == [f'eval "$(brickscope client-env --proxy {host.proxy} --ca {quoted})"']
    mended(host, report)


def test_no_variable_in_fish(host: Host) -> None:
    options = f"--proxy {host.proxy} --ca {shlex.quote(str(host.ca))} {FAST}"
    report = host.doctor(options, SHELL="/usr/bin/fish")
    assert report["fixes"][0].endswith("--format fish | source")
    mended(host, report, shell="fish", SHELL="/usr/bin/fish")


def test_powershell_is_told_in_its_own_words(host: Host) -> None:
    report = host.doctor(f"--proxy {host.proxy} --ca {shlex.quote(str(host.ca))} --shell powershell {FAST}")
    quoted = "'" + str(host.ca).replace("'", "''") + "'"
    assert report["fixes"] == [
        f"brickscope client-env --proxy {host.proxy} --ca {quoted} --format powershell | Out-String | Invoke-Expression"
    ]


def test_nothing_is_known_of_a_proxy(host: Host) -> None:
    report = host.doctor()
    assert problems(report) == ["proxy_variable"]
    assert report["proxy"] is None
    assert "--proxy http://PROXY:8080" in report["fixes"][0]


def test_one_spelling_only(host: Host) -> None:
    before = f"{host.good()}; unset https_proxy"
    report = host.doctor(before=before)
    assert set(problems(report)) == {"client_grpc"}
    assert "gRPC reads lower case only" in detail(report, "proxy_variable")
    assert report["fixes"][0] == f"export https_proxy={host.proxy}"
    mended(host, report, before=before)


def test_the_spellings_name_two_proxies(host: Host) -> None:
    before = f"{host.good()}; export https_proxy=http://127.0.0.1:1"
    report = host.doctor(before=before)
    assert {"proxy_variable", "client_grpc", "client_requests"} <= set(problems(report))
    mended(host, report, before=before)


def test_the_wrong_port(host: Host) -> None:
    before = f"{host.good()}; export HTTPS_PROXY=http://127.0.0.1:{free_port()}"
    report = host.doctor(before=before)
    assert "proxy_connects" in problems(report)
    assert "Connection refused" in detail(report, "proxy_connects")
    # The other spelling names a Brickscope, so the line is exact.
    assert any(f"--proxy {host.proxy}" in fix for fix in report["fixes"])
    both = f"{host.good()}; export HTTPS_PROXY=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1"
    told = host.doctor(f"--proxy {host.proxy} {FAST}", before=both)
    assert f"export HTTPS_PROXY={host.proxy}" in told["fixes"]
    mended(host, told, before=both)


def test_a_proxy_that_has_no_name(host: Host) -> None:
    report = host.doctor(
        HTTPS_PROXY="http://no-such-proxy.invalid:8080", https_proxy="http://no-such-proxy.invalid:8080"
    )
    assert problems(report) == ["proxy_resolves"]


# What the host has set, {} for HOST:PORT of the proxy; some words of what is wrong.
MEANT = {
    "no scheme": ("HTTPS_PROXY={}", "has no scheme"),
    "the scheme of what is inside": ("HTTPS_PROXY=https://{}", "the way to the proxy is http://"),
    "small letters, no scheme": ("https_proxy={}", "has no scheme"),
    "the variable for http:// calls": ("HTTP_PROXY=http://{}", "HTTP_PROXY is, which is for http:// calls"),
    "that, in small letters, no scheme": ("http_proxy={}", "http_proxy is, which is for http:// calls"),
}


@pytest.mark.parametrize(("line", "words"), MEANT.values(), ids=MEANT)
@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_an_address_that_is_written_wrong_is_kept_and_corrected(
    host: Host, line: str, words: str, shell: str
) -> None:
    name, _, value = line.format(host.proxy.removeprefix("http://")).partition("=")
    settings = {name: value, "SHELL": f"/usr/bin/{shell}"}
    report = host.doctor(f"--ca {shlex.quote(str(host.ca))} {FAST}", **settings)
    assert "proxy_variable" in problems(report)
    assert words in detail(report, "proxy_variable")
    assert f"client-env --proxy {host.proxy} --ca " in report["fixes"][0]
    mended(host, report, shell=shell, **settings)


def test_another_kind_of_proxy_is_not_taken_for_this_one(host: Host) -> None:
    report = host.doctor(HTTPS_PROXY=host.proxy.replace("http:", "socks5:"))
    assert problems(report) == ["proxy_variable"]
    assert "--proxy http://PROXY:8080" in report["fixes"][0]


def test_what_terraform_trusts_in_a_bundles_deployment(host: Host) -> None:
    """Its own check: the CLI gives it the proxy and not the CA, so that what is right for one is not for the other."""
    settings = host.good()
    report = host.doctor("--client terraform", settings)
    assert problems(report) == ["client_bundle"]
    assert "finds the proxy and trusts it" in detail(report, "client_go")
    mended(host, report, "--client terraform", settings)
    (host.home / "databricks.yml").write_text("bundle: {name: x}\n")
    assert problems(host.doctor("--client go", settings)) == ["client_bundle"]
    (host.home / "databricks.yml").unlink()
    assert host.doctor("--client go", settings)["healthy"], "nobody deploys a bundle here"


def test_the_ca_is_missing(host: Host) -> None:
    before = f"export HTTPS_PROXY={host.proxy} https_proxy={host.proxy}"
    report = host.doctor(before=before)
    assert set(problems(report)) == {"ca", "client_curl", "client_requests", "client_grpc"}
    assert "certifi's file" in detail(report, "client_requests")
    # Nobody here has the file. With it, the line is exact.
    known = host.doctor(f"--ca {shlex.quote(str(host.ca))} {FAST}", before=before)
    assert "client-env --ca" in known["fixes"][0]
    mended(host, known, before=before)


def test_another_proxys_ca(host: Host) -> None:
    other = make()
    wrong = other.write(host.home, "wrong.pem")
    before = f'eval "$(brickscope client-env --proxy {host.proxy} --ca wrong.pem)"'
    report = host.doctor(before=before)
    assert {"ca", "ca_variable", "client_curl", "client_requests", "client_grpc"} <= set(problems(report))
    known = host.doctor(f"--ca {shlex.quote(str(host.ca))} {FAST}", before=before)
    mended(host, known, before=before)
    assert wrong.exists()


def test_the_ca_was_replaced(tmp_path: Path, host: Host) -> None:
    """The proxy's new CA has the same name as the old one: told apart by the key, and both are good in one bundle."""
    folder = tmp_path / "replaced"

    with running_gate(folder, make_authority(tmp_path / "new authority")) as gate:
        moved = host._replace(gate=gate)
        before = (
            f'eval "$(brickscope client-env --proxy {gate.proxy.proxy_url} --ca {shlex.quote(str(host.ca))})"'
        )
        report = moved.doctor(before=before)
        assert "another CA of the same name" in detail(report, "ca")
        assert "the proxy's was replaced" in detail(report, "ca_variable")
        new = Path(shutil.copy(gate.ca, host.home / "new.pem"))
        mended(moved, moved.doctor(f"--ca {new.name} {FAST}", before=before), before=before)
        names = [f"--client {name}" for name in ("curl", "java", "node", "requests", "httpx", "grpc")]
        for pair in ((host.ca, new), (new, host.ca)):
            both = " ".join(f"--ca {shlex.quote(str(each))}" for each in pair)
            line = f"client-env {both} --java-truststore both.p12"
            for proxy in (gate.proxy.proxy_url, host.proxy):
                done = moved.doctor(" ".join(names), f'eval "$(brickscope {line} --proxy {proxy})"')
                assert done["healthy"], (pair, proxy, done)


def test_the_ca_has_ended(tmp_path: Path, host: Host, proxy_authority: Path) -> None:
    # No proxy starts with a CA of its own that has ended; one may end while it runs, or have signed what it is given.
    authority = make(begins=-20, ends=-1)
    shown = tmp_path / "shown.pem"
    shown.write_bytes(
        authority.key_pem + authority.issue(HOST).public_bytes(serialization.Encoding.PEM) + authority.pem
    )
    with running_gate(tmp_path / "gate", proxy_authority, "--set", f"certs=*={shown}") as gate:
        ca = authority.write(host.home, "ended.pem")
        before = (
            f"export HTTPS_PROXY={gate.proxy.proxy_url} https_proxy={gate.proxy.proxy_url} "
            f"REQUESTS_CA_BUNDLE={ca} SSL_CERT_FILE={ca} CURL_CA_BUNDLE={ca} GRPC_DEFAULT_SSL_ROOTS_FILE_PATH={ca}"
        )
        before = before.replace(str(ca), shlex.quote(str(ca)))
        report = host._replace(gate=gate).doctor(before=before)
    assert {"ca", "ca_variable", "client_curl", "client_requests", "client_grpc"} <= set(problems(report))
    assert "the proxy's CA has expired" in detail(report, "ca")
    assert "expired on" in detail(report, "ca")


def test_a_variable_that_names_no_file(host: Host) -> None:
    before = f"{host.good()}; export SSL_CERT_FILE=/no/such/file.pem"
    report = host.doctor(f"{FAST} --client httpx --client go", before=before)
    assert "ca_variable" in problems(report)
    assert "there is no such file" in detail(report, "ca_variable")
    mended(host, report, f"{FAST} --client httpx", before=before)


def test_the_proxys_private_key_was_handed_out(host: Host) -> None:
    key = shutil.copy(host.gate.ca.with_name("mitmproxy-ca.pem"), host.home / "ca.pem")
    before = f"{host.good()}; export REQUESTS_CA_BUNDLE={shlex.quote(str(key))}"
    report = host.doctor(before=before)
    assert problems(report) == ["ca_variable"]
    assert "it holds a private key, which must not be on this host" in detail(report, "ca_variable")
    mended(host, report, before=before)
