"""Making the catalogue: the committed file is what the SDK and the reviewed files give, and nothing is unsettled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.core.template import bind, parse_catalogue_template
from catalogue import update
from catalogue.build import FOLDER, Built, build, render, render_records
from catalogue.sdk import Source


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(update.sdk_folder())


@pytest.fixture(scope="module")
def built(source: Source) -> Built:
    return build(source)


def test_nothing_is_unclassified_or_shared(built: Built) -> None:
    assert built.problems == []


def test_the_committed_files_are_what_would_be_made(source: Source, built: Built) -> None:
    committed = update.FILE.read_text()
    made = render(built, source.version)
    if committed.splitlines()[0] == made.splitlines()[0]:
        assert committed == made
        assert update.FILE.with_name("records.jsonl").read_text() == render_records(built)
    else:  # another release of the SDK is installed: what is committed must still be there
        gone = update.names_in(committed) - update.names_in(made)
        assert len(gone) < 20, f"run scripts/update-catalog; gone: {sorted(gone)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reviewed files, to be spoilt."""
    copy = tmp_path / "catalogue"
    shutil.copytree(FOLDER, copy)
    return copy


def add(folder: Path, entry: str) -> None:
    """One more operation, ``x.y``."""
    (folder / "operations" / "x.yaml").write_text(
        f"- {{service: x, source: test, operations: {{y: {entry}}}}}\n"
    )


def spoil(file: Path, was: str, now: str = "") -> None:
    text = file.read_text()
    assert was in text
    file.write_text(text.replace(was, now))


def test_a_new_operation_without_a_class_is_a_problem(source: Source, folder: Path) -> None:
    spoil(folder / "overlay.yaml", "    - pin\n")
    assert build(source, folder).problems == ["clusters.pin: no class"]


def test_two_operations_of_one_call_are_a_problem(source: Source, folder: Path) -> None:
    add(folder, '{calls: ["POST /api/2.2/jobs/run-now", "GET /x"], class: read}')
    (problem,) = build(source, folder).problems
    assert problem == "POST /api/2.2/jobs/run-now: of jobs.run_now and x.y"


def test_calls_with_different_variables_are_no_operation(source: Source, folder: Path) -> None:
    add(folder, '{calls: ["GET /x", "GET /y/{id}"], class: read}')
    (problem,) = build(source, folder).problems
    assert problem.startswith("x.y: its calls have not the same variables")


def test_two_operations_of_one_name_are_a_problem(source: Source, folder: Path) -> None:
    (folder / "operations" / "x.yaml").write_text(
        '- {service: jobs, source: test, operations: {run_now: {calls: ["GET /x"], class: read}}}\n'
    )
    assert "jobs.run_now: the name of 2 operations" in build(source, folder).problems


def test_a_call_that_the_sdk_comes_to_know_keeps_its_other_name(source: Source, folder: Path) -> None:
    add(folder, '{calls: ["GET /api/2.2/jobs/get"], class: read}')
    made = build(source, folder)
    (entry,) = [each for each in made.entries if each["name"] == "jobs.get"]
    assert entry["names"] == ["x.y"]
    assert made.problems == []


def test_the_command_reports_and_checks(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "operations.jsonl"
    lines = update.FILE.read_text().splitlines(keepends=True)
    changed.write_text("".join(line for line in lines if '"name": "jobs.run_now"' not in line))
    monkeypatch.setattr(update, "FILE", changed)
    monkeypatch.setattr(update, "Source", lambda folder: source)  # read once: it takes seconds
    checked = CliRunner().invoke(update.main, ["--check"])
    assert checked.exit_code == 1
    assert "new: jobs.run_now" in checked.output
    assert CliRunner().invoke(update.main, []).exit_code == 0
    assert "The files are up to date." in CliRunner().invoke(update.main, ["--check"]).output


BOUND = {
    "one segment": ("/api/2.0/jobs/{id}", "/api/2.0/jobs/7", {"id": "7"}),
    "a verb": ("/x/{name}:query", "/x/a:query", {"name": "a"}),
    "the rest": ("/fs/{path...}", "/fs/a/b/c", {"path": "a/b/c"}),
    "a rest with a verb": ("/x/{name...}:cancel", "/x/a/b:cancel", {"name": "a/b"}),
    "a rest in the middle": ("/x/{name...}/operations", "/x/a/b/operations", {"name": "a/b"}),
    "a shape": (
        "/p/{name=projects/*/branches/*}",
        "/p/projects/a/branches/b",
        {"name": "projects/a/branches/b"},
    ),
    "a shape, and more": (
        "/p/{parent=projects/*}/branches",
        "/p/projects/a/branches",
        {"parent": "projects/a"},
    ),
    "a shape with a verb": ("/p/{name=things/*}:run", "/p/things/a:run", {"name": "things/a"}),
    "a shape with a rest": ("/p/{name=**/operations/*}", "/p/a/b/operations/c", {"name": "a/b/operations/c"}),
    "two variables": ("/{a}/x/{b}", "/1/x/2", {"a": "1", "b": "2"}),
}


@pytest.mark.parametrize(("template", "path", "expected"), BOUND.values(), ids=BOUND)
def test_the_values_of_a_templates_variables(template: str, path: str, expected: dict[str, str]) -> None:
    from brickscope.core.rule import Rule, RuleTable

    rule = Rule("GET", parse_catalogue_template(template), "x")
    segments = path[1:].split("/")
    assert RuleTable([rule]).match("GET", segments) is rule
    assert bind(rule.template, segments) == expected


def test_a_long_path_costs_no_more_than_its_length() -> None:
    from brickscope.catalog.catalog import operation_table

    for start in ("/api/2.0/postgres/", "/api/2.0/feature-engineering/", "/api/2.0/fs/files/"):
        segments = (start + "operations/" * 8000 + "x")[1:].split("/")
        for _ in range(20):
            operation_table().match("GET", segments)
