"""The dispatcher calls what mitmproxy's own AddonManager would, in its order, and ends where that ends."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import exceptions
from mitmproxy.proxy.layers.http._hooks import HttpRequestHeadersHook
from mitmproxy.test import taddons, tflow

from brickscope.proxy.dispatch import Dispatcher

Outcome = tuple[list[str], str, int]
"""Names of the hooks in the order of their calls, the kind of exception that came out, and errors that were logged."""


class Addon:
    """One addon with a hook of a given behaviour, or without one."""

    def __init__(self, name: str, behaviour: str, calls: list[str], inner: list[Addon] | None = None) -> None:
        self.name = name
        self.addons = inner or []
        self._calls = calls
        if behaviour == "module":
            self.requestheaders: Any = types.ModuleType("requestheaders")
        elif behaviour == "not callable":
            self.requestheaders = 5
        elif behaviour != "no hook":
            self.requestheaders = self._hook(behaviour)

    def _hook(self, behaviour: str) -> Callable[[Any], Awaitable[None] | None]:
        async def wait(fail: bool) -> None:
            await asyncio.sleep(0)
            self._calls.append(f"{self.name} waited")
            if fail:
                raise ValueError

        def hook(flow: Any) -> Awaitable[None] | None:
            self._calls.append(self.name)
            match behaviour:
                case "raises":
                    raise ValueError("an error")
                case "halts":
                    raise exceptions.AddonHalt
                case "bad option":
                    raise exceptions.OptionsError
                case "waits":
                    return wait(fail=False)
                case "waits, raises":
                    return wait(fail=True)
                case _:
                    return None

        return hook


BEHAVIOURS = (
    "returns",
    "raises",
    "halts",
    "bad option",
    "waits",
    "waits, raises",
    "no hook",
    "module",
    "not callable",
)
Chain = list[tuple[str, list[str]]]
"""Behaviours of the addons of a chain, each with those of the addons inside it."""

chains = st.lists(
    st.tuples(st.sampled_from(BEHAVIOURS), st.lists(st.sampled_from(BEHAVIOURS), max_size=3)), max_size=4
)


class Errors(logging.Handler):
    """Counts errors, which is how mitmproxy tells of an addon that raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def run(chain: Chain, how: str) -> Outcome:
    """Trigger one event over a fresh chain: by mitmproxy, by the dispatcher, or by the dispatcher at once."""
    calls: list[str] = []

    async def trigger() -> str:
        with taddons.context() as context:
            manager = context.master.addons
            for number, (behaviour, inner) in enumerate(chain):
                addons = [Addon(f"{number}.{place}", each, calls) for place, each in enumerate(inner)]
                manager.chain.append(Addon(str(number), behaviour, calls, addons))
            event = HttpRequestHeadersHook(tflow.tflow())
            dispatcher = Dispatcher(manager)
            try:
                if how == "mitmproxy":
                    await manager.trigger_event(event)
                elif how == "dispatcher" or not dispatcher.start(event):
                    await dispatcher.dispatch(event)
            except Exception as error:
                return type(error).__name__
            return ""

    errors = Errors()
    engine = logging.getLogger("mitmproxy.addonmanager")
    engine.addHandler(errors)
    try:
        raised = asyncio.run(trigger())
    finally:
        engine.removeHandler(errors)
    return calls, raised, errors.count


@given(chains)
def test_every_chain_ends_as_it_does_under_mitmproxy(chain: Chain) -> None:
    expected = run(chain, "mitmproxy")
    assert run(chain, "dispatcher") == expected
    assert run(chain, "at once") == expected


@pytest.mark.parametrize("how", ["dispatcher", "at once"])
def test_an_addon_that_raises_stops_its_entry_and_no_other(how: str) -> None:
    calls, raised, errors = run([("returns", ["raises", "returns"]), ("returns", [])], how)
    assert (calls, raised, errors) == (["0", "0.0", "1"], "", 1)


def dispatcher_over(*addons: Addon) -> tuple[taddons.context, Dispatcher]:
    context = taddons.context()
    context.master.addons.chain.extend(addons)
    return context, Dispatcher(context.master.addons)


def test_an_addon_that_joins_the_chain_is_called() -> None:
    calls: list[str] = []
    context, dispatcher = dispatcher_over(Addon("first", "returns", calls))
    assert dispatcher.start(HttpRequestHeadersHook(tflow.tflow()))
    context.master.addons.chain.append(Addon("second", "returns", calls))
    assert dispatcher.start(HttpRequestHeadersHook(tflow.tflow()))
    assert calls == ["first", "first", "second"]


def test_an_addon_that_leaves_the_chain_is_not_called() -> None:
    calls: list[str] = []
    first = Addon("first", "returns", calls)
    context, dispatcher = dispatcher_over(first, Addon("second", "returns", calls))
    assert dispatcher.start(HttpRequestHeadersHook(tflow.tflow()))
    context.master.addons.chain = [first]
    assert dispatcher.start(HttpRequestHeadersHook(tflow.tflow()))
    assert calls == ["first", "second", "first"]


def test_a_change_of_options_has_addons_looked_up_again() -> None:
    calls: list[str] = []
    addon = Addon("first", "no hook", calls)
    context, dispatcher = dispatcher_over(addon)
    assert dispatcher.start(HttpRequestHeadersHook(tflow.tflow()))
    addon.addons.append(Addon("inner", "returns", calls))
    context.master.options.changed.send(updated={"scripts"})
    assert dispatcher.start(HttpRequestHeadersHook(tflow.tflow()))
    assert calls == ["inner"]


def test_an_event_that_waits_is_not_done_and_goes_on_once() -> None:
    calls: list[str] = []
    _, dispatcher = dispatcher_over(Addon("first", "waits", calls), Addon("second", "returns", calls))
    event = HttpRequestHeadersHook(tflow.tflow())
    assert not dispatcher.start(event)
    assert calls == ["first"]
    asyncio.run(dispatcher.dispatch(event))
    assert calls == ["first", "first waited", "second"]


def test_connections_call_hooks_by_an_installed_dispatcher() -> None:
    calls: list[str] = []
    context, dispatcher = dispatcher_over(Addon("first", "returns", calls))
    dispatcher.install()
    asyncio.run(context.master.addons.handle_lifecycle(HttpRequestHeadersHook(tflow.tflow())))
    assert calls == ["first"]
