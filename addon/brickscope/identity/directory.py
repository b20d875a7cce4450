"""The directory: verified tokens, remembered; keys and hosts' own words behind them."""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from copy import copy
from urllib.parse import urlsplit

from brickscope.core.decision import Refused
from brickscope.core.issuer import KeySource, check_audience, is_shared, key_source
from brickscope.core.jwt_token import Claims, read_claims
from brickscope.core.key import KeySet, KeySetError, read_key_set
from brickscope.core.pending import NotYetKnown
from brickscope.core.policy import Mode, Policy
from brickscope.core.principal import match_claims
from brickscope.core.reason import Reason

from .document import MAX_DOCUMENTS, Allowance, Document, Documents, Fetch
from .fetch import FetchError

MAX_TOKENS = 4096
"""How many verified tokens are remembered; about 2 MB. The least recently used one is verified again."""
SKEW_S = 60.0
"""How far the issuer's clock may be ahead of ours."""
_NUMBER = re.compile(r"[0-9]{1,20}")

OnKeys = Callable[[str, KeySet | None, str], None]


class TokenDirectory:
    """Answers for ``core.directory.Directory``. For one event loop; not for threads.

    ``on_keys(url, keys, error)`` is told of every key set that was fetched, or could not be.
    """

    def __init__(self, fetch: Fetch, on_keys: OnKeys = lambda url, keys, error: None) -> None:
        self._download = fetch
        self._tokens: OrderedDict[str, tuple[Claims, KeySet]] = OrderedDict()
        """Tokens whose signature was checked, by fingerprint, each with the keys it was checked with."""
        self._key_sets: Documents[KeySet] = Documents(self._fetch_keys, _read_keys, on_keys)
        self._accounts: dict[str, Allowance] = {}
        self._hosts: Documents[str] = Documents(fetch, _read_workspace_id)
        self._settled: Collection[str] = ()

    def settled(self, urls: Collection[str]) -> TokenDirectory:
        """The directory for a decision that has waited already: documents at ``urls`` are what they are by now."""
        found = copy(self)
        found._settled = urls
        return found

    # -- tokens ------------------------------------------------------------------------------------------------

    def verify(
        self,
        policy: Policy,
        token: bytes,
        fingerprint: str,
        host: str,
        now: float,
        *,
        management: bool = False,
    ) -> Claims:
        """See ``core.directory.Directory``. One signature check a token and key set, then a look into memory."""
        remembered = self._tokens.get(fingerprint)
        claims = read_claims(token) if remembered is None else remembered[0]
        # Each time anew: the same token may be tried on another host, or under another policy.
        source = key_source(policy.principals, claims.issuer, host)
        check_audience(policy.principals, claims, host, management=management)
        keys = self._keys(policy, claims, source)
        if remembered is None or remembered[1] is not keys:
            # Also where the keys were fetched again since: a key that was withdrawn vouches for nothing.
            if not keys.is_signed(token, claims.key_id, claims.algorithm, claims.tenant):
                detail = "the OAuth token's signature is not by the key that it names"
                raise Refused(Reason.BAD_SIGNATURE, detail)
            self._tokens[fingerprint] = claims, keys
            if len(self._tokens) > MAX_TOKENS:
                self._tokens.popitem(last=False)
        self._tokens.move_to_end(fingerprint)
        if now >= claims.expires:
            self._tokens.pop(fingerprint, None)
            raise Refused(Reason.TOKEN_EXPIRED, "the OAuth token's time is over")
        if now < claims.begins - SKEW_S:
            raise Refused(Reason.TOKEN_NOT_YET_VALID, "the OAuth token's time has not begun")
        return claims

    # -- keys --------------------------------------------------------------------------------------------------

    def _keys(self, policy: Policy, claims: Claims, source: KeySource) -> KeySet:
        """The key set that has the token's key. Raises Refused or NotYetKnown."""
        key_id = claims.key_id
        if source.keys is not None:
            if key_id in source.keys.keys:
                return source.keys
            raise Refused(Reason.UNKNOWN_KEY, "the key file has no key with the id that the token names")
        document = self._key_sets.look(source.url)
        if document.content is not None and key_id in document.content.keys:
            return document.content
        if source.url not in self._settled:
            if policy.mode is not Mode.MONITOR:
                # Nobody's token makes the proxy fetch anything, nor counts. (In monitor the log is to say who is there.)
                match_claims(policy.principals, claims)
            if self._may_fetch(source.url, document, is_shared(policy.principals, claims.issuer)):
                raise NotYetKnown(source.url)  # never fetched, or the issuer may have made a new key since
        match_claims(policy.principals, claims)  # of nobody's token the log says the same in every mode
        if document.content is None:
            raise Refused(Reason.KEY_SET_UNAVAILABLE, f"the issuer's keys can't be fetched: {document.error}")
        raise Refused(Reason.UNKNOWN_KEY, "the issuer publishes no key with the id that the token names")

    def _may_fetch(self, url: str, document: Document[KeySet], shares: bool) -> bool:
        """Whether the limit allows a fetch. ``shares``: it is of an account that the policy does not name; those of one host
        share a limit, since anybody can make up their ids."""
        now = time.monotonic()
        if document.content is None and shares:
            shared = self._accounts.setdefault(urlsplit(url).netloc, Allowance(now))
            if len(self._accounts) > MAX_DOCUMENTS:  # anybody can make up hosts as well
                del self._accounts[next(iter(self._accounts))]
            if document.task is None and not shared.take(now):
                return False
        return document.may_fetch(now)

    async def _fetch_keys(self, url: str) -> bytes | None:
        """The key set at a URL; where there is none, at the place that the issuer's metadata names."""
        content = await self._download(url)
        if content is not None or not url.endswith("/jwks.json"):
            return content
        issuer = url.removesuffix("/jwks.json")
        metadata = await self._download(f"{issuer}/.well-known/openid-configuration")
        place = _member(metadata, "jwks_uri")
        # On the issuer's own host only: metadata that leads elsewhere would let another host vouch for it.
        parts = urlsplit(place or "")
        if place is None or (parts.scheme, parts.netloc) != ("https", urlsplit(issuer).netloc):
            raise FetchError("its host publishes none")
        return await self._download(place)

    # -- hosts -------------------------------------------------------------------------------------------------

    def workspace_of(self, host: str, now: float) -> str | None:
        """See ``core.directory.Directory``: ``workspace_id`` in ``/.well-known/databricks-config``."""
        url = f"https://{host}/.well-known/databricks-config"
        document = self._hosts.look(url)
        if document.content is None and url not in self._settled and document.may_fetch(time.monotonic()):
            raise NotYetKnown(url)
        return document.content or None

    async def learn(self, unknown: NotYetKnown) -> None:
        """Fetch what a decision needs. Raises nothing; decide again afterwards."""
        config = unknown.url.endswith("/.well-known/databricks-config")
        await (self._hosts if config else self._key_sets).fetch(unknown.url)


def _read_keys(content: bytes | None) -> KeySet:
    if content is None:
        raise ValueError("its host publishes none")
    try:
        return read_key_set(content)
    except KeySetError as error:
        raise ValueError(str(error)) from None


def _read_workspace_id(content: bytes | None) -> str:
    """The id of a host's one workspace; empty where it names none (a host of several, or an old one)."""
    found = _member(content, "workspace_id") or ""
    return found if _NUMBER.fullmatch(found) else ""


def _member(content: bytes | None, name: str) -> str | None:
    """A text (or number) of a JSON object."""
    try:
        found = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    value = found.get(name) if isinstance(found, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None
