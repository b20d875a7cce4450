"""Whether the gate still is where it was put: mitmproxy goes on without an addon that is gone, and says little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mitmproxy import hooks
from mitmproxy.addonmanager import AddonManager, traverse


class Installation:
    """All hooks of all addons, and what stands in their place on our own path, as they were when this was made."""

    def __init__(
        self, manager: AddonManager, ours: list[Any], fixed: Sequence[tuple[object, str]] = ()
    ) -> None:
        """``ours``: the addons without which there is no gate. ``fixed``: other objects, each with the name of a method
        that has to stay what it is."""
        self._manager = manager
        self._ours = ours
        self._fixed = tuple(fixed)
        self._hooks = self._look()

    def faults(self) -> list[str]:
        """What is no longer as it was, in words; empty if all is well."""
        addons = list(traverse(self._manager.chain))
        missing = [each for each in self._ours if not any(each is addon for addon in addons)]
        if missing:
            return [f"the addon {type(each).__name__} is gone" for each in missing]
        now = self._look()
        if now == self._hooks:
            return []
        # Another addon, or another function in place of one of ours, could undo decisions.
        changed = sorted({name for (_, name, _) in _difference(now, self._hooks)})
        return [f"the hook {name} is not what it was" for name in changed] or ["hooks run in another order"]

    def _look(self) -> list[tuple[int, str, Any]]:
        found: list[tuple[int, str, Any]] = [
            (id(self._manager), name, getattr(self._manager, name))
            for name in ("trigger_event", "handle_lifecycle")
        ]
        found += [(id(each), name, getattr(each, name)) for each, name in self._fixed]
        for addon in traverse(self._manager.chain):
            for name in hooks.all_hooks:
                function = getattr(addon, name, None)
                if function is not None:
                    found.append((id(addon), name, function))
        return found


def _difference(one: list[Any], other: list[Any]) -> list[Any]:
    return [each for each in one if each not in other] + [each for each in other if each not in one]
