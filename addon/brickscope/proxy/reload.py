"""What changes while the proxy runs: the policy, by edits, and the public keys that tokens are verified by.

Rule: an edit is in force as a whole or not at all. A bad one is said, recorded, and changes nothing.
"""

from brickscope import notice
from brickscope.core.key import KeySet
from brickscope.log.record import printable
from brickscope.policy.change import mode_changes
from brickscope.policy.load import Loaded
from brickscope.policy.problem import PolicyError

from .entrusted import find_missing
from .gate import Gate


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
