"""The operator's file of credentials: read at start, and again after each edit.

Rule: an edit is in force as a whole or not at all; a bad one is said, and changes nothing.
"""

import asyncio
import contextlib
import ctypes
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from brickscope import notice
from brickscope.core.entrusted import Entrusted
from brickscope.core.policy import Policy
from brickscope.identity.store import LOOK_S, CredentialStore, look_at
from brickscope.policy.credentials import read_credentials
from brickscope.policy.problem import PolicyError

_PR_SET_DUMPABLE = 4
"""Linux, prctl(2)."""


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
