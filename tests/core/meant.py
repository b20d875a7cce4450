"""An oracle for test_attack.py: which calls its policy surely means to allow, by their plain spellings.

Slow and simple on purpose, and without any code of the product. Where it errs, it errs by saying no.
"""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
import zlib
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_plus

TABLES, FILES = "/api/2.1/unity-catalog/tables/", "/api/2.0/fs/files/Volumes/main/raw/"
EXPORT, RUN, IMPORT = "/api/2.0/workspace/export", "/api/2.2/jobs/run-now", "/api/2.0/workspace/import"
CATALOGS = "/api/2.1/unity-catalog/catalogs"


class Call(NamedTuple):
    """A call, and by which steps it was made."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    steps: tuple[str, ...] = ()

    def step(self, name: str, **changes: Any) -> Call:
        return self._replace(steps=(*self.steps, name), **changes)


_HEADERS = {
    b"content-type", b"content-length", b"content-encoding", b"x-request-id", b"accept-language", b"x-tag",
    b"x-databricks-org-id",
}  # fmt: skip
_TYPES = {b"", b"application/json", b"text/plain", b"application/x-www-form-urlencoded"}
_FORM = re.compile(rb"--b\r\n.*\r\n--b--(?:\r\n)?", re.DOTALL)
_PART = re.compile(
    rb'Content-Disposition: +form-data; name="(\w+)"\r\n\r\n(.*?)\r\n(?:--b--(?:\r\n)?)?', re.DOTALL
)
# Names that are refused in any query.
_NEVER = {"token", "accesstoken"}


def is_meant(call: Call) -> bool:
    """Whether the policy surely means to allow a call."""
    told = {name.lower(): value for name, value in call.headers}
    once = [name.lower() for name, _ in call.headers if name != b"X-Tag"]
    if not call.body and told.get(b"transfer-encoding") == b"chunked":
        del told[b"transfer-encoding"]
    if not _HEADERS.issuperset(told) or len(set(once)) < len(once) or not all(map(_is_plain, told.values())):
        return False
    path, _, query = call.target.partition("?")
    path = path.removesuffix("/")
    for head, name in (
        (CATALOGS, ""),
        (TABLES, "fullname"),
        (FILES, "filepath"),
        (EXPORT, "path"),
        (IMPORT, "path"),
    ):
        if path == head or (head in (TABLES, FILES) and unquote(path).lower().startswith(head.lower())):
            return _is_harmless(query, told, name) and _means(call, head, path, query, told)
    return (
        path == RUN and _is_harmless(query, told, "jobid", "queue") and _means(call, RUN, path, query, told)
    )


def _means(call: Call, head: str, path: str, query: str, told: dict[bytes, bytes]) -> bool:
    if head in (RUN, IMPORT):
        return call.method == "POST" and _means_body(call, head, told)
    if call.method != "GET" and (call.method != "HEAD" or head == CATALOGS):
        return False
    if head == EXPORT:
        values = [unquote_plus(value) for name, _, value in _pairs(query) if unquote_plus(name) == "path"]
        return _is_harmless_body(_unpacked(call, told)) and _means_path(values)
    rest = path[len(head) :].removesuffix("%2F") if path.startswith(head) else unquote(path)[len(head) :]
    readings = _readings(rest)
    if head == TABLES:
        name = unquote(rest).lower()
        return (
            _is_path(name) and name.startswith("main.a.") and "main.a.secret" not in map(str.lower, readings)
        )
    return head == CATALOGS or (
        _is_path(unquote(rest)) and not any(re.match("[vV]/secret(?:/|$)", each) for each in readings)
    )


def _means_body(call: Call, head: str, told: dict[bytes, bytes]) -> bool:
    body = _unpacked(call, told)
    if body is None:
        return False
    try:
        if told.get(b"content-type") == b"multipart/form-data; boundary=b":
            found = _read_form(body)
            return head == IMPORT and found is not None and _means_path([found.get("path")])
        if told.get(b"content-type", b"") not in _TYPES or (
            b"form" in told.get(b"content-type", b"") and b"=" in body
        ):
            return False
        pairs = json.loads(body.decode("utf-8-sig"), object_pairs_hook=lambda pairs: pairs)
        content = dict(pairs)
    except (ValueError, TypeError):
        return False
    if len(content) < len(pairs):
        return False
    if head == IMPORT:
        path = content.pop("path", None)
        return not any("path" in _fold(name) for name in content) and _means_path(
            path if type(path) is list else [path]
        )
    job = content.get("job_id")
    jobs = job if type(job) is list else [job]
    known = [type(each) in (int, str) and str(each) in ("7", "777") for each in jobs]
    queue = content.get("queue")
    allowed = queue is None or queue in ([("enabled", False)], [("enabled", "false")], [])
    return content.keys() <= {"job_id", "queue"} and bool(known) and all(known) and allowed


def _is_harmless_body(body: bytes | None) -> bool:
    """Whether the body of a GET says nothing of a path."""
    try:
        return not body or (
            body is not None
            and not any(_fold(name)[:4] == "path" for name, _ in json.loads(body, object_pairs_hook=list))
        )
    except ValueError:
        return False


def _unpacked(call: Call, told: dict[bytes, bytes]) -> bytes | None:
    """The body as every reader has it; None where they may not agree."""
    if b"content-encoding" not in told or not call.body:
        return call.body
    try:
        body = gzip.decompress(call.body)
    except (OSError, EOFError, zlib.error):
        return None
    same = told[b"content-encoding"] == b"gzip" and gzip.compress(body, mtime=0) == call.body
    return body if same else None


def _read_form(body: bytes) -> dict[str, str] | None:
    if not _FORM.fullmatch(body) or body.count(b"--b") != body.count(b"--b\r\n") + 1:
        return None
    found = {}
    for part in body.split(b"--b\r\n")[1:]:
        one = _PART.fullmatch(part)
        if (
            one is None
            or one[1].decode() in found
            or (one[1] != b"path" and "path" in _fold(one[1].decode()))
        ):
            return None
        found[one[1].decode()] = one[2].decode("utf-8", "replace")
    return found


def _means_path(values: list[Any]) -> bool:
    if len(values) != 1 or not isinstance(values[0], str):
        return False
    text = values[0].removeprefix("workspace:").removeprefix("/Workspace").removesuffix("/")
    spelled = {unicodedata.normalize("NFKC", each) for each in _readings(text)}
    return (
        text.startswith("/Users/ada/")
        and _is_path(text[1:])
        and not any(re.match("/Users/ada/secret(?:/|$)", each) for each in spelled)
    )


def _pairs(query: str) -> list[tuple[str, str, str]]:
    return [piece.partition("=") for piece in query.split("&")]


def _is_plain(value: bytes) -> bool:
    return re.fullmatch(rb"[\t -~]*", value) is not None and b"dapi" not in value


def _is_path(text: str) -> bool:
    """Whether each segment is a name to everybody: printed, not blank at its ends, not ``.`` or ``..``, composed."""
    return all(
        part not in ("", ".", "..") and part.strip() == part and part.isprintable() and "\\" not in part
        for spelling in (text, unicodedata.normalize("NFKC", text))
        for part in spelling.split("/")
    )


def _readings(text: str) -> set[str]:
    """All that somebody could read in a part of a path: decoded, cut, without parameters, however often."""
    found, further = {text}, {text}
    while further:
        further = {
            form
            for each in further
            for form in (
                unquote(each),
                re.split("[?#;]", each)[0],
                re.sub(";[^/]*", "", each),
                each.rstrip("/"),
            )
        } - found
        found |= further
    return found


def _fold(name: str) -> str:
    """A name as careless readers take it, decoded as often as there is something to decode."""
    for _ in range(3):
        name = unquote_plus(name)
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def _is_harmless(query: str, told: dict[bytes, bytes], *looked_at: str) -> bool:
    """Whether no reader of a query finds in it a parameter that counts, but by its plain name; and one workspace."""
    names = tuple(filter(None, looked_at))
    chosen = {told[b"x-databricks-org-id"]} if b"x-databricks-org-id" in told else set()
    for name, _, value in _pairs(query):
        folded = _fold(name)
        if name in ("o", "workspace_id"):
            chosen.add(value.encode())
        elif folded in ("o", "workspaceid", *_NEVER) or (
            folded.startswith(names) and unquote_plus(name) != "path"
        ):
            return False
        for _ in range(2):
            name, value = unquote_plus(name), unquote_plus(value)
        for part in [*re.split("[&;?#]", name)[1:], *re.split("[&;?#]", value)[1:]]:
            if _fold(part.partition("=")[0]).startswith(("workspaceid", "accesstoken", *names)):
                return False
    return len(chosen) < 2
