"""The shape of one ``*.test.yaml``. The JSON Schema for editors is made from these models."""

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from brickscope.core.hostname import is_hostname
from brickscope.core.reason import Reason
from brickscope.policy import schema
from brickscope.policy.value import ModeWord, Moment, Name


def _reason(value: str) -> str:
    if value not in list(Reason):
        raise ValueError(f"there is no reason {value[:64]!r}; see docs/reasons.md")
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("a client is one IP address, such as 10.0.8.7") from None


def _host(value: str) -> str:
    if not is_hostname(value):
        raise ValueError("a host is a plain lower-case host name")
    return value


ReasonWord = Annotated[
    str,
    AfterValidator(_reason),
    WithJsonSchema({"type": "string", "enum": [reason.value for reason in Reason]}),
]
Client = Annotated[str, AfterValidator(_address), Field(examples=["10.0.8.7"])]
Host = Annotated[str, AfterValidator(_host), Field(examples=["dbc-a1b2c3d4-e5f6.cloud.databricks.com"])]
CallText = Annotated[
    str,
    Field(
        min_length=1,
        examples=[
            "GET /api/2.0/sql/warehouses",
            "jobs.run_now job_id=1012",
            'POST /api/2.2/jobs/run-now {"job_id": 7}',
        ],
    ),
]
CallName = Annotated[str, Field(min_length=1, max_length=100)]
_ONE_OR_MORE = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
)
_LISTED = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
OneOrMore = Annotated[list[str], _LISTED, Field(min_length=1), _ONE_OR_MORE]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Row(_Strict):
    """What one subject may do of the named calls. What is not listed under 'allow' must be denied."""

    allow: list[CallName] | Literal["all"] = Field(default_factory=list)
    """Names of calls that must be allowed; all: every one."""
    deny: dict[CallName, ReasonWord] = Field(default_factory=dict)
    """Calls that must be denied for this reason. All others are denied for any."""
    client: Client | None = None
    """The address that it calls from."""
    host: Host | None = None
    """The host that calls without one go to."""


class Case(_Strict):
    """One expectation, or a table of them: every subject with every call."""

    subject: OneOrMore
    """A subject of the policy, or a list."""
    call: OneOrMore
    """A call, the name of one under 'calls', or a list."""
    expect: Literal["allow", "deny"]
    """What the rules must say."""
    reason: ReasonWord | None = None
    """The reason that must be given."""
    rule: str | None = None
    """The rule that must decide, in one line, as explain prints it."""
    enforced: bool | None = None
    """false: it must be sent anyway, in monitor mode."""
    mode: ModeWord | None = None
    """The mode that must hold for the subject."""
    client: Client | None = None
    """The address that the call comes from."""
    host: Host | None = None
    """The host that it goes to."""
    now: Moment | None = None
    """Another time than that of the file."""


class TestFile(_Strict):
    """Tests of a Brickscope policy. The name of the file ends in .test.yaml; the policy passes over it."""

    __test__ = False  # no test class of pytest's

    policy_tests: Annotated[
        Literal[1], BeforeValidator(lambda value: None if isinstance(value, bool) else value)
    ]
    """The version of this format."""
    policy: str | None = Field(None, min_length=1)
    """The policy: a folder or file, from here. Without the key: this folder."""
    now: Moment
    """When the calls are made: tests have a clock that stands still."""
    calls: dict[CallName, CallText] = Field(default_factory=dict)
    """Calls by name."""
    subjects: dict[Name, Row] = Field(default_factory=dict)
    """What each subject may do of the named calls; the others nothing."""
    without: list[Name] = Field(default_factory=list)
    """Subjects that 'calls' are not held against. All others are."""
    cases: list[Case] = Field(default_factory=list)
    """Further expectations, with more detail."""
    description: str | None = None
    """Free text for people."""


def render() -> str:
    """The JSON Schema as the text of ``rules/brickscope.test.schema.json``."""
    return schema.render(TestFile, "Brickscope policy tests")
