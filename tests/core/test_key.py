"""Key sets: only public keys that sign, each under one name; signatures by the right key and algorithm."""

from __future__ import annotations

import json

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


def test_a_signature_by_another_key_or_for_another_algorithm() -> None:
    keys = read_key_set(key_set(jwk(), jwk("key-2", EC_KEY)))
    assert not keys.is_signed(signed(key=rsa.generate_private_key(65537, 2048)), KID, "RS256")
    assert not keys.is_signed(signed(), KID, "ES256")
    assert not keys.is_signed(signed(), "key-2", "RS256")
    assert not keys.is_signed(signed()[:-4] + b"AAAA", KID, "RS256")


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
}


@pytest.mark.parametrize("entry", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_signs_nothing_here_is_left_out(entry: dict[str, object]) -> None:
    assert list(read_key_set(json.dumps({"keys": [jwk("good"), entry]}).encode()).keys) == ["good"]


PRIVATE = jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True) | {"kid": "x"}
WRONG = {
    "no JSON": (b"{", "no JSON"),
    "a list": (b"[]", "no JSON Web Key Set"),
    "no keys": (b'{"keys": []}', "no key with a kid"),
    "keys that are none": (b'{"keys": {}}', "no JSON Web Key Set"),
    "two of one name": (key_set(jwk(), jwk()), "same kid"),
    "a private key": (json.dumps({"keys": [PRIVATE]}).encode(), "private"),
    "a shared secret": (b'{"keys": [{"kty":"oct","kid":"x","k":"c2VjcmV0"}]}', "private or symmetric"),
    "too many": (key_set(*[jwk(str(index)) for index in range(101)]), "at most 100"),
    "too large": (b" " * 300_000, "KiB"),
    "nested deeply": (b'{"keys":' + b"[" * 50_000, "no JSON"),
}


@pytest.mark.parametrize(("raw", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_key_set(raw: bytes, message: str) -> None:
    with pytest.raises(KeySetError, match=message):
        read_key_set(raw)
