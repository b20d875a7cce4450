"""Credentials: one token, two spellings, one fingerprint; everything else refused without a trace of it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.credential import read_token
from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.reason import Reason
from core.refusal import refusal, tried
from core.wire import TOKEN
from reaching import reaching

FINGERPRINT = "sha256:" + sha256(TOKEN).hexdigest()
MALFORMED, UNSUPPORTED = Reason.MALFORMED_CREDENTIAL, Reason.UNSUPPORTED_CREDENTIAL


def basic(pair: bytes) -> bytes:
    return b"Basic " + b64encode(pair)


REFUSED = {
    "no header": (None, Reason.MISSING_CREDENTIAL),
    "an empty header": (b"", MALFORMED),
    "Bearer alone": (b"Bearer", MALFORMED),
    "Bearer and nothing": (b"Bearer ", MALFORMED),
    "two spaces": (b"Bearer  " + TOKEN, MALFORMED),
    "a tab": (b"Bearer\t" + TOKEN, MALFORMED),
    "a trailing space": (b"Bearer " + TOKEN + b" ", MALFORMED),
    "a leading space": (b" Bearer " + TOKEN, MALFORMED),
    "lower case": (b"bearer " + TOKEN, MALFORMED),
    "capitals": (b"BEARER " + TOKEN, MALFORMED),
    "two tokens": (b"Bearer " + TOKEN + b" " + TOKEN, MALFORMED),
    "a list": (b"Bearer " + TOKEN + b", Bearer " + TOKEN, MALFORMED),
    "quotes": (b'Bearer "' + TOKEN + b'"', MALFORMED),
    "8-bit bytes": (b"Bearer caf\xe9", MALFORMED),
    "another scheme": (b"Digest x", UNSUPPORTED),
    "the token alone": (TOKEN, UNSUPPORTED),
    "AWS signing": (b"AWS4-HMAC-SHA256 Credential=x", UNSUPPORTED),
    "Basic for a user": (basic(b"me@example.com:secret"), UNSUPPORTED),
    "Basic for a client": (basic(b"6f1c2f6e:dose00"), UNSUPPORTED),
    "Basic with no colon": (basic(TOKEN), UNSUPPORTED),
    "Basic with an empty token": (basic(b"token:"), MALFORMED),
    "Basic with a token and a colon": (basic(b"token:" + TOKEN + b":x"), MALFORMED),
    "Basic with a line break": (basic(b"token:" + TOKEN + b"\n"), MALFORMED),
    "Basic with a user in capitals": (basic(b"Token:" + TOKEN), UNSUPPORTED),
    "Basic that is no base64": (b"Basic !!!!", MALFORMED),
    "Basic without padding": (basic(b"token:abcd").rstrip(b"="), MALFORMED),
    "Basic with loose last bits": (b"Basic dG9rZW46YR==", MALFORMED),
    "Basic with two spaces": (b"Basic  " + b64encode(b"token:" + TOKEN), MALFORMED),
    "Basic and nothing": (b"Basic ", MALFORMED),
    "two Basics in one header": (basic(b"token:" + TOKEN) + b", " + basic(b"token:" + TOKEN), MALFORMED),
    "two Basics without a space": (basic(b"token:" + TOKEN) + b"," + basic(b"token:" + TOKEN), MALFORMED),
    "Basic and Bearer": (basic(b"token:" + TOKEN) + b", Bearer " + TOKEN, MALFORMED),
    "Basic with a line end": (basic(b"token:" + TOKEN) + b"\n", MALFORMED),
    "Basic in small letters": (basic(b"token:" + TOKEN).replace(b"Basic", b"basic"), MALFORMED),
    "too long a token": (b"Bearer " + b"a" * (16 * 1024 - 6), Reason.TOO_LARGE),
}


def test_the_longest_token() -> None:
    assert len(read_token(b"Bearer " + b"a" * (16 * 1024 - 7))) == 16 * 1024 - 7


@pytest.mark.parametrize("header", [b"Bearer " + TOKEN, basic(b"token:" + TOKEN)])
def test_both_spellings_give_the_same_fingerprint(header: bytes) -> None:
    assert fingerprint(read_token(header)) == FINGERPRINT


@pytest.mark.parametrize(("header", "reason"), REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused(header: bytes | None, reason: Reason) -> None:
    found, detail = refusal(read_token, header)
    assert found is reason
    assert "dapi" not in detail


_TOKEN = st.from_regex(rb"[A-Za-z0-9\-._~+/]{1,40}={0,2}", fullmatch=True)


@reaching(
    0.3, _TOKEN, st.sampled_from([b"", b"", b" ", b",", b"=a", b"\t", b":", b"\xff"]), st.integers(0, 40)
)
def test_a_token_is_read_whole_or_not_at_all(token: bytes, odd: bytes, at: int) -> bool:
    written = token[:at] + odd + token[at:]
    found = []
    for value in (b"Bearer " + written, basic(b"token:" + written)):
        read = tried(read_token, value)
        if isinstance(read, Refused):
            assert read.reason in (MALFORMED, UNSUPPORTED)
        else:
            found.append(read)
    # Both spellings are read alike, and nothing is taken off or left out.
    assert found in ([], [written, written])
    assert not odd.strip(b"=a") or not found
    return bool(found)


@given(st.binary(max_size=80))
def test_no_bytes_without_a_scheme_are_a_token(header: bytes) -> None:
    if not header.startswith((b"Bearer ", b"Basic ")):
        with pytest.raises(Refused):
            read_token(header)
