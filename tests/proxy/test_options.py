"""Options: every one of the installed engine's is looked at; what opens the gate is refused with a reason."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from brickscope.log.closed import Retention
from brickscope.log.writer import Keeping
from brickscope.proxy import options as ours
from brickscope.proxy.deadlines import Limits
from brickscope.proxy.options import (
    FORCED,
    KEPT,
    OURS,
    REFUSED,
    WARNED,
    OptionError,
    find_warnings,
    read_settings,
    refuse_dangerous,
    refuse_other_loops,
    refuse_unknown,
)
from whole import TESTS


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


def test_every_option_of_the_engine_is_in_one_list() -> None:
    own = {name for name, *_ in OURS}
    unknown = with_options(lambda options: set(options.keys()) - own - {*REFUSED, *FORCED, *KEPT})
    assert unknown == set(), "decide for each: refused, forced or kept"
    for one, other in itertools.combinations([set(REFUSED), set(FORCED), set(KEPT)], 2):
        assert one & other == set()
    assert set(WARNED) <= set(KEPT)


SEEN = {
    "proxy/test_front_admission.py": ["block_global", "block_private", "proxyauth"],
    "proxy/test_contexts.py": [
        "cert_passphrase",
        "certs",
        "ciphers_client",
        "ciphers_server",
        "http2",
        "ssl_verify_upstream_trusted_ca",
        "ssl_verify_upstream_trusted_confdir",
        "tls_ecdh_curve_client",
        "tls_ecdh_curve_server",
        "tls_version_client_max",
        "tls_version_client_min",
        "tls_version_server_max",
        "tls_version_server_min",
    ],
    "proxy/test_tunnel_hosts.py": ["connect_addr"],
    "proxy/test_listener.py": ["listen_host", "listen_port"],
    "proxy/test_options.py": ["mode", "tcp_timeout"],
}
"""Which test sees the effect of an option that is brought about by us."""
BY_MITMPROXY = [
    "confdir",
    "keepserving",
    "key_size",
    "scripts",
    "termlog_verbosity",
]
"""Brought about by mitmproxy alone: nothing of ours is on the way."""


def test_the_effect_of_what_is_kept_is_seen() -> None:
    assert sorted(KEPT) == sorted(itertools.chain(BY_MITMPROXY, *SEEN.values()))
    for file, names in SEEN.items():
        text = (TESTS / file).read_text(encoding="utf-8")
        assert [name for name in names if name not in text] == []


def test_what_is_waited_for_between_bytes_is_mitmproxys_unless_said() -> None:
    assert settings(tcp_timeout=77).limits == Limits(10.0, 30.0, 77.0, 77.0, 3600.0)
    own = {f"scope_{name}_timeout": str(at) for at, name in enumerate(Limits._fields, 2)}
    assert settings(tcp_timeout=77, **own).limits == Limits(2.0, 3.0, 4.0, 5.0, 6.0)


WITHOUT_EFFECT: dict[str, Any] = {
    "dumper_filter": "~u jobs",
    "server_replay_extra": "kill",
    "dns_name_servers": ["192.0.2.1"],
    "keep_alt_svc_header": True,
    "strip_ech": False,
    "http2_ping_keepalive": 5,
}


@pytest.mark.parametrize(("name", "value"), WITHOUT_EFFECT.items(), ids=WITHOUT_EFFECT)
def test_an_option_without_effect_is_refused(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{name} .* no effect"):
        with_options(refuse_dangerous, **{name: value})


def test_an_option_that_nobody_has_looked_at_stops_the_start() -> None:
    def look(options: Options) -> None:
        options.add_option("brand_new", bool, False, "Of the next mitmproxy.")
        refuse_unknown(options)

    with pytest.raises(OptionError, match="brand_new"):
        with_options(look)


@pytest.mark.parametrize(
    ("kind", "fine"), [("asyncio.unix_events", True), ("uvloop", False), ("asyncio_x", False)]
)
def test_another_event_loop_stops_the_start(kind: str, fine: bool) -> None:
    loop = type("Loop", (), {"__module__": kind})()
    with nullcontext() if fine else pytest.raises(OptionError, match="addresses would not be checked"):
        refuse_other_loops(loop)


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
    assert read.destinations.scope.patterns == ("*.cloud.databricks.com", "*.databricksapps.com")
    assert read.destinations.relay_other_hosts


BAD = {
    "an unknown word": ({"scope_other_hosts": "maybe"}, "neither tunnel nor deny"),
    "a pattern for everything": ({"scope_hosts": ["*"]}, "is not a host pattern"),
    "no pattern": ({"scope_hosts": [""]}, "no host is under policy"),
    "a network with host bits": ({"scope_allow_addresses": ["10.0.0.1/8"]}, "host bits"),
    "no network": ({"scope_allow_addresses": ["everything"]}, "such as 10.1.0.0/16"),
    "no target": ({"scope_connect_to": ["x.example"]}, "HOST=ADDRESS:PORT"),
    "a target without a port": ({"scope_connect_to": ["x.example=127.0.0.1"]}, "HOST=ADDRESS:PORT"),
    "a target by name": ({"scope_connect_to": ["x.example=localhost:1"]}, "HOST=ADDRESS:PORT"),
    "hints of another word": ({"scope_hints": "yes"}, "neither on nor off"),
    "a sync of another word": ({"scope_audit_fsync": "sometimes"}, "neither always nor interval nor never"),
    "a sync of no word": ({"scope_audit_fsync": ""}, "'' is neither always nor interval nor never"),
    "hints of no word": ({"scope_hints": ""}, "neither on nor off"),
    "other hosts of no word": ({"scope_other_hosts": ""}, "neither tunnel nor deny"),
    "another compression": (
        {"scope_audit_compress": "lzma"},
        "scope_audit_compress: 'lzma' is neither zstd nor gzip nor none",
    ),
    "another format": ({"scope_log_format": "xml"}, "neither text nor json"),
    "a rotation by the hour": ({"scope_audit_rotate": ["hourly"]}, "neither daily nor a size such as 256MB"),
    "weeks to keep": ({"scope_audit_keep": ["2 weeks"]}, "neither such as 90 days nor 100 files"),
    "a time with its unit": ({"scope_stop_after": "30s"}, "no number of seconds such as 30"),
    "a wait for nothing": ({"scope_idle_timeout": "0.5"}, "nothing could be waited for"),
    "a limit without a unit": ({"scope_body_limit": "16"}, "no size such as 16MB"),
    "a limit beyond memory": ({"scope_body_limit": "900GB"}, "no size such as 16MB"),
    "a status without an address": ({"scope_status": "9464"}, "scope_status: .* is not an address and port"),
    "a parent that is none": ({"scope_parent_proxy": "socks5://p:1"}, "scope_parent_proxy: "),
    "a password for no parent": (
        {"scope_parent_proxy_password": "/run/password"},
        "no scope_parent_proxy that it would be for",
    ),
    "a password that does not end": (
        {"scope_parent_proxy": "http://p.example:1", "scope_parent_proxy_password": "/dev/zero"},
        "is not one line USER:PASSWORD",
    ),
    "a parent and a way round it": (
        {"scope_parent_proxy": "http://p.example:1", "scope_connect_to": ["x.example=127.0.0.1:1"]},
        "would bypass scope_parent_proxy",
    ),
    **{
        f"a home of nobody in {name}": ({name: "~no-such-user/x"}, f"{name}: .* does not have")
        for name in (
            *("scope_rules", "scope_audit_log", "scope_audit_keys", "scope_credentials", "confdir"),
            *("scope_parent_proxy_password", "ssl_verify_upstream_trusted_ca"),
        )
    },
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_a_bad_value_of_ours_is_an_error_in_words(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(
        tmp_path
    )  # mitmproxy makes its authority in the folder that was named, whatever that is
    with pytest.raises(OptionError, match=message):
        settings(**changes)


def test_lists_may_be_given_with_commas() -> None:
    read = settings(
        scope_hosts=["*.cloud.databricks.com, acme.databricks.com"], scope_connect_to=["a.example=[::1]:1"]
    )
    assert read.destinations.scope.match("acme.databricks.com")
    assert read.destinations.upstream("a.example") is not None


def test_how_the_log_is_kept() -> None:
    read = settings(scope_audit_rotate=["daily, 256MB"], scope_audit_keep=["90 days", "1 file"])
    assert read.keeping == Keeping("interval", 256 * 2**20, True)
    assert read.retention == Retention(files=1, days=90)


@pytest.mark.parametrize(
    ("address", "said"), [("10.0.8.2:9464", True), ("[::1]:9464", False), ("unix:/run/x.sock", False)]
)
def test_a_status_that_others_can_reach_is_said_aloud(address: str, said: bool) -> None:
    found = with_options(find_warnings, scope_status=address)
    assert [text.partition(";")[0] for text in found] == [
        f"option scope_status: whoever can connect to {address} sees the names of subjects and how much they call"
    ] * said


def test_redirected_hosts_are_said_aloud() -> None:
    (warning,) = with_options(find_warnings, scope_connect_to=["a.example=127.0.0.1:1"])
    assert "for tests only" in warning
