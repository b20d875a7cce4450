"""Options: every one of the installed engine's is looked at; what opens the gate is refused with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from brickscope.proxy import options as ours
from brickscope.proxy.options import (
    FORCED,
    FREE,
    OURS,
    REFUSED,
    WARNED,
    OptionError,
    find_warnings,
    read_settings,
    refuse_dangerous,
    refuse_unknown,
)


def with_options(look: Callable[[Options], Any], **changes: Any) -> Any:
    """Run ``look`` on the options of a real mitmdump, with ours added and the forced ones set."""

    async def run() -> Any:
        options = Options()
        DumpMaster(options)
        for name, kind, default, text in OURS:
            options.add_option(name, kind, default, text)
        options.update(**FORCED)
        options.update_defer(**changes)
        return look(options)

    return asyncio.run(run())


def test_every_option_of_the_engine_is_in_a_list() -> None:
    known = set(REFUSED) | set(FORCED) | set(WARNED) | FREE | {name for name, *_ in OURS}
    unknown = with_options(lambda options: set(options.keys()) - known)
    assert unknown == set(), "decide for each: refused, forced, warned or free"


DANGEROUS: dict[str, Any] = {
    "ignore_hosts": [".*"],
    "allow_hosts": ["x"],
    "tcp_hosts": [".*"],
    "udp_hosts": [".*"],
    "show_ignored_hosts": True,
    "map_remote": ["|a|b"],
    "map_local": ["|a|/etc"],
    "modify_headers": ["/x/y"],
    "modify_body": ["/x/y/z"],
    "client_replay": ["/dev/null"],
    "server_replay": ["/dev/null"],
    "rfile": "/dev/null",
    "stickyauth": ".*",
    "stickycookie": ".*",
    "upstream_auth": "a:b",
    "save_stream_file": "/dev/null",
    "hardump": "/dev/null",
    "ssl_insecure": True,
    "validate_inbound_headers": False,
    "stream_large_bodies": "1m",
    "body_size_limit": "1m",
    "store_streamed_bodies": True,
    "proxy_debug": True,
    "client_certs": "/dev/null",
    "rawtcp": True,
    "websocket": True,
    "connection_strategy": "eager",
    "flow_detail": 2,
    "mode": ["socks5"],
    "tls_version_server_min": "TLS1",
    "tls_version_client_min": "UNBOUNDED",
}


@pytest.mark.parametrize(("name", "value"), DANGEROUS.items(), ids=DANGEROUS)
def test_an_option_that_opens_the_gate_is_refused(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=name):
        with_options(refuse_dangerous, **{name: value})


@pytest.mark.parametrize(
    "mode", [["upstream:http://x"], ["transparent"], ["reverse:https://x"], ["regular", "socks5"]]
)
def test_only_the_regular_mode_is_guarded(mode: list[str]) -> None:
    with pytest.raises(OptionError, match="mode"):
        with_options(refuse_dangerous, mode=mode)


def test_the_defaults_are_fine() -> None:
    with_options(refuse_dangerous)
    assert with_options(find_warnings) == []
    with_options(refuse_unknown)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("scope_other_host", "scope_other_hosts"),
        ("scope_ruels", "scope_rules"),
        ("scope_x", "there are scope_rules"),
    ],
)
def test_a_misspelt_option_is_an_error(name: str, hint: str) -> None:
    with pytest.raises(OptionError, match=hint):
        with_options(refuse_unknown, **{name: "deny"})


def settings(**changes: Any) -> ours.Settings:
    found = with_options(lambda options: read_settings(options), **changes)
    assert isinstance(found, ours.Settings)
    return found


def test_defaults_of_our_options() -> None:
    read = settings()
    assert read.rules == Path("rules").absolute()
    assert read.audit_log == Path("audit.jsonl").absolute()
    assert read.destinations.scope.patterns == ("*.cloud.databricks.com",)
    assert read.destinations.relay_other_hosts


BAD = {
    "an unknown word": ({"scope_other_hosts": "maybe"}, "neither tunnel nor deny"),
    "a pattern for everything": ({"scope_hosts": ["*"]}, "no host pattern"),
    "no pattern": ({"scope_hosts": [""]}, "no host is under policy"),
    "a network with host bits": ({"scope_allow_addresses": ["10.0.0.1/8"]}, "host bits"),
    "no network": ({"scope_allow_addresses": ["everything"]}, "such as 10.1.0.0/16"),
    "no target": ({"scope_connect_to": ["x.example"]}, "HOST=ADDRESS:PORT"),
    "a target without a port": ({"scope_connect_to": ["x.example=127.0.0.1"]}, "HOST=ADDRESS:PORT"),
    "a target by name": ({"scope_connect_to": ["x.example=localhost:1"]}, "HOST=ADDRESS:PORT"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_a_bad_value_of_ours_is_an_error_in_words(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        settings(**changes)


def test_lists_may_be_given_with_commas() -> None:
    read = settings(
        scope_hosts=["*.cloud.databricks.com, acme.databricks.com"], scope_connect_to=["a.example=[::1]:1"]
    )
    assert read.destinations.scope.match("acme.databricks.com")
    assert read.destinations.upstream("a.example") is not None


def test_redirected_hosts_are_said_aloud() -> None:
    (warning,) = with_options(find_warnings, scope_connect_to=["a.example=127.0.0.1:1"])
    assert "for tests only" in warning
