"""What changes while the proxy runs: the policy, by edits, and the public keys that tokens are verified by.

Rule: an edit is in force as a whole or not at all. A bad one is said, recorded, and changes nothing.
"""

from __future__ import annotations

import logging

from brickscope.core.key import KeySet
from brickscope.log.record import printable
from brickscope.policy.change import mode_changes
from brickscope.policy.load import Loaded
from brickscope.policy.problem import PolicyError

from .entrusted import find_missing
from .gate import Gate

logger = logging.getLogger("brickscope")


class Reload:
    """What the policy's watcher and the directory of keys tell, for one gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._has_failed = False

    def loaded(self, loaded: Loaded) -> None:
        """A good edit: in force from the next request on."""
        gate, before, now = self._gate, self._gate.policy, loaded.policy
        for warning in (*loaded.warnings, *find_missing(now, gate.credentials.known)):
            logger.warning("Brickscope: %s", warning, extra={"event": "option_warning"})
        restored, self._has_failed = self._has_failed, False
        record = {"loaded": True, "mode": now.mode.value, "previous_revision": before.revision}
        said = {"event": "policy_loaded", "fields": {"policy_revision": now.revision}}
        if now.revision == before.revision:
            gate.tally.reloaded("unchanged")
            if restored:
                gate.record("reload", record)
                logger.info(
                    "Brickscope: the policy has no errors any more; it is revision %s, which stayed in force",
                    before.revision,
                    extra=said,
                )
            return
        gate.swap(now)
        gate.tally.reloaded("loaded")
        gate.record("reload", record)
        for change in mode_changes(before, now):
            gate.record("mode_change", change._asdict())
        logger.info("Brickscope: the policy was loaded again (revision %s)", now.revision, extra=said)

    def failed(self, error: PolicyError) -> None:
        """A bad edit: the last good policy stays in force."""
        gate = self._gate
        gate.tally.reloaded("failed")
        self._has_failed = True
        gate.record("reload", {"loaded": False, "problems": [str(each) for each in error.problems][:20]})
        logger.error(
            "Brickscope: the edited policy has errors; revision %s stays in force\n%s",
            gate.policy.revision,
            error,
            extra={"event": "policy_failed", "fields": {"policy_revision": gate.policy.revision}},
        )

    def keys_fetched(self, url: str, keys: KeySet | None, error: str) -> None:
        """An issuer's public keys were fetched, or can't be: auditors see which keys were trusted, and when."""
        self._gate.tally.keys_fetched(keys is not None)
        if keys is None:
            logger.warning(
                "Brickscope: the keys at %s can't be obtained: %s",
                url,
                error,
                extra={"event": "keys_unavailable"},
            )
        self._gate.record(
            "key_set",
            {
                "url": url,
                "fetched": keys is not None,
                "key_ids": sorted(printable(key_id)[:128] for key_id in keys.keys) if keys else [],
                "detail": error or None,
            },
        )
