"""A proxy that runs for a year shows certificates that hold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from mitmproxy.certs import CertStore

from brickscope.proxy.contexts import forget_old

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


@pytest.fixture
def store(tmp_path: Path) -> CertStore:
    return CertStore.from_store(tmp_path, "mitmproxy", 2048)


def test_a_certificate_past_half_its_life_is_signed_anew(store: CertStore) -> None:
    names = [x509.DNSName(HOST)]
    first = store.get_cert(HOST, names)
    born = first.cert.notbefore
    assert store.get_cert(HOST, names) is first, "mitmproxy does not keep it any more: this may go"
    assert forget_old(store, born + timedelta(days=90)) == 0
    assert store.get_cert(HOST, names) is first
    assert forget_old(store, born + timedelta(days=110)) == 1
    again = store.get_cert(HOST, names)
    assert again is not first
    assert again.cert.serial != first.cert.serial
    assert store.expire_queue == [again]


def test_a_certificate_of_the_operator_stays(store: CertStore, tmp_path: Path) -> None:
    entry = store.get_cert(HOST, [x509.DNSName(HOST)])
    store.expire_queue.clear()
    store.add_cert(entry, "given.example")
    assert forget_old(store, entry.cert.notafter + timedelta(days=1)) == 0
    assert store.certs["given.example"] is entry
