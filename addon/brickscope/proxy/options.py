"""The options: ours, read into ``Settings``; mitmproxy's, forced or refused where they would open the gate.

Precedence in mitmproxy: ``--set`` < ``config.yaml`` < flags < what an addon sets while it loads. So what must hold is
set in ``load`` (nothing can override it), and what nobody can want is refused at start.
"""

import asyncio
import difflib
import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mitmproxy.proxy import mode_specs

from brickscope.core.body import MAX_BODY
from brickscope.core.hostname import HostPatterns
from brickscope.log.closed import COMPRESSIONS, Retention
from brickscope.log.writer import Keeping
from brickscope.service.monitoring.address import StatusAddress, read_address

from .deadlines import Limits
from .destination import Destinations, Network, Upstream
from .parent import Address, read_parent


class OptionError(Exception):
    """An option that can't be; the message says which, why and what to do."""


_TEXTS = {
    "scope_rules": "Folder (or file) of the policy. Default: rules here.",
    "scope_audit_log": "File of the audit log (JSON Lines). Default: audit.jsonl here.",
    "scope_audit_keys": "Folder of the log's keys, made there at first start. Default: confdir (~/.mitmproxy).",
    "scope_audit_fsync": (
        "When records are brought to disk: always (each before its call), interval (each second; default) or never."
    ),
    "scope_audit_rotate": (
        "When a file of the log is closed and the next begun: a size such as 256MB, daily (midnight UTC), or both."
    ),
    "scope_audit_compress": "How closed files are compressed: zstd (default), gzip or none.",
    "scope_audit_keep": (
        "How long closed files are kept: a number such as 90 days or 100 files, or both. Default: for ever."
    ),
    "scope_hosts": "Hosts under policy: names, or *.suffix for all below it. Give it again for more.",
    "scope_other_hosts": "What happens with hosts other than Databricks: tunnel (default; bytes pass untouched) or deny.",
    "scope_allow_addresses": (
        "Networks that may be reached although they are private or named by address, such as 10.1.0.0/16."
    ),
    "scope_hints": "Whether a denial tells the client which rule would allow the call: on (default) or off.",
    "scope_proxy_protocol": (
        "Networks of load balancers, whose connections must begin with a PROXY header (version 1 or 2)."
    ),
    "scope_body_limit": (
        "The largest body that is held back where a rule looks into it, such as 1MB. Default, and the most: 16MB."
    ),
    "scope_handshake_timeout": "Seconds for CONNECT, for TLS with a client, and for each address of a host. Default: 10.",
    "scope_head_timeout": "Seconds from the first byte of a request to the end of its head. Default: 30.",
    "scope_idle_timeout": (
        "Seconds that a connection is kept between two calls, or a tunnel without a byte. Default: tcp_timeout."
    ),
    "scope_stall_timeout": "Seconds within a call without a byte that moves, either way. Default: tcp_timeout.",
    "scope_websocket_timeout": "Seconds within a websocket without a byte that moves, either way. Default: 3600.",
    "scope_stop_after": "Seconds that calls in flight have to finish when the proxy is stopped. Default: 30.",
    "scope_status": "Where /metrics, /healthz and /readyz are served: ADDRESS:PORT, or unix:/path. Default: nowhere.",
    "scope_log_format": "How messages are written to standard error: text (default) or json, an object a line.",
    "scope_parent_proxy": (
        "The proxy through which hosts are reached: http://HOST:PORT or https://HOST:PORT. Default: none."
    ),
    "scope_parent_proxy_password": "File with one line USER:PASSWORD for the parent proxy.",
    "scope_credentials": (
        "File that says what placeholders of the policy are exchanged for, and where the secrets come from. Default: none."
    ),
    "scope_connect_to": "For tests and demonstrations: HOST=ADDRESS:PORT redirects a host (or *.suffix) to another address.",
}
_LISTS: dict[str, list[str]] = {
    "scope_audit_rotate": [],
    "scope_audit_keep": [],
    "scope_hosts": ["*.cloud.databricks.com", "*.databricksapps.com"],
    "scope_allow_addresses": [],
    "scope_proxy_protocol": [],
    "scope_connect_to": [],
}
"""Those of several values, with their defaults."""
OURS: tuple[tuple[str, Any, Any, str], ...] = tuple(
    # Types are chosen so that no value can fail to parse: mitmproxy drops a script in silence when one does.
    (name, Sequence[str] if name in _LISTS else str | None, _LISTS.get(name), text)
    for name, text in _TEXTS.items()
)

FORCED: dict[str, Any] = {
    "rawtcp": False,  # raw bytes in a tunnel would pass unseen
    "websocket": False,  # frames would pass unjudged
    "http3": False,
    "onboarding": False,
    "upstream_cert": False,
    "connection_strategy": "lazy",  # nothing is dialled before it is needed
    "flow_detail": 0,  # higher prints headers, tokens among them
    "showhost": False,
    "server": False,  # mitmproxy's own; ours is in listener.py
}
"""Set while loading, whatever was asked for."""

_REFUSED: dict[str, str] = {
    "it lets bytes pass without being judged": "ignore_hosts allow_hosts tcp_hosts udp_hosts show_ignored_hosts",
    "it changes or makes requests after they are judged": (
        "map_remote map_local modify_headers modify_body anticache anticomp stickyauth stickycookie "
        "upstream_auth client_replay server_replay rfile block_list keep_host_header client_certs "
        "add_upstream_certs_to_client_chain"
    ),
    "it would write tokens to disk or terminal": "save_stream_file hardump proxy_debug store_streamed_bodies",
    "it removes a guard against request smuggling": "validate_inbound_headers normalize_outbound_headers",
    "Brickscope streams bodies itself; with it, denials would hang": "stream_large_bodies body_size_limit",
    "upstream certificates are always verified": "ssl_insecure",
    "it signs with a private key that everybody has": "emudhra emudhra_old",
    "client certificates are no credential here": "request_client_cert",
    "it would have no effect, as no call is shown": (
        "command_history console_default_contentview content_view_lines_cutoff dumper_default_contentview "
        "dumper_filter export_preserve_original_ip protobuf_definitions"
    ),
    "it would have no effect, as no call is saved or made again": (
        "client_replay_concurrency readfile_filter save_stream_filter"
    ),
    "it would have no effect, as no call is answered from a file": (
        "server_replay_extra server_replay_kill_extra server_replay_nopop server_replay_refresh "
        "server_replay_reuse server_replay_use_headers server_replay_ignore_content "
        "server_replay_ignore_host server_replay_ignore_params server_replay_ignore_payload_params "
        "server_replay_ignore_port"
    ),
    "it would have no effect: it belongs to a mode of mitmproxy, or a page, that is not served here": (
        "dns_name_servers dns_use_hosts_file http_connect_send_host_header keep_alt_svc_header "
        "onboarding_host strip_ech http2_ping_keepalive"
    ),
}
REFUSED = {name: why for why, names in _REFUSED.items() for name in names.split()}
"""Options nobody can change and still have a gate, with the reason said to who tries. What has no effect is among them: who
sets it counts on one."""

WARNED: dict[str, str] = {
    "block_global": "clients from public addresses may use the proxy",
    "ciphers_client": "the TLS ciphers towards clients are not the defaults",
    "ciphers_server": "the TLS ciphers towards Databricks are not the defaults",
    "ssl_verify_upstream_trusted_ca": "only these authorities are trusted for Databricks' certificates",
    "ssl_verify_upstream_trusted_confdir": "only these authorities are trusted for Databricks' certificates",
}
"""Legitimate, but said aloud at start."""

KEPT: dict[str, str] = {
    "block_global": "admission.py asks mitmproxy's addon",
    "block_private": "admission.py asks mitmproxy's addon",
    "cert_passphrase": "mitmproxy reads the certificates",
    "certs": "contexts.py takes certificates from mitmproxy's store",
    "ciphers_client": "contexts.py",
    "ciphers_server": "contexts.py asks mitmproxy's hook",
    "confdir": "mitmproxy keeps its authority there",
    "connect_addr": "upstream.py dials from it",
    "http2": "contexts.py, for clients that offer it",
    "keepserving": "mitmproxy's own",
    "key_size": "mitmproxy makes its authority by it",
    "listen_host": "listener.py",
    "listen_port": "listener.py",
    "mode": "listener.py, for its address; refuse_dangerous refuses all but regular",
    "proxyauth": "admission.py asks mitmproxy's validators",
    "scripts": "addon.py, which must be the only one",
    "ssl_verify_upstream_trusted_ca": "contexts.py asks mitmproxy's hook; public keys by the same",
    "ssl_verify_upstream_trusted_confdir": "contexts.py asks mitmproxy's hook; public keys by the same",
    "tcp_timeout": "the default of scope_idle_timeout and scope_stall_timeout",
    "termlog_verbosity": "mitmproxy's own",
    "tls_ecdh_curve_client": "contexts.py",
    "tls_ecdh_curve_server": "contexts.py asks mitmproxy's hook",
    "tls_version_client_max": "contexts.py",
    "tls_version_client_min": "contexts.py",
    "tls_version_server_max": "contexts.py asks mitmproxy's hook",
    "tls_version_server_min": "contexts.py asks mitmproxy's hook",
}
"""In effect, and by what. A test holds all lists against the installed mitmproxy, and the start refuses what is in none."""

_OLD_TLS = ("UNBOUNDED", "SSL3", "TLS1", "TLS1_1")


class Options(Protocol):
    """What is used of mitmproxy's OptManager."""

    deferred: dict[str, Any]

    def __contains__(self, name: str) -> bool: ...
    def __getattr__(self, name: str) -> Any: ...
    def has_changed(self, name: str) -> bool:
        """Whether an option has another value than its default."""
        ...

    def keys(self) -> set[str]:
        """The names of all options."""
        ...


class Settings(NamedTuple):
    """Our options, read."""

    rules: Path
    audit_log: Path
    destinations: Destinations
    hints: bool
    audit_keys: Path
    keeping: Keeping
    compression: str
    retention: Retention
    balancers: tuple[Network, ...]
    limits: Limits
    body_limit: int
    stop_after: float
    status: StatusAddress | None
    json_log: bool
    parent: Address | None
    credentials: Path | None


_EXPANDED = (
    "confdir",
    "scope_parent_proxy_password",
    "ssl_verify_upstream_trusted_ca",
    "ssl_verify_upstream_trusted_confdir",
)
"""More options with a path that may begin with ``~``."""


def read_settings(options: Options) -> Settings:
    """Read our options; paths are made absolute by the working directory. Raises OptionError."""
    for name in _EXPANDED:  # those that are read elsewhere, and mitmproxy's
        _path(name, getattr(options, name) or ".")
    try:
        scope = HostPatterns(_split(options.scope_hosts))
    except ValueError as error:
        raise OptionError(f"scope_hosts: {error}") from None
    if not scope.patterns:
        raise OptionError("scope_hosts: no host is under policy; leave it out for its default")
    for name, choices in (
        ("scope_other_hosts", ("tunnel", "deny")),
        ("scope_hints", ("on", "off")),
        ("scope_audit_fsync", ("always", "interval", "never")),
        ("scope_audit_compress", tuple(COMPRESSIONS)),
        ("scope_log_format", ("text", "json")),
    ):
        value = getattr(options, name)
        if value is not None and value not in choices:
            raise OptionError(f"{name}: {value!r} is neither {' nor '.join(choices)}")
    return Settings(
        _path("scope_rules", options.scope_rules or "rules"),
        _path("scope_audit_log", options.scope_audit_log or "audit.jsonl"),
        Destinations(
            scope,
            relay_other_hosts=options.scope_other_hosts != "deny",
            allowed=[
                _network("scope_allow_addresses", text) for text in _split(options.scope_allow_addresses)
            ],
            upstreams=[_upstream(text) for text in _split(options.scope_connect_to)],
        ),
        options.scope_hints != "off",
        _path("scope_audit_keys", options.scope_audit_keys or options.confdir),
        _keeping(options.scope_audit_fsync or "interval", _split(options.scope_audit_rotate)),
        options.scope_audit_compress or "zstd",
        _retention(_split(options.scope_audit_keep)),
        tuple(_network("scope_proxy_protocol", text) for text in _split(options.scope_proxy_protocol)),
        _limits(options),
        _body_limit(options.scope_body_limit or "16MB"),
        _seconds("scope_stop_after", options.scope_stop_after or "30"),
        _status(options.scope_status),
        options.scope_log_format == "json",
        _parent(options),
        _path("scope_credentials", options.scope_credentials) if options.scope_credentials else None,
    )


def _path(option: str, text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise OptionError(f"{option}: {text!r} begins with a user that this machine does not have") from None


def _parent(options: Options) -> Address | None:
    url, password = options.scope_parent_proxy, options.scope_parent_proxy_password
    if not url:
        if password:
            raise OptionError(
                "scope_parent_proxy_password: there is no scope_parent_proxy that it would be for"
            )
        return None
    if options.scope_connect_to:
        raise OptionError("scope_connect_to: it would bypass scope_parent_proxy; leave one of them out")
    try:
        return read_parent(url, password)
    except ValueError as error:
        raise OptionError(f"scope_parent_proxy: {error}") from None


def _status(text: str | None) -> StatusAddress | None:
    try:
        return read_address(text) if text else None
    except ValueError as error:
        raise OptionError(f"scope_status: {error}") from None


_SIZE = re.compile(r"([1-9][0-9]{0,8}) ?([KMG])i?B\Z")
_LIMIT = re.compile(r"([1-9][0-9]{0,5}) ?(day|file)s?\Z")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def _keeping(fsync: str, rotate: list[str]) -> Keeping:
    size = 0
    for text in rotate:
        if found := _SIZE.match(text):
            size = int(found[1]) * _UNITS[found[2]]
        elif text != "daily":
            raise OptionError(f"scope_audit_rotate: {text!r} is neither daily nor a size such as 256MB")
    return Keeping(fsync, size, "daily" in rotate)


def _retention(keep: list[str]) -> Retention:
    kept = {"day": 0, "file": 0}
    for text in keep:
        found = _LIMIT.match(text)
        if not found:
            raise OptionError(f"scope_audit_keep: {text!r} is neither such as 90 days nor 100 files")
        kept[found[2]] = int(found[1])
    return Retention(files=kept["file"], days=kept["day"])


def _split(values: Sequence[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _seconds(option: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text):
        raise OptionError(f"{option}: {text!r} is no number of seconds such as 30")
    return float(text)


def _limits(options: Options) -> Limits:
    quiet = str(options.tcp_timeout)
    found = []
    for name, default in zip(Limits._fields, ("10", "30", quiet, quiet, "3600"), strict=True):
        option = f"scope_{name}_timeout"
        found.append(_seconds(option, getattr(options, option) or default))
        if found[-1] < 1:
            raise OptionError(f"{option}: nothing could be waited for; write 1 or more")
    return Limits(*found)


def _body_limit(text: str) -> int:
    found = _SIZE.match(text)
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < size <= MAX_BODY:
        raise OptionError(f"scope_body_limit: {text!r} is no size such as 16MB, at most {MAX_BODY >> 20}MB")
    return size


def _network(option: str, text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise OptionError(f"{option}: {error}; write a network such as 10.1.0.0/16") from None


def _upstream(text: str) -> Upstream:
    host, equals, target = text.partition("=")
    address, colon, port = target.rpartition(":")
    try:
        ipaddress.ip_address(address.strip("[]"))
        if not (equals and colon and 0 < int(port) < 65536):
            raise ValueError("the port is missing or out of range")
        return Upstream(HostPatterns([host]), address.strip("[]"), int(port))
    except ValueError as error:
        raise OptionError(f"scope_connect_to: {text!r} is not HOST=ADDRESS:PORT ({error})") from None


def refuse_dangerous(options: Options) -> None:
    """Raises OptionError if one of mitmproxy's options would let anything pass the gate."""
    for name, why in REFUSED.items():
        if name in options and options.has_changed(name):
            raise OptionError(f"the option {name} can't be used with Brickscope: {why}")
    for name, value in FORCED.items():
        if name in options and getattr(options, name) != value:
            raise OptionError(f"the option {name} must stay {value!r} with Brickscope")
    modes = [mode_specs.ProxyMode.parse(mode) for mode in options.mode]
    if len(modes) != 1 or modes[0].type_name != "regular":
        raise OptionError("the option mode: only 'regular' is guarded, so Brickscope runs in no other")
    for name in ("tls_version_client_min", "tls_version_server_min"):
        if getattr(options, name) in _OLD_TLS:
            raise OptionError(f"the option {name}: TLS before 1.2 is not safe; leave it at TLS1_2")


def find_warnings(options: Options) -> list[str]:
    """What an operator should know about options that were set."""
    found = [
        f"option {name}: {why}"
        for name, why in WARNED.items()
        if name in options and options.has_changed(name)
    ]
    status = _status(options.scope_status)
    if status is not None and not status.is_local:
        found.append(
            f"option scope_status: whoever can connect to {status} sees the names of subjects and how much they call; "
            "restrict it to Prometheus by a firewall or NetworkPolicy"
        )
    if options.scope_connect_to:
        found.append(
            "option scope_connect_to: hosts are redirected to other addresses; this is for tests only"
        )
    return found


def refuse_unknown(options: Options) -> None:
    """Raises OptionError for a ``scope_...`` option that does not exist, which mitmproxy ignores in silence, and for one of
    mitmproxy's that nobody has looked at: it would be in effect on the engine's path alone, or open it."""
    names = [name for name, *_ in OURS]
    for name in options.deferred:
        close = difflib.get_close_matches(name, names, 1, 0.75)
        if name.startswith("scope") or close:
            hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}"
            raise OptionError(f"there is no option {name}{hint}")
    unknown = sorted(options.keys() - {*REFUSED, *FORCED, *KEPT, *names})
    if unknown:
        raise OptionError(
            f"this mitmproxy has options that this version of Brickscope does not know ({', '.join(unknown)}): whether they "
            "are safe was not checked. Install the mitmproxy that requirements.txt names, or a newer Brickscope."
        )


def refuse_other_loops(loop: asyncio.AbstractEventLoop) -> None:
    """Raises OptionError for an event loop that is not asyncio's own: uvloop's turns names into addresses without
    asking what checks them (``destination.check_names``)."""
    kind = type(loop)
    if not kind.__module__.startswith("asyncio."):
        raise OptionError(
            f"the event loop {kind.__module__}.{kind.__name__} is not asyncio's own: addresses would not be checked"
        )
