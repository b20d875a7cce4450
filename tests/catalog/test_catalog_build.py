"""Making the catalogue: the committed file is what the SDK and the reviewed files give, and nothing is unsettled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
    committed = update.FILE.read_text()
    lines = committed.splitlines(keepends=True)
    changed.write_text("".join(line for line in lines if '"name": "jobs.run_now"' not in line))
    monkeypatch.setattr(update, "FILE", changed)
    monkeypatch.setattr(update, "Source", lambda folder: source)  # read once: it takes seconds
    checked = CliRunner().invoke(update.main, ["--check"])
    assert checked.exit_code == 1
    assert "new: jobs.run_now" in checked.output
    assert CliRunner().invoke(update.main, []).exit_code == 0
    assert changed.read_text() == committed


WRONG = {
    "a kind of nothing": ("kinds", "- {type: x, of: [no_such]}\n", "kinds.yaml: no_such fits no parameter"),
    "an encoded variable of nothing": (
        "objects",
        "encoded:\n  - {of: [jobs.no_such.x], source: test}\n",
        "objects.yaml: encoded jobs.no_such.x fits no parameter",
    ),
    "the content of nothing": (
        "objects",
        "content:\n  - {of: [jobs.no_such], source: test}\n",
        "objects.yaml: content: there is no jobs.no_such",
    ),
    "a folder of nothing": (
        "objects",
        "below:\n  - {of: [workspace.export.no_such], source: test}\n",
        "objects.yaml: below workspace.export.no_such fits no parameter",
    ),
    "a condition that there is not": (
        "objects",
        "below:\n  - {of: [workspace.export.path], when: [no_such], source: test}\n",
        "objects.yaml: workspace.export has no no_such",
    ),
    "a word of nothing": (
        "objects",
        "means:\n  - {word: w, members: [no_such], of: [jobs.get], source: test}\n",
        "objects.yaml: means w: jobs.get has no no_such",
    ),
    "a stand-in that there is not": (
        "objects",
        "stand_ins:\n  - {holders: [jobs.get], of: [job_id, no_such], source: test}\n",
        "objects.yaml: stand_ins no_such: no holder has it",
    ),
    "an alternative of nobody": (
        "objects",
        "alternatives:\n  - {holders: [jobs.get], of: [a, b], source: test}\n",
        "objects.yaml: alternatives of jobs.get: it has no two of a, b",
    ),
}


def test_rows_that_fit_nothing_are_problems(source: Source, folder: Path) -> None:
    """A parameter that is renamed in a new release takes what is known about it along, or somebody hears of it."""
    for which, row, _ in WRONG.values():
        file = folder / f"{which}.yaml"
        text = file.read_text()
        section, _, rest = row.partition("\n")
        file.write_text(
            text + row if which == "kinds" else text.replace(f"\n{section}\n", f"\n{section}\n{rest}")
        )
    problems = build(source, folder).problems
    assert [case for case, (_, _, problem) in WRONG.items() if problem not in problems] == []


def test_the_makers_give_the_same_whatever_the_order_of_sets() -> None:
    version = Source(update.sdk_folder()).version
    if version not in update.FILE.read_text().splitlines()[0]:
        pytest.skip("another release of the SDK is installed")
    ran = subprocess.run(
        [sys.executable, "-m", "catalogue.update", "--check"],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(update.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The files are up to date." in ran.stdout


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
