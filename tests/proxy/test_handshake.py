"""From what OpenSSL says of a failed handshake to its cause. The texts are those that real clients led to."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.audit.event import EVENTS
from brickscope.proxy.handshake import CAUSES, PHRASES, Repetition, TlsSide, find_cause

SEEN: dict[str, tuple[TlsSide, str | None, str]] = {
    "curl and Python name the authority": ("client", "tlsv1 alert unknown ca", "ca_unknown"),
    "Java does not say what is wrong": (
        "client",
        "tls alert certificate unknown",
        "certificate_refused",
    ),
    "older Go": ("client", "ssl/tls alert bad certificate", "certificate_refused"),
    "a client with a wrong clock": (
        "client",
        "ssl/tls alert certificate expired",
        "certificate_expired",
    ),
    "a hang-up": ("client", "unexpected eof while reading", "closed_by_client"),
    "TLS 1.1": ("client", "unsupported protocol", "protocol_version"),
    "no cipher in common": ("client", "no shared cipher", "no_shared_cipher"),
    "no TLS at all": ("client", "wrong version number", "not_tls"),
    "something new": ("client", "b", "other"),
    "nothing": ("client", None, "closed_by_client"),
    "a server whose certificate is not trusted": (
        "server",
        "certificate verify failed: self-signed certificate in certificate chain",
        "server_untrusted",
    ),
    "a server that hangs up": ("server", "unexpected eof while reading", "closed_by_server"),
    "a server that says nothing": ("server", None, "closed_by_server"),
    "a server of another century": (
        "server",
        "tlsv1 alert protocol version",
        "protocol_version",
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_the_cause_of(case: str) -> None:
    side, error, cause = SEEN[case]
    assert find_cause(side, error) == cause


def test_a_host_name_is_no_cause() -> None:
    # The client picks it, and OpenSSL's text could hold it; but no host name has a blank.
    assert all(" " in phrase for phrases in PHRASES.values() for phrase in phrases)


def test_the_published_list_is_the_list() -> None:
    assert set(EVENTS["tls_refused"]["cause"].words) == set(CAUSES)


def test_every_cause_is_documented_and_has_a_sentence() -> None:
    document = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
    for cause, said in CAUSES.items():
        assert f"| `{cause}` |" in document
        assert said["sentence"]


def test_what_was_said_is_not_said_again_for_a_while_and_memory_is_bounded() -> None:
    said = Repetition(seconds=600, most=10)
    assert said.is_new("a", now=0)
    assert not said.is_new("a", now=500)
    assert said.is_new("a", now=601)
    assert not said.is_new("a", now=700)
    for number in range(1000):
        assert said.is_new(str(number), now=700)
    assert len(said._said) == 10
