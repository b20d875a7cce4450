"""From what OpenSSL says of a failed handshake to its cause. The texts are those that real clients led to."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.audit.event import EVENTS
from brickscope.log.handshake import HandshakeCause
from brickscope.proxy.handshake import _PHRASES, Repetition, TlsSide, find_cause

SEEN: dict[str, tuple[TlsSide, str | None, HandshakeCause]] = {
    "curl and Python name the authority": ("client", "tlsv1 alert unknown ca", HandshakeCause.CA_UNKNOWN),
    "Java does not say what is wrong": (
        "client",
        "tls alert certificate unknown",
        HandshakeCause.CERTIFICATE_REFUSED,
    ),
    "older Go": ("client", "ssl/tls alert bad certificate", HandshakeCause.CERTIFICATE_REFUSED),
    "a client with a wrong clock": (
        "client",
        "ssl/tls alert certificate expired",
        HandshakeCause.CERTIFICATE_EXPIRED,
    ),
    "a hang-up": ("client", "unexpected eof while reading", HandshakeCause.CLOSED_BY_CLIENT),
    "TLS 1.1": ("client", "unsupported protocol", HandshakeCause.PROTOCOL_VERSION),
    "no cipher in common": ("client", "no shared cipher", HandshakeCause.NO_SHARED_CIPHER),
    "no TLS at all": ("client", "wrong version number", HandshakeCause.NOT_TLS),
    "something new": ("client", "b", HandshakeCause.OTHER),
    "nothing": ("client", None, HandshakeCause.CLOSED_BY_CLIENT),
    "a server whose certificate is not trusted": (
        "server",
        "certificate verify failed: self-signed certificate in certificate chain",
        HandshakeCause.SERVER_UNTRUSTED,
    ),
    "a server that hangs up": ("server", "unexpected eof while reading", HandshakeCause.CLOSED_BY_SERVER),
    "a server that says nothing": ("server", None, HandshakeCause.CLOSED_BY_SERVER),
    "a server of another century": (
        "server",
        "tlsv1 alert protocol version",
        HandshakeCause.PROTOCOL_VERSION,
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_the_cause_of(case: str) -> None:
    side, error, cause = SEEN[case]
    assert find_cause(side, error) is cause


def test_a_host_name_is_no_cause() -> None:
    # The client picks it, and OpenSSL's text could hold it; but no host name has a blank.
    assert all(" " in phrase for phrases in _PHRASES.values() for phrase, _ in phrases)


def test_the_published_list_is_the_list() -> None:
    assert set(EVENTS["tls_refused"]["cause"].words) == {cause.value for cause in HandshakeCause}


def test_every_cause_is_documented_and_has_a_sentence() -> None:
    document = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
    for cause in HandshakeCause:
        assert f"| `{cause.value}` |" in document
        assert cause.sentence


def test_what_was_said_is_not_said_again_for_a_while_and_memory_is_bounded() -> None:
    said = Repetition(seconds=600, most=10)
    assert said.is_new("a", now=0)
    assert not said.is_new("a", now=500)
    assert said.is_new("a", now=601)
    assert not said.is_new("a", now=700)
    for number in range(1000):
        assert said.is_new(str(number), now=700)
    assert len(said._said) == 10
