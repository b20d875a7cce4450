"""A pasted curl command, as the request that curl would send (curl(1), curl 8)."""

import getopt
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

from brickscope.shipped import table

from .sent import CallError, Sent

_OPTIONS: dict[str, Any] = table(__package__, "curl.yaml")
_DATA = _OPTIONS["data"]
_SHORT = {f"-{letter}": name for letter, name in _OPTIONS["short"].items()}
_SHORT_OPTIONS = f"{_OPTIONS['flags']}GIO" + "".join(f"{letter}:" for letter in _OPTIONS["short_with_value"])
_LONG_OPTIONS = [*_OPTIONS["quiet"], *_OPTIONS["plain"]] + [
    f"{name}=" for key in ("data", "with_value", "quiet_with_value") for name in _OPTIONS[key]
]

_BOUNDARY = "a-form"


def read_curl(arguments: list[str]) -> Sent:
    """What ``curl ARGUMENTS`` sends. Raises CallError, which quotes no value of an option."""
    try:
        found, urls = getopt.gnu_getopt(arguments, _SHORT_OPTIONS, _LONG_OPTIONS)
    except getopt.GetoptError as error:
        name = f"-{error.opt}" if len(error.opt) == 1 else f"--{error.opt}"
        raise CallError(f"the curl option {name[:32]!r} is not known here", "leave it out") from None
    options = [(_SHORT.get(name, name.removeprefix("--")), value) for name, value in found]
    given = dict(options)
    urls += [value for name, value in options if name == "url"]
    if len(urls) != 1:
        raise CallError(
            f"a curl command has one URL, this one has {len(urls)}", "quote it if it has a & in it"
        )
    if "upload-file" in given:
        raise CallError(
            "curl's --upload-file sends a file, which is not read here", "write PUT URL, without it"
        )
    headers = _headers(options)
    data = [_data(name, value) for name, value in options if name in _DATA]
    url, method, body = urls[0], given.get("request"), b""
    if "get" in given and data:
        url += ("&" if "?" in url else "?") + "&".join(data)
    elif data:
        kind = "application/json" if "json" in given else "application/x-www-form-urlencoded"
        body = ("" if "json" in given else "&").join(data).encode()
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", kind))
    elif form := [(name, value) for name, value in options if name in ("form", "form-string")]:
        headers.append(("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}"))
        body = _form(form).encode()
    default = "HEAD" if "head" in given else "POST" if body or (data and "get" not in given) else "GET"
    return Sent(
        method or default, url if "://" in url or url[:1] in "/$<" else f"https://{url}", headers, body
    )


def _headers(options: list[tuple[str, str]]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for name, value in options:
        if name == "header":
            if value.startswith("@"):
                raise CallError("a file of headers is not read here", "write the headers out")
            field, colon, content = value.partition(":")
            if colon and content.strip():  # `Name:` takes a header out
                headers.append((field.strip(), content.strip()))
        elif name == "user":
            headers.append(("Authorization", f"Basic {b64encode(value.encode()).decode()}"))
        elif name == "oauth2-bearer":
            headers.append(("Authorization", f"Bearer {value}"))
        elif name in ("cookie", "user-agent", "referer"):
            headers.append((name.title(), value))
    return headers


def _form(fields: list[tuple[str, str]]) -> str:
    """A form of fields and files; what is in a file is not looked at."""
    parts = []
    for option, text in fields:
        name, _, value = text.partition("=")
        file = ""
        if option == "form" and value[:1] in ("@", "<"):
            if value[0] == "<":
                raise CallError("a file of data is not read here", "write the body out")
            file, value = '; filename="file"', ""
        parts.append(f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n')
    return "".join(f"--{_BOUNDARY}\r\n{part}" for part in parts) + f"--{_BOUNDARY}--\r\n"


def _data(name: str, value: str) -> str:
    if value.startswith("@") and name != "data-raw":
        raise CallError("a file of data is not read here", "write the body out")
    if name == "data-urlencode":
        field, equals, content = value.partition("=")
        return f"{field}={quote_plus(content)}" if equals and field else quote_plus(content or value)
    return value
