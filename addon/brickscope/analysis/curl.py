"""A pasted curl command, as the request that curl would send (curl(1), curl 8)."""

from __future__ import annotations

import getopt
from base64 import b64encode
from urllib.parse import quote_plus

from .error import CallError
from .sent import Sent

# Options that do not change what is sent, or only how.
_FLAGS = "fgikLnNqsSv#0146Z"
_QUIET = [
    *(
        "silent",
        "show-error",
        "fail",
        "fail-with-body",
        "insecure",
        "verbose",
        "include",
        "location",
        "compressed",
    ),
    *("http1.1", "http2", "http1.0", "ipv4", "ipv6", "no-buffer", "globoff", "netrc", "tlsv1.2", "tlsv1.3"),
    *("no-progress-meter", "path-as-is", "create-dirs", "remote-name", "disable", "no-keepalive"),
]
_QUIET_WITH_VALUE = [
    *(
        "output",
        "write-out",
        "max-time",
        "connect-timeout",
        "retry",
        "retry-delay",
        "proxy",
        "cacert",
        "limit-rate",
    ),
    *("dump-header", "noproxy", "retry-max-time", "resolve", "trace", "trace-ascii", "stderr"),
]
_DATA = ("data", "data-raw", "data-ascii", "data-binary", "data-urlencode", "json")
_SHORT = {
    "-X": "request",
    "-H": "header",
    "-d": "data",
    "-u": "user",
    "-b": "cookie",
    "-A": "user-agent",
    "-e": "referer",
    "-G": "get",
    "-I": "head",
    "-T": "upload-file",
    "-F": "form",
}
_SHORT_OPTIONS = f"{_FLAGS}GIOX:H:d:u:b:A:e:T:F:o:w:m:x:D:"
_LONG_OPTIONS = [
    *_QUIET,
    "get",
    "head",
    *(
        f"{name}="
        for name in ("request", "header", "url", "user", "cookie", "user-agent", "referer", "oauth2-bearer")
    ),
    *(f"{name}=" for name in (*_DATA, "upload-file", "form", "form-string", *_QUIET_WITH_VALUE)),
]


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
    for name in ("upload-file", "form", "form-string"):
        if name in given:
            raise CallError(
                f"curl's --{name} sends a file, which is not read here", "write PUT URL, without it"
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


def _data(name: str, value: str) -> str:
    if value.startswith("@") and name != "data-raw":
        raise CallError("a file of data is not read here", "write the body out")
    if name == "data-urlencode":
        field, equals, content = value.partition("=")
        return f"{field}={quote_plus(content)}" if equals and field else quote_plus(content or value)
    return value
