"""The keys: made once, for their owner only, and signatures that openssl could check."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from brickscope.audit.error import AuditError
from brickscope.audit.key import DigestKey, SigningKey, VerifyKey


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
    assert not key.public.verifies("A" + signature[1:], b"message")
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
