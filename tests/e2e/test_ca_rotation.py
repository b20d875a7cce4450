"""A change of the authority under a running proxy: who trusts the bundle never fails, whatever step is being taken."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main
from brickscope.service.authority.creation import make_authority
from brickscope.service.authority.folder import AuthorityFolder
from e2e.conftest import StartProxy
from e2e.gate import HOST, POLICY, head
from e2e.proxy_process import ProxyFailed, ProxyProcess
from e2e.raw_client import open_tls, read_h1, send_h1


def ca(*words: str | Path) -> str:
    result = CliRunner().invoke(main, ["ca", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def reaches(proxy: ProxyProcess, trust: Path) -> bool:
    """Whether a client that trusts the certificates in ``trust`` gets an answer; False if it refuses the proxy's."""
    try:
        with open_tls(proxy.proxy_url, HOST, ca=trust) as sock:
            send_h1(sock, head())
            answer = read_h1(sock)
    except ssl.SSLCertVerificationError:
        return False
    assert answer is not None
    assert answer.status == 200
    return True


def test_clients_with_the_bundle_never_fail(rules: Path, start_proxy: StartProxy, tmp_path: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY)
    folder = tmp_path / "proxy"
    confdir = folder / "confdir"

    def restart() -> ProxyProcess:
        nonlocal proxy
        proxy.stop()
        proxy = start_proxy(folder=folder)
        return proxy

    def seen() -> tuple[bool, bool, bool]:
        return reaches(proxy, old), reaches(proxy, both), reaches(proxy, new)

    proxy = start_proxy(folder=folder)
    old, both, new = (tmp_path / f"{name}.pem" for name in ("old", "both", "new"))
    old.write_bytes((confdir / "mitmproxy-ca-cert.pem").read_bytes())

    ca("new", "--confdir", confdir)
    both.write_text(ca("bundle", "--confdir", confdir))
    new.write_bytes(AuthorityFolder(confdir).held()[1].chain.anchor_pem)
    assert seen() == (True, True, False), "made: nothing has changed for anybody"
    restart()
    assert seen() == (True, True, False), "made, and a proxy restarts (or a second one starts) meanwhile"

    ca("use", "--confdir", confdir, "--trusted-by", both)
    assert seen() == (True, True, False), "used: a proxy that runs goes on with the old one"
    restart()
    assert seen() == (False, True, True), "used and restarted"

    ca("use", "--previous", "--confdir", confdir)
    restart()
    assert seen() == (True, True, False), "gone back"

    ca("use", "--confdir", confdir)
    restart()
    ca("retire", "--confdir", confdir)
    assert ca("bundle", "--confdir", confdir).encode() == new.read_bytes()
    restart()
    assert seen() == (False, True, True), "retired"


def test_no_call_fails_while_two_proxies_change_one_after_the_other(
    rules: Path, start_proxy: StartProxy, tmp_path: Path
) -> None:
    """Two machines behind one balancer, and a client that uses the one that is up: each step is taken under load."""
    (rules / "policy.yaml").write_text(POLICY)
    folders = [tmp_path / name for name in ("one", "two")]
    proxies = [start_proxy(folder=folder) for folder in folders]
    confdirs = [folder / "confdir" for folder in folders]
    ca("new", "--confdir", confdirs[0])
    both = tmp_path / "both.pem"
    both.write_text(ca("bundle", "--confdir", confdirs[0]))
    for name in ("brickscope-ca-next.pem", "brickscope-ca-bundle.pem"):  # as an operator would copy it
        (confdirs[1] / name).write_bytes((confdirs[0] / name).read_bytes())
        (confdirs[1] / name).chmod(0o600)

    out_of_service: set[int] = set()
    calls, failures, stop = 0, [], threading.Event()
    turn = threading.Lock()

    def load() -> None:
        nonlocal calls
        while not stop.is_set():
            for number in range(2):
                with turn:  # a call is not under way when its proxy is stopped: draining is another test's
                    if number in out_of_service:
                        continue
                    calls += 1
                    try:
                        if not reaches(proxies[number], both):
                            failures.append(f"proxy {number} was refused after {calls} calls")
                    except Exception as error:
                        failures.append(f"{type(error).__name__}: {error}")

    client = threading.Thread(target=load)
    client.start()
    try:
        for number, confdir in enumerate(confdirs):
            ca("use", "--confdir", confdir)
            with turn:
                out_of_service.add(number)
            proxies[number].stop()
            proxies[number] = start_proxy(folder=folders[number])
            before = calls
            with turn:
                out_of_service.discard(number)
            proxies[number].wait_for(lambda before=before: calls > before + 4, 60)
    finally:
        stop.set()
        client.join()
    assert not failures
    new = AuthorityFolder(confdirs[0]).held()[0].chain
    only_new = tmp_path / "new.pem"
    only_new.write_bytes(new.anchor_pem)
    assert all(reaches(proxy, only_new) for proxy in proxies)


# -- at start --------------------------------------------------------------------------------------------------


def test_a_proxy_with_an_expired_authority_does_not_start(
    rules: Path, start_proxy: StartProxy, tmp_path: Path
) -> None:
    (rules / "policy.yaml").write_text(POLICY)
    confdir = tmp_path / "proxy" / "confdir"
    long_ago = datetime.now(UTC) - timedelta(days=100)
    AuthorityFolder(confdir).add(make_authority(["cloud.databricks.com"], 90, now=long_ago))
    with pytest.raises(ProxyFailed, match="every client refuses it") as failed:
        start_proxy(folder=tmp_path / "proxy")
    assert "Traceback" not in str(failed.value)
    assert "brickscope ca new" in str(failed.value)

    # What the message says to do mends it.
    ca("new", "--confdir", confdir)
    ca("use", "--confdir", confdir)
    proxy = start_proxy(folder=tmp_path / "proxy")
    assert reaches(proxy, confdir / "brickscope-ca-bundle.pem")


def _soon(confdir: Path) -> None:
    AuthorityFolder(confdir).add(make_authority(["cloud.databricks.com"], 20))


def _readable(confdir: Path) -> None:
    AuthorityFolder(confdir).add(make_authority(["cloud.databricks.com"]))
    (confdir / "mitmproxy-ca.pem").chmod(0o644)


def _narrow(confdir: Path) -> None:
    AuthorityFolder(confdir).add(make_authority(["other.databricks.com"]))


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_soon, "expires on"),
        (_readable, "may be read or written by others (mode 0644): chmod 600"),
        (_narrow, "may sign for other.databricks.com only, not for *.cloud.databricks.com"),
    ],
)
def test_what_is_wrong_with_the_authority_is_said_at_start(
    prepare: Callable[[Path], None], words: str, rules: Path, start_proxy: StartProxy, tmp_path: Path
) -> None:
    (rules / "policy.yaml").write_text(POLICY)
    prepare(tmp_path / "proxy" / "confdir")
    proxy = start_proxy(folder=tmp_path / "proxy")
    assert words in proxy.output
    trusted = tmp_path / "proxy" / "confdir" / "mitmproxy-ca-cert.pem"
    assert reaches(proxy, trusted) is (prepare is not _narrow)
