"""The file that clients are given for trust: the system's roots, a company's own, and the proxy's CA.

All of them in one file, since ``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE`` and ``GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`` *replace*
what a client trusts. While a CA is replaced, the old and the new one are in it together.
"""

import contextlib
import os
import secrets
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from .certificates import (
    SYSTEM_BUNDLES,
    CertificateError,
    der,
    fingerprint,
    has_ended,
    holds_key,
    is_authority,
    known,
    read_certificates,
    read_roots,
    subject,
    without_warnings,
)

TRUSTSTORE_PASSWORD = "changeit"  # noqa: S105 - Java wants one; it guards nothing, the store holds certificates only


class Trust(NamedTuple):
    """What a bundle is made of. ``roots``: in DER. ``ended``: authorities that were given and are
    left out, since their time is over."""

    source: str
    roots: list[bytes]
    authorities: list[x509.Certificate]
    ended: list[x509.Certificate]

    @property
    def all(self) -> list[bytes]:
        """Every certificate once, in DER, the proxy's first."""
        return list(dict.fromkeys([*map(der, self.authorities), *self.roots]))


def gather(authorities: Sequence[Path], also: Sequence[Path] = ()) -> Trust:
    """Read the proxy's CA certificates, the system's roots and ``also``. Raises CertificateError."""
    given: dict[str, x509.Certificate] = {}
    for file in authorities:
        for certificate in read_certificates(file):
            if not is_authority(certificate):
                raise CertificateError(
                    f"{file}: {subject(certificate)} is not a CA but the certificate of one host; give the proxy's "
                    "mitmproxy-ca-cert.pem"
                )
            given[fingerprint(certificate)] = certificate
    ended = [each for each in given.values() if has_ended(each)]
    valid = [each for each in given.values() if not has_ended(each)]
    if authorities and not valid:
        raise CertificateError(
            f"{authorities[0]}: the CA expired on {ended[0].not_valid_after_utc:%Y-%m-%d}; get the proxy's new one"
        )
    source, roots = read_roots()
    for file in also:
        roots += [der(each) for each in read_certificates(file)]
    return Trust(source, roots, valid, ended)


def write_bundle(trust: Trust, file: Path) -> bool:
    """Write the bundle, whole or not at all, readable by everybody (mode 0644). False: it was there already, the same.

    Raises CertificateError.
    """
    lines = [
        "# CAs for clients behind Brickscope, made by `brickscope client-env`. Certificates only, no key."
    ]
    lines += [
        f"# proxy: {subject(each)}, until {each.not_valid_after_utc:%Y-%m-%d}, sha256:{fingerprint(each)}"
        for each in trust.authorities
    ]
    lines.append(f"# roots: {len(trust.all) - len(trust.authorities)}, of {trust.source}")
    content = "\n".join(lines).encode() + b"\n" + "".join(map(ssl.DER_cert_to_PEM_cert, trust.all)).encode()
    _check_replaceable(file)
    return write_public(file, content)


def _check_replaceable(file: Path) -> None:
    """A slip of the hand must cost nobody a key, or the system its roots. Raises CertificateError."""
    if str(file) in SYSTEM_BUNDLES or str(file.resolve()) in SYSTEM_BUNDLES:
        raise CertificateError(
            f"{file} is the system's own; name another file, or add the CA with the system's own program"
        )
    try:
        content = file.read_bytes()
    except OSError:
        return
    if holds_key(content) or (content and b"-----BEGIN CERTIFICATE-----" not in content):
        raise CertificateError(
            f"{file} exists and is not a bundle of CAs; it was not changed. Name another file"
        )


def write_truststore(trust: Trust, file: Path) -> bool:
    """Write the same as a PKCS #12 trust store for Java. False: it held the same already. Raises CertificateError."""
    certificates = known(trust.all)
    if _stored(file) == set(map(fingerprint, certificates)):
        return False
    entries = [pkcs12.PKCS12Certificate(each, fingerprint(each)[:16].encode()) for each in certificates]
    content = pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(TRUSTSTORE_PASSWORD.encode()))
    return write_public(file, content)


def _stored(file: Path) -> set[str]:
    """The fingerprints in the trust store that is to be replaced. Raises CertificateError if it is something else."""
    try:
        content = file.read_bytes()
    except OSError:
        return set()
    try:
        with without_warnings():
            stored = pkcs12.load_pkcs12(content, TRUSTSTORE_PASSWORD.encode())
    except ValueError:
        stored = None
    if stored is None or stored.key is not None:
        raise CertificateError(
            f"{file} exists and is not a trust store of client-env; it was not changed. Name another file"
        )
    return {fingerprint(each.certificate) for each in stored.additional_certs}


def write_public(file: Path, content: bytes) -> bool:
    """Let ``content`` take the place of ``file`` in one step, so that no client reads half of it."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        if file.is_file() and file.read_bytes() == content and file.stat().st_mode & 0o777 == 0o644:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        part.chmod(0o644)
        part.replace(file)
    except OSError as error:
        raise CertificateError(f"{file} can't be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return True
