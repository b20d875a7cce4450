"""What systemd tells a service, and is told: sockets that it holds open, and how the service does.

sd_listen_fds(3) and sd_notify(3), in a few lines; without systemd nothing happens.
"""

import contextlib
import os
import socket

_FIRST = 3


def inherited_sockets() -> list[socket.socket]:
    """The sockets of a ``.socket`` unit, once: the variables are taken away, so that no child believes them its own."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    found = []
    for fd in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(fd, False)
        found.append(socket.socket(fileno=fd))
    return found


def notify(state: str) -> None:
    """Tell systemd, such as ``READY=1``. Nobody listens unless the unit has ``Type=notify``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
        out.sendall(state.encode())


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear ``WATCHDOG=1``, halved for safety; None if it does not (sd_watchdog_enabled(3))."""
    pid, microseconds = os.environ.get("WATCHDOG_PID"), os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or int(microseconds) <= 0 or pid not in (None, str(os.getpid())):
        return None
    return int(microseconds) / 2_000_000
