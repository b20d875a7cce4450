"""Looking for a secret in bytes, in every form that a program is likely to write it in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

WINDOW = 12
"""So many characters of it in a row are a leak."""
LAST = 40
"""Of a longer secret the end is looked for: tokens in JSON begin alike."""


def forms_of(secret: str) -> dict[str, set[bytes]]:
    """Pieces of a secret to look for, by the form that they are of: as it is, percent-encoded, in hex, and in Base64 at each
    offset, so within ``Basic user:SECRET`` as well."""
    tail = secret[-LAST:].encode()
    hexed = tail.hex()
    percent = "".join(f"%{byte:02X}" for byte in tail)
    found = {
        "plain": set(_windows(tail, WINDOW)),
        "quoted": set(_windows(quote(tail).encode(), WINDOW))
        | set(_windows(quote_plus(tail).encode(), WINDOW)),
        "percent": {
            form.encode() for each in _windows(percent, 3 * WINDOW, 3) for form in (each, each.lower())
        },
        "hex": {form.encode() for each in _windows(hexed, 2 * WINDOW, 2) for form in (each, each.upper())},
        "Base64": set(),
    }
    for offset in range(3):
        # The first and last group also hold what stands beside it.
        whole = b64encode(b"." * offset + tail + b"." * (-(offset + len(tail)) % 3))[4:-4]
        for each in _windows(whole, 16):
            found["Base64"] |= {each, each.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def leaks(secrets: Iterable[str], places: dict[str, bytes]) -> list[str]:
    """Where any form of any secret stands, in words that do not repeat it."""
    return [
        f"secret {number}, {form}, in {place}"
        for number, secret in enumerate(secrets)
        for form, pieces in forms_of(secret).items()
        for place, content in places.items()
        if any(piece in content for piece in pieces)
    ]


def _windows[Text: (str, bytes)](text: Text, size: int, step: int = 1) -> Iterator[Text]:
    for start in range(0, len(text) - size + 1, step):
        yield text[start : start + size]
