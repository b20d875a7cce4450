"""The proxy while it runs: what has to be there before the first byte passes, and how it ends.

mitmproxy is friendly to what fails: it logs and goes on. So whatever can take the gate away again (an edit of the script,
another addon, a server of mitmproxy's own) is taken out before anybody is let in.
"""

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Any

from mitmproxy import ctx, version

import brickscope
from brickscope import notice
from brickscope.count import counted
from brickscope.log.error import AuditError
from brickscope.log.upkeep import Upkeep
from brickscope.policy.change import monitored_subjects
from brickscope.policy.load import Loaded, Signature
from brickscope.policy.watch import PolicyWatcher
from brickscope.service.monitoring.address import StatusAddress, words
from brickscope.service.supervisor.channel import worker_address
from brickscope.service.supervisor.systemd import inherited_sockets, notify

from . import versions
from .contexts import Contexts, known_hosts
from .datapath import DataPath
from .drain import Drain
from .engine import take_out_addons
from .entrusted import CredentialsFile
from .gate import Gate
from .listener import Listener
from .options import OptionError, Settings, refuse_unknown
from .parent import Parent
from .reload import Reload
from .worker import Worker

if TYPE_CHECKING:
    from .monitor import Monitor

logger = logging.getLogger("brickscope")


class Process:
    """One process of the proxy."""

    def __init__(
        self,
        settings: Settings,
        gate: Gate,
        reload: Reload,
        taken: Signature,
        parent: Parent | None,
        worker: Worker | None,
    ) -> None:
        """Make it when all options are what they stay. ``taken``: what the policy's files were like when they were loaded.
        ``worker``: None for a process on its own."""
        self._settings = settings
        self._gate = gate
        self._reload = reload
        self._taken = taken
        self._worker = worker
        contexts = Contexts(ctx.master.addons.get("tlsconfig"), ctx.options)
        self._path = DataPath(gate, contexts, settings.limits, local=ctx.options.connect_addr, parent=parent)
        self._listener = Listener(self._path, ctx.options.mode[0], settings.balancers)
        self._tasks: list[asyncio.Task[None]] = []
        self._monitor: Monitor | None = None
        self._drain: Drain | None = None

    async def open(self, ours: list[Any]) -> None:
        """Make sure that nothing takes the gate away again, and only then let anybody in. ``ours``: the addons without
        which there is no gate. Raises OptionError, OSError and whatever TLS raises."""
        # Without --no-server mitmproxy has bound the port, on all addresses, while the script was still loading.
        await ctx.master.addons.get("proxyserver").servers.update([])
        if self._worker is None:
            await self._listener.bind(inherited_sockets())
        parent = self._settings.parent
        if parent is not None and parent.is_local and parent.port in self._gate.destinations.own_ports:
            raise OptionError(f"scope_parent_proxy: {parent} is where this proxy itself listens")
        refuse_unknown(ctx.options)
        take_out_addons()
        self._make_ready()
        if self._settings.status is not None:
            await self._monitor_gate(self._settings.status, ours)
        self._record_start()
        self._say_start()
        loop = asyncio.get_running_loop()
        self._gate.soon = loop.call_soon
        with contextlib.suppress(NotImplementedError):
            # A worker is told SIGTERM by the supervisor, and perhaps by a service manager too: that is one and the same.
            loop.add_signal_handler(signal.SIGTERM, self._stop if self._worker is None else self._begin_stop)
            loop.add_signal_handler(signal.SIGINT, self._stop)
        if self._worker is None:
            await self._listener.serve()
            notify("READY=1")
        else:
            self._worker.serve(self._listener, self._begin_stop)

    def _make_ready(self) -> None:
        """Have TLS made ready, and begin what is done from time to time."""
        settings, contexts = self._settings, self._path.contexts
        try:
            contexts.make_ready(known_hosts(settings.destinations.scope.patterns, self._gate.policy))
        except Exception as error:
            raise OptionError(f"TLS can't be prepared, so every call would fail: {error}") from None
        watcher = PolicyWatcher(settings.rules, self._loaded, self._reload.failed, taken=self._taken)
        upkeep = Upkeep(self._gate.writer, settings.compression, settings.retention)
        loop, store = asyncio.get_running_loop(), self._gate.credentials
        if settings.credentials is not None:
            for watch in (CredentialsFile(settings.credentials, settings.rules).watch(store), store.watch()):
                self._tasks.append(loop.create_task(watch, name="credentials"))
        for name, work in (
            ("policy watcher", watcher.run()),
            ("audit log", upkeep.run()),
            ("certificates", contexts.keep_renewed()),
            ("deadlines", self._path.keep_deadlines()),
        ):
            self._tasks.append(loop.create_task(work, name=name))
        with contextlib.suppress(NotImplementedError, AttributeError, ValueError):
            loop.add_signal_handler(signal.SIGHUP, watcher.poke)

    def _loaded(self, loaded: Loaded) -> None:
        """A good edit of the policy; open websockets are asked about at once."""
        self._reload.loaded(loaded)
        self._path.look_at_all(asyncio.get_running_loop().time())

    async def _monitor_gate(self, wanted: StatusAddress, ours: list[Any]) -> None:
        """Serve metrics and health. The chain of addons that it finds now is what has to stay."""
        from .monitor import Monitor  # with prometheus-client, which nobody else needs

        address = wanted
        if self._worker is not None:
            address = worker_address(self._worker.number)  # the supervisor has the one that is wanted
        self._monitor = Monitor(self._gate, ours, self._listener, self._is_listening)
        try:
            where = await self._monitor.start(address)
        except OSError as error:
            raise OptionError(f"scope_status: can't listen on {address}: {words(error)}") from None
        if self._worker is None:
            self._gate.destinations.status_port = where.port
        notice.info("listening", f"status at {where}")

    def _is_listening(self) -> bool:
        """Whether connections come: a worker gets them from its supervisor."""
        return self._worker is not None or bool(self._listener.addresses)

    def _record_start(self) -> None:
        policy, writer, destinations = self._gate.policy, self._gate.writer, self._settings.destinations
        try:
            writer.append(
                "start",
                {
                    "version": brickscope.__version__,
                    "engine": f"mitmproxy {version.VERSION}",
                    "versions": versions.components(),
                    "mode": policy.mode.value,
                    "scope_hosts": list(destinations.scope.patterns),
                    "scope_other_hosts": "tunnel" if destinations.relay_other_hosts else "deny",
                    "fsync": self._settings.keeping.fsync,
                    "key_id": writer.key.public.key_id,
                    "public_key": writer.key.public.base64,
                    "digest_key_id": self._gate.digests.key_id,
                    "previous": None if writer.previous is None else writer.previous._asdict(),
                },
            )
        except AuditError as error:
            raise OptionError(str(error)) from None
        # Signed at once: a log can be verified from its first second on, and records that a killed run left unsigned do not
        # add up with this run's to so many as if checkpoints had been taken out.
        writer.checkpoint("interval")

    def _say_start(self) -> None:
        policy, settings = self._gate.policy, self._settings
        key_id = self._gate.writer.key.public.key_id
        notice.info("audit_key", f"records are signed by {key_id}", key_id=key_id)
        logger.info(
            "Brickscope %s judges %s by %s (revision %s, %s); audit log: %s",
            brickscope.__version__,
            ", ".join(settings.destinations.scope.patterns),
            settings.rules,
            policy.revision,
            policy.mode.value,
            settings.audit_log,
            extra={
                "event": "started",
                "fields": {
                    "version": brickscope.__version__,
                    "policy_revision": policy.revision,
                    "mode": policy.mode.value,
                    "audit_log": settings.audit_log,
                },
            },
        )
        if monitored := monitored_subjects(policy):
            text = f"in monitor mode, so calls that the rules deny are sent: {monitored}"
            notice.warning("monitor_mode", text)

    # -- its end -----------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Asked to end: let calls finish first. Asked again: end at once."""
        if self._drain is None:
            self._begin_stop()
        else:
            self._drain.hurry()

    def _begin_stop(self) -> None:
        """Accept no more, and end when all calls have. A second time changes nothing."""
        if self._drain is not None:
            return
        self._drain = Drain(self._settings.stop_after)
        self._gate.draining = True
        if self._worker is None:
            notify("STOPPING=1")
        else:
            self._worker.say_draining()
        self._listener.close()
        if not self._listener.is_quiet:
            who = counted(len(self._listener.open), "connection has", "connections have")
            text = f"{who} {self._settings.stop_after:g} seconds to finish"
            notice.info("stopping", f"stopping; {text}. A second signal ends them at once")
        work = self._run_drain(self._drain)
        self._tasks.append(asyncio.get_running_loop().create_task(work, name="drain"))

    async def _run_drain(self, drain: Drain) -> None:
        try:
            await drain.wait(self._listener)
            if self._worker is not None:
                self._worker.leave()
            await drain.finish(self._listener)
        except Exception as error:
            notice.error("stopping", f"{type(error).__name__} while stopping")
        finally:
            ctx.master.shutdown()

    def close(self) -> None:
        """The last of all: the end of the log."""
        for task in self._tasks:
            task.cancel()
        if self._monitor is not None:
            self._monitor.close()
        self._gate.record("stop", {"cut": 0 if self._drain is None else self._drain.cut})
        self._gate.writer.close()
