"""The shape of one policy file. The JSON Schema for editors is made from these models (``schema.py``)."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from brickscope.core.credential import TOKEN_SHAPE
from brickscope.core.fingerprint import PATTERN
from brickscope.core.hostname import is_hostname

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_HEX = re.compile(r"(?:sha256:)?([0-9A-Fa-f]{64})\Z")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATE = re.compile(_DAY)
# RFC 3339 section 5.6; the zone apart, to tell whoever forgot it.
_TIMESTAMP = re.compile(
    rf"{_DAY}[Tt ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]+)?([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?"
)
_MASK = re.compile(r"/[0-9]+\.")


def _given(value: Any) -> Any:
    # A binding whose entries were all commented out reads as null. Taken for "not bound", it would let the token be
    # used from anywhere.
    if value is None:
        raise ValueError("the key has no value; write one or delete the key")
    return value


def _version(value: Any) -> Any:
    # True equals 1 in Python, also to pydantic's Literal.
    return None if isinstance(value, bool) else value


def _fingerprint(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a fingerprint is sha256: and 64 hex digits; run 'brickscope fingerprint'")
    if PATTERN.fullmatch(value):
        return value
    if found := _HEX.match(value.strip()):
        raise ValueError(
            f"a fingerprint is sha256: and lower-case hex digits; write sha256:{found[1].lower()}"
        )
    if TOKEN_SHAPE.search(value) or not value.startswith("sha256:"):
        raise ValueError(
            "this is no fingerprint and may be a token itself: never write a token here; "
            "run 'brickscope fingerprint' and write what it prints"
        )
    raise ValueError("a fingerprint is sha256: and 64 lower-case hex digits; run 'brickscope fingerprint'")


def _host(value: str) -> str:
    if is_hostname(value):
        return value
    bare = re.sub(r"^[a-z]+://", "", value.strip().lower()).split("/")[0].split(":")[0].rstrip(".")
    raise ValueError(
        "a workspace is a plain lower-case host name" + (f"; write {bare}" if is_hostname(bare) else "")
    )


def _network(value: str) -> str:
    try:
        network = str(ipaddress.ip_network(value))
        # A netmask and a host mask look alike: 10.0.0.0/0.0.0.255 is easily the wrong one.
        if not _MASK.search(value):
            return network
        raise ValueError
    except ValueError:
        try:
            near = f"; write {ipaddress.ip_network(value, strict=False)}"
        except ValueError:
            near = ", such as 10.0.8.0/24"
        raise ValueError(f"a client is an IP address or network{near}") from None


def _expires(value: Any) -> float:
    """Seconds since the epoch. A date means its first moment in UTC."""
    if isinstance(value, str):
        found = _TIMESTAMP.fullmatch(value)
        with contextlib.suppress(ValueError):
            if _DATE.fullmatch(value):
                day = date.fromisoformat(value)
                return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            if found is not None and found[1]:
                return datetime.fromisoformat(value.upper()).timestamp()
        if found is not None and not found[1]:
            raise ValueError(f"the time has no zone; write {value}Z for UTC")
    raise ValueError("a time is a date such as 2027-03-01 or a timestamp such as 2027-03-01T12:00:00Z")


Fingerprint = Annotated[
    str, BeforeValidator(_fingerprint), WithJsonSchema({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})
]
Host = Annotated[str, AfterValidator(_host), Field(examples=["dbc-a1b2c3d4-e5f6.cloud.databricks.com"])]
Network = Annotated[str, AfterValidator(_network), Field(examples=["10.0.8.0/24", "192.0.2.1"])]
Moment = Annotated[
    float, BeforeValidator(_expires), WithJsonSchema({"type": "string", "examples": ["2027-03-01"]})
]
Name = Annotated[str, Field(pattern=NAME)]
ModeWord = Literal["enforce", "monitor"]
_GIVEN = BeforeValidator(_given)
OptionalMode = Annotated[ModeWord | None, _GIVEN]
OptionalText = Annotated[str | None, _GIVEN]
_RULES: JsonDict = {
    "items": {"type": "string", "pattern": "^(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^?# ]*$"}
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TokenEntry(_Strict):
    """A personal access token, named by its fingerprint, and the rule set it gets."""

    fingerprint: Fingerprint = Field(description="What 'brickscope fingerprint' prints for the token.")
    rule_set: Name = Field(description="The rule set that says what the token may do.")
    mode: OptionalMode = Field(None, description="monitor: log what the rules deny, and let it go on.")
    workspaces: Annotated[list[Host] | None, _GIVEN] = Field(
        None, min_length=1, description="The token is worth nothing elsewhere."
    )
    clients: Annotated[list[Network] | None, _GIVEN] = Field(
        None, min_length=1, description="Nor from other addresses."
    )
    expires: Annotated[Moment | None, _GIVEN] = Field(
        None,
        description="From this moment on it may do nothing: a time with its zone, or a date for its start in UTC.",
    )
    description: OptionalText = Field(None, description="Free text for people.")


class RuleSetEntry(_Strict):
    """What the tokens of this rule set may do. Everything that is not allowed is denied."""

    allow: list[str] = Field(
        min_length=1,
        description="Calls that are allowed: METHOD /path, {name} for one segment, {name...} for the rest.",
        json_schema_extra=_RULES,
    )
    deny: list[str] = Field(
        default_factory=list,
        description="Calls that are denied whatever 'allow' says.",
        json_schema_extra=_RULES,
    )
    mode: OptionalMode = Field(None, description="monitor: log what the rules deny, and let it go on.")
    description: OptionalText = Field(None, description="Free text for people.")


class PolicyFile(_Strict):
    """One file of a Brickscope policy. All files of the folder together are one policy."""

    version: Annotated[Literal[1], BeforeValidator(_version)] = Field(
        description="The version of this format."
    )
    mode: OptionalMode = Field(None, description="The mode of the whole proxy; in one file only.")
    tokens: dict[Name, TokenEntry] = Field(default_factory=dict)
    rule_sets: dict[Name, RuleSetEntry] = Field(default_factory=dict)
