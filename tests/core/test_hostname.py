"""Host names: canonical spelling, patterns, and the zones that no token may go round by."""

from __future__ import annotations

import pytest

from brickscope.core.hostname import (
    HostPatterns,
    bare,
    host_of,
    in_databricks_zone,
    is_hostname,
    is_numeric,
)

NAMES = [
    ("dbc-a.cloud.databricks.com", True),
    ("localhost", True),
    ("xn--caf-dma.example", True),
    ("a_b.example", True),
    ("DBC-A.cloud.databricks.com", False),
    ("dbc-a.cloud.databricks.com.", False),
    (".cloud.databricks.com", False),
    ("a..b", False),
    ("-a.example", False),
    ("caf\u00e9.example", False),
    ("a b.example", False),
    ("a%2e.example", False),
    ("127.0.0.1", False),
    ("127.1", False),
    ("0x7f.1", False),
    ("2130706433", False),
    ("[::1]", False),
    ("::1", False),
    ("", False),
    ("a\n", False),
    ("a" * 64, False),
]


@pytest.mark.parametrize(("text", "expected"), NAMES)
def test_only_plain_lower_case_names_are_host_names(text: str, expected: bool) -> None:
    assert is_hostname(text) is expected


@pytest.mark.parametrize("text", ["1", "1.2.3.4", "0x7f000001", "010.0.0.1", "1.2.3.4.", "a.0x"])
def test_a_host_that_ends_in_a_number_is_an_address(text: str) -> None:
    assert is_numeric(text)


MATCHES = [
    ("dbc-a.cloud.databricks.com", True),
    ("uid.serving.cloud.databricks.com", True),
    ("cloud.databricks.com", False),
    ("xcloud.databricks.com", False),
    ("dbc-a.cloud.databricks.com.evil.example", False),
    ("acme.databricks.com", True),
    ("x.acme.databricks.com", False),
]


@pytest.mark.parametrize(("host", "expected"), MATCHES)
def test_patterns_match_whole_labels(host: str, expected: bool) -> None:
    assert HostPatterns(["*.cloud.databricks.com", "acme.databricks.com"]).match(host) is expected


@pytest.mark.parametrize(
    "pattern", ["*", "*.", "*.com", "a*.example.com", "https://x.example", "X.example", "1.2.3.4"]
)
def test_a_pattern_that_says_too_much_or_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a host pattern"):
        HostPatterns([pattern])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("adb-1.2.azuredatabricks.net", True),
        ("1.gcp.databricks.com", True),
        ("acme.databricks.com", True),
        ("accounts.cloud.databricks.us", True),
        ("docs.databricks.com", False),
        ("notdatabricks.com", False),
        ("databricks.com.evil.example", False),
        ("example.org", False),
        ("databricks.com", False),
        ("www.databricks.com", False),
        ("kb.databricks.com", False),
        ("community.databricks.com", False),
        ("help.databricks.com", False),
        ("x.docs.databricks.com", True),
        ("api.databricks.com", True),
        ("databricks.us", True),
        ("orders-1.aws.databricksapps.com", True),
        ("databricksapps.com.evil.example", False),
        ("x.databricks.us", True),
        ("azuredatabricks.net", True),
        ("databricks.azure.us", True),
        ("adb-1.2.databricks.azure.us", True),
        ("databricks.azure.cn", True),
        ("adb-1.2.databricks.azure.cn", True),
        ("xazuredatabricks.net", False),
        ("dbc-a.cloud.databricks.mil", True),
        ("accounts-dod.cloud.databricks.mil", True),
        ("accounts.azuredatabricks.us", True),
        ("accounts.azuredatabricks.cn", True),
        ("databricks.example.com", False),
        ("databricks.azure.com.evil.example", False),
        ("databricks", False),
    ],
)
def test_workspaces_of_every_cloud_are_known(host: str, expected: bool) -> None:
    assert in_databricks_zone(host) is expected


def test_folding_finds_a_host_in_every_spelling() -> None:
    assert bare("DBC-A.Cloud.Databricks.COM..") == "dbc-a.cloud.databricks.com"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://H.example:8443/x", "h.example"),
        ("https://me@h.example", "h.example"),
        ("h.example/x", ""),
        ("", ""),
        ("https://", ""),
        ("https://[", ""),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
