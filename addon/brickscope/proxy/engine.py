"""mitmproxy as far as it is still there: no way through its own proxy, no addon that a gate doesn't need; and whether that
stays so.

Its listener is open for a moment while the script is loaded, and its layers would serve whoever comes by it: every
connection that its engine sees is closed at once, and it connects to nobody. Both hooks refuse without a look at anything,
so there is nothing in them that could fail.
"""

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from mitmproxy import connection, ctx, exceptions, hooks
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

REFUSED = "Brickscope does not listen there"

KEPT = frozenset(
    [
        "core",
        "proxyserver",
        "scriptloader",
        "tlsconfig",
        "errorcheck",
        "keepserving",
        "block",
        "termlog",
        "proxyauth",
    ]
)
"""mitmproxy's own addons that a gate needs. The others are taken out: they could edit a request after the decision,
and asking each of them at each event costs more than a third of a request's time."""


class Engine:
    """The addon that shuts it."""

    def client_connected(self, client: connection.Client) -> None:
        """It did not come by our listener."""
        client.error = REFUSED

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Nothing leaves by it."""
        data.server.error = REFUSED


def silence() -> None:
    """From now on the engine says nothing of connections: its log quotes bytes of clients, tokens among them."""
    logging.getLogger("mitmproxy.proxy.server").setLevel(logging.CRITICAL)
    # It tells of its own server, which is closed at once (``addon.py``), as if it listened on all addresses.
    logging.getLogger("mitmproxy.proxy.mode_servers").setLevel(logging.WARNING)


def take_out_addons() -> None:
    """Leave in mitmproxy what a gate needs, and nothing else."""
    manager = ctx.master.addons
    for script in manager.get("scriptloader").addons:
        if script.reloadtask is not None:
            # An edit, a broken edit or a removal of the script would unload the gate while traffic goes on.
            script.reloadtask.cancel()
    for addon in list(manager.chain):
        if getattr(addon, "name", type(addon).__name__.lower()) not in KEPT:
            # Removed even if its own clean-up then raises (ClientPlayback's is async).
            with contextlib.suppress(exceptions.AddonManagerError):
                manager.remove(addon)


class Installation:
    """Whether the gate still is where it was put: mitmproxy goes on without an addon that is gone, and says little.

    Kept are all hooks of all addons, and what stands in their place on our own path, as they were when this was made."""

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
        moved = [each for each in now if each not in self._hooks]
        moved += [each for each in self._hooks if each not in now]
        changed = sorted({name for _, name, _ in moved})
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
