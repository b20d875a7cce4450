"""The bundle and the trust store: what is in them, and what never may be."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from brickscope.host.bundle import TRUSTSTORE_PASSWORD, gather, write_bundle, write_truststore
from brickscope.host.certificates import CertificateError, fingerprint, read_certificates, read_roots
from brickscope.host.trust import distrust
from clients.authority import Authority, make


@pytest.fixture(scope="module")
def old() -> Authority:
    return make()


@pytest.fixture(scope="module")
def new() -> Authority:
    return make()


HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def test_it_holds_the_systems_roots_and_the_proxys_ca(tmp_path: Path, new: Authority) -> None:
    bundle = tmp_path / "deep" / "clients.pem"
    assert write_bundle(gather([new.write(tmp_path)]), bundle)
    held = bundle.read_text()
    for root in read_roots()[1]:
        assert ssl.DER_cert_to_PEM_cert(root) in held
    assert not distrust([new.issue(HOST)], bundle)
    assert ssl.create_default_context(cafile=str(bundle)).cert_store_stats()["x509_ca"] > 100
    assert held.startswith("# CAs for clients behind Brickscope")
    assert fingerprint(new.certificate) in held.split("-----BEGIN")[0]
    assert bundle.stat().st_mode & 0o777 == 0o644


def test_written_again_it_stays_the_same_file(tmp_path: Path, new: Authority) -> None:
    bundle, trust = tmp_path / "clients.pem", gather([new.write(tmp_path)])
    assert write_bundle(trust, bundle)
    before = bundle.stat()
    assert not write_bundle(gather([tmp_path / "ca.pem"]), bundle)
    assert bundle.stat().st_ino == before.st_ino
    bundle.chmod(0o600)
    assert write_bundle(trust, bundle), "a file that other users can't read is none for them"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ca.pem", "clients.pem"]


def test_two_cas_overlap_while_one_replaces_the_other(tmp_path: Path, old: Authority, new: Authority) -> None:
    bundle = tmp_path / "clients.pem"
    write_bundle(gather([old.write(tmp_path, "old.pem"), new.write(tmp_path, "new.pem")]), bundle)
    assert not distrust([old.issue(HOST)], bundle)
    assert not distrust([new.issue(HOST)], bundle)
    write_bundle(gather([tmp_path / "new.pem"]), bundle)
    assert distrust([old.issue(HOST)], bundle)
    assert not distrust([new.issue(HOST)], bundle)


def test_a_companys_root_is_added(tmp_path: Path, old: Authority, new: Authority) -> None:
    company = make("Company Root")
    bundle = tmp_path / "clients.pem"
    write_bundle(gather([new.write(tmp_path)], [company.write(tmp_path, "company.crt")]), bundle)
    assert not distrust([company.issue("intranet.example")], bundle)


def test_a_file_with_the_private_key_is_refused_and_nothing_is_written(
    tmp_path: Path, new: Authority
) -> None:
    secret = new.write_confdir(tmp_path / "confdir") / "mitmproxy-ca.pem"
    for files in ([secret], [tmp_path / "confdir" / "mitmproxy-ca-cert.pem", secret]):
        with pytest.raises(CertificateError, match=r"private key.*give mitmproxy-ca-cert"):
            gather(files)
    with pytest.raises(CertificateError, match="private key"):
        gather([tmp_path / "confdir" / "mitmproxy-ca-cert.pem"], [secret])


def test_an_encrypted_key_is_a_key(tmp_path: Path, new: Authority) -> None:
    file = tmp_path / "both.pem"
    file.write_bytes(
        new.pem + b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    with pytest.raises(CertificateError, match="private key"):
        gather([file])


def test_what_is_no_ca_is_refused(tmp_path: Path, new: Authority) -> None:
    leaf = tmp_path / "leaf.pem"
    leaf.write_text(ssl.DER_cert_to_PEM_cert(new.issue(HOST).public_bytes(_der())))
    with pytest.raises(CertificateError, match="is not a CA but the certificate of one host"):
        gather([leaf])
    for content, words in (
        (b"", "holds something that is not a certificate"),
        (b"-----BEGIN", "no certificate"),
    ):
        leaf.write_bytes(content)
        with pytest.raises(CertificateError, match=words):
            gather([leaf])
    with pytest.raises(CertificateError, match="can't be read: No such file"):
        gather([tmp_path / "missing.pem"])


def _der() -> object:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def test_an_ended_ca_is_left_out_and_alone_it_is_refused(tmp_path: Path, new: Authority) -> None:
    ended = make(begins=-20, ends=-1).write(tmp_path, "ended.pem")
    trust = gather([ended, new.write(tmp_path)])
    assert (len(trust.authorities), len(trust.ended)) == (1, 1)
    with pytest.raises(CertificateError, match="expired on"):
        gather([ended])


def test_a_name_in_a_certificate_cannot_begin_a_line_of_the_bundle(tmp_path: Path) -> None:
    hostile = make("x\n-----BEGIN CERTIFICATE-----\n\x1b[31m")
    bundle = tmp_path / "clients.pem"
    write_bundle(gather([hostile.write(tmp_path)]), bundle)
    head = bundle.read_text().split("-----BEGIN CERTIFICATE-----\nMII")[0]
    assert all(line.startswith("#") and line.isprintable() for line in head.splitlines())


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path, new: Authority) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CertificateError, match="can't be written"):
        write_bundle(gather([new.write(tmp_path)]), tmp_path / "file" / "clients.pem")


def test_a_slip_of_the_hand_costs_no_file(tmp_path: Path, new: Authority) -> None:
    confdir = new.write_confdir(tmp_path / "confdir")
    trust = gather([confdir / "mitmproxy-ca-cert.pem"])
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    system = Path(read_roots()[0])
    before = {
        file: file.read_bytes() for file in (confdir / "mitmproxy-ca.pem", notes, system) if file.exists()
    }
    for file in before:
        with pytest.raises(CertificateError, match=r"not changed|is the system's own"):
            write_bundle(trust, file)
        with pytest.raises(CertificateError, match="not changed"):
            write_truststore(trust, file)
        assert file.read_bytes() == before[file]


def test_java_reads_the_trust_store(tmp_path: Path, old: Authority, new: Authority) -> None:
    store = tmp_path / "clients.p12"
    trust = gather([old.write(tmp_path, "old.pem"), new.write(tmp_path, "new.pem")])
    assert write_truststore(trust, store)
    assert not write_truststore(trust, store), "the same content needs no new file"
    assert store.stat().st_mode & 0o777 == 0o644
    assert write_truststore(gather([tmp_path / "new.pem"]), store)
    write_truststore(trust, store)
    if shutil.which("keytool") is None:
        assert not os.environ.get("CI"), "keytool is missing"
        pytest.skip("keytool is not installed")
    done = subprocess.run(
        [
            "keytool",
            "-list",
            "-keystore",
            str(store),
            "-storepass",
            TRUSTSTORE_PASSWORD,
            "-J-Duser.language=en",
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert done.stdout.count("trustedCertEntry") == len(trust.all)
    for authority in (old, new):
        assert fingerprint(authority.certificate).upper() in done.stdout.replace(":", "")


def test_der_is_read_too(tmp_path: Path, new: Authority) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    file = tmp_path / "ca.cer"
    file.write_bytes(new.certificate.public_bytes(Encoding.DER))
    assert read_certificates(file) == [new.certificate]
