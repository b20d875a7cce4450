"""Certificates in files: read strictly, since what gets into a bundle is trusted by every client of a host."""

import contextlib
import re
import ssl
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from brickscope.core.visible import visible
from brickscope.error import OperatorError

SYSTEM_BUNDLES = (
    # Go's crypto/x509 root_linux.go, root_bsd.go: where the systems keep their bundle.
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
)
_PLAIN = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


class CertificateError(OperatorError):
    """A file that can't be taken; the message says which, why and what to do."""


def read_certificates(file: Path) -> list[x509.Certificate]:
    """All certificates of a PEM (or one DER) file. Raises CertificateError."""
    content = _read(file)
    blocks = _blocks(file, content) if b"-----BEGIN" in content else [content]
    try:
        with without_warnings():
            return [x509.load_der_x509_certificate(block) for block in blocks]
    except ValueError:
        raise CertificateError(f"{file} holds something that is not a certificate") from None


def without_warnings() -> contextlib.AbstractContextManager[object]:
    """The library warns of serial numbers of 0, which roots have that are in use."""
    return warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning)


def read_roots() -> tuple[str, list[bytes]]:
    """The system's own roots in DER, with where they come from; certifi's where the system has no file. Raises
    CertificateError."""
    for name in SYSTEM_BUNDLES:
        if Path(name).is_file():
            return name, read_blocks(Path(name))
    import certifi

    return "certifi", read_blocks(Path(certifi.where()))


def read_blocks(file: Path) -> list[bytes]:
    """The certificates of a PEM file in DER, not looked into: among roots are some of an age whose rules were others, and
    what the system trusts is not for us to sort. Raises CertificateError."""
    return _blocks(file, _read(file))


def _blocks(file: Path, content: bytes) -> list[bytes]:
    try:
        found = [ssl.PEM_cert_to_DER_cert(block.decode("ascii")) for block in _PLAIN.findall(content)]
    except ValueError:
        raise CertificateError(f"{file} holds something that is not a certificate") from None
    if not found:
        raise CertificateError(f"{file} holds no certificate")
    return found


def holds_key(content: bytes) -> bool:
    """Whether a file has a private key in PEM (RFC 7468), of whatever kind."""
    return b"PRIVATE KEY-----" in content


def _read(file: Path) -> bytes:
    """A file without a private key: ``mitmproxy-ca.pem`` holds the proxy's, and who has it can pose as any host."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CertificateError(f"{file} can't be read: {error.strerror}") from None
    if holds_key(content):
        raise CertificateError(
            f"{file} holds a private key and must not leave the proxy's host; give mitmproxy-ca-cert.pem, "
            "which holds the certificate only"
        )
    return content


def known(blocks: Iterable[bytes]) -> list[x509.Certificate]:
    """Those that the library can read."""
    found = []
    with without_warnings():
        for block in blocks:
            with contextlib.suppress(ValueError):
                found.append(x509.load_der_x509_certificate(block))
    return found


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others (RFC 5280 section 4.2.1.9)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 as 64 hex digits; what ``openssl x509 -noout -fingerprint -sha256`` prints with colons."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def subject(certificate: x509.Certificate) -> str:
    """The name in one printable line."""
    try:
        text = certificate.subject.rfc4514_string()
    except ValueError:
        text = "?"
    return visible(text, only_ascii=True)[:120]


def has_ended(certificate: x509.Certificate, now: datetime | None = None) -> bool:
    """Whether its time is over."""
    return certificate.not_valid_after_utc < (now or datetime.now(UTC))


def der(certificate: x509.Certificate) -> bytes:
    """Its bytes."""
    return certificate.public_bytes(Encoding.DER)


def issued(authority: x509.Certificate, leaf: x509.Certificate) -> bool:
    """Whether ``authority`` signed ``leaf``: names and signature, not time."""
    try:
        leaf.verify_directly_issued_by(authority)
    except Exception:  # the library raises several types for keys and signatures it can't use
        return False
    return True
