"""``brickscope whoami``: which subject of a policy a token is, and why, without showing the token."""

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import click

from brickscope.analysis.judge import known
from brickscope.analysis.shown import moment
from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.hostname import host_of, in_databricks_zone, is_hostname
from brickscope.core.jwt_token import Claims, is_jwt, read_claims
from brickscope.core.pending import NotYetKnown
from brickscope.core.policy import Policy, Subject
from brickscope.core.principal import find_principal
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.fetch import Fetcher

from .command import command
from .fingerprint import read_token_input
from .options import FILE, load_rules, rules_option
from .output import Answer, answers


@command("whoami")
@rules_option()
@click.option(
    "--host", help="The workspace the token is used on. Default: one on which its issuer's tokens count."
)
@click.option("--ca", type=FILE, help="CA certificates to trust instead of the system's.")
@answers
def whoami_command(rules: Path, host: str | None, ca: Path | None) -> Answer:
    """Say which subject of the policy a token belongs to, and why.

    The token is read from standard input, or prompted for without echo. An OAuth token is verified as the proxy
    verifies it: the keys of its issuer are fetched, or taken from the policy's key file.

    \b
    Exit status: 0 the policy names it, 1 it does not (or the token is not genuine), 2 the command can't be carried out.

    \b
    Examples:
      brickscope whoami < token.txt
      databricks auth token | jq -r .access_token | brickscope whoami --rules rules --json
    """
    token = read_token_input()
    said = asyncio.run(_identify(load_rules(rules).policy, token, host, ca))
    shown = {key: ", ".join(value) if isinstance(value, list) else value for key, value in said.items()}
    lines = [f"{key + ':':14}{value}" for key, value in shown.items() if value is not None]
    return Answer(said, lines, failed=said["subject"] is None)


async def _identify(policy: Policy, token: bytes, host: str | None, ca: Path | None) -> dict[str, Any]:
    name = fingerprint(token)
    subject = policy.tokens.get(name)
    if subject is not None:
        return _say(policy, name, subject, "token", "the policy names this fingerprint")
    try:
        subject, claims = await _find(policy, token, name, host, ca)
    except Refused as refused:
        return {"subject": None, "reason": str(refused.reason), "why": refused.detail, "fingerprint": name}
    kind = known(policy)[subject.name].kind
    if claims.tenant is not None:
        claim = f"tenant is {claims.tenant}, its object id {claims.object_id}, its application id {claims.client_id}"
    elif kind == "user":
        claim = f"sub is {claims.sub}"
    else:
        claim = f"client_id is {claims.client_id or claims.sub}"
    why = f"the token is genuine, issued by {claims.issuer}, and its {claim}"
    return _say(policy, name, subject, kind, why, claims)


async def _find(
    policy: Policy, token: bytes, name: str, host: str | None, ca: Path | None
) -> tuple[Subject, Claims]:
    """Whose token it is, verified as the proxy does. Raises Refused."""
    now = time.time()
    where = host or (_host(policy, read_claims(token).issuer) if is_jwt(token) else "")
    trust = ssl.create_default_context(cafile=None if ca is None else str(ca))
    directory = TokenDirectory(Fetcher(trust).fetch)
    try:
        subject, _ = find_principal(policy, token, name, where, now, directory)
    except NotYetKnown as unknown:
        named = read_claims(token).issuer in policy.principals.issuers
        if not named and not (is_hostname(where) and in_databricks_zone(where)):
            raise click.UsageError(
                "the token was not issued by a Databricks host; nothing was asked there"
            ) from None
        await directory.learn(unknown)
        settled = directory.settled((unknown.url,))
        subject, _ = find_principal(policy, token, name, where, now, settled)
    return subject, read_claims(token)


def _host(policy: Policy, issuer: str) -> str:
    """A host on which tokens of an issuer count: of one that the policy names, the first that it names for it."""
    named = policy.principals.issuers.get(issuer)
    if named is not None:
        return named.hosts.patterns[0].replace("*", "workspace")
    return host_of(issuer)


def _say(
    policy: Policy, name: str, subject: Subject, kind: str, why: str, claims: Claims | None = None
) -> dict[str, Any]:
    return {
        "subject": subject.name,
        "kind": kind,
        "why": why,
        "rule_set": subject.rule_set.name,
        "mode": policy.mode_of(subject).value,
        "workspaces": sorted(subject.workspaces) if subject.workspaces else None,
        "clients": [str(network) for network in subject.clients] if subject.clients else None,
        "expires": None if subject.expires is None else moment(subject.expires),
        "grants": sorted(subject.grants) or None,
        "token_expires": None if claims is None or claims.expires is None else moment(claims.expires),
        "fingerprint": name,
        "policy_revision": policy.revision,
    }
