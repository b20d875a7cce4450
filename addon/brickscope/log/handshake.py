"""Why a TLS handshake failed, as far as the other side let it be known: the closed list of ``cause`` in ``tls_refused``.

TLS says it with an alert (RFC 8446 section 6.2); a client may also just hang up. Which client sends what was seen in runs
(tests/e2e/test_refused_handshakes.py): curl, Python and Go's older releases name the authority, Java says
``certificate_unknown``, Node and gRPC hang up.
"""

from __future__ import annotations

from enum import StrEnum

_MEND = "run `brickscope doctor` on that host, or give it what `brickscope client-env` prints"


class HandshakeCause(StrEnum):
    """A code, its meaning as a sentence (``sentence``), and what to do about it (``advice``)."""

    sentence: str
    advice: str

    def __new__(cls, code: str, sentence: str, advice: str = "") -> HandshakeCause:
        """A member by its code and what it says."""
        made = str.__new__(cls, code)
        made._value_ = code
        made.sentence = sentence
        made.advice = advice
        return made

    CA_UNKNOWN = "ca_unknown", "the client does not trust the proxy's CA", _MEND
    CERTIFICATE_REFUSED = (
        "certificate_refused",
        "the client does not accept the proxy's certificate: it does not trust the CA (the alert that Java and Go send), "
        "or it accepts only one certificate that it knows (pinning)",
        f"{_MEND}; a client that pins can't be used through any such proxy",
    )
    CERTIFICATE_EXPIRED = (
        "certificate_expired",
        "to the client, the proxy's certificate or CA has expired; or its clock is wrong",
        "compare the clocks, check when the proxy's CA expires, and " + _MEND,
    )
    CLOSED_BY_CLIENT = (
        "closed_by_client",
        "the client closed the connection without an alert; Node and gRPC do so when they do not trust the proxy's CA",
        _MEND,
    )
    PROTOCOL_VERSION = (
        "protocol_version",
        "the two sides share no version of TLS; the proxy speaks 1.2 and 1.3",
        "update the client or its TLS library",
    )
    NO_SHARED_CIPHER = (
        "no_shared_cipher",
        "the two sides share no cipher",
        "update the client, or take away its list of ciphers",
    )
    SERVER_NAME = (
        "server_name",
        "one side does not know the other's server name",
        "the client has to name the workspace's host, and no address, in its URL",
    )
    NOT_TLS = "not_tls", "what came is not TLS", "the client has to use https in the tunnel"
    SERVER_UNTRUSTED = (
        "server_untrusted",
        "the proxy does not trust the server's certificate",
        "if a company's gateway is in between, give its CA with ssl_verify_upstream_trusted_ca",
    )
    CLOSED_BY_SERVER = (
        "closed_by_server",
        "the server closed the connection without an alert",
        "check the network path to the server",
    )
    OTHER = "other", "the cause is not known; `detail` holds what the TLS library said", ""
