"""The fence round other hosts: what a client begins to say in a tunnel to one of them must not name a workspace.

A tunnel to another host (or to an address) could carry TLS to a Databricks host, or a request to a further proxy that leads
there, token and all. TLS says in its ClientHello where it really goes; HTTP, CONNECT and SOCKS can be read. What follows
in TLS can't be, nor what a relay of the client's own makes of other bytes (docs/threat-model.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .hello import HANDSHAKE, HelloReader, NoHello

MAX_SOCKS = 2048
"""So many bytes from the client hold all that SOCKS says before it is another connection (RFC 1928, RFC 1929)."""
_OVERLAP = 1024

_SOCKS4, _SOCKS5 = 0x04, 0x05
_BEGUN = re.compile(rb"[A-Za-z][A-Za-z-]{0,31} ")
_BEGINS = re.compile(rb"[A-Za-z][A-Za-z-]{0,31}")
# A request line (also of a request after the first), or a Host header.
_LINE = re.compile(
    rb"\n(?:[A-Za-z][A-Za-z-]{0,31}[ \t]+([^\s]{1,700})[ \t]+HTTP/|[Hh][Oo][Ss][Tt][ \t]*:[ \t]*([^\s]{1,700}))"
)
# CONNECT, BIND or UDP ASSOCIATE by name (RFC 1928 section 4); SOCKS 4A's name stands at the end of its first message.
_SOCKS5_NAME = re.compile(rb"\x05[\x01-\x03]\x00\x03(.)", re.DOTALL)
_SOCKS4_NAME = re.compile(rb"\x04[\x01\x02]..\x00\x00\x00.[^\x00]*\x00([^\x00]+)\x00", re.DOTALL)


class Fence:
    """Looks at what one client sends through one tunnel. ``is_workspace``: whether a host is under policy."""

    def __init__(self, is_workspace: Callable[[str], bool]) -> None:
        self._is_workspace = is_workspace
        self._look: Callable[[bytes], bytes] = self._begin
        self._held = b""
        self._reader = HelloReader()

    def take(self, data: bytes) -> bytes:
        """What may go on to the host of all bytes that came; the rest is kept until more come.

        Raises Refused(SERVER_NAME_MISMATCH) where the client names a workspace, or a ClientHello can't be read.
        """
        return self._look(data)

    def _begin(self, data: bytes) -> bytes:
        self._held += data
        first = self._held[:1]
        if not first:
            return b""
        if first[0] == HANDSHAKE:
            self._look = self._hello
        elif first[0] in (_SOCKS4, _SOCKS5):
            self._look = self._socks
        elif _BEGUN.match(self._held):
            self._look = self._http
        elif _BEGINS.fullmatch(self._held):
            return b""  # it may be HTTP yet
        else:
            self._look = bytes
        held, self._held = self._held, b"\n" if self._look == self._http else b""
        return self._look(held)

    def _hello(self, data: bytes) -> bytes:
        self._held += data
        try:
            hello = self._reader.read(self._held)
        except NoHello as error:
            raise Refused(Reason.SERVER_NAME_MISMATCH, str(error)) from None
        if hello is None:
            return b""
        self._check(hello.sni or "", "its TLS names")
        self._look = bytes
        return self._held

    def _http(self, data: bytes) -> bytes:
        """Request lines and Host headers, in all that comes: a proxy takes one request after the other."""
        seen = self._held + data
        for target, host in _LINE.findall(seen):
            self._check(host_of(target or host), "a request in it names")
        self._held = seen[-_OVERLAP:]
        return data

    def _socks(self, data: bytes) -> bytes:
        self._held += data
        for found in _SOCKS5_NAME.finditer(self._held):
            end = found.end() + found[1][0]
            self._check(self._held[found.end() : end].decode("latin-1"), "SOCKS in it names")
        for name in _SOCKS4_NAME.findall(self._held):
            self._check(name.decode("latin-1"), "SOCKS in it names")
        if len(self._held) > MAX_SOCKS:
            self._look = bytes
        return data

    def _check(self, name: str, how: str) -> None:
        if name and self._is_workspace(name):
            raise Refused(
                Reason.SERVER_NAME_MISMATCH, f"the tunnel was opened to another host, but {how} Databricks"
            )


def host_of(target: bytes) -> str:
    """The host of an absolute target, of CONNECT's ``host:port`` or of a Host header; empty for a path."""
    text = target.decode("latin-1")
    if text.startswith("/"):
        return ""
    try:
        return urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""
