"""The store: real credentials of placeholders, in memory alone.

Rules: what is not at hand is fetched once for all calls that wait for it, and renewed ahead of its end while the old one is
still used. A source that fails is left alone for a moment, and the calls that need it are told so; others are no
matter to it. What a host has refused (401) is fetched anew before the next call, at most once a minute; if that fails it is
used as before, or a client that provokes a 401 while the source is down would take it from all others.
"""

import asyncio
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from brickscope import notice
from brickscope.core.binding import is_at_home
from brickscope.core.decision import Refused
from brickscope.core.directory import Directory
from brickscope.core.entrusted import Entrusted, Kind
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import NotYetKnown
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest

from .fetch import FetchError
from .mint import Post, mint
from .source import SourceError, read_source

LOOK_S = 1.0
"""Seconds between two looks at files."""
RETRY_S = 5.0
"""A source that failed is asked again after so many seconds."""
FORCED_S = 60.0
"""What a host refused is fetched anew at most once in so many seconds."""
COMMAND_RENEWED_S, COMMAND_KEPT_S = 300.0, 3600.0
"""What a command printed is asked for again at this age, and counts for nothing at that one."""
MARGIN_S = 30.0
"""A minted token is not used in its last seconds: the call has to reach the host with it."""
MAX_REMEMBERED = 1024
"""Fingerprints of real credentials that are remembered, so that one that a client holds is known for what it is."""


class Secret:
    """A real credential. Never shown, by whatever prints objects."""

    __slots__ = ("fingerprint", "value")

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.fingerprint = fingerprint(value)

    def __repr__(self) -> str:
        return f"<Secret {self.fingerprint}>"


class CredentialNeeded(NotYetKnown):
    """A credential has to be fetched first; ``url`` stands for it, and is none."""


@dataclass(slots=True, eq=False, repr=False)
class _Held:
    """One credential, for one host if it is minted there. Times are monotonic seconds."""

    entrusted: Entrusted
    host: str
    secret: Secret | None = None
    doubted: bool = False
    """Whether a host has refused it, and it was not fetched anew yet."""
    ends: float = math.inf
    renew: float = math.inf
    retry: float = -math.inf
    forced: float = -math.inf
    looked: object = None
    """What the file looked like when it was read."""
    error: str = ""
    task: asyncio.Task[None] | None = None


class CredentialStore:
    """For one event loop; not for threads."""

    def __init__(self, known: Mapping[str, Entrusted], post: Post | None = None) -> None:
        """``known``: what the operator's file has. ``post``: sends a form to a token endpoint;
        without it there are tokens alone."""
        self.known = dict(known)
        self.remembered: dict[str, str] = {}
        """Names of credentials by their fingerprints."""
        self._post = post
        self._held: dict[tuple[str, str], _Held] = {}

    def swap(self, known: Mapping[str, Entrusted]) -> None:
        """The operator's file was changed; what it says otherwise of a credential, makes another one of it."""
        for key, held in list(self._held.items()):
            if known.get(key[0]) != held.entrusted:
                del self._held[key]  # whoever waits for it gets the old one's end, and asks again
        self.known = dict(known)

    @property
    def errors(self) -> dict[str, str]:
        """Why credentials can't be had now, by name, also while an older one is still used; empty for those that can."""
        found = dict.fromkeys(self.known, "")
        return found | {held.entrusted.name: held.error for held in self._held.values() if held.error}

    # -- what the gate asks ------------------------------------------------------------------------------------

    def take(
        self,
        name: str,
        request: ApiRequest,
        directory: Directory | None,
        now: float,
        settled: Collection[str] = (),
    ) -> Secret:
        """The credential of a name, for an allowed call. ``settled``: what was waited for already.

        Raises Refused (CREDENTIAL_NOT_ALLOWED or CREDENTIAL_UNAVAILABLE), and NotYetKnown where it has to be fetched first.
        """
        entrusted = self.find(name, request, directory, now)
        held = self._hold(entrusted, request.host)
        moment = time.monotonic()
        if held.secret is not None and moment < held.ends and not held.doubted:
            if moment >= held.renew and moment >= held.retry and held.task is None:
                self._begin(held)
            return held.secret
        sign = f"credential:{name}:{held.host}"
        if sign in settled or (held.task is None and moment < held.retry):
            raise Refused(
                Reason.CREDENTIAL_UNAVAILABLE,
                f"the credential {name!r} can't be obtained: {held.error or 'it was withdrawn'}",
            )
        raise CredentialNeeded(sign)

    def find(self, name: str, request: ApiRequest, directory: Directory | None, now: float) -> Entrusted:
        """What the operator's file has of a name, if it may be used for a call. Raises Refused (CREDENTIAL_NOT_ALLOWED), and
        NotYetKnown where the host has to be asked first which workspace it is."""
        entrusted = self.known.get(name)
        if entrusted is None:
            raise Refused(Reason.CREDENTIAL_NOT_ALLOWED, f"the operator's file names no credential {name!r}")
        if not is_at_home(entrusted.workspaces, request, now, directory)[0]:
            detail = f"the operator's file does not let the credential {name!r} be used on this workspace"
            raise Refused(Reason.CREDENTIAL_NOT_ALLOWED, detail)
        return entrusted

    async def learn(self, needed: CredentialNeeded) -> None:
        """Fetch it, or wait for whoever does. Raises nothing; ask again afterwards."""
        _, name, host = needed.url.split(":")
        entrusted = self.known.get(name)
        if entrusted is not None:
            held = self._hold(entrusted, host)
            # One client that leaves does not take it from the others.
            await asyncio.shield(held.task or self._begin(held))

    def refused(self, secret: bytes) -> None:
        """A host has answered 401 to it."""
        now = time.monotonic()
        for held in self._held.values():
            is_it = held.secret is not None and held.secret.value == secret
            if is_it and held.task is None and now >= held.forced + FORCED_S:
                held.forced, held.doubted, held.retry = now, True, -math.inf

    def _hold(self, entrusted: Entrusted, host: str) -> _Held:
        key = entrusted.name, host if entrusted.kind is Kind.DATABRICKS else ""
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(entrusted, key[1])
        return held

    # -- fetching ----------------------------------------------------------------------------------------------

    def _begin(self, held: _Held) -> asyncio.Task[None]:
        held.task = asyncio.get_running_loop().create_task(self._run(held), name="credential")
        return held.task

    async def _run(self, held: _Held) -> None:
        error = ""
        try:
            await self._fetch(held)
        except (SourceError, FetchError) as failed:
            error = str(failed)
        except Exception as failed:
            error = f"{type(failed).__name__} while it was fetched"
        finally:
            held.task, held.doubted = None, False
        held.retry = time.monotonic() + RETRY_S if error else -math.inf
        name = held.entrusted.name
        if error and error != held.error:
            notice.warning("credential_unavailable", f"the credential {name} can't be obtained: {error}")
        elif held.error and not error:
            notice.info("credential_available", f"the credential {name} is there again")
        held.error = error

    async def _fetch(self, held: _Held) -> None:
        entrusted, source = held.entrusted, held.entrusted.source
        hidden = {each.source.environment for each in self.known.values() if each.source.environment}
        looked = await asyncio.to_thread(look_at, source.file)
        value, begun = await read_source(source, hidden), time.monotonic()
        ends = renew = math.inf
        if entrusted.kind is not Kind.TOKEN:
            if self._post is None:
                raise FetchError("there is no way to a token endpoint")
            value, life = await mint(entrusted, held.host, value, self._post)
            ends, renew = begun + max(life - MARGIN_S, life / 2), begun + life * 0.75
        elif source.command:
            ends, renew = begun + COMMAND_KEPT_S, begun + COMMAND_RENEWED_S
        held.looked, held.ends, held.renew = looked, ends, renew
        if held.secret is None or held.secret.value != value:
            held.secret = Secret(value)
            self.remembered.pop(held.secret.fingerprint, None)
            self.remembered[held.secret.fingerprint] = entrusted.name
            while len(self.remembered) > MAX_REMEMBERED:
                del self.remembered[next(iter(self.remembered))]

    # -- files -------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Look at the files of tokens from time to time, for ever, and read those anew that have changed.

        One that is gone, or empty, at two looks was withdrawn; at one, somebody may be writing it.
        """
        while True:
            await asyncio.sleep(LOOK_S)
            for held in list(self._held.values()):
                file, is_token = held.entrusted.source.file, held.entrusted.kind is Kind.TOKEN
                is_kept = file is not None and is_token and held.secret is not None and held.task is None
                if not is_kept or await asyncio.to_thread(look_at, file) == held.looked:
                    continue
                was_failing = bool(held.error)
                await asyncio.shield(held.task or self._begin(held))
                if held.error and was_failing:
                    held.secret = None


def look_at(file: str | None) -> object:
    """What changes when a file does."""
    if file is None:
        return None
    try:
        status = Path(file).stat()
    except OSError as error:
        return type(error).__name__
    return status.st_mtime_ns, status.st_size, status.st_ino
