"""The shape of one policy file. The JSON Schema for editors is made from these models (``schema.py``)."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from brickscope.core.credential import TOKEN_SHAPE
from brickscope.core.fingerprint import PATTERN
from brickscope.core.hostname import is_hostname

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_HEX = re.compile(r"(?:sha256:)?([0-9A-Fa-f]{64})\Z")


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
        return str(ipaddress.ip_network(value))
    except ValueError:
        try:
            near = f"; write {ipaddress.ip_network(value, strict=False)}"
        except ValueError:
            near = ", such as 10.0.8.0/24"
        raise ValueError(f"a client is an IP address or network{near}") from None


def _expires(value: Any) -> float:
    """Seconds since the epoch. A date means its first moment in UTC."""
    if isinstance(value, str):
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
                day = date.fromisoformat(value)
                return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError(f"the time has no zone; write {value}Z for UTC")
            return moment.timestamp()
        except ValueError as error:
            if "zone" in str(error):
                raise
    raise ValueError("a time is a date such as 2027-03-01 or a timestamp such as 2027-03-01T12:00:00Z")


Fingerprint = Annotated[
    str, BeforeValidator(_fingerprint), WithJsonSchema({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})
]
Host = Annotated[str, AfterValidator(_host)]
Network = Annotated[str, AfterValidator(_network)]
Moment = Annotated[
    float, BeforeValidator(_expires), WithJsonSchema({"type": "string", "examples": ["2027-03-01"]})
]
Name = Annotated[str, Field(pattern=NAME)]
ModeWord = Literal["enforce", "monitor"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TokenEntry(_Strict):
    """A personal access token, named by its fingerprint, and the rule set it gets."""

    fingerprint: Fingerprint = Field(description="What 'brickscope fingerprint' prints for the token.")
    rule_set: Name = Field(description="The rule set that says what the token may do.")
    mode: ModeWord | None = Field(None, description="monitor: log what the rules deny, and let it go on.")
    workspaces: list[Host] | None = Field(
        None, min_length=1, description="The token is worth nothing elsewhere."
    )
    clients: list[Network] | None = Field(None, min_length=1, description="Nor from other addresses.")
    expires: Moment | None = Field(None, description="From this moment on (UTC) it may do nothing.")
    description: str | None = Field(None, description="Free text for people.")


class RuleSetEntry(_Strict):
    """What the tokens of this rule set may do. Everything that is not allowed is denied."""

    allow: list[str] = Field(
        min_length=1,
        description="Calls that are allowed: METHOD /path, {name} for one segment, {name...} for the rest.",
        json_schema_extra={
            "items": {"type": "string", "pattern": "^(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^?# ]*$"}
        },
    )
    deny: list[str] = Field(default_factory=list, description="Calls that are denied whatever 'allow' says.")
    mode: ModeWord | None = Field(None, description="monitor: log what the rules deny, and let it go on.")
    description: str | None = Field(None, description="Free text for people.")


class PolicyFile(_Strict):
    """One file of a Brickscope policy. All files of the folder together are one policy."""

    version: Literal[1] = Field(description="The version of this format.")
    mode: ModeWord | None = Field(None, description="The mode of the whole proxy; in one file only.")
    tokens: dict[Name, TokenEntry] = Field(default_factory=dict)
    rule_sets: dict[Name, RuleSetEntry] = Field(default_factory=dict)
