"""Variables as lines of a shell or a file: quoted so that a value arrives as it is, whatever is in it."""

import json
import shlex
from collections.abc import Callable, Mapping

Variables = Mapping[str, str]


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    # fish(1), "Quotes": between single quotes only \\ and \' are escapes.
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _powershell(name: str, value: str) -> str:
    # about_Quoting_Rules; the tokenizer takes the four typographic quotes for ' as well (CharTraits.cs,
    # IsSingleQuote), so each of them could end the string.
    quoted = "".join(char * 2 if char in "'‘’‚‛" else char for char in value)
    return f"$env:{name} = '{quoted}'"


def _env_file(name: str, value: str) -> str:
    # docker run --env-file and GITHUB_ENV: the rest of the line, with no quotes and no escapes.
    return f"{name}={value}"


def _dockerfile(name: str, value: str) -> str:
    # Dockerfile reference, "Environment replacement": within double quotes \ " and $ are escaped.
    quoted = "".join("\\" + char if char in '\\"$' else char for char in value)
    return f'ENV {name}="{quoted}"'


def _systemd(name: str, value: str) -> str:
    # systemd.exec(5) Environment=, systemd.syntax(7) "Quoting": C escapes in double quotes; % begins a specifier
    # (systemd.unit(5)), $ means nothing here.
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{name}={quoted}"'


_LINES: dict[str, Callable[[str, str], str]] = {
    "sh": _sh,
    "fish": _fish,
    "powershell": _powershell,
    "docker": _env_file,
    "dockerfile": _dockerfile,
    "systemd": _systemd,
    "github-actions": _env_file,
}
FORMATS = (*_LINES, "json")
SHELLS = ("sh", "fish", "powershell")


def render(variables: Variables, form: str) -> str:
    """The variables in one of ``FORMATS``, each line ended. Raises ValueError for a value that no format can hold."""
    for name, value in variables.items():
        # A line end would begin another variable or command in every one of the formats.
        if any(ord(char) < 0x20 or ord(char) == 0x7F or char in "\u0085\u2028\u2029" for char in value):
            raise ValueError(f"the value of {name} holds a control character or a line end")
    if form == "json":
        return json.dumps(dict(variables), indent=2) + "\n"
    return "".join(f"{_LINES[form](name, value)}\n" for name, value in variables.items())


def quote(value: str, shell: str) -> str:
    """One argument of a command in one of ``SHELLS``."""
    if value and all(char.isascii() and (char.isalnum() or char in "-._/:=+") for char in value):
        return value
    if shell == "sh":
        return shlex.quote(value)
    line = _LINES[shell]("X", value)
    return line[line.index("'") :]


def evaluated(command: str, shell: str) -> str:
    """A line that runs a command and takes the variables it prints into the shell."""
    if shell == "fish":
        return f"{command} | source"
    if shell == "powershell":
        return f"{command} | Out-String | Invoke-Expression"
    return f'eval "$({command})"'
