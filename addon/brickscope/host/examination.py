"""All tests in their order: the settings, the way, what answers, the CA, and each client."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509

from brickscope.host.certificates import fingerprint, holds_key
from brickscope.host.editor import NAME as EDITOR
from brickscope.host.editor import examine_editors
from brickscope.host.managed_identity import find_detour
from brickscope.host.no_proxy import find_bypasses, without_bypasses
from brickscope.host.proxy_url import ProxyUrl, corrected, mask, read_proxy_url, secret_of
from brickscope.host.stack import STACKS, find_stack

from .check import Check, Status, note, ok, problem
from .diagnosis import Case, diagnose, judge_bundle
from .fix import Fixes
from .probe import Calls, find_pythons, run_clients
from .trust import Chain, describe_end, distrust, find_issuer, find_namesake, held, system_source
from .way import Presented, WayError, is_open, look, open_tunnel, resolve

SOON = 30
"""Days before its end from which a CA is worth a note."""
BUNDLE = 20
"""More certificates than this in one file: the system's roots are among them."""
_VARIABLES = ("HTTPS_PROXY", "https_proxy")
_OTHERS = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_TRUST = (
    *dict.fromkeys(
        name
        for stack in STACKS
        if stack.name not in ("git", "pip", "dotnet", "java")
        for name in stack.ca
        if name != "SSL_CERT_DIR"
    ),
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
)
"""Variables that name a file of CAs for calls to Databricks."""
_SAID = ("name", "status", "client", "detail", "fix")
"""Of a check, what its reader gets."""


@dataclass
class Examination:
    """What is asked. ``proxy``: as given; None: what the variables say. ``authority``: a file with the proxy's CA, if known.
    ``clients``: stacks; empty for all. ``bundles``: whether bundles are surely deployed from here."""

    workspace: str
    environment: Mapping[str, str]
    shell: str
    proxy: str | None
    authority: Path | None
    bundle: Path | None
    clients: frozenset[str]
    pythons: Sequence[str]
    bundles: bool

    def __post_init__(self) -> None:
        self.text = self.proxy or next(filter(None, map(self.environment.get, _VARIABLES)), None)
        bundle = self.bundle if self.bundle and self.bundle.is_file() else None
        java = bool(shutil.which("java", path=self.environment.get("PATH")))
        self.fixes = Fixes(
            self.shell,
            self.environment,
            None,
            self.authority,
            None if self.authority else bundle,
            java and (not self.clients or "java" in self.clients),
        )
        self.early: set[str] = set()
        self.here: set[str] | None = None
        """The stacks that were found on this host; None as long as nobody has looked."""

    def report(self) -> dict[str, Any]:
        """Test everything, as JSON holds it. Takes a minute at most, also where nothing answers."""
        found = list(self.run())
        # A line that was made before the proxy's CA was found is made again: all of it is pasted at once.
        final = self.fixes.everything()
        checks = [
            self.scrubbed(each._replace(fix=final) if each.fix in self.early else each)
            for each in map(self.weighed, found)
        ]
        return {
            "healthy": all(check.status is not Status.PROBLEM for check in checks),
            "workspace": self.workspace,
            "proxy": mask(self.text) if self.text else None,
            "checks": [{name: getattr(each, name) for name in _SAID} for each in checks],
            "fixes": list(dict.fromkeys(check.fix for check in checks if check.fix)),
        }

    def scrubbed(self, check: Check) -> Check:
        """A client's own words may hold the proxy's password."""
        names = (name for name in self.environment if name.lower().endswith("_proxy"))
        for text in (self.proxy, *map(self.environment.get, names)):
            secret = secret_of(text or "")
            for form in {secret, unquote(secret)} - {""}:
                check = check._replace(detail=check.detail.replace(form, "***"))
        return check

    def weighed(self, check: Check) -> Check:
        """A variable that no client of this host goes by is worth a note."""
        if (
            check.status is not Status.PROBLEM
            or check.variable is None
            or self.here is None
            or EDITOR in self.clients
        ):
            return check
        stacks = filter(None, map(find_stack, self.here))
        lists = [names for stack in stacks for names in (stack.proxy, stack.no_proxy)]
        read = {next(filter(self.environment.get, names), None) for names in lists}
        if check.variable in read:
            return check
        return check._replace(status=Status.NOTE, detail=f"{check.detail}; no client here goes by it")

    def run(self) -> Iterator[Check]:
        """Step by step; what rests on a step that failed is left out."""
        yield from self._settings()
        proxy, presented = self.fixes.proxy, None
        if proxy:
            for step in self._way(proxy):
                if isinstance(step, Presented):
                    presented = step
                else:
                    yield step
        if proxy is None or presented is None:
            yield Check("clients", Status.SKIPPED, "the clients were not run, since the proxy can't be used")
            return
        self._learn(presented.chain)
        yield from self._authority(presented.chain)
        case = Case(self.workspace, self.environment, self.fixes, presented.chain)
        pythons = find_pythons(self.environment, self.pythons)
        calls = Calls(self.workspace, proxy, self.environment, self.clients, pythons)
        outcomes = run_clients(calls)
        self.here = {outcome.stack for outcome in outcomes}
        yield from self._sources(presented.chain, any("mlflow" in outcome.program for outcome in outcomes))
        for outcome in outcomes:
            yield diagnose(outcome, case)
            if outcome.stack == "go" and (found := judge_bundle(case, certain=self.bundles)):
                yield found
        wanted = EDITOR in self.clients
        if wanted or not self.clients:
            yield from examine_editors(self.environment, proxy, self.workspace, self.shell, wanted=wanted)
        for missing in sorted(self.clients - self.here - {EDITOR}):
            yield note(
                f"client_{missing.replace('-', '_')}", f"{missing} was not found on this host", missing
            )

    # -- settings -----------------------------------------------------------------------------------------------

    def _settings(self) -> Iterator[Check]:
        if not self.text:
            source = next(filter(self.environment.get, _OTHERS), None)
            self._mean(source)
            only = f" ({source} is, which is for http:// calls)" if source else ""
            unset = f"neither HTTPS_PROXY nor https_proxy is set{only}"
            text = f"{unset}: clients connect to Databricks directly, or not at all"
            yield problem("proxy_variable", text, self._everything())
            return
        try:
            proxy = read_proxy_url(self.text)
        except ValueError as error:
            self._mean(next((name for name in _VARIABLES if self.environment.get(name) == self.text), None))
            yield problem("proxy_variable", str(error), self._everything())
            return
        self.fixes = self.fixes._replace(proxy=proxy)
        yield from self._spellings(proxy)
        yield from self._exceptions()

    def _mean(self, source: str | None) -> None:
        """Go on with the proxy that a variable, or the option, most likely means."""
        text = self.environment[source] if source else self.text
        meant = corrected(text) if text else None
        if meant is None:
            return
        first = self.fixes.correct(source) if meant.password and source else ""
        self.fixes = self.fixes._replace(proxy=meant, first=first)

    def _everything(self) -> str:
        line = self.fixes.everything()
        self.early.add(line)
        return line

    def _spellings(self, proxy: ProxyUrl) -> Iterator[Check]:
        given = {name: self.environment.get(name, "") for name in _VARIABLES}
        if not any(given.values()):
            text = "neither HTTPS_PROXY nor https_proxy is set: clients do not know the proxy"
            yield problem("proxy_variable", text, self.fixes.everything())
            return
        for name, value in given.items():
            if value and value.rstrip("/") != proxy.url:
                text = f"{name} is {mask(value)}, not {proxy.masked}: some clients read this spelling, some the other"
                yield problem("proxy_variable", text, self._give(name, proxy))._replace(variable=name)
            elif not value and os.name != "nt":
                who = "gRPC reads lower case only" if name.islower() else "some programs read upper case only"
                # No client may be here that minds; each that is here is run.
                detail = f"{name} is not set: {who}"
                yield Check("proxy_variable", Status.NOTE, detail, self._give(name, proxy))
        if all(value.rstrip("/") == proxy.url for value in given.values()):
            yield ok("proxy_variable", f"HTTPS_PROXY and https_proxy are {proxy.masked}")
        other = self.environment.get("grpc_proxy", "")
        if other and other.rstrip("/") != proxy.url:
            text = f"grpc_proxy is {mask(other)}, and gRPC takes it before https_proxy"
            found = problem("proxy_variable", text, self.fixes.unset("grpc_proxy"))
            yield found._replace(variable="grpc_proxy")

    def _give(self, name: str, proxy: ProxyUrl) -> str:
        """Sets one spelling, by the other where a password would have to be written."""
        source = next(
            (each for each in _VARIABLES if self.environment.get(each, "").rstrip("/") == proxy.url), None
        )
        if proxy.password and source:
            return self.fixes.copy(source, name)
        return self.fixes.assign(**{name: proxy.masked})

    def _exceptions(self) -> Iterator[Check]:
        wrong = False
        for name in ("NO_PROXY", "no_proxy", "no_grpc_proxy"):
            value = self.environment.get(name, "")
            found = find_bypasses(value, self.workspace)
            if found:
                wrong = True
                left = without_bypasses(value, self.workspace)
                who = ", ".join(dict.fromkeys(client for bypass in found for client in bypass.clients))
                listed = ", ".join(bypass.entry for bypass in found)
                matches = f"{listed} matches {self.workspace} ({who})"
                text = f"{name} bypasses the proxy: {matches}; such calls are not governed"
                yield problem("no_proxy", text, self.fixes.replace(name, left))._replace(variable=name)
        if not wrong:
            yield ok("no_proxy", "NO_PROXY does not name the workspace")
        if detour := find_detour(self.environment):
            detail = (
                f"{detour.proxy} routes a managed identity's calls for its tokens to the proxy, which refuses them: "
                f"NO_PROXY has to name {detour.endpoint}"
            )
            fix = self.fixes.assign(NO_PROXY=detour.no_proxy, no_proxy=detour.no_proxy)
            status = Status.PROBLEM if detour.used else Status.NOTE
            yield Check("managed_identity", status, detail, fix if detour.used else None)

    # -- the way ------------------------------------------------------------------------------------------------

    def _way(self, proxy: ProxyUrl) -> Iterator[Check | Presented]:
        """Each step; at the end what answers there, if it is Brickscope."""
        try:
            addresses = resolve(proxy.host)
        except WayError as error:
            yield problem("proxy_resolves", str(error), self._other_proxy())
            return
        yield ok("proxy_resolves", f"{proxy.host} is {', '.join(addresses[:4])}")
        try:
            open_tunnel(proxy, self.workspace).close()
        except WayError as error:
            name = "proxy_connects" if "can't be reached" in str(error) else "proxy_answers"
            wanted = f"http://USER:PASSWORD@{proxy.host}:{proxy.port}"
            fix = self.fixes.assign(HTTPS_PROXY=wanted) if error.status == 407 else self._other_proxy()
            yield problem(name, str(error), fix)
            return
        yield ok("proxy_answers", f"{proxy.masked} opens a tunnel to {self.workspace}")
        try:
            presented = look(proxy, self.workspace)
        except WayError as error:
            yield problem("tunnel", str(error))
            return
        answer = presented.answer
        if answer is None or answer.reason is None:
            said = f"HTTP {answer.status}" if answer else "no HTTP"
            issuer = presented.leaf.issuer.rfc4514_string()[:120]
            who = f"is not Brickscope ({said}; its certificate is by {issuer!r})"
            text = f"what answers through {proxy.masked} {who}: the calls are not governed"
            yield problem("brickscope", text, self._other_proxy())
            return
        yield ok("brickscope", f"Brickscope answers ({answer.reason}, decision {answer.request_id})")
        if is_open(self.workspace):
            text = f"{self.workspace} can also be reached without the proxy: docs/deploy.md says how to block that"
            yield note("direct_way", text)
        yield self._clock(presented.leaf)
        yield presented

    def _other_proxy(self) -> str:
        """Leads to another proxy: the one that the other spelling names, or one on this host, if Brickscope is there; else
        the line has a place for it."""
        for text in (*map(self.environment.get, _VARIABLES), "http://127.0.0.1:8080"):
            try:
                proxy = read_proxy_url(text or "")
                if proxy == self.fixes.proxy:
                    continue
                answer = look(proxy, self.workspace).answer
            except (ValueError, WayError):
                continue
            if answer and answer.reason:
                return self.fixes._replace(proxy=proxy).everything()
        return self.fixes._replace(proxy=None).everything()

    def _clock(self, leaf: x509.Certificate) -> Check:
        now, leeway = datetime.now(UTC), timedelta(minutes=5)
        begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        clock, fix = f"this host's clock ({now:%Y-%m-%d %H:%M} UTC) is", None
        if sys.platform == "linux":
            fix = "sudo timedatectl set-ntp true"
        if now + leeway < begins:
            text = f"{clock} before the start of the proxy's certificate ({begins:%Y-%m-%d %H:%M}); set it"
            return problem("clock", text, fix)
        if now > ends:
            return problem(
                "clock", f"the proxy's certificate expired on {ends:%Y-%m-%d %H:%M}, or {clock} wrong", fix
            )
        return ok("clock", "this host's clock is within the validity of the proxy's certificate")

    # -- the CA -------------------------------------------------------------------------------------------------

    def _candidates(self) -> list[Path]:
        """Files that may hold the proxy's CA, the likeliest first."""
        named = [self.environment.get(name) for name in _TRUST]
        files = [
            self.authority,
            self.bundle,
            *(Path(name) for name in named if name),
            system_source(),
        ]
        return [file for file in dict.fromkeys(files) if file and file.is_file()]

    def _learn(self, chain: Chain) -> None:
        """Find a file that fixes every client."""
        good = [file for file in self._candidates() if find_issuer(chain, file)]
        whole = next(
            (file for file in good if len(held(file)) > BUNDLE and not distrust(chain, file)),
            None,
        )
        single = next((file for file in good if len(held(file)) <= BUNDLE), None)
        if single and single == self.authority:
            whole = None
        self.fixes = self.fixes._replace(authority=single, bundle=whole)

    def _authority(self, chain: Chain) -> Iterator[Check]:
        for file in self._candidates():
            issuer = find_issuer(chain, file)
            if issuer is None:
                continue
            days, text = describe_end(issuer)
            if days < 0:
                ended = f"the proxy's CA has expired: {text}. Have it replaced on the proxy's host, then take the new file"
                yield problem("ca", ended, self.fixes._replace(authority=None, bundle=None).everything())
            elif days < SOON:
                yield note("ca", f"the proxy's CA expires in {days} days: {text}")
            else:
                yield ok("ca", f"the proxy's CA is in {file}: {text}")
            return
        yield problem(
            "ca", self._missing(chain), self.fixes._replace(authority=None, bundle=None).everything()
        )

    def _missing(self, chain: Chain) -> str:
        for file in self._candidates():
            namesake = find_namesake(chain, file)
            if namesake:
                return (
                    f"{file} holds another CA of the same name (sha256:{fingerprint(namesake)[:16]}…): the proxy's was "
                    "replaced, or it is another proxy's. Get mitmproxy-ca-cert.pem from the proxy's host"
                )
        return "no file here holds the proxy's CA. Get mitmproxy-ca-cert.pem from the proxy's host"

    def _sources(self, chain: Chain, mlflow: bool) -> Iterator[Check]:
        """What each variable that is set leads to. NODE_EXTRA_CA_CERTS adds to Node's list; the others replace.
        ``mlflow``: whether it is on this host."""
        here = self.here or set()
        for name in _TRUST:
            value = self.environment.get(name)
            if not value:
                continue
            why = distrust(chain, Path(value))
            if _holds_key(Path(value)):
                why = "it holds a private key, which must not be on this host: have the proxy's CA replaced"
                yield problem("ca_variable", f"{name} is {value}: {why}", self.fixes.everything())
            elif not why:
                yield ok("ca_variable", f"{name} is {value}: trusts the proxy")
            elif name == "MLFLOW_TRACKING_SERVER_CERT_PATH" and mlflow:
                yield problem("ca_variable", f"{name} is {value}: {why}", self.fixes.unset(name))
            elif any(name in stack.ca and stack.name in here for stack in STACKS):
                yield problem("ca_variable", f"{name} is {value}: {why}", self.fixes.everything())
            else:
                yield note("ca_variable", f"{name} is {value}: {why}; no client here reads it")
        system = system_source()
        if system and distrust(chain, system):
            store = f"the system's own store ({system}) lacks the proxy's CA"
            yield note("ca_system", f"{store}; clients use the bundle that the variables name")
        elif system:
            yield ok("ca_system", f"the system's own store ({system}) trusts the proxy")


def _holds_key(file: Path) -> bool:
    try:
        return holds_key(file.read_bytes())
    except OSError:
        return False
