"""The credential: who asks. Exactly one, in ``Authorization``, in one of two spellings.

``Bearer TOKEN`` (RFC 6750) and ``Basic base64("token:TOKEN")`` (what JDBC, ``.netrc`` and ``curl -u token:...`` send)
carry the same token and give the same fingerprint. Everything else is refused.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, unquote_to_bytes

from .decision import Refused
from .normal import fold
from .placeholder import PREFIX, SHAPE, holds_placeholder
from .query import Pair
from .reason import Reason

MIN_TOKEN = 20
"""Shorter texts, in characters, are no token."""
MAX_TOKEN = 16 * 1024
"""Longest token in bytes; a Databricks OAuth token has about 1,000, one with many groups a few thousand."""

# RFC 6750 section 2.1, b64token: these, then any number of equals signs.
_TOKEN_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_BASIC = re.compile(rb"Basic ([A-Za-z0-9+/]+=*)\Z")
_SCHEME = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def read_token(authorization: bytes | None) -> bytes:
    """The token in the value of the one Authorization header. A secret: make a fingerprint of it, keep it nowhere.

    Raises Refused: MISSING_CREDENTIAL, UNSUPPORTED_CREDENTIAL (another scheme, or Basic for somebody other than
    ``token``) or MALFORMED_CREDENTIAL. No detail holds any part of the value.
    """
    if authorization is None:
        raise Refused(Reason.MISSING_CREDENTIAL, "the request has no Authorization header")
    if len(authorization) > MAX_TOKEN:
        raise Refused(Reason.TOO_LARGE, f"the Authorization header has more than {MAX_TOKEN} bytes")
    if authorization[:7] == b"Bearer ":
        token = authorization[7:]
        if _is_token(token):
            return token
    if authorization[:6].lower() == b"bearer":
        raise Refused(
            Reason.MALFORMED_CREDENTIAL, "the Authorization header is not 'Bearer', one space and one token"
        )
    if authorization[:5].lower() == b"basic":
        return _read_basic(authorization)
    if not _SCHEME.match(authorization):
        raise Refused(Reason.MALFORMED_CREDENTIAL, "the Authorization header has no scheme")
    raise Refused(
        Reason.UNSUPPORTED_CREDENTIAL,
        "the Authorization scheme is neither Bearer nor Basic with the user 'token'",
    )


def _is_token(text: bytes) -> bool:
    body = text.rstrip(b"=")
    return body != b"" and body.translate(None, _TOKEN_BYTES) == b""


def _read_basic(authorization: bytes) -> bytes:
    user, token = read_pair(authorization)
    if user != b"token":
        raise Refused(
            Reason.UNSUPPORTED_CREDENTIAL,
            "Basic authorization is accepted only as the user 'token' and a token",
        )
    if not _is_token(token):
        raise Refused(Reason.MALFORMED_CREDENTIAL, "the password in the Authorization header is not a token")
    return token


def read_pair(authorization: bytes) -> tuple[bytes, bytes]:
    """User and password of Basic authorization (RFC 7617). Raises Refused(MALFORMED_CREDENTIAL)."""
    found = _BASIC.match(authorization)
    try:
        blob = found[1] if found else b""
        pair = b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        blob = pair = b""
    # Re-encoding must give the same text, or two decoders could find two tokens in it (RFC 4648 section 3.5).
    if not pair or b64encode(pair) != blob:
        raise Refused(
            Reason.MALFORMED_CREDENTIAL,
            "the Authorization header is not 'Basic', one space and canonical base64",
        )
    user, _, password = pair.partition(b":")
    return user, password


# Databricks' own tokens (gitleaks rule for dapi; dkea, dose, doau: secret-scanner rules), Google's, and JSON Web Tokens.
# Linear in the text, which a client writes: a run of token characters is entered at its beginning only, and only if a dot
# and eight more follow it. Tried at each `eyJ`, a header full of them would take seconds.
TOKEN_SHAPE = re.compile(
    r"(?:dapi|dkea|dose|doau|dsapi)[0-9A-Fa-f]{30,}(?:-\d+)?"
    rf"|{SHAPE}|ya29\.[0-9A-Za-z._-]{{16,}}"
    r"|(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*+\.[A-Za-z0-9_-]{8})"
    r"[A-Za-z0-9_-]*?eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?"
)

_HELD = re.compile(PREFIX + rb"[0-9A-Za-z]{16}")
_SEPARATED = re.compile(rb"[^\s:,\"]+")
_BASE64, _PLAIN = re.compile(rb"[A-Za-z0-9+/]{24,}"), bytes.maketrans(b"-_", b"+/")

_MARKS = ("dapi", "dkea", "dose", "doau", "dsapi", "bsp_", "ya29.", "eyJ")


def holds_token(text: str) -> bool:
    """Whether something in a text looks like a token."""
    for mark in _MARKS:  # the search costs ten times what looking for its beginnings does
        if mark in text:
            return TOKEN_SHAPE.search(text) is not None
    return False


def refuse_placeholder(text: bytes, where: str) -> None:
    """Raises Refused(PLACEHOLDER_MISPLACED) for a text with a placeholder in it, which is exchanged in one place only."""
    # Backwards, since forwards CPython takes five times as long over megabytes of zeros.
    if text.rfind(PREFIX) >= 0 and holds_placeholder(text.decode("latin-1")):
        raise Refused(Reason.PLACEHOLDER_MISPLACED, f"{where} holds a placeholder")


def conceals_placeholder(authorization: bytes) -> bool:
    """Whether a value of Authorization holds a placeholder, or most of one, in whatever form or scheme."""
    return any(map(_HELD.search, _forms(authorization)))


def possible_tokens(authorization: bytes) -> Iterator[bytes]:
    """All that a value of Authorization could hold as a token, in whatever form or scheme."""
    for form in _forms(authorization):
        yield from (part for part in _SEPARATED.findall(form) if len(part) >= MIN_TOKEN)
        yield from (found[0].encode("latin-1") for found in TOKEN_SHAPE.finditer(form.decode("latin-1")))


def _forms(authorization: bytes) -> Iterator[bytes]:
    """A value of Authorization without percent-encoding, and what stands in it in Base64."""
    text = unquote_to_bytes(authorization)
    yield text
    for run in _BASE64.findall(text.translate(_PLAIN)):
        for start in range(4):
            part = run[start:-1] if (len(run) - start) % 4 == 1 else run[start:]
            yield b64decode(part + b"=" * (-len(part) % 4))


def second_credential(text: str, where: str) -> Refused:
    """The refusal of a text that looks like a token, and stands ``where`` no credential belongs."""
    if holds_placeholder(text):
        return Refused(Reason.PLACEHOLDER_MISPLACED, f"{where} holds a placeholder")
    return Refused(Reason.MULTIPLE_CREDENTIALS, f"{where} looks like a token")


# Whole names of parameters that carry a credential, folded: RFC 6750 section 2.3, presigned URLs of the clouds, OAuth forms.
# A longer name with such a word in it (`page_token`) is the API's own.
_CREDENTIAL_NAMES = frozenset(
    fold(name)
    for name in [
        "access_token",
        "api_key",
        "api_token",
        "assertion",
        "auth_token",
        "authorization",
        "bearer",
        "bearer_token",
        "client_assertion",
        "client_secret",
        "code_verifier",
        "id_token",
        "jsessionid",
        "jwt",
        "oauth_token",
        "password",
        "refresh_token",
        "sig",
        "subject_token",
        "actor_token",
        "token",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "x-goog-credential",
        "x-goog-signature",
        "x-databricks-token",
    ]
)
# Names by which frameworks let a query override the method (Rails, Symfony, Spring: `_method`).
_OVERRIDE_NAMES = frozenset(
    {"_method", "http_method", "method_override", "x-http-method-override", "x-http-method"}
)


def find_query_flaw(pairs: Iterable[Pair]) -> Refused | None:
    """Why no rule can allow a call with this query: a parameter's name says that it carries a credential, or overrides the
    method. Raises Refused (MULTIPLE_CREDENTIALS or PLACEHOLDER_MISPLACED) for a value of the shape of a token. No detail
    holds a value."""
    flaw: Refused | None = None
    for pair in pairs:
        name, value = pair.name, pair.value
        if len(value) >= MIN_TOKEN and (holds_token(value) or ("%" in value and holds_token(unquote(value)))):
            # The name may be the token once more, and clipped it would not look like one.
            which = "a query parameter" if holds_token(name) else f"the query parameter {name[:32]!a}"
            raise second_credential(unquote(value), f"the value of {which}")
        if len(name) >= MIN_TOKEN and holds_token(name):
            raise second_credential(name, "the name of a query parameter")
        if flaw is None and name:
            if fold(name) in _CREDENTIAL_NAMES:
                flaw = Refused(
                    Reason.MULTIPLE_CREDENTIALS, f"the query parameter {name[:32]!a} is a second credential"
                )
            elif name.lower() in _OVERRIDE_NAMES:
                flaw = Refused(
                    Reason.HEADER_FORBIDDEN,
                    f"the query parameter {name[:32]!a} could override the method that was judged",
                )
    return flaw
