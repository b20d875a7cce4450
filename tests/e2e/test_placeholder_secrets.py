"""A canary: the real credential is sought in every byte that the proxy writes, answers or leaves, whatever goes wrong."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.exchanging import ALLOWED, DENIED, NEXT, PLACEHOLDERS, REAL, Exchanging, exchanging
from e2e.gate import HOST, TOKEN, head
from e2e.proxy_process import free_port
from e2e.raw_client import HUNG_UP, open_tls
from lab.workspace.issuer import CLIENT_SECRET

CI, MINTED = PLACEHOLDERS["ci"], PLACEHOLDERS["minted"]
BASIC = b64encode(f"token:{CI}".encode()).decode()


@pytest.fixture(scope="module")
def status() -> int:
    return free_port()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path, status: int) -> Iterator[Exchanging]:
    os.environ["BRICKSCOPE_TEST_TOKEN"] = NEXT
    options = ["--set", f"scope_status=127.0.0.1:{status}", "--set", "termlog_verbosity=debug"]
    try:
        with exchanging(tmp_path_factory.mktemp("canary"), proxy_authority, *options) as run:
            yield run
    finally:
        del os.environ["BRICKSCOPE_TEST_TOKEN"]


HOSTILE = [
    head(token=CI),
    head(token=MINTED),
    head(token=PLACEHOLDERS["variable"]),
    head(token=PLACEHOLDERS["broken"]),
    head(target=DENIED, token=CI),
    head("GET", ALLOWED, f"Authorization: Basic {BASIC}", token=None),
    head("GET", ALLOWED, f"Authorization: Bearer {CI}", token=CI),
    head("GET", ALLOWED, f"X-Other: {CI}", token=CI),
    head("GET", ALLOWED, f"Cookie: a={REAL}", token=CI),
    head("GET", f"{ALLOWED}?token={CI}", token=CI),
    head("GET", f"/api/{CI}", token=CI),
    head("GET", f"{ALLOWED}/../{REAL}", token=CI),
    head("GET", ALLOWED, token=REAL),
    head("GET", ALLOWED, token=NEXT),
    head("GET", ALLOWED, f"User-Agent: {REAL}", token=CI),
    head("GET", ALLOWED, "Expect: 100-continue", "Content-Length: 5", token=CI),
    head("GET", ALLOWED, "Transfer-Encoding: chunked", token=CI) + b"zz\r\n\r\n",
    head("GET", ALLOWED, "Upgrade: websocket", "Connection: upgrade", token=CI),
    head("GET", "/status/500", token=CI),
    head("GET", "/status/401", token=CI),
    *[head("GET", f"/reflect/{how}", token=CI) for how in ("body", "header", "gzip", "pieces")],
    head(token=CI)[:-2] + b"\x00\r\n\r\n",
    head(token=CI).replace(b"\r\n", b"\n"),
    b"GET /",
]


def test_it_is_in_no_byte_that_comes_back_or_is_written(run: Exchanging, status: int) -> None:
    said = b""
    for raw in HOSTILE:
        with contextlib.suppress(*HUNG_UP), open_tls(run.gate.proxy.proxy_url, HOST, ca=run.gate.ca) as sock:
            sock.settimeout(2)
            sock.sendall(raw)
            sock.shutdown(1) if raw == b"GET /" else None
            while data := sock.recv(65536):
                said += data
                if b"\r\n\r\n" in data:
                    break
    for page in ("/metrics", "/healthz", "/readyz", "/"):
        with urllib.request.urlopen(f"http://127.0.0.1:{status}{page}", timeout=10) as answer:
            said += answer.read()
    assert b"credential_failing" in said
    assert b'brickscope_credential_failing{credential="broken"} 1.0' in said
    proxy, found = run.gate.proxy, {"answers": said}
    # Ended by a crash: what it leaves is looked at as well.
    found["arguments"] = Path(f"/proc/{proxy.process.pid}/cmdline").read_bytes()
    limits = Path(f"/proc/{proxy.process.pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
    proxy.signal(signal.SIGSEGV)
    proxy.wait_for(lambda: not proxy.running)
    found |= {str(file): file.read_bytes() for file in proxy.folder.rglob("*") if file.is_file()}
    assert len(found["answers"]) > 5000
    minted = (run.gate.workspace.issuer.bearers or set()) - {REAL, NEXT, TOKEN}
    assert len(minted) == 1
    assert {f"Bearer {secret}".encode() for secret in (REAL, NEXT, *minted)} == set(run.sent())
    assert any(name.endswith("audit.jsonl") for name in found)
    forms = [b64encode(secret.encode()) for secret in (REAL, NEXT, CLIENT_SECRET)]
    for name, content in found.items():
        for secret in (REAL, NEXT, CLIENT_SECRET, *minted):
            assert secret.encode() not in content, name
        assert not any(form in content for form in forms), name


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
def test_from_the_start_on_it_leaves_no_image_of_its_memory(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("version: 1\ncredentials: {}\n")
    code = (
        "import ctypes, resource; from pathlib import Path; from brickscope.proxy.credentials import read_entrusted\n"
        f"before = ctypes.CDLL(None).prctl(3); read_entrusted(Path({str(file)!r}), Path('/nowhere'))\n"
        "print(before, ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout == "1 0 (0, 0)\n"
    assert ctypes.CDLL(None).prctl(3) == 1  # this one was not touched
