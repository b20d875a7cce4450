"""The proxy's URL, NO_PROXY as each client reads it, the variables, and the table of clients."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.host.no_proxy import find_bypasses, without_bypasses
from brickscope.host.proxy_url import mask, read_proxy_url
from brickscope.host.stack import STACKS, find_stack, names
from brickscope.host.variables import CA_VARIABLES, java_options, variables
from brickscope.shipped import table

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
ALL = {"requests", "go", "curl", "grpc", "node"}


@pytest.mark.parametrize(
    ("text", "host", "port", "user", "password"),
    [
        ("http://10.0.8.2:8080", "10.0.8.2", 8080, "", ""),
        ("http://proxy.example:3128/", "proxy.example", 3128, "", ""),
        ("http://[::1]:8080", "::1", 8080, "", ""),
        ("http://me:p%40ss@h:1", "h", 1, "me", "p@ss"),
    ],
)
def test_a_url_of_a_proxy(text: str, host: str, port: int, user: str, password: str) -> None:
    proxy = read_proxy_url(text)
    assert (proxy.host, proxy.port, proxy.user, proxy.password) == (host, port, user, password)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("10.0.8.2:8080", "no scheme"),
        ("https://10.0.8.2:8080", "the way to the proxy is http://"),
        ("socks5://10.0.8.2:1080", "http://"),
        ("http://10.0.8.2", "names no port"),
        ("http://10.0.8.2:8080/path", "is not http://HOST:PORT"),
        ("http://10.0.8.2:99999", "not a proxy's URL"),
        ("http://:8080", "is not http://HOST:PORT"),
        ("http://h:1\nX: y", "invalid characters"),
        ("me:secret@h:1", "no scheme"),
        ("https://me:secret@h:1", "http://"),
        ("http://me:secret@h:1/x", "is not"),
    ],
)
def test_what_is_no_url_of_a_proxy_is_refused_without_its_password(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        read_proxy_url(text)
    assert "secret" not in str(error.value)


@given(st.text())
def test_a_mask_hides_the_password(secret: str) -> None:
    assert mask(f"http://me:{secret}@host:1") == "http://me:***@host:1"


@given(st.text().filter(lambda text: ":" not in text))
def test_a_mask_hides_a_name_without_a_password_which_may_be_a_token(secret: str) -> None:
    assert mask(f"http://{secret}@host:1") == "http://***@host:1"


def test_a_mask_hides_a_password_where_the_scheme_is_missing() -> None:
    assert mask("me:s3cret@host:1") == "me:***@host:1"
    assert mask("http://me:s3cret://@@host:1") == "http://me:***@host:1"


@pytest.mark.parametrize(
    ("entry", "clients"),
    [
        ("*", ALL - {"grpc"}),
        (HOST, ALL),
        (HOST.upper(), ALL),
        (f"{HOST}:443", {"go", "node"}),
        (".databricks.com", ALL),
        ("databricks.com", ALL),
        ("*.databricks.com", {"go", "node"}),
        ("bricks.com", {"requests", "grpc"}),  # no label borders
        ("com", ALL),
        ("localhost", set()),
        ("10.0.0.0/8", set()),
        ("example.com", set()),
    ],
)
def test_an_entry_that_leads_past_the_proxy(entry: str, clients: set[str]) -> None:
    found = find_bypasses(f"localhost, {entry}", HOST)
    assert {client for bypass in found for client in bypass.clients} == clients
    left = without_bypasses(f"localhost, {entry},127.0.0.1", HOST)
    assert find_bypasses(left, HOST) == []
    assert "localhost" in left
    assert "127.0.0.1" in left


def test_blanks_and_empty_entries_fit_nothing() -> None:
    assert find_bypasses(" , ,. ,*.,", HOST) == []


def test_all_clients_get_proxy_and_trust() -> None:
    made = variables(read_proxy_url("http://h:1"), Path("/b.pem"), truststore=Path("/b.p12"))
    for stack in STACKS:
        assert set(stack.proxy) & set(made), stack.name
        if stack.name not in ("git", "pip"):
            assert set(stack.ca) & set(made), stack.name
        if stack.switch:
            assert made[stack.switch[0]] == stack.switch[1]
    assert {made[name] for name in CA_VARIABLES} == {"/b.pem"}


def test_the_variable_that_counts_for_a_client_is_one_that_is_set() -> None:
    made = variables(read_proxy_url("http://h:1"), Path("/b.pem"), truststore=Path("/b.p12"))
    for stack in STACKS:
        # A variable that goes before ours would win, so none before it may be ours by another value.
        first = next(name for name in stack.proxy if name in made)
        assert "h" in made[first], stack.name


def test_java_keeps_its_other_options_and_ours_are_there_once() -> None:
    proxy = read_proxy_url("http://h:1")
    once = java_options(proxy, Path("/a b/it's.p12"), "-Xmx1g -Duser.timezone=UTC")
    assert once.startswith("-Xmx1g -Duser.timezone=UTC -Dhttps.proxyHost=h -Dhttps.proxyPort=1 ")
    assert java_options(proxy, Path("/a b/it's.p12"), once) == once
    again = java_options(read_proxy_url("http://other:2"), Path("/c.p12"), once)
    assert "a b" not in again
    assert again.count("proxyHost") == 1


@given(st.text("ab \"'", min_size=1).map(lambda text: f"/{text}.p12"))
def test_java_reads_any_path(path: str) -> None:
    # HotSpot joins quoted and bare pieces as sh does, and knows no other escape; there is none in what we write.
    options = java_options(read_proxy_url("http://h:1"), Path(path))
    assert f"-Djavax.net.ssl.trustStore={Path(path)}" in shlex.split(options)


def test_each_fact_has_a_source_and_each_client_is_found() -> None:
    assert len({stack.name for stack in STACKS}) == len(STACKS)
    assert all(written["sources"] for written in table("brickscope.host", "stack.yaml"))
    for stack in STACKS:
        assert stack.proxy
        assert find_stack(stack.name) is stack
    for name in names():
        assert find_stack(name)
    assert find_stack("nonsense") is None
