"""What the start says of versions that are installed, and what of them goes into the log."""

from __future__ import annotations

from importlib import metadata

import pytest

from brickscope.proxy.versions import OLDEST_SAFE, components, installed, warnings

SAFE = {"mitmproxy": "12.3.1", "h2": "4.4.1", "cryptography": "50.0.0"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"h2": "4.3.0"}, ["h2 4.3.0 has known flaws: install h2>=4.4.1"]),
        ({"h2": "4.10.0"}, []),
        ({"h2": "5"}, []),
        ({"h2": "4"}, ["h2 4 has known flaws: install h2>=4.4.1"]),
        ({"h2": "of our own make"}, ["h2 of our own make has known flaws: install h2>=4.4.1"]),
        ({"cryptography": "49.0.0"}, ["cryptography 49.0.0 has known flaws: install cryptography>=50.0.0"]),
        ({"mitmproxy": "12.2.1"}, ["mitmproxy 12.2.1 has known flaws: install mitmproxy>=12.2.2"]),
    ],
    ids=["all safe", "older", "newer, though less as text", "a major", "a short one", "unreadable", "c", "m"],
)
def test_a_version_with_a_known_flaw_is_warned_of(
    changed: dict[str, str], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SAFE.keys() == OLDEST_SAFE.keys()
    monkeypatch.setattr(metadata, "version", lambda name: {**SAFE, **changed}.get(name, "1"))
    assert warnings() == said


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert installed() == {}
    assert warnings() == []
    assert set(components()) == {"python", "openssl", "python-openssl"}
