"""Where another proxy alone leads out: through a small one and through Squid, up, down and hostile."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brickscope.host.way import PATH
from e2e.doctor_host import FAST, Host
from e2e.exchanging import PLACEHOLDERS, credentials
from e2e.exchanging import policy as placeholder_policy
from e2e.gate import CATALOGS, HOST, POLICY, TOKEN, Gate, call_status, head
from e2e.oauth_policy import OAUTH_POLICY, get, reason
from e2e.proxy_process import ProxyFailed, ProxyProcess, free_port
from e2e.raw_client import H1Response, connect, dial, hung_up, open_tls, read_h1, send_h1
from e2e.scrape import Status
from e2e.small_parent import SmallParent
from lab.workspace.authority import Authority
from lab.workspace.issuer import CLIENT_ID
from lab.workspace.server import FakeWorkspace

SECRET = "p4ss:word"
WORDS = b"ask the dragon"
"""What only the parent says; no client shall see it."""


@contextmanager
def behind(
    folder: Path,
    authority: Path,
    workspace: FakeWorkspace,
    url: str,
    *arguments: str,
    policy: str = POLICY,
    trusted: Path | None = None,
) -> Iterator[Gate]:
    """A proxy that has no way out but the parent at ``url``."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(policy, encoding="utf-8")
    proxy = ProxyProcess.start(
        folder / "proxy",
        rules,
        upstream_ca=trusted or workspace.ca_file,
        authority=authority,
        arguments=["--set", f"scope_parent_proxy={url}", *arguments],
    )
    with proxy:
        yield Gate(proxy, workspace)


@pytest.fixture
def parent(workspace: FakeWorkspace) -> Iterator[SmallParent]:
    made = SmallParent({HOST: workspace.port})
    yield made
    made.close()


def call(gate: Gate, host: str = HOST) -> H1Response:
    with open_tls(gate.proxy.proxy_url, host, ca=gate.ca) as sock:
        send_h1(sock, head(host=host))
        answer = read_h1(sock)
    assert answer is not None
    return answer


def test_a_call_goes_through_it_in_tls_of_its_own(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    with behind(tmp_path, proxy_authority, workspace, f"http://127.0.0.1:{parent.port}") as gate:
        assert call(gate).status == 200
        assert [request.target for request in workspace.requests] == [CATALOGS.encode()]
        assert parent.heads == [f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n"]
        # A denied call asks it for nothing.
        with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
            send_h1(sock, head(target="/api/2.0/sql/warehouses"))
            answer = read_h1(sock)
            assert answer is not None
            assert answer.status == 403
        assert len(parent.heads) == 1


def test_a_name_of_ours_is_resolved_by_it_alone(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    host = "nowhere-in-any-dns.cloud.databricks.com"
    parent.targets[host] = workspace.port
    with behind(tmp_path, proxy_authority, workspace, f"http://127.0.0.1:{parent.port}") as gate:
        assert call(gate, host).status == 200


def password_file(folder: Path) -> Path:
    file = folder / "password"
    file.write_text(f"me:{SECRET}\n")
    return file


def test_its_password_comes_from_a_file_and_is_nowhere_else(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    option = ("--set", f"scope_parent_proxy_password={password_file(tmp_path)}")
    with behind(
        tmp_path / "x", proxy_authority, workspace, f"http://127.0.0.1:{parent.port}", *option
    ) as gate:
        assert call(gate).status == 200
        pair = b64encode(f"me:{SECRET}".encode()).decode()
        assert f"\r\nProxy-Authorization: Basic {pair}\r\n" in parent.heads[0]
        shown = gate.proxy.output + gate.proxy.audit_file.read_text()
        assert SECRET not in shown
        assert pair not in shown
    assert pair.encode() not in b"".join(
        value for request in workspace.requests for _, value in request.headers
    )


def test_tls_to_the_parent_itself(tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace) -> None:
    authority = Authority(tmp_path / "parent")
    leaf = authority.issue(["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate_file, leaf.key_file)
    parent = SmallParent({HOST: workspace.port}, context)
    both = tmp_path / "both.pem"
    both.write_bytes(authority.ca_file.read_bytes() + workspace.ca_file.read_bytes())
    with contextlib.closing(parent):
        url = f"https://localhost:{parent.port}"
        with behind(tmp_path / "x", proxy_authority, workspace, url, trusted=both) as gate:
            assert call(gate).status == 200
            assert len(parent.heads) == 1
        with behind(tmp_path / "y", proxy_authority, workspace, url) as gate:
            assert call(gate).status == 502, "its certificate is not trusted"
            gate.proxy.wait_for(lambda: "its certificate is not trusted" in gate.proxy.output)
        assert len(parent.heads) == 1


ANSWERS = {
    "it refuses": (b"HTTP/1.1 403 Forbidden\r\nX: ask the dragon\r\n\r\nask the dragon", "it answered 403"),
    "it asks for a password": (
        b'HTTP/1.1 407 ask the dragon\r\nProxy-Authenticate: Basic realm="x"\r\n\r\nask the dragon',
        "it answered 407 (it asks for a password: scope_parent_proxy_password)",
    ),
    "it leads elsewhere": (
        b"HTTP/1.1 302 Found\r\nLocation: http://ask.the.dragon/\r\n\r\n",
        "it answered 302",
    ),
    "another success": (b"HTTP/1.1 204 No Content\r\n\r\n", "it answered 204"),
    "an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n", "it answered 100"),
    "no HTTP": (b"ask the dragon\r\n\r\n", "the head of its answer is not regular"),
    "bare line feeds": (b"HTTP/1.1 200 OK\nX: y\n\n\r\n\r\n", "the head of its answer is not regular"),
    "nothing": (b"", "it hung up"),
    "too much": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "the head of its answer is not regular"),
}


@pytest.mark.parametrize(("answer", "said"), ANSWERS.values(), ids=ANSWERS)
def test_what_it_refuses_is_told_apart_from_a_hosts_answer(
    answer: bytes,
    said: str,
    tmp_path: Path,
    proxy_authority: Path,
    workspace: FakeWorkspace,
    parent: SmallParent,
    status: Status,
) -> None:
    parent.answer = answer
    url = f"http://127.0.0.1:{parent.port}"
    with behind(tmp_path, proxy_authority, workspace, url, *status.option) as gate:
        for _ in range(2):
            found = call(gate)
            assert found.status == 502
            assert b"Brickscope got no answer for this call: the host could not be reached" in found.body
            assert b"dragon" not in found.body + b"".join(map(b": ".join, found.headers)) + found.reason
            assert found.values(b"proxy-authenticate") == []
        outcomes = gate.proxy.wait_for(lambda: gate.proxy.audit("outcome"))
        assert outcomes[0]["error"] == f"the host could not be reached: the parent proxy: {said}"
        line = f"Brickscope: the parent proxy {url} did not connect: {said}"
        assert gate.proxy.output.count(line) == 1, "told once, not for each call"
        metrics = status.metrics()
        assert metrics("brickscope_parent_proxy_failures_total") == 2
        assert "dragon" not in gate.proxy.output + gate.proxy.audit_file.read_text()
        assert workspace.requests == []


def test_a_byte_before_it_is_asked_ends_the_call(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    parent.early = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    with behind(tmp_path, proxy_authority, workspace, f"http://127.0.0.1:{parent.port}") as gate:
        assert call(gate).status == 502
    assert workspace.requests == []


def test_there_is_no_other_way_when_it_is_down(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as direct:
        direct.settimeout(1)
        port = direct.getsockname()[1]
        option = ("--set", "scope_allow_addresses=127.0.0.0/8")
        url = f"http://127.0.0.1:{free_port()}"
        with behind(tmp_path, proxy_authority, workspace, url, *option) as gate:
            assert call(gate).status == 502
            assert connect(gate.proxy.proxy_url, f"127.0.0.1:{port}").status == 502
            gate.proxy.wait_for(lambda: "it can't be reached (" in gate.proxy.output)
        with pytest.raises(TimeoutError):
            direct.accept()


def test_a_parent_that_is_a_stranger_in_the_middle_gets_nothing(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace
) -> None:
    """It leads to a host with a certificate of its own making."""
    with FakeWorkspace.start() as false:
        parent = SmallParent({HOST: false.port})
        url = f"http://127.0.0.1:{parent.port}"
        with contextlib.closing(parent), behind(tmp_path, proxy_authority, workspace, url) as gate:
            assert call(gate).status == 502
            (refused,) = gate.proxy.audit("tls_refused")
            assert (refused["side"], refused["cause"]) == ("server", "server_untrusted")
        assert false.requests == []


REFUSED = ["127.0.0.1:443", "169.254.169.254:80", "[::1]:443", f"{HOST}:8443", "acme.databricks.com:443"]


@pytest.mark.parametrize("target", REFUSED)
def test_it_is_asked_for_nothing_that_may_not_be_reached(
    target: str, tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    with behind(tmp_path, proxy_authority, workspace, f"http://127.0.0.1:{parent.port}") as gate:
        assert connect(gate.proxy.proxy_url, target).status == 403
        assert parent.heads == []


def test_other_hosts_go_through_it_and_may_speak_first(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        behind(tmp_path, proxy_authority, workspace, f"http://127.0.0.1:{parent.port}") as gate,
    ):
        parent.targets["other.example"] = other.getsockname()[1]
        parent.early = b"220 "
        with dial(gate.proxy.proxy_url) as sock:
            send_h1(sock, b"CONNECT other.example:25 HTTP/1.1\r\n\r\n")
            peer, _ = other.accept()
            peer.sendall(b"hello\r\n")
            found = b""
            while not found.endswith(b"hello\r\n"):
                found += sock.recv(100)
            assert found == b"HTTP/1.1 200 Connection established\r\n\r\n220 hello\r\n"
            sock.sendall(b"EHLO me\r\n")
            assert peer.recv(100) == b"EHLO me\r\n"
            peer.close()
            assert hung_up(sock)
        parent.early = b""
        with dial(gate.proxy.proxy_url) as sock:
            send_h1(sock, b"GET http://other.example/x HTTP/1.1\r\n\r\n")
            peer, _ = other.accept()
            with peer:
                assert (
                    peer.recv(1000) == b"GET /x HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"
                )
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            answer = read_h1(sock)
            assert answer is not None
            assert answer.status == 204
        assert [each.split(" ")[1] for each in parent.heads] == ["other.example:25", "other.example:80"]


def test_public_keys_are_fetched_through_it(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    url = f"http://127.0.0.1:{parent.port}"
    with behind(tmp_path, proxy_authority, workspace, url, policy=OAUTH_POLICY) as gate:
        maker = workspace.issuer
        token = maker.sign(maker.claims(f"https://{HOST}/oidc", CLIENT_ID, CLIENT_ID))
        assert reason(get(gate, token)) == "forwarded"
        assert len(parent.heads) >= 2
        assert {each.split(" ")[1] for each in parent.heads} == {f"{HOST}:443"}
        parent.answer = b"HTTP/1.1 403 no\r\n\r\n"
        assert get(gate, TOKEN) is not None


def test_it_is_not_this_proxy_itself(tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace) -> None:
    port = free_port()
    option = ("-p", str(port))
    with (
        pytest.raises(ProxyFailed, match="is where this proxy itself listens"),
        behind(tmp_path, proxy_authority, workspace, f"http://127.0.0.1:{port}", *option),
    ):
        pass


BAD = {
    "no port": ("http://proxy.example", "is no URL such as http://proxy.example:3128"),
    "another scheme": ("socks5://proxy.example:1080", "is no URL such as"),
    "a password in it": ("http://me:dapi-secret@proxy.example:3128", "is not written into the URL"),
}


@pytest.mark.parametrize(("url", "said"), BAD.values(), ids=BAD)
def test_what_can_not_be_is_said_at_start(
    url: str, said: str, tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace
) -> None:
    with pytest.raises(ProxyFailed) as failed, behind(tmp_path, proxy_authority, workspace, url):
        pass
    assert said in str(failed.value)
    assert "dapi-secret" not in str(failed.value)


# -- a real one --------------------------------------------------------------------------------------------------

SQUID = shutil.which("squid", path="/usr/sbin:/usr/bin:/usr/local/sbin") or ""


@contextmanager
def running_squid(other: int) -> Iterator[int]:
    """Squid, which asks for a password and opens ports ``other`` and 443. Gives its port."""
    # It does not run as root, and what pytest makes is for its own user alone.
    folder = Path(tempfile.mkdtemp(prefix="squid-"))
    port = free_port()
    (folder / "hosts").write_text("127.0.0.1 other.example\n")
    (folder / "check").write_text(
        "#!/bin/sh\nwhile read pair; do case $pair in 'me p4ss%3Aword'|'me p4ss:word') echo OK;; *) echo ERR;; esac; done\n"
    )
    (folder / "check").chmod(0o755)
    folder.chmod(0o777)
    config = folder / "squid.conf"
    config.write_text(
        f"http_port 127.0.0.1:{port}\n"
        f"hosts_file {folder}/hosts\n"
        f"auth_param basic program {folder}/check\nauth_param basic realm x\n"
        "acl known proxy_auth REQUIRED\n"
        f"acl open port 443 {other}\n"
        "http_access deny !open\nhttp_access allow known\nhttp_access deny all\n"
        f"cache deny all\naccess_log none\ncache_log {folder}/cache.log\npid_filename none\n"
        "cache_effective_user nobody\ncoredump_dir none\npinger_enable off\nshutdown_lifetime 0 seconds\n"
    )
    process = subprocess.Popen(
        [SQUID, "-n", f"test{os.getpid()}", "-N", "-f", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.poll() is None, (folder / "cache.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


@pytest.mark.skipif(not SQUID, reason="Squid is not installed")
def test_squid(tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running_squid(port) as squid:
            url = f"http://127.0.0.1:{squid}"
            option = ("--set", f"scope_parent_proxy_password={password_file(tmp_path)}")
            with behind(tmp_path / "x", proxy_authority, workspace, url, *option) as gate:
                tunnel = connect(gate.proxy.proxy_url, f"other.example:{port}")
                assert tunnel.status == 200
                peer, _ = other.accept()
                with peer, tunnel.sock as sock:
                    sock.sendall(b"SSH-2.0-x\r\n")
                    assert peer.recv(100) == b"SSH-2.0-x\r\n"
                    peer.sendall(b"hello")
                    assert sock.recv(100) == b"hello"
                refused = connect(gate.proxy.proxy_url, "other.example:9")
                assert refused.status == 502
                assert refused.response is not None
                assert b"the parent proxy: it answered 403" in refused.response.body
                assert b"quid" not in refused.response.body
            with behind(tmp_path / "y", proxy_authority, workspace, url) as gate:
                answer = call(gate)
                assert answer.status == 502
                gate.proxy.wait_for(lambda: "it answered 407" in gate.proxy.output)


def test_doctor_finds_brickscope_before_a_parent_that_is_down(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace
) -> None:
    """Its calls are denied here, so they need no way out; and each marks itself in the log."""
    with behind(tmp_path, proxy_authority, workspace, f"http://127.0.0.1:{free_port()}") as gate:
        host = Host(gate, tmp_path, gate.ca)
        report = host.doctor(f"{FAST} --client httpx", host.good())
        assert report["healthy"], report
        assert {record["path"] for record in gate.proxy.audit("decision")} == {PATH.partition("?")[0]}


def test_tokens_for_placeholders_are_minted_through_it(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace, parent: SmallParent
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "credentials.yaml").write_text(json.dumps(credentials(secrets)))
    option = ("--set", f"scope_credentials={secrets / 'credentials.yaml'}")
    url = f"http://127.0.0.1:{parent.port}"
    with behind(tmp_path, proxy_authority, workspace, url, *option, policy=placeholder_policy()) as gate:
        assert call_status(gate, token=PLACEHOLDERS["minted"]) == 200
    assert [form["grant_type"] for form in workspace.issuer.requests] == ["client_credentials"]
