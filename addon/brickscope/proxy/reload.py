"""What changes while the proxy runs: the policy and the operator's file of credentials, by edits, and the public keys that
tokens are verified by.

Rule: an edit is in force as a whole or not at all. A bad one is said, recorded, and changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from brickscope import notice
from brickscope.core.entrusted import Entrusted
from brickscope.core.key import KeySet
from brickscope.core.policy import Policy
from brickscope.identity.store import LOOK_S, CredentialStore, look_at
from brickscope.log.record import printable
from brickscope.policy.change import mode_changes
from brickscope.policy.credentials import read_credentials
from brickscope.policy.load import Loaded
from brickscope.policy.problem import PolicyError

from .gate import Gate

_PR_SET_DUMPABLE = 4
"""Linux, prctl(2)."""


class Reload:
    """What the policy's watcher and the directory of keys tell, for one gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._has_failed = False

    def loaded(self, loaded: Loaded) -> None:
        """A good edit: in force from the next request on."""
        gate, before, now = self._gate, self._gate.policy, loaded.policy
        for warning in (*loaded.warnings, *find_missing(now, gate.credentials.known)):
            notice.warning("option_warning", f"{warning}")
        restored, self._has_failed = self._has_failed, False
        record = {"loaded": True, "mode": now.mode.value, "previous_revision": before.revision}
        if now.revision == before.revision:
            gate.tally.reloaded("unchanged")
            if restored:
                gate.record("reload", record)
                text = f"the policy has no errors any more; it is revision {before.revision}, which stayed in force"
                notice.info("policy_loaded", text, policy_revision=now.revision)
            return
        gate.swap(now)
        gate.tally.reloaded("loaded")
        gate.record("reload", record)
        for change in mode_changes(before, now):
            gate.record("mode_change", change._asdict())
        text = f"the policy was loaded again (revision {now.revision})"
        notice.info("policy_loaded", text, policy_revision=now.revision)

    def failed(self, error: PolicyError) -> None:
        """A bad edit: the last good policy stays in force."""
        gate = self._gate
        gate.tally.reloaded("failed")
        self._has_failed = True
        gate.record("reload", {"loaded": False, "problems": [str(each) for each in error.problems][:20]})
        text = f"the edited policy has errors; revision {gate.policy.revision} stays in force\n{error}"
        notice.error("policy_failed", text, policy_revision=gate.policy.revision)

    def keys_fetched(self, url: str, keys: KeySet | None, error: str) -> None:
        """An issuer's public keys were fetched, or can't be: auditors see which keys were trusted, and when."""
        self._gate.tally.keys_fetched(keys is not None)
        if keys is None:
            notice.warning("keys_unavailable", f"the keys at {url} can't be obtained: {error}")
        self._gate.record(
            "key_set",
            {
                "url": url,
                "fetched": keys is not None,
                "key_ids": sorted(printable(key_id)[:128] for key_id in keys.keys) if keys else [],
                "detail": error or None,
            },
        )


def read_entrusted(path: Path | None, rules: Path) -> Mapping[str, Entrusted]:
    """The credentials at start; from now on this process leaves no image of its memory. Raises PolicyError."""
    if path is None:
        return {}
    _forbid_core_dumps()
    return read_credentials(path, rules)


class CredentialsFile:
    """The operator's file, looked at each second: where it is, and where the policy is, in which it must not be."""

    def __init__(self, path: Path, rules: Path) -> None:
        self._path = path
        self._rules = rules
        self._seen: object = None

    def _read(self) -> Mapping[str, Entrusted]:
        self._seen = look_at(str(self._path))
        return read_credentials(self._path, self._rules)

    async def watch(self, store: CredentialStore) -> None:
        """Look for edits, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            if await asyncio.to_thread(look_at, str(self._path)) == self._seen:
                continue
            try:
                known = await asyncio.to_thread(self._read)
            except Exception as error:  # nothing ends the watch; what is unforeseen is told by its type alone
                why = error if isinstance(error, PolicyError) else type(error).__name__
                text = f"the edited file of credentials has errors; the last good one stays in force\n{why}"
                notice.error("credentials_failed", text)
                continue
            if known != store.known:
                store.swap(known)
                text = f"the file of credentials was read again ({len(known)} credentials)"
                notice.info("credentials_loaded", text)


def find_missing(policy: Policy, known: Mapping[str, Entrusted]) -> list[str]:
    """What an operator should know: placeholders that nothing can be exchanged for."""
    named = {subject.credential: subject.name for subject in policy.tokens.values() if subject.credential}
    return [
        f"the placeholder of {subject!r} is worth nothing: scope_credentials names no credential {name!r}"
        for name, subject in named.items()
        if name not in known
    ]


def _forbid_core_dumps() -> None:
    """Whatever ends this process leaves no image of its memory, nor can others of the same user look into it.

    The limit alone does not do where dumps are piped to a program (core(5)).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
