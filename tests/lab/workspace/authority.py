"""A throwaway certificate authority and the certificates it signs, so that a fake workspace can speak real TLS.

Everything is made new for one run and lives in one folder. The authority's key is never written: once the object is
gone, nothing more can be signed, so a CA file that stays behind in somebody's trust settings is harmless.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = timedelta(days=30)
SKEW = timedelta(days=1)
"""How far before now a certificate is valid already: the clock of a container may lag behind."""


class Leaf(NamedTuple):
    """Where a server's certificate chain and its private key are, as PEM files."""

    certificate_file: Path
    key_file: Path


class Authority:
    """A CA made on the spot. ``ca_file`` is what a client has to trust."""

    def __init__(self, folder: Path) -> None:
        """Make the authority and write its certificate into ``folder``, which is created if it is missing."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.ca_file = folder / "fake-ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Brickscope fake workspace CA")])
        public = self._key.public_key()
        certificate = (
            _builder(self._name, self._name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        write_private(self.ca_file, certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def key(self) -> bytes:
        """The private key that it signs with, as PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def issue(self, names: Sequence[str]) -> Leaf:
        """Sign a certificate for DNS names (``*.cloud.databricks.com`` is one) and write it and its key."""
        if not names:
            raise ValueError("a certificate needs at least one DNS name")
        key = ec.generate_private_key(ec.SECP256R1())
        # RFC 5280, appendix A: a common name has at most 64 characters. The names that count are the alternative ones.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        certificate = (
            _builder(subject, self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        stem = f"leaf-{certificate.serial_number:x}"
        leaf = Leaf(self.folder / f"{stem}.pem", self.folder / f"{stem}-key.pem")
        write_private(leaf.certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
        write_private(
            leaf.key_file,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        return leaf


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # the file may have been there with another mode
        file.write(content)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    """RFC 5280 key usage, which OpenSSL checks in its strict mode (the default since Python 3.13)."""
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
