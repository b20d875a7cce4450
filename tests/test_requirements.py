"""requirements.txt is what pyproject.toml asks for, whole, by hash, and names no place; so is the bill of materials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from brickscope.advisories.advisory import known
from brickscope.advisories.sbom import narrow

ROOT = Path(__file__).parent.parent
FILE = ROOT / "requirements.txt"
REQUIRED = [
    Requirement(text)
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]
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


def test_no_pinned_version_has_a_known_flaw() -> None:
    assert [str(each) for each in known().concerns(pins())] == []


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
