"""Where a connection may go: hosts under policy, other hosts, and addresses that are never relayed to."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from brickscope.core.decision import Refused
from brickscope.core.hostname import HostPatterns, bare, in_databricks_zone, is_hostname, is_numeric
from brickscope.core.reason import Reason

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Side(Enum):
    """Which side of the policy a host is on."""

    WORKSPACE = "workspace"
    OTHER = "other"


class Upstream(NamedTuple):
    """One entry of ``scope_connect_to``: names that match lead to this address and port instead."""

    hosts: HostPatterns
    address: str
    port: int


CHOSEN = ContextVar("CHOSEN", default=False)
"""Whether the name that is looked up is any that a client likes: of a host that is not under policy."""
_LOOKING_UP = ThreadPoolExecutor(32, "names")
"""Looks such names up. Whoever has a name server that does not answer keeps a thread for half a minute; the event loop's own
are few, and load the policy, sync the log and look up workspaces."""

# Global by registry (or by the reading of some Python releases), but answering with credentials inside a cloud:
# Azure's WireServer, and the IETF protocol block that holds Oracle's 192.0.0.192.
_METADATA = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet, also when an IPv4 address hides in an IPv6 one.

    False for private, loopback, link-local, carrier-grade NAT, multicast, reserved and metadata addresses.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:  # private until RFC 3879, and global to ipaddress
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not any(address in network for network in _METADATA)
    )


class Destinations:
    """The rules about hosts and addresses, from the options."""

    def __init__(
        self,
        scope: HostPatterns,
        *,
        relay_other_hosts: bool,
        allowed: Sequence[Network] = (),
        upstreams: Sequence[Upstream] = (),
    ) -> None:
        self.scope = scope
        self.relay_other_hosts = relay_other_hosts
        self.allowed = tuple(allowed)
        self.upstreams = tuple(upstreams)
        self.status_port = 0
        """Where the proxy tells its operator how it does, 0 for nowhere; no client of the proxy is led there."""
        self.own_ports: set[int] = set()
        """Where the proxy itself is reached. A client that was led there would come back with the proxy's own address, which
        the policy's ``clients`` or ``scope_proxy_protocol`` may trust more than the client's."""

    def under_policy(self, host: str) -> bool:
        """Whether a host, however it is spelt, belongs to Databricks: judged, or not reached at all."""
        name = bare(host)
        return self.scope.match(name) or in_databricks_zone(name)

    def classify(self, host: str, port: int) -> Side:
        """Which side a CONNECT target is on. Raises Refused with the reason it must not be reached.

        A host under policy in an odd spelling (``X.cloud.databricks.com.``) is WORKSPACE: its tunnel opens, so that
        its calls can be refused with words (a refused CONNECT makes SDKs try again for minutes), and they all are.
        """
        name = bare(host)
        if self.scope.match(name):
            if port != 443:
                raise Refused(
                    Reason.PORT_NOT_ALLOWED, f"port {port} of a Databricks host; only 443 is judged"
                )
            return Side.WORKSPACE
        if in_databricks_zone(name):
            raise Refused(
                Reason.HOST_NOT_IN_SCOPE,
                "the host is Databricks' but scope_hosts does not name it, so its calls could not be judged",
            )
        if is_numeric(name) or ":" in name or "[" in name:
            self._check_literal(name)
        elif not is_hostname(name) or name != host.lower():
            raise Refused(Reason.HOST_NOT_CANONICAL, "the host is not written as a plain DNS name")
        if not self.relay_other_hosts:
            raise Refused(Reason.OTHER_HOST, "scope_other_hosts=deny blocks hosts other than Databricks")
        return Side.OTHER

    def _check_literal(self, text: str) -> None:
        try:
            address = ipaddress.ip_address(text.strip("[]"))
        except ValueError:
            raise Refused(Reason.ADDRESS_NOT_ALLOWED, "the host is an address in an odd spelling") from None
        # A literal may be Databricks' own address: no name stands in the way of what then follows.
        if not any(address in network for network in self.allowed):
            # Metadata and managed identities: each machine has its own, and the proxy's is not the client's.
            own = address.is_link_local or address.is_loopback
            advice = "the client's NO_PROXY has to name it" if own else "scope_allow_addresses can allow it"
            raise Refused(Reason.ADDRESS_NOT_ALLOWED, f"the host is an address literal; {advice}")

    def may_reach(self, text: str, host: str = "") -> bool:
        """Whether bytes may be sent to this IP address, on the way to ``host``."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if is_public(address) or any(address in network for network in self.allowed):
            return True
        upstream = self.upstream(host)
        return upstream is not None and address == ipaddress.ip_address(upstream.address)

    def leads_back(self, peer: Sequence[Any], own: Sequence[Any]) -> str:
        """Where a connection from ``own`` to ``peer`` (socket names) leads if that is the proxy itself: ``"the proxy"`` or
        ``"the proxy's own status"``; empty if it leads elsewhere.

        Its addresses may be among those of ``scope_allow_addresses``, as a pod's is in the cluster's network.
        """
        if peer[1] in self.own_ports:
            name = "the proxy"
        elif self.status_port and peer[1] == self.status_port:
            name = "the proxy's own status"
        else:
            return ""
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return name if peer[0] == own[0] or address.is_loopback else ""

    def upstream(self, host: str) -> Upstream | None:
        """Where ``scope_connect_to`` leads a host, or None."""
        name = bare(host)
        return next((upstream for upstream in self.upstreams if upstream.hosts.match(name)), None)


def check_names(
    destinations: Destinations, loop: asyncio.AbstractEventLoop
) -> Callable[..., Awaitable[list[Any]]]:
    """From now on ``loop.getaddrinfo`` answers with permitted addresses only. Returns the one before.

    Every dial goes there, so the check and the use are one step: there is no second look-up that could answer differently
    (DNS rebinding).
    """
    resolve = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **options: Any) -> list[Any]:
        if options.get("flags", 0) & socket.AI_PASSIVE:
            return await resolve(host, port, **options)  # for a listening socket, not for a dial
        name = host.decode("ascii") if isinstance(host, bytes) else str(host)
        upstream = destinations.upstream(name)
        if upstream is not None:
            # An address is its own answer; to ask a thread for it costs more than the call.
            family = socket.AF_INET6 if ":" in upstream.address else socket.AF_INET
            return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (upstream.address, upstream.port))]
        if CHOSEN.get():
            answers = await loop.run_in_executor(
                _LOOKING_UP, partial(socket.getaddrinfo, name, port, **options)
            )
        else:
            answers = await resolve(host, port, **options)
        permitted = [answer for answer in answers if destinations.may_reach(str(answer[4][0]))]
        if not permitted:
            raise OSError(
                f"{name} leads to a private or local address only; scope_allow_addresses can allow it"
            )
        return permitted

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]
    return resolve
