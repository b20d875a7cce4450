"""The throwaway authority."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from lab.workspace.authority import Authority, Leaf, write_private

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def handshake(leaf: Leaf, ca: Path, name: str) -> None:
    """A TLS handshake over a socket pair, as strict as OpenSSL can be. Raises what the client raises."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(leaf.certificate_file, leaf.key_file)
    client_context = ssl.create_default_context(cafile=str(ca))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    theirs.settimeout(5)

    def serve() -> None:
        try:
            server_context.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client_context.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        thread.join(5)


def test_a_client_that_trusts_the_authority_accepts_its_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    leaf = authority.issue(["*.cloud.databricks.com", "localhost"])
    handshake(leaf, authority.ca_file, HOST)
    handshake(leaf, authority.ca_file, "localhost")


def test_a_certificate_is_worth_nothing_for_another_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.issue(["localhost"]), authority.ca_file, HOST)


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    leaf = Authority(tmp_path / "one").issue([HOST])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(leaf, Authority(tmp_path / "two").ca_file, HOST)


def test_only_the_owner_can_read_what_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    Authority(folder).issue(["a.example", "b.example"])
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 3
    assert folder.stat().st_mode & 0o077 == 0


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "old.pem"
    path.write_text("older and longer content")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_key_of_the_authority_is_not_written(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert b"PRIVATE" not in authority.ca_file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["fake-ca.pem"]


def test_a_certificate_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Authority(tmp_path).issue([])
