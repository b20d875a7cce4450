"""Where the status is served: ``scope_status``."""

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from pathlib import Path
from typing import NamedTuple

EXAMPLE = "write it as 127.0.0.1:9464, [::1]:9464 or unix:/run/brickscope/status.sock"


class StatusAddress(NamedTuple):
    """An address and port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine can connect."""
        return self.path is not None or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path is not None else written(self.host, self.port)


def read_address(text: str) -> StatusAddress:
    """Read the option. Raises ValueError with what is wrong and how it is written."""
    kind, colon, rest = text.partition(":")
    if kind == "unix" and colon:
        if not rest.startswith("/"):
            raise ValueError(f"{text!r} is not an absolute path; {EXAMPLE}")
        if len(rest.encode()) > 100:
            raise ValueError(f"{text!r} is longer than the 100 bytes that the path of a Unix socket may have")
        return StatusAddress(path=Path(rest))
    host, colon, port = text.rpartition(":")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"{text!r} is not an address and port; {EXAMPLE}") from None
    if not (port.isascii() and port.isdigit() and 0 <= int(port) < 65536):
        raise ValueError(f"{text!r} has no port from 0 to 65535; {EXAMPLE}")
    return StatusAddress(str(address), int(port))


def written(host: str, port: int) -> str:
    """``HOST:PORT``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def not_listening(host: str, port: int, error: OSError) -> OSError:
    """The error for an operator whose proxy can't have its port."""
    taken = "; another program listens there, choose another port with -p"
    hint = taken if error.errno == errno.EADDRINUSE else ""
    return OSError(f"the proxy can't listen on {host}:{port}: {words(error)}{hint}")


def words(error: OSError) -> str:
    """What the system says, without asyncio's words around it."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


def free_path(path: Path) -> None:
    """Take away the socket that a killed process left behind. Raises OSError: another process listens there, or it is
    something else than a socket."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} exists and is not a socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise FileExistsError(f"another process listens at {path}")
