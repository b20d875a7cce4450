"""The text that is proposed: the policy's file edited, or a new file with the subject and its rule set."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from brickscope.core.policy import Policy
from brickscope.policy.load import KEYS, Loaded, compile_contents, key_files
from brickscope.policy.written import WrittenRule

from .edit import edit_rule_set, unified
from .evidence import Evidence, Selector
from .present import Present
from .proposal import Entry, LearnError, flow

NEW = "learned.yaml"
MAX_CLIENTS = 4
"""Most addresses that are proposed as a binding."""
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Draft(NamedTuple):
    """``text``: of the whole file. ``file``: the policy's that it takes the place of, None for a new one. ``patch``: what
    changes, as a unified diff; empty where nothing does."""

    text: str
    file: Path | None
    patch: str = ""


class Proof(NamedTuple):
    """Whether a draft allows what it is to. ``calls``: that it is to allow. ``allowed``: of them. ``failed``: the first that
    are not, with why."""

    calls: int
    allowed: int
    failed: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all are."""
        return self.calls == self.allowed


def compile_draft(draft: Draft, policy: Loaded | None, now: float) -> Policy:
    """The policy with the draft in it, by the loader. ``now``: seconds since the epoch. Raises PolicyError."""
    present = [] if policy is None else [*policy.files]
    files = {str(file): file.read_bytes() for file in present}
    found = key_files(present[0]) if present else ()
    keys = {file.name: file.read_bytes() for file in found if file.name.endswith(KEYS)}
    files[NEW if draft.file is None else str(draft.file)] = draft.text.encode()
    return compile_contents(files, keys, now)[0]


def edited(present: Present, add: Sequence[Entry], remove: Sequence[WrittenRule]) -> Draft:
    """The policy's file with other rules in the rule set. Raises LearnError."""
    place = present.loaded.written.rule_sets[present.rule_set]
    file = Path(place.file)
    raw = file.read_bytes()
    text = raw.decode("utf-8-sig")
    gone = {rule.position for rule in remove}
    indices = [index for index, rule in enumerate(present.rules) if rule.position in gone]
    new = edit_rule_set(text, present.rule_set, indices, add) if add or indices else text
    mark = "\ufeff" if raw.startswith(b"\xef\xbb\xbf") else ""
    return Draft(mark + new, file, unified(mark + text, mark + new, _relative(file)))


def _relative(file: Path) -> str:
    """As git would call it, seen from here."""
    absolute = file.absolute()
    try:
        return absolute.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file.name


def new_file(
    name: str, who: Selector, seen: Evidence, entries: Sequence[Entry], policy: Loaded | None
) -> Draft:
    """A policy file for a subject that the policy does not name: its token or principal, and its rule set.

    ``name``: of both. Raises LearnError where the name is taken, or the log does not tell whose calls they were.
    """
    plain = _NAME.sub("-", name).strip("-.")[:64] or "learned"
    if policy is not None and (plain in policy.policy.rule_sets or plain in policy.written.subjects):
        raise LearnError(f"the policy has the name {plain!r} already: choose another one with --name")
    lines = ["version: 1", "", *_subject(plain, who, seen, policy), "", "rule_sets:", f"  {flow(plain)}:"]
    lines += ["    allow:", *(f"      {line}" for entry in entries for line in entry.lines)]
    return Draft("\n".join(lines) + "\n", None)


def _subject(name: str, who: Selector, seen: Evidence, policy: Loaded | None) -> list[str]:
    workspaces = f"workspaces: {flow(list(seen.workspaces))}"
    client, sub = _claims(who, seen)
    before, bound = [], f"# {workspaces}"
    if (tenant := _one({each.get("tenant") for each in seen.principals})) is not None:
        object_id = _one({each.get("object_id") for each in seen.principals})
        if object_id is None:
            raise LearnError("the calls came with tokens of several people or applications of Entra ID")
        named = _tenant_name(policy, tenant)
        before = [] if named else ["tenants:", f"  entra:\n    tenant: {flow(tenant)}", ""]
        is_own = {each.get("sub") for each in seen.principals} == {object_id}
        group = "service_principals" if is_own else "users"
        mark = f"tenant: {flow(named or 'entra')}\n    object_id: {flow(object_id)}"
    elif not seen.principals and (who.by == "fingerprint" or (client is None and sub is None)):
        fingerprints = [who.value] if who.by == "fingerprint" else list(seen.fingerprints)
        if len(fingerprints) != 1:
            raise LearnError(
                f"the calls came with {len(fingerprints)} tokens: name one of them with --fingerprint, or the policy with "
                "--rules"
            )
        group, mark = "tokens", f"fingerprint: {_plain(fingerprints[0])}"
    elif sub is not None:
        # A user's entry has to name its workspaces.
        group, mark, bound = "users", f"sub: {flow(sub)}", workspaces
    elif client is None:
        raise LearnError(
            "the calls came with OAuth tokens of several subjects: name one with --client-id or --sub"
        )
    else:
        group, mark = "service_principals", f"client_id: {flow(client)}"
    few = 0 < len(seen.clients) <= MAX_CLIENTS
    addresses = (
        f"clients: {flow(sorted(seen.clients))}" if few else f"seen from {len(seen.clients):,} addresses"
    )
    entry = (mark, f"rule_set: {flow(name)}", bound, f"# {addresses}")
    return [*before, f"{group}:", f"  {flow(name)}:", *(f"    {line}" for line in entry)]


def _one(values: set[str | None]) -> str | None:
    return values.pop() if len(values) == 1 else None


def _tenant_name(policy: Loaded | None, tenant: str) -> str | None:
    """What the policy calls a tenant."""
    entries = {} if policy is None else policy.written.entries.get("tenants", {})
    return next(
        (name for name, entry in entries.items() if entry.value and entry.value.tenant == tenant), None
    )


def _plain(fingerprint: str) -> str:
    """A fingerprint as people write it: without the quotes that the library would give it for its colon."""
    return fingerprint if _FINGERPRINT.fullmatch(fingerprint) else flow(fingerprint)


def _claims(who: Selector, seen: Evidence) -> tuple[str | None, str | None]:
    """Client id of a service principal, or ``sub`` of a user."""
    if who.by == "client_id":
        return who.value, None
    if who.by == "sub":
        return None, who.value
    found = {(each.get("client_id"), each.get("sub")) for each in seen.principals}
    if len(found) != 1:
        return None, None
    client, sub = found.pop()
    return (client, None) if sub in (None, client) else (None, sub)
