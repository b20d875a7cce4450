"""What docs/upkeep.md says of a loss, and of what was restored: each with a real proxy before and after."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main
from e2e.conftest import StartProxy
from e2e.gate import POLICY
from e2e.proxy_process import ProxyFailed, ProxyProcess
from e2e.test_ca_rotation import reaches

KEYS = ("brickscope-audit-key.pem", "brickscope-digest-key")
CA = ("mitmproxy-ca.pem", "mitmproxy-ca-cert.pem")


class Site:
    """A proxy's files, as they were when it was stopped and saved, and the proxy that is started again from them."""

    def __init__(self, folder: Path, rules: Path, start: StartProxy, policy: str = POLICY) -> None:
        self.folder, self.rules, self._start = folder / "proxy", rules, start
        self.confdir, self.log = self.folder / "confdir", self.folder / "audit.jsonl"
        (rules / "policy.yaml").write_text(policy)
        with start(folder=self.folder) as proxy:
            assert reaches(proxy, proxy.ca_file)
            self.client = folder / "client.pem"
            self.client.write_bytes(proxy.ca_file.read_bytes())
            (self.first,) = proxy.audit("start")
        self.saved = folder / "saved"
        shutil.copytree(self.folder, self.saved / "proxy")
        shutil.copytree(rules, self.saved / "rules")
        self.public = folder / "public.pem"
        self.public.write_text(run("audit", "key", "--keys", self.confdir))

    def again(self) -> ProxyProcess:
        return self._start(folder=self.folder)

    def restore(self, *names: str) -> None:
        for name in names:
            shutil.copy2(self.saved / "proxy" / "confdir" / name, self.confdir / name)

    def start_record(self) -> dict[str, Any]:
        """Of a run that begins and ends now."""
        with self.again() as proxy:
            return proxy.audit("start")[-1]

    def verify(self, key: Path | None = None) -> tuple[int, str]:
        words = ["--keys", str(self.confdir), *(["--public-key", str(key)] if key else [])]
        result = CliRunner().invoke(main, ["audit", "verify", str(self.log), *words])
        return result.exit_code, result.output


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def site(tmp_path: Path, rules: Path, start_proxy: StartProxy) -> Site:
    return Site(tmp_path, rules, start_proxy)


def test_a_lost_authority_is_another_one_until_the_saved_one_is_back(site: Site) -> None:
    for name in CA:
        (site.confdir / name).unlink()
    with site.again() as proxy:
        assert not reaches(proxy, site.client), "the proxy has made another authority"
        assert reaches(proxy, proxy.ca_file)
    site.restore(*CA)
    assert stat.S_IMODE((site.confdir / CA[0]).stat().st_mode) == 0o600
    with site.again() as proxy:
        assert reaches(proxy, site.client)


def test_a_lost_signing_key_is_a_new_one_and_the_old_log_is_checked_by_the_old(site: Site) -> None:
    (site.confdir / KEYS[0]).unlink()
    new = site.start_record()
    assert new["key_id"] != site.first["key_id"]
    assert new["previous"] is not None, "the chain goes on"
    code, said = site.verify(site.public)
    assert code == 1
    assert f"signed by {new['key_id']}, not by {site.first['key_id']}" in said, (
        "the old key does not vouch for the new one"
    )
    code, said = site.verify()
    assert code == 0, said

    site.restore(KEYS[0])
    assert site.start_record()["key_id"] == site.first["key_id"]


def test_a_lost_digest_key_is_a_new_one_until_the_saved_one_is_back(site: Site) -> None:
    (site.confdir / KEYS[1]).unlink()
    assert site.start_record()["digest_key_id"] != site.first["digest_key_id"]
    site.restore(KEYS[1])
    assert site.start_record()["digest_key_id"] == site.first["digest_key_id"]


@pytest.mark.parametrize("restored", [False, True], ids=["lost", "an older copy restored"])
def test_a_lost_log_is_told_by_the_head(restored: bool, site: Site) -> None:
    with site.again() as proxy:
        assert reaches(proxy, site.client)
    site.log.unlink()
    if restored:
        shutil.copy2(site.saved / "proxy" / "audit.jsonl", site.log)
    with site.again() as proxy:
        causes = [record["cause"] for record in proxy.audit("gap")]
        assert causes == ["lost_tail"]
        assert reaches(proxy, site.client), "and calls go on"
    _, said = site.verify(site.public)
    assert "the end of the log is not here" in said, said


def test_a_lost_policy_stops_the_start_and_the_saved_one_is_the_same_revision(site: Site) -> None:
    shutil.rmtree(site.rules)
    with pytest.raises(ProxyFailed) as failed:
        site.again()
    assert str(site.rules) in str(failed.value)
    assert "Traceback" not in str(failed.value)
    shutil.copytree(site.saved / "rules", site.rules)
    assert site.start_record()["policy_revision"] == site.first["policy_revision"]


def test_everything_lost_and_restored_is_the_same_proxy(site: Site) -> None:
    shutil.rmtree(site.folder)
    shutil.rmtree(site.rules)
    shutil.copytree(site.saved / "proxy", site.folder)
    shutil.copytree(site.saved / "rules", site.rules)
    with site.again() as proxy:
        assert reaches(proxy, site.client)
        start = proxy.audit("start")[-1]
        assert proxy.audit("gap") == []
    for name in ("key_id", "digest_key_id", "policy_revision"):
        assert start[name] == site.first[name]
    code, said = site.verify(site.public)
    assert code == 0, said


def test_every_file_that_a_proxy_makes_is_in_the_table(site: Site) -> None:
    from test_upkeep_document import file_patterns

    made = [path for path in site.folder.rglob("*") if path.is_file() and not path.name.startswith("output-")]
    assert len(made) >= 6
    for path in made:
        assert any(Path(path.name).match(pattern) for pattern in file_patterns()), path.name
        mode = stat.S_IMODE(path.stat().st_mode)
        if "key" in path.name or path.suffix == ".jsonl" or path.name == CA[0]:
            assert mode == 0o600, path.name
