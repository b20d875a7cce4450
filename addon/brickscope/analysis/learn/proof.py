"""Whether a draft does what it is for: the loader takes it, and every call that it is to cover is allowed by it."""

from __future__ import annotations

from typing import NamedTuple

from brickscope.core.policy import Policy
from brickscope.policy.load import KEYS, Loaded, compile_contents, key_files
from brickscope.policy.problem import Problem
from brickscope.policy.written import Written

from .draft import Draft

NEW = "learned.yaml"


class Proof(NamedTuple):
    """``calls``: that are to be covered. ``allowed``: of them. ``failed``: the first that are not, with why."""

    calls: int
    allowed: int
    failed: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all are."""
        return self.calls == self.allowed


def compile_draft(draft: Draft, policy: Loaded | None, now: float) -> tuple[Policy, list[Problem], Written]:
    """The policy with the draft in it. ``now``: seconds since the epoch. Raises PolicyError."""
    files = {} if policy is None else {str(file): file.read_bytes() for file in policy.files}
    keys = (
        {}
        if policy is None
        else {file.name: file.read_bytes() for file in key_files(policy.files[0]) if file.name.endswith(KEYS)}
    )
    files[NEW if draft.file is None else str(draft.file)] = draft.text.encode()
    return compile_contents(files, keys, now)
