"""The records of the audit log, as models: what each event holds. The published JSON Schema is made from these.

Writers and readers share this file, so they cannot drift apart: tests hold every written line against it, and
``brickscope audit verify --schema`` every line that is read.

How it evolves (docs/log.md): within one ``schema`` number fields and events are only added, and never renamed, removed or
given another meaning. A reader of version 1 reads every log of version 1, and has to pass over names that it does not know.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

URI = "https://json-schema.org/draft/2020-12/schema"

Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
KeyId = Annotated[str, Field(pattern=r"^ed25519:[0-9a-f]{16}$")]
Mode = Literal["enforce", "monitor"]
Count = Annotated[int, Field(ge=0)]
Claim = Literal["issuer", "client_id", "sub", "tenant", "object_id", "azure_resource"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class Base(_Model):
    """What every record has."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    """Version of these records."""
    time: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]
    """RFC 3339, UTC, microseconds."""
    seq: Annotated[int, Field(ge=1)]
    """1, 2, 3 … within an instance, without gaps."""
    instance: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    """One run of one process."""
    policy_revision: str | None
    """Hash of the compiled policy in force; null before there is one."""
    prev_hash: Hex64
    """`hash` of the record before; 64 zeros in the first."""
    hash: Hex64
    """SHA-256 of this record without `hash`, as canonical JSON."""


class Decided(Base):
    """What was decided, and about whom."""

    decision_id: str
    """The same as in the client's 403."""
    decision: Literal["allow", "deny"]
    enforced: bool
    """False only for a denial that was not enforced, in monitor mode."""
    mode: Mode
    reason: str
    """A code of docs/reasons.md."""
    detail: str
    """A sentence for people."""
    subject: str | None
    fingerprint: Fingerprint | None
    rule_set: str | None
    rule: str | None
    """The rule that decided, as it is written in the policy."""
    operation: str | None
    """What was called, by the catalogue."""


class DecisionRecord(Decided):
    """One call, before it is sent or refused. From ``client_address`` on, fields are missing if a hook itself failed."""

    event: Literal["decision"]
    client_address: str | None = None
    server_address: str | None = None
    method: str | None = None
    path: str | None = None
    workspace: str | None = None
    """The workspace that a header or `?o=` chose; null for none."""
    host_workspace: str | None = None
    """The one workspace of the host by its own word, where that mattered."""
    params: Annotated[
        dict[str, Any] | None,
        Field(
            description="The parameters that rules looked at; null where the call has none. Texts that are long, odd or "
            "secret are `{hmac_sha256: …}`, objects `{keys: […]}`."
        ),
    ] = None
    param_names: list[str] | None = None
    """Names of all parameters, where a rule with `only` looked at them; else null."""
    params_sent: dict[str, Any] | None = None
    """Those of `params` that the call spells in another way, as it spells them."""
    readings: list[str] | None = None
    """All readings of a call that has several, in words; the one that decided first."""
    batch: Annotated[
        list[str | None] | None,
        Field(
            description="The operations of all calls of a body that holds several, null for an unknown one. `operation` is "
            "then the one that decided, and `params` has a list of each."
        ),
    ] = None
    principal: Annotated[
        dict[Claim, str | None] | None,
        Field(
            description="Verified claims of an OAuth token; of a token request the client that asks. `tenant` and "
            "`object_id` only of a token of Entra ID; its `client_id` is the application id; `azure_resource`: the "
            "workspace for which a second token of the same one came along."
        ),
    ] = None
    grant: str | None = None
    """Of a token request: its grant."""
    credential: str | None = None
    """Of a call with a placeholder: the name of the credential that it stands for."""
    credential_fingerprint: Fingerprint | None = None
    """Of what was sent in the place of the placeholder; missing where nothing was."""
    has_body: bool | None = None
    user_agent: str | None = None


class TunnelRecord(Decided):
    """A CONNECT or plain request to a host that is not under policy, or one that was refused."""

    event: Literal["tunnel"]
    client_address: str
    server_address: str
    server_port: int


class OutcomeRecord(Base):
    """A call that was let go on has ended."""

    event: Literal["outcome"]
    decision_id: str
    status: int | None
    """HTTP status; null without an answer."""
    request_bytes: Count
    response_bytes: Count | None
    duration_ms: Annotated[float | int, Field(ge=0)]
    error: str | None = None


class StartRecord(Base):
    """The proxy starts. ``previous``: the record it goes on from; null where the log is new."""

    event: Literal["start"]
    version: str
    engine: str
    versions: dict[str, str] | None = None
    """Of what stands in a request's path, and of Python and OpenSSL."""
    mode: Mode
    scope_hosts: list[str]
    scope_other_hosts: Literal["tunnel", "deny"]
    fsync: Literal["always", "interval", "never"]
    key_id: KeyId
    public_key: str
    """Ed25519, 32 bytes in base64; trust only the exported one."""
    digest_key_id: Annotated[str | None, Field(pattern=r"^hmac:[0-9a-f]{16}$")] = None
    """Of the key that `hmac_sha256` values are by."""
    previous: dict[Literal["instance", "seq", "hash"], str | int] | None


class StopRecord(Base):
    """The proxy ends in good order; a checkpoint follows."""

    event: Literal["stop"]
    cut: Count | None = None
    """Connections that were cut since their calls took longer than was waited for."""


class ReloadRecord(Base):
    """An edit changed the policy, or does not load."""

    event: Literal["reload"]
    loaded: bool
    mode: Mode | None = None
    previous_revision: str | None = None
    problems: list[str] | None = None


class ModeChangeRecord(Base):
    """A reload changed whether denials are enforced, for all or for some. A null mode follows from what is above it."""

    event: Literal["mode_change"]
    scope: Literal["proxy", "rule_set", "subject"]
    name: str | None
    previous_mode: Mode | None
    mode: Mode | None


class TlsRefusedRecord(Base):
    """A TLS handshake failed. ``cause``: see docs/log.md; missing in logs of earlier versions."""

    event: Literal["tls_refused"]
    side: Literal["client", "server"]
    cause: (
        Literal[
            "ca_unknown",
            "certificate_refused",
            "certificate_expired",
            "closed_by_client",
            "protocol_version",
            "no_shared_cipher",
            "server_name",
            "not_tls",
            "server_untrusted",
            "closed_by_server",
            "other",
        ]
        | None
    ) = None
    detail: str
    client_address: str | None
    server_address: str | None
    server_port: int | None


class TimeoutRecord(Base):
    """A limit of time ended a connection to a host under policy. ``cause``: which one, see docs/log.md."""

    event: Literal["timeout"]
    cause: Literal["handshake", "head", "idle", "stall"]
    seconds: Annotated[float | int, Field(ge=0)]
    decision_id: str | None
    """Of the call that was under way; null for none."""
    client_address: str
    server_address: str
    """Empty where no host was named yet."""
    server_port: int


class KeySetRecord(Base):
    """An issuer's public keys were fetched, or could not be."""

    event: Literal["key_set"]
    url: str
    fetched: bool
    key_ids: list[str]
    detail: str | None


class GapRecord(Base):
    """Something is missing from the log, and why. ``cause``: see docs/log.md."""

    event: Literal["gap"]
    cause: Literal["torn_line", "lost_tail", "write_failed", "file_replaced", "retention"]
    detail: str
    bytes: Count | None = None
    """Of the torn line."""
    sha256: Hex64 | None = None
    """Of the torn line's bytes."""
    denied: Count | None = None
    """Calls denied because no record could be written."""
    lost: Count | None = None
    """Other records lost meanwhile."""
    since: str | None = None
    """When the first record was lost."""
    previous: dict[Literal["instance", "seq", "hash"], str | int] | None = None
    file: str | None = None
    """The file that retention deleted, or that the log was moved to."""


class CheckpointRecord(Base):
    """A signature over all before it: Ed25519 over the canonical JSON of this record without ``signature`` and ``hash``."""

    event: Literal["checkpoint"]
    cause: Literal["interval", "rotation", "stop"]
    records: Count
    """Records since the last checkpoint of this instance."""
    key_id: KeyId
    signature: str
    """64 bytes in base64."""


AnyRecord = Annotated[
    DecisionRecord
    | TunnelRecord
    | OutcomeRecord
    | StartRecord
    | StopRecord
    | ReloadRecord
    | ModeChangeRecord
    | TlsRefusedRecord
    | TimeoutRecord
    | KeySetRecord
    | GapRecord
    | CheckpointRecord,
    Field(discriminator="event"),
]
RECORD: TypeAdapter[Any] = TypeAdapter(AnyRecord)


def check_record(line: bytes | str) -> None:
    """Hold a line against the schema. Raises pydantic.ValidationError."""
    RECORD.validate_json(line)


def render() -> str:
    """The JSON Schema of a record as the text of ``docs/audit-record.schema.json``."""
    made = {"$schema": URI, "title": "Brickscope audit record", **RECORD.json_schema()}
    return json.dumps(made, indent=2, sort_keys=True) + "\n"
