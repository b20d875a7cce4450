"""A new authority: clients accept what it signs for a workspace, and not what its stolen key would sign for others."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy.certs import CertStore, dummy_cert

from brickscope.service.authority.certificate import AuthorityError
from brickscope.service.authority.creation import Made, make_authority

HOST, BANK = "dbc-a1b2c3d4-e5f6.cloud.databricks.com", "bank.example"
DOMAINS = ("cloud.databricks.com",)

JAVA = """
import javax.net.ssl.*;
import java.net.*;
public class Client {
    public static void main(String[] words) throws Exception {
        Socket plain = new Socket("127.0.0.1", Integer.parseInt(words[0]));
        SSLSocketFactory factory = (SSLSocketFactory) SSLSocketFactory.getDefault();
        SSLSocket socket = (SSLSocket) factory.createSocket(plain, words[1], 443, true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        socket.startHandshake();
    }
}
"""
NODE = """
const [port, name, ca] = process.argv.slice(1);
const options = {host: "127.0.0.1", port, servername: name, ca: require("fs").readFileSync(ca)};
const socket = require("tls").connect(options, () => process.exit(0));
socket.on("error", error => { console.error(error.message); process.exit(1); });
"""


@pytest.fixture(scope="module")
def made() -> Made:
    return make_authority(DOMAINS)


@pytest.fixture(scope="module")
def store(made: Made, tmp_path_factory: pytest.TempPathFactory) -> CertStore:
    """As mitmproxy reads it."""
    folder = tmp_path_factory.mktemp("confdir")
    (folder / "mitmproxy-ca.pem").write_bytes(made.pem)
    return CertStore.from_store(folder, "mitmproxy", 2048)


@contextmanager
def server(made: Made, store: CertStore, folder: Path, common: str, names: Sequence[str]) -> Iterator[int]:
    """A TLS server with what the key of the authority signs for ``names``, whether it may or not."""
    leaf = dummy_cert(
        store.default_privatekey,
        store.default_ca.to_cryptography(),
        common,
        [x509.DNSName(each) for each in names],
    )
    file = folder / "chain.pem"
    chain = [leaf.to_cryptography(), *made.chain.certificates]
    file.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain) + made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.settimeout(30)
                try:
                    with context.wrap_socket(sock, server_side=True) as secure:
                        secure.recv(1000)
                        secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                except OSError:
                    sock.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed")
    assert found is not None, f"{name} is not installed"
    return found


def accepts(client: str, port: int, name: str, root: Path) -> tuple[bool, str]:
    """Whether a client that trusts ``root`` finishes a handshake with ``name``, and what it said."""
    if client == "python":
        context = ssl.create_default_context(cafile=root)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        try:
            with socket.create_connection(("127.0.0.1", port), 30) as sock:
                context.wrap_socket(sock, server_hostname=name).close()
        except ssl.SSLCertVerificationError as error:
            return False, str(error)
        return True, ""
    if client == "curl":
        url = f"https://{name}/"
        command = ["--noproxy", "*", "-sS", "--cacert", root, "--connect-to", f"::127.0.0.1:{port}", url]
        command = [program("curl"), *command]
    elif client == "node":
        command = [program("node"), "-e", NODE, str(port), name, str(root)]
    else:
        keystore, source = root.with_name("trust.p12"), root.with_name("Client.java")
        source.write_text(JAVA)
        if not keystore.exists():
            command = [program("keytool"), "-importcert", "-noprompt", "-alias", "root", "-file", root]
            command += ["-keystore", keystore, "-storetype", "PKCS12", "-storepass", "changeit"]
            subprocess.run(command, check=True, capture_output=True, timeout=100)
        trust = [f"-Djavax.net.ssl.trustStore={keystore}", "-Djavax.net.ssl.trustStorePassword=changeit"]
        command = [program("java"), *trust, source, str(port), name]
    done = subprocess.run(command, capture_output=True, timeout=100, text=True)
    return done.returncode == 0, done.stderr


@pytest.mark.parametrize("client", ["python", "curl", "node", "java"])
def test_a_client_accepts_a_workspace_and_refuses_what_a_stolen_key_would_sign(
    client: str, made: Made, store: CertStore, tmp_path: Path
) -> None:
    if client == "java":
        program("javac")  # the runtime alone does not run a source file
    root = tmp_path / "root.pem"
    root.write_bytes(made.chain.anchor_pem)
    with server(made, store, tmp_path, HOST, [HOST]) as port:
        accepted, said = accepts(client, port, HOST, root)
        assert accepted, said
    for common, names in ((BANK, [BANK]), (HOST, [HOST, BANK])):
        with server(made, store, tmp_path, common, names) as port:
            accepted, said = accepts(client, port, BANK, root)
            assert not accepted
            assert any(word in said.lower() for word in ("permitted subtree", "name constraints")), said


def test_it_signs_for_no_address_and_by_no_common_name(made: Made, store: CertStore, tmp_path: Path) -> None:
    from ipaddress import ip_address

    root, issuer = tmp_path / "root.pem", tmp_path / "issuer.pem"
    root.write_bytes(made.chain.anchor_pem)
    issuer.write_bytes(made.chain.issuer.public_bytes(serialization.Encoding.PEM))
    for sans in ([x509.IPAddress(ip_address("10.1.2.3"))], [x509.IPAddress(ip_address("::1"))], []):
        leaf = dummy_cert(store.default_privatekey, store.default_ca.to_cryptography(), BANK, sans)
        file = tmp_path / "leaf.pem"
        file.write_bytes(leaf.to_pem())
        command = [program("openssl"), "verify", "-CAfile", root, "-untrusted", issuer, file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert "subtree violation" in done.stderr


def test_the_key_of_the_root_is_in_no_file(made: Made) -> None:
    key = serialization.load_pem_private_key(made.key, None)
    assert key.public_key() == made.chain.issuer.public_key()
    assert key.public_key() != made.chain.anchor.public_key()
    assert made.pem.count(b"PRIVATE KEY-----") == 2  # begin and end of one key


def test_what_it_says_of_itself() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = make_authority(["cloud.databricks.com", "Azuredatabricks.net"], 10, "Ours", now)
    chain = made.chain
    assert chain.subject == "CN=Ours,O=Brickscope"
    assert chain.ends == datetime(2026, 1, 11, tzinfo=UTC)
    assert chain.days_left(datetime(2026, 1, 9, tzinfo=UTC)) == 2
    assert chain.days_left(datetime(2026, 1, 12, tzinfo=UTC)) == -1
    assert chain.permitted == ("cloud.databricks.com", "azuredatabricks.net")
    assert chain.covers("*.cloud.databricks.com")
    assert chain.covers("a.azuredatabricks.net")
    assert not chain.covers("xcloud.databricks.com")
    assert not chain.covers("*.databricks.com")
    assert make_authority(None).chain.permitted is None
    assert make_authority(None).chain.covers("bank.example")


def test_two_made_on_one_day_have_two_names() -> None:
    assert make_authority(DOMAINS).chain.subject != make_authority(DOMAINS).chain.subject


@pytest.mark.parametrize("domain", ["*.cloud.databricks.com", "münchen.de", ".x", "a..b", "", "x" * 254])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(AuthorityError, match="domain"):
        make_authority([domain])


def test_a_name_is_neither_empty_nor_long() -> None:
    for name in ("", "x" * 51):
        with pytest.raises(AuthorityError, match="1 to 50"):
            make_authority(DOMAINS, name=name)
