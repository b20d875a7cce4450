"""A multipart form in one reading (RFC 7578), for calls that send a file beside their parameters.

The regular form: one boundary, named once in the Content-Type; the first delimiter at the first byte, nothing after the
last but a line end; lines end in CR LF; the boundary stands in delimiters and nowhere else. A part has one
Content-Disposition with a plain quoted name (none like it in the file name), and at most a Content-Type. So there is one way
to cut the form, whoever cuts it; all else is refused.
"""

import re
from typing import Any

from .decision import Refused
from .reason import Reason

MAX_PARTS = 100
MAX_PART_HEAD = 4096

_TYPE = re.compile(
    r'multipart/form-data *; *boundary=(?:"([0-9A-Za-z\'()+_,./:=?-]{1,70})"|([0-9A-Za-z\'+_.-]{1,70}))', re.I
)
_DISPOSITION = re.compile(
    r'form-data; name="([0-9A-Za-z_.-]{1,128})"(?:; filename="[^";\\\x00-\x1f\x7f]*(?:;[^"=\\\x00-\x1f\x7f]*)?")?'
)
_CONTENT_TYPE = re.compile(
    r"(?!multipart/|message/)[0-9a-z!#$&^_.+-]+/[0-9a-z!#$&^_.+-]+(?:; *charset=\"?utf-?8\"?)?", re.I
)


def is_multipart(content_type: str) -> bool:
    """Whether a body says that it is one; some servers take the first word for it, in any case."""
    return "multipart" in content_type.lower()


def read_multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """The fields of a form by name. A field is text; a file is a list in a list, which meets no test and every deny:
    what is in it is not looked at.

    Raises Refused: BODY_NOT_JSON, BODY_DUPLICATE_KEY or TOO_COMPLEX. No detail quotes the body.
    """
    found = _TYPE.fullmatch(content_type)
    if found is None:
        raise _odd("its Content-Type is not multipart/form-data with one boundary")
    delimiter = b"--" + (found[1] or found[2]).encode()
    if not body.startswith(delimiter + b"\r\n"):
        raise _odd("it does not begin with its boundary")
    count = body.count(delimiter)
    if count > MAX_PARTS + 1:
        raise Refused(Reason.TOO_COMPLEX, f"the form has more than {MAX_PARTS} parts")
    last = b"\r\n" + delimiter
    end = next((len(body) - len(close) for close in (b"--", b"--\r\n") if body.endswith(last + close)), 0)
    if not end:
        raise _odd("it does not end with its boundary")
    parts = body[len(delimiter) + 2 : end].split(last)
    if len(parts) != count or parts[-1]:
        raise _odd("its boundary appears where no part begins")
    fields: dict[str, Any] = {}
    for number, part in enumerate(parts[:-1]):
        if number:
            if not part.startswith(b"\r\n"):
                raise _odd("a boundary does not end in CR LF")
            part = part[2:]
        name, value = _read_part(part)
        if name in fields:
            raise Refused(Reason.BODY_DUPLICATE_KEY, "a field of the form appears twice")
        fields[name] = value
    return fields


def _read_part(part: bytes) -> tuple[str, Any]:
    head, blank, content = part.partition(b"\r\n\r\n")
    if not blank or len(head) > MAX_PART_HEAD:
        raise _odd("a part has no headers, or they are too long")
    disposition: re.Match[str] | None = None
    typed = False
    for line in head.split(b"\r\n"):
        name, _, raw = line.partition(b":")
        try:
            value = raw.decode("utf-8").strip(" \t")
        except UnicodeDecodeError:
            raise _odd("the headers of a part are not UTF-8") from None
        kind = name.lower()
        if kind == b"content-disposition" and disposition is None:
            disposition = _DISPOSITION.fullmatch(value)
            if disposition is None:
                raise _odd("the name of a field is not plain and quoted")
        elif kind == b"content-type" and not typed and _CONTENT_TYPE.fullmatch(value):
            typed = True
        else:
            raise _odd("a part has an unexpected header, a duplicate header, or an invalid type")
    if disposition is None:
        raise _odd("a part has no name")
    if disposition[1].lower() == "_charset_":  # RFC 7578 section 4.6
        raise _odd("a field sets the character set of the others")
    if "filename=" in disposition[0]:
        return disposition[1], [[]]
    try:
        return disposition[1], content.decode("utf-8")
    except UnicodeDecodeError:
        raise _odd("a field is not UTF-8") from None


def _odd(why: str) -> Refused:
    return Refused(Reason.BODY_NOT_JSON, f"the body is not a plain multipart form: {why}")
