"""Whether a source of CAs makes a client trust the certificate that the proxy shows, by OpenSSL's own verification."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from OpenSSL import crypto

from brickscope.clients.certificates import (
    CertificateError,
    fingerprint,
    issued,
    known,
    read_blocks,
    read_certificates,
    subject,
)


class Verdict(NamedTuple):
    """``trusted``: by a client that is given this source. ``why``: else, what is wrong."""

    trusted: bool
    why: str = ""


def verify(leaf: x509.Certificate, source: Path) -> Verdict:
    """Whether the file (or folder) of CAs leads to ``leaf``."""
    store = crypto.X509Store()
    try:
        if source.is_dir():
            store.load_locations(None, str(source))
        elif source.is_file():
            store.load_locations(str(source))
        else:
            return Verdict(False, "there is no such file")
    except crypto.Error:
        return Verdict(False, "it holds no certificate that can be read")
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf)).verify_certificate()
    except crypto.X509StoreContextError as error:
        return Verdict(False, _why(leaf, source, error))
    return Verdict(True)


def _why(leaf: x509.Certificate, source: Path, error: crypto.X509StoreContextError) -> str:
    namesakes = [each for each in held(source) if each.subject == leaf.issuer]
    if namesakes and not any(issued(each, leaf) for each in namesakes):
        return (
            f"it holds another CA of the same name (sha256:{fingerprint(namesakes[0])[:16]}…): "
            "the proxy's was replaced, or it is another proxy's"
        )
    if "expired" in str(error):
        return "the CA in it has ended"
    return "it lacks the proxy's CA"


def find_issuer(leaf: x509.Certificate, source: Path) -> x509.Certificate | None:
    """The CA in a file that signed ``leaf``; None if there is none, or the file is not fit."""
    return next((each for each in held(source) if issued(each, leaf)), None)


def held(source: Path) -> list[x509.Certificate]:
    """The certificates in a file, as far as the library can read them; none if it is not fit."""
    if not source.is_file():
        return []
    try:
        return known(read_blocks(source))
    except CertificateError:
        pass
    try:
        return read_certificates(source)
    except CertificateError:
        return []


def system_source() -> Path | None:
    """What OpenSSL trusts here without a variable."""
    paths = ssl.get_default_verify_paths()
    for name in (paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt", paths.openssl_capath):
        if name and Path(name).exists():
            return Path(name)
    return None


def describe_end(certificate: x509.Certificate, now: datetime | None = None) -> tuple[int, str]:
    """Days until its end (negative: since), and the same in words."""
    days = (certificate.not_valid_after_utc - (now or datetime.now(UTC))).days
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    return (
        days,
        f"{subject(certificate)}, sha256:{fingerprint(certificate)[:16]}…, {'ended on' if days < 0 else 'until'} {until}",
    )
