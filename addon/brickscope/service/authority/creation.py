"""Making an authority whose key, once stolen, is worth little.

A root, which clients trust, signs one intermediate authority, and its key is forgotten: nobody can ever sign with it
again. The proxy holds the intermediate's key alone. Both certificates are limited to the domains under policy (critical
NameConstraints, RFC 5280, 4.2.1.10), so whoever steals the proxy's key can pose as a workspace, which the proxy does
anyway, but not as a bank or a mail server to the hosts that trust the root. The limit stands in the intermediate too
because validators need not look at limits of a trust anchor (RFC 5280, 6.1.1 d; Java does not), but have to at those of
any other.

The key is EC P-256, and that of all leaf certificates too (mitmproxy has no other). Every client knows the curve. Its
signature is cheaper than RSA's, and the chain of two dearer: a new connection costs the proxy about the same.
"""

import ipaddress
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from brickscope.core.hostname import is_hostname

from .certificate import AuthorityError, Chain

DAYS = 825
"""Default life. Long enough to plan a rotation, short enough that it is done by somebody who remembers the last one."""

SKEW = timedelta(days=2)
"""How far before now it holds already, for clients with a slow clock. As mitmproxy does for what it signs."""


class Made(NamedTuple):
    """A new authority: its certificates, and the key of the first one in PEM form (PKCS 8)."""

    chain: Chain
    key: bytes

    @property
    def pem(self) -> bytes:
        """Key and certificates as mitmproxy reads them from ``mitmproxy-ca.pem``."""
        certificates = (each.public_bytes(serialization.Encoding.PEM) for each in self.chain.certificates)
        return self.key + b"".join(certificates)


def make_authority(
    domains: Sequence[str] | None, days: int = DAYS, name: str | None = None, now: datetime | None = None
) -> Made:
    """A new authority that may sign for ``domains`` and all below them; None for any name.

    ``days``: its life. ``name``: its common name; by default one with the day, so that two authorities in a bundle are
    never mistaken for each other: OpenSSL looks issuers up by name. Raises AuthorityError.
    """
    for domain in domains or ():
        if not is_hostname(domain.lower()):
            raise AuthorityError(
                f"{domain!r} is not a domain such as cloud.databricks.com: in ASCII (xn--…), without '*.'"
            )
    if name is not None and not 0 < len(name) <= 50:
        raise AuthorityError("the name has to have 1 to 50 characters")
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    name = name or f"Brickscope CA {now:%Y-%m-%d} {secrets.token_hex(2)}"
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name(name)
    root = _certificate(root_name, root_name, root_key, root_key, domains, now, days)
    issuer = _certificate(_name(f"{name} proxy"), root_name, key, root_key, domains, now, days)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Made(Chain((issuer, root)), pem)


def _name(common: str) -> x509.Name:
    names = {NameOID.ORGANIZATION_NAME: "Brickscope", NameOID.COMMON_NAME: common}
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in names.items()])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    domains: Sequence[str] | None,
    now: datetime,
    days: int,
) -> x509.Certificate:
    """One that may sign others: the root if it signs itself, else one below it that signs servers alone."""
    public, is_root = key.public_key(), key is signer
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=int(is_root)), critical=True)
        .add_extension(_SIGNS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        # Of the root, too: Python 3.13 and newer verify by OpenSSL's strict mode, which wants it.
        .add_extension(by, critical=False)
    )
    if domains:
        limits = x509.NameConstraints([x509.DNSName(each) for each in domains], _ALL_ADDRESSES)
        builder = builder.add_extension(limits, critical=True)
    if not is_root:
        servers = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(servers, critical=False)
    return builder.sign(signer, hashes.SHA256())


_ALL_ADDRESSES = [x509.IPAddress(ipaddress.ip_network(text)) for text in ("0.0.0.0/0", "::/0")]
"""Limits on DNS names say nothing of addresses: without these a stolen key could sign for any."""
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
