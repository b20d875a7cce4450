"""The keys: made once, for their owner only, and signatures that openssl could check."""

from __future__ import annotations

import base64
import hmac
import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from brickscope.log.error import AuditError
from brickscope.log.key import DigestKey, SigningKey, VerifyKey


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key.pem"
    first, second = SigningKey.load_or_make(path), SigningKey.load_or_make(path)
    assert first.public.key_id == second.public.key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_signature_holds_for_its_message_and_key_only(tmp_path: Path) -> None:
    key = SigningKey.load_or_make(tmp_path / "a")
    signature = key.sign(b"message")
    assert key.public.verifies(signature, b"message")
    assert not key.public.verifies(signature, b"Message")
    assert not key.public.verifies(("B" if signature[0] == "A" else "A") + signature[1:], b"message")
    assert not key.public.verifies("no base64!", b"message")
    assert not SigningKey.load_or_make(tmp_path / "b").public.verifies(signature, b"message")


def test_the_public_part_is_read_from_either_file(tmp_path: Path) -> None:
    key = SigningKey.load_or_make(tmp_path / "key.pem")
    (tmp_path / "public.pem").write_text(key.public.pem)
    for name in ("key.pem", "public.pem"):
        assert VerifyKey.load(tmp_path / name).key_id == key.public.key_id
    assert VerifyKey.of_base64(key.public.base64).key_id == key.public.key_id


# content, mode, what is said
BAD = {
    "no key": (b"hello", 0o600, "no Ed25519 private key"),
    "readable by others": (b"", 0o640, "chmod 600"),
    "writable by others": (b"", 0o602, "chmod 600"),
}


@pytest.mark.parametrize(("content", "mode", "message"), BAD.values(), ids=BAD)
def test_a_bad_key_file_is_an_error(content: bytes, mode: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(AuditError, match=message):
        SigningKey.load_or_make(path)


def test_a_folder_that_cannot_be_made_is_an_error() -> None:
    with pytest.raises(AuditError, match="can't be read or made"):
        SigningKey.load_or_make(Path("/proc/nowhere/key.pem"))


def test_digests_are_equal_for_equal_values_under_one_key(tmp_path: Path) -> None:
    one, same = DigestKey.load_or_make(tmp_path / "a"), DigestKey.load_or_make(tmp_path / "a")
    other = DigestKey.load_or_make(tmp_path / "b")
    assert one.digest("secret") == same.digest("secret") != other.digest("secret")
    assert len(one.digest("\ud800")) == 64
    (tmp_path / "c").write_text("00")
    (tmp_path / "c").chmod(0o600)
    with pytest.raises(AuditError, match="64 hex digits"):
        DigestKey.load_or_make(tmp_path / "c")


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_holds_no_public_key_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(AuditError, match="no Ed25519 key"):
        VerifyKey.load(tmp_path / "x")


def test_a_digest_is_the_hmac_that_it_says_it_is() -> None:
    """Whoever holds the key can make them with any tool: of the text in UTF-8."""
    key = bytes(range(32))
    made = DigestKey(key)
    assert made.digest("caf\u00e9") == hmac.new(key, "caf\u00e9".encode(), "sha256").hexdigest()
    assert made.digest("\ud800") == hmac.new(key, b"\xed\xa0\x80", "sha256").hexdigest()
    assert made.key_id == f"hmac:{hmac.new(key, b'brickscope key id', 'sha256').hexdigest()[:16]}"


def test_the_file_of_a_digest_key_is_64_hex_digits(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "digest"
    made = DigestKey.load_or_make(path)
    content = path.read_text()
    assert len(content) == 65
    assert DigestKey(bytes.fromhex(content)).key_id == made.key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for wrong in ("zz" * 32, "00" * 31, "00" * 33, "", "caf\u00e9"):
        path.write_text(wrong)
        with pytest.raises(AuditError) as error:
            DigestKey.load_or_make(path)
        assert str(error.value) == f"{path} does not hold 64 hex digits; move it away to have a key made"
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(AuditError, match="64 hex digits"):
        DigestKey.load_or_make(path)


def test_a_key_is_named_by_its_public_part(tmp_path: Path) -> None:
    public = SigningKey.load_or_make(tmp_path / "key.pem").public
    raw = base64.b64decode(public.base64)
    assert len(raw) == 32
    assert public.key_id == f"ed25519:{sha256(raw).hexdigest()[:16]}"
    assert public.pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    loaded = serialization.load_pem_public_key(public.pem.encode())
    assert isinstance(loaded, Ed25519PublicKey)
    loaded.verify(base64.b64decode(SigningKey.load_or_make(tmp_path / "key.pem").sign(b"x")), b"x")
    assert len(SigningKey.load_or_make(tmp_path / "key.pem").sign(b"x")) == 88


@pytest.mark.parametrize(
    "text",
    ["", "no base64!", base64.b64encode(b"short").decode(), "\u00e9", f"A{'A' * 42}=\n", f"A {'A' * 42}="],
)
def test_what_is_no_public_key_in_base64(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        VerifyKey.of_base64(text)


def test_what_is_no_signature(tmp_path: Path) -> None:
    key = SigningKey.load_or_make(tmp_path / "key.pem")
    signature = key.sign(b"x")
    for wrong in ("", "no base64!", "\u00e9", signature[:-4], signature + "AAAA", f" {signature}"):
        assert not key.public.verifies(wrong, b"x")


def pem(key: object, *, private: bool) -> bytes:
    if private:
        return key.private_bytes(  # type: ignore[attr-defined, no-any-return]
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    return key.public_key().public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_a_key_of_another_kind_is_an_error(tmp_path: Path) -> None:
    path, other = tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1())
    for private in (True, False):
        path.write_bytes(pem(other, private=private))
        path.chmod(0o600)
        with pytest.raises(AuditError) as error:
            VerifyKey.load(path)
        assert str(error.value) == f"{path} holds a key of another kind than Ed25519"
        with pytest.raises(AuditError) as error:
            SigningKey.load_or_make(path)
        assert (
            str(error.value)
            == f"{path} holds no Ed25519 private key in PEM form; move it away to have one made"
        )
    with pytest.raises(AuditError) as error:
        VerifyKey.load(tmp_path / "nowhere")
    assert str(error.value) == f"the key {tmp_path / 'nowhere'} can't be read: No such file or directory"
    path.write_bytes(b"hello")
    with pytest.raises(AuditError) as error:
        VerifyKey.load(path)
    assert str(error.value) == f"{path} holds no Ed25519 key in PEM form"


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o777])
def test_a_key_that_others_may_touch_is_not_used(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    SigningKey.load_or_make(path)
    path.chmod(mode)
    with pytest.raises(AuditError) as error:
        SigningKey.load_or_make(path)
    assert str(error.value) == (
        f"the key {path} may be read or written by others (mode {mode:04o}): chmod 600 {path}"
    )
    for own in (0o600, 0o400, 0o700):
        path.chmod(own)
        SigningKey.load_or_make(path)


def test_of_two_that_make_a_key_at_once_both_use_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    real = os.link
    others: list[SigningKey] = []

    def link(source: Path, target: Path) -> None:
        if not others:
            monkeypatch.setattr(os, "link", real)
            others.append(SigningKey.load_or_make(path))
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    mine = SigningKey.load_or_make(path)
    assert mine.public.key_id == others[0].public.key_id
    assert list(tmp_path.iterdir()) == [path]


def test_no_draft_of_a_key_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", fails)
    with pytest.raises(AuditError) as error:
        SigningKey.load_or_make(tmp_path / "key.pem")
    assert (
        str(error.value) == f"the key {tmp_path / 'key.pem'} can't be read or made: No space left on device"
    )
    assert list(tmp_path.iterdir()) == []
