"""The operator's file of credentials (``scope_credentials``): what a placeholder of the policy may be exchanged for.

It is apart from the policy so that whoever edits rules can neither run a command nor read a file or variable. No secret
stands in it, and nothing of it is repeated in a message but names of keys: what is wrong may well be a secret.
"""

import re
import stat
from os.path import realpath
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from brickscope.core.credential import TOKEN_SHAPE
from brickscope.core.entrusted import Entrusted, Kind, Source

from .document import MAX_BYTES, Document, read_document
from .finding import MESSAGES
from .model import _Described, _Strict, _version
from .problem import PolicyError, Position, Problem, nearest
from .value import ClientId, Given, Guid, Name, Some, Workspace

SOURCES = ("file", "environment", "command")
_LOGIN = {
    "public": "login.microsoftonline.com",
    "us_government": "login.microsoftonline.us",
    "china": "login.partner.microsoftonline.cn",
}
# learn.microsoft.com/entra/identity-platform/authentication-national-cloud
_SECRETS = ("token", "secret", "client_secret", "password", "value", "pat")
_NEVER = "a secret is never written here: name its file, environment variable or command"


def _no_secret(value: str) -> str:
    if TOKEN_SHAPE.search(value):
        raise ValueError(f"this looks like a secret; {_NEVER}")
    if not value or not value.isprintable():
        raise ValueError("this is empty, or not one line of text")
    return value


def _absolute(value: str) -> str:
    if not Path(value).is_absolute():
        raise ValueError("the path is not absolute; write it from the root on")
    return value


Text = Annotated[str, AfterValidator(_no_secret)]
FilePath = Annotated[Text, AfterValidator(_absolute)]


class CredentialEntry(_Described):
    """One credential: what it is, where its secret comes from, and on which workspaces it may be used."""

    kind: Literal["token", "databricks_service_principal", "azure_service_principal"] = "token"
    file: Given[FilePath] = None
    environment: Given[Annotated[Text, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]] = None
    command: Given[Some[Text]] = None
    workspaces: Some[Workspace]
    client_id: Given[ClientId] = None
    tenant: Given[Guid] = None
    cloud: Literal["public", "us_government", "china"] = "public"


class CredentialsFile(_Strict):
    """The operator's file."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    credentials: dict[Name, CredentialEntry]


def read_credentials(path: Path, rules: Path) -> dict[str, Entrusted]:
    """The credentials of a file, by name. ``rules``: where the policy is, in which it must not lie.

    Raises PolicyError with every error, each with its place.
    """
    file, where = str(path), Position(str(path))
    try:
        inside = Path(realpath(path)).is_relative_to(realpath(rules))
        loose = path.stat().st_mode & stat.S_IWOTH
        above = path.parent.stat().st_mode  # whoever may write there may put another file in its place
        shared = above & stat.S_IWOTH and not above & stat.S_ISVTX
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _error([Problem(where, "error", f"can't be read: {error.strerror}")]) from None
    if inside:
        hint = "whoever edits rules could run commands through it; put it elsewhere"
        raise _error([Problem(where, "error", "it lies in the policy's folder", hint)])
    if shared:
        raise _error(
            [Problem(where, "error", "everybody may write to its folder", f"chmod o-w {path.parent}")]
        )
    if loose:
        raise _error([Problem(where, "error", "everybody may write to it", f"chmod o-w {file}")])
    document, problems = read_document(file, raw)
    problems = [
        each._replace(source="", message=_bare(each.message), hint=_bare(each.hint)) for each in problems
    ]
    entries: dict[str, CredentialEntry] = {}
    if document.data is not None:
        try:
            entries = CredentialsFile.model_validate(document.data).credentials
        except ValidationError as error:
            problems += [_explain(document, details) for details in error.errors(include_url=False)]
    for name, entry in entries.items():
        if message := _flaw(entry):
            place = document.key_position(("credentials", name))
            problems.append(document.problem(place, message, quote=False))
    if problems:
        raise _error(problems)
    return {name: _entrusted(name, entry) for name, entry in entries.items()}


def _entrusted(name: str, entry: CredentialEntry) -> Entrusted:
    return Entrusted(
        name,
        Kind(entry.kind),
        Source(entry.file, entry.environment, tuple(entry.command or ())),
        frozenset(entry.workspaces),
        entry.client_id or "",
        entry.tenant or "",
        _LOGIN[entry.cloud] if entry.tenant else "",
    )


def _flaw(entry: CredentialEntry) -> str:
    if sum(getattr(entry, name) is not None for name in SOURCES) != 1:
        return f"a credential has one source: {', '.join(SOURCES)}"
    needed = {Kind.TOKEN: (), Kind.DATABRICKS: ("client_id",), Kind.AZURE: ("client_id", "tenant")}
    for name in ("client_id", "tenant"):
        if (getattr(entry, name) is not None) is not (name in needed[Kind(entry.kind)]):
            return f"the key {name!r} is {'missing' if getattr(entry, name) is None else 'of no use'}: {entry.kind}"
    return ""


def _explain(document: Document, details: Any) -> Problem:
    path = tuple(part for part in details["loc"] if part != "[key]")
    key = str(path[-1]) if path else ""
    kind, of_key = details["type"], details["loc"][-1:] == ("[key]",)
    place = document.key_position(path) if of_key else document.position(path)
    message, hint = MESSAGES.get(kind, ("this value can't be used here", ""))
    if kind == "extra_forbidden":
        place, message, hint = document.key_position(path), "this key is unknown", ""
        if key in _SECRETS:
            message, hint = f"the key {key!r} is unknown", _NEVER
        elif near := nearest(key[:64], [*CredentialEntry.model_fields, *CredentialsFile.model_fields]):
            hint = near
    elif kind == "missing":
        place = document.key_position(path[:-1])
        message, hint = message.format(key=key), hint.format(key=key)
    elif kind == "value_error":
        message, _, hint = str(details["ctx"]["error"]).partition("; ")
    elif kind == "literal_error":
        message = f"this is no {key}; there are {details['ctx']['expected']}"
    return document.problem(place, message, hint, quote=False)


def _bare(message: str) -> str:
    """What reading YAML says, without the words of the file that it quotes."""
    return re.sub(r"'.*'", "(not shown)", message)


def _error(problems: list[Problem]) -> PolicyError:
    return PolicyError(problems, "The file of credentials")
