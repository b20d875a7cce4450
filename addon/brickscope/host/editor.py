"""The proxy that VS Code has in its own settings, which its extensions take before the variables.

Sources: code.visualstudio.com/docs/setup/network, "Legacy proxy server support" and the settings ``http.proxy``,
``http.noProxy``, ``http.proxySupport``; code.visualstudio.com/docs/configure/settings, "User settings.json location".
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .check import Check, note, ok, problem
from .no_proxy import find_bypasses
from .proxy_url import ProxyUrl, mask
from .syntax import quote

NAME = "vscode"
"""What ``--client`` takes for it."""
_EDITORS = ("Code", "Code - Insiders", "VSCodium", "Cursor")
_SERVERS = (".vscode-server", ".vscode-server-insiders", ".cursor-server")
_EXTENSIONS = (".vscode/extensions", *(f"{name}/extensions" for name in _SERVERS))
_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*.*?\*/", re.S)
_LAST_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.S)


def examine_editors(
    environment: Mapping[str, str], proxy: ProxyUrl, host: str, shell: str, *, wanted: bool
) -> Iterator[Check]:
    """One check for each file of settings that names a proxy. ``wanted``: VS Code was asked for by name."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - a user may have no home
    used = wanted or any(
        True for folder in _EXTENSIONS for _ in (home / folder).glob("databricks.databricks-*")
    )
    named = False
    for file in _files(environment, home):
        try:
            settings = read_settings(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            yield note(
                NAME, f"{file} can't be read, so it is not known whether VS Code has a proxy of its own"
            )
            continue
        named = named or bool(settings.get("http.proxy"))
        found = _wrong(settings, proxy, host)
        if found:
            said, fix = found
            line = (
                f"sed -i.bak -E {quote(fix, shell)} {quote(str(file), shell)}"
                if fix and shell != "powershell"
                else None
            )
            detail = f"VS Code goes by its own settings, whatever the variables say: {file}: {said}"
            yield problem(NAME, detail, line, NAME) if used else note(NAME, detail)
        elif settings.get("http.proxy"):
            yield ok(NAME, f"{file}: http.proxy is {proxy.masked}", NAME)
    if wanted and not named:
        yield ok(
            NAME, "VS Code has no http.proxy of its own, so it goes by the variables it is started with", NAME
        )


def read_settings(text: str) -> dict[str, Any]:
    """JSON with comments and commas before a closing bracket. Raises ValueError."""
    plain = _LAST_COMMA.sub(lambda found: found[1] or "", _COMMENT.sub(lambda found: found[1] or " ", text))
    read = json.loads(plain) if plain.strip() else {}
    if not isinstance(read, dict):
        raise ValueError("no object")
    return read


def _files(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    below = (
        Path(environment.get("XDG_CONFIG_HOME") or home / ".config"),
        home / "Library" / "Application Support",
        Path(environment.get("APPDATA") or home / "AppData" / "Roaming"),
    )
    places = [folder / editor / "User" for folder in below for editor in _EDITORS]
    places += [home / server / "data" / "Machine" for server in _SERVERS]
    yield from (place / "settings.json" for place in places if (place / "settings.json").is_file())


def _wrong(settings: Mapping[str, Any], proxy: ProxyUrl, host: str) -> tuple[str, str | None] | None:
    """What is wrong, and the expression of sed that puts it right; None if nothing is."""
    value, bypassed = settings.get("http.proxy"), settings.get("http.noProxy")
    if settings.get("http.proxySupport") == "off":
        return 'http.proxySupport is "off", so extensions know no proxy', _set(
            "http.proxySupport", "override"
        )
    if value and str(value).rstrip("/") != proxy.url:
        right = f'; write "http.proxy": "{proxy.masked}"'
        return f"http.proxy is {mask(str(value))}{right}", None if proxy.password else _set(
            "http.proxy", proxy.url
        )
    listed = [str(entry) for entry in bypassed] if isinstance(bypassed, list) else []
    if found := [bypass.entry for bypass in find_bypasses(",".join(listed), host)]:
        return f"http.noProxy bypasses the proxy: {', '.join(found)}; take it out", None
    return None


def _set(name: str, value: str) -> str:
    name = name.replace(".", r"\.")
    return rf's|("{name}"[[:space:]]*:[[:space:]]*)"[^"]*"|\1"{value}"|'
