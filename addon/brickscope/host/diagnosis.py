"""From what a client did to what is wrong with it, and the line that fixes it."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from brickscope.host.no_proxy import find_bypasses, without_bypasses
from brickscope.host.stack import Stack, find_stack

from .check import Check, Status
from .fix import Fixes
from .probe import Kind, Outcome
from .trust import Chain, distrust, system_source


class Case(NamedTuple):
    """What is known of the host. ``chain``: the certificates that the proxy shows for the workspace."""

    host: str
    environment: Mapping[str, str]
    fixes: Fixes
    chain: Chain


class _Client(NamedTuple):
    """A client of this host. ``who``: what messages call it."""

    stack: Stack
    who: str
    case: Case

    def say(self, status: Status, text: str, fix: str | None = None) -> Check:
        """A check of this client."""
        name = f"client_{self.stack.name.replace('-', '_')}"
        return Check(name, status, f"{self.who} {text}", fix, self.stack.name)

    def problem(self, text: str, fix: str | None = None) -> Check:
        """A problem, which setting every variable solves where nothing else is said."""
        return self.say(Status.PROBLEM, text, self.case.fixes.everything() if fix is None else fix or None)

    def given(self, names: Iterable[str]) -> str | None:
        """The first of these variables that has a value."""
        return next((name for name in names if self.case.environment.get(name)), None)

    @property
    def java(self) -> str | None:
        """What Java is told; None for another client."""
        return self.case.environment.get("JAVA_TOOL_OPTIONS", "") if self.stack.name == "java" else None

    def lost(self) -> Check | None:
        """What is wrong with how the client finds the proxy; None if nothing is."""
        environment, fixes = self.case.environment, self.case.fixes
        if self.java is not None:
            if "-Dhttps.proxyHost=" in self.java:
                return None
            return self.problem(
                "finds no proxy: it reads no variable but JAVA_TOOL_OPTIONS, which has no -Dhttps.proxyHost"
            )
        variable, listed = self.given(self.stack.proxy), self.given(self.stack.no_proxy)
        if variable is None:
            return self.problem(f"finds no proxy: none of {', '.join(self.stack.proxy)} is set")
        if listed and find_bypasses(environment[listed], self.case.host):
            left = without_bypasses(environment[listed], self.case.host)
            return self.problem(
                f"bypasses the proxy: {listed} names the workspace", fixes.replace(listed, left)
            )
        if self.stack.switch:
            switch, value = self.stack.switch
            if environment.get(switch) != value:
                text = f"does not look at {variable}: {switch} is not {value}"
                return self.problem(text, fixes.assign(**{switch: value}))
        return None

    def distrusts(self) -> Check:
        """Why it does not trust the proxy's CA."""
        variable = self.given(self.stack.ca)
        if self.java is not None:
            why = (
                "the trust store in JAVA_TOOL_OPTIONS lacks it"
                if "javax.net.ssl.trustStore=" in self.java
                else f"it trusts {self.stack.roots}, and JAVA_TOOL_OPTIONS names no other store"
            )
        elif variable is None:
            why = f"it trusts {self.stack.roots}, and {' or '.join(self.stack.ca)} is not set"
        else:
            value = self.case.environment[variable]
            wrong = distrust(self.case.chain, Path(value))
            why = f"{variable} is {value}: {wrong or 'it is right, so something else overrides it'}"
        return self.problem(f"does not trust the proxy's CA: {why}")

    def judged(self) -> Check:
        """Go, by its variables (crypto/x509 root_unix.go: the certificates of file and folders are added together)."""
        if found := self.lost():
            return found
        if sys.platform == "darwin" or os.name == "nt":
            text = "(not run) trusts the system's store only: the proxy's CA has to be in it"
            return self.say(Status.NOTE, text)
        file, folders = (self.case.environment.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        sources = [
            Path(file) if file else system_source() or Path(),
            *map(Path, filter(None, folders.split(":"))),
        ]
        if not all(distrust(self.case.chain, source) for source in sources):
            return self.say(Status.OK, "(not run, judged by its variables) finds the proxy and trusts it")
        return self.distrusts()


def diagnose(outcome: Outcome, case: Case) -> Check:
    """One check for one client."""
    stack = find_stack(outcome.stack)
    assert stack is not None
    client = _Client(stack, outcome.program, case)
    if outcome.kind is Kind.JUDGED:
        return client.judged()
    if outcome.kind is Kind.THROUGH:
        if outcome.reads_proxy:
            return client.say(Status.OK, "reaches Brickscope")
        text = (
            "trusts the proxy, but reads no proxy variable before 22.21 and 24.5: give its clients the proxy as "
            "an option (@databricks/sql: proxy)"
        )
        return client.say(Status.NOTE, text)
    if outcome.reads_proxy and (found := client.lost()):
        return found
    if outcome.kind is Kind.UNTRUSTED:
        return client.distrusts()
    if client.java is not None and case.fixes.proxy and case.fixes.proxy.user:
        text = "takes no password for the proxy from a variable; give it a way to the proxy without one"
        return client.problem(text, "")
    if outcome.kind is Kind.OTHER:
        return client.problem(f"is answered by something that is not Brickscope ({outcome.told})")
    return client.problem(f"fails: {outcome.told}")


def judge_bundle(case: Case, *, certain: bool) -> Check | None:
    """The Terraform that a bundle's deployment starts. The CLI hands it the proxy's variables and not those of CAs
    (databricks/cli bundle/deploy/terraform/init.go: envCopy, setProxyEnvVars), so that it trusts the system's store alone.

    ``certain``: bundles are deployed from here; otherwise nobody knows, and it is worth a note. None: all is well.
    """
    system = system_source()
    direct = case.environment.get("DATABRICKS_BUNDLE_ENGINE") == "direct"
    if direct or (system is not None and not distrust(case.chain, system)):
        return None
    detail = (
        "'databricks bundle deploy' starts a Terraform that gets HTTPS_PROXY but not SSL_CERT_FILE, so it trusts the "
        "system's store alone, which lacks the proxy's CA: put it there, or deploy without Terraform (a bundle that it "
        "deployed before is migrated first: 'databricks bundle deployment migrate')"
    )
    if not certain:
        return Check("client_bundle", Status.NOTE, detail, client="go")
    fix = case.fixes.assign(DATABRICKS_BUNDLE_ENGINE="direct")
    return Check("client_bundle", Status.PROBLEM, detail, fix, "go")
