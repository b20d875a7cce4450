"""The proxies that are compared, and the stage they all stand on: one upstream, one authority, one policy."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from mitmproxy.certs import CertStore

from lab.workspace.authority import Authority, Leaf, write_private

from .hooks import write_naive_config
from .processes import Proxy, StartError, free_port, start_helper, start_proxy
from .workload import DENIED_SHARE, STREAM_RULES, Call, calls, policy_file, rule_texts, token

TOKENS, RULES = 10, 30
MIX = 320
SCRIPT = Path(__file__).resolve().parents[3] / "addon/scope.py"


class Variant(NamedTuple):
    """One proxy. ``denied_status``: what it answers a call with that the policy denies."""

    name: str
    denied_status: int


BARE = Variant("bare", 200)
TWIN = Variant("bare-twin", 200)
PRODUCT = Variant("product", 403)
NAIVE = Variant("naive", 403)


class Stage(NamedTuple):
    """What all variants share.

    ``leaf``: the upstream's certificate, which a reverse proxy shows as well. ``tokens``, ``granted``: the policy, each
    token with its rules. ``allowed``, ``mixed``, ``denied``: calls of which none, 5% and all are denied.
    """

    folder: Path
    upstream_port: int
    upstream_ca: Path
    leaf: Leaf
    confdir: Path
    tokens: list[str]
    granted: list[list[str]]
    allowed: list[Call]
    mixed: list[Call]
    denied: list[Call]

    @property
    def client_ca(self) -> Path:
        """The authority that a client of a proxy trusts."""
        return self.confdir / "mitmproxy-ca-cert.pem"

    @contextmanager
    def run(self, variant: Variant) -> Iterator[Proxy]:
        """A fresh process of a variant. The product's audit log is ``audit.jsonl``, made new."""
        port = free_port()
        shared = [
            *("--listen-host", "127.0.0.1", "--listen-port", str(port)),
            *("--set", f"confdir={self.confdir}"),
            *("--set", f"ssl_verify_upstream_trusted_ca={self.upstream_ca}"),
        ]
        launcher = [sys.executable, "-m", "lab.bench.launcher", str(self.upstream_port), "-q"]
        settings: dict[str, str] = {}
        if variant is PRODUCT:
            self.audit_file.unlink(missing_ok=True)
            command = [
                *(str(Path(sys.executable).with_name("mitmdump")), "-s", str(SCRIPT), "--no-server", *shared),
                *("--set", f"scope_rules={self.folder / 'rules'}"),
                *("--set", f"scope_audit_log={self.audit_file}"),
                *("--set", f"scope_connect_to=*.cloud.databricks.com=127.0.0.1:{self.upstream_port}"),
            ]
        elif variant is NAIVE:
            settings = {"NAIVE_CONFIG": str(self.folder / "naive.json")}
            command = [*launcher, "-s", str(Path(__file__).with_name("naive.py")), *shared]
        else:
            command = [*launcher, *shared]
        with start_proxy(command, port, self.folder, settings) as proxy:
            yield proxy

    @property
    def audit_file(self) -> Path:
        """The product's audit log."""
        return self.folder / "audit.jsonl"

    def decisions_recorded(self) -> int:
        """How many decisions the product has recorded."""
        with self.audit_file.open("rb") as file:
            return sum(b'"event":"decision"' in line for line in file)


@contextmanager
def open_stage(*, curve: bool = False) -> Iterator[Stage]:
    """Start the upstream and write all files, in a temporary folder; undo it at the end.

    ``curve``: the authority's key is P-256, as `brickscope ca new` makes it, and so are those of all leaves; not RSA, which
    is mitmproxy's own and takes a millisecond of each handshake.
    """
    tokens = [token(index) for index in range(TOKENS)]
    texts = [rule_texts(RULES, first=index * RULES) for index in range(TOKENS)]
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="brickscope-bench-")))
        authority = Authority(folder / "upstream")
        leaf = authority.issue(["*.cloud.databricks.com"])
        _, output = cleanup.enter_context(
            start_helper("upstream", str(leaf.certificate_file), str(leaf.key_file))
        )
        line = output.readline()
        if not line:
            raise StartError("the upstream did not start")
        confdir = folder / "confdir"
        confdir.mkdir()
        if curve:
            own = Authority(folder / "own")
            write_private(confdir / "mitmproxy-ca.pem", own.key + own.ca_file.read_bytes())
            write_private(confdir / "mitmproxy-ca-cert.pem", own.ca_file.read_bytes())
        else:
            CertStore.from_store(confdir, "mitmproxy", 2048)
        rules = folder / "rules"
        rules.mkdir()
        granted = [[*rules_of_one, *STREAM_RULES] for rules_of_one in texts]
        (rules / "policy.yaml").write_text(policy_file(tokens, granted))
        write_naive_config(folder / "naive.json", tokens, granted, folder / "naive.jsonl")
        mixes = [calls(tokens, texts, MIX, share) for share in (0, DENIED_SHARE, 1)]
        yield Stage(folder, int(line), authority.ca_file, leaf, confdir, tokens, granted, *mixes)
