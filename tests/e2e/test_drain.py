"""A graceful stop of one proxy: what is under way finishes, what is idle is closed, what takes too long is cut and said."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

from e2e.fleet_process import Load, brickscope
from e2e.gate import CATALOGS, HOST, TOKEN, Gate, head, running_gate
from e2e.raw_client import H1Reader, H2Client, connect, dial, h2_headers, open_tls, send_h1

pytestmark = pytest.mark.timeout(180)
SLOW = "/sse"


@pytest.fixture
def gate(tmp_path: Path, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(tmp_path, proxy_authority, "--set", "scope_stop_after=20") as gate:
        yield gate


def ended(gate: Gate, seconds: float = 60) -> int:
    """The exit status of a proxy that is on its way out."""
    return gate.proxy.process.wait(seconds)


def refuses(gate: Gate) -> bool:
    """Whether nobody can connect any more."""
    try:
        dial(gate.proxy.proxy_url).close()
    except OSError:
        return True
    return False


def stop_record(gate: Gate) -> int | None:
    """How many connections the stop record says were cut; the log is whole."""
    (record,) = gate.proxy.audit("stop")
    checked = brickscope("audit", "verify", "--keys", gate.proxy.folder / "confdir", gate.proxy.audit_file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    cut: int | None = record["cut"]
    return cut


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_the_next_answer_says_close_and_then_the_connection_ends(gate: Gate, number: signal.Signals) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        reader = H1Reader(sock)
        send_h1(sock, head())
        before = reader.read()
        gate.proxy.signal(number)
        gate.proxy.wait_for(lambda: refuses(gate))
        send_h1(sock, head())
        last = reader.read()
        assert before is not None
        assert last is not None
        assert (before.status, before.values(b"connection")) == (200, [])
        assert (last.status, last.values(b"connection"), last.body) == (200, [b"close"], before.body)
        assert sock.recv(1) == b""
    assert ended(gate) == 0
    assert stop_record(gate) == 0


def test_a_denial_says_close_as_well(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        reader = H1Reader(sock)
        gate.proxy.signal(signal.SIGTERM)
        gate.proxy.wait_for(lambda: refuses(gate))
        send_h1(sock, head(target="/api/2.0/sql/warehouses"))
        last = reader.read()
        assert last is not None
        assert (last.status, last.values(b"connection")) == (403, [b"close"])
    assert ended(gate) == 0


def test_a_call_in_flight_finishes(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        reader = H1Reader(sock)
        send_h1(sock, head("GET", SLOW))
        gate.proxy.wait_for(lambda: gate.proxy.audit("decision"))
        gate.proxy.signal(signal.SIGTERM)
        answer = reader.read(timeout=60)
        assert answer is not None
        assert answer.complete
    assert ended(gate) == 0
    assert stop_record(gate) == 0
    (outcome,) = gate.proxy.audit("outcome")
    assert outcome["status"] == 200
    assert "error" not in outcome


def test_an_upload_that_began_before_finishes(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        reader = H1Reader(sock)
        send_h1(sock, head("PUT", "/api/2.0/fs/files/Volumes/m/s/v/a.bin", "Content-Length: 200000"))
        send_h1(sock, b"x" * 100_000)
        gate.proxy.wait_for(lambda: gate.proxy.audit("decision"))
        gate.proxy.signal(signal.SIGTERM)
        gate.proxy.wait_for(lambda: refuses(gate))
        send_h1(sock, b"x" * 100_000)
        answer = reader.read()
        assert answer is not None
        assert (answer.status // 100, answer.values(b"connection")) == (2, [b"close"])
    assert ended(gate) == 0
    assert gate.workspace.requests[0].body_length == 200_000


def test_idle_connections_are_closed_without_waiting_for_all_the_time(gate: Gate) -> None:
    with (
        dial(gate.proxy.proxy_url) as silent,
        connect(gate.proxy.proxy_url, f"{HOST}:443").sock as tunnel,
        open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as unused,
        open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=("h2",)) as second,
    ):
        client = H2Client(second)
        gate.proxy.signal(signal.SIGTERM)
        for sock in (silent, tunnel, unused):
            sock.settimeout(60)
            assert sock.recv(1) == b""
        client.collect(client.open(h2_headers("GET", CATALOGS, HOST, TOKEN)), 60)
    assert ended(gate) == 0
    assert stop_record(gate) == 0


def test_http2_is_told_to_open_no_more_streams_and_those_that_are_open_finish(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=("h2",)) as sock:
        client = _Frames(sock)
        client.request(1, SLOW)
        assert client.wait_for("headers 1")
        gate.proxy.signal(signal.SIGTERM)
        gate.proxy.wait_for(lambda: refuses(gate))
        client.request(3, CATALOGS)  # it was on its way when the GOAWAY came
        assert client.wait_for("end 1")
        assert client.wait_for("end 3")
        assert client.wait_for("goaway 2147483647 0")
        assert client.wait_for("closed")
    assert ended(gate) == 0
    assert stop_record(gate) == 0


def test_an_idle_http2_connection_hears_goaway_at_once(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=("h2",)) as sock:
        client = _Frames(sock)
        client.request(1, CATALOGS)
        assert client.wait_for("end 1")
        gate.proxy.signal(signal.SIGTERM)
        assert client.wait_for("goaway 2147483647 0")
        client.request(3, CATALOGS)
        assert client.wait_for("end 3")
        assert client.wait_for("closed")
    assert ended(gate) == 0
    assert stop_record(gate) == 0


class _Frames:
    """An HTTP/2 client that, other than Python's h2, goes on after a GOAWAY, as RFC 9113 section 6.8 wants it."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        import hpack

        self._sock = sock
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._held = b""
        self._seen: list[str] = []
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self._frame(4, 0, 0, b""))

    @staticmethod
    def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def request(self, stream: int, path: str) -> None:
        block = self._encoder.encode(h2_headers("GET", path, HOST, TOKEN))
        self._sock.sendall(self._frame(1, 0x5, stream, block))

    def wait_for(self, wanted: str, seconds: float = 60) -> bool:
        deadline = time.monotonic() + seconds
        while wanted not in self._seen and time.monotonic() < deadline and "closed" not in self._seen:
            self._sock.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._seen.append("closed")
            self._held += data
            self._split()
        return wanted in self._seen

    def _split(self) -> None:
        while len(self._held) >= 9 and len(self._held) >= (end := 9 + int.from_bytes(self._held[:3], "big")):
            kind, flags = self._held[3], self._held[4]
            stream, payload = int.from_bytes(self._held[5:9], "big"), self._held[9:end]
            self._held = self._held[end:]
            if kind == 1:
                self._seen.append(f"headers {stream}")
            if kind in (0, 1) and flags & 1:
                self._seen.append(f"end {stream}")
            if kind == 4 and not flags & 1:
                self._sock.sendall(self._frame(4, 1, 0, b""))
            if kind == 7:
                self._seen.append(
                    f"goaway {int.from_bytes(payload[:4], 'big')} {int.from_bytes(payload[4:8], 'big')}"
                )


def test_what_takes_too_long_is_cut_and_counted(tmp_path: Path, proxy_authority: Path) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    accepted: list[object] = []
    threading.Thread(target=lambda: accepted.append(other.accept()), daemon=True).start()
    with (
        other,
        running_gate(
            tmp_path,
            proxy_authority,
            *("--set", "scope_stop_after=2", "--set", "scope_allow_addresses=127.0.0.1/32"),
        ) as gate,
    ):
        tunnel = connect(gate.proxy.proxy_url, f"127.0.0.1:{other.getsockname()[1]}")
        assert tunnel.status == 200
        tunnel.sock.sendall(b"SSH-2.0-x\r\n")
        with tunnel.sock, open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
            send_h1(sock, head("PUT", "/api/2.0/fs/files/Volumes/m/s/v/a.bin", "Content-Length: 200000"))
            gate.proxy.wait_for(lambda: gate.proxy.audit("decision"))
            gate.proxy.signal(signal.SIGTERM)
            assert ended(gate) == 0
        assert stop_record(gate) == 2
        (outcome,) = gate.proxy.audit("outcome")
        assert outcome["error"]
        names = [record["event"] for record in gate.proxy.audit()]
        assert names.index("outcome") < names.index("stop")


def test_a_second_signal_ends_at_once(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        send_h1(sock, head("PUT", "/api/2.0/fs/files/Volumes/m/s/v/a.bin", "Content-Length: 200000"))
        gate.proxy.wait_for(lambda: gate.proxy.audit("decision"))
        gate.proxy.signal(signal.SIGINT)
        gate.proxy.wait_for(lambda: "A second signal ends them at once" in gate.proxy.output)
        assert gate.proxy.running
        gate.proxy.signal(signal.SIGINT)
        assert ended(gate, 10) == 0, "well before the 20 seconds are over"
    assert stop_record(gate) == 1


def test_no_call_of_a_busy_client_fails_before_the_door_is_closed(gate: Gate) -> None:
    with Load(gate.proxy.proxy_url, gate.ca) as load:
        load.wait_for(30)
        gate.proxy.signal(signal.SIGTERM)
        assert ended(gate) == 0
    # Once nobody listens, a client can't connect; until then, and on what is open, every call is answered.
    assert {failure.partition(":")[0] for failure in load.failures} <= {"ConnectError"}
    assert stop_record(gate) == 0


def test_the_official_sdk_finishes_what_it_does(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("DATABRICKS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", gate.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gate.ca))
    client = WorkspaceClient(config=Config(host=f"https://{HOST}", token=TOKEN, auth_type="pat"))
    assert list(client.catalogs.list())
    gate.proxy.signal(signal.SIGTERM)
    gate.proxy.wait_for(lambda: refuses(gate))
    assert [each.name for each in client.catalogs.list()] == ["main", "samples"], "on the connection it kept"
    assert ended(gate) == 0
    assert stop_record(gate) == 0


def test_systemd_hears_how_it_goes(
    tmp_path: Path, proxy_authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(address))
        heard.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        with running_gate(tmp_path, proxy_authority) as gate:
            assert heard.recv(100) == b"READY=1"
            gate.proxy.signal(signal.SIGTERM)
            assert heard.recv(100) == b"STOPPING=1"


def test_a_value_that_is_no_time_is_refused(tmp_path: Path, proxy_authority: Path) -> None:
    from e2e.proxy_process import ProxyFailed

    with (
        pytest.raises(ProxyFailed, match=r"scope_stop_after: 'soon' is no number of seconds"),
        running_gate(tmp_path, proxy_authority, "--set", "scope_stop_after=soon"),
    ):
        pass
