"""The fence round other hosts: what a client begins to say in a tunnel to one of them must not name a workspace.

A tunnel to another host (or to an address) could carry TLS to a Databricks host, or a request to a further proxy that leads
there, token and all. TLS says in its ClientHello where it really goes; HTTP, CONNECT and SOCKS can be read. What follows
in TLS can't be, nor what a relay of the client's own makes of other bytes (docs/threat-model.md).
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .hello import HANDSHAKE, HelloReader, NoHello

MAX_SOCKS = 4096
"""So many bytes from the client hold all that SOCKS says before it is another connection (RFC 1928, RFC 1929), and how that
one begins."""
MAX_LINE = 16 * 1024
"""Most bytes of a request line that is read as one."""
_LONGEST_NAME = 300
_NAME = re.compile(r"(?<![\w-])[\w-]++\.[\w.-]+")
"""Entered at the beginning of a run of letters alone: at each letter of one without a dot, it would take minutes."""

_SOCKS4, _SOCKS5 = 0x04, 0x05
# As lenient as proxies are (RFC 9112 sections 2.2 and 3): other blanks, blanks and line ends before, any method.
_BEGUN = re.compile(rb"[!-~]{1,32}[ \t\v\f\r]+[!-~]")
_BEGINS = re.compile(rb"[!-~]{1,32}[ \t\v\f\r]*")
# A request line (also of a request after the first), or a Host header.
_LINE = re.compile(
    rb"\n(?:[ \t\v\f\r]*+[!-~]{1,32}+[ \t\v\f\r]++([^\s]++)[ \t\v\f\r]++[Hh][Tt][Tt][Pp]/"
    rb"|[Hh][Oo][Ss][Tt][ \t]*+:(?:[ \t]|\r?\n[ \t])*+([^\s]++))"
)
# The server name in a ClientHello (RFC 6066 section 3), which follows where another proxy is asked for an address.
_SERVER_NAME = re.compile(rb"(?=(\x00\x00\x00.\x00.\x00\x00([\x04-\xfd]))[A-Za-z0-9])", re.DOTALL)
# CONNECT, BIND or UDP ASSOCIATE by name (RFC 1928 section 4); SOCKS 4A's name stands at the end of its first message.
_SOCKS5_NAME = re.compile(rb"(?=(\x05[\x01-\x03].\x03(.)))", re.DOTALL)
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

    @property
    def is_open(self) -> bool:
        """Whether nothing that follows is looked at any more."""
        return self._look is bytes

    def _begin(self, data: bytes) -> bytes:
        self._held += data
        first = self._held[:1]
        if not first:
            return b""
        if first[0] == HANDSHAKE:
            self._look = self._hello
        elif first[0] in (_SOCKS4, _SOCKS5):
            self._look = self._socks
        else:
            self._held = self._held.lstrip()
            if _BEGUN.match(self._held) or len(self._held) > _LONGEST_NAME:
                self._look = self._http
            elif not self._held or _BEGINS.fullmatch(self._held):
                return data  # it may be HTTP yet
            else:
                self._look = bytes
            before, self._held = self._held.removesuffix(data), b""
            if self._look == self._http:
                self._held = b"\n" + before
            return self._look(data)
        held, self._held = self._held, b""
        return self._look(held)

    def _hello(self, data: bytes) -> bytes:
        self._held += data
        try:
            hello = self._reader.read(self._held)
        except NoHello as error:
            raise Refused(Reason.SERVER_NAME_MISMATCH, str(error)) from None
        if hello is None:
            return b""
        self._check(hello.server_name or "", "its TLS names")
        self._look = bytes
        return self._held

    def _http(self, data: bytes) -> bytes:
        """Request lines and Host headers, in all that comes: a proxy takes one request after the other."""
        seen = self._held + data
        lines = set(_LINE.findall(seen))
        for name in {name for target, host in lines for name in hosts_of(target or host)}:
            self._check(name, "a request in it names")
        self._check_names(_SERVER_NAME, seen[-len(data) - _LONGEST_NAME :], "TLS in it names")
        # The last line may go on, and be the fold of the one before.
        line = seen.rfind(b"\n", 0, max(seen.rfind(b"\n"), 0))
        self._held = seen[max(min(line, len(seen) - _LONGEST_NAME), 0) :]
        if len(self._held) > MAX_LINE:
            self._held = self._held[-_LONGEST_NAME:]
        return data

    def _socks(self, data: bytes) -> bytes:
        self._held += data
        came = self._held[-len(data) - _LONGEST_NAME :]
        self._check_names(_SOCKS5_NAME, came, "SOCKS in it names")
        self._check_names(_SERVER_NAME, came, "TLS in it names")
        for name in _SOCKS4_NAME.findall(self._held):
            self._check(name.decode("latin-1"), "SOCKS in it names")
        if len(self._held) > MAX_SOCKS:
            self._look = bytes
        return data

    def _check_names(self, begin: re.Pattern[bytes], seen: bytes, how: str) -> None:
        """Names behind their length, with which ``begin`` ends; found also where one such place overlaps another."""
        for found in begin.finditer(seen):
            self._check(seen[found.end(1) : found.end(1) + found[2][0]].decode("latin-1"), how)

    def _check(self, name: str, how: str) -> None:
        if name and self._is_workspace(name):
            raise Refused(
                Reason.SERVER_NAME_MISMATCH, f"the tunnel was opened to another host, but {how} Databricks"
            )


def hosts_of(target: bytes) -> list[str]:
    """All that some reader could take for the host in an absolute target, in CONNECT's ``host:port`` or in a Host header;
    none in a path."""
    if target.startswith(b"/"):
        return []
    parts = re.split(r"[/\\]+", re.split("[?#]", target.decode("latin-1"))[0])[:2]
    return [name for part in parts for name in _NAME.findall(unquote(part))]
