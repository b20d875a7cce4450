"""Whether a variable leads a managed identity's calls to the proxy; held against what urllib makes of the same variables."""

from __future__ import annotations

import os
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from requests.utils import get_environ_proxies, select_proxy

from brickscope.host.managed_identity import find_detour

PROXY = "http://10.0.8.2:8080"
IMDS = "http://169.254.169.254/metadata/identity/oauth2/token"
ENDPOINTS = {
    "the machine's": ({}, IMDS),
    "App Service's": (
        {"IDENTITY_ENDPOINT": "http://127.0.0.1:41741/msi/token"},
        "http://127.0.0.1:41741/msi/token",
    ),
    "Service Fabric's": ({"IDENTITY_ENDPOINT": "https://10.0.0.4:2377/x"}, "https://10.0.0.4:2377/x"),
    "the older name": (
        {"MSI_ENDPOINT": "http://localhost:50342/oauth2/token"},
        "http://localhost:50342/oauth2/token",
    ),
}
VARIABLES = [
    {},
    {"HTTPS_PROXY": PROXY, "https_proxy": PROXY},
    {"http_proxy": PROXY},
    {"HTTP_PROXY": PROXY},
    {"ALL_PROXY": PROXY},
    {"http_proxy": PROXY, "https_proxy": PROXY},
]
LISTS = [
    {},
    {"no_proxy": "localhost,127.0.0.1,10.0.0.4,169.254.169.254"},
    {"no_proxy": "169.254.0.0/16, 127.0.0.0/8, 10.0.0.0/8, localhost"},
    {"no_proxy": "169.254.169.254 127.0.0.1 10.0.0.4 localhost"},  # blanks are no commas
    {"no_proxy": "169.254.169.254:8080,127.0.0.1:1,10.0.0.4:1,localhost:1"},
    {"NO_PROXY": "*"},
    {"no_proxy": "databricks.com"},
    {"no_proxy": "localhost", "NO_PROXY": "169.254.169.254,127.0.0.1,10.0.0.4,localhost"},
]


@pytest.mark.parametrize(("endpoint", "url"), ENDPOINTS.values(), ids=ENDPOINTS)
@pytest.mark.parametrize("variables", VARIABLES)
@pytest.mark.parametrize("lists", LISTS)
def test_it_is_what_requests_does(
    endpoint: dict[str, str], url: str, variables: dict[str, str], lists: dict[str, str]
) -> None:
    environment = endpoint | variables | lists
    found = find_detour(environment)
    with patch.dict(os.environ, environment, clear=True):
        used = select_proxy(url, get_environ_proxies(url))
    assert (found is not None) == (used is not None)
    if found is None:
        return
    assert found.endpoint == urlsplit(url).hostname
    assert found.used == bool(endpoint)
    mended = environment | {"NO_PROXY": found.no_proxy, "no_proxy": found.no_proxy}
    assert find_detour(mended) is None
    with patch.dict(os.environ, mended, clear=True):
        assert select_proxy(url, get_environ_proxies(url)) is None


def test_an_identity_that_is_asked_for_by_name_is_used() -> None:
    found = find_detour({"http_proxy": PROXY, "ARM_USE_MSI": "true"})
    assert found is not None
    assert found.used


def test_an_endpoint_that_is_no_url_is_nobodys() -> None:
    assert find_detour({"http_proxy": PROXY, "IDENTITY_ENDPOINT": "http://[x"}) is None
    assert find_detour({"http_proxy": PROXY, "IDENTITY_ENDPOINT": "somewhere"}) is None
