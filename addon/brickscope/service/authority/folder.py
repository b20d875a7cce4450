"""The folder where authorities lie, and the three steps from one to the next: make, use, retire.

    mitmproxy-ca.pem            the authority in use: key and certificates; what mitmproxy reads when it starts
    mitmproxy-ca-cert.pem       its certificate for clients
    brickscope-ca-next.pem      the one that was made and waits
    brickscope-ca-previous.pem  the one before, kept for the way back until it is retired
    mitmproxy-dhparam.pem       no secret, and needed where the proxy can't write the folder
    brickscope-ca-bundle.pem    the certificates of all of these: what clients have to trust

Who trusts the bundle trusts the proxy before a step, after it, and while half of several proxies have made it. What is what
follows from the files' content, so a step that was cut short is ended by taking it again.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization

from .certificate import AuthorityError, Chain
from .creation import Made

CURRENT = "mitmproxy-ca.pem"
CERTIFICATE = "mitmproxy-ca-cert.pem"
NEXT = "brickscope-ca-next.pem"
PREVIOUS = "brickscope-ca-previous.pem"
BUNDLE = "brickscope-ca-bundle.pem"
DHPARAM = "mitmproxy-dhparam.pem"
"""Numbers that are no secret, without which mitmproxy writes into its folder when it starts. With them the folder may be
read-only: a Secret of Kubernetes, a credential of systemd."""
COPIES = ("mitmproxy-ca.p12", "mitmproxy-ca-cert.p12", "mitmproxy-ca-cert.cer")
"""What mitmproxy lays beside its authority for phones and Windows, one of them with the key. Nothing reads them here, and
after a change they would be of another authority than the one in use."""

SECRET, PUBLIC = 0o600, 0o644


class Held(NamedTuple):
    """An authority of the folder. ``role``: current, next or previous."""

    role: str
    path: Path
    chain: Chain


class AuthorityFolder:
    """The folder that the option ``confdir`` names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def bundle(self) -> Path:
        """The file that clients should trust."""
        return self.path / BUNDLE

    def held(self) -> list[Held]:
        """The authorities that are there, the one in use first. Raises AuthorityError."""
        found: list[Held] = []
        for role, name in (("current", CURRENT), ("next", NEXT), ("previous", PREVIOUS)):
            path = self.path / name
            if not path.exists():
                continue
            chain = Chain.read(path)
            # A step that was cut short leaves the same authority under two names; the first is what it is.
            if all(chain.fingerprint != each.chain.fingerprint for each in found):
                found.append(Held(role, path, chain))
        return found

    def find(self, role: str) -> Held | None:
        """The authority of a role, None if there is none. Raises AuthorityError."""
        return next((each for each in self.held() if each.role == role), None)

    def add(self, made: Made, dhparam: bytes = b"") -> Held:
        """Lay a new authority beside the one in use, or take it into use if there is none. Raises AuthorityError.

        ``dhparam``: what DHPARAM is to hold, if it is not there yet.
        """
        with self._locked():
            if waiting := self.find("next"):
                self._publish()  # an earlier try may have been cut short before it did
                raise AuthorityError(
                    f"{waiting.path} waits already; take it into use ('brickscope ca use'), or remove it to make another"
                )
            if self.find("current") is None:
                self._write(CURRENT, made.pem, SECRET)
                self._write(CERTIFICATE, made.chain.anchor_pem, PUBLIC)
                if dhparam and not (self.path / DHPARAM).exists():
                    self._write(DHPARAM, dhparam, PUBLIC)
                held = Held("current", self.path / CURRENT, made.chain)
            else:
                self._write(NEXT, made.pem, SECRET)
                held = Held("next", self.path / NEXT, made.chain)
            self._publish()
            return held

    def use(self, role: str = "next", now: datetime | None = None) -> Held:
        """Put the next authority (or, to go back, the previous one) in the place of the one in use.

        The proxy goes on with the old one until it is started again. Raises AuthorityError.
        """
        forward = role == "next"
        source, left = (NEXT, PREVIOUS) if forward else (PREVIOUS, NEXT)
        with self._locked():
            wanted, current = self.find(role), self.find("current")
            if wanted is None:
                if current is not None and _same(self.path / source, current):
                    self._finish(source)  # an earlier try was cut short after its main step
                    return current
                hint = "; 'brickscope ca new' makes one" if forward else ""
                raise AuthorityError(f"there is no {role} authority in {self.path}{hint}")
            if other := self.find("previous" if forward else "next"):
                first = "'brickscope ca retire' ends the last change first" if forward else "remove it first"
                raise AuthorityError(f"{other.path} would be lost, and with it the way back: {first}")
            begins, ends = wanted.chain.begins, wanted.chain.ends
            if not begins <= (now or datetime.now(UTC)) < ends:
                raise AuthorityError(f"{wanted.path} holds from {begins:%Y-%m-%d} to {ends:%Y-%m-%d} only")
            content = wanted.path.read_bytes()
            _check_key(wanted, content)
            # First what lets clients trust both, last what takes the new one's draft away: whatever step is the last to be
            # taken, there is an authority in use, and clients with the bundle trust it.
            self._publish()
            if current is not None:
                self._write(left, current.path.read_bytes(), SECRET)
            self._write(CURRENT, content, SECRET)
            self._finish(source)
            return Held("current", self.path / CURRENT, wanted.chain)

    def retire(self) -> Held:
        """Take the previous authority away, key and trust. Returns it. Raises AuthorityError."""
        with self._locked():
            previous = self.find("previous")
            if previous is None:
                raise AuthorityError(f"there is no previous authority in {self.path}")
            self._publish(but=previous)
            previous.path.unlink()
            return previous

    def _finish(self, source: str) -> None:
        """What has to follow once the authority in use is another."""
        current = self.find("current")
        if current is None:
            return
        for name in COPIES:
            (self.path / name).unlink(missing_ok=True)
        self._write(CERTIFICATE, current.chain.anchor_pem, PUBLIC)
        self._publish()
        if _same(self.path / source, current):
            (self.path / source).unlink()  # last: it tells a second try that there is something to end

    def _publish(self, but: Held | None = None) -> None:
        parts = [
            f"# {each.role}: {each.chain.subject}, until {each.chain.ends:%Y-%m-%d}\n".encode()
            + each.chain.anchor_pem
            for each in self.held()
            if each != but
        ]
        self._write(BUNDLE, b"".join(parts), PUBLIC)

    def _write(self, name: str, content: bytes, mode: int) -> None:
        """Put a file in its place, whole or not at all, for the owner of the folder: who makes it is often root."""
        path = self.path / name
        draft = self.path / f".{name}.{secrets.token_hex(4)}"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    os.fchmod(file.fileno(), mode)
                    owner = self.path.stat()
                    if os.geteuid() == 0:
                        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            self._sync()
        except OSError as error:
            raise AuthorityError(f"{path} can't be written: {error.strerror}") from None

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One step at a time: two commands at once could each take the other's draft for the previous authority."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise AuthorityError(f"{self.path} can't be used: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _same(path: Path, held: Held) -> bool:
    return path.exists() and Chain.read(path).fingerprint == held.chain.fingerprint


def _check_key(held: Held, content: bytes) -> None:
    """Refuse a file that mitmproxy would fail on at its next start: the old authority would be gone by then."""
    try:
        key = serialization.load_pem_private_key(content, None)
    except TypeError:
        return  # a key with a passphrase, which the option cert_passphrase opens
    except ValueError:
        raise AuthorityError(f"{held.path} holds no private key in PEM form") from None
    if key.public_key() != held.chain.issuer.public_key():
        raise AuthorityError(f"{held.path}: the key is not that of the first certificate")
