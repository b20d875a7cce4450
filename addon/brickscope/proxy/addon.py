"""The addon: from options to a running gate, and what must hold before the first byte passes.

mitmproxy is friendly to addons that fail: it logs and goes on without them. A gate can't have that, so every way in
which this addon could be absent ends the process (``fatal``) instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import certifi
from mitmproxy import addonmanager, ctx, exceptions, version

import brickscope
from brickscope.core.key import KeySet
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.fetch import Fetcher
from brickscope.log.error import AuditError
from brickscope.log.key import DigestKey
from brickscope.log.record import printable
from brickscope.log.upkeep import Upkeep
from brickscope.log.writer import DIGEST_KEY, AuditWriter
from brickscope.policy.change import mode_changes, monitored_subjects
from brickscope.policy.first import how_to_begin
from brickscope.policy.load import Loaded, NoPolicyError, Signature, load_policy
from brickscope.policy.problem import PolicyError
from brickscope.policy.watch import PolicyWatcher
from brickscope.prerequisites import explain
from brickscope.service.authority.error import AuthorityError
from brickscope.service.authority.findings import refuse_or_warn
from brickscope.service.monitoring.address import words
from brickscope.service.monitoring.operational_log import JsonFormatter
from brickscope.service.supervisor.channel import numbered, worker_address
from brickscope.service.supervisor.systemd import inherited_sockets, notify

from . import versions
from .contexts import Contexts, known_hosts
from .datapath import DataPath
from .destination import Resolver
from .drain import Drain
from .engine import Engine, silence
from .gate import Gate
from .listener import Listener
from .options import (
    FORCED,
    OURS,
    OptionError,
    Options,
    Settings,
    find_warnings,
    read_settings,
    refuse_dangerous,
    refuse_other_loops,
    refuse_unknown,
)
from .parent import Parent
from .terminal import install_terminal
from .worker import Worker

if TYPE_CHECKING:
    from .monitor import Monitor

logger = logging.getLogger("brickscope")

OLDEST, NEWEST = (12, 2, 3), (13,)
"""mitmproxy versions (from, below) whose insides ``contexts.py`` was tested with."""

KEPT = frozenset(
    (
        *("core", "proxyserver", "scriptloader", "tlsconfig", "errorcheck"),
        *("keepserving", "block", "termlog", "proxyauth"),
    )
)
"""mitmproxy's own addons that a gate needs. The others are taken out: they could edit a request after the decision,
and asking each of them at each event costs more than a third of a request's time."""


def fatal(message: str) -> NoReturn:
    """End the process with words for the operator. Not an exception: mitmproxy would log it and go on."""
    sys.stdout.flush()
    said = f"Brickscope can't start.\n\n{message}\n"
    if getattr(ctx.options, "scope_log_format", None) == "json":
        record = logging.makeLogRecord({"name": "brickscope", "levelname": "ERROR", "msg": said})
        record.event = "start_failed"
        said = JsonFormatter().format(record)
    sys.stderr.write(f"{said}\n")
    sys.stderr.flush()
    os._exit(1)


class Scope:
    """What ``mitmdump -s addon/scope.py`` loads."""

    def __init__(self, script: Path) -> None:
        self.script = script.resolve()
        self.armed = False
        self.addons: list[Any] = []
        self._settings: Settings | None = None
        self._gate: Gate | None = None
        self._taken: Signature | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._monitor: Monitor | None = None
        self._worker: Worker | None = None
        self._parent: Parent | None = None
        self._listener: Listener | None = None
        self._drain: Drain | None = None
        self._edit_failed = False

    def check_loaded(self) -> None:
        """Called right after mitmproxy has loaded the script; ends the process if it was dropped on the way."""
        if not self.armed:
            fatal(
                "mitmproxy dropped the script while loading it; most often an option has a value of the wrong kind,\n"
                "stands there twice, or was given without a value. Look at every --set and at config.yaml."
            )

    # -- start -------------------------------------------------------------------------------------------------

    def load(self, loader: addonmanager.Loader) -> None:
        """Declare our options and force mitmproxy's."""
        for name, kind, default, text in OURS:
            loader.add_option(name, kind, default, text)
        installed = tuple(int(part) for part in version.VERSION.split(".")[:3] if part.isdigit())
        if not OLDEST <= installed < NEWEST:
            fatal(f"mitmproxy {version.VERSION} is not supported: install mitmproxy>=12.2.3,<13.")
        ctx.options.update(**{name: value for name, value in FORCED.items() if name in ctx.options})
        silence()

    def configure(self, updated: set[str]) -> None:
        """Check all options; at start, load the policy and open the log."""
        try:
            refuse_dangerous(ctx.options)
            if self._gate is None:
                self._start()
            elif updated & {name for name, *_ in OURS}:
                raise OptionError("options of Brickscope change by a restart only")
        except OptionError as error:
            if self._gate is None:
                fatal(str(error))
            raise exceptions.OptionsError(str(error)) from None

    def _start(self) -> None:
        scripts = [Path(path.strip("'\" ")).expanduser().resolve() for path in ctx.options.scripts]
        if scripts != [self.script]:
            raise OptionError(
                "Brickscope must be the only script: a second one could undo its decisions, first or last."
            )
        settings = read_settings(ctx.options)
        install_terminal(settings.json_log)
        try:
            self._worker = Worker.of_environment()
        except ValueError as error:
            raise OptionError(str(error)) from None
        if self._worker is not None:
            # A chain has one writer, so each worker has a log of its own.
            settings = settings._replace(audit_log=numbered(settings.audit_log, self._worker.number))
        try:
            loaded = load_policy(settings.rules, time.time())
            writer = AuditWriter(settings.audit_log, settings.audit_keys, settings.keeping)
            digests = DigestKey.load_or_make(settings.audit_keys / DIGEST_KEY)
            ca_warnings = refuse_or_warn(
                Path(ctx.options.confdir).expanduser(),
                settings.destinations.scope.patterns,
                sole=not ctx.options.certs,
            )
        except NoPolicyError:
            raise OptionError(how_to_begin(settings.rules)) from None
        except (PolicyError, AuditError, AuthorityError) as error:
            raise OptionError(str(error)) from None
        loop = asyncio.get_running_loop()
        refuse_other_loops(loop)
        resolve = Resolver(settings.destinations).install(loop)
        trust = _upstream_trust(ctx.options)
        if settings.parent is not None:
            self._parent = Parent(
                settings.parent,
                trust,
                resolve,
                settings.destinations.leads_back,
                self._on_parent_failed,
                local=ctx.options.connect_addr,
            )
        tunnel = None if self._parent is None else self._parent.tunnel
        directory = TokenDirectory(Fetcher(trust, tunnel).fetch, self._on_keys)
        if settings.status is not None:
            settings.destinations.status_port = settings.status.port
        self._gate = Gate(
            settings.destinations,
            writer,
            loaded.policy,
            directory,
            digests,
            hints=settings.hints,
            body_limit=settings.body_limit,
        )
        self._taken = loaded.signature
        self._settings = settings
        self.addons = [Engine()]
        for warning in [
            *find_warnings(ctx.options),
            *ca_warnings,
            *versions.warnings(),
            *map(str, loaded.warnings),
        ]:
            logger.warning("Brickscope: %s", warning, extra={"event": "option_warning"})
        self.armed = True

    async def running(self) -> None:
        """Everything is loaded: make sure that nothing takes the gate away again, and only then let anybody in."""
        try:
            await self._open()
        except (OptionError, OSError) as error:
            fatal(str(error))
        except ImportError as error:
            fatal(explain(error))
        except Exception as error:
            fatal(f"{type(error).__name__} while starting: {error}")

    async def _open(self) -> None:
        if self._gate is None or self._settings is None:
            raise OptionError("the script was not configured.")
        # Without --no-server mitmproxy has bound the port, on all addresses, while the script was still loading.
        await ctx.master.addons.get("proxyserver").servers.update([])
        path = DataPath(
            self._gate,
            Contexts(ctx.master.addons.get("tlsconfig"), ctx.options),
            self._settings.limits,
            local=ctx.options.connect_addr,
            parent=self._parent,
        )
        self._listener = Listener(path, ctx.options.mode[0], self._settings.balancers)
        if self._worker is None:
            await self._listener.bind(inherited_sockets())
        parent = self._settings.parent
        if parent is not None and parent.is_local and parent.port in self._gate.destinations.own_ports:
            raise OptionError(f"scope_parent_proxy: {parent} is where this proxy itself listens")
        self._settle(path)
        await self._monitor_gate()
        self._record_start()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):
            # A worker is told SIGTERM by the supervisor, and perhaps by a service manager too: that is one and the same.
            loop.add_signal_handler(signal.SIGTERM, self._stop if self._worker is None else self._begin_stop)
            loop.add_signal_handler(signal.SIGINT, self._stop)
        if self._worker is None:
            await self._listener.serve()
            notify("READY=1")
        else:
            self._worker.serve(self._listener, self._begin_stop)

    async def _monitor_gate(self) -> None:
        """Serve metrics and health, if that is wanted. The chain of addons that it finds now is what has to stay."""
        assert self._gate is not None
        assert self._settings is not None
        wanted = self._settings.status
        if wanted is None:
            return
        from .monitor import Monitor  # with prometheus-client, which nobody else needs

        if self._worker is not None:
            wanted = worker_address(self._worker.number)  # the supervisor has the one that is wanted
        assert self._listener is not None
        self._monitor = Monitor(self._gate, [self, *self.addons], self._listener, self._is_listening)
        try:
            where = await self._monitor.start(wanted)
        except OSError as error:
            raise OptionError(f"scope_status: can't listen on {wanted}: {words(error)}") from None
        if self._worker is None:
            self._gate.destinations.status_port = where.port
        logger.info("Brickscope: status at %s", where, extra={"event": "listening"})

    def _is_listening(self) -> bool:
        """Whether connections come: a worker gets them from its supervisor."""
        return self._worker is not None or (self._listener is not None and bool(self._listener.addresses))

    def _settle(self, path: DataPath) -> None:
        assert self._gate is not None
        assert self._settings is not None
        refuse_unknown(ctx.options)
        manager = ctx.master.addons
        for script in manager.get("scriptloader").addons:
            if script.reloadtask is not None:
                # An edit, a broken edit or a removal of the script would unload the gate while traffic goes on.
                script.reloadtask.cancel()
        for addon in list(manager.chain):
            name = getattr(addon, "name", type(addon).__name__.lower())
            if name not in KEPT:
                # Removed even if its own clean-up then raises (ClientPlayback's is async).
                with contextlib.suppress(exceptions.AddonManagerError):
                    manager.remove(addon)
        try:
            hosts = known_hosts(self._settings.destinations.scope.patterns, self._gate.policy)
            path.contexts.make_ready(hosts)
        except Exception as error:
            raise OptionError(f"TLS can't be prepared, so every call would fail: {error}") from None
        watcher = PolicyWatcher(
            self._settings.rules, self._on_policy, self._on_policy_error, taken=self._taken
        )
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(watcher.run(), name="policy watcher"))
        upkeep = Upkeep(self._gate.writer, self._settings.compression, self._settings.retention)
        self._tasks.append(loop.create_task(upkeep.run(), name="audit log"))
        self._tasks.append(loop.create_task(path.contexts.keep_renewed(), name="certificates"))
        self._tasks.append(loop.create_task(path.deadlines.run(), name="deadlines"))
        with contextlib.suppress(NotImplementedError, AttributeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, watcher.poke)

    def _record_start(self) -> None:
        assert self._gate is not None
        assert self._settings is not None
        policy, writer = self._gate.policy, self._gate.writer
        try:
            writer.append(
                "start",
                {
                    "version": brickscope.__version__,
                    "engine": f"mitmproxy {version.VERSION}",
                    "versions": versions.components(),
                    "mode": policy.mode.value,
                    "scope_hosts": list(self._settings.destinations.scope.patterns),
                    "scope_other_hosts": "tunnel"
                    if self._settings.destinations.relay_other_hosts
                    else "deny",
                    "fsync": self._settings.keeping.fsync,
                    "key_id": writer.key.public.key_id,
                    "public_key": writer.key.public.base64,
                    "digest_key_id": self._gate.digests.key_id,
                    "previous": None if writer.previous is None else writer.previous._asdict(),
                },
            )
        except AuditError as error:
            raise OptionError(str(error)) from None
        key_id = writer.key.public.key_id
        logger.info(
            "Brickscope: records are signed by %s",
            key_id,
            extra={"event": "audit_key", "fields": {"key_id": key_id}},
        )
        logger.info(
            "Brickscope %s judges %s by %s (revision %s, %s); audit log: %s",
            brickscope.__version__,
            ", ".join(self._settings.destinations.scope.patterns),
            self._settings.rules,
            policy.revision,
            policy.mode.value,
            self._settings.audit_log,
            extra={
                "event": "started",
                "fields": {
                    "version": brickscope.__version__,
                    "policy_revision": policy.revision,
                    "mode": policy.mode.value,
                    "audit_log": self._settings.audit_log,
                },
            },
        )
        if monitored := monitored_subjects(policy):
            logger.warning(
                "Brickscope: in monitor mode, so calls that the rules deny are sent: %s",
                monitored,
                extra={"event": "monitor_mode"},
            )

    # -- policy ------------------------------------------------------------------------------------------------

    def _on_policy(self, loaded: Loaded) -> None:
        """A good edit: in force from the next request on."""
        gate = self._gate
        assert gate is not None
        before = gate.policy
        for warning in loaded.warnings:
            logger.warning("Brickscope: %s", warning, extra={"event": "option_warning"})
        restored, self._edit_failed = self._edit_failed, False
        if loaded.policy.revision == before.revision:
            gate.tally.reloaded("unchanged")
            if restored:
                gate.record(
                    "reload",
                    {"loaded": True, "mode": before.mode.value, "previous_revision": before.revision},
                )
                logger.info(
                    "Brickscope: the policy has no errors any more; it is revision %s, which stayed in force",
                    before.revision,
                    extra={"event": "policy_loaded", "fields": {"policy_revision": before.revision}},
                )
            return
        gate.swap(loaded.policy)
        gate.tally.reloaded("loaded")
        gate.record(
            "reload",
            {"loaded": True, "mode": loaded.policy.mode.value, "previous_revision": before.revision},
        )
        for change in mode_changes(before, loaded.policy):
            gate.record("mode_change", change._asdict())
        logger.info(
            "Brickscope: the policy was loaded again (revision %s)",
            loaded.policy.revision,
            extra={"event": "policy_loaded", "fields": {"policy_revision": loaded.policy.revision}},
        )

    def _on_policy_error(self, error: PolicyError) -> None:
        """A bad edit: said and logged; the last good policy stays in force."""
        gate = self._gate
        assert gate is not None
        gate.tally.reloaded("failed")
        self._edit_failed = True
        problems = [str(problem) for problem in error.problems]
        gate.record(
            "reload",
            {"loaded": False, "problems": problems[:20]},
        )
        logger.error(
            "Brickscope: the edited policy has errors; revision %s stays in force\n%s",
            gate.policy.revision,
            error,
            extra={"event": "policy_failed", "fields": {"policy_revision": gate.policy.revision}},
        )

    def _on_keys(self, url: str, keys: KeySet | None, error: str) -> None:
        """An issuer's public keys were fetched, or can't be: auditors see which keys were trusted, and when."""
        if self._gate is None:
            return
        self._gate.tally.keys_fetched(keys is not None)
        if keys is None:
            logger.warning(
                "Brickscope: the keys at %s can't be had: %s", url, error, extra={"event": "keys_unavailable"}
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

    def _on_parent_failed(self) -> None:
        """The parent proxy opened no way."""
        if self._gate is not None:
            self._gate.tally.parent_failed()

    # -- end ---------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Asked to end: let calls finish first. Asked again: end at once."""
        if self._drain is None:
            self._begin_stop()
        else:
            self._drain.hurry()

    def _begin_stop(self) -> None:
        """Accept no more, and end when all calls have. A second time changes nothing."""
        assert self._gate is not None
        assert self._settings is not None
        assert self._listener is not None
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
            logger.info(
                "Brickscope: stopping; %d connections have %g seconds to finish. A second signal ends them at once",
                len(self._listener.open),
                self._settings.stop_after,
                extra={"event": "stopping"},
            )
        work = self._run_drain(self._drain, self._listener)
        self._tasks.append(asyncio.get_running_loop().create_task(work, name="drain"))

    async def _run_drain(self, drain: Drain, listener: Listener) -> None:
        try:
            await drain.wait(listener)
            if self._worker is not None:
                self._worker.leave()
            await drain.finish(listener)
        except Exception as error:
            logger.error("Brickscope: %s while stopping", type(error).__name__, extra={"event": "stopping"})
        finally:
            ctx.master.shutdown()

    def done(self) -> None:
        """The proxy stops."""
        for task in self._tasks:
            task.cancel()
        if self._monitor is not None:
            self._monitor.close()
        if self._gate is not None:
            self._gate.record("stop", {"cut": 0 if self._drain is None else self._drain.cut})
            self._gate.writer.close()


def _upstream_trust(options: Options) -> ssl.SSLContext:
    """Verify servers of public keys by the authorities that mitmproxy verifies workspaces by."""
    file, folder = options.ssl_verify_upstream_trusted_ca, options.ssl_verify_upstream_trusted_confdir
    try:
        trust = ssl.create_default_context(
            cafile=str(Path(file).expanduser()) if file else None,
            capath=str(Path(folder).expanduser()) if folder else None,
        )
        if not file and not folder:
            trust.load_verify_locations(certifi.where())
    except OSError as error:
        raise OptionError(
            f"ssl_verify_upstream_trusted_ca: {file or folder} can't be used: {error}"
        ) from None
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    return trust
