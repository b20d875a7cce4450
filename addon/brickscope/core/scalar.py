"""Kinds of values that name nothing beyond themselves: numbers, truth values, words, text; which are regular, and their
one form."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import unquote

from .body import Number
from .normal import caseless, compatible, is_regular_text, lines_are_regular

Canonical = str | int | bool | Decimal
"""One object, as it is compared."""
Objects = tuple[Canonical, ...]
Read = Callable[[Any], Objects | None]
"""From a value as it came (text, integer, truth value, ``Number``) to what it may name; None: it is not regular."""
ReadAll = Callable[[str], str | None]
"""From many texts, one a line, to all that they name, one a line, where each is plainly written; None where some may not be:
then each is read by itself. So that a long list costs about as much as parsing it."""

MAX_VALUE = 64 * 1024
"""Longest text, in characters, that a rule compares; a longer one is not regular."""
LINE_CONTROLS = "\t\r\n"
"""Control characters that SQL and code may have."""

ENUM = re.compile(r"[A-Z][A-Z0-9_]*")
ENUM_LOWER = re.compile(r"[a-z][a-z0-9_\-]*")
ENUM_MIXED = re.compile(r"[A-Za-z][A-Za-z0-9_\-.: ]*(?<! )")
HEX_ID = re.compile(r"[0-9A-Za-z_-]+")
UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
PRIVILEGE = re.compile(r"[A-Z]+(?:[_ ][A-Z]+)*")
OBJECT_TYPE = re.compile(r"[a-z0-9]+(?:[/_-][a-z0-9]+)*")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?")
_ANY_NUMBER = re.compile(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?|[+-]?0[xXoObB][0-9A-Fa-f]+")
_LIKE_NUMBERS = re.compile(r"(?:^|\n)[-+.0-9]")
_DURATION = re.compile(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,9})?(?=s\Z)")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*|\*")
_TIMESTAMP = re.compile(
    r"([0-9]{4}(?:-[0-9]{2}){2}[Tt][0-9]{2}(?::[0-9]{2}){2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_CAPITAL = re.compile(r"(?<=[A-Za-z0-9])([A-Z])")
_BASE64 = re.compile(r"(?:[\w+/-]{4})*(?:[\w+/-][AQgw](?:==)?|[\w+/-]{2}[AEIMQUYcgkosw048]=?)?", re.ASCII)
_URL_BASE64 = str.maketrans("-_", "+/")


Part = Callable[[str], tuple[str, ...]]
"""The canonical forms of a piece of a name."""


def _as_is(text: str) -> tuple[str, ...]:
    return (text,)


class Kind(NamedTuple):
    """How values of one type are read. ``read``: for rules that allow. ``suspect``: for rules that deny, which take more for
    one object. ``all_read``, ``all_suspect``: the same of many texts at once. ``separator``: of the parts of a name or path,
    empty for what has none. ``ordered``: whether values are numbers. ``names``: whether one object has several spellings.
    ``part``, ``suspect_part``: the forms of a piece of a value, as a prefix or pattern has it; for a path, None: there the
    folder is read. ``every``: values that stand for every object. ``covers``: whether a value acts on all below it.
    ``whole``: the canonical form of JSON's integers, None where they are not regular.
    """

    name: str
    read: Read
    suspect: Read
    all_read: ReadAll | None = None
    all_suspect: ReadAll | None = None
    separator: str = ""
    ordered: bool = False
    names: bool = False
    part: Part | None = _as_is
    suspect_part: Part | None = _as_is
    every: frozenset[Canonical] = frozenset()
    covers: bool = False
    whole: type[int] | type[str] | None = None

    def parts(self, value: Any) -> Sequence[Any]:
        """What of a value is read by itself: each field of a mask, since one may have two spellings, its neighbour one."""
        return value.split(",") if self.covers and is_text(value) else (value,)


def is_text(value: Any) -> bool:
    """Whether a value is text that a rule compares."""
    return isinstance(value, str) and not isinstance(value, Number) and len(value) <= MAX_VALUE


def distinct(found: Iterable[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(found))


def without_case(text: str) -> tuple[str, ...]:
    """A text without case: of ASCII letters, of all letters, and by the loosest comparison; nobody knows which the server's
    is."""
    if text.isascii():
        return (text.lower(),)
    ascii_lower = "".join([c.lower() if c.isascii() else c for c in text])
    return distinct((ascii_lower, text.casefold(), caseless(text)))


# -- numbers, truth values ---------------------------------------------------------------------------------------------


def read_integer(value: Any) -> Objects | None:
    """A decimal integer of 64 bits, as JSON or as its text."""
    if isinstance(value, str):
        if isinstance(value, Number) or not _INTEGER.fullmatch(value):
            return None
        value = int(value)
    elif isinstance(value, bool) or not isinstance(value, int):
        return None
    return (value,) if -(2**63) <= value < 2**63 else None


def read_number(value: Any) -> Objects | None:
    """A decimal number without an exponent, as JSON or as its text."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not _NUMBER.fullmatch(str(value)):
        return None
    return (Decimal(str(value)).normalize(),)


def read_duration(value: Any) -> Objects | None:
    """Seconds with an ``s`` behind them (google.protobuf.Duration in JSON)."""
    found = _DURATION.match(value) if is_text(value) else None
    return None if found is None else (f"{Decimal(found[0]).normalize() + 0:f}s",)


def read_timestamp(value: Any) -> Objects | None:
    """A moment (google.protobuf.Timestamp in JSON), whatever its zone, or a number of the API's."""
    found = _TIMESTAMP.fullmatch(value) if is_text(value) else None
    if found is None:
        number = read_integer(value)
        return None if number is None else (str(number[0]),)
    try:
        moment = datetime.fromisoformat(found[1] + found[3].upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (f"{moment:%Y-%m-%dT%H:%M:%S}.{(found[2] or '').rstrip('0')}Z".replace(".Z", "Z"),)


def read_boolean(value: Any) -> Objects | None:
    """One of the two values, or its word in small letters."""
    if isinstance(value, bool):
        return (value,)
    return (value == "true",) if isinstance(value, str) and value in ("true", "false") else None


# -- words -------------------------------------------------------------------------------------------------------------


def word(shape: re.Pattern[str], form: Callable[[str], str] = str) -> Read:
    """Words of a shape, in a canonical form."""

    def read(value: Any) -> Objects | None:
        return (form(value),) if is_text(value) and shape.fullmatch(value) else None

    return read


def alias(of: dict[str, str]) -> Callable[[str], str]:
    """The form of words of which some are other words for another."""
    return lambda text: of.get(text, text)


def either(read: Read, of: dict[str, str]) -> Read:
    """Words of which some may mean another as well."""

    def both(value: Any) -> Objects | None:
        found = read(value)
        other = None if found is None else of.get(str(found[0]))
        return found if found is None or other is None else (*found, other)

    return both


def read_id(value: Any) -> Objects | None:
    """A number of the API's, or a text that is none."""
    if isinstance(value, str) and not isinstance(value, Number) and _ANY_NUMBER.fullmatch(value) is None:
        return read_text(value)
    found = read_integer(value)
    return None if found is None else (str(found[0]),)


def read_uuid(value: Any) -> Objects | None:
    """An id of hexadecimal digits; whether its case counts, nobody knows."""
    if not is_text(value) or not HEX_ID.fullmatch(value):
        return None
    return distinct((value, value.lower()))


def read_field_mask(value: Any) -> Objects | None:
    """The name of a field, also in lowerCamelCase (google.protobuf.FieldMask in JSON)."""
    if not is_text(value) or not _FIELD.fullmatch(value):
        return None
    return distinct((value, _CAPITAL.sub(r"_\1", value).lower()))


# -- text --------------------------------------------------------------------------------------------------------------


def read_text(value: Any) -> Objects | None:
    """Text as it stands: composed (NFC), no controls, no blanks at its ends."""
    return (value,) if is_text(value) and is_regular_text(value) else None


def read_map_text(value: Any) -> Objects | None:
    """Text in an object of any keys, where the API takes integers and truth values for their text."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (str(value),) if isinstance(value, int) else read_text(value)


def read_lines(value: Any) -> Objects | None:
    """Text of several lines, such as SQL and code: also with tabs and line ends. What is at its ends may be trimmed."""
    if not is_text(value):
        return None
    trimmed = value.strip(f" {LINE_CONTROLS}")
    return distinct((value, trimmed)) if is_regular_text(trimmed, LINE_CONTROLS) else None


def read_bytes(value: Any) -> Objects | None:
    """Base64, with or without its padding; whether the URL's alphabet is taken too, nobody knows (RFC 4648 section 5)."""
    if not is_text(value) or not _BASE64.fullmatch(value):
        return None
    whole = value.rstrip("=")
    whole += "=" * (-len(whole) % 4)
    return distinct((whole, whole.translate(_URL_BASE64)))


def read_principal(value: Any) -> Objects | None:
    """A user's name or an application id, both without case, or the name of a group, whose case counts."""
    if not is_text(value) or not is_regular_text(value):
        return None
    return without_case(value) if "@" in value or UUID.fullmatch(value) else (value,)


def read_any(value: Any) -> Objects | None:
    """A value of no known type: text, an integer or a truth value, compared as text. A number in any other form than
    decimal may be one to the server, so it is not regular."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return read_id(value)


def read_nothing(value: Any) -> Objects | None:
    """An object or list, which no test of values takes."""
    return None


def folded(read: Read) -> Read:
    """The same without case: names that the server folds."""

    def fold(value: Any) -> Objects | None:
        found = read(value)
        return None if found is None else distinct(form for each in found for form in without_case(str(each)))

    return fold


def loose(read: Read) -> Read:
    """The same for rules that deny: without case, and without compatibility forms."""

    def suspect(value: Any) -> Objects | None:
        found = read(value)
        return None if found is None else distinct(caseless(str(each)) for each in found)

    return suspect


def also_compatible(read: Read) -> Read:
    """The same for rules that deny: also without compatibility forms, in what it is decoded to as well."""

    def suspect(value: Any) -> Objects | None:
        found = read(value)
        if found is None or (value.isascii() and all(map(str.isascii, map(str, found)))):
            return found
        forms: list[str] = list(map(str, found))
        for spelling in distinct(map(compatible, (value, unquote(value)))):
            again = read(spelling)
            if again is None:
                return None
            forms += map(str, again)
        return distinct(forms)

    return suspect


# -- many at once ------------------------------------------------------------------------------------------------------


def all_text(lines: str) -> str | None:
    """Of many texts."""
    return lines if lines_are_regular(lines) else None


def all_loose(lines: str) -> str | None:
    """Of many texts, for rules that deny."""
    if not lines_are_regular(lines):
        return None
    plain = caseless(lines)
    return lines if plain == lines else plain


_SURE = 18
"""So many digits are within 64 bits."""


def integers(texts: Sequence[str]) -> set[Canonical] | None:
    """The numbers of many texts; None where one is no decimal integer of 64 bits."""
    lines = "\n" + "\n".join(texts)
    if (
        max(map(len, texts)) > _SURE
        or not lines.isascii()
        or lines.encode().translate(None, b"0123456789-\n")
    ):
        return None
    try:
        numbers = list(map(int, texts))
    except ValueError:
        return None
    if ("\n0" in lines or "-" in lines) and list(map(str, numbers)) != texts:
        return None  # a zero in front
    return set(numbers)


def all_integers(lines: str) -> str | None:
    """Of many decimal integers."""
    return None if integers(lines.split("\n")) is None else lines


def unless_numbers(of: ReadAll) -> ReadAll:
    """Of many texts that a server might read as numbers, where they look so."""
    return lambda lines: all_integers(lines) if _LIKE_NUMBERS.search(lines) else of(lines)


def all_words(shape: re.Pattern[str]) -> ReadAll:
    """Of many words of a shape."""
    many = re.compile(rf"(?:{shape.pattern})(?:\n(?:{shape.pattern}))*+")
    return lambda lines: lines if many.fullmatch(lines) else None


# -- kinds ---------------------------------------------------------------------------------------------------------------

# Words for one thing; few and fixed, so they stand here, and aliases.yaml has their sources.
_OBJECT_TYPES = {
    "sql/warehouses": "warehouses",
    "sql/endpoints": "warehouses",
    "sql/queries": "queries",
    "sql/alerts": "alerts",
    "sql/dashboards": "dbsql-dashboards",
}
_OF_ONE_ID = {"repos": "directories", "experiments": "notebooks"}
_LEVELS = {"CAN_VIEW": "CAN_READ"}
_MODES = {
    "USER_ISOLATION": "DATA_SECURITY_MODE_STANDARD",
    "SINGLE_USER": "DATA_SECURITY_MODE_DEDICATED",
}
_MODELS = {"function": "registered_model", "model": "registered_model"}
_EVERYBODY = frozenset({"users", "account users"})


def _loosely(text: str) -> tuple[str, ...]:
    return (caseless(text),)


_NUMBERS_OR_TEXT = unless_numbers(all_text)


def _all_compatible(lines: str) -> str | None:
    return lines if all_text(lines) and compatible(lines) == lines else None


def _plain_kind(name: str, read: Read, all_read: ReadAll | None = None, *, ordered: bool = False) -> Kind:
    return Kind(name, read, read, all_read, all_read, ordered=ordered)


def text_kind(name: str, read: Read, all_read: ReadAll | None = None) -> Kind:
    """Text, in which a rule that denies takes all that is loosely the same for one."""
    all_suspect = {all_text: all_loose, _NUMBERS_OR_TEXT: unless_numbers(all_loose), None: None}[all_read]
    whole = str if all_read is _NUMBERS_OR_TEXT else None
    return Kind(name, read, loose(read), all_read, all_suspect, suspect_part=_loosely, whole=whole)


def _folded_kind(name: str) -> Kind:
    read = folded(read_text)
    return Kind(name, read, read, names=True, part=without_case, suspect_part=without_case)


SCALARS = (
    _plain_kind("integer", read_integer, all_integers, ordered=True)._replace(whole=int),
    _plain_kind("number", read_number, ordered=True),
    _plain_kind("boolean", read_boolean),
    _plain_kind("enum", word(ENUM), all_words(ENUM)),
    _plain_kind("enum_lower", word(ENUM_LOWER), all_words(ENUM_LOWER)),
    text_kind("enum_mixed", word(ENUM_MIXED)),
    text_kind("text", read_text, all_text),
    text_kind("map_text", read_map_text),
    text_kind("lines", read_lines, all_text),
    text_kind("json_text", read_lines, all_text),
    Kind("group_name", read_text, also_compatible(read_text), all_text, _all_compatible, every=_EVERYBODY),
    Kind("principal", read_principal, also_compatible(read_principal), every=_EVERYBODY),
    text_kind("any", read_any, _NUMBERS_OR_TEXT),
    text_kind("id", read_id, _NUMBERS_OR_TEXT),
    _plain_kind("timestamp", read_timestamp)._replace(whole=str),
    text_kind("duration", read_duration),
    text_kind("field_mask", read_field_mask)._replace(separator=".", every=frozenset({"*"}), covers=True),
    Kind("bytes", read_bytes, read_bytes),
    Kind("uuid", read_uuid, read_uuid, suspect_part=without_case),
    _plain_kind("application_id", word(UUID, str.lower)),
    _plain_kind(
        "securable_type", either(word(ENUM_MIXED, lambda text: text.lower().replace("-", "_")), _MODELS)
    ),
    _plain_kind("object_type", either(word(OBJECT_TYPE, alias(_OBJECT_TYPES)), _OF_ONE_ID)),
    _plain_kind("permission_level", word(ENUM, alias(_LEVELS))),
    _plain_kind("data_security_mode", word(ENUM, alias(_MODES))),
    _plain_kind("privilege", word(PRIVILEGE, lambda text: text.replace(" ", "_")))._replace(
        every=frozenset({"ALL_PRIVILEGES"})
    ),
    _folded_kind("scope_name"),
    _folded_kind("user_name"),
    _folded_kind("git_provider"),
    _plain_kind("object", read_nothing),
)
