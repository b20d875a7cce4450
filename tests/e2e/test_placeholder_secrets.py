"""A canary: real credentials are sought in every byte that the proxy writes, answers or leaves, whatever goes wrong."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from brickscope.core.placeholder import make_placeholder
from e2e import test_hostile as hostile
from e2e.broken import copy_of_the_checkout
from e2e.canary import leaks
from e2e.exchanging import (
    ALLOWED,
    DENIED,
    NEXT,
    PLACEHOLDERS,
    REAL,
    ROUTES,
    Exchanging,
    exchanging,
    policy,
    write_secrets,
)
from e2e.gate import HOST, TOKEN, call_status, head
from e2e.proxy_process import free_port
from e2e.raw_client import HUNG_UP, H2Client, dial, h2_headers, open_tls
from e2e.raw_upstream import running_raw
from e2e.test_hostile_host import CASES
from lab.workspace.exchange import Exchange
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET
from lab.workspace.oauth import token as honest_token
from lab.workspace.replies import json_answer
from lab.workspace.route import Route

pytestmark = pytest.mark.timeout(300)
CI, MINTED = PLACEHOLDERS["ci"], PLACEHOLDERS["minted"]
BASIC = b64encode(f"token:{CI}".encode()).decode()
PEOPLE = [CI, MINTED, PLACEHOLDERS["variable"], PLACEHOLDERS["broken"], REAL, NEXT]


# -- sources that fail, with a canary of their own ----------------------------------------------------------------


def canary(name: str) -> str:
    return "dapi" + sha256(name.encode()).hexdigest()[:32]


def command(name: str, code: str) -> dict[str, Any]:
    return {
        "command": [
            sys.executable,
            "-c",
            f"import os, sys, time; secret = open({{folder}} + {name!r}).read(); {code}",
        ]
    }


COMMANDS = {
    "status": "print(secret); print(secret, file=sys.stderr); sys.exit(3)",
    "traceback": "print(secret); raise RuntimeError(secret)",
    "silent": "print(secret, file=sys.stderr)",
    "lines": "print(secret); print(secret)",
    "much": "print(secret * 4000)",
    "scheme": "print('Bearer ' + secret)",
    "zero": "print(secret + chr(0))",
    "killed": "print(secret, flush=True); os.abort()",
    "hangs": "print(secret, dict(os.environ), flush=True); time.sleep(60)",
}
MINTS = ("refused", "error", "garbage", "redirect", "dropped")
"""What the token endpoint makes of the secret of a service principal."""
FAULTS: dict[str, dict[str, Any]] = {
    **{name: command(name, code) for name, code in COMMANDS.items()},
    "gone": {"file": "/nowhere/at/all"},
    "folder": {"file": "/"},
    "unset": {"environment": "NO_SUCH_VARIABLE"},
    **{
        name: {
            "kind": "databricks_service_principal",
            "client_id": f"00000000-0000-4000-8000-{number:012}",
            "file": "{folder}" + name,
        }
        for number, name in enumerate(MINTS)
    },
}
HELD = {name: make_placeholder(sha256(name.encode()).digest()) for name in FAULTS}


async def mint(exchange: Exchange) -> None:
    """The token endpoint: what it was given, in whatever goes wrong."""
    value = exchange.header(b"authorization") or b""
    client, _, secret = b64decode(value.removeprefix(b"Basic ") or b"").decode().partition(":")
    if client == CLIENT_ID:
        await honest_token(exchange)
        return
    await exchange.receive_all()
    how, said = MINTS[int(client[-1])], {"error": secret, "error_description": f"{client}:{secret}"}
    if how == "dropped":
        raise ConnectionAbortedError
    if how == "redirect":
        await exchange.answer(302, b"text/plain", b"", [(b"location", f"https://{HOST}/?{secret}".encode())])
    elif how == "garbage":
        await json_answer(exchange, 200, said | {"access_token": secret, "expires_in": f"{secret}"})
    else:
        await json_answer(exchange, {"refused": 401, "error": 500}[how], said)


# -- what is sent -------------------------------------------------------------------------------------------------

TRIED = [
    head(target=DENIED, token=CI),
    head("GET", ALLOWED, f"Authorization: Basic {BASIC}", token=None),
    head("GET", ALLOWED, f"Authorization: Bearer {CI}", token=CI),
    head("GET", ALLOWED, f"X-Other: {CI}", token=CI),
    head("GET", ALLOWED, f"Cookie: a={REAL}", token=CI),
    head("GET", f"{ALLOWED}?token={CI}", token=CI),
    head("GET", f"/api/{CI}", token=CI),
    head("GET", f"{ALLOWED}/../{REAL}", token=CI),
    head("GET", ALLOWED, f"User-Agent: {REAL}", token=CI),
    head("GET", ALLOWED, "Expect: 100-continue", "Content-Length: 5", token=CI),
    head("GET", "/status/500", token=CI),
    head("GET", "/status/401", token=CI),
    *[head("GET", f"/reflect/{how}", token=CI) for how in ("body", "header", "gzip", "pieces")],
    b"GET /",
    *[head(token=each) for each in PEOPLE],
    *[head(token=each) for each in HELD.values() if each != HELD["hangs"]],
]


def held(raw: bytes, token: str) -> bytes:
    """A hostile case with another credential."""
    pair = b64encode(f"token:{token}".encode())
    return raw.replace(TOKEN.encode(), token.encode()).replace(hostile.PAIR.encode(), pair)


HEADS = TRIED + [held(raw, token) for raw in hostile.H1.values() for token in (CI, REAL)]
STREAMS = [
    [(name, held(value, token)) for name, value in fields]
    for fields in hostile.H2.values()
    for token in (CI, REAL)
]


def answered(sock: socket.socket | ssl.SSLSocket, raw: bytes) -> bytes:
    """All that comes back, until nothing does for a moment."""
    said = b""
    with contextlib.suppress(TimeoutError, *HUNG_UP):
        sock.settimeout(2)
        sock.sendall(raw)
        if raw == b"GET /":
            sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            said += data
            sock.settimeout(0.05)
    return said


def attack(run: Exchanging) -> bytes:
    """Send everything; what came back."""
    url, ca, said = run.gate.proxy.proxy_url, run.gate.ca, []
    for raw in HEADS:
        with contextlib.suppress(*HUNG_UP), open_tls(url, HOST, ca=ca) as sock:
            said.append(answered(sock, raw))
    for raw in (each.encode() for each in hostile.PLAIN.values()):
        with dial(url) as plain:
            said.append(answered(plain, held(raw, CI)))
    for fields in STREAMS:
        with contextlib.suppress(*HUNG_UP), open_tls(url, HOST, ca=ca, alpn=["h2"]) as sock:
            client = H2Client(sock, timeout=5)
            answer = client.collect(client.request(fields))
            said += [answer.body, *(part for pair in answer.headers for part in pair)]
    return b"\n".join(said)


@pytest.fixture(scope="module", params=["enforce", "monitor"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[Exchanging, int]]:
    """With its port for metrics."""
    os.environ["BRICKSCOPE_TEST_TOKEN"] = NEXT
    folder, status = tmp_path_factory.mktemp("canary"), free_port()
    options = ["--set", f"scope_status=127.0.0.1:{status}", "--set", "termlog_verbosity=debug"]
    secrets = folder / "secrets"
    text = json.dumps(FAULTS).replace("{folder} + '", f"'{secrets}/' + '").replace("{folder}", f"{secrets}/")
    secrets.mkdir()
    for name in FAULTS:
        (secrets / name).write_text(canary(name))
    try:
        with exchanging(
            folder,
            proxy_authority,
            *options,
            further={name: (HELD[name], entry) for name, entry in json.loads(text).items()},
            mode=request.param,
            routes=(Route((b"POST",), b"/oidc/v1/token", mint), *ROUTES),
        ) as run:
            yield run, status
    finally:
        del os.environ["BRICKSCOPE_TEST_TOKEN"]


def test_it_is_in_no_byte_that_comes_back_or_is_written(run: tuple[Exchanging, int]) -> None:
    exchanging, status = run
    proxy, workspace = exchanging.gate.proxy, exchanging.gate.workspace
    assert call_status(exchanging.gate, token=CI) == 200
    assert call_status(exchanging.gate, token=PLACEHOLDERS["variable"]) == 200
    said = attack(exchanging)
    for name, placeholder in HELD.items():
        assert call_status(exchanging.gate, token=placeholder) == 503, name
    assert call_status(exchanging.gate, token=CI) == 200, "the others go on"
    for page in ("/metrics", "/healthz", "/readyz", "/"):
        with urllib.request.urlopen(f"http://127.0.0.1:{status}{page}", timeout=10) as answer:
            said += answer.read()
    for name in FAULTS:
        assert f'brickscope_credential_failing{{credential="{name}"}} 1.0'.encode() in said
    assert b'brickscope_credential_failing{credential="file"} 0.0' in said
    assert b'"reason":"credential_failing"' in said

    places = {"answers": said, "arguments": Path(f"/proc/{proxy.process.pid}/cmdline").read_bytes()}
    limits = Path(f"/proc/{proxy.process.pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
    proxy.signal(signal.SIGABRT)  # what a crash leaves is looked at as well
    proxy.wait_for(lambda: not proxy.running)
    places |= {str(file): file.read_bytes() for file in proxy.folder.rglob("*") if file.is_file()}
    assert any(name.endswith("audit.jsonl") for name in places)
    assert not [name for name in places if "core" in Path(name).name]
    minted = (workspace.issuer.bearers or set()) - {REAL, NEXT, TOKEN}
    assert len(minted) == 1
    secrets = [REAL, NEXT, CLIENT_SECRET, *minted, *map(canary, FAULTS)]
    assert leaks(secrets, places) == []

    # What was sent: the real ones, with allowed calls; and nowhere a placeholder.
    real = {f"Bearer {secret}".encode() for secret in (REAL, NEXT, *minted)}
    assert real <= set(exchanging.sent())
    for each in workspace.requests:
        if set(each.values(b"authorization")) & real:
            allowed = (ALLOWED.encode(), b"/status/", b"/reflect/")
            assert (each.method, each.target.startswith(allowed)) == (b"GET", True), each.target
        content = b"\n".join([each.target, each.body, *(part for pair in each.headers for part in pair)])
        assert b"bsp_" not in content
        assert leaks([CI], {"a request": content}) == []


def test_a_search_finds_every_form() -> None:
    secret = canary("a search")
    for text in (
        secret,
        f"x{secret[:16]}",
        secret.encode().hex(),
        secret.encode().hex().upper(),
        "".join(f"%{byte:02x}" for byte in secret.encode()),
        quote(secret),
        *(b64encode(b"u" * count + b":" + secret.encode()).decode() for count in range(4)),
    ):
        assert leaks([secret], {"there": f"before {text} after".encode()}), text
        assert not leaks([canary("another")], {"there": text.encode()})


# -- what fails inside --------------------------------------------------------------------------------------------

PRELUDE = """
import asyncio
import brickscope.identity.store as s
import brickscope.proxy.gate as g
import brickscope.proxy.ruling as r
from brickscope.identity.store import CredentialStore
from brickscope.proxy.call import Call
from brickscope.proxy.wire.credential import Reflection
def say(found):
    raise RuntimeError(f"{found!r} {vars(found) if hasattr(found, '__dict__') else ''}")
"""
ODD = "Zr28Q~" + sha256(b"a secret that does not look like one").hexdigest()
BROKEN = {
    "placing": "r.place = lambda head, secret: say(secret)",
    "placing, by the ValueError of its own": "def f(head, secret): raise ValueError(secret)\nr.place = f",
    "the search in answers": "Reflection.look = lambda self, *a, **k: say(self._secret)",
    "the search in heads": "Reflection.begin = lambda self, *a: say(self._secret)",
    "the end of the call": "Call.end = lambda self, gate, exchange: say(exchange.cleared)",
    "the record": "g.decision_record = lambda *a, **k: say([x.value for x in GIVEN])",
    "the source": "async def f(*a): raise RuntimeError(await READ(*a))\nREAD = s.read_source; s.read_source = f",
    "the fingerprint": "s.fingerprint = say",
    "the store": "TAKE = CredentialStore.take\ndef f(*a):\n  say(TAKE(*a).value)\nCredentialStore.take = f",
    "a thread": (
        "import threading\nTAKE = CredentialStore.take\ndef f(*a):\n  found = TAKE(*a)\n"
        "  threading.Thread(target=say, args=[found.value]).start()\n  return found\nCredentialStore.take = f"
    ),
    "a destructor": (
        "TAKE = CredentialStore.take\nclass Bad:\n  def __del__(self): say(self.secret)\n"
        "def f(*a):\n  found, bad = TAKE(*a), Bad()\n  bad.secret = found.value\n  return found\nCredentialStore.take = f"
    ),
    "a task that nobody awaits": (
        "TAKE = CredentialStore.take\n"
        "def f(*a):\n"
        "  found = TAKE(*a)\n"
        "  async def fail(secret): say(secret)\n"
        "  asyncio.get_running_loop().create_task(fail(found.value))\n"
        "  asyncio.get_running_loop().call_soon(say, found.value)\n"
        "  return found\n"
        "CredentialStore.take = f"
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_fails_inside_with_the_secret_in_its_words_tells_nobody(
    name: str, tmp_path: Path, proxy_authority: Path
) -> None:
    change = BROKEN[name].replace("[x.value for x in GIVEN]", repr(ODD))
    script = copy_of_the_checkout(tmp_path / "checkout", PRELUDE + change)
    options = ["--set", "termlog_verbosity=debug"]
    said = b""
    with exchanging(tmp_path / "run", proxy_authority, *options, script=script) as run:
        proxy = run.gate.proxy
        run.write("token", ODD)
        run.gate.workspace.issuer.bearers = {ODD}
        for _ in range(2):
            with contextlib.suppress(*HUNG_UP), open_tls(proxy.proxy_url, HOST, ca=run.gate.ca) as sock:
                said += answered(sock, head(token=CI))
        with (
            contextlib.suppress(*HUNG_UP),
            open_tls(proxy.proxy_url, HOST, ca=run.gate.ca, alpn=["h2"]) as sock,
        ):
            client = H2Client(sock, timeout=5)
            answer = client.collect(client.request(h2_headers("GET", ALLOWED, HOST, CI)))
            said += answer.body + b"".join(part for pair in answer.headers for part in pair)
        assert set(run.sent()) <= {f"Bearer {ODD}".encode()}
    places = {"answers": said} | {
        str(file): file.read_bytes() for file in proxy.folder.rglob("*") if file.is_file()
    }
    assert leaks([ODD], places) == []
    wanted = ("RuntimeError", "ValueError", "internal_error", "could not be written", "malformed")
    assert any(word in proxy.output + proxy.audit_file.read_text() for word in wanted), "nothing was broken"


# -- hosts that give it back --------------------------------------------------------------------------------------


def given_back(answer: bytes) -> Iterator[bytes]:
    """A hostile answer with the secret in it: where it smuggles, in its head, and after its end."""
    secret = REAL.encode()
    first, end, rest = answer.partition(b"\r\n")
    yield answer.replace(b"SMUGGLED", secret).replace(b"X: a", b"X: " + secret)
    yield first + end + b"X-Echo: " + secret + b"\r\n" + rest
    yield answer + secret
    yield answer + b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n" + secret


def test_hostile_hosts_do_not_give_it_back(tmp_path: Path, proxy_authority: Path) -> None:
    option = f"scope_credentials={write_secrets(tmp_path / 'secrets')}"
    said = b""
    with running_raw(tmp_path / "raw", proxy_authority, "--set", option, policy=policy()) as (
        proxy,
        upstream,
    ):
        for case in CASES.values():
            for answer in given_back(case.answer):
                upstream.answers = {ALLOWED.encode(): (answer, case.end)}
                with contextlib.suppress(*HUNG_UP), open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
                    said += answered(sock, head(token=CI))
        assert all(CI.encode() not in received for received in upstream.received)
        assert any(REAL.encode() in received for received in upstream.received)
    places = {"answers": said} | {
        str(file): file.read_bytes() for file in proxy.folder.rglob("*") if file.is_file()
    }
    assert leaks([REAL], places) == []
    assert "the answer held the credential that was sent" in proxy.audit_file.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
def test_from_the_start_on_it_leaves_no_image_of_its_memory(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("version: 1\ncredentials: {}\n")
    code = (
        "import ctypes, resource; from pathlib import Path; from brickscope.proxy.entrusted import read_entrusted\n"
        f"before = ctypes.CDLL(None).prctl(3); read_entrusted(Path({str(file)!r}), Path('/nowhere'))\n"
        "print(before, ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout == "1 0 (0, 0)\n"
    assert ctypes.CDLL(None).prctl(3) == 1  # this one was not touched
