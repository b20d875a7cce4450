"""Untrusted text made visible, for a log, a message, a terminal or a page."""

import re

_ODD = re.compile(r"[^ -~]")


def visible(text: str, besides: str = "", *, only_ascii: bool = False) -> str:
    """A text whose characters can all be seen: controls, escapes, what turns the direction of reading, blanks but the space
    and whatever else can't be printed are spelled out (``\\x1b``, ``\\u202e``), so that they forge no line and act on no
    terminal. ``besides``: what stays all the same. ``only_ascii``: whatever is beyond ASCII is spelled out, too."""
    if text.isprintable() and (text.isascii() or not only_ascii):
        return text

    def spell(found: re.Match[str]) -> str:
        char = found[0]
        if char in besides or (char.isprintable() and not only_ascii):
            return char
        code = ord(char)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return _ODD.sub(spell, text)
