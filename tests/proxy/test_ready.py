"""What a first connection needs is there when it comes, and it is what mitmproxy would have made itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.net import tls as net_tls
from mitmproxy.options import Options
from mitmproxy.test import taddons

from brickscope.core.policy import Mode, Policy, Principals, RuleSet, Subject
from brickscope.core.rule import RuleTable
from brickscope.proxy.contexts import MOST_READY, Contexts, known_hosts

RULES = RuleSet("none", RuleTable(()), RuleTable(()))
HOME = "dbc-home.cloud.databricks.com"


def policy(*workspaces: str, principal: str = "") -> Policy:
    subjects = {f"sha256:{name}": Subject(name, RULES, workspaces=frozenset([name])) for name in workspaces}
    principals = Principals(
        {"etl": Subject("etl", RULES, workspaces=frozenset([principal]))} if principal else {}
    )
    return Policy(subjects, {"none": RULES}, Mode.ENFORCE, "test", principals)


@pytest.mark.parametrize(
    ("patterns", "bound", "expected"),
    [
        (["*.cloud.databricks.com", HOME], policy(), [HOME]),
        (["*.cloud.databricks.com"], policy(HOME, f"{HOME}?o=17"), [HOME]),
        (["*.cloud.databricks.com"], policy(principal=HOME), [HOME]),
        (["*.cloud.databricks.com"], policy(), ["cloud.databricks.com"]),
    ],
    ids=["named by scope_hosts", "a token's workspace", "a principal's workspace", "only a wildcard"],
)
def test_known_hosts(patterns: list[str], bound: Policy, expected: list[str]) -> None:
    assert known_hosts(patterns, bound) == expected


def test_there_is_a_limit_to_what_is_made_ahead() -> None:
    many = policy(*(f"dbc-{number}.cloud.databricks.com" for number in range(2 * MOST_READY)))
    assert len(known_hosts(["*.cloud.databricks.com"], many)) == MOST_READY


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[TlsConfig, Options]]:
    # mitmproxy keeps contexts for the whole process: whatever test came before may have had the same ones made.
    net_tls.create_client_proxy_context.cache_clear()
    net_tls.create_proxy_server_context.cache_clear()
    config = TlsConfig()
    with taddons.context(Proxyserver(), config) as context:
        context.configure(config, confdir=str(tmp_path), upstream_cert=False)
        yield config, context.options


def made(config: TlsConfig) -> tuple[int, int]:
    """How many certificates, and TLS contexts towards hosts, were made so far."""
    return len(config.certstore.certs), net_tls.create_proxy_server_context.cache_info().misses


def test_a_connection_to_a_prepared_host_has_nothing_made(engine: tuple[TlsConfig, Options]) -> None:
    config, options = engine
    before, contexts = made(config), Contexts(config, options)
    contexts.make_ready([HOME])
    prepared = made(config)
    assert all(now > then for now, then in zip(prepared, before, strict=True))
    towards_client = contexts.for_client(HOME, HOME).get_context()
    contexts.for_host(HOME)
    assert made(config) == prepared
    assert contexts.for_client(HOME, HOME).get_context() is towards_client


def test_an_authority_that_mitmproxy_has_not_opened_yet_is_opened(engine: tuple[TlsConfig, Options]) -> None:
    config, options = engine
    config.certstore = None  # type: ignore[assignment]
    Contexts(config, options).make_ready([HOME])
    assert config.certstore is not None


def test_a_host_that_was_not_prepared_gets_a_certificate_of_its_own(
    engine: tuple[TlsConfig, Options],
) -> None:
    config, options = engine
    contexts = Contexts(config, options)
    contexts.make_ready([HOME])
    certificates = len(config.certstore.certs)
    contexts.make_ready(["dbc-other.cloud.databricks.com"])
    assert len(config.certstore.certs) == certificates + 1
