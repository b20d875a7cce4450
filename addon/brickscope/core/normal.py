"""Names and texts as careless readers take them: folded, normalised, trimmed.

Each function describes what is regular and leaves the rest to the caller, who refuses it; there is no list of odd
characters.
"""

import re
import unicodedata
from functools import lru_cache

STRUCTURE = frozenset("/\\?#;%")
"""Characters that mean something in the path of a URL, or would after one more decoding (RFC 3986 section 3.3)."""

MAX_MARKS = 30
"""Most combining marks in a row (Unicode Standard Annex 15 section 13, Stream-Safe Text Format). Normalising takes time by
the square of a longer run."""

MAX_GROWTH = 64
"""Characters by which the compatibility form of a text may be more than twice as long. One can stand for 18 (U+FDFA)."""

_ODD = re.compile(r"[\W_]+", re.ASCII)
_MARKS = re.compile(rf"[^\w\x00-\x7f]{{{MAX_MARKS + 1},}}")
_UNPRINTED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Unicode Standard Annex 31 section 2.3: the two that words of some languages, and emoji, are written with.
_JOINERS = "\u200c\u200d"


def fold(name: str) -> str:
    """A name as a careless server could take it: without case, accents and compatibility forms, letters and digits only."""
    return _fold_short(name) if len(name) <= 64 else _fold(name)


def _fold(name: str) -> str:
    if name.isascii():
        return name.lower() if name.isalnum() else _ODD.sub("", name).lower()
    return "".join(map(_fold_letter, name))


_fold_short = lru_cache(maxsize=8192)(_fold)


@lru_cache(maxsize=4096)
def _fold_letter(letter: str) -> str:
    folded = unicodedata.normalize("NFKD", caseless(letter))
    return "".join(filter(str.isalnum, folded))


def is_stream_safe(text: str) -> bool:
    """Whether a text has no run of combining marks that would make normalising it costly."""
    return text.isascii() or all(
        sum(unicodedata.combining(char) > 0 for char in run) <= MAX_MARKS for run in _MARKS.findall(text)
    )


def compatible(text: str) -> str:
    """A stream-safe text in Unicode's compatibility form (NFKC)."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def growth(text: str) -> int:
    """How many letters one letter of a text becomes at most in the compatibility form."""
    return max(map(_stands_for, set(text)))


@lru_cache(maxsize=4096)
def _stands_for(letter: str) -> int:
    return len(unicodedata.normalize("NFKC", letter))


def caseless(text: str) -> str:
    """A stream-safe text as the loosest comparison has it: without compatibility forms and case. By capital letters the
    dotless i is an i, by small ones the capital with a dot."""
    if text.isascii():
        return text.lower()
    return compatible(text).casefold().replace("\u0131", "i").replace("i\u0307", "i")


def has_controls(text: str, besides: str = "") -> bool:
    """Whether a text has control or format characters (categories Cc, Cf, Cs, Zl, Zp) other than those ``besides``.

    The joiners of scripts and emoji are none of them.
    """
    if text.isascii() and text.isprintable():
        return False
    return any(
        unicodedata.category(char) in _UNPRINTED and char not in besides and char not in _JOINERS
        for char in set(text)
    )


def is_regular_text(text: str, besides: str = "") -> bool:
    """Whether a text has one meaning to all who read it: composed (NFC), no controls but those ``besides``, no blanks at
    its ends."""
    if text.isascii() and text.isprintable():
        return not text or (text[0] != " " and text[-1] != " ")
    return (
        is_stream_safe(text)
        and unicodedata.is_normalized("NFC", text)
        and text.strip() == text
        and not has_controls(text, besides)
    )


_PRINTED = bytes(range(0x20, 0x7F)) + b"\n"


def lines_are_regular(lines: str) -> bool:
    """``is_regular_text`` of many texts at once, one a line; False also where they need a closer look."""
    if lines.isascii():
        if lines.encode().translate(None, _PRINTED):
            return False
    elif not (
        lines.replace("\n", "").isprintable()  # also: no blanks beyond ASCII
        and is_stream_safe(lines)
        and unicodedata.is_normalized("NFC", lines)
    ):
        return False
    return " " not in lines or not (lines[0] == " " or lines[-1] == " " or " \n" in lines or "\n " in lines)


def mapped(segment: str) -> str:
    """A segment of a path as it is after every mapping that a reader may make of it: NFKC, case folding, UTS 46 (which
    drops what is not seen and takes the ideographic full stop for a dot), trimming."""
    if segment.isascii():
        return segment.strip()
    plain = compatible(segment).casefold().replace("\u3002", ".")
    return "".join([char for char in plain if not _is_unseen(char)]).strip()


@lru_cache(maxsize=4096)
def _is_unseen(char: str) -> bool:
    """Whether a character may leave nothing behind (Default_Ignorable_Code_Point, by its categories)."""
    if char.isascii():
        return False
    return unicodedata.category(char) in ("Cf", "Mn", "Me") or "FILLER" in unicodedata.name(char, "")


@lru_cache(maxsize=4096)
def _is_slash(char: str) -> bool:
    """Whether a character beyond ASCII is a slash by Unicode's own name for it (FRACTION SLASH, BIG REVERSE SOLIDUS)."""
    if char.isascii():
        return False
    name = unicodedata.name(char, "")
    return "SLASH" in name or "SOLIDUS" in name


def disguise(segment: str) -> str | None:
    """What a segment of a path is, or could be taken for without saying so, that no path may have; None where nothing.

    ``segment``: decoded, without the slashes round it.
    """
    if segment.isascii():
        form = segment.strip()
        if form in ("", ".", ".."):
            return "an empty segment" if not form else "a dot segment"
        return None if segment.isprintable() else "a control character"
    if not is_stream_safe(segment):
        return "a long run of combining marks"
    if len(compatible(segment)) > 2 * len(segment) + MAX_GROWTH:
        return "characters that stand for long texts"
    form = mapped(segment)
    if form in ("", ".", ".."):
        return "an empty segment" if not form else "a dot segment"
    if has_controls(segment):
        return "a control character"
    if not STRUCTURE.intersection(form) <= STRUCTURE.intersection(segment):
        return "a character that Unicode's normal forms turn into a separator"
    return "a slash beyond ASCII" if any(map(_is_slash, segment)) else None
