"""requirements.txt is what pyproject.toml asks for, whole, by hash, and names no place; so is the bill of materials."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from brickscope.proxy.versions import OLDEST_SAFE, warnings
from dependencies.known_flaws import AuditFailed, judge, read
from dependencies.sbom import narrow

ROOT = Path(__file__).parent.parent
FILE = ROOT / "requirements.txt"
REQUIRED = [
    Requirement(text)
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]
NOT_CHECKED = (
    "NOT CHECKED: the feed of known vulnerabilities can't be reached from here; no flaw was looked for"
)
_PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


def pins() -> dict[str, str]:
    return {canonicalize_name(name): version for name, version, _ in _PIN.findall(FILE.read_text())}


def test_nothing_but_packages_and_hashes_is_in_it() -> None:
    rest = re.sub(r"^ *#.*\n", "", _PIN.sub("", FILE.read_text()), flags=re.M)
    assert rest == ""
    assert "://" not in FILE.read_text()


def test_what_pyproject_asks_for_is_pinned_within_its_range() -> None:
    found = pins()
    for requirement in REQUIRED:
        version = found.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement}: run scripts/update-requirements"
        assert requirement.specifier.contains(version), (
            f"{requirement}, not {version}: run scripts/update-requirements"
        )


def test_what_the_pinned_ones_need_is_pinned_within_their_range() -> None:
    """Held against the metadata of those that are installed here at the same version."""
    found = pins()
    looked_at = 0
    for name, version in found.items():
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if distribution.version != version:
            continue
        looked_at += 1
        for text in distribution.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert needed.specifier.contains(found[canonicalize_name(needed.name)], prereleases=True), (
                    text
                )
    assert looked_at > 20 or found["mitmproxy"] != metadata.version("mitmproxy")


def test_what_is_pinned_is_as_new_as_the_start_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OLDEST_SAFE.keys() <= pins().keys()
    monkeypatch.setattr(metadata, "version", pins().__getitem__)
    assert warnings() == []


def test_pip_takes_it_with_hashes_required() -> None:
    """Without an index: what is installed at the pinned version is enough, another version can't be found."""
    pytest.importorskip("pip")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--no-index",
            "--require-hashes",
            "-r",
            str(FILE),
        ],
        capture_output=True,
        text=True,
        timeout=110,
        env={"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null"},
        check=False,
    )
    differ = [name for name, version in pins().items() if _installed(name) != version]
    if differ:
        assert "Could not find a version" in done.stderr or "No matching distribution" in done.stderr, (
            done.stderr
        )
    else:
        assert done.returncode == 0, done.stderr
    assert "hash" not in done.stderr.lower()


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


# -- known flaws -----------------------------------------------------------------------------------------------

H2 = {"name": "h2", "version": "4.2.0", "vulns": []}
FLAW = {"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": ["4.3.0"], "description": "a flaw"}
UNKNOWN = {"name": "urwid", "skip_reason": "Dependency not found on PyPI and could not be audited: urwid (4)"}
TRACEBACK = "Traceback ...\nrequests.exceptions.ConnectionError: HTTPSConnectionPool: Failed to resolve 'x'"


@pytest.mark.parametrize(
    ("dependencies", "errors", "status", "said"),
    [
        ([H2], "", 0, ["1 packages of requirements.txt were checked: 0 known flaws"]),
        (
            [{**H2, "vulns": [FLAW]}],
            "",
            1,
            [
                "h2 4.2.0: PYSEC-1, GHSA-1; fixed in 4.3.0",
                "1 packages of requirements.txt were checked: 1 known flaws",
            ],
        ),
        (
            [{**H2, "vulns": [{**FLAW, "fix_versions": []}]}, UNKNOWN],
            "",
            1,
            [
                "h2 4.2.0: PYSEC-1, GHSA-1; fixed in no version yet",
                "NOT CHECKED: the feed does not know urwid",
                "1 packages of requirements.txt were checked: 1 known flaws",
            ],
        ),
        (
            [H2, UNKNOWN],
            "",
            0,
            [
                "NOT CHECKED: the feed does not know urwid",
                "1 packages of requirements.txt were checked: 0 known flaws",
            ],
        ),
        ([UNKNOWN], "No known vulnerabilities found", 0, [NOT_CHECKED]),
        (None, TRACEBACK, 0, [NOT_CHECKED]),
        (None, "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", 0, [NOT_CHECKED]),
    ],
    ids=[
        "none",
        "one",
        "one without a fix",
        "some unknown",
        "an index without a feed",
        "no network",
        "timeout",
    ],
)
def test_a_flaw_fails_the_build_and_a_feed_that_is_not_there_is_said(
    dependencies: list[dict[str, object]] | None, errors: str, status: int, said: list[str]
) -> None:
    output = "" if dependencies is None else json.dumps({"dependencies": dependencies, "fixes": []})
    assert judge(read(output, errors)) == (status, said)


def test_another_failure_of_pip_audit_is_no_unreachable_feed() -> None:
    with pytest.raises(AuditFailed, match="requirement h2 does not contain a hash"):
        read("", "ERROR:pip_audit._cli:requirement h2 does not contain a hash")


def test_pip_audit_reads_the_file_as_it_is_called(tmp_path: Path) -> None:
    """The real one: whatever it can reach from here, it never fails over the file or the flags."""
    done = subprocess.run(
        [sys.executable, "-m", "dependencies.known_flaws"],
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "XDG_CACHE_HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert NOT_CHECKED in done.stdout or f"{len(pins())} packages of" in done.stdout


# -- bill of materials -----------------------------------------------------------------------------------------


def test_the_bill_of_materials_lists_what_the_proxy_needs_and_names_no_place() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "sbom"], capture_output=True, text=True, timeout=110, check=True
    )
    bom = json.loads(done.stdout)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["name"] == "brickscope"
    listed = {canonicalize_name(each["name"]): each["version"] for each in bom["components"]}
    assert {canonicalize_name(each.name) for each in REQUIRED} <= listed.keys()
    if listed.items() <= pins().items():
        assert listed.keys() == pins().keys(), "run scripts/update-requirements"
    assert all(version == metadata.version(name) for name, version in listed.items())
    assert all(each["purl"].startswith("pkg:pypi/") for each in bom["components"])
    assert not {"pytest", "ruff", "databricks-sdk"} & listed.keys()
    assert set(re.findall(r"\w+://[^/\"]+", done.stdout)) == {"http://cyclonedx.org"}
    assert str(ROOT) not in done.stdout


def test_a_bill_without_a_required_package_is_refused() -> None:
    component = {"name": "brickscope", "bom-ref": "root-component"}
    bom = {"metadata": {"component": component}, "components": [], "dependencies": []}
    with pytest.raises(ValueError, match="hpack, hyperframe: required, but not in the bill"):
        narrow(bom, ["h2>=4"])
    with pytest.raises(ValueError, match="no-such-package is required, but not installed"):
        narrow(bom, ["no-such-package"])
    assert narrow(bom, ["h2>=4; python_version < '3'"])["components"] == []
