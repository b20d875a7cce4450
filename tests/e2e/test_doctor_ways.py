"""brickscope doctor where calls go past the proxy, or something else answers; and what never leaves the host."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brickscope.host.no_proxy import find_bypasses
from e2e.doctor_host import FAST, Host, detail, mended, problems
from e2e.gate import HOST, POLICY, TOKEN, running_gate
from lab.workspace.server import FakeWorkspace

# Programs start slowly where other tests run; nothing here rests on time.
pytestmark = pytest.mark.timeout(600)


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
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "requires a user and a password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refuses this host"),
        (b"HTTP/1.1 501 Not Implemented\r\n\r\n", "does not open tunnels"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", "is not an HTTP proxy"),
        (b"", "is not an HTTP proxy"),
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
        assert set(problems(broken)) == {"client_requests", "client_grpc"}
        assert 'export https_proxy="$HTTPS_PROXY"' in broken["fixes"]
        mended(
            moved, broken, before=f"{before}; unset https_proxy REQUESTS_CA_BUNDLE CURL_CA_BUNDLE", **with_it
        )
        wrong = gate.proxy.proxy_url.replace("http://", "http://me:n0tthis@")
        refused = moved.doctor(HTTPS_PROXY=wrong, https_proxy=wrong)
        assert "rejects the user and password" in detail(refused, "proxy_answers")
        bare = gate.proxy.proxy_url
        asked = moved.doctor(HTTPS_PROXY=bare, https_proxy=bare)
        assert "requires a user and a password" in detail(asked, "proxy_answers")
        assert asked["fixes"] == [f"export HTTPS_PROXY={bare.replace('http://', 'http://USER:PASSWORD@')}"]
        meant = url.removeprefix("http://")
        odd = moved.doctor(before=before, HTTPS_PROXY=meant)
        assert odd["fixes"][0].startswith('export HTTPS_PROXY="http://${HTTPS_PROXY#*://}"; eval ')
        mended(moved, odd, before=before, HTTPS_PROXY=meant)
        shown = moved.run(f"brickscope doctor --workspace {HOST} --client curl", **with_it)
        for text in (json.dumps([report, broken, refused, asked, odd]), shown.stdout, shown.stderr):
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
        ("brickscope doctor --workspace 'a b'", "is not a workspace's host name"),
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
