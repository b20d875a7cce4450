"""Certificates as mitmproxy makes them, with dates of one's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


class Authority(NamedTuple):
    """A CA and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )

    def write(self, folder: Path, name: str = "ca.pem") -> Path:
        """The certificate alone, in a file."""
        file = folder / name
        file.write_bytes(self.pem)
        return file

    def write_confdir(self, folder: Path) -> Path:
        """What a mitmproxy with this CA has in its confdir."""
        folder.mkdir()
        (folder / "mitmproxy-ca.pem").write_bytes(self.key_pem + self.pem)
        (folder / "mitmproxy-ca-cert.pem").write_bytes(self.pem)
        return folder

    def issue(self, host: str, *, begins: float = -2, ends: float = 30) -> x509.Certificate:
        """The certificate of a host."""
        return _sign(host, self.certificate.subject, self.key, self.key, False, begins, ends)


def make(name: str = "mitmproxy", *, begins: float = -2, ends: float = 3650) -> Authority:
    """A CA that is good from ``begins`` to ``ends``, in days from now."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return Authority(_sign(name, subject, key, key, True, begins, ends), key)


def _sign(
    name: str,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    signer: rsa.RSAPrivateKey,
    is_authority: bool,
    begins: float,
    ends: float,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # As mitmproxy's: two CAs of the same name are told apart by it.
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
