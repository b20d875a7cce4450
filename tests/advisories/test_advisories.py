"""Known flaws: what concerns an installation, how the list is made, and what the command and the proxy say."""

from __future__ import annotations

import json
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from brickscope.advisories import advisory, update
from brickscope.advisories.advisory import Advisory, AdvisoryList, known
from brickscope.advisories.osv import advisories
from brickscope.advisories.packages import PACKAGES, components, installed
from brickscope.cli.main import main

ROOT = Path(__file__).parents[2]


def record(**changes: Any) -> dict[str, Any]:
    """One of the OSV schema."""
    events = changes.pop("events", [{"introduced": "0"}, {"fixed": "4.3.0"}])
    package = changes.pop("package", "h2")
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    affected = [{"package": {"ecosystem": "PyPI", "name": package}, "ranges": ranges}]
    whole = {"id": "GHSA-1", "aliases": ["CVE-1"], "summary": "a flaw", "affected": affected}
    return {**whole, "published": "2026-01-02T00:00:00Z", "modified": "2026-01-03T00:00:00Z", **changes}


@pytest.mark.parametrize(
    ("events", "concerned", "free"),
    [
        (
            [{"introduced": "0"}, {"fixed": "4.3.0"}],
            ["1.0", "4.2.9", "4.3.0rc1"],
            ["4.3.0", "4.3.0.post1", "5"],
        ),
        ([{"introduced": "2.9.0"}, {"fixed": "2.12.1"}], ["2.9.0", "2.12.0"], ["2.8.9", "2.12.1"]),
        ([{"introduced": "0"}, {"last_affected": "2.10.1"}], ["2.10.1"], ["2.10.2"]),
        (
            [{"introduced": "1"}, {"fixed": "1.5"}, {"introduced": "2"}, {"fixed": "2.5"}],
            ["1.4", "2.0"],
            ["0.9", "1.5", "1.9", "2.5"],
        ),
        ([{"introduced": "3"}], ["3", "99"], ["2.9"]),
    ],
)
def test_a_range_is_read_as_the_schema_has_it(
    events: list[dict[str, str]], concerned: list[str], free: list[str]
) -> None:
    (found,) = advisories([record(events=events)], PACKAGES)
    assert [version for version in (*concerned, *free) if found.concerns(version)] == concerned


def test_a_version_that_cannot_be_read_has_the_flaw() -> None:
    (found,) = advisories([record()], PACKAGES)
    assert found.concerns("4.4-of-our-own-make")


def test_one_flaw_in_two_databases_is_one_advisory() -> None:
    github = record(id="GHSA-1", aliases=["CVE-1"], published="2026-01-05T00:00:00Z")
    pypa = record(
        id="PYSEC-1", aliases=["CVE-1", "GHSA-1"], summary=None, details="h2 is a library. It breaks. Badly."
    )
    third = record(id="GHSA-3", aliases=["CVE-3"])
    found = advisories([pypa, third, github], PACKAGES)
    assert [(each.id, each.aliases) for each in found] == [
        ("GHSA-1", ("CVE-1", "PYSEC-1")),
        ("GHSA-3", ("CVE-3",)),
    ]
    assert found[0].published == "2026-01-02"
    (alone,) = advisories([pypa], PACKAGES)
    assert alone.summary == "It breaks"


def test_what_is_withdrawn_or_of_another_package_is_left_out() -> None:
    assert advisories([record(withdrawn="2026-02-01T00:00:00Z"), record(package="flask")], PACKAGES) == []


def test_names_of_packages_are_compared_in_their_canonical_form() -> None:
    (found,) = advisories([record(package="PyJWT")], PACKAGES)
    assert found.package == "pyjwt"


# -- the list that is shipped ----------------------------------------------------------------------------------


def test_the_list_is_whole() -> None:
    every = known().advisories
    assert len({(each.id, each.package) for each in every}) == len(every)
    for each in every:
        assert each.package in PACKAGES
        assert each.affected, each.id
        assert all(SpecifierSet(text) for text in each.affected)
        assert 0 < len(each.summary) <= 200
        assert each.source.startswith("https://osv.dev/vulnerability/")
        assert each.fixed is None or not each.concerns(each.fixed), each.id
    assert {"GHSA-6hr6-w5qg-qmwg", "GHSA-847f-9342-265h", "GHSA-527g-3w9m-29hv", "GHSA-vqfr-h8mv-ghfj"} <= {
        each.id for each in every
    }


def test_flaws_that_are_known_are_found() -> None:
    found = known().concerns({"h2": "4.2.0", "mitmproxy": "12.2.1", "h11": "0.16.0"})
    assert {each.advisory.id for each in found} == {
        "GHSA-6hr6-w5qg-qmwg",
        "GHSA-847f-9342-265h",
        "GHSA-527g-3w9m-29hv",
    }
    assert "install h2>=4.4.1" in str(found[0])
    assert [each.advisory.published for each in found] == sorted(
        (each.advisory.published for each in found), reverse=True
    )


def test_the_oldest_versions_that_may_be_installed_have_no_known_flaw() -> None:
    """Of what this project requires by itself; the rest follows mitmproxy's ranges."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for text in content["project"]["dependencies"]:
        requirement = Requirement(text)
        if requirement.name == "cryptography":
            continue  # mitmproxy's own range decides
        (floor,) = [each.version for each in requirement.specifier if each.operator == ">="]
        assert known().concerns({requirement.name.lower(): floor}) == [], text


# -- the command ------------------------------------------------------------------------------------------------


@pytest.fixture
def affected(monkeypatch: pytest.MonkeyPatch) -> str:
    """An installation with a flaw; the version of h2 in it."""
    true_version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "4.2.0" if name == "h2" else true_version(name))
    return "4.2.0"


def test_what_is_installed_here_has_no_known_flaw() -> None:
    result = CliRunner().invoke(main, ["advisories"])
    assert result.exit_code == 0, result.output
    assert "none concerns what is installed" in result.output


def test_a_flaw_is_said_with_what_to_do(affected: str) -> None:
    result = CliRunner().invoke(main, ["advisories"])
    assert result.exit_code == 1
    assert f"h2 {affected} has a known flaw, GHSA-847f-9342-265h" in result.output
    assert "install h2>=4.3.0" in result.output
    told = json.loads(CliRunner().invoke(main, ["advisories", "--json"]).output)
    assert told["versions"]["h2"] == affected
    assert {each["id"] for each in told["concerns"]} == {"GHSA-847f-9342-265h", "GHSA-6hr6-w5qg-qmwg"}
    assert {each["installed"] for each in told["concerns"]} == {affected}


def test_all_of_them_can_be_listed() -> None:
    told = json.loads(CliRunner().invoke(main, ["advisories", "--all", "--json"]).output)
    assert len(told["advisories"]) == len(known().advisories)
    assert "GHSA-847f-9342-265h" in CliRunner().invoke(main, ["advisories", "--all"]).output


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert installed() == {}
    assert set(components()) == {"python", "openssl", "python-openssl"}


# -- the script -------------------------------------------------------------------------------------------------


def make(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(update.main, list(map(str, arguments)))
    return result.exit_code, result.output


def test_the_list_is_made_from_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "known.yaml"
    for module in (update, advisory):
        monkeypatch.setattr(module, "KNOWN", listed)
    pypa, github = tmp_path / "pypa" / "h2", tmp_path / "github" / "2026" / "01"
    pypa.mkdir(parents=True)
    github.mkdir(parents=True)
    (pypa / "PYSEC-1.yaml").write_text(yaml.safe_dump(record(id="PYSEC-1", aliases=["CVE-1"])))
    (github / "GHSA-2.json").write_text(json.dumps(record(id="GHSA-2", aliases=["CVE-2"])))
    (github / "README.json").write_text("[]")
    (github / "broken.txt").write_text("{")
    assert make("--check", pypa.parent, github)[0] == 1
    assert not listed.exists()
    assert make(pypa.parent, tmp_path / "github") == (0, "2 advisories read, 0 kept; the list changes\n")
    assert make("--check", pypa.parent, tmp_path / "github")[0] == 0

    # Another database, or an older checkout, takes nothing away; a withdrawal does.
    assert make(pypa.parent) == (0, "1 advisories read, 1 kept; the list is the same\n")
    (github / "GHSA-2.json").write_text(
        json.dumps(record(id="GHSA-2", aliases=["CVE-2"], withdrawn="2026-03-01T00:00:00Z"))
    )
    make(pypa.parent, tmp_path / "github")
    made = AdvisoryList.model_validate(yaml.safe_load(listed.read_text()))
    assert [each.id for each in made.advisories] == ["CVE-1"]
    assert made.as_of == "2026-01-03"
    assert isinstance(made.advisories[0], Advisory)
