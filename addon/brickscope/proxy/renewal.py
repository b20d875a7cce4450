"""Certificates that the proxy signs are signed anew before they end.

mitmproxy keeps what it signed for a host as long as the process lives, and a certificate is good for 199 days
(``mitmproxy.certs.CERT_EXPIRY``): a proxy that ran half a year would be refused by every client at once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from mitmproxy import ctx
from mitmproxy.certs import CertStore

from .contexts import Contexts

PAUSE = 3600.0
"""Seconds between two looks."""


def forget_old(store: CertStore, now: datetime) -> int:
    """Let go of certificates past half their life, so that the next connection gets a new one. Returns how many."""
    old = {
        id(entry)
        for entry in store.expire_queue  # those that the store made itself; not the ones of the option `certs`
        if now > entry.cert.notbefore + (entry.cert.notafter - entry.cert.notbefore) / 2
    }
    store.certs = {name: entry for name, entry in store.certs.items() if id(entry) not in old}
    store.expire_queue = [entry for entry in store.expire_queue if id(entry) not in old]
    return len(old)


async def renew_certificates(contexts: Contexts) -> None:
    """Look from time to time, for ever."""
    while True:
        await asyncio.sleep(PAUSE)
        if forget_old(ctx.master.addons.get("tlsconfig").certstore, datetime.now(UTC)):
            contexts.forget()
