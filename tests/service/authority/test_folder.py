"""From one authority to the next: at no moment is there none, and the bundle holds what the proxy shows."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from mitmproxy.certs import CertStore

from brickscope.service.authority.certificate import AuthorityError
from brickscope.service.authority.creation import make_authority
from brickscope.service.authority.findings import findings, refuse_or_warn
from brickscope.service.authority.folder import (
    BUNDLE,
    CERTIFICATE,
    COPIES,
    CURRENT,
    NEXT,
    PREVIOUS,
    AuthorityFolder,
)

DOMAINS = ("cloud.databricks.com",)


@pytest.fixture
def folder(tmp_path: Path, proxy_made: Path) -> AuthorityFolder:
    """One with mitmproxy's own authority, as its first start leaves it."""
    for each in proxy_made.iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    (tmp_path / CURRENT).chmod(0o600)
    return AuthorityFolder(tmp_path)


@pytest.fixture(scope="module")
def proxy_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("confdir")
    CertStore.from_store(path, "mitmproxy", 2048)
    return path


def anchors(path: Path) -> set[x509.Certificate]:
    return set(x509.load_pem_x509_certificates(path.read_bytes()))


def shown(folder: AuthorityFolder) -> x509.Certificate:
    """What a proxy that starts now is trusted by, read as mitmproxy reads it."""
    store = CertStore.from_store(folder.path, "mitmproxy", 2048)
    assert store.default_privatekey.public_key() == store.default_ca.public_key()
    return store.default_chain_certs[-1].to_cryptography()


def test_the_first_one_is_in_use(tmp_path: Path) -> None:
    folder = AuthorityFolder(tmp_path / "new" / "confdir")
    held = folder.add(make_authority(DOMAINS))
    assert held.role == "current"
    assert shown(folder) == held.chain.anchor
    assert anchors(folder.path / BUNDLE) == anchors(folder.path / CERTIFICATE) == {held.chain.anchor}
    assert stat.S_IMODE((folder.path / CURRENT).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_new_use_back_use_retire(folder: AuthorityFolder) -> None:
    old = shown(folder)
    new = folder.add(make_authority(DOMAINS)).chain.anchor
    assert shown(folder) == old
    assert anchors(folder.bundle) == {old, new}
    with pytest.raises(AuthorityError, match="waits already"):
        folder.add(make_authority(DOMAINS))

    folder.use()
    assert shown(folder) == new
    assert anchors(folder.bundle) == {old, new}
    assert anchors(folder.path / CERTIFICATE) == {new}
    for name in (CURRENT, PREVIOUS):
        assert stat.S_IMODE((folder.path / name).stat().st_mode) == 0o600
    assert not any((folder.path / name).exists() for name in COPIES), "a copy of the old key is left"

    folder.use("previous")
    assert shown(folder) == old
    assert anchors(folder.bundle) == {old, new}
    assert anchors(folder.path / CERTIFICATE) == {old}

    folder.use()
    assert folder.retire().chain.anchor == old
    assert shown(folder) == new
    assert anchors(folder.bundle) == {new}
    assert {each.name for each in folder.path.iterdir() if "PRIVATE" in each.read_text()} == {CURRENT}


def test_the_way_back_is_not_lost_by_a_second_change(folder: AuthorityFolder) -> None:
    folder.add(make_authority(DOMAINS))
    folder.use()
    third = folder.add(make_authority(DOMAINS))
    with pytest.raises(AuthorityError, match="retire"):
        folder.use()
    with pytest.raises(AuthorityError, match="would be lost"):
        folder.use("previous")
    assert len(anchors(folder.bundle)) == 3
    folder.retire()
    assert folder.use().chain.anchor == third.chain.anchor


@pytest.mark.parametrize("step", ["add", "use", "previous", "retire"])
@pytest.mark.parametrize("write", range(6))
def test_a_step_cut_short_anywhere_leaves_a_proxy_that_the_bundle_trusts(
    step: str, write: int, folder: AuthorityFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shown(folder)
    if step != "add":
        folder.add(make_authority(DOMAINS))
    if step in ("previous", "retire"):
        folder.use()
    before = anchors(folder.bundle) if step != "add" else {old}
    made, count, true_replace = make_authority(DOMAINS), 0, Path.replace

    def replace(self: Path, target: Any) -> Path:
        nonlocal count
        count += 1
        if count > write:
            raise OSError(28, "No space left on device")
        return true_replace(self, target)

    def take() -> str:
        try:
            match step:
                case "add":
                    folder.add(made)
                case "retire":
                    folder.retire()
                case _:
                    folder.use("next" if step == "use" else "previous")
        except AuthorityError as error:
            return str(error)
        return ""

    monkeypatch.setattr(Path, "replace", replace)
    said = take()
    assert "No space left" in said or (not said and write > 0)
    assert shown(folder) in before, "the proxy would show what no client was given"
    assert not list(folder.path.glob(".*.*")), "a draft with a key is left"
    monkeypatch.setattr(Path, "replace", true_replace)
    if said:
        said = take()
        assert not said or (step == "add" and "waits already" in said)
    assert shown(folder) in anchors(folder.bundle)
    assert (shown(folder) == old) is (step in ("add", "previous"))
    assert len(anchors(folder.bundle)) == (1 if step == "retire" else 2)


def test_a_next_one_that_mitmproxy_would_fail_on_is_not_taken(folder: AuthorityFolder) -> None:
    old = shown(folder)
    made, other = make_authority(DOMAINS), make_authority(DOMAINS)
    for content, word in (
        (other.key + made.pem[len(made.key) :], "not that of"),
        (made.pem[len(made.key) :], "no private key"),
        (b"", "no certificate"),
    ):
        (folder.path / NEXT).write_bytes(content)
        with pytest.raises(AuthorityError, match=word):
            folder.use()
        assert shown(folder) == old


def test_one_that_does_not_hold_now_is_not_taken(folder: AuthorityFolder) -> None:
    folder.add(make_authority(DOMAINS, 10))
    for days in (-9, 11):
        with pytest.raises(AuthorityError, match="holds from"):
            folder.use(now=datetime.now(UTC) + timedelta(days=days))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_belong_to_the_owner_of_the_folder(folder: AuthorityFolder) -> None:
    """An operator makes it as root, and the proxy has another user: it has to be able to read it when it restarts."""
    os.chown(folder.path, 4321, 4322)
    folder.add(make_authority(DOMAINS))
    folder.use()
    for name in (CURRENT, BUNDLE, CERTIFICATE, PREVIOUS):
        found = (folder.path / name).stat()
        assert (found.st_uid, found.st_gid) == (4321, 4322), name


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(AuthorityError, match="can't be used"):
        AuthorityFolder(file).add(make_authority(DOMAINS))
    with pytest.raises(AuthorityError, match="no previous"):
        AuthorityFolder(tmp_path).retire()
    with pytest.raises(AuthorityError, match="'brickscope ca new' makes one"):
        AuthorityFolder(tmp_path).use()


# -- what is wrong with it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "words", "fatal"),
    [
        (-3, "holds from", True),
        (0, None, False),
        (69, None, False),
        (71, "in 29 days", False),
        (99, "in 1 days", False),
        (100, "expired", True),
    ],
)
def test_the_end_is_said_a_month_before(days: int, words: str | None, fatal: bool, tmp_path: Path) -> None:
    folder = AuthorityFolder(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    folder.add(make_authority(DOMAINS, 100, now=now))
    found = findings(folder, now=now + timedelta(days=days))
    assert [each.fatal for each in found] == ([] if words is None else [fatal])
    assert words is None or words in found[0].text


def test_keys_that_others_may_read_are_said(folder: AuthorityFolder) -> None:
    folder.add(make_authority(DOMAINS))
    assert findings(folder) == []
    (folder.path / NEXT).chmod(0o640)
    (folder.path / CURRENT).chmod(0o604)
    texts = refuse_or_warn(folder.path, [])
    assert [
        f"chmod 600 {folder.path / name}" in text for name, text in zip((CURRENT, NEXT), texts, strict=True)
    ] == [
        True,
        True,
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("mode", "said"), [(0o440, False), (0o640, False), (0o460, True), (0o444, True)])
def test_a_key_of_another_user_that_the_group_reads_is_how_secrets_are_mounted(
    mode: int, said: bool, folder: AuthorityFolder
) -> None:
    os.chown(folder.path / CURRENT, 4321, 0)
    (folder.path / CURRENT).chmod(mode)
    assert bool(findings(folder)) is said


def test_hosts_that_it_may_not_sign_for_are_said(tmp_path: Path) -> None:
    folder = AuthorityFolder(tmp_path)
    folder.add(make_authority(DOMAINS))
    assert refuse_or_warn(tmp_path, ["*.cloud.databricks.com", "a.cloud.databricks.com"]) == []
    (text,) = refuse_or_warn(tmp_path, ["*.cloud.databricks.com", "*.azuredatabricks.net"])
    assert "not for *.azuredatabricks.net" in text


def test_an_expired_one_is_a_warning_where_the_operator_gives_certificates(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    AuthorityFolder(tmp_path).add(make_authority(DOMAINS, 90, now=long_ago))
    with pytest.raises(AuthorityError, match="expired"):
        refuse_or_warn(tmp_path, [])
    assert "expired" in refuse_or_warn(tmp_path, [], sole=False)[0]


def test_a_folder_that_may_not_be_looked_into_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", forbidden)
    with pytest.raises(AuthorityError, match="Permission denied"):
        refuse_or_warn(tmp_path, [])


def test_no_authority_is_no_finding(tmp_path: Path) -> None:
    assert refuse_or_warn(tmp_path / "none", ["*.cloud.databricks.com"]) == []


def test_one_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / CURRENT).write_text("x")
    with pytest.raises(AuthorityError, match="no certificate"):
        refuse_or_warn(tmp_path, [])
