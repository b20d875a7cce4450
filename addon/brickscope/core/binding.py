"""Bindings: where, when and from where a credential of the policy is worth anything. They come before all rules."""

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from .directory import Directory
from .policy import Login, Subject
from .reason import Reason
from .request import ApiRequest

Unbound = tuple[Reason, str]
"""Reason and detail."""


def find_unbound(
    subject: Subject | Login,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None,
) -> tuple[Unbound | None, str | None]:
    """Why a subject may do nothing here and now, whatever its rules; None if it may.

    Also the workspace that the host says it is, where that was asked.
    """
    if subject.expires is not None and now >= subject.expires:
        when = datetime.fromtimestamp(subject.expires, UTC).isoformat().replace("+00:00", "Z")
        return (Reason.EXPIRED, f"the policy lets {subject.name!r} act until {when} only"), None
    if subject.clients is not None:
        address = _address(client_address)
        if address is None or not any(address in network for network in subject.clients):
            detail = f"the policy does not let {subject.name!r} act from {client_address}"
            return (Reason.CLIENT_NOT_ALLOWED, detail), None
    if subject.workspaces is None:
        return None, None
    at_home, home = is_at_home(subject.workspaces, request, now, directory)
    if at_home:
        return None, home
    where = request.host if request.workspace is None else f"{request.host}?o={request.workspace[:20]}"
    detail = f"the policy does not let {subject.name!r} act on {where}"
    return (Reason.WORKSPACE_NOT_ALLOWED, detail), home


def is_at_home(
    workspaces: frozenset[str], request: ApiRequest, now: float, directory: Directory | None
) -> tuple[bool, str | None]:
    """Whether a call stays within these workspaces, and what the host says it is where it was asked.

    The host alone does not say: on a host of several workspaces a header or ``?o=`` chooses. An entry without
    ``?o=`` means the host itself, so a choice passes only if it is what the host says its one workspace is.
    """
    host, chosen = request.host, request.workspace
    if chosen is None:
        return host in workspaces, None
    if f"{host}?o={chosen}" in workspaces:
        return True, None
    if host not in workspaces or directory is None:
        return False, None
    home = directory.workspace_of(host, now)
    return home == chosen, home


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The client's address; an IPv4 client on an IPv6 socket (``::ffff:10.0.0.1``) is the IPv4 address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
