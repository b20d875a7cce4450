"""A call with a token, decided on as the proxy does: what has to be known is fetched first, from the test's documents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.pending import NotYetKnown
from brickscope.core.policy import Policy
from brickscope.core.request import read_request
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.fetch import FetchError
from core.entra_tokens import V1_KEYS, V2_KEYS
from core.oauth import NOW, jwk, key_set
from core.wire import h1
from lab.workspace.entra import HOST

KEYS = {V1_KEYS: key_set(jwk(issuer="https://login.microsoftonline.com/{tenantid}/v2.0")), V2_KEYS: key_set()}


def decided(
    policy: Policy,
    bearer: bytes,
    documents: dict[str, bytes] = KEYS,
    host: str = HOST,
    target: bytes = b"/api/2.1/unity-catalog/catalogs",
    *,
    fields: Sequence[tuple[bytes, bytes]] = (),
    method: bytes = b"GET",
    asked: list[str] | None = None,
) -> Decision:
    """The decision on a call with this bearer (empty for none), once all that it needs was fetched."""

    async def fetch(url: str) -> bytes | None:
        if asked is not None:
            asked.append(url)
        if url not in documents:
            raise FetchError("no such host")
        return documents[url]

    async def play() -> Decision:
        own = [(b"Authorization", b"Bearer " + bearer)] if bearer else []
        headers = [(b"Host", host.encode()), *own, *fields]
        try:
            request = read_request(h1(method, target, headers, tunnel_host=host, server_name=host))
        except Refused as refused:
            return refused.decision(policy.revision)
        directory = TokenDirectory(fetch)
        settled: list[str] = []
        while True:
            try:
                return decide(policy, request, "10.0.0.1", NOW, directory.settled(settled))
            except NotYetKnown as unknown:
                await directory.learn(unknown)
                settled.append(unknown.url)

    return asyncio.run(play())
