"""From what a client did to what is wrong with it, and the line that mends it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from brickscope.host.no_proxy import find_bypasses, without_bypasses
from brickscope.host.stack import Stack, find_stack

from .check import Check, note, ok, problem
from .fix import Fixes
from .probe import Kind, Outcome
from .trust import Chain, system_source, verify


class Case(NamedTuple):
    """What is known of the host. ``chain``: the certificates that the proxy shows for the workspace."""

    host: str
    environment: Mapping[str, str]
    fixes: Fixes
    chain: Chain


def diagnose(outcome: Outcome, case: Case) -> Check:
    """One check for one client."""
    stack = find_stack(outcome.stack)
    assert stack is not None
    name, who = f"client_{stack.name.replace('-', '_')}", outcome.program
    if outcome.kind is Kind.JUDGED:
        return _judge(name, who, stack, case)
    if outcome.kind is Kind.THROUGH:
        if not outcome.reads_proxy:
            return note(
                name,
                f"{who} trusts the proxy, but reads no proxy variable before 22.21 and 24.5: give its clients the proxy as "
                "an option (@databricks/sql: proxy)",
                stack.name,
            )
        return ok(name, f"{who} reaches Brickscope", stack.name)
    if outcome.reads_proxy and (found := _find_way(name, who, stack, case)):
        return found
    if outcome.kind is Kind.UNTRUSTED:
        return _untrusted(name, who, stack, case)
    if stack.name == "java" and case.fixes.proxy and case.fixes.proxy.user:
        return problem(
            name,
            f"{who} takes no password for the proxy from a variable; give it a way to the proxy without one",
            None,
            stack.name,
        )
    what = (
        f"is answered by something that is not Brickscope ({outcome.told})"
        if outcome.kind is Kind.OTHER
        else f"fails: {outcome.told}"
    )
    return problem(name, f"{who} {what}", case.fixes.everything(), stack.name)


def chosen(stack: Stack, environment: Mapping[str, str]) -> str | None:
    """The variable in which a stack finds its proxy; None if none is set."""
    return next((name for name in stack.proxy if environment.get(name)), None)


def no_proxy_variable(stack: Stack, environment: Mapping[str, str]) -> str | None:
    """The variable that tells a stack what goes past the proxy."""
    return next((name for name in stack.no_proxy if environment.get(name)), None)


def _find_way(name: str, who: str, stack: Stack, case: Case) -> Check | None:
    """What is wrong with how a client finds the proxy; None if nothing is."""
    if stack.name == "java":
        if "-Dhttps.proxyHost=" in case.environment.get("JAVA_TOOL_OPTIONS", ""):
            return None
        return problem(
            name,
            f"{who} finds no proxy: it reads no variable but JAVA_TOOL_OPTIONS, which has no -Dhttps.proxyHost",
            case.fixes.everything(),
            stack.name,
        )
    variable = chosen(stack, case.environment)
    if variable is None:
        return problem(
            name,
            f"{who} finds no proxy: none of {', '.join(stack.proxy)} is set",
            case.fixes.everything(),
            stack.name,
        )
    listed = no_proxy_variable(stack, case.environment)
    if listed and find_bypasses(case.environment[listed], case.host):
        left = without_bypasses(case.environment[listed], case.host)
        return problem(
            name,
            f"{who} goes past the proxy: {listed} names the workspace",
            case.fixes.replace(listed, left),
            stack.name,
        )
    if stack.switch and case.environment.get(stack.switch[0]) != stack.switch[1]:
        switch, value = stack.switch
        return problem(
            name,
            f"{who} does not look at {variable}: {switch} is not {value}",
            case.fixes.assign(**{switch: value}),
            stack.name,
        )
    return None


def _untrusted(name: str, who: str, stack: Stack, case: Case) -> Check:
    fix = case.fixes.everything()
    variable = next((each for each in stack.ca if case.environment.get(each)), None)
    if stack.name == "java":
        said = case.environment.get("JAVA_TOOL_OPTIONS", "")
        why = (
            "the trust store in JAVA_TOOL_OPTIONS lacks it"
            if "javax.net.ssl.trustStore=" in said
            else f"it trusts {stack.roots}, and JAVA_TOOL_OPTIONS names no other store"
        )
    elif variable is None:
        why = f"it trusts {stack.roots}, and {' or '.join(stack.ca)} is not set"
    else:
        value = case.environment[variable]
        verdict = verify(case.chain, Path(value))
        why = f"{variable} is {value}: {verdict.why or 'it is right, so something else overrides it'}"
    return problem(name, f"{who} does not trust the proxy's CA: {why}", fix, stack.name)


def _judge(name: str, who: str, stack: Stack, case: Case) -> Check:
    """Go, by its variables (crypto/x509 root_unix.go: the certificates of file and folders are added together)."""
    if found := _find_way(name, who, stack, case):
        return found
    if sys.platform == "darwin" or os.name == "nt":
        return note(
            name,
            f"{who} (not run) trusts the system's store only: the proxy's CA has to be in it",
            stack.name,
        )
    file = case.environment.get("SSL_CERT_FILE")
    sources = [Path(file)] if file else [system_source() or Path()]
    sources += [Path(folder) for folder in case.environment.get("SSL_CERT_DIR", "").split(":") if folder]
    if any(verify(case.chain, source).trusted for source in sources):
        return ok(name, f"{who} (not run, judged by its variables) finds the proxy and trusts it", stack.name)
    return _untrusted(name, who, stack, case)


def judge_bundle(case: Case, *, certain: bool) -> Check | None:
    """The Terraform that a bundle's deployment starts. The CLI hands it the proxy's variables and not those of CAs
    (databricks/cli bundle/deploy/terraform/init.go: envCopy, setProxyEnvVars), so that it trusts the system's store alone.

    ``certain``: bundles are deployed from here; otherwise nobody knows, and it is worth a note. None: all is well.
    """
    system = system_source()
    direct = case.environment.get("DATABRICKS_BUNDLE_ENGINE") == "direct"
    if direct or (system is not None and verify(case.chain, system).trusted):
        return None
    detail = (
        "'databricks bundle deploy' starts a Terraform that gets HTTPS_PROXY but not SSL_CERT_FILE, so it trusts the "
        "system's store alone, which lacks the proxy's CA: put it there, or deploy without Terraform (a bundle that it "
        "deployed before is migrated first: 'databricks bundle deployment migrate')"
    )
    fix = case.fixes.assign(DATABRICKS_BUNDLE_ENGINE="direct")
    return problem("client_bundle", detail, fix, "go") if certain else note("client_bundle", detail, "go")
