"""Key sets: only public keys that sign, each under one name; signatures by the right key and algorithm."""

from __future__ import annotations

import json
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from brickscope.core.key import KeySetError, read_key_set
from core.oauth import EC_KEY, KID, RSA_KEY, jwk, key_set, signed

WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
OTHER_CURVE = ec.generate_private_key(ec.SECP384R1())


def test_a_signature_by_either_algorithm() -> None:
    keys = read_key_set(key_set(jwk(), jwk("key-2", EC_KEY)))
    assert keys.is_signed(signed(), KID, "RS256")
    assert keys.is_signed(signed(kid="key-2", key=EC_KEY), "key-2", "ES256")


def test_a_key_of_one_tenant_signs_for_no_other() -> None:
    one, every = "0d26daa6-5e44-4c97-a497-ef015f91254a", "https://login.microsoftonline.com/{tenantid}/v2.0"
    keys = read_key_set(
        key_set(jwk(issuer=every.replace("{tenantid}", one)), jwk("key-2", EC_KEY, issuer=every))
    )
    assert keys.tenants == {KID: one}
    assert [keys.is_signed(signed(), KID, "RS256", tenant) for tenant in (one, "other", None)] == [
        True,
        False,
        True,
    ]
    assert keys.is_signed(signed(kid="key-2", key=EC_KEY), "key-2", "ES256", "other")


def test_a_signature_by_another_key_or_for_another_algorithm() -> None:
    keys = read_key_set(key_set(jwk(), jwk("key-2", EC_KEY)))
    assert not keys.is_signed(signed(key=rsa.generate_private_key(65537, 2048)), KID, "RS256")
    assert not keys.is_signed(signed(), KID, "ES256")
    assert not keys.is_signed(signed(), "key-2", "RS256")
    assert not keys.is_signed(signed()[:-4] + b"AAAA", KID, "RS256")
    with pytest.raises(KeyError):
        keys.is_signed(signed(), "key-3", "RS256")


def test_the_algorithm_that_was_asked_for_is_the_only_one() -> None:
    """A token whose header says another algorithm than the one that was read of it is not signed."""
    forged = jwt.encode({"sub": "x"}, EC_KEY, "ES256", {"kid": KID}).encode()
    keys = read_key_set(key_set(jwk(KID, EC_KEY)))
    assert keys.is_signed(forged, KID, "ES256")
    assert not keys.is_signed(forged, KID, "RS256")
    assert not keys.is_signed(forged.replace(b".", b".e", 1), KID, "ES256")


def test_the_text_of_a_key_set_is_told_by_its_digest() -> None:
    raw = key_set(jwk())
    assert read_key_set(raw).digest == sha256(raw).hexdigest()
    assert list(read_key_set(key_set(jwk(), jwk("key-2", EC_KEY))).keys) == [KID, "key-2"]


LEFT_OUT = {
    "a key for encryption": jwk("x", use="enc"),
    "a key that only encrypts": jwk("x", key_ops=["encrypt"]),
    "a weak key": jwk("x", WEAK),
    "another algorithm": jwk("x", alg="PS512"),
    "another curve": jwk("x", OTHER_CURVE),
    "a key without a name": {name: value for name, value in jwk().items() if name != "kid"},
    "a name that is a number": jwk() | {"kid": 7},
    "no key": {"kid": "x"},
    "a modulus that is none": jwk("x", n="!!!"),
    "text": "key",
    "an empty name": jwk() | {"kid": ""},
    "a key that only signs": jwk("x", key_ops=["sign"]),
    "a use that is none": jwk("x", use=7),
    "an Edwards curve": {
        "kid": "x",
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
}
KEPT = {
    "a key for all uses": {name: value for name, value in jwk("x").items() if name != "use"},
    "a key that verifies": jwk("x", key_ops=["verify"]),
    "a key that verifies among others": jwk("x", key_ops=["sign", "verify"]),
    "operations that are no list": jwk("x", key_ops="verify"),
    "its algorithm": jwk("x", alg="RS256"),
    "a key of an elliptic curve": jwk("x", EC_KEY),
}


@pytest.mark.parametrize("entry", KEPT.values(), ids=KEPT)
def test_what_signs_here_is_kept(entry: dict[str, object]) -> None:
    assert list(read_key_set(json.dumps({"keys": [jwk("good"), entry]}).encode()).keys) == ["good", "x"]


@pytest.mark.parametrize("part", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_no_part_of_a_private_key_is_taken(part: str) -> None:
    with pytest.raises(KeySetError, match="private or symmetric"):
        read_key_set(key_set(jwk("good"), jwk("x", **{part: "AQAB"})))


@pytest.mark.parametrize("entry", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_signs_nothing_here_is_left_out(entry: dict[str, object]) -> None:
    assert list(read_key_set(json.dumps({"keys": [jwk("good"), entry]}).encode()).keys) == ["good"]


PRIVATE = jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True) | {"kid": "x"}
WRONG = {
    "no JSON": (b"{", "not JSON"),
    "a list": (b"[]", "not a JSON Web Key Set"),
    "no keys": (b'{"keys": []}', "no key with a kid"),
    "keys that are none": (b'{"keys": {}}', "not a JSON Web Key Set"),
    "two of one name": (key_set(jwk(), jwk()), "same kid"),
    "a private key": (json.dumps({"keys": [PRIVATE]}).encode(), "private"),
    "a shared secret": (b'{"keys": [{"kty":"oct","kid":"x","k":"c2VjcmV0"}]}', "private or symmetric"),
    "too many": (key_set(*[jwk(str(index)) for index in range(101)]), "at most 100"),
    "too large": (b" " * 300_000, "KiB"),
    "nested deeply": (b'{"keys":' + b"[" * 50_000, "not JSON"),
    "a keyless set": (b'{"key": []}', "not a JSON Web Key Set"),
    "bytes that are no text": (b"\xff\xfe", "not JSON"),
    "keys that can't be used": (key_set(jwk("x", WEAK)), "no key with a kid for RS256 or ES256"),
    "the first too many": (key_set(*[{"kid": str(index)} for index in range(101)]), "at most 100"),
    "the first too large": (b"{" + b" " * (256 * 1024), "more than 256 KiB"),
}


def test_the_largest_key_set() -> None:
    raw = key_set(*[jwk(str(index)) for index in range(100)])
    assert len(read_key_set(raw).keys) == 100
    small = key_set(jwk())
    assert read_key_set(small + b" " * (256 * 1024 - len(small)))


@pytest.mark.parametrize(("raw", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_key_set(raw: bytes, message: str) -> None:
    with pytest.raises(KeySetError, match=message):
        read_key_set(raw)
