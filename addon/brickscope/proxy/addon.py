"""The addon: from options to a process that may open.

mitmproxy is friendly to addons that fail: it logs and goes on without them. A gate can't have that, so every way in
which this addon could be absent ends the process (``fatal``) instead.
"""

import asyncio
import logging
import os
import ssl
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import certifi
from mitmproxy import addonmanager, ctx, exceptions, version

from brickscope import notice
from brickscope.core.key import KeySet
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.fetch import Fetcher
from brickscope.identity.store import CredentialStore
from brickscope.log.error import AuditError
from brickscope.log.key import DigestKey
from brickscope.log.writer import DIGEST_KEY, AuditWriter
from brickscope.policy.first import how_to_begin
from brickscope.policy.load import NoPolicyError, load_policy
from brickscope.policy.problem import PolicyError
from brickscope.prerequisites import explain
from brickscope.service.authority.certificate import AuthorityError
from brickscope.service.authority.findings import refuse_or_warn
from brickscope.service.monitoring.operational_log import JsonFormatter
from brickscope.service.supervisor.channel import numbered

from . import versions
from .destination import check_names
from .engine import Engine, silence
from .entrusted import find_missing, read_entrusted
from .gate import Gate
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
)
from .parent import Parent
from .process import Process
from .reload import Reload
from .terminal import install_terminal
from .worker import Worker

OLDEST, NEWEST = (12, 2, 3), (13,)
"""mitmproxy versions (from, below) whose insides ``contexts.py`` was tested with."""


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
        self._gate: Gate | None = None
        self._reload: Reload | None = None
        self._make: Callable[[], Process] | None = None
        self._process: Process | None = None

    def check_loaded(self) -> None:
        """Called right after mitmproxy has loaded the script; ends the process if it was dropped on the way."""
        if not self.armed:
            fatal(
                "mitmproxy dropped the script while loading it; most often an option has a value of the wrong kind,\n"
                "stands there twice, or was given without a value. Look at every --set and at config.yaml."
            )

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
            worker = Worker.of_environment()
        except ValueError as error:
            raise OptionError(str(error)) from None
        if worker is not None:
            # A chain has one writer, so each worker has a log of its own.
            settings = settings._replace(audit_log=numbered(settings.audit_log, worker.number))
        try:
            loaded = load_policy(settings.rules, time.time())
            writer = AuditWriter(settings.audit_log, settings.audit_keys, settings.keeping)
            digests = DigestKey.load_or_make(settings.audit_keys / DIGEST_KEY)
            entrusted = read_entrusted(settings.credentials, settings.rules)
            ca_warnings = refuse_or_warn(
                Path(ctx.options.confdir).expanduser(),
                settings.destinations.scope.patterns,
                sole=not ctx.options.certs,
            )
        except NoPolicyError:
            raise OptionError(how_to_begin(settings.rules)) from None
        except (PolicyError, AuditError, AuthorityError) as error:
            raise OptionError(str(error)) from None
        parent, fetcher = self._find_ways(settings)
        if settings.status is not None:
            settings.destinations.status_port = settings.status.port
        self._gate = gate = Gate(
            settings.destinations,
            writer,
            loaded.policy,
            TokenDirectory(fetcher.fetch, self._on_keys),
            digests,
            CredentialStore(entrusted, fetcher.post),
            hints=settings.hints,
            body_limit=settings.body_limit,
        )
        self._reload = Reload(gate)
        # Not made yet: flags can follow what config.yaml says.
        self._make = partial(Process, settings, gate, self._reload, loaded.signature, parent, worker)
        self.addons = [Engine()]
        for warning in (
            *find_warnings(ctx.options),
            *ca_warnings,
            *versions.warnings(),
            *map(str, loaded.warnings),
            *find_missing(loaded.policy, entrusted),
        ):
            notice.warning("option_warning", f"{warning}")
        self.armed = True

    def _find_ways(self, settings: Settings) -> tuple[Parent | None, Fetcher]:
        """How hosts are reached, for calls and for documents. From now on every name leads to checked addresses only."""
        loop = asyncio.get_running_loop()
        refuse_other_loops(loop)
        resolve = check_names(settings.destinations, loop)
        trust = _upstream_trust(ctx.options)
        parent = None
        if settings.parent is not None:
            parent = Parent(
                settings.parent,
                trust,
                resolve,
                settings.destinations.leads_back,
                self._on_parent_failed,
                local=ctx.options.connect_addr,
            )
        return parent, Fetcher(trust, None if parent is None else parent.tunnel)

    def _on_keys(self, url: str, keys: KeySet | None, error: str) -> None:
        """An issuer's public keys were fetched, or can't be."""
        if self._reload is not None:
            self._reload.keys_fetched(url, keys, error)

    def _on_parent_failed(self) -> None:
        """The parent proxy opened no way."""
        if self._gate is not None:
            self._gate.tally.count("parent_failures")

    async def running(self) -> None:
        """Everything is loaded: open."""
        try:
            if self._make is None:
                raise OptionError("the script was not configured.")
            self._process = self._make()
            await self._process.open([self, *self.addons])
        except (OptionError, OSError) as error:
            fatal(str(error))
        except ImportError as error:
            fatal(explain(error))
        except Exception as error:
            fatal(f"{type(error).__name__} while starting: {error}")

    def done(self) -> None:
        """The proxy stops."""
        if self._process is not None:
            self._process.close()
        elif self._gate is not None:
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
