"""What a certificate of an authority says: until when it holds, and for which names it may sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from brickscope.error import OperatorError


class AuthorityError(OperatorError):
    """What an operator did with an authority that can't be. The message says what is wrong, where, and what to do."""


SOON = timedelta(days=30)
"""From when on before its end an authority is said to run out."""


class Chain(NamedTuple):
    """The certificates of one authority: first the one whose key signs, last the one that clients trust.

    mitmproxy's own authority is one certificate, which is both.
    """

    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, path: Path) -> Chain:
        """The certificates of a PEM file, which may hold a key as well. Raises AuthorityError."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise AuthorityError(f"{path} can't be read: {error.strerror}") from None
        try:
            return cls(tuple(x509.load_pem_x509_certificates(content)))
        except ValueError:
            raise AuthorityError(f"{path} holds no certificate in PEM form") from None

    @property
    def issuer(self) -> x509.Certificate:
        """The certificate whose key signs what clients are shown."""
        return self.certificates[0]

    @property
    def anchor(self) -> x509.Certificate:
        """The certificate that clients trust."""
        return self.certificates[-1]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the anchor, 64 hex digits: what ``openssl x509 -fingerprint -sha256`` prints, without colons."""
        return self.anchor.fingerprint(hashes.SHA256()).hex()

    @property
    def subject(self) -> str:
        """The anchor's name (RFC 4514)."""
        return self.anchor.subject.rfc4514_string()

    @property
    def begins(self) -> datetime:
        """The moment from which on all of them hold (UTC)."""
        return max(each.not_valid_before_utc for each in self.certificates)

    @property
    def ends(self) -> datetime:
        """The moment at which the first of them runs out (UTC)."""
        return min(each.not_valid_after_utc for each in self.certificates)

    def days_left(self, now: datetime | None = None) -> int:
        """Whole days until the end; negative once it is over."""
        return (self.ends - (now or datetime.now(UTC))) // timedelta(days=1)

    @property
    def permitted(self) -> tuple[str, ...] | None:
        """The domains below which all of them may sign; None if they may sign for any name (RFC 5280, 4.2.1.10)."""
        found: list[str] | None = None
        for each in self.certificates:
            domains = _permitted(each)
            if domains is not None:
                found = (
                    domains
                    if found is None
                    else [name for name in domains if any(_below(name, wide) for wide in found)]
                )
        return None if found is None else tuple(found)

    def covers(self, pattern: str) -> bool:
        """Whether it may sign for a host or ``*.suffix``."""
        name = pattern.removeprefix("*.").lower()
        domains = self.permitted
        return domains is None or any(_below(name, domain) for domain in domains)

    @property
    def key(self) -> str:
        """The kind of the signing key, such as ``EC P-256`` or ``RSA 2048``."""
        key = self.issuer.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            return f"EC {'P-256' if key.curve.name == 'secp256r1' else key.curve.name}"
        return f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__

    @property
    def anchor_pem(self) -> bytes:
        """What clients are given."""
        return self.anchor.public_bytes(serialization.Encoding.PEM)


def _permitted(certificate: x509.Certificate) -> list[str] | None:
    try:
        limits = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None
    names = [each.value for each in limits.permitted_subtrees or () if isinstance(each, x509.DNSName)]
    return [name.lower().removeprefix(".") for name in names] or None


def _below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")
