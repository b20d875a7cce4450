"""Placeholders: credentials that are worth something at this proxy alone, which exchanges them for real ones.

``bsp_``, 43 digits of base 62 for 256 random bits, and 6 for a CRC-32 of all before them (as GitHub's tokens have it): a
placeholder is known for one wherever it stands, and one that was cut off for no other. To Databricks it is an unknown token.
"""

import re
import zlib

PREFIX = b"bsp_"
BITS = 256
SHAPE = r"bsp_[0-9A-Za-z]{49}"
"""What a placeholder looks like, whether or not it is whole."""

MOST = 10_000
"""How many beginnings of placeholders are looked at in a text; one with more is taken to hold a whole one, since 16 MiB of
them would keep everybody waiting for a second."""

_SHAPE = re.compile(SHAPE)
_BEGUN = re.compile(rf"{SHAPE}|bsp_")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 43, 6


def make_placeholder(random: bytes) -> str:
    """The placeholder of so many random bytes (32). Raises ValueError for another number of them."""
    if len(random) * 8 != BITS:
        raise ValueError(f"a placeholder has {BITS} random bits")
    text = PREFIX.decode() + _digits(int.from_bytes(random), _RANDOM)
    return text + _check(text)


def is_whole(placeholder: str) -> bool:
    """Whether a text that begins like a placeholder is one to its last digit."""
    return (
        _SHAPE.fullmatch(placeholder) is not None and _check(placeholder[:-_CHECK]) == placeholder[-_CHECK:]
    )


def holds_placeholder(text: str) -> bool:
    """Whether a whole placeholder stands in a text, or more beginnings of one than are looked at."""
    return "bsp_" in text and any(
        count == MOST or is_whole(begun[0]) for count, begun in enumerate(_BEGUN.finditer(text))
    )


def _check(text: str) -> str:
    return _digits(zlib.crc32(text.encode()), _CHECK)


def _digits(number: int, count: int) -> str:
    found = []
    for _ in range(count):
        number, digit = divmod(number, len(_DIGITS))
        found.append(_DIGITS[digit])
    return "".join(reversed(found))
