"""Whether a source of CAs makes a client trust the certificate that the proxy shows, by OpenSSL's own verification."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from OpenSSL import crypto

from brickscope.host.certificates import (
    CertificateError,
    fingerprint,
    issued,
    known,
    read_blocks,
    read_certificates,
    subject,
)

Chain = Sequence[x509.Certificate]
"""What a server shows: its own certificate, then those between it and a CA, in any order, perhaps the CA itself."""


def distrust(chain: Chain, source: Path) -> str:
    """Why a client that is given this file (or folder) of CAs does not trust what the server shows; empty if it does."""
    store = crypto.X509Store()
    try:
        if source.is_dir():
            store.load_locations(None, str(source))
        elif source.is_file():
            store.load_locations(str(source))
        else:
            return "there is no such file"
    except crypto.Error:
        return "it holds no certificate that can be read"
    try:
        leaf, *between = [crypto.X509.from_cryptography(each) for each in chain]
        crypto.X509StoreContext(store, leaf, between).verify_certificate()
    except crypto.X509StoreContextError as error:
        return _why(chain, source, error)
    return ""


def _why(chain: Chain, source: Path, error: crypto.X509StoreContextError) -> str:
    namesake = find_namesake(chain, source)
    if namesake is not None:
        return (
            f"it holds another CA of the same name (sha256:{fingerprint(namesake)[:16]}…): "
            "the proxy's was replaced, or it is another proxy's"
        )
    if "expired" in str(error):
        return "the CA in it has expired"
    return "it lacks the proxy's CA"


def find_issuer(chain: Chain, source: Path) -> x509.Certificate | None:
    """The CA in a file that the server's certificates lead to; None if there is none, or the file is not fit."""
    found = held(source)
    return next((each for shown in _path(chain) for each in found if issued(each, shown)), None)


def find_namesake(chain: Chain, source: Path) -> x509.Certificate | None:
    """A CA in a file that has the name of the one that the server's certificates lead to, and is another."""
    top = _path(chain)[-1]
    namesakes = [each for each in held(source) if each.subject == top.issuer]
    return None if any(issued(each, top) for each in namesakes) else next(iter(namesakes), None)


def _path(chain: Chain) -> list[x509.Certificate]:
    """From the server's own certificate up, each signed by the next. One that signed itself, the CA, is left out: whether it
    is trusted says the client's file alone."""
    path = [chain[0]]
    while len(path) <= len(chain):
        above = next(
            (each for each in chain[1:] if each.subject != each.issuer and issued(each, path[-1])), None
        )
        if above is None:
            break
        path.append(above)
    return path


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
        f"{subject(certificate)}, sha256:{fingerprint(certificate)[:16]}…, {'expired on' if days < 0 else 'until'} {until}",
    )
