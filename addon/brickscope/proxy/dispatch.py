"""How hooks are called: as mitmproxy's ``AddonManager`` does, with the list of hooks looked up once instead of each time.

mitmproxy asks every addon for every hook of every flow, each within a context manager, and runs each hook in a task of its
own whose end comes back as an event through all layers. That is a third of what it spends on a request. Here the order, and
what becomes of an exception, are the same (``safecall``); only the work that leads to nothing is left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, safecall

Hook = Callable[..., Awaitable[None] | None]
Entry = tuple[Hook, ...]
"""The hooks of one entry of the chain. If one raises, the rest of its entry is not called; the next entry is."""

_REST = "brickscope_rest"


class Dispatcher:
    """Calls the hooks of all addons.

    The addons of the chain have to stay what they are; after a change of options or of the chain itself they are looked up
    again. (A script is not loaded again: ``addon.py`` stops its watcher.)
    """

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._tables: dict[str, tuple[Entry, ...] | None] = {}
        self._chain: list[Any] = []
        manager.master.options.changed.connect(self._forget)

    def install(self) -> None:
        """From now on mitmproxy's connections call hooks by this dispatcher.

        After each hook mitmproxy asks every addon again whether it has an ``update`` hook, for its user interfaces; none
        of those that a gate keeps has one, so that is left out.
        """
        self._manager.handle_lifecycle = self.dispatch  # type: ignore[method-assign]

    async def dispatch(self, event: hooks.Hook) -> None:
        """Call all hooks of an event, or those that ``start`` has left."""
        rest = event.__dict__.pop(_REST, None)
        if rest is None:
            table = self._table(event)
            if table is None:
                await self._manager.trigger_event(event)
                return
            rest = (None, (), table)
        waiting, hooks_left, entries = rest
        arguments = _arguments(event)
        try:
            if waiting is not None or hooks_left:
                with safecall():
                    if waiting is not None:
                        await waiting
                    await _call(hooks_left, arguments)
            for entry in entries:
                with safecall():
                    await _call(entry, arguments)
        except exceptions.AddonHalt:
            return

    def start(self, event: hooks.Hook) -> bool:
        """Call the hooks of an event, as long as none has to wait. Returns whether all are done; if not, ``dispatch`` goes
        on where this left off, and has to be called."""
        table = self._table(event)
        if table is None:
            return False
        arguments = _arguments(event)
        for number, entry in enumerate(table):
            try:
                for place, hook in enumerate(entry):
                    result = hook(*arguments)
                    if result is not None and inspect.isawaitable(result):
                        event.__dict__[_REST] = (result, entry[place + 1 :], table[number + 1 :])
                        return False
            except Exception:
                try:
                    with safecall():
                        raise
                except exceptions.AddonHalt:
                    return True
        return True

    def _table(self, event: hooks.Hook) -> tuple[Entry, ...] | None:
        """The hooks of an event; None where mitmproxy itself has to say what is wrong with one of them."""
        if self._chain != self._manager.chain:
            self._tables.clear()
            self._chain = list(self._manager.chain)
        try:
            return self._tables[event.name]
        except KeyError:
            pass
        table: tuple[Entry, ...] | None
        try:
            found = (
                tuple(hook for _, hook in self._manager._iter_hooks(addon, event)) for addon in self._chain
            )
            table = tuple(entry for entry in found if entry)
        except exceptions.AddonManagerError:
            table = None
        self._tables[event.name] = table
        return table

    def _forget(self, updated: set[str]) -> None:
        self._tables.clear()


async def _call(entry: Entry, arguments: list[Any]) -> None:
    for hook in entry:
        result = hook(*arguments)
        if result is not None and inspect.isawaitable(result):
            await result


def _arguments(event: hooks.Hook) -> list[Any]:
    """``event.args()``, without asking the class for its fields each time."""
    kind = type(event)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(field.name for field in fields(event))  # type: ignore[arg-type]
    return [getattr(event, name) for name in names]


_NAMES: dict[type[hooks.Hook], tuple[str, ...]] = {}
