"""What of mitmproxy's own messages is passed on."""

from __future__ import annotations

import logging
import sys

import pytest

from brickscope.proxy.engine_log import is_passed_on


def message(text: str, *, failed: bool = False) -> logging.LogRecord:
    try:
        raise ValueError("Authorization: Bearer dapi0123456789abcdef")
    except ValueError:
        found = sys.exc_info() if failed else None
    return logging.LogRecord("mitmproxy.proxy.server", logging.WARNING, "", 0, text, (), found)


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("Client TLS handshake failed. The client may not trust the proxy's certificate for x", False),
        ("Server TLS handshake failed. Certificate verify failed", False),
        ("Unable to establish connection: Client TLS handshake failed.", True),
        ("server error", True),
    ],
)
def test_handshakes_are_told_of_by_the_gate_alone(text: str, passed: bool) -> None:
    assert is_passed_on(message(text)) is passed


def test_an_exception_is_cut_down_to_its_type() -> None:
    record = message("mitmproxy has crashed!", failed=True)
    assert is_passed_on(record)
    assert record.getMessage() == "the engine failed on a connection and closed it (ValueError)"
    assert record.exc_info is None
