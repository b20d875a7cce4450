"""Why a decision is what it is: the closed list of reason codes.

Every code appears in the audit log, in the client's 403 and in ``docs/reasons.md``; it is part of the contract, so a
code is never renamed and never given a second meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Any

SEND_A_TOKEN = "the client has to send a token: Authorization: Bearer TOKEN"  # noqa: S105 - no password
"""What to do about a call without a credential, or with one of another kind; in the 403 and for whoever reads the log."""


class Kind(Enum):
    """What sort of answer a reason is; it decides whether ``monitor`` mode may let the call go on."""

    ALLOW = "allow"
    """A rule allows the call."""
    POLICY = "policy"
    """The policy does not allow the call. In ``monitor`` the call goes on, logged with ``enforced: false``."""
    SUBJECT = "subject"
    """Nobody in the policy holds this credential. Goes on only when the *whole proxy* is in ``monitor``."""
    READING = "reading"
    """The request, or its credential, has no regular reading, and no rule can allow it. Denied in every mode, but for a flaw
    (it is known whose the call is, where it goes and where it ends), with which ``monitor`` lets it go on."""
    FORBIDDEN = "forbidden"
    """No policy can allow it. Denied in every mode."""
    PLACEHOLDER = "placeholder"
    """A placeholder, or what it stands for, is not where it belongs, so nothing is exchanged. Denied in every mode."""
    DESTINATION = "destination"
    """The connection must not be made or used. Denied in every mode."""
    INTERNAL = "internal"
    """Something failed inside the proxy. Denied in every mode."""

    def reason(self, sentence: str) -> tuple[Any, Kind, str]:
        """A reason of this kind. Its code is its name in small letters."""
        return auto(), self, sentence


class Reason(StrEnum):
    """One reason code. ``.kind`` says how it is treated, ``.sentence`` explains it to people."""

    kind: Kind
    sentence: str

    def __new__(cls, code: str, kind: Kind, sentence: str) -> Reason:
        """A member by its code and what it says."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.kind = kind
        member.sentence = sentence
        return member

    ALLOWED_BY_RULE = Kind.ALLOW.reason("A rule of the subject's rule set allows the call.")
    ALLOWED_BY_GRANT = Kind.ALLOW.reason(
        "A token request with a grant that the policy allows for this client."
    )
    ALLOWED_WITHOUT_CREDENTIAL = Kind.ALLOW.reason(
        "A call that needs no credential: host configuration, OAuth metadata or public keys."
    )

    NO_RULE_MATCHES = Kind.POLICY.reason("No rule of the subject's rule set allows the call.")
    UNKNOWN_OPERATION = Kind.POLICY.reason(
        "The call is not an operation in the catalogue, and no path rule allows it."
    )
    CONSTRAINT_NOT_MET = Kind.POLICY.reason("A rule allows the operation, but not with these parameters.")
    DENIED_BY_RULE = Kind.POLICY.reason(
        "A deny rule of the subject's rule set matches; deny overrides every allow."
    )
    EXPIRED = Kind.POLICY.reason(
        "The subject has expired: the policy allows it only until a time that has passed."
    )
    CLIENT_NOT_ALLOWED = Kind.POLICY.reason(
        "The policy limits the subject to certain client addresses, and the call came from another address."
    )
    WORKSPACE_NOT_ALLOWED = Kind.POLICY.reason(
        "The policy limits the subject to certain workspaces, and the call goes to another one."
    )

    GRANT_NOT_ALLOWED = Kind.POLICY.reason(
        "The policy names the client of the token request, but not this grant for it."
    )

    MISSING_CREDENTIAL = Kind.SUBJECT.reason("The request has no Authorization header.")
    UNKNOWN_TOKEN = Kind.SUBJECT.reason("The policy names no token with this fingerprint.")
    UNSUPPORTED_CREDENTIAL = Kind.SUBJECT.reason(
        "The Authorization header is neither `Bearer TOKEN` nor `Basic token:TOKEN`."
    )

    UNKNOWN_PRINCIPAL = Kind.SUBJECT.reason(
        "The OAuth token names neither a service principal nor a user of the policy."
    )
    UNKNOWN_CLIENT = Kind.SUBJECT.reason(
        "The token request comes from an OAuth client that the policy does not name."
    )
    WRONG_ISSUER = Kind.SUBJECT.reason("The OAuth token's issuer is not accepted on this host.")
    WRONG_TENANT = Kind.SUBJECT.reason(
        "The token was issued by a tenant of Entra ID that the policy does not name."
    )
    WRONG_AUDIENCE = Kind.SUBJECT.reason(
        "The token's audience (`aud`) is not the one required for tokens of its issuer."
    )
    UNKNOWN_KEY = Kind.SUBJECT.reason(
        "The OAuth token is signed with a key that its issuer does not publish."
    )
    KEY_SET_UNAVAILABLE = Kind.SUBJECT.reason(
        "The issuer's public keys could not be fetched, so the OAuth token could not be verified."
    )
    BAD_SIGNATURE = Kind.SUBJECT.reason("The OAuth token's signature does not match its issuer's key.")
    TOKEN_EXPIRED = Kind.SUBJECT.reason("The OAuth token has expired (`exp`).")
    TOKEN_NOT_YET_VALID = Kind.SUBJECT.reason("The OAuth token is not valid yet (`nbf` or `iat`).")
    AMBIGUOUS_PRINCIPAL = Kind.READING.reason(
        "The OAuth token's claims name two different subjects of the policy, or do not identify one."
    )
    MALFORMED_TOKEN = Kind.READING.reason(
        "The bearer token looks like a JSON Web Token but is not in regular form."
    )
    ALGORITHM_REFUSED = Kind.READING.reason(
        "The OAuth token is not signed with RS256 or ES256, or contains its own key."
    )
    MALFORMED_FORM = Kind.READING.reason(
        "The body of the token request is not a plain form: a field twice or missing, invalid bytes or another content type."
    )
    GRANT_REFUSED = Kind.FORBIDDEN.reason(
        "The token request exchanges one credential for another in a way that no policy can allow."
    )

    MALFORMED_CREDENTIAL = Kind.READING.reason("The Authorization header is not in regular form.")
    MULTIPLE_CREDENTIALS = Kind.READING.reason(
        "The request carries a second credential: another Authorization header, a header or query parameter named like "
        "one (such as a cookie), or a value that looks like a token."
    )
    MALFORMED_HEAD = Kind.READING.reason(
        "The request line or a header line does not follow RFC 9112, so two parsers could read it differently."
    )
    MALFORMED_BODY = Kind.READING.reason(
        "The request body must be read, and its chunks do not follow RFC 9112."
    )
    METHOD_NOT_CANONICAL = Kind.READING.reason(
        "The method is not one of DELETE, GET, HEAD, OPTIONS, PATCH, POST and PUT, in capital letters."
    )
    PATH_NOT_CANONICAL = Kind.READING.reason(
        "The path, or a reading of it, has a dot segment, an empty segment, a control character, a backslash or invalid "
        "bytes; or it has too many readings."
    )
    QUERY_NOT_CANONICAL = Kind.READING.reason(
        "The query has invalid bytes, broken percent-encoding, a fragment, or a name that could select the workspace."
    )
    HOST_MISMATCH = Kind.READING.reason(
        "The Host header, the tunnel's target and the TLS server name are not the same host."
    )
    TARGET_NOT_ORIGIN_FORM = Kind.READING.reason(
        "Inside a tunnel the request target must be a path, not a full URL."
    )
    HTTP_VERSION = Kind.READING.reason(
        "The HTTP version is neither 1.1 nor 2, or is not the one that was negotiated."
    )
    HEADER_MALFORMED = Kind.READING.reason(
        "A header's name is not a valid token, or its value has control characters."
    )
    HEADER_DUPLICATE = Kind.READING.reason(
        "A header that decides identity, framing or routing appears twice."
    )
    HEADER_FORBIDDEN = Kind.READING.reason(
        "A header or query parameter could override the method, path, host or identity that was judged."
    )
    UPGRADE_REFUSED = Kind.READING.reason(
        "The request asks to upgrade to a protocol other than a websocket, or asks for a websocket in an irregular way."
    )
    TOKEN_IN_SUBPROTOCOL = Kind.READING.reason(
        "The request for a websocket names a subprotocol that may be a credential."
    )
    TRAILERS_REFUSED = Kind.READING.reason(
        "Headers after the body (trailers) can't be judged before the call is sent."
    )
    TOO_LARGE = Kind.READING.reason(
        "The request's head, or a body that must be read, exceeds the proxy's limit; in monitor mode such a body is sent."
    )
    BODY_ENCODED = Kind.READING.reason(
        "The body must be read, and its compression is not a single gzip member."
    )
    BODY_NOT_JSON = Kind.READING.reason(
        "The body must be read, and is neither a strict JSON object in UTF-8 nor a plain multipart form."
    )
    MESSAGE_MALFORMED = Kind.READING.reason("The body of a call to a tool server is not regular JSON-RPC.")
    BODY_DUPLICATE_KEY = Kind.READING.reason(
        "The body must be read, and an object in it has the same key twice."
    )
    BODY_TOO_DEEP = Kind.READING.reason("The body must be read, and is nested too deeply.")
    TOO_COMPLEX = Kind.READING.reason(
        "Comparing the call's values with the rules would exceed the limit for one call."
    )
    PARAMETER_TWICE = Kind.READING.reason(
        "A parameter that a rule checks is given twice, in two places, or under a name that could be mistaken for it."
    )
    PARAMETER_MISPLACED = Kind.READING.reason(
        "A parameter that a rule checks is not in the place where the API reads it."
    )

    UNKNOWN_PLACEHOLDER = Kind.PLACEHOLDER.reason(
        "The policy names no placeholder with this fingerprint, or the placeholder is incomplete."
    )
    PLACEHOLDER_MISPLACED = Kind.PLACEHOLDER.reason(
        "A placeholder is outside the Authorization header, or written there in a form that is not exchanged."
    )
    PLACEHOLDER_BYPASSED = Kind.PLACEHOLDER.reason(
        "The request carries the real credential behind a placeholder, and the policy does not list it."
    )
    CREDENTIAL_NOT_ALLOWED = Kind.PLACEHOLDER.reason(
        "The operator's file does not define this credential, or does not allow it on this workspace."
    )
    CREDENTIAL_UNAVAILABLE = Kind.PLACEHOLDER.reason(
        "The real credential could not be read from the operator's store, or not be issued; the answer is 503."
    )

    NOT_ENCRYPTED = Kind.DESTINATION.reason(
        "Databricks hosts are reached by HTTPS in a CONNECT tunnel only, never unencrypted."
    )
    NOT_TLS = Kind.DESTINATION.reason("The tunnel to a Databricks host carries something other than TLS.")
    SERVER_NAME_MISMATCH = Kind.DESTINATION.reason(
        "The TLS server name is not the host that the tunnel was opened to."
    )
    PORT_NOT_ALLOWED = Kind.DESTINATION.reason("Databricks hosts are reached on port 443 only.")
    HOST_NOT_CANONICAL = Kind.DESTINATION.reason("The host is not a plain lower-case DNS name.")
    HOST_NOT_IN_SCOPE = Kind.DESTINATION.reason(
        "The host belongs to Databricks but is not in scope_hosts, so calls to it would not be judged."
    )
    PROXY_HEADER_REFUSED = Kind.DESTINATION.reason(
        "The connection came from a load balancer of scope_proxy_protocol without a valid PROXY header."
    )
    OTHER_HOST = Kind.DESTINATION.reason(
        "The host is not a Databricks host; scope_other_hosts says what happens with such hosts."
    )
    ADDRESS_NOT_ALLOWED = Kind.DESTINATION.reason(
        "The destination is an address literal, or a private, loopback, link-local or metadata address, "
        "outside scope_allow_addresses."
    )

    INTERNAL_ERROR = Kind.INTERNAL.reason("Something failed inside the proxy, so the call was not sent.")
    AUDIT_UNAVAILABLE = Kind.INTERNAL.reason("The audit log could not be written, so the call was not sent.")


CHANGE: Mapping[Reason, str] = {
    Reason.MALFORMED_CREDENTIAL: "write `Bearer`, one space and the token in Authorization",
    Reason.MALFORMED_TOKEN: "send the token as its issuer gave it",
    Reason.ALGORITHM_REFUSED: "use a token signed with RS256 or ES256",
    Reason.AMBIGUOUS_PRINCIPAL: "name only one of the two in the policy; use a token that its issuer made for one "
    "application or one person",
    Reason.MALFORMED_FORM: "send one `application/x-www-form-urlencoded` form, each field once",
    Reason.MULTIPLE_CREDENTIALS: "send the one token in Authorization, and no cookie, key or token elsewhere",
    Reason.MALFORMED_HEAD: "write the request line and headers as in RFC 9112",
    Reason.MALFORMED_BODY: "write the body's chunks as in RFC 9112",
    Reason.METHOD_NOT_CANONICAL: "write the method in capital letters",
    Reason.PATH_NOT_CANONICAL: "write the path without empty or dot segments, each name in it encoded once; a host "
    "configured with a trailing slash results in `//`",
    Reason.QUERY_NOT_CANONICAL: "encode the query once, as UTF-8, and select the workspace by `o`",
    Reason.HOST_MISMATCH: "do not set the Host header by hand",
    Reason.TARGET_NOT_ORIGIN_FORM: "send the path alone as the request target",
    Reason.HTTP_VERSION: "use HTTP/1.1 or HTTP/2, as negotiated",
    Reason.HEADER_MALFORMED: "leave the header out, or write it as in RFC 9110",
    Reason.HEADER_DUPLICATE: "send the header once, and name one workspace",
    Reason.HEADER_FORBIDDEN: "leave the header or parameter out",
    Reason.UPGRADE_REFUSED: "do not use the other protocol; ask for a websocket over HTTP/1.1 as in RFC 6455",
    Reason.TOKEN_IN_SUBPROTOCOL: "send the token in Authorization, and short names in Sec-WebSocket-Protocol",
    Reason.TRAILERS_REFUSED: "send no trailers",
    Reason.TOO_LARGE: "send less",
    Reason.BODY_ENCODED: "send the body uncompressed, or compressed by gzip",
    Reason.BODY_NOT_JSON: "send one JSON object in UTF-8",
    Reason.MESSAGE_MALFORMED: "send JSON-RPC 2.0 as application/json, one message or a list of them",
    Reason.BODY_DUPLICATE_KEY: "give each key once",
    Reason.BODY_TOO_DEEP: "nest the body less deeply",
    Reason.TOO_COMPLEX: "send fewer values in one call",
    Reason.PARAMETER_TWICE: "give the parameter once, by the API's name",
    Reason.PARAMETER_MISPLACED: "give the parameter where the API reads it",
    Reason.GRANT_REFUSED: "ask for a token by a grant that a policy can name",
}
"""What can be changed where no rule can allow a request, by reason."""
