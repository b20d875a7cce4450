"""brickscope doctor before a real proxy: healthy, and broken in each way; and what it prints mends it.

Each line is run in a real shell as it was printed, and then doctor is run again in that shell: it has to be content.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization

from brickscope.clients.no_proxy import find_bypasses
from brickscope.fake.workspace import FakeWorkspace
from clients.authority import make
from e2e.gate import HOST, POLICY, TOKEN, Gate, running_gate
from e2e.proxy_process import free_port, make_authority

SETTINGS = ("SSL_", "REQUESTS_", "CURL_", "NODE_", "GRPC_", "JAVA_", "PIP_", "DATABRICKS_", "MLFLOW_", "XDG_")
BIN = Path(sys.executable).parent
# Programs start slowly where other tests run; nothing here rests on time.
pytestmark = pytest.mark.timeout(600)
ALL = ("curl", "node", "java", "go", "requests", "httpx", "grpc")
FAST = "--client curl --client requests --client grpc"


class Host(NamedTuple):
    """A user's host: a home of its own, the CA's file, and nothing set that the test did not set."""

    gate: Gate
    home: Path
    ca: Path

    @property
    def proxy(self) -> str:
        return self.gate.proxy.proxy_url

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy") and not name.startswith(SETTINGS)
        }
        return (
            kept
            | {"HOME": str(self.home), "SHELL": "/bin/bash", "PATH": f"{BIN}:{os.environ['PATH']}"}
            | more
        )

    def run(self, script: str, shell: str = "sh", **more: str) -> subprocess.CompletedProcess[str]:
        """A script in a real shell."""
        if shutil.which(shell) is None:
            assert not os.environ.get("CI"), f"{shell} is missing"
            pytest.skip(f"{shell} is not installed")
        return subprocess.run(
            [shell, "-c", script],
            env=self.environment(more),
            capture_output=True,
            text=True,
            timeout=240,
            cwd=self.home,
        )

    def doctor(
        self, options: str = FAST, before: str = "true", shell: str = "sh", **more: str
    ) -> dict[str, Any]:
        """What doctor says, in a shell in which ``before`` was run."""
        command = (
            f"brickscope doctor --workspace {HOST} --python {shlex.quote(sys.executable)} {options} --json"
        )
        done = self.run(f"{before}; {command}", shell, **more)
        assert done.returncode in (0, 1), done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if report["healthy"] else 1)
        return report

    def good(self, *more: str) -> str:
        """The line that sets all right."""
        ca = shlex.quote(str(self.ca))
        return f'eval "$(brickscope client-env --proxy {self.proxy} --ca {ca} {" ".join(more)})"'


def problems(report: dict[str, Any]) -> list[str]:
    return [check["name"] for check in report["checks"] if check["status"] == "problem"]


def detail(report: dict[str, Any], name: str) -> str:
    return "\n".join(check["detail"] for check in report["checks"] if check["name"] == name)


def mended(
    host: Host, report: dict[str, Any], options: str = FAST, before: str = "true", **more: str
) -> None:
    """The printed lines, run in the same shell, make doctor content."""
    assert report["fixes"], report
    after = host.doctor(options, "; ".join([before, *report["fixes"]]), **more)
    assert after["healthy"], (report["fixes"], after)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("doctor"), proxy_authority) as gate:
        yield gate


@pytest.fixture
def host(gate: Gate, tmp_path: Path) -> Host:
    home = tmp_path / "a user's home"
    home.mkdir()
    return Host(gate, home, Path(shutil.copy(gate.ca, home / "proxy ca.pem")))


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
    assert "All is well." in again.stdout


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
    assert set(problems(report)) == {"proxy_variable", "client_grpc"}
    assert "gRPC reads small letters only" in detail(report, "proxy_variable")
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


def test_the_wrong_scheme(host: Host) -> None:
    report = host.doctor(HTTPS_PROXY=host.proxy.replace("http:", "https:"))
    assert problems(report) == ["proxy_variable"]
    assert "the way to the proxy is http://" in detail(report, "proxy_variable")


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
    assert "the proxy's CA has ended" in detail(report, "ca")
    assert "ended on" in detail(report, "ca")


def test_a_ca_limited_to_databricks(tmp_path: Path, host: Host) -> None:
    """It signs by one in between, which the proxy shows; what clients trust is the one above."""
    authority = tmp_path / "limited"
    subprocess.run([BIN / "brickscope", "ca", "new", "--confdir", authority], check=True, capture_output=True)
    with running_gate(tmp_path / "gate", authority) as gate:
        moved = host._replace(gate=gate, ca=Path(shutil.copy(gate.ca, host.home / "limited.pem")))
        names = [f"--client {name}" for name in ("curl", "java", "node", "requests", "httpx", "grpc")]
        done = moved.doctor(" ".join(names), moved.good("--java-truststore", "limited.p12"))
        assert done["healthy"], done
        assert "the proxy's CA is in" in detail(done, "ca")
        before = moved._replace(ca=host.ca).good()
        report = moved.doctor(before=before)
        assert {"ca", "ca_variable"} <= set(problems(report))
        assert "lacks the proxy's CA" in detail(report, "ca_variable")
        mended(moved, moved.doctor(f"--ca {moved.ca.name} {FAST}", before), before=before)


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


@pytest.mark.parametrize(
    ("entry", "left"), [(".databricks.com,localhost", "localhost"), ("*", None), (HOST, None)]
)
def test_no_proxy_leads_past(host: Host, entry: str, left: str | None) -> None:
    before = f"{host.good()}; export NO_PROXY='{entry}' no_proxy='{entry}'"
    report = host.doctor(before=before)
    assert {"no_proxy", "client_curl", "client_requests"} <= set(problems(report))
    assert ("client_grpc" in problems(report)) == (entry != "*"), "gRPC does not know the asterisk"
    assert "such calls are not governed" in detail(report, "no_proxy")
    assert report["fixes"][0] == (f"export NO_PROXY={left}" if left else "unset NO_PROXY")
    mended(host, report, before=before)


CALLS = """
import sys, requests, httpx, grpc
host, url = sys.argv[1], "https://" + sys.argv[1] + "/api/2.0//"
for name, call in {
    "requests": lambda: requests.get(url + "requests", timeout=20),
    "httpx": lambda: httpx.get(url + "httpx", timeout=20),
    "grpc": lambda: grpc.secure_channel(host + ":443", grpc.ssl_channel_credentials())
        .unary_unary("/api/2.0//grpc")(b"", timeout=20),
}.items():
    try:
        call()
    except Exception:
        pass
"""


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "databricks.com",
        ".databricks.com",
        "*.databricks.com",
        "bricks.com",
        "com",
        HOST,
        f"{HOST}:443",
        "localhost",
    ],
)
def test_no_client_goes_past_the_proxy_without_doctor_knowing(host: Host, entry: str) -> None:
    """The readings of NO_PROXY, held against what the clients do: who is not named goes through."""
    before = len(host.gate.proxy.audit("decision"))
    line = f"{host.good()}; export NO_PROXY='{entry}' no_proxy='{entry}'"
    script = f'{line}; curl -s --path-as-is https://{HOST}/api/2.0//curl; {sys.executable} -c "$CALLS" {HOST}'
    host.run(script, CALLS=CALLS)
    records = host.gate.proxy.audit("decision")[before:]
    through = {record["path"].rpartition("/")[2] for record in records}
    named = {client for bypass in find_bypasses(entry, HOST) for client in bypass.clients}
    assert {"curl", "requests", "grpc"} - through <= named
    assert ("httpx" in through) or "requests" in named
    if not named:
        assert through == {"curl", "requests", "httpx", "grpc"}


def test_grpc_has_a_proxy_of_its_own(host: Host) -> None:
    before = f"{host.good()}; export grpc_proxy=http://127.0.0.1:1"
    report = host.doctor(before=before)
    assert set(problems(report)) == {"proxy_variable", "client_grpc"}
    assert "unset grpc_proxy" in report["fixes"]
    mended(host, report, before=before)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("requests", "REQUESTS_CA_BUNDLE CURL_CA_BUNDLE"),
        ("httpx", "SSL_CERT_FILE"),
        ("grpc", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"),
        ("curl", "CURL_CA_BUNDLE SSL_CERT_FILE"),
        ("node", "NODE_EXTRA_CA_CERTS"),
        ("java", "JAVA_TOOL_OPTIONS"),
        ("go", "SSL_CERT_FILE"),
    ],
)
def test_one_client_alone_is_wrong(host: Host, name: str, variable: str) -> None:
    """The variables are those that the table names: without them this client fails, with them it does not."""
    program = {"node": "node", "java": "keytool", "curl": "curl"}.get(name)
    if program and shutil.which(program) is None:
        assert not os.environ.get("CI"), f"{program} is missing"
        pytest.skip(f"{program} is not installed")
    before = f"{host.good('--java-truststore', 'clients.p12')}; unset {variable}"
    report = host.doctor(f"--client {name}", before=before)
    assert problems(report) == [f"client_{name}"], report
    assert variable.split()[0] in detail(report, f"client_{name}")
    mended(host, report, f"--client {name}", before=before)


@contextmanager
def other_proxy(workspace: FakeWorkspace, answer: bytes | None = None) -> Iterator[str]:
    """A proxy that is none of ours: it relays to the workspace, or gives one answer to everything."""
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, sink):
                each.close()

    def serve(client: socket.socket) -> None:
        try:
            client.recv(65536)
            if answer is not None:
                client.sendall(answer)
                client.close()
                return
            upstream = socket.create_connection(("127.0.0.1", workspace.port))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
            threading.Thread(target=pump, args=(upstream, client), daemon=True).start()
        except OSError:
            client.close()

    def accept() -> None:
        while not ended.is_set():
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        ended.set()
        server.close()


def test_a_proxy_that_is_not_brickscope(host: Host) -> None:
    with other_proxy(host.gate.workspace) as url:
        report = host.doctor(HTTPS_PROXY=url, https_proxy=url)
        assert problems(report) == ["brickscope"]
        assert "is not Brickscope" in detail(report, "brickscope")
        assert "not governed" in detail(report, "brickscope")
        told = host.doctor(
            f"--proxy {host.proxy} --ca {shlex.quote(str(host.ca))} {FAST}", HTTPS_PROXY=url, https_proxy=url
        )
        mended(host, told, HTTPS_PROXY=url, https_proxy=url)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a user and a password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refuses this host"),
        (b"HTTP/1.1 501 Not Implemented\r\n\r\n", "does not open tunnels"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", "is no HTTP proxy"),
        (b"", "is no HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n\r\n\x1b[31mowned", "no TLS through the tunnel"),
    ],
)
def test_what_listens_there_is_something_else(host: Host, answer: bytes, words: str) -> None:
    with other_proxy(host.gate.workspace, answer) as url:
        report = host.doctor(HTTPS_PROXY=url, https_proxy=url)
        assert not report["healthy"]
        assert words in json.dumps(report)
        shown = host.run(f"brickscope doctor --workspace {HOST}", HTTPS_PROXY=url, https_proxy=url)
        assert "\x1b" not in shown.stdout


def test_what_never_answers_does_not_hold_doctor(host: Host) -> None:
    """One that is silent, and one that sends a byte at a time for ever: each wait is short, and the whole has an end."""
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as slow:

        def drip() -> None:
            client, _ = slow.accept()
            with contextlib.suppress(OSError):
                while True:
                    client.sendall(b"x")
                    time.sleep(0.5)

        threading.Thread(target=drip, daemon=True).start()
        for server in (silent, slow):
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            report = host.doctor(HTTPS_PROXY=url, https_proxy=url)
            assert problems(report) == ["proxy_answers"]


def test_a_proxy_with_a_password_is_used_and_never_shown(
    host: Host, tmp_path: Path, proxy_authority: Path
) -> None:
    secret = "s3cr3t%40pass"
    with running_gate(tmp_path / "auth", proxy_authority, "--proxyauth", "me:s3cr3t@pass") as gate:
        url = gate.proxy.proxy_url.replace("http://", f"http://me:{secret}@")
        with_it = {"HTTPS_PROXY": url, "https_proxy": url}
        moved = host._replace(gate=gate)
        before = f'eval "$(brickscope client-env --ca {shlex.quote(str(host.ca))} --java-truststore j.p12)"'
        report = moved.doctor(f"{FAST} --client httpx", before=before, **with_it)
        assert report["healthy"], report
        broken = moved.doctor(
            before=f"{before}; unset https_proxy REQUESTS_CA_BUNDLE CURL_CA_BUNDLE", **with_it
        )
        assert set(problems(broken)) == {"proxy_variable", "client_requests", "client_grpc"}
        assert 'export https_proxy="$HTTPS_PROXY"' in broken["fixes"]
        mended(
            moved, broken, before=f"{before}; unset https_proxy REQUESTS_CA_BUNDLE CURL_CA_BUNDLE", **with_it
        )
        wrong = gate.proxy.proxy_url.replace("http://", "http://me:n0tthis@")
        refused = moved.doctor(HTTPS_PROXY=wrong, https_proxy=wrong)
        assert "wants a user and a password" in detail(refused, "proxy_answers")
        shown = moved.run(f"brickscope doctor --workspace {HOST} --client curl", **with_it)
        for text in (json.dumps([report, broken, refused]), shown.stdout, shown.stderr):
            assert "s3cr3t" not in text
            assert "n0tthis" not in text
        assert "me:***@127.0.0.1" in shown.stdout


def test_no_token_leaves_the_host(host: Host) -> None:
    """Everywhere a client might find one: the variables, .netrc, .curlrc and the configuration file."""
    (host.home / ".netrc").write_text(f"machine {HOST} login token password {TOKEN}\n")
    (host.home / ".netrc").chmod(0o600)
    (host.home / ".curlrc").write_text(f'header = "Authorization: Bearer {TOKEN}"\nnetrc\n')
    (host.home / ".databrickscfg").write_text(f"[DEFAULT]\nhost = https://{HOST}\ntoken = {TOKEN}\n")
    host.gate.clear()
    before = len(host.gate.proxy.audit("decision"))
    done = host.run(
        f"{host.good('--java-truststore', 'j.p12')}; brickscope doctor --python {sys.executable} --json",
        DATABRICKS_TOKEN=TOKEN,
    )
    assert json.loads(done.stdout)["healthy"], done.stdout
    assert TOKEN not in done.stdout + done.stderr
    records = host.gate.proxy.wait_for(lambda: host.gate.proxy.audit("decision")[before:])
    assert len(records) >= 4
    assert {(record["fingerprint"], record["decision"]) for record in records} == {(None, "deny")}
    assert host.gate.workspace.requests == []


def test_monitor_mode_does_not_let_doctor_pass_to_databricks(
    host: Host, tmp_path: Path, proxy_authority: Path
) -> None:
    monitor = POLICY.replace("version: 1\n", "version: 1\nmode: monitor\n")
    with running_gate(tmp_path / "monitor", proxy_authority, policy=monitor) as gate:
        moved = host._replace(gate=gate)
        report = moved.doctor(f"{FAST} --client httpx", moved.good())
        assert report["healthy"], report
        assert gate.workspace.requests == []


def test_the_workspace_is_found_or_asked_for(host: Host) -> None:
    (host.home / ".databrickscfg").write_text(f"[DEFAULT]\nhost = https://{HOST}/?o=1\ntoken = {TOKEN}\n")
    line = "brickscope doctor --client curl --json"
    assert json.loads(host.run(f"{host.good()}; {line}").stdout)["workspace"] == HOST
    (host.home / ".databrickscfg").unlink()
    assert json.loads(host.run(f"{host.good()}; {line}", DATABRICKS_HOST=f"https://{HOST}").stdout)["healthy"]
    for command, words in (
        ("brickscope doctor", "say which workspace"),
        ("brickscope doctor --workspace 'a b'", "is no host name"),
        (f"brickscope doctor --workspace {HOST} --client nonsense", "there is no client 'nonsense'"),
    ):
        done = host.run(command)
        assert done.returncode == 2
        assert words in done.stderr


def test_a_python_that_does_not_run_is_said(host: Host) -> None:
    report = host.doctor("--client requests --python /no/such/python", host.good())
    assert problems(report) == ["client_requests"]
    assert "/no/such/python fails: does not run" in detail(report, "client_requests")


def test_a_proxy_started_by_this_user_is_known(host: Host) -> None:
    folder = host.home / ".mitmproxy"
    folder.mkdir()
    shutil.copy(host.gate.ca, folder)
    done = host.run(
        f'eval "$(brickscope client-env --proxy {host.proxy})"; brickscope doctor --workspace {HOST} --client curl'
    )
    assert done.returncode == 0, done.stdout
