"""What a head says to the next hop alone, which is not passed on (RFC 9110 section 7.6.1)."""

_HOPS = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"te",
        b"upgrade",
        # RFC 9110 sections 11.7.1 and 11.7.2: between a client and its proxy.
        b"proxy-authenticate",
        b"proxy-authorization",
        # No standard has it, and clients send it.
        b"proxy-connection",
    }
)
_FRAMING = frozenset({b"content-length", b"host", b"transfer-encoding"})


class HopError(Exception):
    """A head that would have the next hop lose where its message ends, or for whom it is."""


def end_to_end(head: bytes) -> bytes:
    """A regular head, with or without the blank line, less the lines for this hop. Raises HopError.

    A body passes in its chunks as it came, so ``Transfer-Encoding`` stays.
    """
    first, *lines = head.split(b"\r\n")
    fields = [(line.partition(b":")[0].lower(), line) for line in lines]
    named = {
        token.strip(b" \t").lower()
        for name, line in fields
        if name == b"connection"
        for token in line.partition(b":")[2].split(b",")
    }
    if named & _FRAMING:
        raise HopError
    gone = _HOPS | named - {b""}
    return b"\r\n".join([first, *(line for name, line in fields if name not in gone)])
