"""The keys of the log: one that signs checkpoints, one that makes digests of values too long or secret to be written.

Both are made on first start, in files for their owner alone. The public part of the first is what auditors are given
(``brickscope audit key``); it is worth as much as the way it reached them. Who can read the signing key can forge the log.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .error import AuditError

_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


class VerifyKey:
    """The public part: checks signatures. ``key_id`` names it in records."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        raw = key.public_bytes(*_RAW)
        self.key_id = f"ed25519:{sha256(raw).hexdigest()[:16]}"
        self.base64 = base64.b64encode(raw).decode()

    @classmethod
    def of_base64(cls, text: str) -> VerifyKey:
        """The key of a ``start`` record. Raises ValueError."""
        return cls(Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True)))

    @classmethod
    def load(cls, path: Path) -> VerifyKey:
        """The key of a PEM file, public or private. Raises AuditError."""
        try:
            content = path.read_bytes()
            try:
                key: object = serialization.load_pem_public_key(content)
            except (ValueError, UnsupportedAlgorithm):
                key = serialization.load_pem_private_key(content, None)
        except OSError as error:
            raise AuditError(f"the key {path} can't be read: {error.strerror}") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise AuditError(f"{path} holds no Ed25519 key in PEM form") from None
        if isinstance(key, Ed25519PrivateKey):
            key = key.public_key()
        if not isinstance(key, Ed25519PublicKey):
            raise AuditError(f"{path} holds a key of another kind than Ed25519")
        return cls(key)

    @property
    def pem(self) -> str:
        """SubjectPublicKeyInfo in PEM form, as openssl reads it."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    def verifies(self, signature: str, message: bytes) -> bool:
        """Whether ``signature`` (base64) is this key's over ``message``."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """Signs checkpoints."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = VerifyKey(key.public_key())

    @classmethod
    def load_or_make(cls, path: Path) -> SigningKey:
        """The key in a PEM file (PKCS 8), which is made with mode 0600 if there is none. Raises AuditError."""
        made = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = _read_or_make(path, made)
        try:
            key = serialization.load_pem_private_key(content, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise AuditError(
                f"{path} holds no Ed25519 private key in PEM form; move it away to have one made"
            )
        return cls(key)

    def sign(self, message: bytes) -> str:
        """A signature in base64 (88 characters)."""
        return base64.b64encode(self._key.sign(message)).decode()


class DigestKey:
    """Makes keyed digests (HMAC-SHA-256): equal values have equal digests, and without the key none can be tried out.

    ``key_id`` names the key in the log, so that nobody takes a digest by another key for another value.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = f"hmac:{hmac.digest(key, b'brickscope key id', 'sha256').hex()[:16]}"

    @classmethod
    def load_or_make(cls, path: Path) -> DigestKey:
        """The key in a file of 64 hex digits, which is made with mode 0600 if there is none. Raises AuditError."""
        try:
            key = bytes.fromhex(_read_or_make(path, f"{secrets.token_hex(32)}\n".encode()).decode().strip())
        except ValueError:
            key = b""
        if len(key) != 32:
            raise AuditError(f"{path} does not hold 64 hex digits; move it away to have a key made")
        return cls(key)

    def digest(self, text: str) -> str:
        """64 hex digits."""
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _read_or_make(path: Path, content: bytes) -> bytes:
    """What a key file holds; ``content``, written there first, if there is none. Raises AuditError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # Whole or not at all: two proxies may start together, and both have to end up with the same key.
            draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, content)
                os.fsync(fd)
            finally:
                os.close(fd)
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(draft, path)
            finally:
                draft.unlink()
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise AuditError(
                    f"the key {path} may be read or written by others (mode {mode:04o}): chmod 600 {path}"
                )
            return file.read(64 * 1024)
    except OSError as error:
        raise AuditError(f"the key {path} can't be read or made: {error.strerror}") from error
